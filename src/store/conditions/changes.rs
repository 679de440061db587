//! The conditions of the statements, each with what takes it away.
//!
//! Owns the list. A needle is short, so that a statement can be worded anew around it, and stands in
//! the statement once, on both engines.

/// A statement, what is looked for in it, and what is put in its place.
pub(super) type Change = (&'static str, &'static str, &'static str);

/// By the scenario that has to fail.
pub(super) type Changes = &'static [(&'static str, &'static [Change])];

/// Those of commands, connections and messages.
pub(super) const CHANGES: Changes = &[
    (
        "a_twin_and_a_replay_are_no_second_command",
        &[
            ("accept", " ON CONFLICT DO NOTHING", ""),
            ("accept", "v.subject", "NULL"),
            ("accept", "v.dedup", "v.id"),
            ("twin", "subject = $1", "$1 = $1"),
        ],
    ),
    (
        "the_same_request_is_promised_again_where_it_surely_happens",
        &[
            ("twin", "owner = $3", "$3 = $3"),
            ("twin", "owner = $3", "$3 <> $3"),
            ("twin", "fence > 1", "false"),
            ("twin", "ended_at IS NOT NULL", "false"),
            ("twin", "dedup = $2", "$2 <> $2"),
        ],
    ),
    (
        "a_command_is_taken_by_one_process_at_a_time",
        &[
            ("accept", "$2, 1,", "'', 1,"),
            ("accept", "+ $3", "+ 0 * $3"),
            ("claim", "owner = $1, ", ""),
            ("claim", "+ $2", "+ 0 * $2"),
            ("claim", "WHERE id IN", "WHERE true OR id IN"),
            ("claim", "lease_until <=", "0 <="),
            ("claim", "AND id NOT IN", "AND '' NOT IN"),
        ],
    ),
    (
        "what_is_due_is_taken_in_its_order",
        &[
            ("claim", "run_at <= $3", "$3 = $3"),
            ("claim", "ORDER BY run_at", "ORDER BY run_at DESC"),
            ("claim", "LIMIT $4", "LIMIT 100"),
        ],
    ),
    (
        "a_late_record_changes_nothing",
        &[
            ("record", "AND command.fence = v.fence", ""),
            ("record", "command.ended_at IS NULL OR", "true OR"),
            ("record", " OR command.ended_at = v.ended_at", ""),
            ("record", "WHEN v.ended_at IS NULL THEN command.subject", "WHEN true THEN command.subject"),
            ("record", "IS NULL THEN command.subject", "IS NULL THEN NULL"),
            (
                "record",
                "WHEN v.ended_at IS NULL THEN command.response_url",
                "WHEN true THEN command.response_url",
            ),
            ("record", "IS NULL THEN command.response_url", "IS NULL THEN NULL"),
            ("record", "WHEN v.keep = 1", "WHEN true"),
            ("record", "WHEN v.keep = 1", "WHEN false"),
            ("claim", "ended_at IS NULL AND", ""),
            ("claim", "fence = fence + 1", "fence = fence"),
            ("record", "command.id = v.id AND", "true AND"),
        ],
    ),
    (
        "a_lease_is_prolonged_by_its_holder_alone",
        &[
            ("renew", "command.id = v.id AND", "true AND"),
            ("renew", "command.fence = v.fence AND", ""),
            ("renew", "command.owner = $1", "$1 = $1"),
            ("renew", "AND command.ended_at IS NULL", ""),
            ("renew", "AND command.lease_until > 0", ""),
            ("renew", "+ $2", "+ 0 * $2"),
        ],
    ),
    ("who_stops_gives_up_only_its_own", &[("release", "owner = $1", "$1 = $1")]),
    (
        "what_was_not_promised_never_happens",
        &[
            ("bury", " ON CONFLICT DO NOTHING", ""),
            ("bury", "v.accepted_at, ''", "NULL, ''"),
            ("void", "command.id = v.id AND", "true AND"),
            ("void", "command.fence = 1 AND", ""),
            ("void", "AND command.ended_at IS NULL", ""),
            ("void", "subject = NULL, ", ""),
            ("void", "response_url = NULL,", ""),
            ("alive", "command.id = v.id", "true"),
            ("alive", "command.stage <> 'void'", "true"),
        ],
    ),
    (
        "what_nobody_could_be_told_is_counted_and_listed",
        &[
            ("census", "stage = 'undeliverable' AND", ""),
            ("census", "ended_at > $1", "$1 = $1"),
            ("census", "WHERE ended_at IS NULL", ""),
            ("undeliverable", "AND stage = 'undeliverable'", ""),
            ("undeliverable", " DESC", ""),
            ("undeliverable", " LIMIT $1", ""),
        ],
    ),
    ("what_is_open_is_counted_by_its_stage", &[("open_stages", " WHERE ended_at IS NULL", "")]),
    (
        "what_ended_long_ago_is_forgotten_and_nothing_else",
        &[("purge", "ended_at < $1", "$1 = $1"), ("purge", "WHERE id", "WHERE true OR id")],
    ),
    (
        "one_command_is_read_and_the_probe_writes_again",
        &[
            ("probe", " ON CONFLICT (name) DO UPDATE SET at = $1", ""),
            ("keep_catalogue", " ON CONFLICT (name) DO UPDATE SET body = $1, fetched_at = $2", ""),
            ("keep_identity", " ON CONFLICT (name) DO UPDATE SET body = $1, told_at = $2", ""),
            ("command", "id = $1", "$1 = $1"),
        ],
    ),
    (
        "who_judged_by_an_old_version_changes_nothing",
        &[
            ("change", "v.expected = 0 OR", "true OR"),
            ("change", "v.expected = 0 OR", "false OR"),
            ("change", "o.group_id = v.group_id AND", ""),
            ("change", "AND o.name = v.name", ""),
            ("change", "connection.version = excluded.version - 1", "true"),
            ("by_key", "LEFT JOIN", "JOIN"),
        ],
    ),
    (
        "a_command_that_is_not_ours_moves_no_connection",
        &[
            ("change", "v.command IS NULL OR", "true OR"),
            ("change", "v.command IS NULL OR", "false OR"),
            ("change", "k.id = v.command AND", ""),
            ("change", "AND k.fence = v.fence", ""),
            ("change", "AND k.ended_at IS NULL", ""),
        ],
    ),
    (
        "a_connection_is_found_by_what_names_it",
        &[
            ("by_key", "c.group_id = $1 AND", "$1 = $1 AND"),
            ("by_key", "c.name = $2", "$2 = $2"),
            ("by_link", "c.link = $1", "$1 = $1"),
            ("by_link", " DESC", ""),
            ("by_schema", "c.team_id = $1", "$1 = $1"),
            ("by_schema", "c.team_id = $1", "false"),
            ("by_schema", "(c.team_id LIKE 'E%') <> ($1 LIKE 'E%')", "false"),
            ("by_schema", "c.channel_id = $2", "$2 = $2"),
            ("by_schema", "c.name = $3", "$3 = $3"),
            ("by_schema", "AND c.state <> 'unposted'", ""),
            ("by_schema", " DESC", ""),
        ],
    ),
    (
        "a_connection_knows_whether_its_message_is_behind",
        &[
            ("by_key", "m.id = c.message", "true"),
            ("by_key", "WHEN m.place_ts IS NOT NULL AND", "WHEN"),
            ("by_key", "AND m.wanted > m.shown", ""),
            ("show_messages", "+ v.changed", ""),
        ],
    ),
    (
        "a_channel_lists_its_own_most_urgent_first",
        &[
            ("of_channel", "c.team_id = $1", "$1 = $1"),
            ("of_channel", "c.team_id = $1", "false"),
            ("of_channel", "(c.team_id LIKE 'E%') <> ($1 LIKE 'E%')", "false"),
            ("of_channel", "c.channel_id = $2", "$2 = $2"),
            ("of_channel", "AND c.urgency < 9", ""),
            ("of_channel", "ORDER BY c.urgency, ", "ORDER BY "),
            ("of_channel", "c.expires_at, c.name LIMIT", "c.name LIMIT"),
            ("of_channel", "LIMIT $4", "LIMIT 100"),
            ("of_channel", " OFFSET $3", ""),
            ("count_of_channel", "team_id = $1", "$1 = $1"),
            ("count_of_channel", "team_id = $1", "false"),
            ("count_of_channel", "(team_id LIKE 'E%') <> ($1 LIKE 'E%')", "false"),
            ("count_of_channel", "channel_id = $2", "$2 = $2"),
            ("count_of_channel", "AND urgency < 9", ""),
            ("count_of_channel", " LIMIT $3", ""),
        ],
    ),
    (
        "a_group_is_searched_for_those_that_are_watched",
        &[
            ("watched", "group_id = $1", "$1 = $1"),
            ("watched", "> ($2, $3)", "> (0, $3)"),
            ("watched", "> ($2, $3)", "> ($2, '')"),
            ("watched", "ORDER BY watch_until, name", "ORDER BY name"),
            ("watched", "LIMIT $4", ""),
        ],
    ),
    (
        "a_look_is_taken_once_and_when_it_is_due",
        &[
            ("claim_looks", "look_at <= $1", "$1 = $1"),
            ("claim_looks", "look_at = $2", "look_at = look_at"),
            ("claim_looks", "ORDER BY look_at", "ORDER BY look_at DESC"),
            ("claim_looks", "LIMIT $3", "LIMIT 100"),
            ("claim_looks", "look_at = $2 WHERE ", "look_at = $2 WHERE true OR "),
        ],
    ),
    (
        "a_moment_that_has_passed_is_seen",
        &[
            ("ticked", "tick_at <= $1", "$1 = $1"),
            ("ticked", "ORDER BY tick_at", "ORDER BY tick_at DESC"),
            ("ticked", " LIMIT $2", ""),
        ],
    ),
    (
        "the_missing_are_those_not_believed_to_be_gone",
        &[
            ("missing", "missing_since IS NOT NULL AND", ""),
            ("missing", "AND state <> 'gone'", ""),
            ("missing", " LIMIT $1", ""),
        ],
    ),
    (
        "a_group_is_listed_by_one_process_at_a_time",
        &[
            ("sweep_groups", "coalesce(sweep.next_at, excluded.next_at)", "excluded.next_at"),
            ("sweep_groups", "coalesce(sweep.next_at, excluded.next_at)", "sweep.next_at"),
            ("claim_sweeps", "next_at <= $3", "$3 = $3"),
            ("claim_sweeps", "lease_until <=", "0 <="),
            ("claim_sweeps", "ORDER BY next_at", "ORDER BY next_at DESC"),
            ("claim_sweeps", "LIMIT $4", "LIMIT 100"),
            ("claim_sweeps", "fence = fence + 1", "fence = fence"),
            ("claim_sweeps", "owner = $1, ", ""),
            ("claim_sweeps", "+ $2", "+ 0 * $2"),
            ("claim_sweeps", "WHERE group_id IN", "WHERE true OR group_id IN"),
            ("sweep_pages", " WHERE next_at IS NOT NULL", ""),
            ("sweep_groups", "posted_at = excluded.posted_at", "posted_at = sweep.posted_at"),
            ("record_sweep", "WHEN posted_at > $5", "WHEN true"),
            ("record_sweep", "WHEN posted_at > $5", "WHEN false"),
            ("record_sweep", "CAST($3 AS BIGINT),", "NULL,"),
            ("record_sweep", "group_id = $1 AND", "$1 = $1 AND"),
            ("record_sweep", " AND fence = $2", ""),
            ("record_sweep", ", lease_until = 0", ""),
            ("release_sweeps", "owner = $1", "$1 = $1"),
        ],
    ),
    (
        "a_group_knows_when_it_was_listed_last",
        &[
            ("oldest_sweep", " WHERE next_at IS NOT NULL", ""),
            ("oldest_sweep", "coalesce(listed_at, posted_at)", "posted_at"),
            ("oldest_sweep", "coalesce(listed_at, posted_at)", "coalesce(listed_at, next_at)"),
            ("listed", "group_id = $1 AND", "$1 = $1 AND"),
            ("listed", " AND next_at IS NOT NULL", ""),
            ("record_sweep", "listed_at = $7", "listed_at = listed_at"),
        ],
    ),
    (
        "what_is_over_is_forgotten_and_nothing_else",
        &[
            ("purge_connections", "changed_at < $1", "$1 = $1"),
            ("purge_connections", "AND state IN ('cancelled', 'unposted')", ""),
            ("purge_connections", "'cancelled', ", ""),
            ("purge_connections", "AND posting IS NULL", ""),
            ("purge_connections", "DELETE FROM connection WHERE ", "DELETE FROM connection WHERE true OR "),
            ("purge_messages", "m.left_at < $1", "$1 = $1"),
            ("purge_messages", "AND m.due IS NULL", ""),
            ("purge_messages", ") = 0", ") >= 0"),
            ("purge_messages", "WHERE c.message = m.id", ""),
            ("purge_messages", "WHERE id", "WHERE true OR id"),
            ("purge_news", "n.at < $1", "$1 = $1"),
            ("purge_news", "WHERE id", "WHERE true OR id"),
        ],
    ),
    (
        "a_link_that_is_taken_over_stays_so_until_it_is_touched",
        &[
            ("links_left", "WHERE taken <> fence", ""),
            ("links_left", "ORDER BY posted_at", "ORDER BY posted_at DESC"),
            ("links_left", " LIMIT $1", ""),
            ("links_taken", "link.id = v.id", "true"),
            ("links_taken", "AND link.fence = v.fence", ""),
        ],
    ),
    (
        "a_message_is_edited_by_one_process_at_a_time",
        &[
            ("claim_messages", "due <= $3", "$3 = $3"),
            ("claim_messages", "lease_until <=", "0 <="),
            ("claim_messages", "ORDER BY due", "ORDER BY due DESC"),
            ("claim_messages", "LIMIT $4", "LIMIT 100"),
            ("claim_messages", "fence = fence + 1", "fence = fence"),
            ("claim_messages", "+ $2", "+ 0 * $2"),
            ("claim_messages", "WHERE id", "WHERE true OR id"),
            ("claim_message", "id = $3 AND", "$3 = $3 AND"),
            ("claim_message", "lease_until <=", "0 <="),
            ("claim_message", "fence = fence + 1", "fence = fence"),
            ("record_message", "WHERE id = $1 AND", "WHERE $1 = $1 AND"),
            ("record_message", "AND fence = $2", ""),
            ("record_message", "lease_until = 0,", ""),
            ("record_message", "wanted > $3 AND", ""),
        ],
    ),
    (
        "what_an_edit_came_to_is_kept",
        &[
            (
                "record_message",
                "WHEN $5 = 1 THEN NULL ELSE place_channel",
                "WHEN false THEN NULL ELSE place_channel",
            ),
            (
                "record_message",
                "WHEN $5 = 1 THEN NULL ELSE place_channel",
                "WHEN true THEN NULL ELSE place_channel",
            ),
            ("record_message", "WHEN $5 = 1 THEN NULL ELSE place_ts", "WHEN false THEN NULL ELSE place_ts"),
            ("record_message", "WHEN $5 = 1 THEN NULL ELSE place_ts", "WHEN true THEN NULL ELSE place_ts"),
            ("record_message", "WHEN $5 = 1 THEN NULL WHEN", "WHEN"),
            ("record_message", "wanted > $3 AND", "false AND"),
            ("record_message", "AND CAST($4 AS BIGINT) IS NULL", ""),
            ("record_message", "WHEN CAST($4 AS BIGINT) IS NULL AND due", "WHEN due"),
            ("record_message", "AND due IS DISTINCT FROM CAST($8 AS BIGINT)", "AND $8 = $8"),
            ("record_message", "AND due IS DISTINCT FROM CAST($8 AS BIGINT)", "AND $8 <> $8"),
            ("show_messages", "THEN message.due + 1", "THEN message.due"),
            ("show_messages", "WHEN message.due = $2 THEN", "WHEN true THEN"),
        ],
    ),
    (
        "a_message_that_comes_to_stand_is_due_only_if_it_is_behind",
        &[
            ("new_messages", " ON CONFLICT (id) DO NOTHING", ""),
            ("place_messages", "v.place_ts IS NOT NULL AND", ""),
            ("place_messages", "message.wanted > coalesce(v.shown, message.shown) OR", "true OR"),
            ("place_messages", "(message.wanted > coalesce", "(false AND message.wanted > coalesce"),
            ("place_messages", "OR (SELECT count(*) FROM news WHERE news.message = v.id) > 0", ""),
            ("place_messages", "WHERE news.message = v.id)", "WHERE v.id = v.id)"),
            ("place_messages", "message.id = v.id", "true"),
            ("show_messages", "WHEN message.place_channel IS NULL", "WHEN false"),
        ],
    ),
    (
        "a_link_that_is_put_into_a_message_comes_by_its_lease",
        &[
            ("place_messages", "WHEN v.fence IS NULL THEN v.place_channel", "WHEN true THEN v.place_channel"),
            (
                "place_messages",
                "WHEN v.fence IS NULL THEN v.place_channel",
                "WHEN false THEN v.place_channel",
            ),
            ("place_messages", "WHEN v.fence IS NULL THEN v.place_ts", "WHEN true THEN v.place_ts"),
            ("place_messages", "WHEN v.fence IS NULL THEN v.place_ts", "WHEN false THEN v.place_ts"),
            ("place_messages", "coalesce(v.shown, message.shown) END,", "message.shown END,"),
            ("place_messages", "WHEN message.fence = v.fence THEN 0", "WHEN true THEN 0"),
            ("place_messages", "WHEN message.fence = v.fence THEN 0", "WHEN false THEN 0"),
            ("place_messages", "due = CASE WHEN v.found = 1 OR", "due = CASE WHEN"),
        ],
    ),
    (
        "an_edit_that_came_too_late_is_made_good",
        &[
            (
                "place_messages",
                "WHEN v.found = 1 OR message.fence <> v.fence THEN 1",
                "WHEN v.found = 1 THEN 1",
            ),
            (
                "place_messages",
                "v.found = 1 OR message.fence <> v.fence THEN 1",
                "message.fence <> v.fence THEN 1",
            ),
            (
                "place_messages",
                "WHEN message.fence <> v.fence THEN message.shown",
                "WHEN false THEN message.shown",
            ),
            ("place_messages", "OR message.fence <> v.fence OR (", "OR ("),
        ],
    ),
    (
        "a_message_knows_since_when_it_shows_no_link",
        &[
            ("leave_messages", "WHEN message.id = v.message", "WHEN false"),
            ("leave_messages", "message.group_id = v.group_id AND", "true AND"),
            ("leave_messages", "AND message.name = v.name", ""),
            ("leave_messages", "AND (message.id = v.message) = (message.left_at IS NOT NULL)", ""),
        ],
    ),
    (
        "a_message_knows_since_when_it_is_behind",
        &[
            ("show_messages", "message.place_ts IS NOT NULL AND", ""),
            ("show_messages", "AND message.wanted > message.shown", ""),
            ("show_messages", "AND message.wanted > message.shown", "AND false"),
            ("record_message", "WHEN wanted > $3 THEN behind_since", "WHEN true THEN behind_since"),
            ("record_message", "WHEN wanted > $3 THEN behind_since", "WHEN false THEN behind_since"),
            ("place_messages", "message.place_ts IS NOT NULL AND", ""),
            ("place_messages", "AND message.wanted > message.shown THEN", "THEN"),
            ("place_messages", "AND message.wanted > message.shown THEN", "AND false THEN"),
            ("disturb_message", "WHEN wanted > shown", "WHEN true"),
            ("disturb_message", "WHEN wanted > shown", "WHEN false"),
            ("backlog", "due IS NOT NULL AND", ""),
            ("backlog", "AND wanted > shown", ""),
            ("backlog", "coalesce(behind_since, due)", "due"),
        ],
    ),
    (
        "a_disturbed_message_is_due_where_it_stands",
        &[
            ("disturb_message", "id = $1", "$1 = $1"),
            ("disturb_message", "AND place_ts IS NOT NULL", ""),
            ("disturb_message", "wanted = wanted + 1", "wanted = wanted"),
        ],
    ),
    (
        "a_thread_is_told_what_is_its_own_in_order",
        &[
            ("show_messages", "+ v.changed", "+ 1"),
            ("show_messages", "WHEN message.place_channel IS NULL", "WHEN true"),
            ("show_messages", "AND v.private = 0", ""),
            ("show_messages", "THEN message.due WHEN", "THEN NULL WHEN"),
            ("show_messages", "message.id = v.id", "true"),
            ("tell", " ON CONFLICT (id) DO NOTHING", ""),
            ("news", "message = $1", "$1 = $1"),
            ("news", "ORDER BY at, id", "ORDER BY at DESC, id"),
            ("forget_news", "id = $1", "$1 = $1"),
        ],
    ),
    (
        "who_stops_gives_up_only_its_messages",
        &[
            ("claim_messages", "owner = $1, ", ""),
            ("claim_message", "owner = $1, ", ""),
            ("claim_message", "+ $2", "+ 0 * $2"),
            ("release_messages", "owner = $1", "$1 = $1"),
        ],
    ),
    (
        "a_group_that_is_watched_whole_is_listed_and_waits_no_shorter",
        &[
            ("want_sweeps", "sweep.next_at IS NULL", "true"),
            ("want_sweeps", "sweep.next_at IS NULL", "false"),
        ],
    ),
    (
        "what_the_release_before_has_passed_over_is_due_again",
        &[
            ("rearm_messages", "m.place_channel IS NOT NULL", "true"),
            ("rearm_messages", "m.place_ts IS NULL", "true"),
            ("rearm_messages", "m.due IS NULL", "true"),
            ("rearm_messages", "c.message = m.id", "true"),
            ("rearm_messages", "c.state = 'broken'", "true"),
            ("rearm_messages", ") > 0", ") >= 0"),
            ("rearm_messages", "LIMIT $2", "LIMIT 1"),
            ("rearm_messages", "WHERE id", "WHERE true OR id"),
        ],
    ),
    (
        "a_message_is_about_those_that_it_shows_and_its_own",
        &[
            ("of_message", "c.message = $1 OR", ""),
            ("of_message", "c.group_id = $2 AND", ""),
            ("of_message", "AND c.name = $3", ""),
        ],
    ),
];

/// Conditions that are not taken away, and why nobody would see it.
pub(super) const UNTRIED: &[(&str, &str, &str)] = &[
    ("kept_catalogue", "name = 'fivetran'", "for the index: there is no other row"),
    ("kept_identity", "name = 'own'", "the same"),
    ("release", "ended_at IS NULL", "for the index: what has ended has no lease"),
    ("purge", "ended_at IS NOT NULL", "for the index: what has no end ended before nothing"),
    (
        "undeliverable",
        "ended_at IS NOT NULL",
        "for the order by an index: nothing is undeliverable before its end",
    ),
    (
        "change",
        "ON CONFLICT (group_id, name)",
        "it takes no short needle; without it the key refuses version 2",
    ),
    ("sweep_groups", "ON CONFLICT (group_id)", "the same, for the second link of a group"),
    ("want_sweeps", "ON CONFLICT (group_id)", "the same, for a group that waits for its list"),
    ("keep_lines", "ON CONFLICT (id)", "without it a record that is tried again never ends"),
    ("hold_onboarding", "id = $1", "it writes what is there, and holds more than it must without it"),
    ("new_sources", "ON CONFLICT (command)", "whoever is second finds it expanded"),
    ("release_messages", "lease_until > 0", "for the index: it would write the 0 that is there"),
];
