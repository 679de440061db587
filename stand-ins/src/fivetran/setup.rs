//! What happens behind a Connect Card's link: the page is shown, and a press is how the customer does.
//!
//! Owns who gets in and what a press changes. Must not know the REST API, or what a page looks like.

use serde_json::Value;

use super::page::{Setup, notice, outcome};
use super::state::{break_up, connect, fail_tests};
use super::{Context, card, page};
use crate::wire::{Answer, Request};

pub(crate) fn answer(request: &Request, context: Context<'_>) -> Answer {
    let auth = request.query_value("auth").unwrap_or_default();
    let Some(claims) = context.signer.read(&auth) else {
        let text = "It may have been cut off on its way. Ask whoever sent it to you for a new one.";
        return notice(401, "This link is not valid", text, false);
    };
    if claims.has_expired(context.now) {
        let text = "A Connect Card's link works for one day. Ask whoever sent it to you for a new one.";
        return notice(410, "This link has expired", text, false);
    }
    let Ok(connection) = context.state.get(&claims.connection) else {
        let text = "Its connection was deleted. If you didn't expect that, ask whoever sent \
                    you the link.";
        return notice(404, "This link no longer works", text, false);
    };
    let redirect_uri = request.query_value("redirect_uri").unwrap_or_default();
    let return_address = card::return_address(&redirect_uri, &claims.connection);
    let mut change = |change: fn(&mut Value)| drop(context.state.change(&claims.connection, change));
    match request.method.as_str() {
        "GET" | "HEAD" => {
            let leads_to = return_address.map(|address| address.origin().ascii_serialization());
            let service_id = text(&connection["service"]);
            let service = context.state.service(service_id);
            page::setup(&Setup {
                service: service.map_or(service_id, |known| &known.name),
                schema: text(&connection["schema"]),
                state: text(&connection["status"]["setup_state"]),
                failed: failed_tests(&connection),
                leads_to: leads_to.as_deref(),
            })
        }
        "POST" => match pressed(&request.body).as_str() {
            outcome::FAIL => {
                change(fail_tests);
                // The card shows what has failed, and a reload of it is no second try.
                Answer::redirect(303, format!("{}?{}", request.path, request.query))
            }
            outcome::LEAVE => {
                // 2026-11.md: the redirect happens only on success.
                let text = "Nothing has changed. Fivetran sends the browser on only after a sign-in that \
                            worked, so you can close this window.";
                notice(200, "You left without finishing", text, true)
            }
            outcome::BREAK => {
                change(break_up);
                notice(200, "Broken", "The connection is now broken, as asked.", true)
            }
            // Whatever else is sent, a program that plays the customer means that.
            _ => {
                change(connect);
                match return_address {
                    Some(address) => Answer::redirect(303, address.into()),
                    None => notice(200, "Connected", "You can close this window.", false),
                }
            }
        },
        _ => notice(405, "Not allowed", "This page only knows GET and POST.", false),
    }
}

/// Which button of the form was pressed; empty if none.
fn pressed(body: &[u8]) -> String {
    let mut fields = form_urlencoded::parse(body);
    fields.find(|(field, _)| field == "outcome").map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// The title and the message of each setup test that has failed.
fn failed_tests(connection: &Value) -> Vec<[&str; 2]> {
    let tests = connection["setup_tests"].as_array().into_iter().flatten();
    let failed = tests.filter(|test| test["status"] == "FAILED");
    failed.map(|test| [text(&test["title"]), text(&test["message"])]).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
