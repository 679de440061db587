//! Both outside parties, in the test's own process, so that they outlive the bots between them.
//! What they saw is the judge of every test, not what the bot's own table says.

use std::collections::{BTreeMap, HashMap, HashSet};

use connect_card::cli::sandbox;
use connect_card::clock::Clock;
use stand_ins::fivetran::FivetranStandIn;
use stand_ins::slack::{SlackStandIn, Visibility};
use tokio::time::Instant;

use super::{GLANCE, PATIENCE, client, is_note, reference};

/// Stand-ins for Slack and Fivetran.
#[derive(Clone)]
pub(crate) struct Outside {
    pub(crate) slack: SlackStandIn,
    pub(crate) fivetran: FivetranStandIn,
}

impl Outside {
    /// Starts both.
    pub(crate) async fn start() -> Self {
        let clock = Clock::default();
        let now = move || clock.now();
        Self {
            slack: SlackStandIn::start(now.clone(), client()).await.unwrap(),
            fivetran: FivetranStandIn::start(now).await.unwrap(),
        }
    }

    /// Stops both.
    pub(crate) fn shutdown(&self) {
        self.slack.shutdown();
        self.fivetran.shutdown();
    }

    /// What leads a bot to them, as variables; with a bot token.
    pub(crate) fn vars(&self) -> Vec<(String, String)> {
        let vars = sandbox::stand_in_vars(&self.slack, &self.fivetran);
        // One person types what many do elsewhere.
        let busy =
            [("COMMANDS_PER_PERSON", "1000000".to_owned()), ("COMMANDS_PER_WORKSPACE", "1000000".to_owned())];
        vars.chain(busy).map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The messages that carry a command's reference: first the links, then the failures. That a
    /// command waits is neither.
    pub(crate) fn messages_by_reference(&self) -> HashMap<String, (usize, usize)> {
        let mut found = HashMap::new();
        for message in self.slack.messages().into_iter().filter(|message| !is_note(message)) {
            let Some(reference) = reference(&message.rendered()) else { continue };
            let counts: &mut (usize, usize) = found.entry(reference).or_default();
            match message.visibility {
                Visibility::Channel => counts.0 += 1,
                Visibility::Ephemeral => counts.1 += 1,
            }
        }
        found
    }

    /// Whether a command's failure says that a link may have been posted all the same.
    pub(crate) fn says_so(&self, wanted: &str) -> bool {
        let messages = self.slack.messages();
        let mut failures = messages.iter().filter(|message| message.visibility == Visibility::Ephemeral);
        failures.any(|message| {
            let text = message.rendered();
            reference(&text).as_deref() == Some(wanted)
                && text.contains("couldn't make sure that its link was posted")
        })
    }

    /// When each command's messages were posted, by Slack's clock in seconds.
    pub(crate) fn post_times(&self) -> HashMap<String, Vec<f64>> {
        let mut found: HashMap<String, Vec<f64>> = HashMap::new();
        for message in self.slack.messages().into_iter().filter(|message| !is_note(message)) {
            if let Some(reference) = reference(&message.rendered()) {
                found.entry(reference).or_default().push(message.ts.parse().unwrap());
            }
        }
        found
    }

    /// How many connections there are of each name.
    pub(crate) fn connections_by_name(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for connection in self.fivetran.connections() {
            *counts.entry(connection["schema"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        counts
    }

    /// Waits until each of `references` has had its link or its sentence, for as long as some of them get theirs.
    pub(crate) async fn until_all_ended(&self, references: &HashSet<String>) {
        let (mut fewest, mut end) = (usize::MAX, Instant::now() + PATIENCE);
        loop {
            let began = Instant::now();
            let seen = self.messages_by_reference();
            let left: Vec<_> = references.iter().filter(|it| !seen.contains_key(*it)).collect();
            let Some(one) = left.first() else { return };
            if left.len() < fewest {
                (fewest, end) = (left.len(), began + PATIENCE);
            }
            let (now, all) = (Instant::now(), references.len());
            assert!(now < end, "{} of {all} commands have no end, such as {one}", left.len());
            // There may be very many, and Slack has to go on beside this.
            tokio::time::sleep(GLANCE.max((now - began) * 4)).await;
        }
    }
}
