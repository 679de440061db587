//! What is counted of the runs, and that everything did happen.

use super::Outcome;
use crate::journal::Stage;

/// How a command ended, as its process saw it.
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
    runs, commands, crashes, leases_lost, delivered, told, undeliverable, undeliverable_early, adopted,
    links_shown_again, unclear_links, cut_off_links, posts_after_the_end;
    most_fivetran_calls, most_posts, most_links_of_one_command, most_url_links, most_url_problems
}
