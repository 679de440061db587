//! Fivetran's paths: which route a request takes and what it is answered.
//!
//! Owns statuses, codes and body shapes. Must not know sockets, faults or the log of calls.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Context;
use super::card::{self, Signer};
use super::setup;
use super::state::{Refusal, State};
use crate::encoding::{base64url, from_base64url};
use crate::wire::{Answer, Request};

/// The route's name, as faults and the log of calls use it.
pub(crate) fn name(method: &str, path: &str) -> &'static str {
    match (method, segments(path).as_slice()) {
        (_, ["connect-card", "setup"]) if method == "POST" => "card_submit",
        (_, ["connect-card", "setup"]) => "card_page",
        (_, ["public", "connector-types"]) => "connector_types",
        (_, ["v1", "account", "info"]) => "account",
        (_, ["v1", "groups"]) => "groups",
        (_, ["v1", "groups", _]) => "group",
        (_, ["v1", "groups", _, "connections"]) => "list_connections",
        (_, ["v1", "destinations", _]) => "destination",
        (_, ["v1", "metadata", "connector-types"]) => "metadata",
        (_, ["v1", "metadata", "connector-types", _]) => "connector_type",
        ("POST", ["v1", "connections"]) => "create_connection",
        (_, ["v1", "connections"]) => "list_connections",
        ("DELETE", ["v1", "connections", _]) => "delete_connection",
        ("PATCH", ["v1", "connections", _]) => "update_connection",
        (_, ["v1", "connections", _]) => "get_connection",
        (_, ["v1", "connections", _, "connect-card"]) => "connect_card",
        _ => "unknown",
    }
}

/// Does the work and answers.
pub(crate) fn answer(request: &Request, context: Context<'_>) -> Answer {
    if request.path == "/connect-card/setup" {
        return setup::answer(request, context);
    }
    respond(request, context).unwrap_or_else(|refusal| {
        Answer::json(refusal.status, &json!({ "code": refusal.code, "message": refusal.message }))
    })
}

/// The body of an answer that a fault asks for.
pub(crate) fn refusal_body(status: u16) -> Value {
    let (code, message) = match status {
        400 => ("BadRequest", "The request is malformed"),
        401 => ("AuthFailed", "Authentication failed"),
        403 => ("Forbidden", "The key has no permission for this operation"),
        404 => ("NotFound", "HTTP 404 Not Found"),
        409 => ("Conflict", "The request conflicts with the present state"),
        429 => ("TooManyRequests", "Max 20000 api calls allowed in one-hour rolling time period"),
        503 => ("ServiceUnavailable", "The service is temporarily unavailable"),
        _ => ("InternalServerError", "An internal error occurred"),
    };
    json!({ "code": code, "message": message })
}

fn respond(request: &Request, context: Context<'_>) -> Result<Answer, Refusal> {
    let Context { state, signer, base, now, authorized } = context;
    let path = segments(&request.path);
    let method = request.method.as_str();
    if let ("GET", ["public", "connector-types"]) = (method, path.as_slice()) {
        let items: Vec<Value> = state.services.iter().map(|service| service.summary()).collect();
        return Ok(success(200, None, json!(items)));
    }
    if !authorized {
        return Err(Refusal::new(401, "AuthFailed", "Authentication failed"));
    }
    if !accepts_json(request.header("accept")) {
        let message = "Use `application/json` or `application/json; version=2`";
        return Err(Refusal::new(406, "NotAcceptable", message));
    }
    let body = match method {
        "POST" | "PATCH" => json_body(request)?,
        _ => Value::Null,
    };
    match (method, path.as_slice()) {
        ("GET", ["v1", "account", "info"]) => {
            let account = json!({
                "account_id": "sandbox", "account_name": "Sandbox", "user_id": "sandbox",
            });
            Ok(success(200, None, account))
        }
        ("GET", ["v1", "groups"]) => {
            let groups = state.groups.iter().map(|(id, name)| group(id, name)).collect();
            Ok(success(200, None, page(request, groups)?))
        }
        ("GET", ["v1", "groups", id]) => match state.groups.get(*id) {
            Some(name) => Ok(success(200, None, group(id, name))),
            None => Err(Refusal::not_found("NotFound_Group", "Group", id)),
        },
        ("GET", ["v1", "destinations", id]) => match state.groups.get(*id) {
            Some(_) => Ok(success(200, None, destination(id))),
            None => Err(Refusal::not_found("NotFound_Destination", "Destination", id)),
        },
        ("GET", ["v1", "metadata", "connector-types"]) => {
            let items = state.services.iter().map(|service| service.summary()).collect();
            Ok(success(200, None, page(request, items)?))
        }
        ("GET", ["v1", "metadata", "connector-types", id]) => match state.service(id) {
            Some(service) => Ok(success(200, None, service.details())),
            None => Err(Refusal::not_found("NotFound_Integration", "Integration", id)),
        },
        ("GET", ["v1", "connections"]) => list(request, state, request.query_value("group_id").as_deref()),
        ("GET", ["v1", "groups", id, "connections"]) => {
            if !state.groups.contains_key(*id) {
                return Err(Refusal::not_found("NotFound_Group", "Group", id));
            }
            list(request, state, Some(id))
        }
        ("POST", ["v1", "connections"]) => {
            let config = card_config(&body)?;
            let mut made = state.create(&body, now)?;
            if let Some(config) = config {
                let card = mint(signer, base, &made, &config, now);
                made["connect_card"] = card;
                made["connect_card_config"] = config;
            }
            Ok(success(201, Some("Connection has been created"), made))
        }
        ("GET", ["v1", "connections", id]) => Ok(success(200, None, state.get(id)?.clone())),
        ("PATCH", ["v1", "connections", id]) => {
            let updated = state.update(id, &body)?;
            Ok(success(200, Some("Connection has been updated"), updated))
        }
        ("DELETE", ["v1", "connections", id]) => {
            state.delete(id)?;
            let message = format!("Connection with id '{id}' has been deleted");
            Ok(Answer::json(200, &json!({ "code": "Success", "message": message })))
        }
        ("POST", ["v1", "connections", id, "connect-card"]) => {
            let connection = state.get(id)?;
            let config = card_config(&body)?.unwrap_or_else(|| json!({}));
            let data = json!({
                "connector_id": id,
                "connect_card": mint(signer, base, connection, &config, now),
                "connect_card_config": config,
            });
            Ok(success(200, Some("Connection Connect Card has been created"), data))
        }
        _ if name(method, &request.path) == "unknown" => {
            Err(Refusal::new(404, "NotFound", "HTTP 404 Not Found"))
        }
        _ => Err(Refusal::new(405, "MethodNotAllowed", "HTTP 405 Method Not Allowed")),
    }
}

fn segments(path: &str) -> Vec<&str> {
    path.trim_start_matches('/').split('/').collect()
}

fn success(status: u16, message: Option<&str>, data: Value) -> Answer {
    let mut body = json!({ "code": "Success", "data": data });
    if let Some(message) = message {
        body["message"] = json!(message);
    }
    Answer::json(status, &body)
}

fn group(id: &str, name: &str) -> Value {
    json!({ "id": id, "name": name, "created_at": "2026-01-02T03:04:05.123456Z" })
}

fn destination(id: &str) -> Value {
    json!({
        "id": id, "group_id": id, "service": "snowflake", "region": "GCP_US_EAST4",
        "setup_status": "connected", "time_zone_offset": "0", "daylight_saving_time_enabled": false,
        "networking_method": "Directly", "config": {},
    })
}

fn list(request: &Request, state: &State, group: Option<&str>) -> Result<Answer, Refusal> {
    let schema = request.query_value("schema");
    let items = state.list(group, schema.as_deref()).into_iter().cloned().collect();
    let data = page(request, items)?;
    Ok(success(200, Some("Connections list retrieved successfully"), data))
}

/// One page of a list: `limit` 1 to 1000, and an opaque cursor to the next one.
fn page(request: &Request, items: Vec<Value>) -> Result<Value, Refusal> {
    let limit = match request.query_value("limit") {
        None => 100,
        Some(limit) => limit
            .parse::<usize>()
            .ok()
            .filter(|limit| (1..=1000).contains(limit))
            .ok_or_else(|| Refusal::invalid("Field 'limit' must be between 1 and 1000"))?,
    };
    let start = match request.query_value("cursor") {
        None => 0,
        Some(cursor) => from_base64url(&cursor)
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .and_then(|text| text.strip_prefix("after:")?.parse::<usize>().ok())
            .ok_or_else(|| Refusal::invalid("Invalid value of field 'cursor'"))?,
    };
    let end = start.saturating_add(limit);
    let more = end < items.len();
    let mut data = json!({ "items": items.into_iter().skip(start).take(limit).collect::<Vec<_>>() });
    if more {
        data["next_cursor"] = json!(base64url(format!("after:{end}").as_bytes()));
    }
    Ok(data)
}

fn accepts_json(accept: &str) -> bool {
    let accept = accept.to_ascii_lowercase().replace(' ', "");
    accept.is_empty()
        || accept.split(',').any(|range| {
            let mut parameters = range.split(';').filter(|part| !part.starts_with("q="));
            let known = parameters
                .next()
                .is_some_and(|media| matches!(media, "*/*" | "application/*" | "application/json"));
            known && parameters.all(|part| matches!(part, "version=1" | "version=2" | "charset=utf-8"))
        })
}

fn json_body(request: &Request) -> Result<Value, Refusal> {
    let media = request.header("content-type").split(';').next().unwrap_or_default().trim();
    if !media.eq_ignore_ascii_case("application/json") {
        let message = "HTTP 415 Unsupported Media Type";
        return Err(Refusal::new(415, "UnsupportedMediaType", message));
    }
    request
        .json()
        .filter(Value::is_object)
        .ok_or_else(|| Refusal::new(400, "BadRequest", "The body is not a JSON object"))
}

/// The card's settings with their defaults, if the request has them.
fn card_config(body: &Value) -> Result<Option<Value>, Refusal> {
    let config = &body["connect_card_config"];
    if config.is_null() {
        return Ok(None);
    }
    let redirect_uri = config["redirect_uri"]
        .as_str()
        .ok_or_else(|| Refusal::invalid("Field 'redirect_uri' is required"))?;
    if !redirect_uri.starts_with("http://") && !redirect_uri.starts_with("https://") {
        let message = "Field 'redirect_uri' must start with 'http://' or 'https://'";
        return Err(Refusal::invalid(message));
    }
    let mut config = config.clone();
    if config["hide_setup_guide"].is_null() {
        config["hide_setup_guide"] = json!(false);
    }
    Ok(Some(config))
}

fn mint(signer: &Signer, base: &str, connection: &Value, config: &Value, now: Timestamp) -> Value {
    let text = |field: &str| connection[field].as_str().unwrap_or_default();
    let token = signer.token(text("group_id"), text("id"), now);
    let redirect_uri = config["redirect_uri"].as_str().unwrap_or_default();
    let hide = config["hide_setup_guide"] == json!(true);
    json!({ "uri": card::uri(base, &token, redirect_uri, hide), "token": token })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_takes_what_fivetran_takes() {
        for good in ["", "*/*", "application/json", "application/json; version=2", "text/html, */*;q=0.1"] {
            assert!(accepts_json(good), "{good}");
        }
        for bad in ["text/html", "application/xml", "application/json;version=9"] {
            assert!(!accepts_json(bad), "{bad}");
        }
    }

    #[test]
    fn routes_have_names() {
        assert_eq!(name("POST", "/v1/connections"), "create_connection");
        assert_eq!(name("GET", "/v1/connections"), "list_connections");
        assert_eq!(name("POST", "/v1/connections/a_b/connect-card"), "connect_card");
        assert_eq!(name("GET", "/v1/connectors"), "unknown");
    }
}
