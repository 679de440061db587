//! What Fivetran asks somebody to do about a connection, and who can do it.
//!
//! Owns the table that sorts the codes of tasks, and how leniently a task is read. Pure: must not
//! know an endpoint, a link or a sentence.
//!
//! A task is `{code, message, details}`: `code` is for programs, `message` is a label such as
//! "Reconnect", and `details` is the context.
//! <https://fivetran.com/docs/rest-api/api-reference/connections/connection-details>

use std::fmt::Write as _;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// Longest code and label that are kept, in characters; those that are known have under 40.
const LABEL_LIMIT: usize = 200;
/// Longest details that are kept, in characters: a message shows less.
const DETAILS_LIMIT: usize = 1000;
/// How many tasks of a connection are kept: more than anybody reads in a message.
const KEPT: usize = 5;

/// A task or a warning of a connection, in Fivetran's own words. Any of them can be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// For programs, such as `reconnect`.
    #[serde(default, deserialize_with = "label")]
    pub code: String,
    /// For people, but often no more than the code in other letters.
    #[serde(default, deserialize_with = "label")]
    pub message: String,
    /// What has happened. Text, or JSON of a shape that is not documented.
    #[serde(default, deserialize_with = "details")]
    pub details: String,
}

/// One of the tests that Fivetran makes of a connection's setup.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct SetupTest {
    /// Such as `Validate Login`.
    #[serde(default, deserialize_with = "label")]
    pub title: String,
    /// `PASSED`, `SKIPPED`, `WARNING`, `FAILED` or `JOB_FAILED`.
    #[serde(default, deserialize_with = "label")]
    pub status: String,
    /// Such as `Invalid login credentials.`
    #[serde(default, deserialize_with = "label")]
    pub message: String,
    /// More of it, in any shape.
    #[serde(default, deserialize_with = "details")]
    pub details: String,
}

/// What is at fault when a connection is broken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The access to the source: only whoever has it can give it again.
    Access,
    /// A sync that failed, and that another one may make up for.
    Sync,
    /// The destination. That is ours to look after, not the customer's.
    Destination,
    /// Fivetran does not say, or says it by a code that is new to us.
    #[default]
    #[serde(other)]
    Unknown,
}

impl Cause {
    /// Its name in the log.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Sync => "sync",
            Self::Destination => "destination",
            Self::Unknown => "unknown",
        }
    }
}

/// The codes that are known to be used, and where they are found.
const CODES: [(&str, Cause); 5] = [
    // An example of the API definition, and in "Retrieve Connection Errors" among the common ones:
    // <https://fivetran.com/docs/rest-api/api-reference/connections/connection-errors>
    ("reconnect", Cause::Access),
    // Among the `taskType`s of a failed sync in pyatlan's models of Fivetran's log.
    ("update_service_account", Cause::Access),
    // The `taskType` of a sync that met a warehouse with too little memory, as people have posted it.
    ("reconnect_warehouse", Cause::Destination),
    // Both among the common ones of "Retrieve Connection Errors". That a sync clears what syncs have
    // left: <https://github.com/astronomer/airflow-provider-fivetran-async/issues/234>
    ("unknown_sync_failure", Cause::Sync),
    ("sync_warning", Cause::Sync),
];

/// Words of a code that is not listed by which it speaks of access all the same, as
/// `authentication_error` and `permission_denied` do, which are error types of Fivetran's log:
/// <https://fivetran.com/docs/logs>
const ACCESS_WORDS: [&str; 14] = [
    "reconnect",
    "reauthorize",
    "reauthenticate",
    "credential",
    "credentials",
    "password",
    "login",
    "auth",
    "oauth",
    "authentication",
    "authorization",
    "unauthorized",
    "permission",
    "permissions",
];
/// The same for the destination, which its permissions are about then.
const DESTINATION_WORDS: [&str; 2] = ["warehouse", "destination"];
/// The same for syncs.
const SYNC_WORDS: [&str; 4] = ["sync", "syncs", "rescheduled", "timeout"];

/// What details say of access, in small letters. They outweigh [`PASSING`].
const OF_ACCESS: [&str; 25] = [
    "credential",
    "password",
    "passphrase",
    "authenticat",
    "authoriz",
    "authoris",
    "permission",
    "privilege",
    "access denied",
    "access token",
    "refresh token",
    "token has expired",
    "token expired",
    "invalid_grant",
    "revoked",
    "forbidden",
    "log in",
    "login",
    "sign in",
    "not allowed",
    "api key",
    "secret",
    "account is locked",
    "user is locked",
    "locked out",
];
/// What details say of a source that is in no state to answer, in small letters: nobody who signs in
/// again changes that. A `reconnect` with the first of them is in the fixtures of DataHub's tests.
const PASSING: [&str; 19] = [
    "too many connections",
    "too many clients",
    "connection limit",
    "connection slots",
    "deadlock",
    "lock wait",
    "lock timeout",
    "is locked",
    "locked by",
    "timed out",
    "timeout",
    "temporarily unavailable",
    "service unavailable",
    "try again later",
    "rate limit",
    "too many requests",
    "internal server error",
    "bad gateway",
    "maintenance",
];

impl Task {
    /// What this task says is at fault.
    #[must_use]
    pub fn cause(&self) -> Cause {
        let code = words_of(&self.code);
        let listed = CODES.iter().find(|(known, _)| *known == code).map(|(_, cause)| *cause);
        let cause = listed.unwrap_or_else(|| by_words(&code));
        if cause == Cause::Access && is_passing(&self.details) { Cause::Sync } else { cause }
    }

    /// What it says beyond the label that its code is anyway; `None` if nothing.
    #[must_use]
    pub fn says(&self) -> Option<&str> {
        let said = |text: &'_ str| -> bool { !text.is_empty() && words_of(text) != words_of(&self.code) };
        [self.details.trim(), self.message.trim()].into_iter().find(|text| said(text))
    }
}

impl SetupTest {
    /// Whether it shows that the access to the source does not work.
    fn shows_lost_access(&self) -> bool {
        let said = format!("{} {} {}", self.title, self.message, self.details).to_lowercase();
        self.status.eq_ignore_ascii_case("FAILED") && OF_ACCESS.iter().any(|word| said.contains(word))
    }
}

/// What is at fault by all tasks together. Whatever else is wrong: where the access does not work,
/// nothing does. Where no task says anything that is known, a failed test of the setup may.
#[must_use]
pub fn cause(tasks: &[Task], tests: &[SetupTest]) -> Cause {
    let causes: Vec<_> = tasks.iter().map(Task::cause).collect();
    let known = [Cause::Access, Cause::Destination, Cause::Sync].into_iter().find(|it| causes.contains(it));
    known.unwrap_or_else(|| {
        let lost = tests.iter().any(SetupTest::shows_lost_access);
        if lost { Cause::Access } else { Cause::Unknown }
    })
}

/// The tests of a connection's setup that have failed, as tasks to be read.
#[must_use]
pub fn failed(tests: &[SetupTest]) -> Vec<Task> {
    let failed = tests.iter().filter(|test| test.shows_lost_access()).take(KEPT);
    failed
        .map(|SetupTest { title, message, details, .. }| Task {
            code: String::new(),
            message: title.clone(),
            details: if message.is_empty() { details.clone() } else { message.clone() },
        })
        .collect()
}

fn by_words(code: &str) -> Cause {
    let words: Vec<_> = code.split('_').collect();
    let has = |known: &[&str]| known.iter().any(|word| words.contains(word));
    if has(&DESTINATION_WORDS) {
        Cause::Destination
    } else if has(&ACCESS_WORDS) {
        Cause::Access
    } else if has(&SYNC_WORDS) || (has(&["table"]) && has(&["lock", "locked"])) {
        Cause::Sync
    } else {
        Cause::Unknown
    }
}

fn is_passing(details: &str) -> bool {
    let said = details.to_lowercase();
    PASSING.iter().any(|words| said.contains(words)) && !OF_ACCESS.iter().any(|words| said.contains(words))
}

/// A code or a label in small letters, with an underscore between words: `Reconnect` and `reconnect`
/// are the same, and so are `MissingPermissions` and `missing-permissions`.
fn words_of(text: &str) -> String {
    let mut words = String::with_capacity(text.len() + 4);
    let mut small = false;
    for character in text.trim().chars() {
        if !character.is_alphanumeric() {
            if !words.ends_with('_') {
                words.push('_');
            }
        } else {
            if character.is_uppercase() && small {
                words.push('_');
            }
            words.extend(character.to_lowercase());
        }
        small = character.is_lowercase();
    }
    words.trim_matches('_').to_owned()
}

/// Tasks of any shape: what is no task is none, and costs the others nothing.
pub(super) fn tasks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Task>, D::Error> {
    Ok(some_of(Value::deserialize(deserializer)?))
}

/// The same of setup tests; `None` if there is no list of them.
pub(super) fn tests<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<SetupTest>>, D::Error> {
    Ok(tests_in(Value::deserialize(deserializer)?))
}

/// The same of what was read already.
pub(super) fn tests_in(value: Value) -> Option<Vec<SetupTest>> {
    value.is_array().then(|| some_of(value))
}

fn some_of<T: for<'a> Deserialize<'a>>(value: Value) -> Vec<T> {
    let Value::Array(items) = value else { return Vec::new() };
    let objects = items.into_iter().filter(Value::is_object);
    objects.filter_map(|item| serde_json::from_value(item).ok()).take(KEPT).collect()
}

fn label<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(text(&Value::deserialize(deserializer)?, LABEL_LIMIT))
}

fn details<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(text(&Value::deserialize(deserializer)?, DETAILS_LIMIT))
}

/// A value as one line that can be kept and shown.
fn text(value: &Value, limit: usize) -> String {
    let mut flat = String::new();
    flatten(value, &mut flat);
    let words = flat.split(|c: char| c.is_control() || c.is_whitespace()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").chars().take(limit).collect()
}

fn flatten(value: &Value, into: &mut String) {
    match value {
        Value::Null => {}
        Value::String(text) => into.push_str(text),
        Value::Bool(_) | Value::Number(_) => {
            let _ = write!(into, "{value}");
        }
        Value::Array(items) => {
            for item in items {
                separate(into);
                flatten(item, into);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields.iter().filter(|(_, field)| !field.is_null()) {
                separate(into);
                let _ = write!(into, "{name}: ");
                flatten(field, into);
            }
        }
    }
}

fn separate(text: &mut String) {
    if !text.is_empty() && !text.ends_with(": ") {
        text.push_str("; ");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn task(code: &str, details: &str) -> Task {
        Task { code: code.to_owned(), message: "A label".to_owned(), details: details.to_owned() }
    }

    #[test]
    fn the_customer_is_asked_only_where_a_code_speaks_of_access() {
        for (code, cause) in [
            ("reconnect", Cause::Access),
            ("Reconnect", Cause::Access),
            ("RECONNECT", Cause::Access),
            ("update_service_account", Cause::Access),
            ("authentication_error", Cause::Access),
            ("permission_denied", Cause::Access),
            ("MissingPermissions", Cause::Access),
            ("invalid-credentials", Cause::Access),
            ("reconnect_warehouse", Cause::Destination),
            ("destination_permission_denied", Cause::Destination),
            ("unknown_sync_failure", Cause::Sync),
            ("sync_warning", Cause::Sync),
            ("table_locked", Cause::Sync),
            ("resync_table_warning", Cause::Unknown),
            ("account_locked", Cause::Unknown),
            ("author_missing", Cause::Unknown),
            ("null_primary_key", Cause::Unknown),
            ("some_code_of_tomorrow", Cause::Unknown),
            ("", Cause::Unknown),
        ] {
            assert_eq!(task(code, "").cause(), cause, "{code}");
        }
    }

    #[test]
    fn details_can_say_that_signing_in_again_would_change_nothing() {
        for (details, cause) in [
            ("", Cause::Access),
            ("Credentials were rejected by the source.", Cause::Access),
            ("Something happened", Cause::Access),
            ("FATAL: too many connections for role \"fivetran\"", Cause::Sync),
            ("Table `orders` is locked by another transaction", Cause::Sync),
            ("Read timed out", Cause::Sync),
            // Whoever is locked out has lost the access.
            ("The login is locked: too many attempts", Cause::Access),
            ("Your account is locked", Cause::Access),
            ("The access token has expired (timeout)", Cause::Access),
        ] {
            assert_eq!(task("reconnect", details).cause(), cause, "{details}");
        }
        // They never make the customer's fault of what is not known to be it.
        assert_eq!(task("some_code_of_tomorrow", "Invalid password").cause(), Cause::Unknown);
    }

    #[test]
    fn of_several_tasks_lost_access_weighs_most() {
        let of = |codes: &[&str]| cause(&codes.iter().map(|code| task(code, "")).collect::<Vec<_>>(), &[]);
        assert_eq!(of(&["unknown_sync_failure", "reconnect"]), Cause::Access);
        assert_eq!(of(&["unknown_sync_failure", "reconnect_warehouse", "new"]), Cause::Destination);
        assert_eq!(of(&["new", "sync_warning"]), Cause::Sync);
        assert_eq!(of(&["new"]), Cause::Unknown);
        assert_eq!(of(&[]), Cause::Unknown);
    }

    #[test]
    fn a_failed_test_of_the_setup_is_evidence_where_no_task_is() {
        let test = |title: &str, status: &str, message: &str| SetupTest {
            title: title.to_owned(),
            status: status.to_owned(),
            message: message.to_owned(),
            details: String::new(),
        };
        let login = test("Validate Login", "FAILED", "Invalid login credentials.");
        assert_eq!(cause(&[], std::slice::from_ref(&login)), Cause::Access);
        assert_eq!(cause(&[task("sync_warning", "")], std::slice::from_ref(&login)), Cause::Sync);
        assert_eq!(failed(&[login])[0].says(), Some("Invalid login credentials."));
        for other in [
            test("Validate Login", "PASSED", ""),
            test("Connecting to the source", "FAILED", "The setup is incomplete"),
            test("Validate Login", "JOB_FAILED", ""),
        ] {
            assert_eq!(cause(&[], std::slice::from_ref(&other)), Cause::Unknown, "{other:?}");
            assert_eq!(failed(&[other]), []);
        }
    }

    #[test]
    fn a_label_says_nothing_that_its_code_does_not() {
        let says = |code: &str, message: &str, details: &str| {
            let text = |text: &str| text.to_owned();
            let task = Task { code: text(code), message: text(message), details: text(details) };
            task.says().map(str::to_owned)
        };
        assert_eq!(says("reconnect", "Reconnect", ""), None);
        assert_eq!(says("resync_table_warning", "Resync Table Warning", ""), None);
        assert_eq!(says("reconnect", "Reconnect", "Token expired.").as_deref(), Some("Token expired."));
        assert_eq!(says("reconnect", "Sign in again", "").as_deref(), Some("Sign in again"));
        assert_eq!(says("", "", ""), None);
    }

    #[test]
    fn a_task_of_any_shape_costs_nothing_but_itself() {
        #[derive(Deserialize)]
        struct Status {
            #[serde(default, deserialize_with = "tasks")]
            tasks: Vec<Task>,
        }
        let read = |value: Value| serde_json::from_str::<Status>(&value.to_string()).unwrap().tasks;
        for none in [json!(null), json!("reconnect"), json!(7), json!({}), json!([7, null, "x", [], true])] {
            assert_eq!(read(json!({ "tasks": none })), [], "{none}");
        }
        assert_eq!(read(json!({})), []);
        let odd = read(json!({ "tasks": [
            7,
            {"code": null, "message": 7, "details": {"table": "orders", "rows": [1, 2], "hint": null}},
            {"details": "two\nlines\u{7}", "new_field": {}},
            {"code": "reconnect", "message": "Reconnect", "details": null},
        ]}));
        assert_eq!(odd.len(), 3);
        assert_eq!((odd[0].message.as_str(), odd[0].details.as_str()), ("7", "rows: 1; 2; table: orders"));
        assert_eq!((odd[1].code.as_str(), odd[1].details.as_str()), ("", "two lines"));
        assert_eq!(odd[2].code, "reconnect");
        let long = read(json!({ "tasks": vec![json!({"details": "x ".repeat(9000)}); 9] }));
        assert_eq!((long.len(), long[0].details.chars().count()), (KEPT, DETAILS_LIMIT));
    }
}
