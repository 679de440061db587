//! What no input may do to the bot: targets for a fuzzer, each a function of bytes.
//!
//! A target hands the bytes to what the bot hands them to, and says what must hold whatever they are: it
//! panics where that does not. `tests/replay.rs` runs all of them over `corpus/`, and `coverage/` has them
//! looked for by libFuzzer. Must not know how an input came about.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a target says what is wrong by a panic"
)]

pub mod answers;
pub mod configuration;
pub mod frames;
pub mod mutation;
pub mod names;
pub mod requests;
pub mod shown;
pub mod signature;
pub mod typed;
pub mod waits;
mod wire;

/// Something that takes bytes.
pub type Target = fn(&[u8]);

/// Every target with its name, which is also that of the folder with its corpus.
pub const TARGETS: [(&str, Target); 16] = [
    ("signature", signature::signature),
    ("form", requests::form),
    ("interaction", requests::interaction),
    ("event", requests::event),
    ("envelope", frames::envelope),
    ("command", typed::command),
    ("modal", typed::modal),
    ("carried", typed::carried),
    ("schema", names::schema),
    ("naming", names::naming),
    ("retry_after", waits::retry_after),
    ("fivetran", answers::fivetran),
    ("slack", answers::slack),
    ("escape", shown::escape),
    ("config", configuration::config),
    ("dotenv", configuration::dotenv),
];

/// What stands before the first line's end, and what stands behind it.
fn line(data: &[u8]) -> (&[u8], &[u8]) {
    match data.iter().position(|&byte| byte == b'\n') {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => (data, &[]),
    }
}
