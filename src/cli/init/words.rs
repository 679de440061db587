//! What the dialogue says. Pure.
//!
//! Owns its sentences, and where a person finds each thing that is asked for.

use super::plan::{Item, Way};

pub(super) const WELCOME: &str = "\
This asks for what the bot needs and keeps it in .env, in this folder, for your user alone. An answer
is tried, then kept at once: Ctrl-C stops, and the next time only the rest is asked for.
";

pub(super) const WAYS: &str = "\
How does Slack reach the bot?
  1  It needn't: the bot connects to Slack (Socket Mode). No public address; good to begin with
  2  At a public https address";

pub(super) const STOPPED: &str =
    "\nStopped. What was ticked off is in .env; connect-card init goes on from there.";

pub(super) const UNCHECKED: &str =
    "\nStopped. All that was asked for is in .env; connect-card check looks at it again.";

pub(super) const NO_APP: &str = "
The link that makes the Slack app needs a right address. If there is no app yet, stop here with Ctrl-C,
correct PUBLIC_URL, and run this again.";

pub(super) const ELSEWHERE: &str =
    "It comes from the environment or from a file of its own, which count before .env: correct it there.";

pub(super) const WITHOUT_BOT_TOKEN: &str = "Without it, a message can't change once it is posted, and nothing reaches Slack half an hour after a command. Leave it out?";

pub(super) const NO_DESTINATION: &str = "
This key sees no destination. Make one at fivetran.com, or let the key read one; or type the id of one
that it may use without seeing it.";

pub(super) const CHANNELS: &str = "
Where each customer has a channel, the channel's schema and destination can be set once, so that people
type only the service.";

pub(super) const CHANNELS_BY_HAND: &str = "connect-card.toml is there already, or no destination is set yet: docs/channels.md shows how to write it by hand.";

pub(super) const CHANNELS_IN_CONTAINER: &str =
    "  A bot in a container must be given that file as well: docs/deploying.md shows the line.";

pub(super) const CHANNEL_ID: &str =
    "An id looks like C0123ABC. It stands at the bottom of the channel's details in Slack.";

pub(super) const SCHEMA: &str =
    "A schema, or schema.table: a-z, 0-9 and _, not beginning with a digit, at most 63 characters each.";

/// What a person does after a check in which all is well. `program` is what they typed to run this.
pub(super) fn next(program: &str, way: Option<Way>) -> String {
    let program = typed(program);
    let reached = match way {
        Some(Way::Https) => {
            " Your https address hands requests on to it, at port 3000 unless PORT says otherwise."
        }
        _ => "",
    };
    format!(
        "\nAll is set. Start the bot in this folder.{reached}\n\n    {program} serve\n\nThen, in a channel in Slack, type:\n\n    /invite @connect-card\n    /connect-card google_ads customer_schema"
    )
}

/// What a person does after a check in which something is not well.
pub(super) fn mend(program: &str) -> String {
    let program = typed(program);
    format!(
        "\nMend what has a ✗. {program} init asks again only for what is missing or wrong, and\n{program} check only looks."
    )
}

/// What can be typed once more as it is.
fn typed(program: &str) -> &str {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-');
    let is_typed = !program.is_empty() && program.chars().all(is_plain);
    if is_typed { program } else { "connect-card" }
}

/// What an item is called.
pub(super) fn noun(item: Item) -> &'static str {
    match item {
        Item::PublicUrl => "The address",
        Item::AppToken => "The app-level token",
        Item::SigningSecret => "The signing secret",
        Item::BotToken => "The bot token",
        Item::Key => "The key",
        Item::Destination => "The destination",
    }
}

/// The link that makes the app.
pub(super) fn app(link: &str) -> String {
    format!(
        "\nMake the Slack app: open this link, choose the workspace, and then Create.\n\n{link}\n\nIn the app's settings, choose Install App > Install to Workspace."
    )
}

/// Where a person finds what is asked for.
pub(super) fn explanation(item: Item) -> &'static str {
    match item {
        Item::PublicUrl => {
            "\nThe https address at which your reverse proxy or platform will hand requests to the bot, such as\nhttps://connect-card.example.com"
        }
        Item::AppToken => {
            "\nBasic Information > App-Level Tokens > Generate Token and Scopes: any name, add the scope\nconnections:write, Generate. It begins with xapp- and is not shown here while you paste it."
        }
        Item::SigningSecret => {
            "\nBasic Information > App Credentials > Signing Secret > Show. It is not shown here while you paste it."
        }
        Item::BotToken => "\nOAuth & Permissions > Bot User OAuth Token. It begins with xoxb-",
        Item::Key => {
            "\nAt fivetran.com/account/settings, under your name > API key, create a key. Paste the key and then the\nsecret, or the Base64 of both."
        }
        Item::Destination => {
            "It is on the destination's Overview page at fivetran.com, as Destination Group ID."
        }
    }
}

/// What is to be done where nothing can be asked.
pub(super) fn by_hand(why: &str, missing: &[&str]) -> String {
    let what = match missing {
        [] => "nothing is missing".to_owned(),
        missing => format!("set these by hand, in .env or the environment: {}", missing.join(", ")),
    };
    format!("{why}: {what}. Then run connect-card check. The README explains every variable.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_typed_next_is_what_was_typed_before() {
        for (program, shown) in [
            ("target/release/connect-card", "\n    target/release/connect-card serve\n"),
            ("connect-card", "\n    connect-card serve\n"),
            ("/opt/my bot/connect-card", "\n    connect-card serve\n"),
            ("", "\n    connect-card serve\n"),
        ] {
            assert!(next(program, Some(Way::Socket)).contains(shown), "{program}");
        }
    }
}
