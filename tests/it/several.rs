//! Several services at once: what is shown before anything is made, who may agree to it, and what is asked
//! of Fivetran then.

use connect_card::reply::ask::{DISMISS, MAKE};
use serde_json::Value;
use stand_ins::fivetran::GROUP_ID;
use tempfile::TempDir;

use crate::harness::{CHANNEL, COLLEAGUE, Setup, TestBot, USER};

/// A bot whose file names a bundle and, for one channel, a customer.
pub(crate) async fn bot(customer: &str) -> (TestBot, TempDir) {
    let (setup, folder) = set_up(Setup::new().await, customer);
    (setup.start().await, folder)
}

pub(crate) fn set_up(setup: Setup, customer: &str) -> (Setup, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("customers.toml");
    let text = format!(
        "[destinations.prod]\ngroup_id = \"{GROUP_ID}\"\n\
         [bundles.onboarding]\nservices = [\"google_ads\", \"stripe\", \"hubspot\"]\n{customer}"
    );
    std::fs::write(&path, text).unwrap();
    (setup.with("CONFIG", path.to_str().unwrap()).with("FIVETRAN_GROUP_ID", ""), folder)
}

pub(crate) fn schemas(bot: &TestBot) -> Vec<String> {
    let mut schemas: Vec<_> =
        bot.fivetran.connections().iter().map(|it| it["schema"].as_str().unwrap().to_owned()).collect();
    schemas.sort();
    schemas
}

fn says(answer: &Value, words: &str) {
    assert!(answer.to_string().contains(words), "{words}: {answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_of_a_typed_customer_are_made_once_their_person_has_agreed() {
    let (bot, _folder) = bot("").await;
    for typed in ["Google Ads, stripe and HubSpot acme", "onboarding acme"] {
        let question = bot.private(&bot.types(typed).await);
        says(&question.payload, "Create these 3 connections for acme?");
        says(&question.payload, "acme_google_ads");
        says(&question.payload, "These names can't be changed later.");
        let answer = bot.presses(COLLEAGUE, &question, MAKE).await;
        says(&answer, "This button isn't for you");
        let answer = bot.presses(USER, &question, DISMISS).await;
        says(&answer, "OK, I didn't do anything.");
        assert_eq!(bot.api_calls().len(), 0, "{typed}");
    }
    let question = bot.private(&bot.types("onboarding acme").await);
    let answer = bot.presses(USER, &question, MAKE).await;
    assert_eq!(answer["replace_original"], true);
    says(&answer, "acme_google_ads");
    bot.until_all_ended().await;
    assert_eq!(schemas(&bot), ["acme_google_ads", "acme_hubspot", "acme_stripe"]);
    // A client that still shows the button.
    bot.presses(USER, &question, MAKE).await;
    bot.until_all_ended().await;
    assert_eq!(bot.created(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_of_the_channel_and_typed_ones_need_no_question() {
    let (bot, _folder) = bot(&format!("[channels.{CHANNEL}]\ncustomer = \"acme\"\n")).await;
    let answer = bot.types("onboarding").await.json();
    says(&answer, "acme_google_ads");
    bot.until_all_ended().await;
    assert_eq!(schemas(&bot), ["acme_google_ads", "acme_hubspot", "acme_stripe"]);
    bot.types("stripe pay, hubspot crm").await;
    bot.until_all_ended().await;
    assert_eq!(schemas(&bot), ["acme_google_ads", "acme_hubspot", "acme_stripe", "crm", "pay"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_not_known_keeps_all_from_being_made() {
    let (bot, _folder) = bot("").await;
    let question = bot.private(&bot.types("google_ads, hubspt, stripe acme").await);
    says(&question.payload, "I don't know a service called “hubspt”");
    assert_eq!(bot.api_calls().len(), 0);
    // The button types the whole line, and what would be made of it is shown first.
    let answer = bot.presses(USER, &question, connect_card::reply::ask::TYPE[0]).await;
    says(&answer, "Create these 3 connections for acme?");
    assert_eq!(bot.api_calls().len(), 0);
}
