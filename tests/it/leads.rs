//! The landing page of a source that is one of several leads its customer on to the next, and nobody else.

use std::time::Duration;

use connect_card::reply::ask::{CANCEL, MAKE};
use connect_card::reply::onboarding::CONNECT;
use stand_ins::fault::Fault;
use stand_ins::slack::{Message, SlackStandIn, Used, Visibility};

use crate::harness::{
    Browser, CHANNEL, Outside, Page, Program, TestBot, USER, client, link_of, postgres, token_of, until,
};

/// What a page asks for again, whatever Fivetran has added to its address.
fn again(landing: &str) -> String {
    format!("{}?again", landing.split('?').next().unwrap())
}

/// The message that was posted last of those with buttons of sources.
fn message_of(slack: &SlackStandIn) -> Option<Message> {
    with_button(slack, CONNECT)
}

/// The message with something in it: a source's reference stands in one.
fn with_button(slack: &SlackStandIn, has: &str) -> Option<Message> {
    let has_it = |message: &Message| {
        let shown = message.payload.to_string();
        message.visibility == Visibility::Channel && shown.contains(CONNECT) && shown.contains(has)
    };
    slack.messages().into_iter().rfind(has_it)
}

/// The references of the sources whose buttons a message has, in its order.
fn references(message: &Message) -> Vec<String> {
    let blocks = message.payload["blocks"].as_array().unwrap().iter();
    let buttons = blocks.filter(|block| block["accessory"]["action_id"] == CONNECT);
    buttons.map(|block| block["accessory"]["value"].as_str().unwrap().to_owned()).collect()
}

/// Somebody presses the button of a source in its message, and gets the link that is shown to them alone.
async fn opens(slack: &SlackStandIn, bot: &str, reference: &str) -> String {
    let message = with_button(slack, &format!("\"{reference}\"")).unwrap();
    let before = slack.messages().len();
    let used = Used { action_id: CONNECT, block_id: Some(reference), ..Used::default() };
    let ack = slack.use_in_message(bot, &message, used, USER).await.unwrap();
    assert_eq!(ack.status, 200);
    until("a link", async || slack.messages().iter().skip(before).find_map(link_of)).await
}

/// A bot with a customer's sources, as in `google_ads, hubspot, stripe acme`, and their references.
async fn with_sources(typed: &str) -> (TestBot, Vec<String>) {
    let bot = TestBot::start().await;
    let references = bot.asks_for(typed).await;
    (bot, references)
}

impl TestBot {
    /// Somebody asks for a customer's sources, and agrees to their names. Gives their references.
    async fn asks_for(&self, typed: &str) -> Vec<String> {
        let question = self.private(&self.types(typed).await);
        self.presses(USER, &question, MAKE).await;
        references(&message_of(&self.slack).unwrap())
    }

    /// The link of a source, for somebody who presses its button.
    async fn opens(&self, reference: &str) -> String {
        let link = opens(&self.slack, &self.url, reference).await;
        self.settle().await;
        link
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_connects_one_is_led_on_until_all_are_connected() {
    let (bot, sources) = with_sources("google_ads, hubspot, stripe acme").await;
    let mut customer = Browser::default();
    let card = bot.opens(&sources[0]).await;
    let minted = bot.fivetran.calls_to("connect_card");
    let (landing, page) = customer.connects(&card).await;
    let next = "Next: HubSpot. 1 of 3 is connected, and you can go on later with the buttons in Slack.";
    assert_eq!(page.said(), ["Google Ads is connected", next]);
    assert_eq!(page.button(), Some("Connect HubSpot"));
    assert!(page.text.contains(r#"<form method="post"><button>"#) && page.text.contains(r#"data-asks="0""#));
    // So it is when the page asks again, and when the browser goes back to it.
    for again in [landing.clone(), again(&landing)] {
        assert_eq!(customer.get(&again).await.said(), page.said());
    }
    assert_eq!(bot.fivetran.calls_to("connect_card"), minted, "nothing is made before the press");
    let opened = customer.presses(&landing).await;
    assert_eq!(opened.said()[0], "Opening HubSpot");
    // Whoever presses twice has another one of the same.
    let twice = customer.presses(&landing).await.leads_to().unwrap();
    assert_ne!(opened.leads_to().unwrap(), twice);
    assert_eq!(bot.fivetran.calls_to("connect_card"), minted + 2);
    let (landing, page) = customer.connects(&twice).await;
    let next = "Next: Stripe. 2 of 3 are connected, and you can go on later with the buttons in Slack.";
    assert_eq!(page.said(), ["HubSpot is connected", next]);
    let card = customer.presses(&landing).await.leads_to().unwrap();
    let (landing, page) = customer.connects(&card).await;
    let over = "Stripe was the last one. Your sign-ins are complete, and there's nothing more to do. You can \
                close this window.";
    assert_eq!(page.said(), ["All 3 are connected", over]);
    assert_eq!(page.button(), None);
    // Nothing is left to be led on to.
    let pressed = customer.presses(&landing).await;
    assert_eq!((pressed.status, pressed.header("location")), (303, "?again"));
    bot.settle().await;
    let message = message_of(&bot.slack);
    assert!(message.is_none(), "no button is left");
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_else_is_led_on() {
    let (bot, sources) = with_sources("google_ads, hubspot acme").await;
    let globex = bot.asks_for("google_ads, hubspot globex").await;
    let (card, of_globex) = (bot.opens(&sources[0]).await, bot.opens(&globex[0]).await);
    // Whoever has read the reference in Slack, or has made it up from another's, comes first and stays.
    let mut curious = Browser::default();
    let guessed = format!("{}/connected/{}", bot.url, sources[0]);
    assert!(curious.get(&guessed).await.text.contains("Checking"));
    // Neither is what proves to be from another source's card of any use.
    let (_, other) = of_globex.split_once("/connected/").unwrap();
    let (_, proof) = other.split(['&', '?']).next().unwrap().split_once('/').unwrap();
    for proof in [proof, "AAAA", &"A".repeat(400)] {
        assert!(curious.get(&format!("{guessed}/{proof}")).await.text.contains("Checking"));
    }
    assert_eq!(curious.cookies.len(), 0);

    let mut customer = Browser::default();
    let (landing, page) = customer.connects(&card).await;
    assert_eq!(page.button(), Some("Connect HubSpot"));
    let mut globex_customer = Browser::default();
    let (_, page) = globex_customer.connects(&of_globex).await;
    assert_eq!(page.button(), Some("Connect HubSpot"));
    // With the customer's own cookie, damaged or for another page; and with another customer's.
    let [(path, cookie)] = customer.cookies.iter().collect::<Vec<_>>()[..] else { panic!() };
    let (name, sealed) = cookie.split_once('=').unwrap();
    let others = globex_customer.cookies.values().next().unwrap();
    let before = bot.fivetran.calls_to("connect_card");
    for cookie in [
        format!("{name}={}", &sealed[..sealed.len() - 1]),
        format!("{name}=A{}", &sealed[1..]).replace("=AA", "=BA"),
        format!("{name}="),
        format!("{name}=MTIzIGFjbWU"),
        others.clone(),
    ] {
        if cookie == format!("{name}={sealed}") {
            continue;
        }
        let mut forger = Browser { cookies: [(path.clone(), cookie.clone())].into() };
        let page = forger.get(&landing).await;
        assert_eq!((page.said()[0], page.button()), ("Google Ads is connected", None), "{cookie}");
        assert_eq!(forger.presses(&landing).await.status, 303, "{cookie}");
    }
    let elsewhere = format!("/connected/{}", globex[0]);
    let mut thief = Browser { cookies: [(elsewhere, cookie.clone())].into() };
    assert_eq!(thief.presses(&format!("{}/connected/{}", bot.url, globex[0])).await.status, 303);
    // Without any, at whatever address, also now that it is connected.
    for address in [&guessed, &landing] {
        let page = curious.get(address).await;
        assert_eq!((page.said()[0], page.button()), ("Google Ads is connected", None));
        assert_eq!(curious.presses(address).await.status, 303);
        assert_eq!(curious.cookies.len(), 0);
    }
    // From another site's page.
    let foreign = client().post(&landing).header("origin", "https://evil.example");
    assert_eq!(customer.clone().request(foreign, &landing).await.status, 303);
    assert_eq!(bot.fivetran.calls_to("connect_card"), before, "nothing was made for them");
    assert!(customer.presses(&landing).await.leads_to().is_some());
    // An hour later nobody sits there any more.
    bot.passes(Duration::from_secs(3600)).await;
    assert_eq!(customer.presses(&landing).await.status, 303);
    assert_eq!(customer.get(&landing).await.button(), None);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_visit_that_fivetran_did_not_confirm_leads_nowhere() {
    let (bot, sources) = with_sources("google_ads, hubspot acme").await;
    let card = bot.opens(&sources[0]).await;
    let landing = format!("{}/connected/{}", bot.url, crate::harness::landing_of(&card));
    // Somebody with the link goes to where it leads without signing in.
    let mut early = Browser::default();
    let page = early.get(&landing).await;
    assert_eq!((page.said()[0], page.button()), ("Checking Google Ads", None));
    assert_eq!(early.presses(&landing).await.status, 303);
    assert_eq!(early.cookies.len(), 1);
    // Another one does it, later than visits are confirmed together.
    bot.passes(Duration::from_secs(301)).await;
    let mut customer = Browser::default();
    let (_, page) = customer.connects(&card).await;
    assert_eq!(page.button(), Some("Connect HubSpot"));
    assert_eq!(early.get(&again(&landing)).await.button(), None);
    assert_eq!(early.presses(&landing).await.status, 303);
    assert!(customer.presses(&landing).await.leads_to().is_some());
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_who_is_back_after_a_list_said_so_is_led_on_too() {
    let (bot, sources) = with_sources("google_ads, hubspot, stripe acme").await;
    let mut customer = Browser::default();
    let card = bot.opens(&sources[0]).await;
    let landing = customer.signs_in(&card).await;
    bot.passes(Duration::from_secs(60)).await;
    let told = "1 of 3 connected";
    until(told, async || message_of(&bot.slack).filter(|it| it.rendered().contains(told))).await;
    // Whoever has the reference alone is told that all is well.
    let mut other = Browser::default();
    let page = other.get(&format!("{}/connected/{}", bot.url, sources[0])).await;
    assert_eq!((page.said()[0], page.button()), ("Google Ads is connected", None));
    let page = customer.get(&landing).await;
    assert_eq!((page.said()[0], page.button()), ("Google Ads is connected", Some("Connect HubSpot")));
    let card = customer.presses(&landing).await.leads_to().unwrap();
    // The address leads whoever comes later nowhere: it has led its customer.
    bot.passes(Duration::from_secs(301)).await;
    let page = other.get(&landing).await;
    assert_eq!((page.said()[0], page.button(), other.cookies.len()), ("Google Ads is connected", None, 0));
    // Nor does it lead a customer who comes back much later.
    let landing = customer.signs_in(&card).await;
    bot.passes(Duration::from_secs(60)).await;
    let told = "2 of 3 connected";
    until(told, async || message_of(&bot.slack).filter(|it| it.rendered().contains(told))).await;
    bot.passes(Duration::from_secs(15 * 60)).await;
    let page = customer.get(&landing).await;
    assert_eq!((page.said()[0], page.button()), ("HubSpot is connected", None));
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_connected_or_cancelled_meanwhile_is_passed_over_and_what_was_passed_over_comes_last() {
    let (bot, sources) = with_sources("google_ads, hubspot, stripe, facebook_ads acme").await;
    let mut customer = Browser::default();
    // The customer begins with the second.
    let (landing, page) = customer.connects(&bot.opens(&sources[1]).await).await;
    assert_eq!(page.button(), Some("Connect Stripe"));
    bot.customer_finishes("acme_stripe");
    bot.passes(Duration::from_secs(60)).await;
    let page = customer.get(&landing).await;
    assert_eq!(page.button(), Some("Connect Facebook Ads"));
    // The page is older than what it leads to.
    let question = bot.private(&bot.types("cancel acme_facebook_ads").await);
    bot.presses(USER, &question, CANCEL).await;
    let opened = customer.presses(&landing).await;
    assert_eq!(opened.said()[0], "Opening Google Ads");
    let (_, page) = customer.connects(&opened.leads_to().unwrap()).await;
    assert_eq!(page.said()[0], "All 3 are connected");
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_fivetran_gives_no_card_the_page_says_what_to_do() {
    let (bot, sources) = with_sources("google_ads, hubspot acme").await;
    let mut customer = Browser::default();
    let (landing, _) = customer.connects(&bot.opens(&sources[0]).await).await;
    let said = |page: &Page| {
        let what = "Google Ads is connected. Please try HubSpot again in a minute, or use its button in Slack later.";
        assert_eq!(page.said(), ["HubSpot can't be opened right now", what]);
        assert_eq!((page.status, page.button()), (200, Some("Try again")));
        assert_eq!(page.leads_to(), None);
    };
    for fault in [Fault::Status(503), Fault::SlowAfter(Duration::from_secs(60))] {
        bot.fivetran.faults(|faults| faults.fail_next("connect_card", fault, 1));
        said(&customer.presses(&landing).await);
    }
    assert!(customer.presses(&landing).await.leads_to().is_some());
    // A pause that Fivetran asks for is kept, and others are not asked in it either.
    let pause = Fault::Throttled { retry_after: Some("40".to_owned()) };
    bot.fivetran.faults(|faults| faults.fail_next("connect_card", pause, 1));
    said(&customer.presses(&landing).await);
    let before = bot.fivetran.calls_to("connect_card");
    said(&customer.presses(&landing).await);
    assert_eq!(bot.fivetran.calls_to("connect_card"), before);
    bot.passes(Duration::from_secs(61)).await;
    // Nobody makes it ask without end.
    let mut opened = 0;
    for _ in 0..20 {
        opened += usize::from(customer.presses(&landing).await.leads_to().is_some());
    }
    assert_eq!((opened, bot.fivetran.calls_to("connect_card")), (5, before + 5));
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_visit_is_known_again_however_late_fivetran_is() {
    let (bot, sources) = with_sources("google_ads, hubspot acme").await;
    let card = bot.opens(&sources[0]).await;
    let mut customer = Browser::default();
    let landing = customer.signs_in(&card).await;
    bot.fivetran.faults(|faults| {
        faults.fail_next("get_connection", Fault::SlowAfter(Duration::from_secs(5)), 1);
    });
    let page = customer.get(&landing).await;
    assert_eq!(page.said()[0], "Checking Google Ads");
    assert_eq!(customer.cookies.len(), 1);
    bot.passes(Duration::from_secs(31)).await;
    let page = customer.get(&again(&landing)).await;
    assert_eq!((page.said()[0], page.button()), ("Google Ads is connected", Some("Connect HubSpot")));
    bot.finish().await;
}

/// A customer is led through three sources by turns at these. Gives the links that they were led to.
async fn led_through(slack: &SlackStandIn, programs: [&Program; 2]) -> Vec<String> {
    let typed = "/connect-card google_ads, hubspot, stripe";
    let ack = slack.command(&programs[0].url(), typed, CHANNEL, USER).await.unwrap();
    assert_eq!(ack.status, 200);
    let sources = until("three buttons", async || {
        message_of(slack).map(|message| references(&message)).filter(|sources| sources.len() == 3)
    });
    let first = opens(slack, &programs[0].url(), &sources.await[0]).await;
    let (mut customer, mut cards) = (Browser::default(), vec![first]);
    for (name, at) in [("Google Ads", 1), ("HubSpot", 0), ("All 3", 1)] {
        let landing = customer.signs_in(cards.last().unwrap()).await;
        // Whichever of the two it is that the balancer chooses.
        let path = url::Url::parse(&landing).unwrap().path().to_owned();
        let [here, there] = [at, 1 - at].map(|at| format!("{}{path}", programs[at].url()));
        let page = customer.get(&here).await;
        assert!(page.said()[0].starts_with(name), "{}", page.text);
        assert_eq!(customer.get(&format!("{there}?again")).await.said(), page.said());
        if name != "All 3" {
            cards.push(customer.presses(&there).await.leads_to().unwrap());
        }
    }
    cards
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn either_of_two_replicas_leads_on() {
    let Some(server) = postgres::shared() else { return };
    let outside = Outside::start().await;
    let (_folder, config) = crate::onboarding::config();
    let program = Program::against(&outside).with("DATABASE_URL", &server.database()).with("CONFIG", &config);
    let programs = [program.clone(), program.on_another_port()];
    let processes = [programs[0].start().await, programs[1].start().await];
    let cards = led_through(&outside.slack, [&programs[0], &programs[1]]).await;
    assert_eq!(cards.len(), 3);
    for process in processes {
        process.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_link_is_in_no_log_and_not_in_the_database() {
    let (_folder, config) = crate::onboarding::config();
    let outside = Outside::start().await;
    let program = Program::against(&outside)
        .with("CONFIG", &config)
        .with("RUST_LOG", "trace")
        .with("LOG_FORMAT", "json");
    let process = program.start().await;
    let cards = led_through(&outside.slack, [&program, &program]).await;
    let mut kept = process.stop().await;
    assert!(kept.contains("led a customer on"), "{kept}");
    kept.push_str(&String::from_utf8_lossy(&std::fs::read(program.database()).unwrap()));
    assert!(kept.contains("acme_hubspot"));
    for card in cards {
        let token = token_of(&card);
        assert!(token.len() > 50 && !kept.contains(&token));
    }
}
