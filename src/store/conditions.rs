//! Takes each condition of the SQL away, one at a time, and expects that a scenario fails.
//!
//! Owns that no condition is there unseen: a statement with more of them than are tried, or than are
//! said not to be worth it, fails too. The scenarios play two processes on one SQLite database in
//! memory and make the order in which a condition matters. What only Postgres has (rows that are passed
//! over, and the order in which they are locked) is for the tests of several processes.

mod changes;
mod commands;
mod connections;
mod digests;
mod homes;
mod messages;
mod onboardings;
pub(super) mod scene;
mod set_back;
mod trail;

use std::ops::Range;

use futures_util::future::BoxFuture;

use super::file::SqliteFile;
use super::statements::{self, ConnectionStatements, OnboardingStatements, Statements};
use changes::{CHANGES, Change};
use scene::{Outcome, Scene};

/// Conditions that are not taken away, and why nobody would see it.
const UNTRIED: &[(&str, &str, &str)] = &[
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
];

/// Something that happens, and how it has to come out.
struct Scenario {
    name: &'static str,
    play: for<'a> fn(&'a Scene) -> BoxFuture<'a, Outcome>,
}

macro_rules! scenarios {
    ($($module:ident: $($name:ident)+;)+) => {
        const SCENARIOS: &[Scenario] = &[$($(Scenario {
            name: stringify!($name),
            play: |scene| Box::pin($module::$name(scene)),
        },)+)+];
    };
}

scenarios! {
    commands:
        a_twin_and_a_replay_are_no_second_command
        the_same_request_is_promised_again_where_it_surely_happens
        a_command_is_taken_by_one_process_at_a_time
        what_is_due_is_taken_in_its_order
        a_late_record_changes_nothing
        a_lease_is_prolonged_by_its_holder_alone
        who_stops_gives_up_only_its_own
        what_was_not_promised_never_happens
        what_nobody_could_be_told_is_counted_and_listed
        what_is_open_is_counted_by_its_stage
        what_ended_long_ago_is_forgotten_and_nothing_else
        one_command_is_read_and_the_probe_writes_again;
    connections:
        who_judged_by_an_old_version_changes_nothing
        a_command_that_is_not_ours_moves_no_connection
        what_is_posted_ends_its_command_in_one_commit
        a_connection_is_found_by_what_names_it
        a_connection_knows_whether_its_message_is_behind
        a_channel_lists_its_own_most_urgent_first
        a_group_is_searched_for_those_that_are_watched
        a_look_is_taken_once_and_when_it_is_due
        a_moment_that_has_passed_is_seen
        the_missing_are_those_not_believed_to_be_gone
        a_group_is_listed_by_one_process_at_a_time
        a_group_that_is_watched_whole_is_listed_and_waits_no_shorter
        a_group_knows_when_it_was_listed_last
        what_is_over_is_forgotten_and_nothing_else
        a_link_that_is_taken_over_stays_so_until_it_is_touched;
    digests:
        a_channels_digest_of_a_week_is_taken_once
        weeks_long_before_are_forgotten_however_the_clock_went
        a_plan_counts_from_when_it_came_into_force
        what_is_unfinished_is_listed_by_channel_most_urgent_first;
    homes:
        a_home_lists_ones_own_or_everybodys_most_urgent_first;
    messages:
        a_message_is_edited_by_one_process_at_a_time
        what_an_edit_came_to_is_kept
        a_message_that_comes_to_stand_is_due_only_if_it_is_behind
        a_link_that_is_put_into_a_message_comes_by_its_lease
        a_message_stands_where_it_was_found_first
        an_edit_that_came_too_late_is_made_good
        a_message_knows_since_when_it_shows_no_link
        a_message_knows_since_when_it_is_behind
        a_disturbed_message_is_due_where_it_stands
        what_the_release_before_has_passed_over_is_due_again
        a_thread_is_told_what_is_its_own_in_order
        who_stops_leaves_only_its_messages_once_no_edit_is_on_its_way
        a_message_is_about_those_that_it_shows_and_its_own;
    set_back:
        what_a_clock_set_back_has_put_off_is_due
        no_pause_that_somebody_meant_is_cut_short;
    onboardings:
        several_sources_are_made_once_and_by_their_holder
        what_is_added_goes_to_what_is_open_for_the_same_customer
        what_is_done_takes_no_source_that_was_asked_for_by_itself
        an_onboarding_is_done_once_and_when_nothing_is_left
        what_was_done_long_ago_is_forgotten_with_its_message;
    trail:
        the_channel_is_told_by_one_process_at_a_time
        lines_come_in_their_order_and_go_once_they_are_told
        what_waits_too_long_is_given_up_and_counted
        of_too_many_the_oldest_are_given_up;
}

macro_rules! fields {
    ($($name:ident)+; $($of_connections:ident)+; $($of_onboardings:ident)+) => {
        /// Every statement by its name. One that is not here does not compile.
        fn all(statements: &mut Statements) -> Vec<(&'static str, &mut &'static str)> {
            let Statements { $($name,)+ connections } = statements;
            let ConnectionStatements { $($of_connections,)+ onboardings } = connections;
            let OnboardingStatements { $($of_onboardings,)+ } = onboardings;
            vec![
                $((stringify!($name), $name),)+
                $((stringify!($of_connections), $of_connections),)+
                $((stringify!($of_onboardings), $of_onboardings),)+
            ]
        }
    };
}

fields! {
    accept bury void alive twin record claim renew release hasten_commands purge census open_stages undeliverable probe keep_catalogue kept_catalogue
    keep_identity kept_identity command keep_lines take_turn lines forget_lines record_turn hurry_turn release_turn
    oldest_line line_behind line_before void_lines purge_lines plan_digests digests_since unplan_digests take_digest give_digest_back
    digest_taken digests_behind forget_digests;
    change new_messages place_messages show_messages leave_messages tell sweep_groups want_sweeps by_key by_link by_schema of_channel
    count_of_channel of_requester short_of_requester of_house short_of_house next_channel unfinished_here unfinished of_message watched claim_looks hasten_looks ticked missing purge_connections claim_sweeps
    hasten_sweeps sweep_pages
    oldest_sweep listed record_sweep release_sweeps claim_messages hasten_messages claim_message news forget_news record_message rearm_messages disturb_message backlog
    release_messages purge_messages purge_news links_left links_taken;
    hold expanded begin open open_shown begin_message new_sources onboarding sources hold_onboarding finish told purge_sources
    purge_onboardings
}

/// The statement of that name.
fn named<'a>(statements: &'a mut Statements, name: &str) -> &'a mut &'static str {
    let found = all(statements).into_iter().find(|(it, _)| *it == name);
    found.unwrap_or_else(|| panic!("there is no statement {name}")).1
}

/// All changes, by the scenario that has to fail.
fn all_changes() -> impl Iterator<Item = &'static (&'static str, &'static [Change])> {
    let own = digests::CHANGES.iter().chain(homes::CHANGES).chain(onboardings::CHANGES);
    CHANGES.iter().chain(own).chain(set_back::CHANGES).chain(trail::CHANGES)
}

/// The set with one statement changed, and that statement. Both live until the process ends, like the
/// real ones.
fn changed((name, needle, replacement): Change) -> (&'static Statements, &'static str) {
    for mut statements in [statements::SQLITE, statements::POSTGRES] {
        let statement = named(&mut statements, name);
        let times = statement.matches(needle).count();
        assert_eq!(times, 1, "{needle:?} has to be once in {name}: {statement}");
    }
    let mut statements = statements::SQLITE;
    let place = named(&mut statements, name);
    let statement: &'static str = Box::leak(place.replacen(needle, replacement, 1).into_boxed_str());
    *place = statement;
    (Box::leak(Box::new(statements)), statement)
}

impl Scenario {
    /// Plays it on an empty database. Returns what was not as it should be.
    async fn fails(&self, db: &SqliteFile, sql: &'static Statements) -> Option<String> {
        (self.play)(&Scene::new(db, sql).await).await.err().map(|error| error.to_string())
    }
}

/// Where the conditions stand in a statement: what follows one of these words, up to the next that ends it.
fn conditions(statement: &str) -> Vec<Range<usize>> {
    const BEGIN: [&str; 5] = ["WHERE", "AND", "OR", "WHEN", "ON"];
    const END: [&str; 8] = ["THEN", "ORDER", "LIMIT", "RETURNING", "SELECT", "FROM", "DO", "END"];
    let inside = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '.' | '$');
    let (mut at, mut words) = (0, Vec::new());
    for piece in statement.split_inclusive(|it| !inside(it)) {
        words.push((at, piece.trim_end_matches(|it| !inside(it))));
        at += piece.len();
    }
    let mut found = Vec::new();
    for (index, (start, word)) in words.iter().enumerate().filter(|(_, (_, word))| BEGIN.contains(word)) {
        let next = words[index + 1..].iter().find(|(_, it)| BEGIN.contains(it) || END.contains(it));
        let range = start + word.len()..next.map_or(statement.len(), |(at, _)| *at);
        // What holds always, or holds as what is inside of it does, is none.
        if !["", "true", "EXISTS"].contains(&statement[range.clone()].trim_matches([' ', '('])) {
            found.push(range);
        }
    }
    found
}

#[test]
fn a_condition_is_what_stands_between_two_words() {
    let found = |statement: &'static str| -> Vec<&str> {
        conditions(statement).into_iter().map(|it| statement[it].trim_matches([' ', '(', ')'])).collect()
    };
    let statement = "UPDATE t SET a = CASE WHEN b = 1 THEN 2 ELSE 3 END FROM v WHERE t.id = v.id AND (c OR d) RETURNING e";
    assert_eq!(found(statement), ["b = 1", "t.id = v.id", "c", "d"]);
    let statement = "INSERT INTO t SELECT a FROM v WHERE true ON CONFLICT (a) DO NOTHING";
    assert_eq!(found(statement), ["CONFLICT (a"]);
    assert_eq!(found("DELETE FROM t WHERE EXISTS (SELECT 1 FROM v WHERE v.a = t.a LIMIT 1)"), ["v.a = t.a"]);
}

#[test]
fn every_condition_of_the_sql_is_tried_or_it_is_said_why_not() {
    let mut statements = statements::SQLITE;
    let tried = all_changes().flat_map(|(_, changes)| *changes).map(|(name, needle, _)| (*name, *needle));
    let untried = UNTRIED.iter().map(|(name, needle, _)| (*name, *needle));
    let listed: Vec<_> = tried.chain(untried).collect();
    // What all of them read of a connection is tried with the first.
    let read: &str = named(&mut statements, "by_key");
    let read = &read[..read.find("WHERE").unwrap()];
    let mut left = Vec::new();
    for (name, statement) in all(&mut statements) {
        let shared = if name != "by_key" && statement.starts_with(read) { read.len() } else { 0 };
        let needles = listed.iter().filter(|(of, _)| *of == name);
        let seen: Vec<_> = needles
            .map(|(_, needle)| {
                let at = statement.find(needle).unwrap_or_else(|| panic!("no {needle:?} in {name}"));
                at..at + needle.len()
            })
            .collect();
        let conditions = conditions(statement).into_iter().filter(|it| it.start >= shared);
        let unseen =
            conditions.filter(|it| !seen.iter().any(|seen| seen.start < it.end && it.start < seen.end));
        left.extend(unseen.map(|it| format!("{name}: {}", &statement[it])));
    }
    assert_eq!(left, [""; 0], "conditions that nobody takes away");
}

#[tokio::test]
async fn whoever_looks_at_the_statements_sees_each_by_its_name() {
    let (db, _folder) = Scene::database().await;
    let store = Scene::new(&db, &statements::SQLITE).await.a;
    let mut statements = statements::SQLITE;
    let mut expected: Vec<_> = all(&mut statements).into_iter().map(|(name, text)| (name, *text)).collect();
    let mut seen = store.statements();
    seen.sort_unstable();
    expected.sort_unstable();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn every_condition_of_the_sql_is_needed() {
    let (db, _folder) = Scene::database().await;
    let sound = Box::leak(Box::new(statements::SQLITE));
    for scenario in SCENARIOS {
        assert_eq!(scenario.fails(&db, sound).await, None, "{}", scenario.name);
    }
    let mut unnoticed = Vec::new();
    for (name, changes) in all_changes() {
        let scenario = SCENARIOS.iter().find(|it| it.name == *name);
        let scenario = scenario.unwrap_or_else(|| panic!("there is no scenario {name}"));
        for &change in *changes {
            let (sql, statement) = changed(change);
            let explained = sqlx::AssertSqlSafe(format!("EXPLAIN {statement}"));
            let understood = sqlx::raw_sql(explained).execute(&mut *db.lock().await.unwrap()).await;
            understood.unwrap_or_else(|error| panic!("{error}: {statement}"));
            let (of, needle, replacement) = change;
            match scenario.fails(&db, sql).await {
                Some(how) => println!("{of}: {needle:?} -> {replacement:?}: {name}, {how}"),
                None => unnoticed.push((name, change)),
            }
        }
    }
    assert!(unnoticed.is_empty(), "these do not fail, though something was changed: {unnoticed:#?}");
}
