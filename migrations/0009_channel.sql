-- A channel is known by its own id alone: in an organisation the same one is in several workspaces.
-- The last column is for counting without a look at the rows.
CREATE INDEX connection_of_channel ON connection (channel_id, urgency, expires_at, name, team_id);
CREATE INDEX connection_of_schema ON connection (channel_id, name);
DROP INDEX connection_channel;
DROP INDEX connection_schema;
