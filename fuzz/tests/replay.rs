//! Every target on every input that was kept, and then on so many that are made of those.
//!
//! `CONNECT_CARD_FUZZ=100000` makes so many for each; `CONNECT_CARD_SEED` makes others. An input that fails is
//! written down, to be kept: put it into the target's corpus.

#![cfg(test)]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use fuzz::mutation::Dice;
use fuzz::{TARGETS, Target};

/// How many are made for each target where nothing else is said, and for those that take a few milliseconds each.
const USUAL: usize = 1000;
const FEWER: usize = 300;
const SLOW: [&str; 4] = ["command", "modal", "fivetran", "slack"];
/// Largest input that is kept, and all of them together, in bytes.
const LARGEST: usize = 4096;
const ALL: usize = 300_000;

/// A test for each target, so that they run side by side and fail by name.
macro_rules! replayed {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name));
        })*

        #[test]
        fn no_target_is_left_out() {
            assert_eq!(TARGETS.map(|(name, _)| name), [$(stringify!($name)),*]);
        }
    };
}

replayed! {
    signature form interaction event envelope command modal carried schema naming retry_after fivetran slack
    escape config dotenv
}

fn replay(name: &str) {
    let target = TARGETS.iter().find(|(known, _)| *known == name).unwrap().1;
    let kept = corpus(name);
    for (path, input) in &kept {
        holds(target, input).unwrap_or_else(|said| panic!("{}: {said}", path.display()));
    }
    let known: Vec<Vec<u8>> = kept.into_iter().map(|(_, input)| input).collect();
    let seed = variable("CONNECT_CARD_SEED").unwrap_or(1);
    let mut dice = Dice::new(seed);
    let usual = if SLOW.contains(&name) { FEWER } else { USUAL };
    for number in 0..variable("CONNECT_CARD_FUZZ").unwrap_or(usual) {
        let input = dice.mutated(&known);
        if let Err(said) = holds(target, &input) {
            let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{seed}-{number}"));
            fs::write(&path, &input).unwrap();
            let corpus = folder(name);
            panic!(
                "{said}\nwith {:?}\nTo keep it: cp {} {}/",
                String::from_utf8_lossy(&input),
                path.display(),
                corpus.display()
            );
        }
    }
}

fn holds(target: Target, input: &[u8]) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(|| target(input))).map_err(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned()
    })
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name)
}

/// What was kept for a target, in the order of its names.
fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let files = fs::read_dir(folder(name)).unwrap().map(|file| file.unwrap().path());
    let mut kept: Vec<_> = files.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    kept.sort();
    assert!(!kept.is_empty(), "{name} has no corpus");
    kept
}

#[test]
fn what_is_kept_is_small() {
    let kept: Vec<_> = TARGETS.iter().flat_map(|(name, _)| corpus(name)).collect();
    for (path, input) in &kept {
        assert!(input.len() <= LARGEST, "{}", path.display());
    }
    assert!(kept.iter().map(|(_, input)| input.len()).sum::<usize>() <= ALL);
}

#[expect(clippy::disallowed_methods, reason = "the tests' own variables")]
fn variable<T: FromStr>(name: &str) -> Option<T> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name}={value} is no number")))
}
