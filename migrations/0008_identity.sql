-- Whose the bot's token is, as Slack told last, so that it is known while Slack does not tell. One row.
CREATE TABLE identity (
    name    TEXT PRIMARY KEY,
    body    TEXT NOT NULL,          -- sealed by the token that it is told of
    told_at BIGINT NOT NULL         -- milliseconds since 1970
);
