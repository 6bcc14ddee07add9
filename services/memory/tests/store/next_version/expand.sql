-- A made-up next version: importance becomes salience, in hundredths, and session is called conversation.
-- Each side writes its own column; a trigger keeps the other in step.
ALTER TABLE episode RENAME COLUMN session TO conversation;
ALTER TABLE episode ADD COLUMN salience smallint;

CREATE FUNCTION keep_in_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.importance IS NULL OR (TG_OP = 'UPDATE' AND NEW.salience <> OLD.salience) THEN
        NEW.importance := NEW.salience / 100.0;
    ELSIF TG_OP = 'INSERT' OR NEW.importance <> OLD.importance THEN
        NEW.salience := round(NEW.importance * 100);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER in_step BEFORE INSERT OR UPDATE ON episode FOR EACH ROW EXECUTE FUNCTION keep_in_step();
