//! What is wrong with a broken connection, and whether its customer can help it.
//!
//! Owns who is told of it. Which code speaks of what is [`crate::fivetran::tasks`]'s. Knows no
//! sentence.

use serde::{Deserialize, Serialize};

use crate::fivetran::model::{SetupState, SetupTest, Status, Task};
use crate::fivetran::tasks::{self, Cause};

/// Longest text of Fivetran's that is kept for a message, in characters: a message shows less.
const WORDS_LIMIT: usize = 1000;

/// What is wrong with a connection, as far as Fivetran says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// What is at fault.
    #[serde(default)]
    pub cause: Cause,
    /// What Fivetran says, in its own words.
    #[serde(default)]
    pub tasks: Vec<Task>,
    /// Whether the answer had the tests of the setup: lists may leave them out.
    #[serde(default)]
    pub tested: bool,
}

impl Trouble {
    /// What Fivetran says of a connection that stands so. `tests`: those of its setup, if the answer
    /// has them.
    #[must_use]
    pub fn of(status: &Status, tests: Option<&[SetupTest]>) -> Self {
        let tested = tests.is_some();
        let tests = tests.unwrap_or_default();
        let cause = match (tasks::cause(&status.tasks, tests), status.setup_state) {
            // Somebody has to go through the setup again, and that is what a link is for.
            (Cause::Unknown, SetupState::Incomplete) => Cause::Access,
            (cause, _) => cause,
        };
        let mut said = status.tasks.clone();
        // What has decided it, or casts doubt on what the tasks say.
        if matches!(cause, Cause::Access | Cause::Unknown)
            && said.iter().all(|task| task.cause() != Cause::Access)
        {
            said.extend(tasks::lost_access(tests));
        }
        Self { cause, tasks: said, tested }
    }

    /// Whether the customer's access is at fault, so that the customer is asked. Nobody else is: where
    /// no sign-in can help, to ask for one is to ask for nothing.
    #[must_use]
    pub fn asks_customer(&self) -> bool {
        self.cause == Cause::Access
    }

    /// What Fivetran says of the access to the source, for the message that asks the customer: not a
    /// label that says nothing, and nothing of what is ours. `None` if that is all.
    #[must_use]
    pub fn words(&self) -> Option<String> {
        if !self.asks_customer() {
            return None;
        }
        // Of several, what the customer is asked about; a failed test of the setup has no code.
        let coded = self.tasks.iter().any(|task| task.cause() == Cause::Access);
        let about = self.tasks.iter().filter(|task| match coded {
            true => task.cause() == Cause::Access,
            false => task.code.is_empty(),
        });
        let words: Vec<_> = about.filter_map(Task::says_of_access).collect();
        let words: String = words.join("; ").chars().take(WORDS_LIMIT).collect();
        (!words.is_empty()).then_some(words)
    }

    /// Whether access is spoken of, though not so that the customer can be asked.
    #[must_use]
    pub fn may_be_access(&self) -> bool {
        self.cause == Cause::Unknown && self.tasks.iter().any(Task::mentions_access)
    }

    /// Whether this is other news than what was known. A number, a moment or an id that differs from
    /// one failed sync to the next is none.
    #[must_use]
    pub fn differs_from(&self, known: &Self) -> bool {
        self.cause != known.cause || self.gist() != known.gist()
    }

    fn gist(&self) -> Vec<String> {
        let gist = |task: &Task| {
            let said = format!("{} {} {}", task.code, task.message, task.details);
            let words = said.split(|c: char| !c.is_alphanumeric());
            words.filter(|word| !word.chars().any(|c| c.is_ascii_digit())).collect::<Vec<_>>().join(" ")
        };
        self.tasks.iter().map(gist).collect()
    }

    /// The same, if an answer without tests says no more than one with them has said before.
    #[must_use]
    pub(super) fn or_as_tested(self, known: Option<&Self>) -> Self {
        match known {
            // Tests cast a doubt on everything but lost access.
            Some(known) if !self.tested && known.tested && self.cause != Cause::Access => {
                let same = self.tasks.iter().all(|task| known.tasks.contains(task));
                let of_tasks = known.tasks.iter().filter(|task| !task.code.is_empty()).count();
                if same && of_tasks == self.tasks.len() { known.clone() } else { self }
            }
            _ => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(code: &str, details: &str) -> Trouble {
        let task = Task { code: code.to_owned(), message: "Label".to_owned(), details: details.to_owned() };
        Trouble::of(&Status { tasks: vec![task], setup_state: SetupState::Broken, ..Status::default() }, None)
    }

    #[test]
    fn a_number_that_differs_is_no_news() {
        let first = trouble("sync_warning", "Sync 4711 failed at 2026-11-22T10:00:01Z: id 9f3a-77");
        assert!(
            !trouble("sync_warning", "Sync 4712 failed at 2026-11-23T11:30:02Z: id 01bc-42")
                .differs_from(&first)
        );
        for other in [
            trouble("sync_warning", "Sync 4711 was stopped at 2026-11-22T10:00:01Z: id 9f3a-77"),
            trouble("reconnect", "Sync 4711 failed at 2026-11-22T10:00:01Z: id 9f3a-77"),
        ] {
            assert!(other.differs_from(&first), "{other:?}");
        }
    }

    #[test]
    fn of_several_tasks_the_customer_reads_what_the_customer_can_do() {
        let task = |code: &str, details: &str| Task {
            code: code.to_owned(),
            message: "Label".to_owned(),
            details: details.to_owned(),
        };
        let tasks =
            vec![task("sync_warning", "A table was skipped."), task("reconnect", "The password is wrong.")];
        let status = Status { tasks, setup_state: SetupState::Broken, ..Status::default() };
        assert_eq!(Trouble::of(&status, None).words().as_deref(), Some("The password is wrong."));
    }

    #[test]
    fn the_customer_reads_nothing_of_what_is_ours() {
        for (details, words) in [
            ("Your access token has expired.", Some("Your access token has expired.")),
            ("Job 4711 of group projected_sickle was stopped", None),
            ("", None),
        ] {
            let trouble = trouble("reconnect", details);
            assert!(trouble.asks_customer(), "{details}");
            assert_eq!(trouble.words().as_deref(), words);
        }
        let ours = trouble("reconnect", "The destination Snowflake rejected the password of FIVETRAN_USER");
        assert_eq!((ours.asks_customer(), ours.words()), (false, None));
    }

    #[test]
    fn a_failed_login_casts_doubt_on_a_sync_and_a_list_without_tests_does_not_forget_it() {
        let test = SetupTest {
            title: "Validate Login".to_owned(),
            status: "FAILED".to_owned(),
            message: "Invalid login credentials.".to_owned(),
            details: String::new(),
        };
        let task = Task { code: "sync_warning".to_owned(), ..Task::default() };
        let status = Status { setup_state: SetupState::Broken, tasks: vec![task], ..Status::default() };
        let tested = Trouble::of(&status, Some(&[test]));
        assert_eq!((tested.cause, tested.may_be_access()), (Cause::Unknown, true));
        let listed = Trouble::of(&status, None);
        assert_eq!((listed.cause, listed.may_be_access()), (Cause::Sync, false));
        assert_eq!(listed.or_as_tested(Some(&tested)), tested);
    }

    #[test]
    fn what_tests_have_shown_is_not_forgotten_by_a_list_that_has_none() {
        let test = SetupTest {
            title: "Validate Login".to_owned(),
            status: "FAILED".to_owned(),
            message: "Invalid login credentials.".to_owned(),
            details: String::new(),
        };
        let status = Status { setup_state: SetupState::Broken, ..Status::default() };
        let tested = Trouble::of(&status, Some(&[test]));
        assert!(tested.asks_customer());
        assert_eq!(tested.words().as_deref(), Some("Invalid login credentials."));
        let listed = Trouble::of(&status, None);
        assert!(!listed.asks_customer());
        assert_eq!(listed.clone().or_as_tested(Some(&tested)), tested);
        assert_eq!(listed.clone().or_as_tested(None), listed);
        let passed = Trouble::of(&status, Some(&[]));
        assert!(!passed.or_as_tested(Some(&tested)).asks_customer());
        let other = trouble("some_code_of_tomorrow", "");
        assert!(!other.or_as_tested(Some(&tested)).asks_customer());
    }

    #[test]
    fn what_was_set_up_and_is_not_any_more_is_the_customers_to_set_up() {
        let status = Status { setup_state: SetupState::Incomplete, ..Status::default() };
        assert!(Trouble::of(&status, None).asks_customer());
    }

    #[test]
    fn a_cause_that_a_later_release_has_stored_asks_nobody() {
        let stored: Trouble = serde_json::from_str(r#"{"cause":"of_tomorrow","tasks":[],"new":1}"#).unwrap();
        assert_eq!((stored.cause, stored.asks_customer()), (Cause::Unknown, false));
    }

    fn failed_login() -> SetupTest {
        SetupTest {
            title: "Validate Login".to_owned(),
            status: "FAILED".to_owned(),
            message: "Invalid login credentials.".to_owned(),
            details: String::new(),
        }
    }

    #[test]
    fn what_a_task_says_already_is_not_said_again_by_a_test() {
        for (code, said) in
            [("reconnect", vec!["reconnect"]), ("sync_warning", vec!["sync_warning", ""]), ("", vec!["", ""])]
        {
            let task = Task { code: code.to_owned(), ..Task::default() };
            let status = Status { setup_state: SetupState::Broken, tasks: vec![task], ..Status::default() };
            let trouble = Trouble::of(&status, Some(&[failed_login()]));
            assert_eq!(
                trouble.tasks.iter().map(|task| task.code.as_str()).collect::<Vec<_>>(),
                said,
                "{code}"
            );
        }
    }

    #[test]
    fn access_is_doubted_only_where_it_is_spoken_of_and_not_known() {
        for (code, details, may_be) in [
            ("of_tomorrow", "The login may have failed.", true),
            ("of_tomorrow", "The table is too large.", false),
            ("reconnect", "The login may have failed.", false),
        ] {
            assert_eq!(trouble(code, details).may_be_access(), may_be, "{code} {details}");
        }
    }

    #[test]
    fn other_words_are_news_however_many_there_are() {
        let first = trouble("sync_warning", "Sync failed");
        assert!(trouble("sync_warning", "Sync stopped").differs_from(&first));
        assert!(
            !trouble("sync_warning", "Sync 7 failed").differs_from(&trouble("sync_warning", "Sync 8 failed"))
        );
    }

    #[test]
    fn only_an_answer_without_tests_is_measured_by_one_that_had_them() {
        let of = |code: &str, tests: Option<&[SetupTest]>| {
            let task = Task { code: code.to_owned(), ..Task::default() };
            let status = Status { setup_state: SetupState::Broken, tasks: vec![task], ..Status::default() };
            Trouble::of(&status, tests)
        };
        let failed = [failed_login()];
        let (known, untested) = (of("sync_warning", Some(&failed)), of("sync_warning", None));
        for (seen, before, kept) in [
            (of("sync_warning", None), &known, true),
            (of("sync_warning", Some(&[])), &known, false),
            (of("reconnect", None), &known, false),
            (of("other_warning", None), &known, false),
            (of("sync_warning", None), &untested, true),
        ] {
            let after = seen.clone().or_as_tested(Some(before));
            assert_eq!(&after == before, kept, "{seen:?} {before:?}");
            assert!(kept || after == seen);
        }
    }
}
