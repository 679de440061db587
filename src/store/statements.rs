//! The SQL, nearly each operation one statement that commits by itself.
//!
//! Owns the text for both engines from one source: they differ in how they tell the time, how
//! they read a list of rows from one JSON parameter, and how a row that somebody else is claiming
//! is passed over. Those that need a transaction around them say so.

mod connections;
mod onboardings;

pub(super) use connections::ConnectionStatements;
#[cfg(test)]
pub(super) use onboardings::OnboardingStatements;

/// Declares statements, and lists them by their names, so that whoever looks at them forgets none.
macro_rules! by_name {
    ($(#[$about:meta])* $seen:vis struct $Name:ident {
        $($(#[$what:meta])* $vis:vis $statement:ident: &'static str,)*
    } $(and { $(#[$of:meta])* $rest:ident: $Rest:ty, })?) => {
        $(#[$about])*
        $seen struct $Name {
            $($(#[$what])* $vis $statement: &'static str,)*
            $($(#[$of])* $seen $rest: $Rest,)?
        }

        impl $Name {
            /// Each with its name.
            $seen fn by_name(&self) -> Vec<(&'static str, &'static str)> {
                #[allow(unused_mut, reason = "only some have others in them")]
                let mut all = vec![$((stringify!($statement), self.$statement)),*];
                $(all.extend(self.$rest.by_name());)?
                all
            }
        }
    };
}
use by_name;

by_name! {
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
    /// The open command about something, and the one of a request. `$1` subject, `$2` the request, `$3`
    /// owner. `sure`: whether it is certain that it happens, or has, so that it can be promised once more:
    /// the process that took it in may still make it void, unless that is this one, which knows.
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
    /// Makes due at `$1` what is put off until after `$2`.
    pub(super) hasten_commands: &'static str,
    /// Deletes what ended before `$1`, at most `$2`.
    pub(super) purge: &'static str,
    /// Counts those that became undeliverable after `$1`, and finds the oldest open command.
    pub(super) census: &'static str,
    /// Counts the open commands by their stage.
    pub(super) open_stages: &'static str,
    /// The latest undeliverable commands, at most `$1`.
    pub(super) undeliverable: &'static str,
    /// Writes a row. `$1` now.
    pub(super) probe: &'static str,
    /// Writes Fivetran's catalogue. `$1` it, `$2` now.
    pub(super) keep_catalogue: &'static str,
    /// Reads it.
    pub(super) kept_catalogue: &'static str,
    /// Writes whose the token is. `$1` it, sealed, `$2` now.
    pub(super) keep_identity: &'static str,
    /// Reads it.
    pub(super) kept_identity: &'static str,
    /// One command, ended or not. `$1` id.
    pub(super) command: &'static str,
    /// Keeps lines for the audit channel. `$1` rows.
    pub(super) keep_lines: &'static str,
    /// Takes the turn to tell the channel, if there is something to tell. `$1` owner, `$2` lease in ms,
    /// `$3` now, `$4` until when it may have been put off at the most.
    pub(super) take_turn: &'static str,
    /// The next lines, at most `$1`.
    pub(super) lines: &'static str,
    /// Deletes lines that were told. `$1` ids.
    pub(super) forget_lines: &'static str,
    /// Gives the turn back. `$1` fence, `$2` when it is due again, `$3` tries, `$4` how many of those that
    /// were given up the channel was told of.
    pub(super) record_turn: &'static str,
    /// Makes the turn due, if posts have failed.
    pub(super) hurry_turn: &'static str,
    /// Gives up the turn of a process. `$1` owner.
    pub(super) release_turn: &'static str,
    /// The place of the oldest line that is to be told, which says when it was kept.
    pub(super) oldest_line: &'static str,
    /// The place of the newest line but `$1`.
    pub(super) line_behind: &'static str,
    /// The place of the last line until `$1`.
    pub(super) line_before: &'static str,
    /// Gives up the lines until `$1`.
    pub(super) void_lines: &'static str,
    /// Deletes lines that were given up, at most `$1`.
    pub(super) purge_lines: &'static str,
    /// Notes since when digests are posted by a plan, unless that is known, or is still to come. `$1` the
    /// plan, `$2` now.
    pub(super) plan_digests: &'static str,
    /// Reads that.
    pub(super) digests_since: &'static str,
    /// Forgets that, since there are no digests.
    pub(super) unplan_digests: &'static str,
    /// Takes a channel's digest of a week, unless somebody has. `$1` week, `$2` channel, `$3` now.
    pub(super) take_digest: &'static str,
    /// Gives it back, since it surely was not posted; so not every channel has had its turn. `$1` week, `$2`
    /// channel.
    pub(super) give_digest_back: &'static str,
    /// Whether a channel has had its turn in a week. `$1` week, `$2` channel; empty: whether every one has.
    pub(super) digest_taken: &'static str,
    /// The week before the newest `$1` in which every channel has had its turn.
    pub(super) digests_behind: &'static str,
    /// Forgets the weeks until `$1` of those that are before `$2`.
    pub(super) forget_digests: &'static str,
} and {
    /// Those of connections and messages.
    connections: ConnectionStatements,
}
}

macro_rules! statements {
    (now: $now:literal, new: $new:literal, changed: $changed:literal, lines: $lines:literal, told: $told:literal,
     connections: $connections:expr, held: $held:literal, in_hand: $in_hand:literal, skip: $skip:literal, one_of: $one_of:literal, end: $end:literal, record_order: $record_order:literal, renew_order: $renew_order:literal) => {
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
            twin: "SELECT id, dedup, stage, request, team_id, channel_id, accepted_at, ended_at, \
                   CAST(CASE WHEN owner = $3 OR fence > 1 OR ended_at IS NOT NULL THEN 1 ELSE 0 END AS BIGINT) AS sure \
                   FROM command WHERE subject = $1 OR dedup = $2",
            record: concat!(
                "UPDATE command SET stage = v.stage, connection_id = v.connection_id, existed = v.existed, \
                 problem = v.problem, tries = v.tries, posts = v.posts, noted = v.noted, run_at = v.run_at, \
                 ended_at = v.ended_at, \
                 subject = CASE WHEN v.ended_at IS NULL THEN command.subject END, \
                 response_url = CASE WHEN v.ended_at IS NULL THEN command.response_url END, \
                 lease_until = CASE WHEN v.keep = 1 THEN command.lease_until ELSE 0 END FROM ", $changed,
                " WHERE command.id = v.id AND command.fence = v.fence \
                 AND (command.ended_at IS NULL OR command.ended_at = v.ended_at) RETURNING command.id"
            ),
            claim: concat!(
                "UPDATE command SET owner = $1, fence = fence + 1, lease_until = ", $now, " + $2 \
                 WHERE id", $one_of, "SELECT id FROM command WHERE ended_at IS NULL AND run_at <= $3 AND lease_until <= ", $now,
                " AND id NOT IN (", $in_hand, ") ORDER BY run_at LIMIT $4", $skip, $end, " \
                 RETURNING id, team_id, channel_id, user_id, request, response_url, stage, connection_id, existed, \
                 problem, tries, posts, noted, accepted_at, fence"
            ),
            renew: concat!(
                "UPDATE command SET lease_until = ", $now, " + $2 FROM ", $held,
                " WHERE command.id = v.id AND command.fence = v.fence AND command.owner = $1 \
                 AND command.ended_at IS NULL AND command.lease_until > 0", $renew_order, " RETURNING command.id"
            ),
            release: "UPDATE command SET lease_until = 0 WHERE ended_at IS NULL AND owner = $1",
            hasten_commands: concat!(
                "UPDATE command SET run_at = $1 WHERE id", $one_of, "SELECT id FROM command \
                 WHERE ended_at IS NULL AND run_at > $2", $skip, $end
            ),
            purge: concat!(
                "DELETE FROM command WHERE id", $one_of, "SELECT id FROM command \
                 WHERE ended_at IS NOT NULL AND ended_at < $1 ORDER BY ended_at LIMIT $2", $end
            ),
            census: "SELECT (SELECT count(*) FROM command WHERE stage = 'undeliverable' AND ended_at > $1) \
                     AS undeliverable, (SELECT min(accepted_at) FROM command WHERE ended_at IS NULL) AS oldest",
            open_stages: "SELECT stage, count(*) AS n FROM command WHERE ended_at IS NULL GROUP BY stage",
            undeliverable: "SELECT id, channel_id, user_id, connection_id, ended_at FROM command \
                            WHERE ended_at IS NOT NULL AND stage = 'undeliverable' ORDER BY ended_at DESC LIMIT $1",
            probe: "INSERT INTO probe (name, at) VALUES ('ready', $1) ON CONFLICT (name) DO UPDATE SET at = $1",
            keep_catalogue: "INSERT INTO catalogue (name, body, fetched_at) VALUES ('fivetran', $1, $2) \
                             ON CONFLICT (name) DO UPDATE SET body = $1, fetched_at = $2",
            kept_catalogue: "SELECT body FROM catalogue WHERE name = 'fivetran'",
            keep_identity: "INSERT INTO identity (name, body, told_at) VALUES ('own', $1, $2) \
                            ON CONFLICT (name) DO UPDATE SET body = $1, told_at = $2",
            kept_identity: "SELECT body FROM identity WHERE name = 'own'",
            command: "SELECT id, team_id, channel_id, user_id, request, connection_id, stage, accepted_at \
                      FROM command WHERE id = $1",
            keep_lines: concat!(
                "INSERT INTO audit_line (id, seq, body) SELECT v.id, v.seq, v.body FROM ", $lines,
                " WHERE true ORDER BY v.id ON CONFLICT (id) DO NOTHING"
            ),
            take_turn: concat!(
                "UPDATE audit_turn SET owner = $1, fence = fence + 1, lease_until = ", $now, " + $2 \
                 WHERE lease_until <= ", $now, " AND (due <= $3 OR due > $4) AND (dropped > 0 \
                 OR (SELECT max(seq) FROM audit_line) > dropped_to) RETURNING fence, tries, dropped"
            ),
            lines: "SELECT id, body FROM audit_line WHERE seq > (SELECT dropped_to FROM audit_turn) \
                    ORDER BY seq, id LIMIT $1",
            forget_lines: concat!("DELETE FROM audit_line WHERE id", $one_of, $told, $end),
            record_turn: "UPDATE audit_turn SET due = $2, tries = $3, dropped = dropped - $4, lease_until = 0 \
                          WHERE fence = $1",
            hurry_turn: "UPDATE audit_turn SET due = 0, tries = 0 WHERE tries > 0",
            release_turn: "UPDATE audit_turn SET lease_until = 0 WHERE owner = $1",
            oldest_line: "SELECT min(seq) AS seq FROM audit_line WHERE seq > (SELECT dropped_to FROM audit_turn)",
            line_behind: "SELECT seq FROM audit_line ORDER BY seq DESC LIMIT 1 OFFSET $1",
            line_before: "SELECT max(seq) AS seq FROM audit_line WHERE seq <= $1",
            void_lines: "UPDATE audit_turn SET dropped = dropped + (SELECT count(*) FROM audit_line \
                         WHERE seq > dropped_to AND seq <= $1), dropped_to = $1 WHERE dropped_to < $1",
            purge_lines: concat!(
                "DELETE FROM audit_line WHERE id", $one_of, "SELECT id FROM audit_line \
                 WHERE seq <= (SELECT dropped_to FROM audit_turn) ORDER BY seq LIMIT $1", $end
            ),
            plan_digests: "INSERT INTO digest_plan (name, plan, since) VALUES ('weekly', $1, $2) \
                           ON CONFLICT (name) DO UPDATE SET plan = $1, since = $2 \
                           WHERE digest_plan.plan <> $1 OR digest_plan.since > $2",
            digests_since: "SELECT plan, since FROM digest_plan WHERE name = 'weekly'",
            unplan_digests: "DELETE FROM digest_plan",
            take_digest: "INSERT INTO digest (week, channel_id, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            give_digest_back: "DELETE FROM digest WHERE week = $1 AND channel_id IN ($2, '')",
            digest_taken: "SELECT at FROM digest WHERE week = $1 AND channel_id = $2",
            digests_behind: "SELECT week FROM digest WHERE channel_id = '' ORDER BY week DESC LIMIT 1 OFFSET $1",
            forget_digests: "DELETE FROM digest WHERE week <= $1 AND week < $2",
            connections: $connections,
        }
    };
}

pub(super) const SQLITE: Statements = statements! {
    now: "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
    new: "(SELECT value ->> 'id' AS id, value ->> 'dedup' AS dedup, value ->> 'subject' AS subject, \
          value ->> 'team_id' AS team_id, value ->> 'channel_id' AS channel_id, value ->> 'user_id' AS user_id, \
          value ->> 'request' AS request, value ->> 'response_url' AS response_url, value ->> 'stage' AS stage, \
          value ->> 'connection_id' AS connection_id, value ->> 'existed' AS existed, \
          value ->> 'accepted_at' AS accepted_at FROM jsonb_each($1)) AS v",
    changed: "(SELECT value ->> 'id' AS id, value ->> 'fence' AS fence, value ->> 'stage' AS stage, \
              value ->> 'connection_id' AS connection_id, value ->> 'existed' AS existed, \
              value ->> 'problem' AS problem, value ->> 'tries' AS tries, value ->> 'posts' AS posts, value ->> 'noted' AS noted, value ->> 'run_at' AS run_at, \
              value ->> 'ended_at' AS ended_at, value ->> 'keep' AS keep FROM jsonb_each($1)) AS v",
    lines: "(SELECT value ->> 'id' AS id, value ->> 'seq' AS seq, value ->> 'body' AS body FROM jsonb_each($1)) AS v",
    told: "SELECT value FROM jsonb_each($1)",
    connections: connections::SQLITE,
    held: "(SELECT value ->> 'id' AS id, value ->> 'fence' AS fence FROM jsonb_each($3)) AS v",
    in_hand: "SELECT value FROM jsonb_each($5)",
    skip: "",
    one_of: " IN (",
    end: ")",
    record_order: "",
    renew_order: ""
};

pub(super) const POSTGRES: Statements = statements! {
    now: "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
    new: "json_to_recordset($1::json) AS v(id text, dedup text, subject text, team_id text, channel_id text, \
          user_id text, request text, response_url text, stage text, connection_id text, existed bigint, accepted_at bigint)",
    changed: "json_to_recordset($1::json) AS v(id text, fence bigint, stage text, connection_id text, existed bigint, \
              problem text, tries bigint, posts bigint, noted bigint, run_at bigint, ended_at bigint, keep bigint)",
    lines: "json_to_recordset($1::json) AS v(id text, seq bigint, body text)",
    told: "SELECT json_array_elements_text($1::json)",
    connections: connections::POSTGRES,
    held: "json_to_recordset($3::json) AS v(id text, fence bigint)",
    in_hand: "SELECT json_array_elements_text($5::json)",
    skip: " FOR UPDATE SKIP LOCKED",
    // As an array, the rows are found first, once, and then taken by the index, whatever the planner thinks of
    // their number. A list with `IN` may be asked for again for each row of the table, and each time it passes
    // over those that are locked by then: more are taken than its limit says.
    one_of: " = ANY (ARRAY(",
    end: "))",
    // Two statements that change the same rows lock them in the same order first, or they could
    // each wait for the other.
    record_order: " AND command.id IN (SELECT c.id FROM command AS c JOIN json_to_recordset($1::json) AS w(id text) \
                   ON c.id = w.id ORDER BY c.id FOR UPDATE OF c)",
    renew_order: " AND command.id IN (SELECT c.id FROM command AS c JOIN json_to_recordset($3::json) AS w(id text) \
                  ON c.id = w.id ORDER BY c.id FOR UPDATE OF c)"
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_postgres_a_limit_holds_whatever_the_planner_does_with_what_is_locked() {
        let found = |text: &&str| text.contains(" LIMIT ") && text.contains("SKIP LOCKED");
        let limited: Vec<_> = POSTGRES.by_name().into_iter().map(|(_, text)| text).filter(found).collect();
        assert!(limited.len() > 3, "{limited:#?}");
        for text in limited {
            assert!(text.contains(" = ANY (ARRAY(SELECT "), "{text}");
        }
    }
}
