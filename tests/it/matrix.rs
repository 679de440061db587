//! Hostile and broken partners: every call of a command, with everything that can be wrong with its
//! answer, once, three times and for ever. Whatever it is, the command ends in one link or one sentence that
//! is true and says what to do; there is one connection at the most, the calls are bounded, and somebody
//! else's command beside it does not wait.
//!
//! How each may end is computed by [`rule`], which knows what can be known of an answer and not what the bot
//! does. Time is virtual, see [`time`]. The suite plays a sample that has every call, and every fault of both
//! partners; `CONNECT_CARD_MATRIX=all` plays all cells, and `CONNECT_CARD_MATRIX=pairs` so many pairs
//! (`CONNECT_CARD_PAIRS`) of faults.

mod call;
mod cell;
mod fault;
mod hooks;
mod memory;
mod network;
mod rule;
mod time;

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use call::CALLS;
use cell::{Cell, Played};
use rule::Lasts;

use crate::harness::proc::most_memory_kb;
use crate::harness::{Random, form, number, say, seed};

/// Bots at a time, each with its partners in a thread of its own.
const LANES: usize = 4;
/// Which cells are played.
const MODE: &str = "CONNECT_CARD_MATRIX";

/// Every call with everything that can be wrong with it.
fn cells() -> Vec<Cell> {
    let with = |call: &'static call::Call| {
        call.kinds().flat_map(move |kind| Lasts::ALL.map(|lasts| Cell { call, kind, lasts, second: None }))
    };
    CALLS.iter().flat_map(with).collect()
}

/// Plays each of these, several at a time, each in a thread that has a runtime of its own. Gives what came of
/// them in their order; `Err`: with which words it panicked.
fn side_by_side<I: Sync, R: Send>(items: &[I], play: impl AsyncFn(&I) -> R + Sync) -> Vec<Result<R, String>> {
    let todo: Mutex<VecDeque<usize>> = Mutex::new((0..items.len()).collect());
    let done: Mutex<BTreeMap<usize, Result<R, String>>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                let mut runtime = tokio::runtime::Builder::new_current_thread();
                let runtime = runtime.enable_all().build().unwrap();
                loop {
                    let Some(next) = todo.lock().unwrap().pop_front() else { return };
                    let played = catch_unwind(AssertUnwindSafe(|| runtime.block_on(play(&items[next]))));
                    let words = |panic: Box<dyn Any + Send>| match panic.downcast::<String>() {
                        Ok(words) => *words,
                        Err(panic) => panic.downcast_ref::<&str>().copied().unwrap_or_default().to_owned(),
                    };
                    done.lock().unwrap().insert(next, played.map_err(words));
                }
            });
        }
    });
    done.into_inner().unwrap().into_values().collect()
}

/// Plays cells side by side. Gives what came of each, in their order.
fn play(cells: &[Cell]) -> Vec<Played> {
    let aloud = !form(MODE).is_empty();
    let played = side_by_side(cells, async |cell| {
        let played = cell::play(cell).await;
        if aloud {
            say(&format!("{cell}: {}; {} calls", played.end, played.calls));
        }
        played
    });
    let panicked = |why| Played { violations: vec![format!("panics: {why}")], ..Played::default() };
    played.into_iter().map(|played| played.unwrap_or_else(panicked)).collect()
}

/// Every call, and every fault of each partner's, at least once, and what chance adds.
fn sample(mut cells: Vec<Cell>, random: &mut Random) -> Vec<Cell> {
    for at in (1..cells.len()).rev() {
        cells.swap(at, random.below(at as u64 + 1) as usize);
    }
    let mut seen = BTreeSet::new();
    cells.retain(|cell| {
        let new_fault = seen.insert((Some(cell.call.is_fivetrans), cell.kind.name));
        let new_call = seen.insert((None, cell.call.name));
        new_fault || new_call
    });
    cells
}

/// A row for each call: cells, calls at most, links at most.
fn table(cells: &[Cell], played: &[Played]) -> String {
    let mut rows = String::from("call | cells | violations | calls at most | links at most\n");
    for call in CALLS {
        let of = cells.iter().zip(played).filter(|(cell, _)| cell.call.name == call.name);
        let of: Vec<_> = of.map(|(_, played)| played).collect();
        let bad = of.iter().filter(|played| !played.violations.is_empty()).count();
        let calls = of.iter().map(|played| played.calls).max().unwrap_or_default();
        let links = of.iter().map(|played| played.links).max().unwrap_or_default();
        rows += &format!("{} | {} | {bad} | {calls} | {links}\n", call.name, of.len());
    }
    rows
}

#[test]
fn whatever_answers_a_command_ends_once_and_as_it_may() {
    let seed = seed();
    let mut random = Random(seed);
    let mode = form(MODE);
    let all = cells();
    let chosen = match mode.as_str() {
        "" => sample(all, &mut random),
        "all" => all,
        "pairs" => pairs(&mut random),
        only => all.into_iter().filter(|cell| cell.to_string().contains(only)).collect(),
    };
    let played = play(&chosen);
    let violations: Vec<String> = chosen
        .iter()
        .zip(&played)
        .filter(|(_, played)| !played.violations.is_empty())
        .map(|(cell, played)| format!("{cell}: {}\n    {}", played.violations.join(", "), played.end))
        .collect();
    if !mode.is_empty() {
        say(&table(&chosen, &played));
    }
    say(&format!(
        "matrix: {} cells, {} violations, seed {seed}, {:?} kB at most",
        played.len(),
        violations.len(),
        most_memory_kb(std::process::id())
    ));
    assert!(violations.is_empty(), "seed {seed}:\n{}", violations.join("\n"));
}

/// Pairs of faults, of one call or of two.
fn pairs(random: &mut Random) -> Vec<Cell> {
    let count = number("CONNECT_CARD_PAIRS", 300);
    (0..count)
        .map(|_| {
            let mut all = cells();
            let mut first = all.swap_remove(random.below(all.len() as u64) as usize);
            let other = all.swap_remove(random.below(all.len() as u64) as usize);
            first.second = Some((other.call.route, other.kind, other.lasts));
            first
        })
        .collect()
}
