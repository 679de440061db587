//! Who else is in a channel, before anything is made for it.

use super::*;
use crate::journal::{Company, Others};

const MANY: Others = Others { connected: 2, invited: 0 };

fn life(intent: Intent, progress: Progress) -> Life {
    Life::with(Terms { intent, for_few: true, ..terms(WEB_API) }, progress)
}

fn seen(company: Company) -> Outcome {
    Outcome::Company(company)
}

#[test]
fn it_is_seen_before_anything_else_and_once() {
    for (intent, then) in
        [(Intent::Connect, Step::Create), (Intent::PostHere, Step::Look), (Intent::Reauthorise, Step::Look)]
    {
        for company in [Company::Few, Company::Hidden] {
            let mut life = life(intent, Progress::default());
            assert_eq!(life.next(Outcome::Accepted), Step::Company);
            assert_eq!(life.next(seen(company)), then, "{intent:?} {company:?}");
        }
    }
    let mut life = life(Intent::Connect, Progress::default());
    life.next(Outcome::Accepted);
    life.next(seen(Company::Few));
    let step = life.next(failed(Failure::NotSent));
    assert_eq!(life.after_wait(&step).1, Step::Create);
    assert_eq!(life.next(created()), Step::Post);
}

#[test]
fn several_organisations_are_asked_about_while_nothing_is_made() {
    let mut life = life(Intent::Connect, Progress::default());
    life.next(Outcome::Accepted);
    assert_eq!(life.next(seen(Company::Many(MANY))), Step::Tell);
    assert_eq!(life.problem(), Some(&Problem::Shared(MANY)));
    assert_eq!(life.connection(), None);
    assert_eq!(life.next(Outcome::Told), Step::End);
}

#[test]
fn a_silent_slack_is_asked_a_few_times_and_then_not_waited_for() {
    let mut life = life(Intent::Connect, Progress::default());
    let mut step = life.next(Outcome::Accepted);
    let mut waited = Duration::ZERO;
    for _ in 1..COMPANY_LOOKS {
        assert_eq!(step, Step::Company);
        let rest = life.next(seen(Company::Untold));
        let (pause, next) = life.after_wait(&rest);
        (waited, step) = (waited + pause, next);
    }
    assert_eq!(step, Step::Company);
    assert_eq!(life.next(seen(Company::Untold)), Step::Create);
    assert!(waited <= Duration::from_secs(2), "{waited:?}");
    // What failed was no try of the creation.
    assert_eq!((life.again, life.journal.progress().tries), (false, 0));
    let mut life = super::company::life(Intent::Connect, Progress::default());
    life.next(Outcome::Accepted);
    let rest = life.next(seen(Company::Untold));
    assert_eq!(life.after_wait(&rest).1, Step::Company);
    assert_eq!(life.next(seen(Company::Many(MANY))), Step::Tell);
}

#[test]
fn whoever_takes_a_command_over_sees_for_themselves_unless_it_is_past_that() {
    let mut life = life(Intent::Connect, Progress::default());
    assert_eq!(life.next(Outcome::TakenOver), Step::Company);
    // Something may have been made by then, so it is looked for.
    assert_eq!(life.next(seen(Company::Few)), Step::Look);
    let deliver = Stage::Deliver { connection: "abc".to_owned(), existed: false };
    for (stage, step) in [
        (deliver, Step::Look),
        (Stage::Tell { notice: Problem::Shared(MANY).into(), connection: None }, Step::Tell),
    ] {
        let mut life = super::company::life(Intent::Connect, Progress::of(stage));
        assert_eq!(life.next(Outcome::TakenOver), step);
    }
}

#[test]
fn a_person_is_told_in_time_whatever_is_not_said() {
    let mut life = life(Intent::Connect, Progress::default());
    life.next(Outcome::Accepted);
    life.pass(Duration::from_secs(26 * 60));
    assert_eq!(life.next(seen(Company::Few)), Step::Tell);
    assert_eq!(life.problem(), Some(&Problem::OutOfTime), "Fivetran was not asked for anything");
}

/// A press in a message that nobody requested: `for_few` of a renewal.
#[test]
fn a_link_that_nobody_asked_for_is_judged_before_its_card_and_never_made_unseen() {
    let deliver = || Progress::of(Stage::Deliver { connection: "abc".to_owned(), existed: true });
    let renewed = || life(Intent::Renew, deliver());
    for first in [Outcome::Accepted, Outcome::TakenOver] {
        let mut life = renewed();
        assert_eq!(life.next(first.clone()), Step::Company);
        assert_eq!(life.next(seen(Company::Few)), Step::Look);
        let mut life = renewed();
        life.next(first.clone());
        assert_eq!(life.next(Outcome::NotHere), Step::Tell);
        assert_eq!(life.problem(), Some(&Problem::NotHere));
        let mut life = renewed();
        let mut step = life.next(first);
        for _ in 1..COMPANY_LOOKS {
            assert_eq!(step, Step::Company);
            let rest = life.next(seen(Company::Untold));
            step = life.after_wait(&rest).1;
        }
        assert_eq!(life.next(seen(Company::Untold)), Step::Tell);
        assert_eq!(life.problem(), Some(&Problem::CompanyUntold));
    }
    let mut requested = Life::with(Terms { intent: Intent::Renew, ..terms(WEB_API) }, deliver());
    assert_eq!(requested.next(Outcome::Accepted), Step::Look);
}
