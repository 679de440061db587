//! What Fivetran asks somebody to do about a connection.
//!
//! Owns how leniently a task is read, and what several say together; what one says is at fault is
//! `cause`'s. Pure: must not know an endpoint, a link or a sentence.
//!
//! A task is `{code, message, details}`: `code` is for programs, `message` is a label such as
//! "Reconnect", and `details` is the context.
//! <https://fivetran.com/docs/rest-api/api-reference/connections/connection-details>

use std::fmt::Write as _;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::cause;
pub use super::cause::Cause;

/// Longest code and label that are kept, in characters; those that are known have under 40.
const LABEL_LIMIT: usize = 200;
/// Longest details that are kept, in characters: a message shows less.
const DETAILS_LIMIT: usize = 1000;
/// How many tasks of a connection are kept: more than anybody reads in a message.
const KEPT: usize = 5;
/// How many setup tests are read: those that failed may be the last.
const TESTS: usize = 50;

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

impl Task {
    /// What this task says is at fault.
    #[must_use]
    pub fn cause(&self) -> Cause {
        cause::judge(&words_of(&self.code), &self.message, &self.details)
    }

    /// What it says of the access to the source, and so for the customer to read.
    #[must_use]
    pub fn says_of_access(&self) -> Option<&str> {
        self.says().filter(|said| cause::speaks_of_access(said))
    }

    /// Whether access is mentioned at all, so that nobody can be told that it is not at fault.
    #[must_use]
    pub fn mentions_access(&self) -> bool {
        self.cause() == Cause::Unknown
            && cause::mentions_access(&format!("{} {}", self.message, self.details))
    }

    /// What it says beyond the label that its code is anyway; `None` if nothing.
    #[must_use]
    pub fn says(&self) -> Option<&str> {
        let said = |text: &'_ str| -> bool { !text.is_empty() && words_of(text) != words_of(&self.code) };
        [self.details.trim(), self.message.trim()].into_iter().find(|text| said(text))
    }
}

impl SetupTest {
    fn has_failed(&self) -> bool {
        self.status.eq_ignore_ascii_case("FAILED")
    }

    /// Whether it shows that the access to the source does not work.
    fn shows_lost_access(&self) -> bool {
        let said = format!("{} {} {}", self.title, self.message, self.details);
        self.has_failed() && cause::speaks_of_access(&said)
    }

    /// It as a task to be read.
    fn as_task(&self) -> Task {
        let Self { title, message, details, .. } = self;
        let details = if message.is_empty() { details.clone() } else { message.clone() };
        Task { code: String::new(), message: title.clone(), details }
    }
}

/// What is at fault by all tasks together. Whatever else is wrong: where the access does not work,
/// nothing does. Where no task says anything that is known, a failed test of the setup may; where one
/// does, such a test is older, and casts doubt on it.
#[must_use]
pub fn cause(tasks: &[Task], tests: &[SetupTest]) -> Cause {
    let causes: Vec<_> = tasks.iter().map(Task::cause).collect();
    let lost = tests.iter().any(SetupTest::shows_lost_access);
    let heaviest = Cause::ALL.into_iter().find(|it| causes.contains(it)).unwrap_or_default();
    match heaviest {
        Cause::Access => Cause::Access,
        Cause::Unknown if lost => Cause::Access,
        _ if lost || tasks.iter().any(Task::mentions_access) => Cause::Unknown,
        cause => cause,
    }
}

/// The tests of a connection's setup that have failed, as tasks to be read.
#[must_use]
pub fn failed(tests: &[SetupTest]) -> Vec<Task> {
    tests.iter().filter(|test| test.has_failed()).take(KEPT).map(SetupTest::as_task).collect()
}

/// Those of them that show that the access to the source does not work.
#[must_use]
pub fn lost_access(tests: &[SetupTest]) -> Vec<Task> {
    tests.iter().filter(|test| test.shows_lost_access()).take(KEPT).map(SetupTest::as_task).collect()
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
    Ok(some_of(Value::deserialize(deserializer)?, KEPT))
}

/// The same of setup tests; `None` if there is no list of them.
pub(super) fn tests<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<SetupTest>>, D::Error> {
    Ok(tests_in(Value::deserialize(deserializer)?))
}

/// The same of what was read already.
pub(super) fn tests_in(value: Value) -> Option<Vec<SetupTest>> {
    value.is_array().then(|| some_of(value, TESTS))
}

fn some_of<T: for<'a> Deserialize<'a>>(value: Value, most: usize) -> Vec<T> {
    let Value::Array(items) = value else { return Vec::new() };
    let objects = items.into_iter().filter(Value::is_object);
    objects.filter_map(|item| serde_json::from_value(item).ok()).take(most).collect()
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
    fn a_code_is_the_same_in_any_letters() {
        for code in ["reconnect", "Reconnect", "RECONNECT", "MissingPermissions", "invalid-credentials"] {
            assert_eq!(task(code, "").cause(), Cause::Access, "{code}");
        }
    }

    #[test]
    fn of_several_tasks_lost_access_weighs_most() {
        let of = |codes: &[&str]| cause(&codes.iter().map(|code| task(code, "")).collect::<Vec<_>>(), &[]);
        assert_eq!(of(&["unknown_sync_failure", "reconnect"]), Cause::Access);
        assert_eq!(of(&["unknown_sync_failure", "reconnect_warehouse", "new"]), Cause::Destination);
        assert_eq!(of(&["new", "sync_warning"]), Cause::Sync);
        assert_eq!(of(&["new"]), Cause::Unknown);
        assert_eq!(of(&[]), Cause::Unknown);
        // One of them may mean access, so nobody is told that it is something else.
        let doubtful = task("sync_warning", "OAuth token revoked. invalid_grant");
        for other in ["sync_warning", "reconnect_warehouse", "new"] {
            assert_eq!(cause(&[doubtful.clone(), task(other, "")], &[]), Cause::Unknown, "{other}");
        }
        assert_eq!(cause(&[doubtful, task("reconnect", "")], &[]), Cause::Access);
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
        assert_eq!(cause(&[task("new", "")], std::slice::from_ref(&login)), Cause::Access);
        assert_eq!(cause(&[task("sync_warning", "")], std::slice::from_ref(&login)), Cause::Unknown);
        assert_eq!(lost_access(&[login])[0].says(), Some("Invalid login credentials."));
        for other in [
            test("Validate Login", "PASSED", ""),
            test("Connecting to the source", "FAILED", "The setup is incomplete"),
            test("Validate Login", "JOB_FAILED", ""),
            test("Destination permissions", "FAILED", "Access denied"),
            test("Connecting to the SSH tunnel", "FAILED", "Authentication failed"),
        ] {
            assert_eq!(cause(&[], std::slice::from_ref(&other)), Cause::Unknown, "{other:?}");
            assert_eq!(lost_access(&[other]), []);
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
