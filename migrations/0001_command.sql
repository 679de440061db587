-- Every accepted command, one row each. Times are milliseconds since 1970; `accepted_at`, `run_at`
-- and `ended_at` go by the bot's clock, `lease_until` by the database's.
CREATE TABLE command (
    id            TEXT PRIMARY KEY,     -- the short reference a person sees
    dedup         TEXT NOT NULL UNIQUE, -- the request's signature: a replay is no second command
    subject       TEXT UNIQUE,          -- what it is about, while it is open: no twins
    team_id       TEXT NOT NULL,
    channel_id    TEXT NOT NULL,
    user_id       TEXT NOT NULL,
    request       TEXT NOT NULL,        -- what was asked for, as JSON
    response_url  TEXT,                 -- sealed; erased when the command ends
    stage         TEXT NOT NULL,        -- create, deliver, tell; delivered, told, undeliverable, void
    connection_id TEXT,
    existed       BIGINT NOT NULL DEFAULT 0,
    problem       TEXT,                 -- why there is no link, as JSON
    tries         BIGINT NOT NULL DEFAULT 0,
    posts         BIGINT NOT NULL DEFAULT 0, -- of the five that a response_url takes
    accepted_at   BIGINT NOT NULL,
    run_at        BIGINT NOT NULL,
    ended_at      BIGINT,
    owner         TEXT NOT NULL,        -- the process at work on it, or the last one
    fence         BIGINT NOT NULL,      -- how often it was taken; every write must know it
    lease_until   BIGINT NOT NULL       -- 0: nobody is at work on it
);

CREATE INDEX command_open ON command (run_at) WHERE ended_at IS NULL;
CREATE INDEX command_undeliverable ON command (ended_at) WHERE stage = 'undeliverable';
CREATE INDEX command_ended ON command (ended_at) WHERE ended_at IS NOT NULL;

-- Written to by the readiness probe.
CREATE TABLE probe (
    name TEXT PRIMARY KEY,
    at   BIGINT NOT NULL
);
