//! What is counted of the runs, and that everything did happen.

use super::Outcome;
use crate::journal::Stage;

/// How a command ended, as its process saw it.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) stage: Stage,
    pub(super) at: i64,
    pub(super) past_deadline: bool,
    pub(super) last: Outcome,
}

macro_rules! statistics {
    ($($counted:ident),* ; $($largest:ident),*) => {
        /// What happened in some runs: sums, and then maxima.
        #[derive(Debug, Default)]
        pub(super) struct Statistics {
            $(pub(super) $counted: u64,)*
            $(pub(super) $largest: u32,)*
        }

        impl Statistics {
            pub(super) fn add(&mut self, other: &Self) {
                $(self.$counted += other.$counted;)*
                $(self.$largest = self.$largest.max(other.$largest);)*
            }

            /// A simulation in which something never happens proves nothing about it.
            pub(super) fn assert_everything_happened(&self) {
                $(assert!(self.$counted > 0, "{} is zero", stringify!($counted));)*
            }
        }
    };
}

statistics! {
    runs, events, commands, crashes, standstills, clock_steps, leases_lost, lost_database_answers, database_failures,
    delivered, told, undeliverable, undeliverable_early, adopted, links_shown_again, unclear_links, cut_off_links,
    posts_after_the_end, twins, voided, late_inserts, connected, posted_here, reauthorised, renewed_in_place,
    renewed_anew, cancelled, not_cancelled, synced, sent_elsewhere, asked_in_company, posted_for_all, went_unseen, conflicts, taken_back, waited_for_a_take_back,
    intents_taken_back, maybe_posted, left_messages, late_posts, late_edits, messages_lost, made_good, edits,
    edits_refused, customers_asked, told_threads, told_alone, overtaken_news, landings, looks, sweeps, ticks, questions, denials, seen_gone,
    came_back, shown_connected, shown_expired, shown_lapsed, shown_broken, shown_cancelled, shown_gone,
    shown_replaced, channels_archived, messages_deleted, notes, late_notes,
    several, parts, parts_refused, expansions, added_to_open, joined, made_way, came_too_late, singles_joined, said_where, reports,
    onboardings_asked, onboardings_posted, onboardings_unposted, onboardings_drawn, onboardings_done,
    onboardings_over, onboardings_told, onboardings_twice, opened;
    most_events, most_fivetran_calls, most_posts, most_links_of_one_command, most_url_links, most_url_problems
}
