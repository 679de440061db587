//! Time in one cell: nobody waits. Where the command rests, its bot's clock goes on to the end of the rest;
//! where an answer is held back, the runtime's goes on until the call is given up.
//!
//! Owns how both clocks move. Must not know what is wrong, nor how a command may end.

use std::time::Duration;

use sqlx::{Connection as _, Row as _, SqliteConnection};

use crate::harness::TestBot;

/// How often is looked. In each of these the one thread of the bot and its partners does all it can.
const GLANCE: Duration = Duration::from_millis(4);
/// Glances without a call after which whoever has the command in hand is waiting.
const QUIET: u32 = 6;
/// The same, once it is known to wait.
const STILL: u32 = 2;
/// How far time moves at once while an answer is held back, and while the command is kept in hand.
const STEP: Duration = Duration::from_secs(5);
/// Longest wait for an answer, and a little.
const HELD: Duration = Duration::from_secs(70);
/// How often the bot looks for what is due.
const POLL: Duration = Duration::from_millis(501);
/// After that nobody waits for a command any more.
const LONGEST: Duration = Duration::from_secs(3 * 60 * 60);

/// Moves the timers of this thread's runtime on.
async fn runtime(by: Duration) {
    tokio::time::pause();
    tokio::time::advance(by).await;
    tokio::time::resume();
}

/// How many calls were made, and how many of them were held back.
fn calls(bot: &TestBot) -> (usize, u64) {
    const ASIDE: [&str; 5] = ["list_page", "group", "account", "connector_types", "card_page"];
    let to_fivetran = bot.fivetran.calls();
    let to_fivetran = to_fivetran.iter().filter(|call| !ASIDE.contains(&call.route)).count();
    let held = bot.fivetran.faults(|faults| faults.held()) + bot.slack.faults(|faults| faults.held());
    (to_fivetran + bot.slack.calls().len(), held)
}

/// Lets a little pass.
pub(super) async fn moves_on(bot: &TestBot) {
    bot.advance(POLL);
    runtime(POLL).await;
    bot.census().await;
}

/// Lets everything come to its end. How long that was for the bot; `None`: it never ends.
pub(super) async fn passes(bot: &TestBot) -> Option<Duration> {
    let mut db = SqliteConnection::connect(&bot.database()).await.unwrap();
    let began = bot.clock.ahead();
    let (mut seen, mut quiet, mut held) = (calls(bot), 0, HELD);
    loop {
        let open = "SELECT run_at, lease_until FROM command WHERE ended_at IS NULL";
        let Some(row) = sqlx::query(open).fetch_optional(&mut db).await.unwrap() else {
            return Some(bot.clock.ahead() - began);
        };
        if bot.clock.ahead() - began > LONGEST {
            return None;
        }
        let (run_at, lease_until): (i64, i64) = (row.get(0), row.get(1));
        let rest = run_at - bot.clock.now().as_millisecond();
        let made = calls(bot);
        if made != seen {
            // One that is held back may be waited for, for as long as any call is.
            held = if made.1 > seen.1 { HELD } else { Duration::ZERO };
            (seen, quiet) = (made, 0);
        }
        if lease_until == 0 {
            bot.advance(Duration::from_millis(u64::try_from(rest).unwrap_or_default()));
            runtime(POLL).await;
        } else if quiet >= QUIET {
            let step = if held.is_zero() { POLL } else { STEP };
            held = held.saturating_sub(step);
            bot.advance(STEP);
            runtime(step).await;
            quiet = QUIET - STILL;
        }
        quiet += 1;
        tokio::time::sleep(GLANCE).await;
        // Whatever the bot has asked its database for by then, as to prolong a lease, is done before this.
        bot.census().await;
    }
}
