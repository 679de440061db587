//! What Linux says of a process: its memory, its descriptors, and whether it is traced.
//!
//! Elsewhere, and of what this user may not see, nothing is said: `None`.

/// The most memory that a process has had, in kB.
pub(crate) fn most_memory_kb(process: u32) -> Option<u64> {
    kilobytes(process, "VmHWM:")
}

/// The memory that it has, in kB.
pub(crate) fn memory_kb(process: u32) -> Option<u64> {
    kilobytes(process, "VmRSS:")
}

/// How many descriptors it has open.
pub(crate) fn descriptors(process: u32) -> Option<usize> {
    std::fs::read_dir(format!("/proc/{process}/fd")).ok().map(Iterator::count)
}

/// Whether it is there, and every thread of it is traced.
pub(crate) fn is_traced(process: u32) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{process}/task")) else { return false };
    threads.flatten().all(|thread| {
        let status = std::fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        status.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"))
    })
}

fn kilobytes(process: u32, field: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.split_whitespace().next()?.parse().ok()
}
