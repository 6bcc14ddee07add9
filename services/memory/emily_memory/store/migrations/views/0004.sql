-- Version 4 of the schema. A view belongs to whoever asks (security_invoker): the fence of the namespace holds
-- behind it as in front of it. The vectors' tables, hot_<key> and vector_<key>, are made as spaces are, and have
-- no views: their columns never change, another shape is another space.

CREATE VIEW episode WITH (security_invoker) AS
SELECT
    id, namespace, actor, session, kind, content, content_hash, occurred_at, recorded_at, retracted_at,
    archived_at, valid_from, valid_to, superseded_by, expires_at, pinned, importance, valence, arousal,
    dominance, context, source, words
FROM memory.episode;

CREATE VIEW derivation WITH (security_invoker) AS
SELECT
    derived, origin, namespace
FROM memory.derivation;

CREATE VIEW usage WITH (security_invoker) AS
SELECT
    id, namespace, uses, used_at
FROM memory.usage;

CREATE VIEW change WITH (security_invoker) AS
SELECT
    number, at, namespace, did, id, other, reason
FROM memory.change;

CREATE VIEW word WITH (security_invoker) AS
SELECT
    namespace, lexeme, episodes
FROM memory.word;

CREATE VIEW corpus WITH (security_invoker) AS
SELECT
    namespace, episodes, words
FROM memory.corpus;

CREATE VIEW counting WITH (security_invoker) AS
SELECT
    until
FROM memory.counting;

CREATE VIEW space WITH (security_invoker) AS
SELECT
    key, provider, model, sha256, dimension, semantic, state
FROM memory.space;

CREATE VIEW unembedded WITH (security_invoker) AS
SELECT
    space, id
FROM memory.unembedded;

DO $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO emily_memory_reader', current_schema());
END $$;
GRANT SELECT ON episode, derivation, usage, change, word, corpus, space TO emily_memory_reader;
