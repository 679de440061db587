//! What the dialogue says. Pure.
//!
//! Owns its sentences, and where a person finds each thing that is asked for.

use super::plan::{Item, Way};
use crate::cli::check::SERVICE_FOLDER;

pub(super) const WELCOME: &str = "\
This asks for what the bot needs, tries each answer, and keeps it in .env in this folder, which others
can't read. Ctrl-C stops it; the next time it asks only for the rest.
";

pub(super) const WAYS: &str = "\
How does Slack reach the bot?
  1  It doesn't have to: the bot connects to Slack (Socket Mode). No public address; the easiest start
  2  At a public https address";

pub(super) const WAYS_AGAIN: &str = "Type 1 for Socket Mode, or 2 for a public https address. Enter is 1.";

pub(super) const NOTHING_TYPED: &str = "Nothing was typed. Ctrl-C stops.";

pub(super) const UNCHECKED: &str =
    "\nStopped. All that was asked for is in .env; connect-card check looks at it again.";

pub(super) const NO_APP: &str = "
The link that makes the Slack app needs a right address. If there is no app yet, stop here with Ctrl-C,
correct PUBLIC_URL, and run this again.";

pub(super) const ELSEWHERE: &str = "It is set in the environment, or in a file that a variable names. Both count before .env: correct it there.";

pub(super) const WITHOUT_BOT_TOKEN: &str = "\
Without it, messages can't change once they are posted, and the bot can't post more than 30 minutes after
a command.";

pub(super) const NO_DESTINATION: &str = "
This key sees no destination. Make one at fivetran.com, or let the key read one; or type the id of one
that it may use without seeing it.";

pub(super) const CHOOSE: &str = "Type a number of the list, a part of a name, or a whole id.";

pub(super) const CHANNELS: &str = "
If each customer has a channel, the customer and the destination can be set once: then people type only the
service, and google_ads of acme goes to the schema acme_google_ads. This can wait; docs/channels.md shows
how to do it later.";

pub(super) const CHANNELS_BY_HAND: &str = "connect-card.toml is there already, or no destination is set yet: docs/channels.md shows how to write it by hand.";

pub(super) const CHANNELS_IN_CONTAINER: &str =
    "  A bot in a container must be given that file as well: docs/deploying.md shows the line.";

pub(super) const CHANNEL_ID: &str =
    "An id looks like C0123ABC. It stands at the bottom of the channel's details in Slack.";

pub(super) const CUSTOMER: &str =
    "Its schemas begin with it, so use a-z, 0-9 and _, not beginning with a digit, such as acme.";

/// Where `.env` was written, which decides how the bot is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In a folder like any other.
    Folder,
    /// In one that a container was given, in which nothing else can be typed.
    Container,
    /// In systemd's.
    Service {
        /// Whether it says where the database is.
        has_database: bool,
    },
}

/// What was there before anything was asked.
pub(super) fn found(variables: &[&str]) -> Option<String> {
    let names = variables.join(", ");
    (!variables.is_empty()).then(|| {
        format!("Found: {names}. They are tried now, and only what is missing or wrong is asked for.\n")
    })
}

/// What a person who has stopped finds, and how they go on. `program` is what they typed to run this.
pub(super) fn stopped(program: &str, place: Place, kept: &[&str]) -> String {
    let again = again(program, place);
    match kept {
        [] => format!("Stopped. Nothing new was written. To go on, {again}."),
        kept => format!("Stopped. Written to .env: {}. For the rest, {again}.", kept.join(", ")),
    }
}

/// How this is run once more.
fn again(program: &str, place: Place) -> String {
    match place {
        Place::Container => "run the same command again".to_owned(),
        Place::Folder | Place::Service { .. } => format!("run {} init in this folder", typed(program)),
    }
}

/// What a person does after a check in which all is well. `named` is a channel that was just given a customer,
/// where a service is all that has to be typed.
pub(super) fn next(program: &str, way: Option<Way>, place: Place, named: Option<&str>) -> String {
    let reached = match way {
        Some(Way::Https) => {
            " Your https address hands requests on to it, at port 3000 unless PORT says otherwise."
        }
        _ => "",
    };
    let (start, command) = match place {
        Place::Folder => {
            ("All is set. Start the bot in this folder.".to_owned(), format!("{} serve", typed(program)))
        }
        Place::Container => (
            "All is set. .env is in the folder that this container was given. Start the bot there, outside of it, for example so:"
                .to_owned(),
            "docker compose up -d".to_owned(),
        ),
        Place::Service { has_database } => {
            let database = if has_database {
                ""
            } else {
                " The service may write below /var/lib/connect-card alone, so add this line to .env:\n\n    \
                 DATABASE_URL=sqlite:/var/lib/connect-card/connect-card.db\n\nThen start it."
            };
            (
                format!("All is set. The service reads .env in {SERVICE_FOLDER}.{database}"),
                "systemctl enable connect-card\n    systemctl restart connect-card".to_owned(),
            )
        }
    };
    let (channel, schema) = match named {
        Some(channel) => (format!("the channel {channel}"), ""),
        None => ("a channel".to_owned(), " customer_schema"),
    };
    format!(
        "\n{start}{reached}\n\n    {command}\n\nThen, in {channel} in Slack, type:\n\n    /invite @connect-card\n    /connect-card google_ads{schema}"
    )
}

/// What a person does after a check in which something is not well.
pub(super) fn mend(program: &str, place: Place) -> String {
    let again = again(program, place);
    format!("\nEach ✗ says what to do. After that, {again}: it asks only for what is missing or wrong.")
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
        "\nMake the Slack app, unless you have made it before: open this link, choose your workspace, then Next\nand Create.\n\n{link}\n\nIn the app's settings, choose Install App > Install to Workspace > Allow."
    )
}

/// Where a person finds what is asked for.
pub(super) fn explanation(item: Item) -> &'static str {
    match item {
        Item::PublicUrl => {
            "\nThe https address at which your reverse proxy or platform hands requests to the bot, such as\nhttps://connect-card.example.com"
        }
        Item::AppToken => {
            "\nAt api.slack.com/apps, in the app: Basic Information > App-Level Tokens > Generate Token and Scopes.\nAny name, the scope connections:write, Generate. It begins with xapp- and shows here only as stars."
        }
        Item::SigningSecret => {
            "\nAt api.slack.com/apps, in the app: Basic Information > App Credentials > Signing Secret > Show. Here it\nshows only as stars."
        }
        Item::BotToken => {
            "\nAt api.slack.com/apps, in the app: OAuth & Permissions > Bot User OAuth Token. It begins with xoxb-\nand shows here only as stars."
        }
        Item::Key => {
            "\nYour Fivetran key: first the key, then its secret, or the Base64 of both. If you have one, use it:\ngenerating a new one revokes it, wherever it is in use. If you have none, make one at\nfivetran.com/account/settings, under your name > API key."
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
    format!("{why}: {what}. Then run connect-card check. README.md explains every variable.")
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
            assert!(next(program, Some(Way::Socket), Place::Folder, None).contains(shown), "{program}");
        }
    }

    #[test]
    fn the_next_step_is_one_that_can_be_taken_where_env_was_written() {
        let next = |place| next("/connect-card", Some(Way::Https), place, None);
        assert!(next(Place::Folder).contains("in this folder. Your https address"));
        let container = next(Place::Container);
        assert!(
            container.contains("\n    docker compose up -d\n") && !container.contains("serve"),
            "{container}"
        );
        for has_database in [true, false] {
            let service = next(Place::Service { has_database });
            assert!(service.contains("systemctl restart connect-card") && !service.contains("serve\n"));
            assert_eq!(service.contains("DATABASE_URL=sqlite:/var/lib/connect-card/"), !has_database);
        }
        assert!(!mend("/connect-card", Place::Container).contains("/connect-card"));
    }

    #[test]
    fn whoever_stops_learns_in_one_line_what_was_written_and_how_to_go_on() {
        let stopped = |kept: &[&str]| stopped("./connect-card", Place::Folder, kept);
        assert_eq!(
            stopped(&[]),
            "Stopped. Nothing new was written. To go on, run ./connect-card init in this folder."
        );
        assert_eq!(
            stopped(&["PUBLIC_URL", "SLACK_SIGNING_SECRET"]),
            "Stopped. Written to .env: PUBLIC_URL, SLACK_SIGNING_SECRET. For the rest, run ./connect-card init in this folder."
        );
    }

    #[test]
    fn nobody_is_sent_to_make_a_key_who_has_one() {
        let text = explanation(Item::Key).replace('\n', " ");
        let (first, then) = text.split_once("If you have none, make one").unwrap();
        assert!(first.contains("If you have one, use it: generating a new one revokes it"), "{text}");
        assert!(then.contains("fivetran.com/account/settings"), "{text}");
    }
}
