//! The sentences for somebody who is not allowed to use the bot.
//!
//! Owns their wording: what happened, and whom to ask for what. Must not know how it was found out.

use slack_morphism::prelude::{SlackBlock, SlackMessageContent};

use super::markup::{Mrkdwn, content, cut};
use crate::permission::{Reason, Refused, Unclear};

/// Why nothing was done, and whom to ask; for the person alone.
#[must_use]
pub fn refused(refused: &Refused) -> SlackMessageContent {
    let (happened, ask_to) = words(&refused.reason);
    let text = format!("{happened} Ask the people who run this bot {ask_to}.");
    content(&text, vec![section(refused)])
}

/// The same as one section.
pub(super) fn section(refused: &Refused) -> SlackBlock {
    let (happened, ask_to) = words(&refused.reason);
    let mut shown = Mrkdwn::default().text(&happened).raw(" Ask the people who run this bot");
    for (at, id) in refused.ask.iter().enumerate() {
        // The ids come from the configuration, which takes nothing but letters and digits.
        shown = shown.raw(if at == 0 { " (for example " } else { ", " }).raw("<@").text(id).raw(">");
    }
    shown = shown.raw(if refused.ask.is_empty() { " " } else { ") " }).text(&ask_to).raw(".");
    shown.section()
}

/// What happened, and what to ask for, as the end of a sentence.
fn words(reason: &Reason) -> (String, String) {
    let (happened, ask_to) = match reason {
        Reason::Channel => ("This bot isn't allowed in this channel, so I did nothing.", "to allow it here"),
        Reason::NotListed => {
            ("You're not on the list of people who can use this bot, so I did nothing.", "to add you")
        }
        Reason::Guest => {
            ("Guests can't use this bot, so I did nothing.", "to do it for you, or to give you access")
        }
        Reason::Outsider => {
            ("Only people from this bot's own workspace can use it, so I did nothing.", "to do it for you")
        }
        Reason::Unseen => (
            "You're on the list of people who can use this bot, but Slack says that it can't find you from the bot's \
             workspace, so I did nothing.",
            "to check your id in ALLOWED_USERS, and whether SLACK_BOT_TOKEN is of this workspace",
        ),
        Reason::Deleted => ("Slack says your account is deactivated, so I did nothing.", "to do it for you"),
        Reason::Unknown(Unclear::Silent) => (
            "Slack didn't answer in time when I asked who you are, so I did nothing. Try again in a minute.",
            "to look into it if this keeps happening",
        ),
        Reason::Unknown(unclear) => {
            return unclear_words(
                "Only certain people can use this bot, and I couldn't find out who you are",
                unclear,
            );
        }
        Reason::Unplaced(unclear) => {
            let who = "Only people from this bot's own workspace or organisation can do this, and I couldn't find out \
                       whether you're one of them";
            return unclear_words(who, unclear);
        }
        Reason::Unclear(unclear) => {
            let who = "Only certain user groups can use this bot, and I couldn't check whether you're in one";
            return unclear_words(who, unclear);
        }
    };
    (happened.to_owned(), ask_to.to_owned())
}

/// What could not be found out, and why, by `what` as the beginning of a sentence.
fn unclear_words(what: &str, unclear: &Unclear) -> (String, String) {
    let (because, ask_to) = match unclear {
        Unclear::NoToken => ("I have no token to check with".to_owned(), "to set SLACK_BOT_TOKEN".to_owned()),
        Unclear::MissingScope(scope) => (
            format!("Slack hasn't granted me the scope {scope}"),
            "to add it to the app and reinstall it".to_owned(),
        ),
        Unclear::NoUserGroups => (
            "this workspace's Slack plan has no user groups".to_owned(),
            "to add you to ALLOWED_USERS by name".to_owned(),
        ),
        Unclear::NoSuchGroup => {
            ("one of those groups doesn't exist".to_owned(), "to correct ALLOWED_USER_GROUPS".to_owned())
        }
        Unclear::Refused(word) => {
            (format!("Slack refused to tell me ({})", cut(word, 60)), "to run connect-card check".to_owned())
        }
        Unclear::Silent => {
            ("Slack didn't answer in time".to_owned(), "to look into it if this keeps happening".to_owned())
        }
        Unclear::Throttled => (
            "Slack is limiting how often I may ask".to_owned(),
            "to look into it if this keeps happening".to_owned(),
        ),
        Unclear::Unreachable => {
            ("I couldn't reach Slack to ask".to_owned(), "to look into it if this keeps happening".to_owned())
        }
        Unclear::Unusable(word) => (
            match word {
                Some(word) => format!("Slack answered with an error ({})", cut(word, 60)),
                None => "I couldn't read Slack's answer".to_owned(),
            },
            "to look into it if this keeps happening".to_owned(),
        ),
        Unclear::Untold => (
            "Slack's answer doesn't say".to_owned(),
            "to do it for you, or to run connect-card check".to_owned(),
        ),
    };
    let again = if unclear.may_pass() { " Try again in a minute." } else { "" };
    (format!("{what}: {because}. So I did nothing.{again}"), ask_to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_to_three_people_are_named_and_nothing_else_is_markup() {
        let show = |ask: &[&str], reason: Reason| {
            let ask = ask.iter().map(|&id| id.to_owned()).collect();
            serde_json::to_value(refused(&Refused { reason, ask })).unwrap()
        };
        let shown = show(&["U1", "U2"], Reason::Guest);
        let section = shown["blocks"][0]["text"]["text"].as_str().unwrap();
        assert_eq!(
            section,
            "Guests can't use this bot, so I did nothing. Ask the people who run this bot (for example <@U1>, <@U2>) \
             to do it for you, or to give you access."
        );
        assert!(!shown["text"].as_str().unwrap().contains("U1"), "{shown}");
        for (unclear, expected) in [
            (
                Unclear::Throttled,
                "Slack is limiting how often I may ask. So I did nothing. Try again in a minute.",
            ),
            (
                Unclear::Unusable(Some("internal_error".to_owned())),
                "Slack answered with an error (internal_error).",
            ),
            (Unclear::Unusable(None), "I couldn't read Slack's answer."),
            (Unclear::Unreachable, "I couldn't reach Slack to ask."),
        ] {
            for reason in [Reason::Unknown(unclear.clone()), Reason::Unplaced(unclear.clone())] {
                let shown = show(&[], reason).to_string();
                assert!(shown.contains(expected) && !shown.contains("didn't answer"), "{shown}");
            }
        }
        let shown = show(&[], Reason::Unclear(Unclear::Refused("<!channel>".to_owned())));
        assert!(!shown.to_string().contains("<!"), "{shown}");
        assert!(!shown.to_string().contains("for example"), "{shown}");
    }
}
