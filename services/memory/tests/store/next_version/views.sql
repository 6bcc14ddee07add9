CREATE VIEW episode WITH (security_invoker) AS
SELECT
    id, namespace, actor, conversation, kind, content, content_hash, occurred_at, recorded_at, retracted_at,
    archived_at, valid_from, valid_to, superseded_by, expires_at, pinned, salience, context, source, words
FROM memory.episode;
