//! What the stand-in remembers: its account, groups, catalogue and connections.
//!
//! Owns the objects and their rules. Must not know HTTP.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::catalogue::{self, Service};
use super::connections::{self, Connections, Listed, Shell};
use super::lies::Lies;
use super::names;
use super::refusal::Refusal;
use super::settings::{self, Settings};
use super::tasks::{self, NoSync};

pub(crate) struct State {
    pub(crate) groups: BTreeMap<String, String>,
    pub(crate) services: Vec<Service>,
    pub(crate) duplicate_status: u16,
    pub(crate) lies: Lies,
    connections: Connections,
}

impl State {
    pub(crate) fn new(group_id: &str, group_name: &str) -> Self {
        Self {
            groups: BTreeMap::from([(group_id.to_owned(), group_name.to_owned())]),
            services: catalogue::services(),
            duplicate_status: 409,
            lies: Lies::default(),
            connections: Connections::default(),
        }
    }

    pub(crate) fn service(&self, id: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.id == id)
    }

    /// Checks a create request and makes the connection.
    pub(crate) fn create(&mut self, request: &Value, now: Timestamp) -> Result<Value, Refusal> {
        let service_id = required(request, "service")?;
        let group_id = required(request, "group_id")?;
        self.group(group_id)?;
        let Some(service) = self.service(service_id) else {
            return Err(Refusal::invalid(format!("Unsupported connector service '{service_id}'")));
        };
        let naming = required(request, "destination_schema_names")?;
        if !matches!(naming, "FIVETRAN_NAMING" | "SOURCE_NAMING") {
            return Err(Refusal::invalid(format!(
                "Invalid value '{naming}' of field 'destination_schema_names'"
            )));
        }
        let settings = settings::read(request)?;
        let schema = schema_name(service, &request["config"])?;
        if self.connections.is_taken(group_id, &schema) && naming == "FIVETRAN_NAMING" {
            let code = if self.duplicate_status == 409 { "Conflict" } else { "InvalidInput" };
            let message = format!("Connection with schema name '{schema}' already exists in the group");
            return Err(Refusal::new(self.duplicate_status, code, message));
        }
        let setup_state = "incomplete".to_owned();
        let (service, group) = (service_id.to_owned(), group_id.to_owned());
        let id = self.connections.add(Shell { service, group, schema, setup_state, at: now });
        self.change(&id, |connection| {
            fill(connection, &request["config"], settings);
            connection.clone()
        })
    }

    /// Adds a connection without a question; gives its id.
    pub(crate) fn add(&mut self, shell: Shell) -> String {
        self.connections.add(shell)
    }

    pub(crate) fn all(&self) -> Vec<Value> {
        self.connections.all()
    }

    pub(crate) fn get(&self, id: &str) -> Result<Value, Refusal> {
        self.connections.get(id).ok_or_else(|| unknown_connection(id))
    }

    /// Changes a connection, keeping its id and place.
    pub(crate) fn change<R>(&mut self, id: &str, change: impl FnOnce(&mut Value) -> R) -> Result<R, Refusal> {
        self.connections.change(id, change).ok_or_else(|| unknown_connection(id))
    }

    /// Refuses what concerns a connection that the account is said not to have.
    pub(crate) fn admit(&mut self, id: &str) -> Result<(), Refusal> {
        if self.lies.denies(id) { Err(unknown_connection(id)) } else { Ok(()) }
    }

    /// The name of a group.
    pub(crate) fn group(&mut self, id: &str) -> Result<&str, Refusal> {
        let hidden = self.lies.hides_groups(false);
        let name = self.groups.get(id).filter(|_| !hidden);
        name.map(String::as_str).ok_or_else(|| Refusal::not_found("NotFound_Group", "Group", id))
    }

    /// Applies a PATCH.
    pub(crate) fn update(&mut self, id: &str, request: &Value) -> Result<Value, Refusal> {
        let connection = self.get(id)?;
        let staying = settings::read(request)?.staying;
        let config = self.changed_config(&connection, &request["config"])?;
        if staying.is_empty() && config.is_none() && !request["auth"].is_object() {
            return Err(Refusal::invalid("At least one persistent field is required"));
        }
        self.change(id, |connection| {
            for (field, value) in staying {
                connection[field] = value;
            }
            if let Some(config) = config {
                connection["config"] = config;
            }
            settle(connection);
            connection.clone()
        })
    }

    /// The config as a PATCH leaves it. What the connection is named by is permanent.
    fn changed_config(&self, connection: &Value, change: &Value) -> Result<Option<Value>, Refusal> {
        let Some(change) = change.as_object() else { return Ok(None) };
        let service = self.service(connection["service"].as_str().unwrap_or_default());
        let permanent = service.map_or(&[][..], |service| service.kind.keys());
        let mut config = connection["config"].clone();
        for (key, value) in change {
            if permanent.contains(&key.as_str()) && config[key] != *value {
                return Err(Refusal::invalid(format!("Field '{key}' cannot be changed")));
            }
            config[key] = value.clone();
        }
        Ok(Some(config))
    }

    /// Begins a sync. With `force`, one that runs is stopped for it.
    pub(crate) fn sync(&mut self, id: &str, force: bool) -> Result<(), Refusal> {
        let conflict = |message: &str| Refusal::new(409, "Conflict", message);
        self.change(id, |connection| tasks::begin_sync(connection, force))?.map_err(|why| match why {
            NoSync::Unfinished => Refusal::invalid("The connection's setup is incomplete"),
            NoSync::Paused => conflict("The connection is paused"),
            NoSync::Running => conflict("Sync is already in progress"),
        })
    }

    pub(crate) fn delete(&mut self, id: &str) -> Result<(), Refusal> {
        if self.connections.delete(id) { Ok(()) } else { Err(unknown_connection(id)) }
    }

    /// A page of the connections of a group or of all, by exact name if given, in the order of their
    /// making.
    pub(crate) fn list(
        &mut self,
        group: Option<&str>,
        schema: Option<&str>,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Listed, Refusal> {
        if let Some(group) = group
            && self.lies.hides_groups(true)
        {
            return Err(Refusal::not_found("NotFound_Group", "Group", group));
        }
        if self.lies.hides_everything() {
            return Ok(Listed { items: Vec::new(), last: None });
        }
        let mut listed = self.connections.list(group, schema, after, limit);
        let lies = &mut self.lies;
        if lies.never_ends() {
            listed.last = Some(after.unwrap_or(0));
        }
        listed.items.retain(|(id, _)| !lies.omits(id));
        for (id, text) in &mut listed.items {
            if let Some(setup_state) = lies.lists_as(id)
                && let Some(mut connection) = self.connections.get(id)
            {
                connection["status"] = connections::status(&setup_state);
                *text = connection.to_string();
            }
        }
        Ok(listed)
    }
}

/// What a connection is once its customer has finished the Connect Card.
pub(crate) fn connect(connection: &mut Value) {
    connection["setup_tests"] = setup_tests("PASSED", "");
    connection["status"]["setup_state"] = json!("connected");
    connection["status"]["is_historical_sync"] = json!(true);
    connection["status"]["tasks"] = json!([]);
    let paused = connection["paused"] == json!(true);
    connection["status"]["sync_state"] = json!(if paused { "paused" } else { "syncing" });
}

/// What a connection is once its credentials have gone bad.
pub(crate) fn break_up(connection: &mut Value) {
    connection["status"]["setup_state"] = json!("broken");
    let details = "Credentials were rejected by the source.";
    connection["status"]["tasks"] = json!([tasks::task("reconnect", "Reconnect", details)]);
}

/// What a connection is once its customer has typed what the source does not let in. One that was never
/// set up stays so; one that was has lost its access.
/// fivetran-openapi.json: the examples of failed setup tests, and what `setup_state` means.
pub(crate) fn fail_tests(connection: &mut Value) {
    if connection["status"]["setup_state"] != json!("incomplete") {
        break_up(connection);
    }
    connection["setup_tests"] = setup_tests("FAILED", "Invalid login credentials");
}

fn setup_tests(status: &str, message: &str) -> Value {
    json!([{ "title": "Validate Login", "status": status, "message": message, "details": null }])
}

/// Gives a new connection what its request says.
fn fill(connection: &mut Value, config: &Value, settings: Settings) {
    connection["config"] = config.clone();
    for (field, value) in settings.staying {
        connection[field] = value;
    }
    settle(connection);
    // By default Fivetran tests at once, and an empty shell fails.
    if settings.tested {
        connection["setup_tests"] = json!([{
            "title": "Connecting to the source", "status": "FAILED",
            "message": "The setup is incomplete", "details": null,
        }]);
    }
}

/// Switches the syncs of a connection off or on.
pub(crate) fn pause(connection: &mut Value, paused: bool) {
    connection["paused"] = json!(paused);
    settle(connection);
}

/// Lets the sync state follow `paused`.
fn settle(connection: &mut Value) {
    let paused = connection["paused"] == json!(true);
    let was_paused = connection["status"]["sync_state"] == json!("paused");
    if paused != was_paused {
        let state = if paused { "paused" } else { "scheduled" };
        connection["status"]["sync_state"] = json!(state);
    }
}

fn unknown_connection(id: &str) -> Refusal {
    Refusal::not_found("NotFound_Connection", "Connection", id)
}

fn required<'a>(request: &'a Value, field: &str) -> Result<&'a str, Refusal> {
    request[field]
        .as_str()
        .filter(|value| !value.is_empty())
        .ok_or_else(|| Refusal::invalid(format!("Field '{field}' is required")))
}

/// The connection's name as its config tells it; wants all keys of the service's kind, and takes no other
/// that the service does not have.
fn schema_name(service: &Service, config: &Value) -> Result<String, Refusal> {
    let keys = service.kind.keys();
    let mut parts = Vec::with_capacity(keys.len());
    for key in keys {
        let part = required(config, key)?;
        if !names::is_valid(part) {
            return Err(Refusal::invalid(format!("Invalid value '{part}' of field '{key}'")));
        }
        parts.push(part);
    }
    let extra = config.as_object().into_iter().flatten().find(|(key, _)| !service.has_key(key));
    if let Some((key, _)) = extra {
        return Err(Refusal::invalid(format!("Unrecognized field '{key}'")));
    }
    Ok(parts.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(service: &str, config: Value) -> Value {
        json!({
            "service": service, "group_id": "g", "config": config,
            "destination_schema_names": "FIVETRAN_NAMING", "run_setup_tests": false,
        })
    }

    fn create(state: &mut State, service: &str, config: Value) -> Result<Value, Refusal> {
        state.create(&request(service, config), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn each_kind_wants_its_own_keys_and_no_other() {
        let mut state = State::new("g", "G");
        let sheet = json!({ "schema": "s", "table": "t" });
        assert_eq!(create(&mut state, "google_sheets", sheet).unwrap()["schema"], "s.t");
        let refusal = create(&mut state, "google_ads", json!({ "schema_prefix": "s" })).unwrap_err();
        assert_eq!(refusal, Refusal::invalid("Field 'schema' is required"));
        let extra = json!({ "schema": "s", "table": "t" });
        assert_eq!(create(&mut state, "google_ads", extra).unwrap_err().status, 400);
        let prefix = json!({ "schema_prefix": "p" });
        assert_eq!(create(&mut state, "postgres", prefix).unwrap()["schema"], "p");
    }

    #[test]
    fn what_a_request_sets_is_kept_with_the_connection() {
        let mut state = State::new("g", "G");
        let mut request = request("google_ads", json!({ "schema": "s", "sync_mode": "AllAccounts" }));
        request["sync_frequency"] = json!(60);
        request["networking_method"] = json!("ProxyAgent");
        request["proxy_agent_id"] = json!("calm_delta");
        let made = state.create(&request, Timestamp::UNIX_EPOCH).unwrap();
        for field in ["config", "sync_frequency", "networking_method", "proxy_agent_id"] {
            assert_eq!(made[field], request[field], "{field}");
        }
        request["config"]["schema"] = json!("t");
        for (field, odd) in [("sync_frequency", json!(7)), ("networking_method", json!("directly"))] {
            let mut request = request.clone();
            request[field] = odd;
            assert_eq!(state.create(&request, Timestamp::UNIX_EPOCH).unwrap_err().status, 400, "{field}");
        }
    }

    #[test]
    fn a_name_is_free_again_after_a_delete() {
        let mut state = State::new("g", "G");
        let first = create(&mut state, "stripe", json!({ "schema": "s" })).unwrap();
        assert_eq!(create(&mut state, "stripe", json!({ "schema": "s" })).unwrap_err().status, 409);
        state.delete(first["id"].as_str().unwrap()).unwrap();
        assert!(state.list(Some("g"), Some("s"), None, 100).unwrap().items.is_empty());
        assert!(create(&mut state, "stripe", json!({ "schema": "s" })).is_ok());
    }

    #[test]
    fn pausing_shows_in_the_sync_state() {
        let mut state = State::new("g", "G");
        let made = create(&mut state, "stripe", json!({ "schema": "s" })).unwrap();
        let id = made["id"].as_str().unwrap();
        let paused = state.update(id, &json!({ "paused": true })).unwrap();
        assert_eq!(paused["status"]["sync_state"], "paused");
        assert_eq!(state.update(id, &json!({})).unwrap_err().status, 400);
    }

    #[test]
    fn what_a_connection_is_named_by_stays() {
        // fivetran.md, 3: schema, table and prefix cannot be changed later; 4: config is a field that
        // stays.
        let mut state = State::new("g", "G");
        let made = create(&mut state, "stripe", json!({ "schema": "s" })).unwrap();
        let id = made["id"].as_str().unwrap();
        let changed = state.update(id, &json!({ "config": { "schema": "s", "region": "EU" } })).unwrap();
        assert_eq!(changed["config"], json!({ "schema": "s", "region": "EU" }));
        let renamed = state.update(id, &json!({ "config": { "schema": "t" } })).unwrap_err();
        assert_eq!(renamed, Refusal::invalid("Field 'schema' cannot be changed"));
        assert_eq!(state.update(id, &json!({ "run_setup_tests": true })).unwrap_err().status, 400);
    }
}
