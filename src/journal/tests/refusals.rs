//! What follows when Slack refuses.

use super::*;

#[test]
fn a_link_that_slack_refuses_for_now_is_tried_again_while_the_person_can_still_be_told() {
    let later = || post_failed(PostFailure::Later { slack_says: "moving".to_owned(), pause: seconds(60) });
    for web_api in [RESPONSE_URL, WEB_API] {
        let mut life = Life::posting(web_api);
        let posts = life.journal.progress.posts;
        let step = life.next(later());
        let (pause, step) = life.after_wait(&step);
        assert!(pause >= seconds(60), "{pause:?}");
        assert_eq!((step, life.stage()), (Step::Look, "deliver"));
        assert!(life.journal.progress.posts <= posts.saturating_sub(1), "nothing was used up");

        let mut life = Life::posting(web_api);
        life.now = after(start(), CREATE_DEADLINE);
        assert_eq!(life.next(later()), Step::Tell);
        assert_eq!(life.problem(), Some(&Problem::CannotPost { slack_says: "moving".to_owned() }));
        // The sentence has nobody to fall back on.
        let step = life.next(later());
        assert_eq!((life.after_wait(&step).1, life.stage()), (Step::Tell, "tell"));
    }
}

#[test]
fn a_link_that_may_be_there_and_cannot_be_asked_about_is_told_and_not_repeated() {
    for web_api in [RESPONSE_URL, WEB_API] {
        let mut life = Life::posting(web_api);
        assert_eq!(life.next(post_failed(PostFailure::Unconfirmed)), Step::Tell);
        assert_eq!(life.problem(), Some(&Problem::Unconfirmed));
        assert_eq!(life.next(post_failed(PostFailure::Unconfirmed)), Step::End);
        assert_eq!(life.stage(), "undeliverable");
    }
}

#[test]
fn nobody_is_told_that_there_is_no_link_once_one_may_be_there() {
    let ends = [
        // By the link that did arrive, the customer has finished.
        Outcome::Found(Found::Finished { connection: "ours".to_owned(), origin: None, broken: false }),
        failed(Failure::Final(Problem::TooLarge { limit_mb: 8 })),
        failed(Failure::Final(Problem::KeyRejected)),
    ];
    for unclear in [true, false] {
        for end in ends.clone() {
            let mut life = Life::posting(WEB_API);
            let failure = if unclear { PostFailure::Unclear } else { PostFailure::NotSent };
            let step = life.next(post_failed(failure));
            assert_eq!(life.after_wait(&step).1, Step::Look);
            assert_eq!(life.next(end), Step::Tell);
            assert_eq!(life.problem() == Some(&Problem::Unconfirmed), unclear);
        }
    }
}

/// Of a post by the Web API, the row of a command says nothing.
#[test]
fn whoever_takes_a_command_over_tells_of_a_link_that_may_be_there() {
    let deliver = || Stage::Deliver { connection: "ours".to_owned(), existed: false };
    for (web_api, posts, noted, may_be_there) in [
        (WEB_API, 0, false, true),
        (RESPONSE_URL, 0, false, false),
        (RESPONSE_URL, 1, true, false),
        (RESPONSE_URL, 1, false, true),
        (RESPONSE_URL, 2, true, true),
    ] {
        let progress = Progress { posts, noted, ..Progress::of(deliver()) };
        let mut life = Life::at(web_api, progress.clone());
        assert_eq!(life.next(Outcome::TakenOver), Step::Look);
        assert_eq!(life.next(failed(Failure::Final(Problem::KeyRejected))), Step::Tell);
        let told = if may_be_there { Problem::Unconfirmed } else { Problem::KeyRejected };
        assert_eq!(life.problem(), Some(&told), "{web_api} {posts} {noted}");
        // Whoever posts knows more.
        let mut life = Life::at(web_api, progress);
        life.next(Outcome::TakenOver);
        assert_eq!(life.next(unfinished(None)), Step::Mint);
        assert_eq!(life.next(Outcome::Minted("card")), Step::Post);
        life.next(post_failed(PostFailure::Refused("is_archived".to_owned())));
        let word = "is_archived".to_owned();
        assert_eq!(life.problem(), Some(&Problem::CannotPost { slack_says: word }));
    }
}

/// Whoever posts says whether a refusal leaves anything unsure, after a failure as before it.
#[test]
fn what_fails_after_a_takeover_makes_a_refusal_no_more_and_no_less_sure() {
    let refused = || PostFailure::Refused("is_archived".to_owned());
    let word = "is_archived".to_owned();
    let later = || PostFailure::Later { slack_says: "moving".to_owned(), pause: seconds(1) };
    for between in [PostFailure::NotSent, PostFailure::Throttled(Some(seconds(1))), later()] {
        for (end, told) in [
            (PostFailure::Unconfirmed, Problem::Unconfirmed),
            (refused(), Problem::CannotPost { slack_says: word.clone() }),
        ] {
            let deliver = Stage::Deliver { connection: "ours".to_owned(), existed: false };
            let mut life = Life::at(WEB_API, Progress::of(deliver));
            assert_eq!(life.next(Outcome::TakenOver), Step::Look);
            about_to_post_again(&mut life);
            let step = life.next(post_failed(between.clone()));
            assert_eq!(life.after_wait(&step).1, Step::Look);
            about_to_post_again(&mut life);
            assert_eq!(life.next(post_failed(end)), Step::Tell);
            assert_eq!(life.problem(), Some(&told), "{between:?}");
        }
    }
}

/// What comes in between does not make a try heard of that was not.
#[test]
fn a_refusal_is_no_proof_that_an_unheard_try_is_not_there() {
    for unheard in [true, false] {
        let mut life = Life::posting(WEB_API);
        let first = if unheard { PostFailure::Unclear } else { PostFailure::NotSent };
        for failure in [first, PostFailure::NotSent] {
            let step = life.next(post_failed(failure));
            assert_eq!(life.after_wait(&step).1, Step::Look);
            about_to_post_again(&mut life);
        }
        assert_eq!(life.next(post_failed(PostFailure::Refused("is_archived".to_owned()))), Step::Tell);
        assert_eq!(life.problem() == Some(&Problem::Unconfirmed), unheard);
    }
}

#[test]
fn a_link_that_may_be_there_is_told_of_while_its_person_can_be() {
    for unheard in [true, false] {
        let mut life = Life::posting(WEB_API);
        let first = if unheard { PostFailure::Unclear } else { PostFailure::NotSent };
        let step = life.next(post_failed(first));
        assert_eq!(life.after_wait(&step).1, Step::Look);
        about_to_post_again(&mut life);
        life.now = after(start(), CREATE_DEADLINE);
        let step = life.next(post_failed(PostFailure::NotSent));
        assert_eq!(step == Step::Tell, unheard, "{step:?}");
        assert_eq!(life.problem() == Some(&Problem::Unconfirmed), unheard);
    }
}

/// After a pause: the link is looked at again, and the card is still good or another is made.
fn about_to_post_again(life: &mut Life) {
    let step = match life.next(unfinished(None)) {
        Step::Mint => life.next(Outcome::Minted("card")),
        step => step,
    };
    assert_eq!(step, Step::Post);
}
