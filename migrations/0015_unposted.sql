-- What is still to be posted in a channel: the release before takes it for what can't be edited, and so it is
-- looked for. Few rows: whatever was posted has a time, and what can't be edited has no channel.
CREATE INDEX message_unposted ON message (id) WHERE place_channel IS NOT NULL AND place_ts IS NULL;
