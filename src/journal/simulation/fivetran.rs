//! Fivetran as a model: connections by name, and calls that go wrong in every known way.

use std::time::Duration;

use super::dice::Dice;
use super::{CALL_TIMEOUT, Fate, Outcome, Says, Weather, stamp};
use crate::fivetran::model::ApiMessage;
use crate::journal::{Failure, Found, Problem, Step};

pub(super) struct Connection {
    pub(super) name: i64,
    pub(super) ours: bool,
    pub(super) finished: bool,
    /// Somebody had finished it before any command.
    pub(super) finished_before_all: bool,
    /// The command whose creation made it.
    pub(super) made_by: Option<usize>,
    pub(super) made_at: i64,
    listed_at: i64,
    pub(super) deleted: bool,
}

pub(super) struct Fivetran {
    pub(super) connections: Vec<Connection>,
    pub(super) weather: Weather,
    /// Fivetran's promise under `FIVETRAN_NAMING`. Where it is broken, work is done within the grace
    /// and lists do not lag: then looking alone must be enough.
    pub(super) names_are_unique: bool,
    /// A name that is taken is said to be so; otherwise it is refused like anything else.
    pub(super) conflict: bool,
    lag: i64,
}

impl Fivetran {
    pub(super) fn new(dice: &mut Dice) -> Self {
        let names_are_unique = !dice.one_in(4);
        Self {
            connections: Vec::new(),
            weather: Weather::new(dice),
            names_are_unique,
            conflict: dice.one_in(2),
            lag: if names_are_unique && dice.one_in(4) { 1500 } else { 0 },
        }
    }

    pub(super) fn lists_lag(&self) -> bool {
        self.lag > 0
    }

    /// Adds one that somebody made elsewhere.
    pub(super) fn seed(&mut self, name: i64, ours: bool, finished: bool) {
        self.connections.push(Connection {
            name,
            ours,
            finished,
            finished_before_all: finished,
            made_by: None,
            made_at: -86_400_000,
            listed_at: 0,
            deleted: false,
        });
    }

    /// What will become of a call that is sent now.
    pub(super) fn fate(&self, step: &Step, now: i64, dice: &mut Dice) -> Fate {
        let answer_at = now + dice.between(20, 1500);
        let work_at = dice.between(now, answer_at);
        let truth = Fate { work_at: Some(work_at), answer_at, says: Says::Truth };
        let instead = |work_at, answer_at, failure| Fate {
            work_at,
            answer_at,
            says: Says::Instead(Outcome::Failed(failure)),
        };
        let too_late = now + CALL_TIMEOUT;
        if self.weather.is_out(now) {
            return match self.weather.kind {
                0 => instead(None, answer_at, Failure::Throttled(Some(Duration::ZERO))),
                1 => instead(Some(work_at), answer_at, Failure::Unclear),
                _ => match dice.below(3) {
                    0 => instead(None, now + 5, Failure::NotSent),
                    1 => instead(None, answer_at, Failure::Unclear),
                    _ => instead(None, too_late, Failure::Unclear),
                },
            };
        }
        if !dice.one_in(self.weather.trouble) {
            return truth;
        }
        // When the work of a request may be done at the latest, even if its caller has gone.
        let latest = now + if self.names_are_unique { 35_000 } else { 2_500 };
        match dice.below(12) {
            0 | 1 => instead(None, now + 5, Failure::NotSent),
            2 | 3 => {
                let pause =
                    dice.pick(&[None, Some(0), Some(1), Some(30), Some(60), Some(61), Some(u64::MAX)]);
                instead(None, answer_at, Failure::Throttled(pause.map(Duration::from_secs)))
            }
            4 | 5 => instead(None, answer_at, Failure::Unclear),
            6 | 7 => instead(Some(work_at), answer_at, Failure::Unclear),
            8 => instead(Some(dice.between(now, latest)), too_late, Failure::Unclear),
            9 => instead(Some(dice.between(answer_at, latest)), answer_at, Failure::Unclear),
            10 if *step == Step::Create => Fate {
                work_at: None,
                answer_at,
                says: Says::Instead(Outcome::CreateRefused {
                    problem: Problem::Refused(ApiMessage::default()),
                    conflict: false,
                }),
            },
            10 => instead(None, answer_at, Failure::Final(Problem::Forbidden(ApiMessage::default()))),
            _ => Fate { answer_at: now + CALL_TIMEOUT - 1, ..truth },
        }
    }

    /// Does the work of a call, and says what the answer would be.
    pub(super) fn work(&mut self, step: &Step, command: usize, name: i64, now: i64) -> Outcome {
        match step {
            Step::Create => {
                if self.names_are_unique && self.bearing(name).next().is_some() {
                    let problem = Problem::NameTaken(ApiMessage::default());
                    return Outcome::CreateRefused { problem, conflict: self.conflict };
                }
                self.connections.push(Connection {
                    name,
                    ours: true,
                    finished: false,
                    finished_before_all: false,
                    made_by: Some(command),
                    made_at: now,
                    listed_at: now + self.lag,
                    deleted: false,
                });
                let id = self.connections.len() - 1;
                // Now and then the card does not come along.
                Outcome::Created { connection: id.to_string(), card: (now % 16 != 0).then_some(id) }
            }
            Step::Look => {
                let found = self.bearing(name).find(|(_, found)| found.listed_at <= now);
                Outcome::Found(match found {
                    None => Found::Nothing,
                    Some((_, found)) if !found.ours => Found::OtherService { service: "stripe".to_owned() },
                    Some((id, found)) if found.finished => {
                        Found::Finished { connection: id.to_string(), origin: None, broken: false }
                    }
                    Some((id, found)) => Found::Unfinished {
                        connection: id.to_string(),
                        created_at: Some(stamp(found.made_at)),
                    },
                })
            }
            Step::Mint { connection } | Step::Cancel { connection } => {
                let id: usize = connection.parse().unwrap();
                match self.connections.get(id) {
                    Some(found) if !found.deleted => Outcome::Minted(id),
                    _ => Outcome::Vanished,
                }
            }
        }
    }

    /// The connections of a name that exist.
    pub(super) fn bearing(&self, name: i64) -> impl Iterator<Item = (usize, &Connection)> {
        self.connections.iter().enumerate().filter(move |(_, found)| found.name == name && !found.deleted)
    }
}
