//! The keys that open the stand-in, and what each of them may do.
//!
//! Owns the rules of system keys as Fivetran documents them: which permissions there are, which of
//! them a call needs, and which of several rules counts.
//! <https://fivetran.com/docs/rest-api/getting-started/system-keys>
//! Must not know HTTP.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::refusal::Refusal;
use crate::encoding::base64;

/// How much a permission gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    None,
    Read,
    Manage,
}

/// What a permission is about, as far as the stand-in has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource {
    Account,
    Destination,
    Connector,
    Webhook,
    Other,
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Access {
    /// An administrator of the account.
    User,
    /// Somebody of another account, in which there is nothing.
    Stranger,
    /// A system key, with its id.
    System(String, Policy),
}

/// What a system key may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Policy(Vec<Rule>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    resource: Resource,
    level: Level,
    ids: Vec<String>,
    groups: Vec<String>,
}

impl Policy {
    /// Reads `permissions`, as strictly as Fivetran documents them.
    fn read(permissions: &Value) -> Result<Self, Refusal> {
        let rules = permissions.as_array().filter(|rules| !rules.is_empty());
        let rules = rules.ok_or_else(|| Refusal::invalid("Field 'permissions' is required"))?;
        rules.iter().map(Rule::read).collect::<Result<_, _>>().map(Self)
    }

    /// What it gives on one entity of a group. A rule about the entity counts before one about the
    /// group, and that before a general one.
    fn level(&self, resource: Resource, id: &str, group: &str) -> Level {
        let of = |rules: &dyn Fn(&Rule) -> bool| {
            let meant = self.0.iter().filter(|rule| rule.resource == resource && rules(rule));
            meant.map(|rule| rule.level).max()
        };
        of(&|rule| rule.ids.iter().any(|known| known == id))
            .or_else(|| of(&|rule| rule.groups.iter().any(|known| known == group)))
            .or_else(|| of(&|rule| rule.ids.is_empty() && rule.groups.is_empty()))
            .unwrap_or(Level::None)
    }
}

impl Rule {
    fn read(rule: &Value) -> Result<Self, Refusal> {
        only(rule, &["resource_type", "access_level", "resource_filter"])?;
        let name = rule["resource_type"].as_str().unwrap_or_default();
        let resource = match name {
            "ACCOUNT" => Resource::Account,
            "DESTINATION" => Resource::Destination,
            "CONNECTOR" => Resource::Connector,
            "WEBHOOK" => Resource::Webhook,
            "USER"
            | "TEAM"
            | "ROLES"
            | "TRANSFORMATION"
            | "REMOTE_EXECUTION_AGENT"
            | "PRIVATE_LINK"
            | "PROXY" => Resource::Other,
            _ => return Err(Refusal::invalid(format!("Invalid value '{name}' of field 'resource_type'"))),
        };
        let level = match rule["access_level"].as_str().unwrap_or_default() {
            "NONE" => Level::None,
            "READ" => Level::Read,
            "MANAGE" => Level::Manage,
            level => {
                return Err(Refusal::invalid(format!("Invalid value '{level}' of field 'access_level'")));
            }
        };
        let filter = &rule["resource_filter"];
        if !filter.is_null() {
            only(filter, &["ids", "group_ids"])?;
        }
        let (ids, groups) = (texts(&filter["ids"])?, texts(&filter["group_ids"])?);
        if !ids.is_empty() && !matches!(name, "DESTINATION" | "CONNECTOR") {
            return Err(Refusal::invalid(format!("Field 'ids' is not allowed for {name}")));
        }
        if !groups.is_empty() && !matches!(name, "CONNECTOR" | "TRANSFORMATION") {
            return Err(Refusal::invalid(format!("Field 'group_ids' is not allowed for {name}")));
        }
        Ok(Self { resource, level, ids, groups })
    }
}

fn only(object: &Value, known: &[&str]) -> Result<(), Refusal> {
    let object: &Map<String, Value> =
        object.as_object().ok_or_else(|| Refusal::invalid("A permission is not an object"))?;
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(Refusal::invalid(format!("Unrecognized field '{key}'"))),
        None => Ok(()),
    }
}

fn texts(value: &Value) -> Result<Vec<String>, Refusal> {
    if value.is_null() {
        return Ok(Vec::new());
    }
    let items = value.as_array().and_then(|items| {
        items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
    });
    items.filter(|items| !items.is_empty()).ok_or_else(|| Refusal::invalid("A filter is not a list of ids"))
}

/// What a call does, and to what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deed<'a> {
    pub(crate) resource: Resource,
    pub(crate) level: Level,
    /// The entity, if it is one.
    pub(crate) id: &'a str,
    /// Its group, if it has one.
    pub(crate) group: &'a str,
}

impl Access {
    /// Lets a call pass, or refuses it as Fivetran does: airflow-provider-fivetran-async, issue 60,
    /// has the words.
    pub(crate) fn permit(&self, deed: Deed<'_>) -> Result<(), Refusal> {
        let Deed { resource, level, id, group } = deed;
        match self {
            Self::User => Ok(()),
            Self::Stranger if resource == Resource::Account => Ok(()),
            Self::Stranger => Err(Refusal::not_found("NotFound_Group", "Group", group)),
            Self::System(_, policy) if policy.level(resource, id, group) >= level => Ok(()),
            Self::System(..) => {
                let resource = match resource {
                    Resource::Account => "ACCOUNT",
                    Resource::Destination => "DESTINATION",
                    Resource::Connector => "CONNECTOR",
                    Resource::Webhook => "WEBHOOK",
                    Resource::Other => "SYSTEM_KEY",
                };
                let level = if level == Level::Manage { "MANAGE" } else { "READ" };
                let message = format!("Access denied. Required permission: {resource}_{level}");
                Err(Refusal::new(403, "Forbidden", message))
            }
        }
    }
}

/// A key and what belongs to it.
struct Key {
    basic: String,
    access: Access,
    expired_at: Option<Timestamp>,
}

/// Every key that is known.
pub(crate) struct Keys {
    keys: Vec<Key>,
    made: usize,
    /// The documentation says that only a user's key manages system keys.
    pub(crate) show_themselves: bool,
}

impl Keys {
    /// With a user's key.
    pub(crate) fn new(key: &str, secret: &str) -> Self {
        let mut keys = Self { keys: Vec::new(), made: 0, show_themselves: false };
        keys.add(key, secret, Access::User, None);
        keys
    }

    pub(crate) fn add(&mut self, key: &str, secret: &str, access: Access, expired_at: Option<Timestamp>) {
        let basic = base64(format!("{key}:{secret}").as_bytes());
        self.keys.push(Key { basic, access, expired_at });
    }

    /// Rejects these credentials from now on.
    pub(crate) fn revoke(&mut self, key: &str, secret: &str) {
        let basic = base64(format!("{key}:{secret}").as_bytes());
        self.keys.retain(|known| known.basic != basic);
    }

    /// Who the caller with this `Authorization` is.
    pub(crate) fn access(&self, authorization: &str, now: Timestamp) -> Option<Access> {
        let (scheme, credentials) = authorization.split_once(' ').unwrap_or_default();
        let known = self.keys.iter().find(|key| key.basic == credentials.trim());
        let valid = known.filter(|key| key.expired_at.is_none_or(|at| now < at));
        valid.filter(|_| scheme.eq_ignore_ascii_case("basic")).map(|key| key.access.clone())
    }

    /// `POST /v1/system-keys`.
    pub(crate) fn create(&mut self, request: &Value, now: Timestamp) -> Result<Value, Refusal> {
        only(request, &["name", "expiration_period", "permissions"])?;
        let name = request["name"].as_str().unwrap_or_default();
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(word) || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(Refusal::invalid("Field 'name' is required"));
        }
        let days = match request["expiration_period"].as_str() {
            None | Some("INFINITE") => None,
            Some("ONE_WEEK") => Some(7),
            Some("ONE_MONTH") => Some(30),
            Some("THREE_MONTHS") => Some(91),
            Some("SIX_MONTHS") => Some(182),
            Some(_) => return Err(Refusal::invalid("Invalid value of field 'expiration_period'")),
        };
        let policy = Policy::read(&request["permissions"])?;
        let expired_at = days.and_then(|days| now.checked_add(SignedDuration::from_hours(24 * days)).ok());
        self.made += 1;
        let (id, key) = (format!("system_key_{}", self.made), format!("ft_stand_in_{}", self.made));
        let secret = format!("secret_of_{key}");
        self.add(&key, &secret, Access::System(id.clone(), policy), expired_at);
        Ok(json!({
            "id": id, "name": name, "key": key, "secret": secret, "permissions": request["permissions"],
            "created_at": now.to_string(), "updated_at": now.to_string(),
            "expired_at": expired_at.map(|at| at.to_string()),
        }))
    }

    /// `GET /v1/system-keys/{id}`.
    pub(crate) fn show(&self, id: &str, caller: &Access) -> Result<Value, Refusal> {
        let itself = matches!(caller, Access::System(own, _) if own == id) && self.show_themselves;
        if !itself {
            caller.permit(Deed { resource: Resource::Other, level: Level::Manage, id, group: "" })?;
        }
        let is_it = |key: &&Key| matches!(&key.access, Access::System(known, _) if known == id);
        let key = self.keys.iter().find(is_it);
        let key = key.ok_or_else(|| Refusal::not_found("NotFound_SystemKey", "SystemKey", id))?;
        Ok(json!({ "id": id, "expired_at": key.expired_at.map(|at| at.to_string()) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(rules: Value) -> Result<Policy, Refusal> {
        Policy::read(&rules)
    }

    fn rule(resource: &str, level: &str, filter: Value) -> Value {
        json!({ "resource_type": resource, "access_level": level, "resource_filter": filter })
    }

    #[test]
    fn what_is_said_of_one_counts_before_what_is_said_of_its_group_and_of_all() {
        let rules = json!([
            rule("CONNECTOR", "READ", Value::Null),
            rule("CONNECTOR", "MANAGE", json!({ "group_ids": ["g"] })),
            rule("CONNECTOR", "NONE", json!({ "ids": ["c"] })),
        ]);
        let policy = policy(rules).unwrap();
        let level = |id, group| policy.level(Resource::Connector, id, group);
        assert_eq!(
            (level("x", "h"), level("x", "g"), level("c", "g")),
            (Level::Read, Level::Manage, Level::None)
        );
        assert_eq!(policy.level(Resource::Account, "", ""), Level::None);
    }

    #[test]
    fn a_policy_is_read_strictly() {
        for good in [
            rule("ACCOUNT", "READ", Value::Null),
            rule("DESTINATION", "READ", json!({ "ids": ["g"] })),
            rule("CONNECTOR", "MANAGE", json!({ "group_ids": ["g"] })),
        ] {
            assert!(policy(json!([good])).is_ok(), "{good}");
        }
        for bad in [
            rule("CONNECTION", "READ", Value::Null),
            rule("ACCOUNT", "WRITE", Value::Null),
            rule("ACCOUNT", "READ", json!({ "ids": ["a"] })),
            rule("DESTINATION", "READ", json!({ "group_ids": ["g"] })),
            rule("CONNECTOR", "READ", json!({ "groups": ["g"] })),
            rule("CONNECTOR", "READ", json!({ "group_ids": [] })),
            json!({ "resource_type": "ACCOUNT", "access_level": "READ", "comment": "" }),
        ] {
            assert_eq!(policy(json!([bad])).unwrap_err().status, 400, "{bad}");
        }
        assert!(policy(json!([])).is_err() && policy(json!({})).is_err());
    }

    #[test]
    fn a_key_opens_until_it_expires_or_is_revoked() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut keys = Keys::new("k", "s");
        keys.add("x", "y", Access::Stranger, Some(at(100)));
        let header = |pair: &str| format!("Basic {}", base64(pair.as_bytes()));
        assert_eq!(keys.access(&header("k:s"), at(0)), Some(Access::User));
        assert_eq!(keys.access(&header("k:t"), at(0)), None);
        assert_eq!(keys.access(&header("x:y"), at(99)), Some(Access::Stranger));
        assert_eq!(keys.access(&header("x:y"), at(100)), None);
        keys.revoke("k", "s");
        assert_eq!(keys.access(&header("k:s"), at(0)), None);
    }
}
