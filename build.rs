//! How the program is linked.

#![expect(clippy::disallowed_methods, reason = "what cargo tells a build is no configuration")]

use std::process::Command;

/// Older ones cannot read the packed form of the table of a program's own addresses, which is a fraction of the
/// plain one: that takes a twenty-fifth of the program.
/// <https://sourceware.org/glibc/wiki/Release/2.36>
const PACKS: (u32, u32) = (2, 36);

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let of = |name: &str| std::env::var(name).unwrap_or_default();
    // Whoever builds for another system knows more of it than this machine's own library tells.
    let is_for_here = of("CARGO_CFG_TARGET_ENV") == "gnu" && of("HOST") == of("TARGET");
    if is_for_here && glibc().is_some_and(|version| version >= PACKS) {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// The version of this machine's glibc.
fn glibc() -> Option<(u32, u32)> {
    let said = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let said = String::from_utf8(said.stdout).ok()?;
    let (major, minor) = said.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
}
