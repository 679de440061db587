//! The SQL of connections, their messages, and what is to be told of them.
//!
//! Owns the text for both engines from one source. A change of a connection is several statements in
//! one transaction, always in the order connection, message, news, command, so that no two of them
//! wait for each other.

use super::onboardings::{self, OnboardingStatements};

super::by_name! {
/// The statements of one engine.
pub(in crate::store) struct ConnectionStatements {
    /// Inserts connections, or changes those whose version is the one before. `$1` rows. Whoever
    /// names a command must hold it, and the onboarding that a connection becomes part of must be open, and
    /// stays so until the end of the transaction. Returns the names of those that went in.
    pub(in crate::store) change: &'static str,
    /// Makes messages that may come to stand in Slack. `$1` rows.
    pub(in crate::store) new_messages: &'static str,
    /// Notes where messages stand. `$1` rows. One that was found, or that somebody else has taken
    /// since, becomes due whatever they show there: who came last is not known.
    pub(in crate::store) place_messages: &'static str,
    /// Makes messages due. `$1` rows, `$2` now. One that stands nowhere shows nothing that could be
    /// untrue: it is behind from the moment on at which there is something to do for it. One that has a
    /// channel and no time is still to be posted there, and never behind.
    pub(in crate::store) show_messages: &'static str,
    /// Notes since when messages show no link of their connection's, and that others do again. `$1`
    /// rows, `$2` now.
    pub(in crate::store) leave_messages: &'static str,
    /// Keeps what threads are to be told. `$1` rows, `$2` now.
    pub(in crate::store) tell: &'static str,
    /// Makes sure that groups are listed. `$1` rows.
    pub(in crate::store) sweep_groups: &'static str,
    /// The same though no link is posted in them: one that waits for its list stays as it is. `$1` rows.
    pub(in crate::store) want_sweeps: &'static str,
    /// One connection. `$1` group, `$2` name.
    pub(in crate::store) by_key: &'static str,
    /// The connection of a link. `$1` its reference.
    pub(in crate::store) by_link: &'static str,
    /// The connection of a channel by name, the newest link first. `$1` workspace, `$2` channel, `$3` name.
    pub(in crate::store) by_schema: &'static str,
    /// Connections of a channel whose link is not over, the most urgent first. `$1` workspace, `$2`
    /// channel, `$3` how many to pass over, `$4` how many.
    pub(in crate::store) of_channel: &'static str,
    /// How many those are, up to `$3`.
    pub(in crate::store) count_of_channel: &'static str,
    /// Connections that somebody asked for, the most urgent first. `$1` workspace, `$2` who, `$3` and `$4`
    /// from which urgency on and below which, `$5` how many to pass over, `$6` how many.
    pub(in crate::store) of_requester: &'static str,
    /// The same in short, `$5` of them at the most.
    pub(in crate::store) short_of_requester: &'static str,
    /// The same of everybody. `$1` workspace, `$2` and `$3` the urgency, `$4` how many to pass over, `$5`
    /// how many.
    pub(in crate::store) of_house: &'static str,
    /// The same in short, `$4` of them at the most.
    pub(in crate::store) short_of_house: &'static str,
    /// The first channel after `$1` that connections belong to.
    pub(in crate::store) next_channel: &'static str,
    /// Connections of a channel that are more urgent than `$2` and watched after `$3`, the most urgent first,
    /// `$4` at the most. `$1` channel.
    pub(in crate::store) unfinished_here: &'static str,
    /// The same of all channels. `$1` the urgency, `$2` watched after when, `$3` how many.
    pub(in crate::store) unfinished: &'static str,
    /// The connections that a message is about. `$1` its id, `$2` and `$3` the group and name in its row.
    pub(in crate::store) of_message: &'static str,
    /// The watched ones of a group, in short. `$1` group, `$2` and `$3` after which time and name, `$4`
    /// how many.
    pub(in crate::store) watched: &'static str,
    /// Takes those whose look is due, and puts it off. `$1` now, `$2` until when, `$3` how many.
    pub(in crate::store) claim_looks: &'static str,
    /// Makes looks due at `$1` that are put off until after `$2`.
    pub(in crate::store) hasten_looks: &'static str,
    /// Those whose moment has passed. `$1` before, `$2` how many.
    pub(in crate::store) ticked: &'static str,
    /// How many are missing, up to `$1`.
    pub(in crate::store) missing: &'static str,
    /// Deletes the rows of connections that are deleted since before `$1`, at most `$2`.
    pub(in crate::store) purge_connections: &'static str,
    /// Takes groups that are due. `$1` owner, `$2` lease in ms, `$3` now, `$4` how many.
    pub(in crate::store) claim_sweeps: &'static str,
    /// Makes groups due at `$1` that by their own row were listed, or posted in, after `$2`.
    pub(in crate::store) hasten_sweeps: &'static str,
    /// How many pages the lists of all groups have.
    pub(in crate::store) sweep_pages: &'static str,
    /// When one of the watched groups was listed last: the one that was longest ago. Of one that never
    /// was, when a link was posted in it: when it is to be is put off as often as that fails.
    pub(in crate::store) oldest_sweep: &'static str,
    /// When a group was listed last, and since when that is wanted, if anything in it is watched. `$1`
    /// group.
    pub(in crate::store) listed: &'static str,
    /// Stores when a group is due next. `$1` group, `$2` fence, `$3` when, `$4` how many pages it has,
    /// `$7` when it was listed last; without a `$3`, `$6` if a link was posted in it after `$5`.
    pub(in crate::store) record_sweep: &'static str,
    /// Gives up the leases of a process's groups. `$1` owner.
    pub(in crate::store) release_sweeps: &'static str,
    /// Takes messages that are due. `$1` owner, `$2` lease in ms, `$3` now, `$4` how many.
    pub(in crate::store) claim_messages: &'static str,
    /// Makes messages due at `$1` that are put off until after `$2`.
    pub(in crate::store) hasten_messages: &'static str,
    /// Takes one message, due or not. `$1` owner, `$2` lease in ms, `$3` its id.
    pub(in crate::store) claim_message: &'static str,
    /// What the thread of a message is to be told. `$1` its id.
    pub(in crate::store) news: &'static str,
    /// Forgets one that was told. `$1` its id.
    pub(in crate::store) forget_news: &'static str,
    /// Stores what a message shows and gives it back. `$1` id, `$2` fence, `$3` shown, `$4` when it is
    /// due again if nothing else is wanted, `$5` 1 if it is out of reach, `$6` tries, `$7` now, `$8` when it was
    /// due, `$9` for how many ms nobody may take it.
    pub(in crate::store) record_message: &'static str,
    /// Makes due at `$1` what is still to be posted for a connection that is broken, and that nobody is to come
    /// by again, `$2` at the most: the release before takes it for one that can't be edited.
    pub(in crate::store) rearm_messages: &'static str,
    /// Makes a message due whatever it shows. `$1` id, `$2` now.
    pub(in crate::store) disturb_message: &'static str,
    /// Counts the messages that do not show what they should, and finds since when one of them does not. One
    /// that is still to be posted shows nothing.
    pub(in crate::store) backlog: &'static str,
    /// Leaves a process's messages to the next one: at once those that stand nowhere yet, the others after `$2` ms,
    /// when no edit is on its way any more. `$1` owner.
    pub(in crate::store) release_messages: &'static str,
    /// Deletes messages that show none of ours since before `$1`, at most `$2`.
    pub(in crate::store) purge_messages: &'static str,
    /// Deletes news of before `$1`, at most `$2`.
    pub(in crate::store) purge_news: &'static str,
    /// Links of the release before that are not taken over. `$1` how many.
    pub(in crate::store) links_left: &'static str,
    /// Marks links as taken over, and leaves watching them to us. `$1` rows.
    pub(in crate::store) links_taken: &'static str,
} and {
    /// Those of onboardings.
    onboardings: OnboardingStatements,
}
}

/// What is read of a connection, with where its message stands.
macro_rules! columns {
    () => {
        "SELECT c.group_id, c.name, c.connection_id, c.team_id, c.channel_id, c.requester, c.request, c.link, \
         c.generation, c.message, c.posting, c.state, c.purpose, c.detail, c.trouble, c.posted_at, c.expires_at, c.changed_at, \
         c.reminded, c.landed_at, c.looks, c.look_at, c.missing_since, c.seen, c.version, m.onboarding, \
         m.place_channel, m.place_ts, \
         CASE WHEN m.place_ts IS NOT NULL AND m.wanted > m.shown THEN 1 ELSE 0 END AS behind \
         FROM connection AS c LEFT JOIN message AS m ON m.id = c.message "
    };
}

/// What its place in a Home hangs on, with the onboarding that its message is of: looked up for each one, since a
/// join might read all messages.
macro_rules! in_short {
    () => {
        "SELECT c.group_id, c.name, c.state, c.purpose, c.expires_at, \
         (SELECT m.onboarding FROM message AS m WHERE m.id = c.message) AS onboarding FROM connection AS c "
    };
}

/// Whether a row may be of the workspace or organisation `$1`, as [`crate::slack::id::may_be_one`] says.
macro_rules! one_house {
    ($of:literal) => {
        concat!("(", $of, "team_id = $1 OR (", $of, "team_id LIKE 'E%') <> ($1 LIKE 'E%'))")
    };
}

macro_rules! message_columns {
    () => {
        "id, group_id, name, link, requester, place_channel, place_ts, wanted, shown, tries, fence, due, behind_since, onboarding, posted_at"
    };
}

macro_rules! connection_statements {
    (now: $now:literal, skip: $skip:literal, row: $row:literal, one_of: $one_of:literal, end: $end:literal,
     picked: $picked:literal, stays: $stays:literal, changes: $changes:literal, new: $new:literal, placed: $placed:literal,
     onboardings: $onboardings:expr, shown: $shown:literal, stands: $stands:literal, news: $news:literal, groups: $groups:literal, taken: $taken:literal) => {
        ConnectionStatements {
            change: concat!(
                "INSERT INTO connection (group_id, name, connection_id, team_id, channel_id, requester, request, link, \
                 generation, message, posting, state, purpose, detail, trouble, posted_at, expires_at, changed_at, reminded, \
                 landed_at, looks, look_at, missing_since, seen, tick_at, watch_until, urgency, version) \
                 SELECT v.group_id, v.name, v.connection_id, v.team_id, v.channel_id, v.requester, v.request, v.link, \
                 v.generation, v.message, v.posting, v.state, v.purpose, v.detail, v.trouble, v.posted_at, v.expires_at, \
                 v.changed_at, v.reminded, v.landed_at, v.looks, v.look_at, v.missing_since, v.seen, v.tick_at, \
                 v.watch_until, v.urgency, v.expected + 1 FROM ", $changes,
                " WHERE (v.expected = 0 OR EXISTS (SELECT 1 FROM connection AS o WHERE o.group_id = v.group_id \
                 AND o.name = v.name)) \
                 AND (v.command IS NULL OR EXISTS (SELECT 1 FROM command AS k WHERE k.id = v.command \
                 AND k.fence = v.fence AND k.ended_at IS NULL)) \
                 AND (v.joins IS NULL OR EXISTS (SELECT 1 FROM onboarding AS b WHERE b.id = v.joins \
                 AND b.done_at IS NULL", $stays, ")) ORDER BY v.group_id, v.name \
                 ON CONFLICT (group_id, name) DO UPDATE SET connection_id = excluded.connection_id, \
                 team_id = excluded.team_id, channel_id = excluded.channel_id, requester = excluded.requester, \
                 request = excluded.request, link = excluded.link, generation = excluded.generation, \
                 message = excluded.message, posting = excluded.posting, state = excluded.state, \
                 purpose = excluded.purpose, detail = excluded.detail, trouble = excluded.trouble, posted_at = excluded.posted_at, \
                 expires_at = excluded.expires_at, changed_at = excluded.changed_at, reminded = excluded.reminded, \
                 landed_at = excluded.landed_at, looks = excluded.looks, look_at = excluded.look_at, \
                 missing_since = excluded.missing_since, seen = excluded.seen, tick_at = excluded.tick_at, \
                 watch_until = excluded.watch_until, urgency = excluded.urgency, version = excluded.version \
                 WHERE connection.version = excluded.version - 1 RETURNING group_id, name"
            ),
            new_messages: concat!(
                "INSERT INTO message (id, group_id, name, link, requester, wanted, shown, due, tries, posted_at, left_at, \
                 place_channel, place_ts) SELECT v.id, v.group_id, v.name, v.link, v.requester, v.wanted, 1, v.due, 0, \
                 v.posted_at, v.left_at, v.place_channel, v.place_ts FROM ", $new,
                " WHERE true ORDER BY v.id ON CONFLICT (id) DO NOTHING"
            ),
            place_messages: concat!(
                "UPDATE message SET \
                 place_channel = CASE WHEN v.fence IS NULL THEN v.place_channel ELSE message.place_channel END, \
                 place_ts = CASE WHEN v.fence IS NULL THEN v.place_ts ELSE message.place_ts END, \
                 wanted = message.wanted + CASE WHEN v.found = 1 OR message.fence <> v.fence THEN 1 ELSE 0 END, \
                 shown = CASE WHEN message.fence <> v.fence THEN message.shown ELSE coalesce(v.shown, message.shown) END, \
                 lease_until = CASE WHEN message.fence = v.fence THEN 0 ELSE message.lease_until END, \
                 behind_since = CASE WHEN message.place_ts IS NOT NULL AND message.wanted > message.shown \
                 THEN message.behind_since END, \
                 due = CASE WHEN v.found = 1 OR message.fence <> v.fence \
                 OR (v.place_ts IS NOT NULL AND (message.wanted > coalesce(v.shown, message.shown) \
                 OR (SELECT count(*) FROM news WHERE news.message = v.id) > 0)) THEN v.at \
                 ELSE message.due END \
                 FROM ", $placed, " WHERE message.id = v.id AND (v.once = 0 OR message.place_ts IS NULL)", $picked
            ),
            show_messages: concat!(
                "UPDATE message SET wanted = message.wanted + v.changed, \
                 behind_since = CASE WHEN message.place_ts IS NOT NULL AND message.wanted > message.shown \
                 THEN coalesce(message.behind_since, CAST($2 AS BIGINT)) \
                 WHEN message.place_ts IS NOT NULL OR message.place_channel IS NULL THEN CAST($2 AS BIGINT) END, \
                 due = CASE WHEN message.place_channel IS NULL AND v.private = 0 THEN message.due \
                 WHEN message.due = $2 THEN message.due + 1 ELSE CAST($2 AS BIGINT) END \
                 FROM ", $shown, " WHERE message.id = v.id", $picked
            ),
            leave_messages: concat!(
                "UPDATE message SET left_at = CASE WHEN message.id = v.message THEN NULL ELSE CAST($2 AS BIGINT) END FROM ", $stands,
                " WHERE message.group_id = v.group_id AND message.name = v.name \
                 AND (message.id = v.message) = (message.left_at IS NOT NULL)"
            ),
            tell: concat!(
                "INSERT INTO news (id, message, body, at) SELECT v.id, v.message, v.body, CAST($2 AS BIGINT) FROM ", $news,
                " WHERE true ON CONFLICT (id) DO NOTHING"
            ),
            sweep_groups: concat!(
                "INSERT INTO sweep (group_id, next_at, posted_at) SELECT v.group_id, v.next_at, v.next_at FROM ", $groups,
                " WHERE true ORDER BY v.group_id ON CONFLICT (group_id) DO UPDATE SET posted_at = excluded.posted_at, \
                 next_at = coalesce(sweep.next_at, excluded.next_at)"
            ),
            want_sweeps: concat!(
                "INSERT INTO sweep (group_id, next_at, posted_at) SELECT v.group_id, v.next_at, v.next_at FROM ", $groups,
                " WHERE true ORDER BY v.group_id ON CONFLICT (group_id) DO UPDATE SET posted_at = excluded.posted_at, \
                 next_at = excluded.next_at WHERE sweep.next_at IS NULL"
            ),
            by_key: concat!(columns!(), "WHERE c.group_id = $1 AND c.name = $2"),
            by_link: concat!(columns!(), "WHERE c.link = $1 ORDER BY c.posted_at DESC LIMIT 1"),
            by_schema: concat!(
                columns!(),
                "WHERE c.channel_id = $2 AND c.name = $3 AND c.state <> 'unposted' AND ", one_house!("c."),
                " ORDER BY c.posted_at DESC LIMIT 1"
            ),
            of_channel: concat!(
                columns!(),
                "WHERE c.channel_id = $2 AND c.urgency < 9 AND ", one_house!("c."),
                " ORDER BY c.urgency, c.expires_at, c.name LIMIT $4 OFFSET $3"
            ),
            count_of_channel: concat!(
                "SELECT count(*) AS n FROM (SELECT 1 FROM connection WHERE channel_id = $2 AND urgency < 9 AND ",
                one_house!(""), " LIMIT $3) AS counted"
            ),
            of_requester: concat!(
                columns!(),
                "WHERE c.requester = $2 AND c.urgency >= $3 AND c.urgency < $4 AND ", one_house!("c."),
                " ORDER BY c.urgency, c.expires_at, c.name LIMIT $6 OFFSET $5"
            ),
            short_of_requester: concat!(
                in_short!(),
                "WHERE c.requester = $2 AND c.urgency >= $3 AND c.urgency < $4 AND ", one_house!("c."),
                " ORDER BY c.urgency, c.expires_at, c.name LIMIT $5"
            ),
            of_house: concat!(
                columns!(),
                "WHERE c.urgency >= $2 AND c.urgency < $3 AND ", one_house!("c."),
                " ORDER BY c.urgency, c.expires_at, c.name LIMIT $5 OFFSET $4"
            ),
            short_of_house: concat!(
                in_short!(),
                "WHERE c.urgency >= $2 AND c.urgency < $3 AND ", one_house!("c."),
                " ORDER BY c.urgency, c.expires_at, c.name LIMIT $4"
            ),
            next_channel: "SELECT min(channel_id) AS channel_id FROM connection WHERE channel_id > $1",
            unfinished_here: concat!(
                columns!(),
                "WHERE c.channel_id = $1 AND c.urgency < $2 AND c.watch_until > $3 \
                 ORDER BY c.urgency, c.expires_at, c.name LIMIT $4"
            ),
            unfinished: concat!(
                columns!(),
                "WHERE c.urgency < $1 AND c.watch_until > $2 ORDER BY c.urgency, c.expires_at, c.name LIMIT $3"
            ),
            of_message: concat!(
                columns!(),
                "WHERE c.message = $1 OR (c.group_id = $2 AND c.name = $3) ORDER BY c.group_id, c.name"
            ),
            watched: "SELECT name, connection_id, version, seen, tick_at, watch_until FROM connection \
                      WHERE group_id = $1 AND (watch_until, name) > ($2, $3) ORDER BY watch_until, name LIMIT $4",
            claim_looks: concat!(
                "UPDATE connection SET look_at = $2 WHERE ", $row, $one_of, "SELECT ", $row,
                " FROM connection WHERE look_at <= $1 ORDER BY look_at LIMIT $3", $skip, $end, " RETURNING group_id, name"
            ),
            hasten_looks: concat!(
                "UPDATE connection SET look_at = $1 WHERE ", $row, $one_of, "SELECT ", $row,
                " FROM connection WHERE look_at > $2", $skip, $end
            ),
            ticked: "SELECT group_id, name FROM connection WHERE tick_at <= $1 ORDER BY tick_at LIMIT $2",
            missing: "SELECT count(*) AS n FROM (SELECT 1 FROM connection WHERE missing_since IS NOT NULL \
                      AND state <> 'gone' AND watch_until > 0 LIMIT $1) AS counted",
            purge_connections: concat!(
                "DELETE FROM connection WHERE ", $row, $one_of, "SELECT ", $row, " FROM connection WHERE changed_at < $1 \
                 AND state IN ('cancelled', 'unposted') AND posting IS NULL ORDER BY changed_at LIMIT $2", $end
            ),
            claim_sweeps: concat!(
                "UPDATE sweep SET owner = $1, fence = fence + 1, lease_until = ", $now, " + $2 \
                 WHERE group_id", $one_of, "SELECT group_id FROM sweep WHERE next_at <= $3 AND lease_until <= ", $now,
                " ORDER BY next_at LIMIT $4", $skip, $end, " RETURNING group_id, fence, pages, listed_at"
            ),
            // With what shows that the clock was ahead, so that it shows it once.
            hasten_sweeps: "UPDATE sweep SET next_at = $1, \
                            posted_at = CASE WHEN posted_at > $2 THEN $1 ELSE posted_at END, \
                            listed_at = CASE WHEN listed_at > $2 THEN $1 ELSE listed_at END \
                            WHERE next_at > $1 AND coalesce(listed_at, posted_at) > $2",
            sweep_pages: "SELECT CAST(coalesce(sum(pages), 0) AS BIGINT) AS n FROM sweep WHERE next_at IS NOT NULL",
            oldest_sweep: "SELECT min(coalesce(listed_at, posted_at)) AS at FROM sweep WHERE next_at IS NOT NULL",
            listed: "SELECT listed_at, posted_at FROM sweep WHERE group_id = $1 AND next_at IS NOT NULL",
            record_sweep: "UPDATE sweep SET next_at = coalesce(CAST($3 AS BIGINT), CASE WHEN posted_at > $5 THEN CAST($6 AS BIGINT) END), pages = $4, listed_at = $7, \
                           lease_until = 0 WHERE group_id = $1 AND fence = $2",
            release_sweeps: "UPDATE sweep SET lease_until = 0 WHERE owner = $1",
            claim_messages: concat!(
                "UPDATE message SET owner = $1, fence = fence + 1, lease_until = ", $now, " + $2 \
                 WHERE id", $one_of, "SELECT id FROM message WHERE due <= $3 AND lease_until <= ", $now,
                " ORDER BY due LIMIT $4", $skip, $end, " RETURNING ", message_columns!()
            ),
            hasten_messages: concat!(
                "UPDATE message SET due = $1 WHERE id", $one_of, "SELECT id FROM message WHERE due > $2", $skip, $end
            ),
            claim_message: concat!(
                "UPDATE message SET owner = $1, fence = fence + 1, lease_until = ", $now, " + $2 \
                 WHERE id = $3 AND lease_until <= ", $now, " RETURNING ", message_columns!()
            ),
            news: "SELECT id, body FROM news WHERE message = $1 ORDER BY at, id LIMIT 20",
            forget_news: "DELETE FROM news WHERE id = $1",
            record_message: concat!(
                "UPDATE message SET shown = $3, tries = $6, \
                 lease_until = CASE WHEN $9 > 0 THEN ", $now, " + $9 ELSE 0 END, \
                 behind_since = CASE WHEN wanted > $3 THEN behind_since END, \
                 place_channel = CASE WHEN $5 = 1 THEN NULL ELSE place_channel END, \
                 place_ts = CASE WHEN $5 = 1 THEN NULL ELSE place_ts END, \
                 due = CASE WHEN CAST($4 AS BIGINT) IS NULL AND due IS DISTINCT FROM CAST($8 AS BIGINT) \
                 THEN due WHEN $5 = 1 THEN NULL WHEN wanted > $3 AND CAST($4 AS BIGINT) IS NULL \
                 THEN CAST($7 AS BIGINT) ELSE $4 END \
                 WHERE id = $1 AND fence = $2"
            ),
            // Counted for each one: as a join it might read all connections.
            rearm_messages: concat!(
                "UPDATE message SET due = $1 WHERE id", $one_of, "SELECT m.id FROM message AS m \
                 WHERE m.place_channel IS NOT NULL AND m.place_ts IS NULL AND m.due IS NULL \
                 AND (SELECT count(*) FROM connection AS c WHERE c.message = m.id AND c.state = 'broken') > 0 \
                 LIMIT $2", $end
            ),
            disturb_message: "UPDATE message SET wanted = wanted + 1, due = $2, \
                              behind_since = CASE WHEN wanted > shown THEN behind_since END WHERE id = $1 AND place_ts IS NOT NULL",
            backlog: "SELECT count(*) AS n, min(coalesce(behind_since, due)) AS since FROM message \
                      WHERE due IS NOT NULL AND wanted > shown AND (place_ts IS NOT NULL OR place_channel IS NULL)",
            release_messages: concat!(
                "UPDATE message SET lease_until = CASE WHEN place_ts IS NULL THEN 0 ELSE ", $now, " + $2 END \
                 WHERE owner = $1 AND lease_until > 0"
            ),
            // Counted for each one: as an anti-join it might read all connections.
            purge_messages: concat!(
                "DELETE FROM message WHERE id", $one_of, "SELECT m.id FROM message AS m WHERE m.left_at < $1 \
                 AND m.due IS NULL AND (SELECT count(*) FROM connection AS c WHERE c.message = m.id) = 0 \
                 ORDER BY m.left_at LIMIT $2", $end
            ),
            purge_news: concat!(
                "DELETE FROM news WHERE id", $one_of, "SELECT n.id FROM news AS n WHERE n.at < $1 ORDER BY n.at LIMIT $2", $end
            ),
            links_left: "SELECT id, connection_id, team_id, channel_id, requester, request, message_channel, message_ts, \
                         state, made_over, detail, posted_at, expires_at, changed_at, reminded, stale, fence \
                         FROM link WHERE taken <> fence ORDER BY posted_at, id LIMIT $1",
            links_taken: concat!(
                "UPDATE link SET taken = v.fence, check_at = NULL FROM ", $taken, " WHERE link.id = v.id AND link.fence = v.fence"
            ),
            onboardings: $onboardings,
        }
    };
}

pub(super) const SQLITE: ConnectionStatements = connection_statements! {
    now: "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
    skip: "",
    row: "rowid",
    one_of: " IN (",
    end: ")",
    picked: "",
    // Only one transaction writes at a time.
    stays: "",
    changes: "(SELECT value ->> 'group_id' AS group_id, value ->> 'name' AS name, value ->> 'connection_id' AS connection_id, \
              value ->> 'team_id' AS team_id, value ->> 'channel_id' AS channel_id, value ->> 'requester' AS requester, \
              value ->> 'request' AS request, value ->> 'link' AS link, value ->> 'generation' AS generation, \
              value ->> 'message' AS message, value ->> 'posting' AS posting, value ->> 'state' AS state, \
              value ->> 'purpose' AS purpose, value ->> 'detail' AS detail, value ->> 'trouble' AS trouble, value ->> 'posted_at' AS posted_at, \
              value ->> 'expires_at' AS expires_at, value ->> 'changed_at' AS changed_at, value ->> 'reminded' AS reminded, \
              value ->> 'landed_at' AS landed_at, value ->> 'looks' AS looks, value ->> 'look_at' AS look_at, \
              value ->> 'missing_since' AS missing_since, value ->> 'seen' AS seen, value ->> 'tick_at' AS tick_at, \
              value ->> 'watch_until' AS watch_until, value ->> 'urgency' AS urgency, value ->> 'expected' AS expected, \
              value ->> 'command' AS command, value ->> 'fence' AS fence, value ->> 'joins' AS joins FROM jsonb_each($1)) AS v",
    new: "(SELECT value ->> 'id' AS id, value ->> 'group_id' AS group_id, value ->> 'name' AS name, \
          value ->> 'link' AS link, value ->> 'requester' AS requester, \
          value ->> 'wanted' AS wanted, value ->> 'due' AS due, value ->> 'posted_at' AS posted_at, \
          value ->> 'left_at' AS left_at, value ->> 'place_channel' AS place_channel, value ->> 'place_ts' AS place_ts FROM jsonb_each($1)) AS v",
    placed: "(SELECT value ->> 'id' AS id, value ->> 'fence' AS fence, value ->> 'place_channel' AS place_channel, \
             value ->> 'place_ts' AS place_ts, value ->> 'shown' AS shown, value ->> 'found' AS found, value ->> 'once' AS once, value ->> 'at' AS at FROM jsonb_each($1)) AS v",
    onboardings: onboardings::SQLITE,
    shown: "(SELECT value ->> 'id' AS id, value ->> 'changed' AS changed, value ->> 'private' AS private FROM jsonb_each($1)) AS v",
    stands: "(SELECT value ->> 'group_id' AS group_id, value ->> 'name' AS name, value ->> 'message' AS message \
             FROM jsonb_each($1)) AS v",
    news: "(SELECT value ->> 'id' AS id, value ->> 'message' AS message, value ->> 'body' AS body FROM jsonb_each($1)) AS v",
    groups: "(SELECT value ->> 'group_id' AS group_id, value ->> 'next_at' AS next_at FROM jsonb_each($1)) AS v",
    taken: "(SELECT value ->> 'id' AS id, value ->> 'fence' AS fence FROM jsonb_each($1)) AS v"
};

pub(super) const POSTGRES: ConnectionStatements = connection_statements! {
    now: "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
    skip: " FOR UPDATE SKIP LOCKED",
    row: "ctid",
    // As an array, the rows are found first and then taken by the index, whatever the planner thinks of
    // their number.
    one_of: " = ANY (ARRAY(",
    end: "))",
    picked: " AND message.id = ANY (ARRAY(SELECT w.id FROM json_to_recordset($1::json) AS w(id text)))",
    // Whoever ends it waits until this is committed, and this until that is.
    stays: " FOR SHARE",
    changes: "json_to_recordset($1::json) AS v(group_id text, name text, connection_id text, team_id text, channel_id text, \
              requester text, request text, link text, generation bigint, message text, posting text, state text, \
              purpose text, detail text, trouble text, posted_at bigint, expires_at bigint, changed_at bigint, reminded bigint, \
              landed_at bigint, looks bigint, look_at bigint, missing_since bigint, seen text, tick_at bigint, \
              watch_until bigint, urgency bigint, expected bigint, command text, fence bigint, joins text)",
    new: "json_to_recordset($1::json) AS v(id text, group_id text, name text, link text, requester text, wanted bigint, due bigint, \
          posted_at bigint, left_at bigint, place_channel text, place_ts text)",
    placed: "json_to_recordset($1::json) AS v(id text, fence bigint, place_channel text, place_ts text, shown bigint, found bigint, once bigint, at bigint)",
    onboardings: onboardings::POSTGRES,
    shown: "json_to_recordset($1::json) AS v(id text, changed bigint, private bigint)",
    stands: "json_to_recordset($1::json) AS v(group_id text, name text, message text)",
    news: "json_to_recordset($1::json) AS v(id text, message text, body text)",
    groups: "json_to_recordset($1::json) AS v(group_id text, next_at bigint)",
    taken: "json_to_recordset($1::json) AS v(id text, fence bigint)"
};
