-- One customer's sources in one message. Times as in `command`.
CREATE TABLE onboarding (
    id         TEXT PRIMARY KEY,        -- its reference: that of the command which began it
    team_id    TEXT NOT NULL,
    channel_id TEXT NOT NULL,
    customer   TEXT NOT NULL,           -- where nobody named one, `#` and the reference: then nothing is added to it
    requester  TEXT NOT NULL,
    opened_at  BIGINT NOT NULL,
    told       BIGINT NOT NULL DEFAULT 0, -- 1: the thread of its message has heard that it is done
    done_at    BIGINT                   -- when nothing in it was left to do; what is asked for from then on begins another
);

-- Whoever asks for more of the same customer adds it to what is open.
CREATE UNIQUE INDEX onboarding_open ON onboarding (channel_id, customer) WHERE done_at IS NULL;
CREATE INDEX onboarding_done ON onboarding (done_at) WHERE done_at IS NOT NULL;

-- What was asked for in it, a row for each command that makes a connection. How that stands, its rows say.
CREATE TABLE source (
    command      TEXT PRIMARY KEY,      -- that of `parent` and its place in it
    onboarding   TEXT NOT NULL,
    parent       TEXT NOT NULL,         -- the command in which it was asked for
    at           BIGINT NOT NULL,       -- when, and
    place        BIGINT NOT NULL,       -- where in that: the order of lines
    service_name TEXT NOT NULL,
    group_id     TEXT NOT NULL,
    name         TEXT NOT NULL
);

CREATE INDEX source_onboarding ON source (onboarding, at, place);
CREATE INDEX source_parent ON source (parent);

-- Which onboarding a message shows: no link of its connections stands anywhere.
ALTER TABLE message ADD COLUMN onboarding TEXT;
CREATE INDEX message_onboarding ON message (onboarding) WHERE onboarding IS NOT NULL;
