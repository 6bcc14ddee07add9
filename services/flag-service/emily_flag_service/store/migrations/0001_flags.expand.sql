-- Flags as they are, and every change that made them so. Definitions are json and not jsonb: people find theirs
-- again as they wrote it.

CREATE TABLE flag (
    key text PRIMARY KEY,
    version bigint NOT NULL CHECK (version > 0),
    definition json,  -- none when it was deleted
    loaded json       -- as the file last said that brought it; none when no file did
);

CREATE TABLE change (
    revision bigint PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    key text NOT NULL REFERENCES flag,
    version bigint NOT NULL,
    action text NOT NULL CHECK (action IN ('created', 'changed', 'deleted', 'loaded')),
    author text NOT NULL,
    reason text NOT NULL DEFAULT '',
    before json,
    after json,
    UNIQUE (key, version)
);

CREATE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the history of flags is not rewritten';
END $$;
CREATE TRIGGER history_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON change
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();

-- One row: its lock lets one change happen at a time, and so revisions have no gaps.
CREATE TABLE counter (revision bigint NOT NULL);
CREATE UNIQUE INDEX counter_is_one_row ON counter ((true));
INSERT INTO counter VALUES (0);
