//! Named points at which a test can end or stop the process.
//!
//! Owns their names. Compiled to nothing unless the feature `crash-points` is on, which only this
//! package's own tests switch on: a released binary has none of it.

/// Every point, in the order in which a command passes them. Each lies on a boundary between a
/// commit and an effect outside.
pub const POINTS: [&str; 37] = [
    "accept: before the commit",
    "accept: committed",
    "accept: acknowledging",
    "company: answered",
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
    "onboard: company seen",
    "onboard: expanded",
    "onboard: before the post",
    "onboard: posted",
    "onboard: reported",
    "join: before the commit",
    "add: before the commit",
    "add: recorded",
    "digest: none due",
    "digest: all told",
    "digest: taken",
    "digest: posted",
    "bring up: recorded",
    "bring up: let go",
    "bring up: before the post",
    "bring up: posted",
];

/// Stops a process, and ends once it has been stopped and goes on: a signal may take its time, and not
/// one more instruction of the command is to be seen before. One that was woken before anybody saw it stopped
/// goes on after some seconds.
#[cfg(feature = "crash-points")]
const STOP: &str = r#"
    is_stopped() {
        case "$(cat "/proc/$1/stat" 2>/dev/null || ps -o state= -p "$1")" in *") T "*|T*) true;; *) false;; esac
    }
    kill -STOP "$1"
    looks=0
    until is_stopped "$1" || [ "$looks" -ge 250 ]; do looks=$((looks + 1)); sleep 0.02; done
    while is_stopped "$1"; do sleep 0.02; done
"#;

/// Holds one command, and nothing else of the process, until the file is there no more.
#[cfg(feature = "crash-points")]
const HOLD: &str = r#"touch "$CRASH_HELD"; while [ -e "$CRASH_HELD" ]; do sleep 0.02; done"#;

/// Ends the process here if the test says so: `CRASH_AT` names the point, `CRASH_BY` is `kill`,
/// `terminate`, `stop`, `hold` or `panic`. A termination lets the process go on, as the signal does; a stop lets
/// it go on once somebody continues it; what is held goes on once the file that `CRASH_HELD` names is deleted; a
/// panic ends only the task.
#[cfg(feature = "crash-points")]
#[expect(clippy::disallowed_methods, reason = "a test's variable, not the bot's configuration")]
pub fn crash_point(name: &str) {
    use std::sync::atomic::{AtomicBool, Ordering};
    static DONE: AtomicBool = AtomicBool::new(false);
    debug_assert!(POINTS.contains(&name), "{name}");
    if std::env::var("CRASH_AT").is_ok_and(|at| at == name) && !DONE.swap(true, Ordering::SeqCst) {
        let by = std::env::var("CRASH_BY").unwrap_or_default();
        assert!(by != "panic", "a test asks for it, at “{name}”");
        let (program, arguments) = match by.as_str() {
            "terminate" => ("kill", vec!["-TERM"]),
            "stop" => ("sh", vec!["-c", STOP, "stop"]),
            "hold" => ("sh", vec!["-c", HOLD, "hold"]),
            _ => ("kill", vec!["-KILL"]),
        };
        let id = std::process::id().to_string();
        let _ = std::process::Command::new(program).args(arguments).arg(id).status();
        if program == "kill" && by != "terminate" {
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

/// For how long a creation without an answer is looked for, where a test knows that the Fivetran which
/// it has does at once what it does at all (`CREATE_GRACE_MS`), and has no minute to wait.
#[cfg(feature = "crash-points")]
#[must_use]
#[expect(clippy::disallowed_methods, reason = "a test's variable, not the bot's configuration")]
pub fn create_grace() -> Option<std::time::Duration> {
    std::env::var("CREATE_GRACE_MS").ok()?.parse().ok().map(std::time::Duration::from_millis)
}

/// As long as it has to be.
#[cfg(not(feature = "crash-points"))]
#[inline]
#[must_use]
pub fn create_grace() -> Option<std::time::Duration> {
    None
}

/// How many commands may be open, where a test has no time for as many as there may be (`OPEN_COMMANDS`).
#[cfg(feature = "crash-points")]
#[must_use]
#[expect(clippy::disallowed_methods, reason = "a test's variable, not the bot's configuration")]
pub fn open_commands() -> Option<i64> {
    std::env::var("OPEN_COMMANDS").ok()?.parse().ok()
}

/// As many as there may be.
#[cfg(not(feature = "crash-points"))]
#[inline]
#[must_use]
pub fn open_commands() -> Option<i64> {
    None
}

/// Whether a test wants to follow the process's system calls (`TRACEABLE`), for which it may not be closed to others.
#[cfg(feature = "crash-points")]
#[must_use]
#[expect(clippy::disallowed_methods, reason = "a test's variable, not the bot's configuration")]
pub fn traceable() -> bool {
    std::env::var_os("TRACEABLE").is_some()
}

/// Never.
#[cfg(not(feature = "crash-points"))]
#[inline]
#[must_use]
pub fn traceable() -> bool {
    false
}

/// Nothing.
#[cfg(not(feature = "crash-points"))]
#[inline]
pub fn crash_point(_: &str) {}
