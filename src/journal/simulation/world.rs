//! The processes of a run, and the virtual time in which they and the outside parties act.

mod faults;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::dice::Dice;
use super::fivetran::Fivetran;
use super::slack::{Post, Slack};
use super::statistics::{Ended, Statistics};
use super::store::Store;
use super::{Fate, MINUTE, Outcome, Says, stamp};
use crate::journal::{Act, FIRST_FENCE, Journal, Message, PostFailure, Resting, Step, Terms, Turn};
use crate::work::Intent;

/// As in `worker`, in ms.
const LEASE: i64 = 30_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A command is accepted by a replica.
    Accept {
        replica: usize,
    },
    /// A replica asks for a due command.
    Claim {
        replica: usize,
        command: usize,
    },
    /// A process that was slow sends its call at last.
    Send {
        task: usize,
    },
    /// The outside party does the work of a call.
    Work {
        call: usize,
    },
    /// The answer, or its absence, reaches the process.
    Answer {
        call: usize,
    },
    Crash {
        replica: usize,
    },
    Start {
        replica: usize,
    },
    /// A process that stood still goes on.
    GoOn {
        replica: usize,
    },
    /// Somebody deletes a connection by hand.
    Delete,
    /// Customers finish what they have links of.
    Finish,
}

struct Replica {
    /// Which process this is: an owner of leases. `None`: it is down.
    life: Option<usize>,
    ahead: i64,
    /// Until when it stands still, its renewals too.
    slow_until: i64,
    resting: Resting<usize>,
}

/// A process at work on a command, from a claim to its end, a wait or its death.
pub(super) struct Task {
    pub(super) command: usize,
    replica: usize,
    life: usize,
    fence: i64,
    journal: Journal<usize>,
    act: Act<usize>,
    last: Outcome,
    at_work: bool,
    /// Its process died, or lost the lease: it has told nobody what it did.
    pub(super) cut_off: bool,
}

struct Call {
    task: usize,
    act: Act<usize>,
    truth: Option<Outcome>,
    says: Says,
}

/// What the run knows of a command besides the store.
pub(super) struct Command {
    pub(super) name: i64,
    pub(super) accepted_at: i64,
    pub(super) ended: Option<Ended>,
    pub(super) fivetran_calls: u32,
    pub(super) posts: u32,
    /// Posts to the response_url, for a link and for a problem, that it may have counted.
    pub(super) url_links: u32,
    pub(super) url_problems: u32,
    /// Tasks that died or lost the lease.
    pub(super) cut_offs: u32,
    idle_waits: u32,
}

pub(super) struct World {
    now: i64,
    dice: Dice,
    queue: BinaryHeap<Reverse<(i64, usize, Event)>>,
    scheduled: usize,
    replicas: Vec<Replica>,
    lives: usize,
    /// One drive or call in so many meets a crash.
    crash_rate: i64,
    crashes_left: u32,
    slow_left: u32,
    pub(super) store: Store,
    pub(super) fivetran: Fivetran,
    pub(super) slack: Slack,
    pub(super) tasks: Vec<Task>,
    calls: Vec<Call>,
    pub(super) commands: Vec<Command>,
    pub(super) statistics: Statistics,
    /// For how long processes were down or stood still.
    pub(super) lost_time: i64,
    pub(super) violation: Option<String>,
    traced: bool,
}

impl World {
    pub(super) fn new(seed: u64, traced: bool) -> Self {
        let mut dice = Dice::new(seed);
        let replicas = dice.between(1, 3);
        let skew = dice.pick(&[0, 0, 2_000, 10 * MINUTE]);
        let replicas = (0..usize::try_from(replicas).unwrap())
            .map(|life| Replica {
                life: Some(life),
                ahead: dice.between(0, skew),
                slow_until: 0,
                resting: Resting::default(),
            })
            .collect::<Vec<_>>();
        let (fivetran, slack) = (Fivetran::new(&mut dice), Slack::new(&mut dice));
        let mut world = Self {
            now: 0,
            queue: BinaryHeap::new(),
            scheduled: 0,
            lives: replicas.len(),
            replicas,
            crash_rate: dice.pick(&[i64::MAX, 32, 8, 3]),
            crashes_left: 6,
            slow_left: if fivetran.names_are_unique { 2 } else { 0 },
            store: Store::default(),
            fivetran,
            slack,
            tasks: Vec::new(),
            calls: Vec::new(),
            commands: Vec::new(),
            statistics: Statistics::default(),
            lost_time: 0,
            violation: None,
            traced,
            dice,
        };
        world.populate();
        world
    }

    fn populate(&mut self) {
        let commands = self.dice.between(1, 2);
        for _ in 0..commands {
            let replica = self.dice.below(self.replicas.len() as i64);
            let at = self.dice.below(10_000);
            self.at(at, Event::Accept { replica: usize::try_from(replica).unwrap() });
        }
        if self.fivetran.names_are_unique && self.dice.one_in(3) {
            let (ours, finished) = (!self.dice.one_in(3), self.dice.one_in(2));
            self.fivetran.seed(0, ours, finished);
        }
        if self.dice.one_in(8) {
            let at = self.dice.below(20_000);
            self.at(at, Event::Delete);
        }
        if self.dice.one_in(4) {
            let at = self.dice.below(5 * MINUTE);
            self.at(at, Event::Finish);
        }
    }

    pub(super) fn run(mut self) -> Result<Statistics, String> {
        while let Some(Reverse((now, _, event))) = self.queue.pop() {
            self.now = now;
            self.happen(event);
            if self.scheduled > 50_000 {
                self.violation = Some("it does not end".to_owned());
            }
            if let Some(violation) = self.violation {
                return Err(violation);
            }
        }
        self.judge()
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Accept { replica } => self.accept(replica),
            Event::Claim { replica, command } => self.claim(replica, command),
            Event::Send { task } if self.is_alive(task) => self.send(task),
            Event::Send { .. } => {}
            Event::Work { call } => self.work(call),
            Event::Answer { call } => self.answer(call),
            Event::Crash { replica } => self.crash(replica),
            Event::Start { replica } => {
                self.trace(|| format!("replica {replica} starts"));
                self.replicas[replica].life = Some(self.lives);
                self.lives += 1;
                self.offer_all();
            }
            Event::GoOn { replica } => {
                if let Some(life) = self.replicas[replica].life {
                    self.store.renew(life);
                }
            }
            Event::Delete => {
                self.trace(|| "somebody deletes the connections".to_owned());
                self.fivetran.connections.iter_mut().for_each(|connection| connection.deleted = true);
            }
            Event::Finish => {
                for link in self.slack.posts.iter().filter_map(|post| post.link) {
                    self.fivetran.connections[link].finished = true;
                }
            }
        }
    }

    fn accept(&mut self, replica: usize) {
        let Some(life) = self.replicas[replica].life else { return };
        let clock = self.clock(replica);
        // Only where Fivetran keeps names unique can two commands have one name.
        let unique = self.fivetran.names_are_unique;
        let name = if unique { self.dice.below(2) } else { self.commands.len() as i64 };
        let command = self.store.accept(life, clock);
        self.slack.open_url(self.now);
        self.commands.push(Command {
            name,
            accepted_at: self.now,
            ended: None,
            fivetran_calls: 0,
            posts: 0,
            url_links: 0,
            url_problems: 0,
            cut_offs: 0,
            idle_waits: 0,
        });
        self.trace(|| format!("command {command} for name {name} is accepted by replica {replica}"));
        self.take_up(replica, life, command, FIRST_FENCE);
    }

    fn claim(&mut self, replica: usize, command: usize) {
        let Some(life) = self.replicas[replica].life else { return };
        if self.now < self.replicas[replica].slow_until {
            return self.at(self.replicas[replica].slow_until, Event::Claim { replica, command });
        }
        let clock = self.clock(replica);
        let Some(fence) = self.store.claim(command, life, clock, self.now) else { return };
        self.trace(|| format!("replica {replica} claims command {command}"));
        self.take_up(replica, life, command, fence);
    }

    /// The beginning of `worker::take_turns`.
    fn take_up(&mut self, replica: usize, life: usize, command: usize, fence: i64) {
        let row = &self.store.rows[command];
        let terms = Terms {
            accepted_at: stamp(row.accepted_at),
            web_api: self.slack.web_api,
            intent: Intent::Connect,
            spread: super::super::pause::mix(command as u64 + 1),
        };
        let resting = &mut self.replicas[replica].resting;
        let (journal, outcome) = resting.take_up(&command.to_string(), fence, terms, row.progress.clone());
        self.tasks.push(Task {
            command,
            replica,
            life,
            fence,
            journal,
            act: Act::Provision(Step::Look),
            last: outcome.clone(),
            at_work: true,
            cut_off: false,
        });
        self.drive(self.tasks.len() - 1, outcome);
    }

    /// The loop of `worker::take_turns`, from an outcome to the next call. A process can die between
    /// any two of its effects.
    fn drive(&mut self, id: usize, outcome: Outcome) {
        self.trace(|| format!("  task {id}: {outcome:?}"));
        if self.dies(id) {
            return;
        }
        let task = &mut self.tasks[id];
        task.last = outcome.clone();
        let (replica, command, fence) = (task.replica, task.command, task.fence);
        let now = stamp(self.now + self.replicas[replica].ahead);
        let Turn { record, act, again } = task.journal.next(outcome, now);
        self.trace(|| format!("  task {id}: -> {act:?}"));
        let goes_on = matches!(act, Act::Provision(_) | Act::Deliver(_));
        if let Act::Rest(_) = act {
            let journal = self.tasks[id].journal.clone();
            self.replicas[replica].resting.put_down(&command.to_string(), fence, journal);
        }
        if let Some(record) = record {
            if !self.store.record(command, fence, &record) {
                self.trace(|| format!("  task {id} has lost its lease"));
                self.replicas[replica].resting.forget(&command.to_string());
                self.statistics.leases_lost += 1;
                return self.cut_off(id);
            }
            if goes_on && self.dies(id) {
                return;
            }
        }
        self.tasks[id].at_work = goes_on;
        self.check_wait(command, &act);
        match act {
            Act::Rest(_) => self.offer(command),
            Act::End(_) => self.end(id),
            act => self.take(id, act, again),
        }
    }

    /// `worker::provision` and `worker::deliver`, up to the call.
    fn take(&mut self, id: usize, act: Act<usize>, again: bool) {
        let task = &mut self.tasks[id];
        let replica = task.replica;
        task.act = act;
        if matches!(task.act, Act::Provision(_)) && again && self.dice.one_in(16) {
            return self.drive(id, Outcome::Postponed);
        }
        if self.slow_left > 0 && self.crash_rate < i64::MAX && self.dice.one_in(16) {
            self.slow_left -= 1;
            let pause = self.dice.pick(&[1_000, LEASE + 5_000, 3 * MINUTE]);
            self.stand_still(replica, pause);
            return self.at(self.now + pause, Event::Send { task: id });
        }
        self.send(id);
    }

    fn send(&mut self, id: usize) {
        let task = &self.tasks[id];
        let (replica, command) = (task.replica, &mut self.commands[task.command]);
        let fate: Fate = match &task.act {
            Act::Provision(step) => {
                command.fivetran_calls += 1;
                self.fivetran.fate(step, self.now, &mut self.dice)
            }
            act => {
                command.posts += 1;
                let telling = matches!(act, Act::Deliver(Message::Notice(_)));
                let fate = self.slack.fate(self.now, &mut self.dice);
                let unsent = matches!(&fate.says, Says::Instead(Outcome::PostFailed(failure))
                    if !matches!(failure, PostFailure::Unclear));
                if self.slack.by_url(telling) && !unsent {
                    *(if telling { &mut command.url_problems } else { &mut command.url_links }) += 1;
                }
                fate
            }
        };
        let call = self.calls.len();
        self.calls.push(Call { task: id, act: task.act.clone(), truth: None, says: fate.says });
        if let Some(at) = fate.work_at {
            self.at(at, Event::Work { call });
        }
        self.at(fate.answer_at, Event::Answer { call });
        if self.dice.one_in(self.crash_rate) {
            let at = self.dice.between(self.now, fate.answer_at);
            self.at(at, Event::Crash { replica });
        } else if self.slow_left > 0 && self.dice.one_in(64) {
            self.slow_left -= 1;
            self.stand_still(replica, LEASE + 5_000);
        }
    }

    fn work(&mut self, id: usize) {
        let call = &self.calls[id];
        let (task, command) = (call.task, self.tasks[call.task].command);
        let truth = match &call.act {
            Act::Provision(step) => {
                let name = self.commands[command].name;
                self.fivetran.work(step, command, name, self.now)
            }
            act => {
                let clear = matches!(call.says, Says::Truth);
                let link = match act {
                    Act::Deliver(Message::Link { card, connection, .. }) => {
                        assert_eq!(card.to_string(), *connection, "a link is its connection's");
                        Some(*card)
                    }
                    _ => None,
                };
                self.slack.work(Post { command, link, at: self.now, task, clear })
            }
        };
        self.trace(|| format!("    at work for task {task}: {:?} -> {truth:?}", self.calls[id].act));
        self.calls[id].truth = Some(truth);
        self.check_connections(command);
    }

    fn answer(&mut self, id: usize) {
        let task = self.calls[id].task;
        if !self.is_alive(task) {
            return;
        }
        let replica = self.tasks[task].replica;
        if self.now < self.replicas[replica].slow_until {
            return self.at(self.replicas[replica].slow_until, Event::Answer { call: id });
        }
        let call = &mut self.calls[id];
        let outcome = match &call.says {
            Says::Truth => call.truth.take().expect("the work comes before its answer"),
            Says::Instead(outcome) => outcome.clone(),
        };
        self.drive(task, outcome);
    }

    fn end(&mut self, id: usize) {
        let Task { command, ref journal, ref last, replica, .. } = self.tasks[id];
        let ended = Ended {
            stage: journal.progress().stage.clone(),
            at: self.now,
            past_deadline: stamp(self.clock(replica)) >= journal.deadline(),
            last: last.clone(),
        };
        self.trace(|| format!("command {command} has ended as {:?}", ended.stage));
        if self.commands[command].ended.replace(ended).is_some() {
            self.violation = Some(format!("command {command} has ended twice"));
        }
    }

    fn is_alive(&self, task: usize) -> bool {
        let task = &self.tasks[task];
        self.replicas[task.replica].life == Some(task.life) && task.at_work
    }

    fn clock(&self, replica: usize) -> i64 {
        self.now + self.replicas[replica].ahead
    }

    fn at(&mut self, time: i64, event: Event) {
        self.scheduled += 1;
        self.queue.push(Reverse((time, self.scheduled, event)));
    }

    fn check_wait(&mut self, command: usize, act: &Act<usize>) {
        let idle = &mut self.commands[command].idle_waits;
        match act {
            Act::Rest(Duration::ZERO) => *idle += 1,
            Act::Rest(_) => *idle = 0,
            _ => return,
        }
        if *idle > 1 {
            self.violation = Some(format!("command {command} waits for nothing, again and again"));
        }
    }

    fn trace(&self, line: impl FnOnce() -> String) {
        if self.traced {
            println!("{:>9} {}", self.now, line());
        }
    }
}
