//! The calls that a command makes, and how a bot is brought to make each.
//!
//! Owns the list and the way to each. Must not know what is wrong with an answer.

use connect_card::reply::ask::CANCEL;
use stand_ins::fault::Fault;
use stand_ins::slack::{Message, render};

use super::fault::{Kind, OF_ANYBODY, OF_FIVETRAN, OF_SLACK};
use crate::harness::{CHANNEL, COLLEAGUE, PRIVATE, Setup, TestBot, USER};

/// What is expected of a call in general, see [`super::rule`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// It makes what must not be made twice.
    Creates,
    /// It only asks, and can be asked again.
    Asks,
    /// It asks what can be guessed.
    Wonders,
    /// It changes what is there, and what came of it is told in a sentence.
    Acts,
    /// It brings the link, and there is another way.
    Links,
    /// It brings the link, and there is no other way.
    LinksAlone,
    /// It brings the sentence, and there is another way.
    Tells,
    /// It brings the sentence, and there is no other way.
    TellsAlone,
    /// It is asked before a command is accepted.
    Admits,
    /// It opens the form.
    Opens,
}

/// One call.
pub(super) struct Call {
    pub(super) name: &'static str,
    /// As the stand-in counts it.
    pub(super) route: &'static str,
    pub(super) sort: Sort,
    pub(super) is_fivetrans: bool,
    has_token: bool,
}

impl Call {
    /// What can be wrong with its answer.
    pub(super) fn kinds(&self) -> impl Iterator<Item = &'static Kind> + use<> {
        OF_ANYBODY.iter().chain(if self.is_fivetrans { OF_FIVETRAN } else { OF_SLACK })
    }
}

const fn of_fivetran(name: &'static str, route: &'static str, sort: Sort) -> Call {
    Call { name, route, sort, is_fivetrans: true, has_token: true }
}

const fn of_slack(name: &'static str, route: &'static str, sort: Sort) -> Call {
    let has_token = !matches!(sort, Sort::LinksAlone | Sort::TellsAlone);
    Call { name, route, sort, is_fivetrans: false, has_token }
}

/// Every call.
pub(super) const CALLS: &[Call] = &[
    of_fivetran("create", "create_connection", Sort::Creates),
    of_fivetran("look", "list_connections", Sort::Asks),
    of_fivetran("card", "connect_card", Sort::Asks),
    of_fivetran("config keys", "connector_type", Sort::Wonders),
    of_fivetran("cancel: see", "get_connection", Sort::Acts),
    of_fivetran("cancel: delete", "delete_connection", Sort::Acts),
    of_slack("link by chat.postMessage", "chat.postMessage", Sort::Links),
    of_slack("link by the response_url", "response_url", Sort::LinksAlone),
    of_slack("sentence by the response_url", "response_url", Sort::Tells),
    of_slack("sentence by chat.postEphemeral", "chat.postEphemeral", Sort::Tells),
    of_slack("sentence by the response_url alone", "response_url", Sort::TellsAlone),
    of_slack("who: users.info", "users.info", Sort::Admits),
    of_slack("form: views.open", "views.open", Sort::Opens),
];

/// What the bystander's calls say, and nobody else's.
pub(super) const BYSTANDER: &str = "bystander";
/// A service that Fivetran's catalogue has, and the bot's own doesn't.
const NEW_SERVICE: &str = "brand_new_ads";

/// A bot that is about to be asked for what makes this call.
pub(super) async fn ready(call: &Call) -> TestBot {
    let setup = Setup::new().await;
    let setup = if call.has_token { setup } else { setup.without_token() };
    // Whoever isn't known must be asked about.
    let setup = if call.sort == Sort::Admits { setup.with("ALLOWED_USER_GROUPS", "S0SETUP") } else { setup };
    if call.route == "connector_type" {
        setup.fivetran.list_service(NEW_SERVICE, "Brand New Ads");
    }
    let bot = setup.start().await;
    bot.slack.join(PRIVATE);
    bot.slack.set_user_group("S0SETUP", &[USER, COLLEAGUE]);
    let (slack, fivetran) = (&bot.slack, &bot.fivetran);
    match (call.sort, call.route) {
        (Sort::Asks, "list_connections" | "connect_card") => {
            let _ = fivetran.seed_connection("google_ads", "acme", "incomplete");
        }
        (Sort::Acts, _) => {
            bot.send("google_ads acme").await;
            bot.message(1).await;
            bot.until_all_ended().await;
        }
        (Sort::Tells | Sort::TellsAlone, route) => {
            fivetran.faults(|faults| {
                faults.fail_always("create_connection", Fault::Status(400));
                faults.spare(&[BYSTANDER]);
            });
            if route == "chat.postEphemeral" {
                let used = Fault::Says(404, serde_json::json!({ "ok": false, "error": "used_url" }));
                slack.faults(|faults| faults.fail_always("response_url", used));
            }
        }
        _ => {}
    }
    bot
}

/// What the person is asked before that call.
pub(super) async fn question(call: &Call, bot: &TestBot) -> Option<Message> {
    match call.sort {
        Sort::Acts => Some(bot.private(&bot.send("cancel acme").await)),
        _ => None,
    }
}

/// Types what makes the call, or presses the button below the question. Gives what the person reads at once.
pub(super) async fn ask(call: &Call, bot: &TestBot, question: Option<&Message>) -> String {
    let typed = match (call.sort, call.route) {
        (Sort::Opens, _) => "",
        (_, "connector_type") => "brand_new_ads acme",
        _ => "google_ads acme",
    };
    match question {
        Some(question) => {
            let ack = bot.slack.press(&bot.url, question, CANCEL, USER).await.unwrap();
            assert_eq!(ack.status, 200);
            String::new()
        }
        None => {
            let shown = bot.send_as(USER, CHANNEL, typed).await.json();
            if shown.is_null() { String::new() } else { render(&shown) }
        }
    }
}
