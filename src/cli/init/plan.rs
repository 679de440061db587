//! What is asked next, from what is there. Pure.
//!
//! Owns the order of the questions and when each of them is settled. Must not know how they are asked,
//! nor what makes an answer right.

use std::collections::BTreeMap;

/// How Slack reaches the bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Through connections that the bot opens.
    Socket,
    /// At a public address.
    Https,
}

/// What the bot needs to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Item {
    /// The public address.
    PublicUrl,
    /// The app-level token.
    AppToken,
    /// The signing secret.
    SigningSecret,
    /// The bot token.
    BotToken,
    /// Fivetran's key, both halves.
    Key,
    /// Where data lands.
    Destination,
}

impl Item {
    const ALL: [Self; 6] =
        [Self::PublicUrl, Self::AppToken, Self::SigningSecret, Self::BotToken, Self::Key, Self::Destination];

    /// Its variables; one that is set makes it no longer missing.
    pub(super) fn variables(self) -> &'static [&'static str] {
        match self {
            Self::PublicUrl => &["PUBLIC_URL"],
            Self::AppToken => &["SLACK_APP_TOKEN"],
            Self::SigningSecret => &["SLACK_SIGNING_SECRET"],
            Self::BotToken => &["SLACK_BOT_TOKEN"],
            Self::Key => &["FIVETRAN_API_KEY", "FIVETRAN_API_SECRET"],
            Self::Destination => &["FIVETRAN_GROUP_ID", "CONFIG"],
        }
    }
}

impl Way {
    /// What it takes, in the order in which it is asked for.
    fn items(self) -> &'static [Item] {
        match self {
            Self::Socket => &[Item::AppToken, Item::BotToken, Item::Key, Item::Destination],
            Self::Https => {
                &[Item::PublicUrl, Item::SigningSecret, Item::BotToken, Item::Key, Item::Destination]
            }
        }
    }
}

/// How far an item has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// There is no value.
    Missing,
    /// There was one already, and nobody has tried it.
    Untried,
    /// It is right, or is to stay as it is.
    Settled,
}

/// What is known so far.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// How Slack is to reach the bot.
    pub(super) way: Option<Way>,
    /// Whether there is an app, as whoever has one of its secrets has, or the link that makes one has been
    /// shown.
    pub(super) has_app: bool,
    /// Whether the defaults of channels have been asked for.
    pub(super) channels_are_settled: bool,
    /// The variables that were set before anything was asked.
    pub(super) found: Vec<&'static str>,
    standings: BTreeMap<Item, Standing>,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Ask how Slack is to reach the bot.
    AskWay,
    /// Show the link that makes the app.
    ShowApp(Way),
    /// Ask for what is missing.
    Ask(Item),
    /// Try what is there.
    Try(Item),
    /// Ask for the defaults of channels.
    AskChannels,
}

impl Known {
    /// From which variables are set.
    pub(super) fn of(is_set: impl Fn(&str) -> bool) -> Self {
        let standing = |item: Item| match item.variables().iter().any(|name| is_set(name)) {
            true => Standing::Untried,
            false => Standing::Missing,
        };
        let way = match is_set("SLACK_APP_TOKEN") {
            true => Some(Way::Socket),
            false if is_set("SLACK_SIGNING_SECRET") || is_set("PUBLIC_URL") => Some(Way::Https),
            false => None,
        };
        let has_app = [Item::AppToken, Item::SigningSecret, Item::BotToken].map(standing);
        let variables = Item::ALL.iter().flat_map(|item| item.variables());
        Self {
            way,
            has_app: has_app.contains(&Standing::Untried),
            found: variables.copied().filter(|name| is_set(name)).collect(),
            channels_are_settled: is_set("CONFIG"),
            standings: Item::ALL.into_iter().map(|item| (item, standing(item))).collect(),
        }
    }

    /// Takes note of how an item stands.
    pub(super) fn note(&mut self, item: Item, standing: Standing) {
        self.standings.insert(item, standing);
    }

    /// What comes next; nothing, once all is settled.
    pub(super) fn next(&self) -> Option<Step> {
        let Some(way) = self.way else { return Some(Step::AskWay) };
        let of = |item: Item| self.standings.get(&item).copied().unwrap_or(Standing::Missing);
        for &item in way.items() {
            let is_of_app = matches!(item, Item::AppToken | Item::SigningSecret | Item::BotToken);
            match of(item) {
                Standing::Missing if is_of_app && !self.has_app => return Some(Step::ShowApp(way)),
                Standing::Missing => return Some(Step::Ask(item)),
                Standing::Untried => return Some(Step::Try(item)),
                Standing::Settled => {}
            }
        }
        (!self.channels_are_settled).then_some(Step::AskChannels)
    }

    /// The variables that are missing, each as a person would set it.
    pub(super) fn missing(&self) -> Vec<&'static str> {
        let missing = |item: &&Item| self.standings.get(item) == Some(&Standing::Missing);
        let of = |item: &Item| match item {
            Item::Destination => "FIVETRAN_GROUP_ID",
            Item::Key => "FIVETRAN_API_KEY and FIVETRAN_API_SECRET",
            item => item.variables().first().copied().unwrap_or_default(),
        };
        let first: &[&str] = if self.way.is_none() {
            &["SLACK_APP_TOKEN (or SLACK_SIGNING_SECRET and PUBLIC_URL)"]
        } else {
            &[]
        };
        let rest = match self.way {
            Some(way) => way.items(),
            None => &[Item::BotToken, Item::Key, Item::Destination],
        };
        first.iter().copied().chain(rest.iter().filter(missing).map(of)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All steps, when each question is answered and each try comes out well.
    fn steps(set: &[&str], way: Way) -> Vec<Step> {
        let mut known = Known::of(|name| set.contains(&name));
        let mut steps = Vec::new();
        while let Some(step) = known.next() {
            match step {
                Step::AskWay => known.way = Some(way),
                Step::ShowApp(_) => known.has_app = true,
                Step::Ask(item) | Step::Try(item) => known.note(item, Standing::Settled),
                Step::AskChannels => known.channels_are_settled = true,
            }
            steps.push(step);
            assert!(steps.len() < 20, "{steps:?}");
        }
        steps
    }

    #[test]
    fn where_nothing_is_there_everything_is_asked_in_order() {
        use Item::{AppToken, BotToken, Destination, Key, PublicUrl, SigningSecret};
        use Step::{Ask, AskChannels, AskWay, ShowApp};
        let [socket, https] = [Way::Socket, Way::Https].map(|way| steps(&[], way));
        let behind = [Ask(BotToken), Ask(Key), Ask(Destination), AskChannels];
        assert_eq!(socket, [&[AskWay, ShowApp(Way::Socket), Ask(AppToken)][..], &behind].concat());
        let before = [AskWay, Ask(PublicUrl), ShowApp(Way::Https), Ask(SigningSecret)];
        assert_eq!(https, [&before[..], &behind].concat());
    }

    #[test]
    fn what_is_there_is_tried_and_not_asked_for() {
        use Item::{AppToken, BotToken, Destination, Key, PublicUrl, SigningSecret};
        use Step::{Ask, AskChannels, Try};
        let rest = [Ask(BotToken), Ask(Key), Ask(Destination), AskChannels];
        assert_eq!(steps(&["SLACK_APP_TOKEN"], Way::Https), [&[Try(AppToken)][..], &rest].concat());
        assert_eq!(
            steps(&["SLACK_BOT_TOKEN", "PUBLIC_URL", "FIVETRAN_API_SECRET", "CONFIG"], Way::Socket),
            [Try(PublicUrl), Ask(SigningSecret), Try(BotToken), Try(Key), Try(Destination)]
        );
        for (set, found) in [
            (&["SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "CONFIG"][..], "SLACK_APP_TOKEN SLACK_BOT_TOKEN CONFIG"),
            (&["PORT"], ""),
        ] {
            let known = Known::of(|name| set.contains(&name));
            assert_eq!((known.found.join(" ").as_str(), known.has_app), (found, !found.is_empty()));
        }
    }

    #[test]
    fn what_is_found_wrong_is_asked_for_until_it_is_settled() {
        let mut known = Known::of(|name| matches!(name, "SLACK_APP_TOKEN" | "CONFIG"));
        assert_eq!(known.next(), Some(Step::Try(Item::AppToken)));
        known.note(Item::AppToken, Standing::Missing);
        // It is a new token that is wanted, and no new app.
        assert_eq!(known.next(), Some(Step::Ask(Item::AppToken)));
        known.note(Item::BotToken, Standing::Settled);
        known.note(Item::AppToken, Standing::Settled);
        assert_eq!(known.next(), Some(Step::Ask(Item::Key)));
    }

    #[test]
    fn what_is_missing_can_be_set_by_hand() {
        let missing = |set: &[&str]| Known::of(|name| set.contains(&name)).missing().join(", ");
        assert_eq!(
            missing(&[]),
            "SLACK_APP_TOKEN (or SLACK_SIGNING_SECRET and PUBLIC_URL), SLACK_BOT_TOKEN, FIVETRAN_API_KEY and FIVETRAN_API_SECRET, FIVETRAN_GROUP_ID"
        );
        assert_eq!(
            missing(&["PUBLIC_URL", "CONFIG", "SLACK_BOT_TOKEN", "FIVETRAN_API_KEY"]),
            "SLACK_SIGNING_SECRET"
        );
    }
}
