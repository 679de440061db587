//! How a command may end, by what is wrong with which call and for how long.
//!
//! Owns the rule, which is written by what can be known and not by what the bot does. Must not know a
//! bot.

use super::call::Sort;
use super::fault::Nature::{self, Fails, Foreign, Harmless, Odd, Pauses, PausesLong, Refuses, Spoils};

/// For how many calls something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lasts {
    Once,
    Thrice,
    Ever,
}

impl Lasts {
    pub(super) const ALL: [Self; 3] = [Self::Once, Self::Thrice, Self::Ever];
}

/// How a command ends for its person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With the link.
    Link,
    /// With one sentence.
    Told,
    /// With nothing, since nothing reaches the person; whoever runs the bot is told.
    Untold,
    /// With the form.
    Form,
}
use End::{Form, Link, Told, Untold};

/// Every end that is right.
pub(super) fn ends(sort: Sort, nature: Nature, lasts: Lasts) -> &'static [End] {
    let passes = lasts != Lasts::Ever;
    match sort {
        Sort::Creates => match nature {
            // It is there, and can be found.
            Harmless | Spoils | Odd => &[Link],
            Refuses => &[Told],
            Fails | Pauses if passes => &[Link],
            PausesLong | Foreign if passes => &[Link, Told],
            Fails | Pauses | PausesLong | Foreign => &[Told],
        },
        Sort::Asks => match nature {
            Harmless => &[Link],
            Refuses => &[Told],
            Fails | Spoils | Pauses if passes => &[Link],
            // Nobody has to wait for what mostly stays.
            Odd | PausesLong | Foreign if passes => &[Link, Told],
            Fails | Spoils | Odd | Pauses | PausesLong | Foreign => &[Told],
        },
        Sort::Wonders => match nature {
            Harmless => &[Link],
            Fails | Spoils | Pauses if passes => &[Link],
            _ => &[Link, Told],
        },
        Sort::Acts => &[Told],
        Sort::Links => match nature {
            // It may be there: it is looked for by nobody, and the doubt is told.
            Odd => &[Link, Told],
            Fails | Spoils if !passes => &[Told],
            _ => &[Link],
        },
        Sort::LinksAlone => match nature {
            Harmless => &[Link],
            Fails | Pauses if passes => &[Link],
            Fails | Pauses | PausesLong | Foreign | Refuses if !passes => &[Untold],
            // It is there, and the one way to say so is no better than the one by which it came.
            _ => &[Link, Told, Untold],
        },
        Sort::Tells => &[Told],
        Sort::TellsAlone => match nature {
            Harmless => &[Told],
            Fails | Pauses if passes => &[Told],
            Fails | Pauses | PausesLong | Foreign | Refuses if !passes => &[Untold],
            _ => &[Told, Untold],
        },
        Sort::Admits => &[Link, Told],
        Sort::Opens => match nature {
            Harmless => &[Form],
            _ => &[Form, Told],
        },
    }
}

/// Words of which one stands in a sentence that is told for this alone.
pub(super) fn words(sort: Sort, nature: Nature) -> &'static [&'static str] {
    const SAID: &[&str] = &[
        "Fivetran rejected the API key",
        "isn't allowed to do this",
        "Fivetran doesn't know this destination",
        "Fivetran can't do this",
        "Fivetran refused the request",
        "can't see",
    ];
    const SILENT: &[&str] = &["gave no clear answer in time"];
    const ODD: &[&str] = &[
        "gave no clear answer in time",
        "I can't read Fivetran's answer",
        "isn't Fivetran",
        "Fivetran's answer is larger than",
    ];
    const ELSEWHERE: &[&str] = &["redirects me", "isn't Fivetran", "wants a name and a password"];
    const DOUBT: &[&str] = &["couldn't make sure that its link was posted"];
    const NO_LINK: &[&str] = &[
        "couldn't make sure that its link was posted",
        "Slack rejected the message",
        "Slack doesn't take my messages",
        "this channel is archived",
    ];
    const ANY: &[&str] = &[""];
    match (sort, nature) {
        (Sort::Creates | Sort::Asks, Refuses) => SAID,
        (Sort::Creates | Sort::Asks, Fails | Spoils) => SILENT,
        (Sort::Creates | Sort::Asks, Pauses | PausesLong) => &["rate limit", "gave no clear answer in time"],
        (Sort::Creates | Sort::Asks, Odd) => ODD,
        (Sort::Creates | Sort::Asks, Foreign) => ELSEWHERE,
        (Sort::LinksAlone, Refuses | Foreign) => NO_LINK,
        (Sort::Links | Sort::LinksAlone, _) => DOUBT,
        (Sort::Tells | Sort::TellsAlone, _) => &["Fivetran refused the request"],
        _ => ANY,
    }
}

/// What no sentence has: a secret, an address, a program's own words.
const NEVER_SAID: &[&str] = &[
    "auth=",
    "/commands/",
    "127.0.0.1",
    "http:",
    "https:",
    "xoxb",
    "::",
    "{",
    "}",
    "Err",
    "None",
    "Some(",
    "panic",
    "\n",
    "evil",
    "undefined",
    "null",
];
/// What a sentence says that can be done, or that has been.
const REMEDIES: &[&str] = &[
    "ry again",
    "ry the same command",
    "ype the",
    "heck ",
    "needs to",
    "Ask ",
    "ask ",
    "Choose",
    "Press",
    "is cancelled",
    "nothing to cancel",
    "it yourself",
    "SERVICE SCHEMA",
];

/// What is wrong with a sentence, by itself.
pub(super) fn faults_of(sentence: &str) -> Vec<String> {
    let mut faults: Vec<_> = NEVER_SAID.iter().filter(|word| sentence.contains(**word)).collect();
    let known = |word: &&&str| sentence.contains(**word);
    let mut found: Vec<String> = faults.drain(..).map(|word| format!("says {word:?}")).collect();
    if REMEDIES.iter().find(known).is_none() {
        found.push("says nothing that can be done".to_owned());
    }
    if sentence.chars().count() > 600 {
        found.push("is too long".to_owned());
    }
    found
}
