-- Every routing table that ever held; the newest one holds. A change is one row more, so that of two changes of the
-- same table one is refused, and what was is there to read.

CREATE TABLE change (
    version bigint PRIMARY KEY CHECK (version > 0),
    active text NOT NULL,
    canary text,
    weight integer NOT NULL CHECK (weight BETWEEN 0 AND 10000),
    shadow text,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    author text NOT NULL,
    reason text NOT NULL
);

CREATE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the history of traffic is not rewritten';
END $$;
CREATE TRIGGER history_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON change
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();
