DROP SCHEMA memory_current CASCADE;
DROP TRIGGER in_step ON episode;
DROP FUNCTION keep_in_step;
ALTER TABLE episode DROP COLUMN importance, ALTER COLUMN salience SET NOT NULL;
