//! Fivetran's paths: which route a request takes and what it is answered.
//!
//! Owns statuses, codes and body shapes. Must not know sockets, faults or the log of calls.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Context;
use super::card::{self, Signer};
use super::connections::Listed;
use super::keys::{Access, Deed, Level, Resource};
use super::refusal::Refusal;
use super::state::State;
use super::{settings, setup};
use crate::encoding::{base64url, from_base64url};
use crate::wire::{Answer, Request};

/// The route's name, as faults and the log of calls use it.
pub(crate) fn name(method: &str, path: &str, query: &str) -> &'static str {
    // To look for one by its name is another thing than to read them all.
    let by_name = form_urlencoded::parse(query.as_bytes()).any(|(key, _)| key == "schema");
    let list = if by_name { "list_connections" } else { "list_page" };
    match (method, segments(path).as_slice()) {
        (_, ["connect-card", "setup"]) if method == "POST" => "card_submit",
        (_, ["connect-card", "setup"]) => "card_page",
        (_, ["public", "connector-types"]) => "connector_types",
        (_, ["v1", "account", "info"]) => "account",
        (_, ["v1", "system-keys", ..]) => "system_keys",
        (_, ["v1", "groups"]) => "groups",
        (_, ["v1", "groups", _]) => "group",
        (_, ["v1", "groups", _, "connections"]) => list,
        (_, ["v1", "destinations"]) => "destinations",
        (_, ["v1", "destinations", _]) => "destination",
        (_, ["v1", "metadata", "connector-types"]) => "metadata",
        (_, ["v1", "metadata", "connector-types", _]) => "connector_type",
        ("POST", ["v1", "connections"]) => "create_connection",
        (_, ["v1", "connections"]) => list,
        ("DELETE", ["v1", "connections", _]) => "delete_connection",
        ("PATCH", ["v1", "connections", _]) => "update_connection",
        (_, ["v1", "connections", _]) => "get_connection",
        (_, ["v1", "connections", _, "connect-card"]) => "connect_card",
        (_, ["v1", "connections", _, "sync"]) => "sync_connection",
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
    let Context { state, signer, base, now, keys, access } = context;
    let path = segments(&request.path);
    let method = request.method.as_str();
    if let ("GET", ["public", "connector-types"]) = (method, path.as_slice()) {
        let items: Vec<Value> = state.services.iter().map(|service| service.summary()).collect();
        return Ok(success(200, None, json!(items)));
    }
    let Some(access) = access else {
        return Err(Refusal::new(401, "AuthFailed", "Authentication failed"));
    };
    if !accepts_json(request.header("accept")) {
        let message = "Use `application/json` or `application/json; version=2`";
        return Err(Refusal::new(406, "NotAcceptable", message));
    }
    let body = match method {
        "POST" | "PATCH" => json_body(request)?,
        _ => Value::Null,
    };
    permit(&access, request, &body, state)?;
    match (method, path.as_slice()) {
        ("GET", ["v1", "account", "info"]) => Ok(success(200, None, account(&access))),
        ("POST", ["v1", "system-keys"]) => {
            let made = keys.create(&body, now)?;
            Ok(success(201, Some("System key has been created"), made))
        }
        ("GET", ["v1", "system-keys", id]) => Ok(success(200, None, keys.show(id, &access)?)),
        ("GET", ["v1", kind @ ("groups" | "destinations")]) => {
            let hidden = state.lies.hides_groups(false);
            let may_see = |id: &str| {
                let deed = Deed { resource: Resource::Destination, level: Level::Read, id, group: id };
                access.permit(deed).is_ok()
            };
            let shown = state.groups.iter().filter(|(id, _)| !hidden && may_see(id));
            let show = |(id, name): (&String, &String)| match *kind {
                "groups" => group(id, name),
                _ => destination(id),
            };
            Ok(success(200, None, page(request, shown.map(show).collect())?))
        }
        ("GET", ["v1", "groups", id]) => Ok(success(200, None, group(id, state.group(id)?))),
        ("GET", ["v1", "destinations", id]) => match state.group(id) {
            Ok(_) => Ok(success(200, None, destination(id))),
            Err(_) => Err(Refusal::not_found("NotFound_Destination", "Destination", id)),
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
        ("GET", ["v1", "connections", id]) => {
            state.admit(id)?;
            Ok(success(200, None, state.get(id)?))
        }
        ("PATCH", ["v1", "connections", id]) => {
            state.admit(id)?;
            let updated = state.update(id, &body)?;
            Ok(success(200, Some("Connection has been updated"), updated))
        }
        ("DELETE", ["v1", "connections", id]) => {
            state.admit(id)?;
            state.delete(id)?;
            let message = format!("Connection with id '{id}' has been deleted");
            Ok(Answer::json(200, &json!({ "code": "Success", "message": message })))
        }
        ("POST", ["v1", "connections", id, "connect-card"]) => {
            state.admit(id)?;
            let connection = state.get(id)?;
            let config = card_config(&body)?;
            let config = config.ok_or_else(|| Refusal::invalid("Field 'connect_card_config' is required"))?;
            let data = json!({
                "connector_id": id,
                "connect_card": mint(signer, base, &connection, &config, now),
                "connect_card_config": config,
            });
            Ok(success(200, Some("Connection Connect Card has been created"), data))
        }
        ("POST", ["v1", "connections", id, "sync"]) => {
            state.admit(id)?;
            state.sync(id, settings::flag(&body, "force")?.unwrap_or(false))?;
            let message = format!("Sync has been successfully triggered for connection with id '{id}'");
            Ok(Answer::json(200, &json!({ "code": "Success", "message": message })))
        }
        _ if name(method, &request.path, "") == "unknown" => {
            Err(Refusal::new(404, "NotFound", "HTTP 404 Not Found"))
        }
        _ => Err(Refusal::new(405, "MethodNotAllowed", "HTTP 405 Method Not Allowed")),
    }
}

/// Refuses what the caller's key may not do. What is not there is not found, whoever asks.
fn permit(access: &Access, request: &Request, body: &Value, state: &State) -> Result<(), Refusal> {
    if *access == Access::User {
        return Ok(());
    }
    let deed = |resource, level, id, group| access.permit(Deed { resource, level, id, group });
    let level = if request.method == "GET" { Level::Read } else { Level::Manage };
    match segments(&request.path).as_slice() {
        ["v1", "account", ..] | ["v1", "metadata", ..] => deed(Resource::Account, level, "", ""),
        // Whoever may see one gets the list, and on it what may be seen.
        ["v1", "groups" | "destinations"] => Ok(()),
        ["v1", "groups", id] | ["v1", "destinations", id] => deed(Resource::Destination, level, id, id),
        ["v1", "groups", group, "connections"] => deed(Resource::Connector, level, "", group),
        ["v1", "connections"] => {
            let asked = request.query_value("group_id").unwrap_or_default();
            let group =
                if level == Level::Read { &asked } else { body["group_id"].as_str().unwrap_or_default() };
            deed(Resource::Connector, level, "", group)
        }
        ["v1", "connections", id, ..] => match state.get(id) {
            Ok(connection) => {
                deed(Resource::Connector, level, id, connection["group_id"].as_str().unwrap_or_default())
            }
            Err(_) => Ok(()),
        },
        ["v1", "webhooks", ..] => deed(Resource::Webhook, level, "", ""),
        // A system key has a rule of its own for itself.
        ["v1", "system-keys", _] if level == Level::Read => Ok(()),
        ["v1", "system-keys", ..] => deed(Resource::Other, level, "", ""),
        _ => Ok(()),
    }
}

fn account(access: &Access) -> Value {
    match access {
        Access::User => json!({ "account_id": "sandbox", "account_name": "Sandbox", "user_id": "sandbox" }),
        Access::Stranger => json!({ "account_id": "other", "account_name": "Other", "user_id": "other" }),
        Access::System(id, _) => {
            json!({ "account_id": "sandbox", "account_name": "Sandbox", "system_key_id": id })
        }
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

fn list(request: &Request, state: &mut State, group: Option<&str>) -> Result<Answer, Refusal> {
    let schema = request.query_value("schema");
    let Listed { items, last } = state.list(group, schema.as_deref(), cursor(request)?, limit(request)?)?;
    // A thousand items are text already; only the frame around them is not.
    let items: Vec<_> = items.into_iter().map(|(_, text)| text).collect();
    let next = last.map(|last| format!(r#","next_cursor":"{}""#, cursor_after(last))).unwrap_or_default();
    Ok(Answer::json_text(
        200,
        format!(
            r#"{{"code":"Success","message":"Connections list retrieved successfully","data":{{"items":[{}]{next}}}}}"#,
            items.join(",")
        ),
    ))
}

/// One page of a list that is short.
fn page(request: &Request, items: Vec<Value>) -> Result<Value, Refusal> {
    let (limit, count) = (limit(request)?, items.len());
    let start = cursor(request)?.map_or(0, |start| usize::try_from(start).unwrap_or(count));
    let end = start.saturating_add(limit);
    let mut data = json!({ "items": items.into_iter().skip(start).take(limit).collect::<Vec<_>>() });
    if let Some(end) = u64::try_from(end).ok().filter(|_| end < count) {
        data["next_cursor"] = json!(cursor_after(end));
    }
    Ok(data)
}

/// How many items a page shall have.
fn limit(request: &Request) -> Result<usize, Refusal> {
    match request.query_value("limit") {
        None => Ok(100),
        Some(limit) => limit
            .parse::<usize>()
            .ok()
            .filter(|limit| (1..=1000).contains(limit))
            .ok_or_else(|| Refusal::invalid("Field 'limit' must be between 1 and 1000")),
    }
}

/// Where a page begins.
fn cursor(request: &Request) -> Result<Option<u64>, Refusal> {
    let read = |cursor: String| {
        let text = String::from_utf8(from_base64url(&cursor)?).ok()?;
        text.strip_prefix("after:")?.parse::<u64>().ok()
    };
    match request.query_value("cursor") {
        None => Ok(None),
        Some(cursor) => {
            read(cursor).map(Some).ok_or_else(|| Refusal::invalid("Invalid value of field 'cursor'"))
        }
    }
}

fn cursor_after(last: u64) -> String {
    base64url(format!("after:{last}").as_bytes())
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
    let mut kept = json!({ "redirect_uri": redirect_uri });
    kept["hide_setup_guide"] = json!(settings::flag(config, "hide_setup_guide")?.unwrap_or(false));
    if let Some(all) = settings::flag(config, "all_fields")? {
        kept["all_fields"] = json!(all);
    }
    Ok(Some(kept))
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
        assert_eq!(name("POST", "/v1/connections", ""), "create_connection");
        assert_eq!(name("GET", "/v1/connections", "group_id=g&schema=s"), "list_connections");
        assert_eq!(name("GET", "/v1/connections", "group_id=g&limit=1000"), "list_page");
        assert_eq!(name("POST", "/v1/connections/a_b/connect-card", ""), "connect_card");
        assert_eq!(name("GET", "/v1/connectors", ""), "unknown");
    }
}
