//! Named points at which a test can end or stop the process.
//!
//! Owns their names. Compiled to nothing unless the feature `crash-points` is on, which only this
//! package's own tests switch on: a released binary has none of it.

/// Every point, in the order in which a command passes them. Each lies on a boundary between a
/// commit and an effect outside.
pub const POINTS: [&str; 20] = [
    "accept: before the commit",
    "accept: committed",
    "accept: acknowledging",
    "create: before the call",
    "create: answered",
    "deliver: recorded",
    "post: before the call",
    "post: answered",
    "end: recorded",
    "look: before the call",
    "look: answered",
    "mint: before the call",
    "mint: answered",
    "cancel: before the call",
    "cancel: answered",
    "wait: recorded",
    "tell: recorded",
    "tell: before the call",
    "tell: answered",
    "edit: before the call",
];

/// Ends the process here if the test says so: `CRASH_AT` names the point, `CRASH_BY` is `kill`,
/// `terminate` or `stop`. A termination lets the process go on, as the signal does; a stop lets it
/// go on once somebody continues it.
#[cfg(feature = "crash-points")]
#[expect(clippy::disallowed_methods, reason = "a test's variable, not the bot's configuration")]
pub fn crash_point(name: &str) {
    use std::sync::atomic::{AtomicBool, Ordering};
    static DONE: AtomicBool = AtomicBool::new(false);
    debug_assert!(POINTS.contains(&name), "{name}");
    if std::env::var("CRASH_AT").is_ok_and(|at| at == name) && !DONE.swap(true, Ordering::SeqCst) {
        let by = std::env::var("CRASH_BY").unwrap_or_default();
        let signal = match by.as_str() {
            "terminate" => "-TERM",
            "stop" => "-STOP",
            _ => "-KILL",
        };
        let _ = std::process::Command::new("kill").args([signal, &std::process::id().to_string()]).status();
        if signal == "-KILL" {
            // The signal is on its way; not one more instruction of the command is to be seen.
            loop {
                std::thread::park();
            }
        }
    }
}

/// Whether a test wants to see what becomes of acknowledgements when SQLite does not sync
/// (`UNSAFE_SYNCHRONOUS=OFF`): the control for the test that it does.
#[cfg(feature = "crash-points")]
#[must_use]
#[expect(clippy::disallowed_methods, reason = "a test's variable, not the bot's configuration")]
pub fn without_sync() -> bool {
    std::env::var("UNSAFE_SYNCHRONOUS").is_ok_and(|it| it == "OFF")
}

/// Never.
#[cfg(not(feature = "crash-points"))]
#[inline]
#[must_use]
pub fn without_sync() -> bool {
    false
}

/// Nothing.
#[cfg(not(feature = "crash-points"))]
#[inline]
pub fn crash_point(_: &str) {}
