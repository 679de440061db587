-- What the audit channel is still to be told. A row is written in the commit of what it tells, and
-- deleted once Slack has taken it. Only while AUDIT_CHANNEL is set.
CREATE TABLE audit_line (
    id   TEXT PRIMARY KEY,              -- the command, or the connection and the version of it
    seq  BIGINT NOT NULL,               -- the order; microseconds since 1970, or just after the line before
    body TEXT NOT NULL                  -- what happened, as JSON
);

CREATE INDEX audit_line_seq ON audit_line (seq, id);

-- Whose turn it is to tell the channel; one row. Times as in `command`.
CREATE TABLE audit_turn (
    owner       TEXT NOT NULL DEFAULT '',
    fence       BIGINT NOT NULL DEFAULT 0,
    lease_until BIGINT NOT NULL DEFAULT 0,
    due         BIGINT NOT NULL DEFAULT 0, -- when the channel may be told next
    tries       BIGINT NOT NULL DEFAULT 0, -- posts that failed since one worked
    dropped     BIGINT NOT NULL DEFAULT 0, -- lines that were given up and not counted in the channel yet
    dropped_to  BIGINT NOT NULL DEFAULT 0  -- up to which `seq` lines were given up
);

INSERT INTO audit_turn DEFAULT VALUES;
