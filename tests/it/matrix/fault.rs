//! What can be wrong with one answer, and what whoever gets it can know of it.
//!
//! Owns the list, and the nature of each row by HTTP and by the partners' documents. Must not know what
//! the bot makes of it.

use std::sync::LazyLock;
use std::time::Duration;

use serde_json::json;
use stand_ins::fault::{Broken, Coding, Fault};

/// What whoever gets an answer can know of what came of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nature {
    /// Nothing was done: the partner will not, in its own words.
    Refuses,
    /// Nothing was done yet: the partner asks for a pause that people wait out.
    Pauses,
    /// The same, and nobody waits so long.
    PausesLong,
    /// Nothing was done, which nobody can know.
    Fails,
    /// It was done, and the answer is lost.
    Spoils,
    /// It was done, and the answer is whole and makes no sense.
    Odd,
    /// It was done, and the answer can be read.
    Harmless,
    /// Nothing was done: it is not the partner that answers.
    Foreign,
}

/// One row.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) nature: Nature,
    pub(super) fault: fn() -> Fault,
}

/// Longer than any call waits for an answer.
const NEVER: Duration = Duration::from_secs(120);
const PAGE: &str = "<html><head><title>Error</title></head></html>";
const MB: usize = 1 << 20;

const fn kind(name: &'static str, nature: Nature, fault: fn() -> Fault) -> Kind {
    Kind { name, nature, fault }
}

fn throttled(retry_after: &str) -> Fault {
    Fault::Throttled { retry_after: Some(retry_after.to_owned()) }
}

fn says(status: u16, code: &str, message: &str) -> Fault {
    Fault::Says(status, json!({ "code": code, "message": message }))
}

/// A list within a list, and so on: what reads by recursion runs out of stack.
fn deep() -> Fault {
    static DEEP: LazyLock<String> = LazyLock::new(|| "[".repeat(100_000));
    Fault::Instead(DEEP.as_str())
}

use Nature::{Fails, Foreign, Harmless, Odd, Pauses, PausesLong, Refuses, Spoils};

/// What anybody's answer may suffer, on the way or at its source.
pub(super) const OF_ANYBODY: &[Kind] = &[
    kind("429", Pauses, || Fault::Throttled { retry_after: None }),
    kind("429 for 2 s", Pauses, || throttled("2")),
    kind("429 until a date", PausesLong, || throttled("Fri, 31 Dec 2100 23:59:59 GMT")),
    kind("429 until a date that is over", Pauses, || throttled("Fri, 31 Dec 1999 23:59:59 GMT")),
    kind("429 for 1000000000 s", PausesLong, || throttled("1000000000")),
    kind("429 for 1e9 s", PausesLong, || throttled("1e9")),
    kind("429 for more than a number holds", Pauses, || throttled("99999999999999999999999")),
    kind("429 for -5 s", Pauses, || throttled("-5")),
    kind("429 soon", Pauses, || throttled("soon")),
    kind("500", Fails, || Fault::Status(500)),
    kind("500 for what was done", Spoils, || Fault::Done(Box::new(Fault::Status(500)))),
    kind("502", Fails, || Fault::Page(502, PAGE)),
    kind("503", Fails, || Fault::Page(503, PAGE)),
    kind("504 for what was done", Spoils, || Fault::Done(Box::new(Fault::Page(504, PAGE)))),
    kind("hung up on before the work", Fails, || Fault::DropBefore),
    kind("hung up on after the work", Spoils, || Fault::DropAfter),
    kind("reset after the work", Spoils, || Fault::Reset),
    kind("reset in the middle of the body", Spoils, || Fault::ResetMidway),
    kind("cut off in the middle of the body", Spoils, || Fault::Truncated),
    kind("an answer that never comes", Spoils, || Fault::SlowAfter(NEVER)),
    kind("a body that never ends its second half", Spoils, || Fault::SlowBody(NEVER)),
    kind("a body of a byte a second", Spoils, || Fault::Drip),
    kind("a head of a byte a second", Spoils, || Fault::Broken(Broken::SlowHead)),
    kind("a head without an end", Spoils, || Fault::Broken(Broken::EndlessHead)),
    kind("only provisional answers", Spoils, || Fault::Broken(Broken::OnlyProvisional)),
    kind("two lengths", Spoils, || Fault::Broken(Broken::TwoLengths)),
    kind("a length and chunks", Spoils, || Fault::Broken(Broken::LengthAndChunks)),
    kind("a chunk without a size", Spoils, || Fault::Broken(Broken::BadChunk)),
    kind("another protocol", Spoils, || Fault::Broken(Broken::OtherProtocol)),
    kind("another version of HTTP", Spoils, || Fault::Broken(Broken::OtherVersion)),
    kind("an empty body", Odd, || Fault::Empty),
    kind("a page with 200", Odd, || Fault::NotJson),
    kind("an empty list", Odd, || Fault::Instead("[]")),
    kind("null", Odd, || Fault::Instead("null")),
    kind("a number", Odd, || Fault::Instead("7")),
    kind("a text", Odd, || Fault::Instead("\"ok\"")),
    kind("JSON that breaks off", Odd, || Fault::Instead("{\"ok\":tr")),
    kind("100 MB under their length", Odd, || Fault::Flood { bytes: 100 * MB, declared: true }),
    kind("100 MB in chunks", Odd, || Fault::Flood { bytes: 100 * MB, declared: false }),
    kind("gzip that nobody asked for", Odd, || Fault::Coded(Coding::Gzip)),
    kind("gzip of 100 MB", Odd, || Fault::Bomb(100 * MB)),
    kind("a byte-order mark", Harmless, || Fault::Coded(Coding::ByteOrderMark)),
    kind("called a page", Harmless, || Fault::Media("text/html")),
    kind("called binary", Harmless, || Fault::Media("application/octet-stream")),
    kind("302 to another host", Foreign, || Fault::Elsewhere(302)),
    kind("307 to another host", Foreign, || Fault::Elsewhere(307)),
    kind("403 of a proxy", Foreign, || Fault::Page(403, PAGE)),
    kind("404 of a gateway", Foreign, || Fault::Page(404, PAGE)),
    kind("407", Foreign, || Fault::Page(407, PAGE)),
];

/// What Fivetran says.
pub(super) const OF_FIVETRAN: &[Kind] = &[
    kind("400", Refuses, || Fault::Status(400)),
    kind("401", Refuses, || Fault::Status(401)),
    kind("403", Refuses, || Fault::Status(403)),
    kind("404 of the destination", Refuses, || says(404, "NotFound_Group", "Cannot find group with id 'x'")),
    kind("404 of nothing", Foreign, || Fault::Status(404)),
    kind("409", Refuses, || Fault::Status(409)),
    kind("422", Refuses, || says(422, "InvalidInput", "Invalid value of field 'schema'")),
    kind("data that is a list", Odd, || Fault::Instead(r#"{"code":"Success","data":[]}"#)),
    kind("an id that is a number", Odd, || {
        Fault::Instead(r#"{"code":"Success","data":{"id":7,"items":7,"connect_card":7}}"#)
    }),
    kind("an id that leads elsewhere", Odd, || {
        Fault::Instead(
            r#"{"code":"Success","data":{"id":"../groups/x?","service":"google_ads","schema":"acme","connect_card":{"uri":"javascript:evil()"}}}"#,
        )
    }),
    kind("JSON that nests too deep", Odd, deep),
];

/// What Slack says, by its Web API and by a response_url.
pub(super) const OF_SLACK: &[Kind] = &[
    kind("400", Foreign, || Fault::Page(400, "")),
    kind("401", Foreign, || Fault::Page(401, "")),
    kind("409", Foreign, || Fault::Page(409, "")),
    kind("410", Refuses, || Fault::Page(410, "channel_is_archived")),
    kind("422", Foreign, || Fault::Page(422, "")),
    kind("ok that is a text", Odd, || Fault::Instead(r#"{"ok":"yes"}"#)),
    kind("ok without anything", Odd, || Fault::Instead(r#"{"ok":true}"#)),
    kind("a channel that is a list", Odd, || Fault::Instead(r#"{"ok":true,"channel":[],"ts":7,"user":[]}"#)),
    kind("invalid_auth", Refuses, || Fault::Says(200, json!({ "ok": false, "error": "invalid_auth" }))),
    kind("a word of tomorrow", Refuses, || {
        Fault::Says(200, json!({ "ok": false, "error": "a_word_of_tomorrow" }))
    }),
    kind("an error that is a list", Refuses, || Fault::Says(200, json!({ "ok": false, "error": [] }))),
    kind("fatal_error", Fails, || Fault::Says(200, json!({ "ok": false, "error": "fatal_error" }))),
    kind("ratelimited with 200", Pauses, || Fault::Says(200, json!({ "ok": false, "error": "ratelimited" }))),
];
