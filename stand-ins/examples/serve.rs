//! Both stand-ins for a program in another language: it reads where they are, and asks for the rest
//! line by line.
//!
//! Owns the lines: the first one written is `{"slack": {…}, "fivetran": {…}}` with addresses and
//! credentials, and each line read is one thing to do, answered by one line. Ends with its input.
//! Must not know who drives it.
//!
//! ```sh
//! cargo run --example serve
//! ```

use std::error::Error;
use std::io::{self, Write as _};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use stand_ins::fault::Fault;
use stand_ins::fivetran::{self, FivetranStandIn};
use stand_ins::slack::{self, Delivery, Rotation, SlackStandIn, Which};

/// Whoever has opened no socket by then opens none.
const PATIENCE: Duration = Duration::from_secs(10);

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let slack = SlackStandIn::start(now, client()?).await?;
    let fivetran = FivetranStandIn::start(now).await?;
    tell(&json!({
        "slack": {
            "url": slack.url(), "api_url": slack.api_url(), "bot_token": slack::BOT_TOKEN,
            "app_token": slack::APP_TOKEN, "app_id": slack::APP_ID,
            "signing_secret": slack::SIGNING_SECRET, "team_id": slack::TEAM_ID,
            "bot_id": slack::BOT_ID, "bot_user_id": slack::BOT_USER_ID,
        },
        "fivetran": {
            "url": fivetran.url(), "key": fivetran::API_KEY, "secret": fivetran::API_SECRET,
            "group_id": fivetran::GROUP_ID, "group_name": fivetran::GROUP_NAME,
        },
    }))?;
    while let Some(line) = tokio::task::spawn_blocking(read).await?? {
        let done = match serde_json::from_str(&line) {
            Ok(asked) => act(&asked, &slack, &fivetran).await,
            Err(error) => Err(error.into()),
        };
        tell(&done.unwrap_or_else(|error| json!({ "error": error.to_string() })))?;
    }
    Ok(())
}

/// Does one thing.
async fn act(asked: &Value, slack: &SlackStandIn, fivetran: &FivetranStandIn) -> Result<Value, Failure> {
    let word = |name: &str| asked[name].as_str().ok_or_else(|| format!("'{name}' is missing"));
    let number = |name: &str| asked[name].as_u64().ok_or_else(|| format!("'{name}' is missing"));
    let answer = match word("do")? {
        // Slack calls the bot.
        "command" => ack(slack.command(word("to")?, word("typed")?, word("channel")?, word("user")?).await?),
        "press" => {
            let messages = slack.messages();
            let newest = messages.last().ok_or("there is no message")?;
            ack(slack.press(word("to")?, newest, word("action")?, word("user")?).await?)
        }
        "submit" => {
            let values = asked["values"].clone();
            ack(slack.submit_view(word("to")?, word("view")?, values, word("user")?).await?)
        }
        // From now on, Slack calls the bot over its sockets.
        "deliver_by_sockets" => {
            slack.deliver_by(Delivery::Sockets);
            Value::Null
        }
        "deliver_in_pieces" => {
            slack.deliver_in_pieces(true);
            Value::Null
        }
        "wait_for_a_socket" => {
            tokio::time::timeout(PATIENCE, slack.wait_for_sockets(|count| count > 0)).await?;
            json!(slack.live_sockets())
        }
        "rotate" => {
            let rotation = match word("reason")? {
                "warning" => Rotation::Warning,
                _ => Rotation::RefreshRequested,
            };
            json!(slack.rotate_sockets(Which::All, rotation, PATIENCE))
        }
        "violations" => slack.violations().iter().map(ToString::to_string).collect(),
        // What a bot would be given by a command.
        "response_url" => json!(slack.response_url(word("channel")?, word("user")?)),
        "trigger_id" => json!(slack.trigger_id("U0ALICE")),
        "messages" => slack.messages().iter().map(slack::Message::rendered).collect(),
        // What somebody else does at Fivetran.
        "seed" => {
            let count = usize::try_from(number("count")?)?;
            json!(fivetran.seed_connections(word("group")?, "stripe", word("schema")?, "incomplete", count))
        }
        "finish" => {
            fivetran.finish_setup(word("connection")?);
            Value::Null
        }
        // Time passes for both.
        "advance" => {
            let by = Duration::from_secs(number("seconds")?);
            slack.advance(by);
            fivetran.advance(by);
            Value::Null
        }
        // From now on every call of this route is answered so, until all is healed.
        "answer" => {
            let fault = Fault::Says(u16::try_from(number("status")?)?, asked["body"].clone());
            let route = word("route")?;
            match word("partner")? {
                "slack" => slack.faults(|faults| faults.fail_always(route, fault)),
                "fivetran" => fivetran.faults(|faults| faults.fail_always(route, fault)),
                other => return Err(format!("there is no partner '{other}'").into()),
            }
            Value::Null
        }
        "heal" => {
            slack.faults(stand_ins::fault::Faults::heal);
            fivetran.faults(stand_ins::fault::Faults::heal);
            Value::Null
        }
        other => return Err(format!("nobody can '{other}' here").into()),
    };
    Ok(json!({ "done": answer }))
}

fn ack(ack: slack::Ack) -> Value {
    json!({
        "status": ack.status, "body": ack.text(),
        "response_url": ack.response_url, "trigger_id": ack.trigger_id,
    })
}

/// The next line, or `None` at the end of the input.
fn read() -> io::Result<Option<String>> {
    let mut line = String::new();
    Ok((io::stdin().read_line(&mut line)? > 0).then_some(line))
}

fn tell(value: &Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{value}")?;
    out.flush()
}

fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "here is where the time comes from")]
    Timestamp::now()
}

#[expect(clippy::disallowed_methods, reason = "the bot, whose client is the only one, is not here")]
fn client() -> Result<reqwest::Client, Failure> {
    // Beside the bot, whose client speaks TLS, none can be built without a provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let redirect = reqwest::redirect::Policy::none();
    Ok(reqwest::Client::builder().redirect(redirect).no_proxy().build()?)
}
