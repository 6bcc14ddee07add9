-- From a memory back to the versions that it stands in place of, for its history and for erasing all of them.
CREATE INDEX episode_superseded_by ON episode (superseded_by) WHERE superseded_by IS NOT NULL;
-- What waits for a vector goes with its episode.
CREATE INDEX unembedded_id ON unembedded (id);
