//! A conversation with a bot: each thing that somebody does is waited out until all that comes of
//! it has come, and written down with what people saw.

use std::time::Duration;

use connect_card::reply::live::{OPEN_CARD, RENEW};
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};
use stand_ins::slack::{Ack, Message, Visibility, block_faults};

use super::transcript::name;
use super::{AUDIT, CHANNEL, TestBot, USER, client, private, until};

/// A customer takes longer than that between two looks at the landing page; and two cards of one
/// connection are the same card if they are made in the same second.
const A_MOMENT: Duration = Duration::from_secs(3);

impl TestBot {
    /// The usual person types what follows `/connect-card` in the usual channel.
    pub(crate) async fn types(&self, arguments: &str) -> Ack {
        self.types_as(USER, CHANNEL, arguments).await
    }

    /// Somebody types what follows `/connect-card` somewhere.
    pub(crate) async fn types_as(&self, user: &str, channel: &str, arguments: &str) -> Ack {
        let ack = self.types_meanwhile(user, channel, arguments).await;
        self.settle().await;
        ack
    }

    /// The same while something is at work: what comes of it is not waited for.
    pub(crate) async fn types_meanwhile(&self, user: &str, channel: &str, arguments: &str) -> Ack {
        self.a_moment_passes();
        let ack = self.send_as(user, channel, arguments).await;
        let shown = ack.json();
        if !shown.is_null() {
            assert_eq!(shown["response_type"], "ephemeral", "{arguments}");
            assert_eq!(block_faults(&shown), Vec::<String>::new(), "{arguments}");
        }
        let typed = format!("/connect-card {arguments}");
        self.transcript().typed(channel, user, typed.trim_end(), &shown);
        ack
    }

    /// Somebody presses a button. Gives what the bot answers to that, if anything.
    pub(crate) async fn presses(&self, user: &str, message: &Message, action: &str) -> Value {
        let answer = self.presses_meanwhile(user, message, action).await;
        self.settle().await;
        answer
    }

    /// The same while something is at work.
    pub(crate) async fn presses_meanwhile(&self, user: &str, message: &Message, action: &str) -> Value {
        self.a_moment_passes();
        self.transcript().catch_up(&self.slack);
        let (before, commands) = (self.slack.calls().len(), self.count("SELECT count(*) FROM command").await);
        let ack = self.slack.press(&self.url, message, action, user).await.unwrap();
        assert_eq!((ack.status, ack.text().as_str()), (200, ""));
        let answer = match action {
            OPEN_CARD => None,
            _ => until("an answer to a press", async || self.answer_to(action, before, commands).await).await,
        };
        let label = label_of(message, action);
        let mut transcript = self.transcript();
        transcript.pressed(message, user, &label, answer.as_ref().map(|(_, answer)| answer));
        if let Some((call, _)) = answer {
            transcript.leave_out(&self.slack, call);
        }
        answer.map(|(_, answer)| answer).unwrap_or_default()
    }

    /// What answered a press after so many calls and commands, and which call that was, if anything answers it; `None`
    /// as long as that isn't clear. What a command has to say comes after its row.
    async fn answer_to(&self, action: &str, before: usize, commands: i64) -> Option<Option<(usize, Value)>> {
        let calls = self.slack.calls();
        let accepted = self.count("SELECT count(*) FROM command").await > commands;
        if action == RENEW && accepted {
            return Some(None);
        }
        let is_answer = |(route, body): &(String, Value)| {
            route == "response_url" && (!accepted || body["replace_original"] == true)
        };
        let at = before + calls[before..].iter().position(is_answer)?;
        Some(Some((at, calls[at].1.clone())))
    }

    /// Time passes for everybody, and the bot looks after every link that is due.
    pub(crate) async fn passes(&self, time: Duration) {
        let (hours, minutes) = (time.as_secs() / 3600, time.as_secs() / 60 % 60);
        let said = match (hours, minutes, time.as_secs() % 60) {
            (0, 0, seconds) => format!("{seconds} s"),
            (0, minutes, _) => format!("{minutes} min"),
            (hours, 0, _) => format!("{hours} h"),
            (hours, minutes, _) => format!("{hours} h {minutes} min"),
        };
        // A list that was asked for before all this must not be taken for one that was read after it.
        until("the end of lists that are being read", async || {
            let read = self.count("SELECT count(*) FROM sweep WHERE lease_until > 0").await;
            (read == 0).then_some(())
        })
        .await;
        self.transcript().happened(&format!("… {said} later …"), "");
        self.advance(time);
        self.fivetran.advance(time);
        self.settle().await;
    }

    /// The customer's browser comes back from a link's Connect Card. Gives the page that it sees.
    pub(crate) async fn lands(&self, link: &str) -> String {
        self.a_moment_passes();
        let (_, path) = link.split_once("/connected/").unwrap();
        let id = path.split(['&', '?']).next().unwrap();
        let page = client().get(format!("{}/connected/{id}", self.url)).send().await.unwrap();
        let page = page.text().await.unwrap();
        let part = |tag: &str| {
            let (_, rest) = page.split_once(&format!("<{tag}>")).expect("the page has it");
            rest.split_once(&format!("</{tag}>")).unwrap().0.trim().to_owned()
        };
        let seen = format!("{}\n{}", part("h1"), part("p"));
        self.transcript().happened("the customer comes back, and sees:", &seen);
        self.settle().await;
        page
    }

    /// The customer finishes the Connect Card of a schema, and closes the window at once.
    pub(crate) fn customer_finishes(&self, schema: &str) {
        self.fivetran.finish_setup(&self.connection_of(schema));
        self.transcript().happened("the customer finishes the setup", "");
    }

    /// A connection loses its access, which Fivetran tells so.
    pub(crate) fn connection_breaks(&self, schema: &str, details: &str) {
        self.connection_breaks_with(schema, ["reconnect", "Reconnect", details]);
    }

    /// A connection stops to work at Fivetran, which names a task: its code, label and details.
    pub(crate) fn connection_breaks_with(&self, schema: &str, task: [&str; 3]) {
        self.fivetran.break_with(&self.connection_of(schema), task);
        let said: Vec<_> = task.into_iter().filter(|part| !part.is_empty()).collect();
        self.transcript()
            .happened(&format!("the connection breaks; Fivetran says: {}", said.join(" / ")), "");
    }

    /// Somebody opens the form, and gets it as Slack keeps it.
    pub(crate) async fn opens_form(&self) -> Value {
        let ack = self.types("").await;
        assert_eq!(ack.text(), "");
        let view = self.slack.views().pop().unwrap();
        assert_eq!(block_faults(&view), Vec::<String>::new());
        self.transcript().form("  a form opens for alice:", &view);
        view
    }

    /// Somebody submits the form with a service, a schema and a table, and sees what becomes of it.
    pub(crate) async fn submits(&self, user: &str, view: &Value, filled_in: [&str; 3]) -> Value {
        let answer = self.submits_meanwhile(user, view, filled_in).await;
        self.settle().await;
        answer
    }

    /// The same while something is at work.
    pub(crate) async fn submits_meanwhile(&self, user: &str, view: &Value, filled_in: [&str; 3]) -> Value {
        self.a_moment_passes();
        let id = view["id"].as_str().unwrap();
        let ack = self.slack.submit_view(&self.url, id, values(filled_in), user).await.unwrap();
        assert_eq!(ack.status, 200, "{}", ack.text());
        let answer = ack.json();
        let given = ["service", "schema", "table"].into_iter().zip(filled_in);
        let given: Vec<_> = given.filter(|(_, value)| !value.is_empty()).collect();
        let given: Vec<_> = given.iter().map(|(field, value)| format!("{field} {value}")).collect();
        let mut transcript = self.transcript();
        transcript.happened(&format!("{} submits the form: {}", name(user), given.join(", ")), "");
        match answer["response_action"].as_str() {
            Some("clear") => transcript.happened("  the form closes", ""),
            Some("errors") => {
                let errors = answer["errors"].as_object().unwrap().iter();
                let errors: Vec<_> =
                    errors.map(|(field, words)| format!("{field}: {}", words.as_str().unwrap())).collect();
                transcript.happened("  the form says:", &errors.join("\n"));
            }
            _ => {
                assert_eq!(block_faults(&answer["view"]), Vec::<String>::new());
                transcript.form("  the form now shows:", &answer["view"]);
            }
        }
        answer
    }

    /// The id of a schema's connection.
    pub(crate) fn connection_of(&self, schema: &str) -> String {
        let connections = self.fivetran.connections();
        let found = connections.iter().find(|it| it["schema"] == schema).expect("there is one");
        found["id"].as_str().unwrap().to_owned()
    }

    /// The message of the channel's link that was posted last, as it stands.
    pub(crate) fn link_message(&self) -> Message {
        let mut messages = self.slack.messages().into_iter();
        let posted = messages.rfind(|message| {
            let elsewhere = message.channel.starts_with('D') || message.channel == AUDIT;
            message.visibility == Visibility::Channel && message.thread_ts.is_none() && !elsewhere
        });
        posted.expect("a message")
    }

    /// The last message that one person alone sees.
    pub(crate) fn private_message(&self) -> Message {
        let mut messages = self.slack.messages().into_iter();
        let alone = |message: &Message| {
            message.visibility == Visibility::Ephemeral || message.channel.starts_with('D')
        };
        messages.rfind(alone).expect("a message")
    }

    /// Waits until nobody is at work on anything and no look is due, and writes down what was seen.
    pub(crate) async fn settle(&self) {
        until("everything to be at rest", async || {
            self.look_at_due_links().await;
            if self.census().await.oldest_open.is_some() {
                return None;
            }
            let now = self.clock.now().as_millisecond();
            let at_work = format!(
                "SELECT (SELECT count(*) FROM message WHERE lease_until > 0 OR due <= {now}) \
                 + (SELECT count(*) FROM connection WHERE look_at <= {now}) \
                 + (SELECT count(*) FROM sweep WHERE lease_until > 0 OR next_at <= {now})"
            );
            (self.count(&at_work).await == 0).then_some(())
        })
        .await;
        self.transcript().catch_up(&self.slack);
    }

    /// An acknowledgement as the private message that Slack makes of it.
    pub(crate) fn private(&self, ack: &Ack) -> Message {
        self.private_in(CHANNEL, ack)
    }

    /// The same in another channel.
    pub(crate) fn private_in(&self, channel: &str, ack: &Ack) -> Message {
        private(channel, USER, self.clock.now(), ack)
    }

    /// What its database counts.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        let mut db = SqliteConnection::connect(&self.database()).await.unwrap();
        let counted =
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned())).fetch_one(&mut db).await.unwrap();
        db.close().await.unwrap();
        counted
    }

    /// Leaves out all that was said until now.
    pub(crate) fn begins_here(&self) {
        self.transcript().begin(&self.slack);
    }

    /// Writes something down that is neither typed nor seen.
    pub(crate) fn notes(&self, what: &str) {
        self.transcript().happened(what, "");
    }

    /// Holds the whole conversation against the one that is expected, once the bot has stopped; and
    /// everything that was posted against Slack's limits, see [`Self::finish`].
    pub(crate) async fn ends(self, expected: expect_test::Expect) {
        self.settle().await;
        let told = self.transcript().to_string();
        self.finish().await;
        expected.assert_eq(&told);
    }

    fn a_moment_passes(&self) {
        self.advance(A_MOMENT);
        self.fivetran.advance(A_MOMENT);
    }
}

/// What a form brings back: a service, a schema and a table.
pub(crate) fn values([service, schema, table]: [&str; 3]) -> Value {
    let table = Some(table).filter(|table| !table.is_empty());
    json!({
        "service": { "service": { "type": "multi_external_select", "selected_options": [{
            "text": { "type": "plain_text", "text": "whatever" }, "value": service }] } },
        "schema": { "schema": { "type": "plain_text_input", "value": schema } },
        "table": { "table": { "type": "plain_text_input", "value": table } },
    })
}

/// What stands on a message's button.
pub(crate) fn label_of(message: &Message, action: &str) -> String {
    let objects = super::objects(&message.payload);
    let button = objects.into_iter().find(|object| object["action_id"] == json!(action)).expect("a button");
    button["text"]["text"].as_str().unwrap().to_owned()
}
