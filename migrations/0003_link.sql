-- Every posted link, one row each, as long as its connection is watched.
CREATE TABLE link (
    id              TEXT PRIMARY KEY,   -- the reference of the command that posted it
    connection_id   TEXT NOT NULL,
    team_id         TEXT NOT NULL,
    channel_id      TEXT NOT NULL,      -- where it was asked for
    requester       TEXT NOT NULL,
    request         TEXT NOT NULL,      -- what was asked for, as JSON
    schema_name     TEXT NOT NULL,      -- the connection's name
    message_channel TEXT,               -- where the message stands, if it can be edited
    message_ts      TEXT,
    state           TEXT NOT NULL,      -- waiting, connected, expired, broken, cancelled, replaced
    made_over       TEXT,               -- connected or broken: its connection had been set up before
    detail          TEXT,               -- what Fivetran says of it
    posted_at       BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL,
    changed_at      BIGINT NOT NULL,
    reminded        BIGINT NOT NULL DEFAULT 0, -- 1: before it expired, 2: after
    stale           BIGINT NOT NULL DEFAULT 0, -- 1: the message does not show the state yet
    check_at        BIGINT,             -- when to ask Fivetran next; none: never again
    owner           TEXT NOT NULL DEFAULT '',
    fence           BIGINT NOT NULL DEFAULT 0,
    lease_until     BIGINT NOT NULL DEFAULT 0
);

CREATE INDEX link_due ON link (check_at) WHERE check_at IS NOT NULL;
CREATE INDEX link_connection ON link (connection_id);
CREATE INDEX link_channel ON link (team_id, channel_id, state);

CREATE INDEX command_connection ON command (connection_id) WHERE connection_id IS NOT NULL;
