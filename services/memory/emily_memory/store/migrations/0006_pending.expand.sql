-- New words and contexts wait in a list until the leader moves them into their index, many times a minute. At the
-- default of 4 MB, ten thousand episodes, the writer that fills the list moved them itself, and its callers waited.
ALTER INDEX episode_words SET (gin_pending_list_limit = 32768);
ALTER INDEX episode_context SET (gin_pending_list_limit = 32768);
