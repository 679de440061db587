-- What the metrics ask: since when a message has not shown what it should, and when a destination was
-- listed last. The release before leaves both as they are, so each is believed only where the other
-- columns agree.
ALTER TABLE message ADD COLUMN behind_since BIGINT;
ALTER TABLE sweep ADD COLUMN listed_at BIGINT;
