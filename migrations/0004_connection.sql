-- One connection, one row: whether the bot made it, found it or only watches it. Takes the place of
-- `link`, whose rows are taken over while the bot runs and which the release before this one still
-- reads. Times are milliseconds since 1970 by the bot's clock; `lease_until` goes by the database's.
CREATE TABLE connection (
    group_id      TEXT NOT NULL,
    name          TEXT NOT NULL,        -- with the group: what names it at Fivetran
    connection_id TEXT NOT NULL,        -- Fivetran's id
    team_id       TEXT NOT NULL,
    channel_id    TEXT NOT NULL,        -- its home: the one channel that its link may stand in
    requester     TEXT NOT NULL,
    request       TEXT NOT NULL,        -- what was asked for, as JSON
    link          TEXT NOT NULL,        -- the link's reference: that of the command that posted it
    generation    BIGINT NOT NULL,      -- how many links there were
    message       TEXT NOT NULL,        -- the message that shows the link; several may share one
    posting       TEXT,                 -- the post that is not settled, and what stood before it, as JSON
    state         TEXT NOT NULL,        -- unposted, waiting, connected, expired, lapsed, broken, cancelled, gone, replaced
    purpose       TEXT,                 -- connected or broken: the connection had been set up before
    detail        TEXT,                 -- what Fivetran says of a broken one
    posted_at     BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    changed_at    BIGINT NOT NULL,
    reminded      BIGINT NOT NULL,      -- 1: before it expired, 2: after
    landed_at     BIGINT,               -- when its customer came back last
    looks         BIGINT NOT NULL,      -- looks since then
    look_at       BIGINT,               -- when to look at this one alone
    missing_since BIGINT,               -- since when Fivetran says that it is not there
    seen          TEXT,                 -- what was seen last, in short
    tick_at       BIGINT,               -- the next moment that matters without Fivetran's doing
    watch_until   BIGINT NOT NULL,      -- until when lists are searched for it; 0: not at all
    urgency       BIGINT NOT NULL,      -- its place in a list; 9 and more: in none
    version       BIGINT NOT NULL,      -- every write must know it
    PRIMARY KEY (group_id, name)
);

CREATE INDEX connection_link ON connection (link);
CREATE INDEX connection_message ON connection (message);
CREATE INDEX connection_channel ON connection (team_id, channel_id, urgency, expires_at, name);
CREATE INDEX connection_schema ON connection (team_id, channel_id, name);
CREATE INDEX connection_watched ON connection (group_id, watch_until, name);
CREATE INDEX connection_look ON connection (look_at) WHERE look_at IS NOT NULL;
CREATE INDEX connection_tick ON connection (tick_at) WHERE tick_at IS NOT NULL;
CREATE INDEX connection_missing ON connection (missing_since) WHERE missing_since IS NOT NULL AND state <> 'gone';
CREATE INDEX connection_over ON connection (changed_at) WHERE state IN ('cancelled', 'unposted') AND posting IS NULL;

-- What stands where in Slack, or may: a row is there before the first post of its message.
CREATE TABLE message (
    id            TEXT PRIMARY KEY,
    group_id      TEXT NOT NULL,        -- the connection that it was posted for
    name          TEXT NOT NULL,
    link          TEXT NOT NULL,        -- the link that it was posted with, and who asked for that
    requester     TEXT NOT NULL,
    place_channel TEXT,                 -- where it stands; none: not known, or not to be edited
    place_ts      TEXT,
    wanted        BIGINT NOT NULL,      -- how often what it should show has changed
    shown         BIGINT NOT NULL,      -- which of those it shows
    due           BIGINT,               -- when to bring it to what it should show
    tries         BIGINT NOT NULL,
    posted_at     BIGINT NOT NULL,
    left_at       BIGINT,               -- since when it shows no link of its connection's
    owner         TEXT NOT NULL DEFAULT '',
    fence         BIGINT NOT NULL DEFAULT 0,
    lease_until   BIGINT NOT NULL DEFAULT 0
);

CREATE INDEX message_due ON message (due) WHERE due IS NOT NULL;
CREATE INDEX message_connection ON message (group_id, name);
CREATE INDEX message_owner ON message (owner) WHERE lease_until > 0;
CREATE INDEX message_left ON message (left_at) WHERE left_at IS NOT NULL;

-- What the threads of messages are still to be told.
CREATE TABLE news (
    id      TEXT PRIMARY KEY,           -- the connection and the version of it that brought the news
    message TEXT NOT NULL,
    body    TEXT NOT NULL,              -- as JSON
    at      BIGINT NOT NULL
);

CREATE INDEX news_message ON news (message, at);
CREATE INDEX news_at ON news (at);

-- The destinations whose connections are listed, and when each is due.
CREATE TABLE sweep (
    group_id    TEXT PRIMARY KEY,
    next_at     BIGINT,                 -- none: nothing in it is watched
    pages       BIGINT NOT NULL DEFAULT 1, -- how many its list has
    posted_at   BIGINT NOT NULL DEFAULT 0, -- when a link was posted in it last
    owner       TEXT NOT NULL DEFAULT '',
    fence       BIGINT NOT NULL DEFAULT 0,
    lease_until BIGINT NOT NULL DEFAULT 0
);

CREATE INDEX sweep_due ON sweep (next_at) WHERE next_at IS NOT NULL;

CREATE INDEX command_owner ON command (owner) WHERE ended_at IS NULL;
CREATE INDEX command_oldest ON command (accepted_at) WHERE ended_at IS NULL;
-- Which of its fences the row of `link` was taken over at; any other is still to be.
ALTER TABLE link ADD COLUMN taken BIGINT NOT NULL DEFAULT -1;
CREATE INDEX link_left ON link (posted_at) WHERE taken <> fence;
