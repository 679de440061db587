//! `connect-card key-policy`: what a Fivetran system key needs to be allowed, and no more.
//!
//! Owns the permissions that the bot's calls need, in the shape in which Fivetran's dashboard takes
//! them, or its API. `check` tries them one by one.
//! <https://fivetran.com/docs/rest-api/getting-started/system-keys>

use serde_json::{Value, json};

use super::{Exit, print};
use crate::command::places::Destinations;

/// Prints the permissions as the dashboard takes them; with a name, the whole body of
/// `POST /v1/system-keys`.
pub fn run(destinations: &Destinations, name: Option<&str>) -> Exit {
    let permissions = permissions(destinations.groups().into_keys());
    let text = match name {
        Some(name) => json!({ "name": name, "permissions": permissions }),
        None => permissions,
    };
    print(&format!("{text:#}\n"))
}

/// The permissions for these groups. A destination has the id of its group, and rules for
/// destinations take entities alone.
pub fn permissions<'a>(group_ids: impl IntoIterator<Item = &'a str>) -> Value {
    let groups: Vec<&str> = group_ids.into_iter().collect();
    json!([
        // The details of a service that is newer than this release, and whose key it is.
        { "resource_type": "ACCOUNT", "access_level": "READ" },
        // Whether a destination is there, and its name.
        { "resource_type": "DESTINATION", "access_level": "READ", "resource_filter": { "ids": groups } },
        // Everything else: to create, look, list, renew, cancel and sync.
        { "resource_type": "CONNECTOR", "access_level": "MANAGE", "resource_filter": { "group_ids": groups } },
    ])
}

/// Reads the name of a system key.
///
/// # Errors
/// When Fivetran does not take it.
pub fn key_name(text: &str) -> Result<String, &'static str> {
    let word = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let begins = text.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    if word && begins {
        Ok(text.to_owned())
    } else {
        Err("use letters, digits and underscores, and do not begin with a digit")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_fivetran_takes() {
        for good in ["connect_card", "_x", "K2"] {
            assert!(key_name(good).is_ok(), "{good}");
        }
        for bad in ["", "2k", "connect-card", "a b", "schlüssel"] {
            assert!(key_name(bad).is_err(), "{bad}");
        }
    }
}
