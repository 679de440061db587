//! What can be made to go wrong in a sandbox, by name.
//!
//! Owns the switches of the page and what each of them does to the stand-ins. What these can do at all
//! is theirs; must not know what the bot makes of it.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use stand_ins::chaos::Lasts;
use stand_ins::fault::Fault;
use stand_ins::fivetran::{FivetranStandIn, tasks};
use stand_ins::slack::SlackStandIn;

/// Slow, and still within the bot's patience.
const SLOW: Duration = Duration::from_secs(5);

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Side {
    Fivetran,
    Slack,
    /// What happens to connections that work.
    Customer,
}

/// A switch.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Switch {
    /// What to ask for.
    pub(super) name: &'static str,
    #[serde(rename = "party")]
    pub(super) side: Side,
    pub(super) label: &'static str,
    pub(super) about: &'static str,
    #[serde(skip)]
    does: Does,
}

#[derive(Clone, Copy, Debug)]
enum Does {
    /// A row of the stand-ins' table of behaviours.
    Chaos(&'static str),
    /// Every answer comes late.
    Slow,
    /// Denies every connection that there is when it is switched on.
    Deny,
    /// Says of every name that it is taken.
    Taken,
    /// Breaks every connection that works, with a task that was seen; mends them when switched off.
    Break(&'static str),
}

const fn switch(
    name: &'static str,
    side: Side,
    label: &'static str,
    about: &'static str,
    does: Does,
) -> Switch {
    Switch { name, side, label, about, does }
}

/// Every switch, in the order of the page.
pub(super) const SWITCHES: [Switch; 15] = [
    switch("fivetran-slow", Side::Fivetran, "Slow", "Every answer takes five seconds.", Does::Slow),
    switch(
        "fivetran-429",
        Side::Fivetran,
        "Too many requests (429)",
        "Tells every caller to wait 30 seconds. The bot does so, also once this is off.",
        Does::Chaos("fivetran-pause-of-seconds"),
    ),
    switch(
        "fivetran-500",
        Side::Fivetran,
        "Down (500)",
        "Answers every call with an internal error.",
        Does::Chaos("fivetran-500"),
    ),
    switch(
        "fivetran-lost",
        Side::Fivetran,
        "Loses its answers",
        "Does what it is asked, then hangs up without a word.",
        Does::Chaos("fivetran-dropped-after"),
    ),
    switch(
        "fivetran-lies",
        Side::Fivetran,
        "Denies what exists (404)",
        "Denies every connection made so far.",
        Does::Deny,
    ),
    switch(
        "fivetran-taken",
        Side::Fivetran,
        "Schema is taken",
        "Claims that every new name is taken by a connection that the key can't see.",
        Does::Taken,
    ),
    switch(
        "fivetran-key",
        Side::Fivetran,
        "Key may not create (403)",
        "The bot's key has no permission for new connections.",
        Does::Chaos("fivetran-key-without-permission"),
    ),
    switch(
        "customer-sync",
        Side::Customer,
        "A sync fails",
        "Every working connection fails in a sync, which isn't the customer's fault. No command needed; it shows within a minute.",
        Does::Break("sync-failed"),
    ),
    switch(
        "customer-sign-in",
        Side::Customer,
        "The sign-in stops working",
        "Every working connection loses its access: the customer has to sign in again. No command needed; it shows within a minute.",
        Does::Break("access-lost"),
    ),
    switch("slack-slow", Side::Slack, "Slow", "Every answer takes five seconds.", Does::Slow),
    switch(
        "slack-429",
        Side::Slack,
        "Too many messages (429)",
        "Tells the bot to wait 30 seconds with every new message.",
        Does::Chaos("slack-pause"),
    ),
    switch(
        "slack-500",
        Side::Slack,
        "Down (500)",
        "Answers every call with an error; a response URL still works.",
        Does::Chaos("slack-500"),
    ),
    switch(
        "slack-silent",
        Side::Slack,
        "Silent",
        "Hangs up on every call, a response URL's too.",
        Does::Chaos("slack-dropped"),
    ),
    switch(
        "slack-refuses",
        Side::Slack,
        "Bot isn't in the channel",
        "Takes no message under the bot's name; a response URL still works.",
        Does::Chaos("slack-post-not-in-channel"),
    ),
    switch(
        "slack-token",
        Side::Slack,
        "Token revoked",
        "No longer accepts the bot's token; a response URL still works.",
        Does::Chaos("slack-token-revoked"),
    ),
];

/// Which switches are on.
#[derive(Default)]
pub(super) struct Switched {
    on: Mutex<BTreeSet<&'static str>>,
    /// The connections that a switch has broken.
    broken: Mutex<Vec<(&'static str, String)>>,
    /// The connections that are denied.
    denied: Mutex<Vec<String>>,
}

impl Switched {
    /// The names of those that are on.
    pub(super) fn on(&self) -> Vec<&'static str> {
        self.lock().iter().copied().collect()
    }

    /// Switches one on or off; false if there is none of this name.
    pub(super) fn set(&self, name: &str, on: bool, slack: &SlackStandIn, fivetran: &FivetranStandIn) -> bool {
        let Some(switch) = SWITCHES.iter().find(|switch| switch.name == name) else { return false };
        let mut standing = self.lock();
        let changed = if on { standing.insert(switch.name) } else { standing.remove(switch.name) };
        if let (true, Does::Break(task)) = (changed, switch.does) {
            self.break_or_mend(switch.name, task, on, fivetran);
        }
        if let (true, Does::Deny) = (changed, switch.does) {
            let there = fivetran.connections();
            *lock(&self.denied) =
                if on { there.iter().filter_map(id_of).map(str::to_owned).collect() } else { Vec::new() };
        }
        settle(&standing, &lock(&self.denied), slack, fivetran);
        true
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<&'static str>> {
        lock(&self.on)
    }

    fn break_or_mend(&self, switch: &'static str, task: &str, on: bool, fivetran: &FivetranStandIn) {
        let mut broken = lock(&self.broken);
        if !on {
            broken.retain(|(by, id)| {
                if *by == switch {
                    fivetran.set_setup_state(id, "connected");
                    fivetran.set_tasks(id, Vec::new());
                    fivetran.end_sync(id);
                }
                *by != switch
            });
            return;
        }
        let Some(task) = tasks::seen(task) else { return };
        for connection in fivetran.connections() {
            let works = connection.pointer("/status/setup_state") == Some(&json!("connected"));
            if let (true, Some(id)) = (works, id_of(&connection)) {
                fivetran.break_with(id, task.task);
                broken.push((switch, id.to_owned()));
            }
        }
    }
}

/// Lets the stand-ins behave as the switches stand, and no other way.
fn settle(on: &BTreeSet<&'static str>, denied: &[String], slack: &SlackStandIn, fivetran: &FivetranStandIn) {
    slack.faults(|faults| faults.heal());
    slack.end_pauses();
    fivetran.faults(|faults| faults.heal());
    fivetran.tell_the_truth();
    slack.set_latency(Duration::ZERO);
    fivetran.set_latency(Duration::ZERO);
    for switch in SWITCHES.iter().filter(|switch| on.contains(switch.name)) {
        match (switch.does, switch.side) {
            (Does::Chaos(row), Side::Slack) => slack.chaos(row, Lasts::UntilHealed),
            (Does::Chaos(row), _) => fivetran.chaos(row, Lasts::UntilHealed),
            (Does::Slow, Side::Slack) => slack.set_latency(SLOW),
            (Does::Slow, _) => fivetran.set_latency(SLOW),
            (Does::Deny, _) => denied.iter().for_each(|id| fivetran.deny(id, false)),
            (Does::Taken, _) => {
                let said = json!({ "code": "Conflict", "message": "A connection with this schema name already exists" });
                fivetran.faults(|faults| faults.fail_always("create_connection", Fault::Says(409, said)));
            }
            // That has happened; nothing more does.
            (Does::Break(_), _) => {}
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn id_of(connection: &Value) -> Option<&str> {
    connection.get("id")?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::sandbox::stand_ins;
    use crate::outbound::{self, Network};

    #[tokio::test]
    async fn every_switch_can_be_switched_on_and_off() {
        let (slack, fivetran) = stand_ins(outbound::client(&Network::default()).unwrap()).await.unwrap();
        let switched = Switched::default();
        for switch in &SWITCHES {
            assert!(switched.set(switch.name, true, &slack, &fivetran), "{}", switch.name);
            assert_eq!(switched.on(), [switch.name]);
            assert!(switched.set(switch.name, false, &slack, &fivetran));
            assert!(switched.on().is_empty());
        }
        assert!(!switched.set("nonsense", true, &slack, &fivetran));
    }

    #[tokio::test]
    async fn what_a_switch_has_broken_works_again_once_it_is_off() {
        let (slack, fivetran) = stand_ins(outbound::client(&Network::default()).unwrap()).await.unwrap();
        let (works, waits) = (
            fivetran.seed_connection("stripe", "a", "connected"),
            fivetran.seed_connection("stripe", "b", "incomplete"),
        );
        let state = |id: &str| fivetran.connection(id).unwrap()["status"]["setup_state"].clone();
        let switched = Switched::default();
        switched.set("customer-sign-in", true, &slack, &fivetran);
        assert_eq!((state(&works), state(&waits)), (json!("broken"), json!("incomplete")));
        switched.set("customer-sign-in", false, &slack, &fivetran);
        assert_eq!((state(&works), state(&waits)), (json!("connected"), json!("incomplete")));
    }
}
