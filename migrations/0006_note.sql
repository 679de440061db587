-- Whether the person was told that their command waits, or may have been: once at the most, whatever
-- process is at work on it. The release before does not know it and leaves it as it is.
ALTER TABLE command ADD COLUMN noted BIGINT NOT NULL DEFAULT 0;
