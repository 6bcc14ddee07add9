-- What is archived and waits for its purge, oldest first.
CREATE INDEX episode_archived ON episode (archived_at) WHERE archived_at IS NOT NULL;
