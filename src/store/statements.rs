//! The SQL, each operation one statement that commits by itself.
//!
//! Owns the text for both engines from one source: they differ in how they tell the time, how
//! they read a list of rows from one JSON parameter, and how a row that somebody else is claiming
//! is passed over. No statement needs a transaction around it.

/// The statements of one engine.
pub(super) struct Statements {
    /// Inserts new commands, leased to their process. `$1` rows, `$2` owner, `$3` lease in ms.
    /// Returns the ids that went in; the others are twins or replays.
    pub(super) accept: &'static str,
    /// Puts tombstones in the places of new commands. `$1` rows.
    pub(super) bury: &'static str,
    /// Ends new commands that nobody has taken since. `$1` rows.
    pub(super) void: &'static str,
    /// The ids of new commands that are there and not void. `$1` rows.
    pub(super) alive: &'static str,
    /// The open command about something. `$1` subject.
    pub(super) twin: &'static str,
    /// Stores how commands stand. `$1` rows. Returns the ids whose fence still held.
    pub(super) record: &'static str,
    /// Takes due commands. `$1` owner, `$2` lease in ms, `$3` now, `$4` how many at most, `$5` ids in
    /// hand already: one whose lease could not be prolonged in time is still being carried.
    pub(super) claim: &'static str,
    /// Prolongs the leases of the commands in hand. `$1` owner, `$2` lease in ms, `$3` ids and
    /// fences. Returns the ids of those that are still this process's.
    pub(super) renew: &'static str,
    /// Gives up every lease of a process. `$1` owner.
    pub(super) release: &'static str,
    /// Deletes what ended before `$1`, at most `$2`.
    pub(super) purge: &'static str,
    /// Counts those that became undeliverable after `$1`, and finds the oldest open command.
    pub(super) census: &'static str,
    /// The latest undeliverable commands, at most `$1`.
    pub(super) undeliverable: &'static str,
    /// Writes a row. `$1` now.
    pub(super) probe: &'static str,
    /// Keeps posted links. `$1` rows.
    pub(super) keep_links: &'static str,
    /// Marks the other links of a connection as replaced. `$1` connection, `$2` the newest link,
    /// `$3` now.
    pub(super) replace_links: &'static str,
    /// Takes links that are due. `$1` owner, `$2` lease in ms, `$3` now, `$4` how many at most.
    pub(super) claim_links: &'static str,
    /// Takes one link, due or not. `$1` owner, `$2` lease in ms, `$3` its id.
    pub(super) claim_link: &'static str,
    /// Stores how a link stands, and gives it back. `$1` id, `$2` fence, then the columns.
    pub(super) record_link: &'static str,
    /// Makes one link due. `$1` id, `$2` now.
    pub(super) make_link_due: &'static str,
    /// Counts the links that are watched.
    pub(super) count_links: &'static str,
    /// One link. `$1` id.
    pub(super) link: &'static str,
    /// The latest link of a connection that is not over. `$1` connection.
    pub(super) link_of_connection: &'static str,
    /// The latest link of a schema in a channel. `$1` workspace, `$2` channel, `$3` schema.
    pub(super) link_of_schema: &'static str,
    /// The links of a channel that are not over. `$1` workspace, `$2` channel.
    pub(super) links_of_channel: &'static str,
    /// The latest command of another channel that has the connection. `$1` connection, `$2` workspace,
    /// `$3` channel.
    pub(super) elsewhere: &'static str,
    /// Gives up the leases of a process's links. `$1` owner.
    pub(super) release_links: &'static str,
    /// Deletes links that nobody watches any more and that changed before `$1`.
    pub(super) purge_links: &'static str,
    /// One command, ended or not. `$1` id.
    pub(super) command: &'static str,
}

/// What is read of a link.
macro_rules! link_columns {
    () => {
        "id, connection_id, team_id, channel_id, requester, request, message_channel, message_ts, state, detail, \
         posted_at, expires_at, changed_at, reminded, stale, made_over, fence"
    };
}

macro_rules! statements {
    (now: $now:literal, new: $new:literal, changed: $changed:literal, links: $links:literal,
     held: $held:literal, in_hand: $in_hand:literal, skip: $skip:literal, record_order: $record_order:literal, renew_order: $renew_order:literal) => {
        Statements {
            accept: concat!(
                "INSERT INTO command (id, dedup, subject, team_id, channel_id, user_id, request, response_url, stage, \
                 connection_id, existed, accepted_at, run_at, owner, fence, lease_until) \
                 SELECT v.id, v.dedup, v.subject, v.team_id, v.channel_id, v.user_id, v.request, v.response_url, \
                 v.stage, v.connection_id, v.existed, v.accepted_at, v.accepted_at, $2, 1, ", $now, " + $3 FROM ", $new,
                " WHERE true ON CONFLICT DO NOTHING RETURNING id"
            ),
            bury: concat!(
                "INSERT INTO command (id, dedup, team_id, channel_id, user_id, request, stage, accepted_at, run_at, \
                 ended_at, owner, fence, lease_until) \
                 SELECT v.id, v.dedup, v.team_id, v.channel_id, v.user_id, v.request, 'void', v.accepted_at, \
                 v.accepted_at, v.accepted_at, '', 1, 0 FROM ", $new, " WHERE true ON CONFLICT DO NOTHING"
            ),
            void: concat!(
                "UPDATE command SET stage = 'void', ended_at = v.accepted_at, subject = NULL, response_url = NULL, \
                 lease_until = 0 FROM ", $new,
                " WHERE command.id = v.id AND command.fence = 1 AND command.ended_at IS NULL"
            ),
            alive: concat!(
                "SELECT command.id FROM command JOIN ", $new,
                " ON command.id = v.id WHERE command.stage <> 'void'"
            ),
            twin: "SELECT request, team_id, channel_id FROM command WHERE subject = $1",
            record: concat!(
                "UPDATE command SET stage = v.stage, connection_id = v.connection_id, existed = v.existed, \
                 problem = v.problem, tries = v.tries, posts = v.posts, run_at = v.run_at, ended_at = v.ended_at, \
                 subject = CASE WHEN v.ended_at IS NULL THEN command.subject END, \
                 response_url = CASE WHEN v.ended_at IS NULL THEN command.response_url END, \
                 lease_until = CASE WHEN v.keep = 1 THEN command.lease_until ELSE 0 END FROM ", $changed,
                " WHERE command.id = v.id AND command.fence = v.fence \
                 AND (command.ended_at IS NULL OR command.ended_at = v.ended_at) RETURNING command.id"
            ),
            claim: concat!(
                "UPDATE command SET owner = $1, fence = fence + 1, lease_until = ", $now, " + $2 \
                 WHERE id IN (SELECT id FROM command WHERE ended_at IS NULL AND run_at <= $3 AND lease_until <= ", $now,
                " AND id NOT IN (", $in_hand, ") ORDER BY run_at LIMIT $4", $skip, ") \
                 RETURNING id, team_id, channel_id, user_id, request, response_url, stage, connection_id, existed, \
                 problem, tries, posts, accepted_at, fence"
            ),
            renew: concat!(
                "UPDATE command SET lease_until = ", $now, " + $2 FROM ", $held,
                " WHERE command.id = v.id AND command.fence = v.fence AND command.owner = $1 \
                 AND command.ended_at IS NULL AND command.lease_until > 0", $renew_order, " RETURNING command.id"
            ),
            release: "UPDATE command SET lease_until = 0 WHERE ended_at IS NULL AND owner = $1",
            purge: "DELETE FROM command WHERE id IN \
                    (SELECT id FROM command WHERE ended_at IS NOT NULL AND ended_at < $1 LIMIT $2)",
            census: "SELECT (SELECT count(*) FROM command WHERE stage = 'undeliverable' AND ended_at > $1) \
                     AS undeliverable, (SELECT min(accepted_at) FROM command WHERE ended_at IS NULL) AS oldest",
            undeliverable: "SELECT id, channel_id, user_id, connection_id, ended_at FROM command \
                            WHERE ended_at IS NOT NULL AND stage = 'undeliverable' ORDER BY ended_at DESC LIMIT $1",
            probe: "INSERT INTO probe (name, at) VALUES ('ready', $1) ON CONFLICT (name) DO UPDATE SET at = $1",
            keep_links: concat!(
                "INSERT INTO link (id, connection_id, team_id, channel_id, requester, request, schema_name, \
                 message_channel, message_ts, state, made_over, posted_at, expires_at, changed_at, check_at) \
                 SELECT v.id, v.connection_id, v.team_id, v.channel_id, v.requester, v.request, v.schema_name, \
                 v.message_channel, v.message_ts, 'waiting', v.made_over, v.posted_at, v.expires_at, v.posted_at, v.check_at FROM ",
                $links,
                " WHERE true ON CONFLICT (id) DO UPDATE SET message_channel = excluded.message_channel, \
                 message_ts = excluded.message_ts, state = 'waiting', posted_at = excluded.posted_at, \
                 expires_at = excluded.expires_at, changed_at = excluded.changed_at, check_at = excluded.check_at, \
                 connection_id = excluded.connection_id, made_over = excluded.made_over, stale = 0, reminded = 0, \
                 fence = link.fence + 1, lease_until = 0"
            ),
            replace_links: "UPDATE link SET state = 'replaced', stale = 1, changed_at = $3, check_at = $3, \
                            fence = fence + 1, lease_until = 0 \
                            WHERE connection_id = $1 AND id <> $2 AND state NOT IN ('cancelled', 'replaced')",
            claim_links: concat!(
                "UPDATE link SET owner = $1, fence = fence + 1, lease_until = ", $now, " + $2 \
                 WHERE id IN (SELECT id FROM link WHERE check_at <= $3 AND lease_until <= ", $now,
                " ORDER BY check_at LIMIT $4", $skip, ") RETURNING ", link_columns!()
            ),
            claim_link: concat!(
                "UPDATE link SET owner = $1, fence = fence + 1, lease_until = ", $now, " + $2 \
                 WHERE id = $3 AND lease_until <= ", $now, " RETURNING ", link_columns!()
            ),
            record_link: "UPDATE link SET message_channel = $3, message_ts = $4, state = $5, detail = $6, \
                          posted_at = $7, expires_at = $8, changed_at = $9, reminded = $10, stale = $11, check_at = $12, made_over = $13, \
                          lease_until = 0 WHERE id = $1 AND fence = $2",
            make_link_due: "UPDATE link SET check_at = $2 WHERE id = $1 AND check_at > $2",
            count_links: "SELECT count(*) AS n FROM link WHERE check_at IS NOT NULL",
            link: concat!("SELECT ", link_columns!(), " FROM link WHERE id = $1"),
            link_of_connection: concat!(
                "SELECT ", link_columns!(), " FROM link WHERE connection_id = $1 \
                 AND state NOT IN ('cancelled', 'replaced') ORDER BY posted_at DESC LIMIT 1"
            ),
            link_of_schema: concat!(
                "SELECT ", link_columns!(), " FROM link WHERE team_id = $1 AND channel_id = $2 AND schema_name = $3 \
                 AND state <> 'replaced' ORDER BY posted_at DESC LIMIT 1"
            ),
            links_of_channel: concat!(
                "SELECT ", link_columns!(), " FROM link WHERE team_id = $1 AND channel_id = $2 \
                 AND state NOT IN ('cancelled', 'replaced') ORDER BY posted_at DESC LIMIT 500"
            ),
            elsewhere: "SELECT channel_id, user_id FROM command WHERE connection_id = $1 \
                        AND stage IN ('deliver', 'delivered') AND NOT (team_id = $2 AND channel_id = $3) \
                        ORDER BY accepted_at DESC LIMIT 1",
            release_links: "UPDATE link SET lease_until = 0 WHERE owner = $1",
            purge_links: "DELETE FROM link WHERE check_at IS NULL AND changed_at < $1",
            command: "SELECT id, team_id, channel_id, user_id, request, connection_id, stage, accepted_at \
                      FROM command WHERE id = $1",
        }
    };
}

pub(super) const SQLITE: Statements = statements! {
    now: "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
    new: "(SELECT value ->> 'id' AS id, value ->> 'dedup' AS dedup, value ->> 'subject' AS subject, \
          value ->> 'team_id' AS team_id, value ->> 'channel_id' AS channel_id, value ->> 'user_id' AS user_id, \
          value ->> 'request' AS request, value ->> 'response_url' AS response_url, value ->> 'stage' AS stage, \
          value ->> 'connection_id' AS connection_id, value ->> 'existed' AS existed, \
          value ->> 'accepted_at' AS accepted_at FROM json_each($1)) AS v",
    changed: "(SELECT value ->> 'id' AS id, value ->> 'fence' AS fence, value ->> 'stage' AS stage, \
              value ->> 'connection_id' AS connection_id, value ->> 'existed' AS existed, \
              value ->> 'problem' AS problem, value ->> 'tries' AS tries, value ->> 'posts' AS posts, value ->> 'run_at' AS run_at, \
              value ->> 'ended_at' AS ended_at, value ->> 'keep' AS keep FROM json_each($1)) AS v",
    links: "(SELECT value ->> 'id' AS id, value ->> 'connection_id' AS connection_id, value ->> 'team_id' AS team_id, \
            value ->> 'channel_id' AS channel_id, value ->> 'requester' AS requester, value ->> 'request' AS request, \
            value ->> 'schema_name' AS schema_name, value ->> 'message_channel' AS message_channel, \
            value ->> 'message_ts' AS message_ts, value ->> 'made_over' AS made_over, value ->> 'posted_at' AS posted_at, \
            value ->> 'expires_at' AS expires_at, value ->> 'check_at' AS check_at FROM json_each($1)) AS v",
    held: "(SELECT value ->> 'id' AS id, value ->> 'fence' AS fence FROM json_each($3)) AS v",
    in_hand: "SELECT value FROM json_each($5)",
    skip: "",
    record_order: "",
    renew_order: ""
};

pub(super) const POSTGRES: Statements = statements! {
    now: "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
    new: "json_to_recordset($1::json) AS v(id text, dedup text, subject text, team_id text, channel_id text, \
          user_id text, request text, response_url text, stage text, connection_id text, existed bigint, accepted_at bigint)",
    changed: "json_to_recordset($1::json) AS v(id text, fence bigint, stage text, connection_id text, existed bigint, \
              problem text, tries bigint, posts bigint, run_at bigint, ended_at bigint, keep bigint)",
    links: "json_to_recordset($1::json) AS v(id text, connection_id text, team_id text, channel_id text, requester text, \
            request text, schema_name text, message_channel text, message_ts text, made_over text, posted_at bigint, expires_at bigint, \
            check_at bigint)",
    held: "json_to_recordset($3::json) AS v(id text, fence bigint)",
    in_hand: "SELECT json_array_elements_text($5::json)",
    skip: " FOR UPDATE SKIP LOCKED",
    // Two statements that change the same rows lock them in the same order first, or they could
    // each wait for the other.
    record_order: " AND command.id IN (SELECT c.id FROM command AS c JOIN json_to_recordset($1::json) AS w(id text) \
                   ON c.id = w.id ORDER BY c.id FOR UPDATE OF c)",
    renew_order: " AND command.id IN (SELECT c.id FROM command AS c JOIN json_to_recordset($3::json) AS w(id text) \
                  ON c.id = w.id ORDER BY c.id FOR UPDATE OF c)"
};
