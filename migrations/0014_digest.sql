-- Which channels have had their digest of a week, or are about to get it: a row is there before the post,
-- so that a crash on the way posts none twice.
CREATE TABLE digest (
    week       BIGINT NOT NULL,         -- from Monday on, counted from the first of 1970
    channel_id TEXT NOT NULL,           -- empty: every channel has had its turn
    at         BIGINT NOT NULL,         -- when; as in `command`
    PRIMARY KEY (week, channel_id)
);

CREATE INDEX digest_round ON digest (week) WHERE channel_id = '';

-- Since when digests are to be posted at the moment at which they are: no earlier moment counts.
CREATE TABLE digest_plan (
    name  TEXT PRIMARY KEY,
    plan  TEXT NOT NULL,
    since BIGINT NOT NULL
);
