//! How processes die, stand still and lose their leases.

use super::{Event, Hand, NO_PLAN, World};
use crate::journal::Resting;
use crate::onboarding::simulation::{LEASE, MINUTE};

impl World {
    /// Whether a process dies between two of its effects.
    pub(in crate::onboarding::simulation) fn dies(&mut self, replica: usize, times: i64) -> bool {
        let dies = self.crashes_left > 0
            && self.now < self.faults_until
            && self.dice.one_in(self.crash_rate.saturating_mul(times));
        if dies {
            self.crash(replica);
        }
        dies
    }

    /// Whether a process stands still now, one time in so many, and until when.
    pub(in crate::onboarding::simulation) fn stops(&mut self, replica: usize, times: i64) -> Option<i64> {
        if self.stills_left == 0 || self.now > self.faults_until || !self.dice.one_in(times) {
            return None;
        }
        self.stills_left -= 1;
        let pause = self.dice.pick(&[1_000, 20_000, LEASE + 5_000, LEASE + 5_000, 100_000, 3 * MINUTE]);
        self.stand_still(replica, pause);
        Some(self.now + pause)
    }

    pub(super) fn crash(&mut self, replica: usize) {
        let Some(life) = self.replicas[replica].life else { return };
        if self.crashes_left == 0 {
            return;
        }
        self.crashes_left -= 1;
        self.statistics.crashes += 1;
        let long = self.dice.below(40 * MINUTE);
        let down = self.dice.pick(&[10, 1_000, 1_000, 10_000, 10_000, MINUTE, 3 * MINUTE, long]);
        self.trace(|| format!("replica {replica} dies for {down} ms"));
        self.replicas[replica].life = None;
        self.replicas[replica].still_until = 0;
        self.replicas[replica].resting = Resting::default();
        self.replicas[replica].unheard.clear();
        for hand in 0..self.hands.len() {
            if self.hands[hand].life == life && self.hands[hand].at_work {
                let Hand { command, fence, .. } = self.hands[hand];
                let row = self.store.row(command);
                // Once the end of its command is on disk, so is all that it did.
                if row.fence == fence && row.ended_at.is_some() {
                    self.drop_hand(hand, false);
                    continue;
                }
                self.drop_hand(hand, true);
                // What it has heard of and not written down, nobody knows.
                let unwritten = self.slack.posts.iter_mut().filter(|post| post.hand == hand && !post.written);
                unwritten.for_each(|post| post.heard = false);
            }
        }
        // Leases are given up where the process is stopped in order, or its file is opened by the next one.
        if self.dice.one_in(4) {
            self.store.release(life, self.now);
        }
        self.lost_time += down + LEASE;
        // The leases of what it had are to end first.
        self.is_troubled(self.now + down + 2 * MINUTE);
        self.at(self.now + down, Event::Start { replica });
        self.store.changed = true;
    }

    pub(super) fn start(&mut self, replica: usize) {
        self.trace(|| format!("replica {replica} starts"));
        self.replicas[replica].life = Some(self.lives);
        self.replicas[replica].renewed_at = None;
        self.replicas[replica].plans = [NO_PLAN; super::CHORES.len()];
        self.replicas[replica].paused_until = 0;
        self.lives += 1;
        self.store.changed = true;
    }

    /// The replica does nothing for a while, not even prolong its leases.
    fn stand_still(&mut self, replica: usize, pause: i64) {
        self.trace(|| format!("replica {replica} stands still for {pause} ms"));
        self.statistics.standstills += 1;
        let until = self.now + pause;
        self.replicas[replica].stood_at = self.now;
        let lately = self.now - self.dice.below(LEASE / 3);
        // One that has not prolonged its leases since it stood still last has not done so lately.
        let renewed_at = self.replicas[replica].renewed_at.unwrap_or(lately);
        self.replicas[replica].still_until = self.replicas[replica].still_until.max(until);
        self.replicas[replica].renewed_at = Some(renewed_at);
        self.lost_time += pause;
        self.is_troubled(until + 2 * MINUTE);
        for hand in self.at_work(replica) {
            let (command, fence) = (self.hands[hand].command, self.hands[hand].fence);
            self.store.lapse(command, fence, renewed_at + LEASE);
        }
        // What it does first when it wakes is anybody's guess.
        let late = self.dice.pick(&[0, 0, 100, 2_000]);
        let at = until + self.dice.between(0, late);
        self.at(at, Event::GoOn { replica });
    }

    fn at_work(&self, replica: usize) -> Vec<usize> {
        let life = self.replicas[replica].life;
        let theirs = |hand: &usize| self.hands[*hand].at_work && Some(self.hands[*hand].life) == life;
        (0..self.hands.len()).filter(theirs).collect()
    }

    /// `worker::prolong_leases`, once: from here on it does so all the time.
    pub(super) fn prolong(&mut self, replica: usize) {
        if self.replicas[replica].life.is_none() || self.now < self.replicas[replica].still_until {
            return;
        }
        self.replicas[replica].renewed_at = None;
        for hand in self.at_work(replica) {
            let (command, fence) = (self.hands[hand].command, self.hands[hand].fence);
            if !self.store.keep(command, fence) {
                self.hands[hand].lost = true;
            }
        }
    }

    /// `Store::lease_left`.
    pub(in crate::onboarding::simulation) fn lease_left(&self, replica: usize) -> i64 {
        match self.replicas[replica].renewed_at {
            Some(at) => (at + LEASE - self.now).max(0),
            None => LEASE * 2 / 3,
        }
    }

    /// A process is not at work on a command any more; `cut`: without having said how it stands.
    pub(in crate::onboarding::simulation) fn drop_hand(&mut self, id: usize, cut: bool) {
        let left = self.dice.between(LEASE * 2 / 3, LEASE);
        let at = self.now + left;
        let hand = &mut self.hands[id];
        if !hand.at_work {
            return;
        }
        hand.at_work = false;
        let Hand { command, fence, .. } = *hand;
        hand.cut_off |= cut;
        self.commands[command].cut_offs += u32::from(cut);
        self.store.lapse(command, fence, at);
    }
}

impl World {
    /// A process may die while a call of its is under way.
    pub(in crate::onboarding::simulation) fn dies_during(&mut self, replica: usize, until: i64) -> bool {
        let dies = self.crashes_left > 0
            && self.now < self.faults_until
            && self.dice.one_in(self.crash_rate.saturating_mul(2));
        if dies {
            let at = self.dice.between(self.now, until);
            self.at(at, Event::Crash { replica });
        } else {
            // It wakes when its answer has been waiting for long.
            self.stops_meanwhile(replica);
        }
        dies
    }

    fn stops_meanwhile(&mut self, replica: usize) {
        if self.stills_left > 0 && self.now < self.faults_until && self.dice.one_in(96) {
            self.stills_left -= 1;
            self.stand_still(replica, LEASE + 5_000);
        }
    }
}
