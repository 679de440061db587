//! Core dumps, which would put every secret in memory on a disk.
//!
//! Owns that this process leaves none. Must not know what is secret.

use rustix::process::{Resource, Rlimit, setrlimit};

/// Sees to it that a crash of this process leaves no picture of its memory, whatever the shell or the service
/// manager allows. Where the kernel hands dumps to a program, as with systemd-coredump, the limit alone does not
/// hold; on Linux the process is marked as not to be dumped, too, and then no other process of its user can read
/// its memory either. A program that it starts is dumpable again, within the limit. `traceable`: a test follows its
/// system calls, and so it stays open to others.
///
/// # Errors
/// The system's, if neither can be done.
pub fn turn_off(traceable: bool) -> std::io::Result<()> {
    #[cfg(not(target_os = "linux"))]
    let _ = traceable;
    let limited = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    #[cfg(target_os = "linux")]
    let limited = if traceable {
        limited
    } else {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        set_dumpable_behavior(DumpableBehavior::NotDumpable).or(limited)
    };
    Ok(limited?)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::{DumpableBehavior, dumpable_behavior, getrlimit};

    use super::*;

    #[test]
    fn neither_a_file_nor_a_program_gets_a_dump() {
        turn_off(false).unwrap();
        assert_eq!(getrlimit(Resource::Core), Rlimit { current: Some(0), maximum: Some(0) });
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    }
}
