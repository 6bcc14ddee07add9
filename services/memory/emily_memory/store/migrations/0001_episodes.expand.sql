-- What is remembered, in two times: valid_from..valid_to is when it holds in the world,
-- recorded_at..retracted_at when it was believed here. An edit retracts, nothing is overwritten.

CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public;

CREATE TABLE episode (
    id uuid PRIMARY KEY,
    namespace text NOT NULL,
    actor text,
    session text,
    kind text NOT NULL,
    content text NOT NULL,
    content_hash bytea NOT NULL CHECK (octet_length(content_hash) = 16),
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    retracted_at timestamptz,
    archived_at timestamptz,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz CHECK (valid_to > valid_from),
    superseded_by uuid,
    expires_at timestamptz,
    pinned boolean NOT NULL DEFAULT false,
    importance real NOT NULL CHECK (importance BETWEEN 0 AND 1),
    valence real CHECK (valence BETWEEN -1 AND 1),
    arousal real CHECK (arousal BETWEEN 0 AND 1),
    dominance real CHECK (dominance BETWEEN -1 AND 1),
    context jsonb NOT NULL DEFAULT '{}',
    source jsonb NOT NULL DEFAULT '{}',
    words tsvector NOT NULL GENERATED ALWAYS AS (to_tsvector('english', content)) STORED
);

-- One believed version of a content per namespace: what is stored again adds nothing.
CREATE UNIQUE INDEX episode_content ON episode (namespace, content_hash) WHERE retracted_at IS NULL;
CREATE INDEX episode_time ON episode (namespace, occurred_at DESC, id DESC);
CREATE INDEX episode_kind ON episode (namespace, kind);
CREATE INDEX episode_actor ON episode (namespace, actor) WHERE actor IS NOT NULL;
CREATE INDEX episode_expiry ON episode (expires_at) WHERE expires_at IS NOT NULL AND archived_at IS NULL;
CREATE INDEX episode_words ON episode USING gin (words) WITH (fastupdate = on);
CREATE INDEX episode_context ON episode USING gin (context jsonb_path_ops) WITH (fastupdate = on);

-- What a summary or a merge was made of.
CREATE TABLE derivation (
    derived uuid NOT NULL REFERENCES episode ON DELETE CASCADE,
    origin uuid NOT NULL REFERENCES episode ON DELETE CASCADE,
    namespace text NOT NULL,
    PRIMARY KEY (derived, origin)
);
CREATE INDEX derivation_origin ON derivation (origin);

-- How often a memory was recalled; beside the episodes, so that recalling rewrites none of them.
CREATE TABLE usage (
    id uuid PRIMARY KEY REFERENCES episode ON DELETE CASCADE,
    namespace text NOT NULL,
    uses bigint NOT NULL,
    used_at timestamptz NOT NULL
) WITH (fillfactor = 70);

-- What was done to memories; never their content. It outlives them.
CREATE TABLE change (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    namespace text NOT NULL,
    did text NOT NULL,
    id uuid NOT NULL,
    other uuid,
    reason text NOT NULL DEFAULT ''
);
CREATE INDEX change_of ON change (id);

-- In how many episodes a word stands, for BM25; counted behind the scenes in the order of recording.
CREATE TABLE word (
    namespace text NOT NULL,
    lexeme text NOT NULL,
    episodes bigint NOT NULL,
    PRIMARY KEY (namespace, lexeme)
);
CREATE TABLE corpus (
    namespace text PRIMARY KEY,
    episodes bigint NOT NULL,
    words bigint NOT NULL
);
CREATE TABLE counting (
    until timestamptz NOT NULL
);
INSERT INTO counting VALUES ('-infinity');
CREATE INDEX episode_recorded ON episode (recorded_at);

-- Embedding spaces; each has two tables of its own, hot_<key> without an index and vector_<key> with HNSW.
-- One is active and answers; others are being built beside it, or were active before.
CREATE TABLE space (
    key text PRIMARY KEY,
    provider text NOT NULL,
    model text NOT NULL,
    sha256 text NOT NULL,
    dimension integer NOT NULL CHECK (dimension BETWEEN 1 AND 4000),
    semantic boolean NOT NULL,
    state text NOT NULL CHECK (state IN ('building', 'active', 'retired')),
    UNIQUE (provider, model, sha256, dimension)
);
CREATE UNIQUE INDEX space_active ON space (state) WHERE state = 'active';

-- Episodes that still want a vector in a space: its embedder was down, or the space is being built.
CREATE TABLE unembedded (
    space text NOT NULL REFERENCES space ON DELETE CASCADE,
    id uuid NOT NULL REFERENCES episode ON DELETE CASCADE,
    PRIMARY KEY (space, id)
);

-- The second fence: whoever reads as this role sees the namespace that the session has set, and no other.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'emily_memory_reader') THEN
        CREATE ROLE emily_memory_reader NOLOGIN;
    END IF;
    EXECUTE format('GRANT emily_memory_reader TO %I', current_user);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO emily_memory_reader', current_schema());
END $$;
GRANT SELECT ON episode, derivation, usage, change, word, corpus, space TO emily_memory_reader;
DO $$
DECLARE fenced text;
BEGIN
    FOREACH fenced IN ARRAY ARRAY['episode', 'derivation', 'usage', 'change', 'word', 'corpus'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', fenced);
        EXECUTE format(
            'CREATE POLICY own_namespace ON %I FOR SELECT TO emily_memory_reader'
            ' USING (namespace = current_setting(''emily.namespace'', true))', fenced);
    END LOOP;
END $$;

-- Behind a fence PostgreSQL uses an index only for operators that it knows to leak nothing. These two
-- raise no errors that tell of their operands; without the right to say so, word and context search is slower.
DO $$
BEGIN
    ALTER FUNCTION pg_catalog.ts_match_vq(tsvector, tsquery) LEAKPROOF;
    ALTER FUNCTION pg_catalog.jsonb_contains(jsonb, jsonb) LEAKPROOF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'not a superuser: word and context search scan the namespace';
END $$;
