//! How processes die, stand still and lose their leases, and who takes their commands up.

use super::{Event, LEASE, World};
use crate::journal::Resting;
use crate::journal::simulation::MINUTE;

/// As in `worker`, in ms.
const POLL: i64 = 500;

impl World {
    pub(super) fn dies(&mut self, task: usize) -> bool {
        // A third of the rate, for there are three such moments to a call.
        let dies = self.crashes_left > 0 && self.dice.one_in(self.crash_rate.saturating_mul(3));
        if dies {
            self.crash(self.tasks[task].replica);
        }
        dies
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
        self.replicas[replica].slow_until = 0;
        self.replicas[replica].resting = Resting::default();
        for task in 0..self.tasks.len() {
            if self.tasks[task].life == life && self.tasks[task].at_work {
                self.cut_off(task);
            }
        }
        // Leases are given up where the process is stopped, or its successor is the only one.
        let left = if self.dice.one_in(2) { 0 } else { self.dice.between(LEASE * 2 / 3, LEASE) };
        self.store.lapse(life, self.now + left);
        self.lost_time += down + LEASE;
        self.at(self.now + down, Event::Start { replica });
        self.offer_all();
    }

    /// The replica does nothing for a while, not even prolong its leases.
    pub(super) fn stand_still(&mut self, replica: usize, pause: i64) {
        self.trace(|| format!("replica {replica} stands still for {pause} ms"));
        let Some(life) = self.replicas[replica].life else { return };
        let until = self.now + pause;
        self.replicas[replica].slow_until = until;
        self.lost_time += pause;
        let lease = self.dice.between(LEASE * 2 / 3, LEASE);
        self.store.lapse(life, self.now + lease);
        self.offer_all();
        self.at(until, Event::GoOn { replica });
    }

    pub(super) fn cut_off(&mut self, task: usize) {
        let task = &mut self.tasks[task];
        (task.at_work, task.cut_off) = (false, true);
        self.commands[task.command].cut_offs += 1;
    }

    /// Lets every replica ask for the command when it can have it.
    pub(super) fn offer(&mut self, command: usize) {
        for replica in 0..self.replicas.len() {
            if let Some(at) = self.store.free_at(command, self.replicas[replica].ahead) {
                let poll = self.dice.below(POLL);
                self.at(at.max(self.now) + poll, Event::Claim { replica, command });
            }
        }
    }

    pub(super) fn offer_all(&mut self) {
        (0..self.store.rows.len()).for_each(|command| self.offer(command));
    }
}
