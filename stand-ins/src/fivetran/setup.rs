//! What happens behind a Connect Card's link: the page is shown, a press sets the connection up.
//!
//! Owns who gets in and what a press changes. Must not know the REST API.

use super::state::{break_up, connect};
use super::{Context, card};
use crate::wire::{Answer, Request};

pub(crate) fn answer(request: &Request, context: Context<'_>) -> Answer {
    let auth = request.query_value("auth").unwrap_or_default();
    let Some(claims) = context.signer.read(&auth) else {
        return card::notice(401, "This link is not valid", "Ask for a new one.");
    };
    if claims.has_expired(context.now) {
        let text = "A Connect Card link works for one day. Ask for a new one.";
        return card::notice(410, "This link has expired", text);
    }
    let Ok(connection) = context.state.get(&claims.connection) else {
        return card::notice(404, "This connection is gone", "It was deleted in the meantime.");
    };
    let service_id = connection["service"].as_str().unwrap_or_default();
    let service = context.state.service(service_id).map_or(service_id, |known| &known.name);
    match request.method.as_str() {
        "GET" | "HEAD" => card::setup_page(
            service,
            connection["schema"].as_str().unwrap_or_default(),
            connection["status"]["setup_state"].as_str().unwrap_or_default(),
        ),
        "POST" => {
            let breaks = form_urlencoded::parse(&request.body)
                .any(|(field, value)| field == "outcome" && value == "break");
            let change = if breaks { break_up } else { connect };
            let _ = context.state.change(&claims.connection, change);
            if breaks {
                return card::notice(200, "Broken", "The connection is now broken, as asked.");
            }
            let redirect_uri = request.query_value("redirect_uri").unwrap_or_default();
            match card::return_address(&redirect_uri, &claims.connection) {
                Some(address) => Answer::redirect(303, address),
                None => card::notice(200, "Connected", "You can close this window."),
            }
        }
        _ => card::notice(405, "Not allowed", "This page only knows GET and POST."),
    }
}
