-- Looking at every vector of a kind reads them one behind the other from the index, not each from its own page.
DO $$
DECLARE
    covered text;
    plain regclass;
BEGIN
    FOR covered IN SELECT 'vector_' || key FROM space WHERE dimension <= 1200 LOOP
        SELECT i.indexrelid INTO plain
        FROM pg_index i
        WHERE i.indrelid = covered::regclass AND i.indnatts = 2 AND NOT i.indisprimary
            AND pg_get_indexdef(i.indexrelid) LIKE '%(namespace, kind)';
        EXECUTE format('CREATE INDEX ON %I (namespace, kind) INCLUDE (id, embedding)', covered);
        IF plain IS NOT NULL THEN
            EXECUTE format('DROP INDEX %s', plain);
        END IF;
    END LOOP;
END $$;
