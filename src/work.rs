//! What was asked for, with every name resolved, as it is stored with a command and with a link.
//!
//! Owns the JSON of both. Pure: knows neither how the words were typed ([`crate::command`]) nor how
//! the work is done ([`crate::journal`]).

use serde::{Deserialize, Serialize};

use crate::fivetran::catalog::ServiceId;
use crate::fivetran::schema::{SchemaKind, Target};

/// A connection to make, to find, or to act on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The service's id.
    pub service: ServiceId,
    /// Its display name.
    pub service_name: String,
    /// Which config keys it wants; `None` where only Fivetran knows.
    pub kind: Option<SchemaKind>,
    /// The retired name that was typed, if one was.
    pub retired: Option<String>,
    /// Where the data will land.
    pub target: Target,
    /// The destination's group id.
    pub group_id: String,
    /// The destination's name, if one was typed or the channel has one.
    pub destination: Option<String>,
    /// What stands before the arguments, for the examples in replies.
    pub slash: String,
    /// Whether it was asked for in a direct message, between two people or several: nobody can invite
    /// the bot there.
    #[serde(default)]
    pub in_direct_message: bool,
    /// What the person has said, on being asked, to posting a link for what is there already.
    #[serde(default)]
    pub confirmed: Confirmed,
    /// Whether the person has said, on being asked, that the link may go where people of several other
    /// organisations can use it. Beside [`Self::confirmed`], since either may be asked first, and what was
    /// said to one question is no answer to the other. Left out of the JSON if not, as below.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub for_all: bool,
    /// Whether its schema is the channel's and was not typed. Left out of the JSON if it was: so it reads as
    /// in the release before, which does not know this.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_channel: bool,
    /// Who it is for, where its schema was made of that: in the same channel, one customer's sources share
    /// a message while their onboarding is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// The onboarding whose message it is to be part of, by its reference: nothing of it is posted or told
    /// by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub onboarding: Option<String>,
}

/// What names a connection: Fivetran keeps it unique in a destination.
/// <https://fivetran.com/docs/core-concepts/no-renaming>
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// The destination's group id.
    pub group_id: String,
    /// The connection's name.
    pub name: String,
}

impl Request {
    /// What names its connection.
    #[must_use]
    pub fn key(&self) -> Key {
        Key { group_id: self.group_id.clone(), name: self.target.connection_name() }
    }
}

/// Several sources of one customer, to be connected in one message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Onboard {
    /// Who they are for; `None` where the channel's pattern does without.
    pub customer: Option<String>,
    /// Two or more, each a connection of its own.
    pub sources: Vec<Request>,
}

impl Onboard {
    /// As it is stored with its command; `None` if that fails.
    #[must_use]
    pub fn to_json(&self) -> Option<String> {
        #[derive(Serialize)]
        #[serde(tag = "verb", rename = "onboard")]
        struct Kept<'a> {
            customer: &'a Option<String>,
            sources: &'a [Request],
        }
        serde_json::to_string(&Kept { customer: &self.customer, sources: &self.sources }).ok()
    }

    /// From how it is stored; `None` if that is something else.
    #[must_use]
    pub fn from_json(json: &str) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(tag = "verb", rename_all = "snake_case")]
        enum Kept {
            Onboard(Onboard),
        }
        let Kept::Onboard(onboard) = serde_json::from_str(json).ok()?;
        Some(onboard)
    }

    /// Whether nobody has said yet that people of several other organisations may get links by its message.
    #[must_use]
    pub fn is_for_few(&self) -> bool {
        !self.sources.iter().all(|source| source.for_all)
    }

    /// The same, which somebody has said.
    #[must_use]
    pub fn for_all(mut self) -> Self {
        self.sources.iter_mut().for_each(|source| source.for_all = true);
        self
    }

    /// What no two open commands may be about: one customer's onboarding in a channel, or the same sources
    /// where nobody is named.
    #[must_use]
    pub fn subject(&self, channel_id: &str) -> String {
        let names =
            || self.sources.iter().map(|it| it.target.connection_name()).collect::<Vec<_>>().join(",");
        format!("onboarding {channel_id} {}", self.customer.clone().unwrap_or_else(names))
    }
}

/// Most sources of one command: with the rest of their message they stay within the 50 blocks that Slack
/// takes, and within the 20 connections that Fivetran creates in a minute.
/// <https://docs.slack.dev/reference/block-kit/blocks>
pub const MOST_SOURCES: usize = 20;

/// What a person has said to posting a link for a connection that was there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confirmed {
    /// Nothing yet.
    #[default]
    No,
    /// That its link may be posted here, though it was posted in another channel.
    PostHere,
    /// That it may be authorised again from here, though it has been connected.
    Reauthorise,
}

/// What a stored command does, as JSON in its row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
pub enum Work {
    /// Make a connection and post its link.
    Connect(Request),
    /// Put a new link in the place of an old one.
    Renew {
        /// The old one's reference.
        link: String,
        /// Who asked for it, if somebody else pressed the button in its message: the customer, perhaps,
        /// who can do nothing about whatever keeps a new one away.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        requester: Option<String>,
        /// Whether its button was pressed in a message that nobody's command has posted: then it is judged
        /// first whether a link may stand there. Left out of the JSON if not, as in [`Request`].
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unasked: bool,
        /// What was asked for then.
        #[serde(flatten)]
        request: Request,
    },
    /// Show whoever asks, alone, a link for a source in the message of an onboarding.
    Open {
        /// The source's reference.
        link: String,
        /// Who asked for the source, if that is somebody else: see [`Self::Renew`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        requester: Option<String>,
        /// What was asked for then.
        #[serde(flatten)]
        request: Request,
    },
    /// Delete a connection that nobody has finished.
    Cancel {
        /// Its link's reference.
        link: String,
        /// What was asked for then.
        #[serde(flatten)]
        request: Request,
    },
    /// Have Fivetran sync a connection now.
    Sync {
        /// Its link's reference.
        link: String,
        /// What was asked for then.
        #[serde(flatten)]
        request: Request,
    },
}

impl Work {
    /// What was asked for.
    #[must_use]
    pub fn request(&self) -> &Request {
        match self {
            Self::Connect(request)
            | Self::Renew { request, .. }
            | Self::Open { request, .. }
            | Self::Cancel { request, .. }
            | Self::Sync { request, .. } => request,
        }
    }

    /// Who else is told why it failed: see [`Self::Renew`].
    #[must_use]
    pub fn requester(&self) -> Option<&str> {
        match self {
            Self::Renew { requester, .. } | Self::Open { requester, .. } => requester.as_deref(),
            _ => None,
        }
    }

    /// Whether nobody has said yet that its link may be seen by people of several other organisations. Of a
    /// new link for an old one nobody is asked: it goes into the message, or at least the channel, in which
    /// the old one stood, to those who had that one. Nor is it asked of a direct message, whose members were
    /// chosen one by one, nor of a source that was asked for with others: of those it is asked together.
    #[must_use]
    pub fn is_for_few(&self) -> bool {
        matches!(self, Self::Connect(request)
            if !request.for_all && !request.in_direct_message && request.onboarding.is_none())
    }

    /// Whether nobody has said at all that a link may stand in its channel: see [`Self::Renew`].
    #[must_use]
    pub fn is_unasked(&self) -> bool {
        matches!(self, Self::Renew { unasked: true, .. })
    }

    /// Its name in the log.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::Renew { .. } => "renew",
            Self::Open { .. } => "open",
            Self::Cancel { .. } => "cancel",
            Self::Sync { .. } => "sync",
        }
    }

    /// What is wanted, as far as it decides what may be done.
    #[must_use]
    pub fn intent(&self) -> Intent {
        match self {
            Self::Connect(request) => match request.confirmed {
                Confirmed::No => Intent::Connect,
                Confirmed::PostHere => Intent::PostHere,
                Confirmed::Reauthorise => Intent::Reauthorise,
            },
            Self::Renew { .. } => Intent::Renew,
            Self::Open { .. } => Intent::Open,
            Self::Cancel { .. } => Intent::Cancel,
            Self::Sync { .. } => Intent::Sync,
        }
    }

    /// What no two open commands may be about: one connection, whatever is wanted of it and wherever
    /// it was asked for. While one is at work on its link, no other may be.
    #[must_use]
    pub fn subject(&self) -> String {
        let Key { group_id, name } = self.request().key();
        format!("{group_id} {name}")
    }
}

/// What is wanted of a connection, as far as it decides what may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// A link in a channel, for a connection that is made unless an unfinished one is there. One that
    /// the customer has finished gets none: a link for it must not reach a channel by a typo.
    Connect,
    /// The same for one that is known to be there, with its link in another channel.
    PostHere,
    /// A link by which a connected one can be authorised again.
    Reauthorise,
    /// A link in a shell, for whoever has the key: for a finished connection too.
    Print,
    /// A new link for this one connection and no other; for a finished one only if it is broken.
    Renew,
    /// The same, for one person alone.
    Open,
    /// Its end, unless the customer has finished it.
    Cancel,
    /// A sync of it, now.
    Sync,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_sources_come_back_as_they_were_stored_and_are_no_other_work() {
        let source: Request = serde_json::from_value(serde_json::json!({
            "service": "stripe", "service_name": "Stripe", "target": { "schema": "acme_stripe", "table": null },
            "group_id": "g", "slash": "/connect-card", "customer": "acme",
        }))
        .unwrap();
        let onboard =
            Onboard { customer: Some("acme".to_owned()), sources: vec![source.clone(), source.clone()] };
        let json = onboard.to_json().unwrap();
        assert!(json.starts_with(r#"{"verb":"onboard","customer":"acme","#), "{json}");
        assert_eq!(Onboard::from_json(&json), Some(onboard));
        assert!(serde_json::from_str::<Work>(&json).is_err());
        let one = serde_json::to_string(&Work::Connect(source)).unwrap();
        assert_eq!(Onboard::from_json(&one), None);
    }
}
