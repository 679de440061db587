//! Mirrors `server::accept`, `server::commands` and `server::interactivity`, as far as they decide what
//! becomes a command.

use std::rc::Rc;

use super::process::Bot;
use super::sources::Several;
use super::store::NewCommand;
use super::world::{Command, World};
use super::{CHANNELS, REQUESTS, TEAM};
use crate::journal::{Progress, Stage};
use crate::life::{Link, State};
use crate::work::{Confirmed, Onboard, Request, Work};

impl Bot {
    /// `/connect-card SERVICE SCHEMA`, or the button under a question.
    pub(super) async fn connect(
        self,
        name: usize,
        channel: usize,
        user: usize,
        confirmed: Confirmed,
        for_all: bool,
    ) {
        let request = Request { confirmed, for_all, ..REQUESTS[name].clone() };
        self.accept(name, channel, user, Work::Connect(request), Progress::default()).await;
    }

    /// `renew SCHEMA`.
    pub(super) async fn renew_typed(self, name: usize, channel: usize, user: usize) {
        let found = self.db(|store, _| store.connection_of_schema(CHANNELS[channel], name)).await;
        let Ok(Some(stored)) = found else { return };
        self.renew(name, channel, user, &stored.connection.link).await;
    }

    /// The button in a message: only in the message of the link.
    pub(super) async fn renew_pressed(self, link: usize, message: usize, user: usize) {
        let id = format!("c{link}");
        let Ok(Some(stored)) = self.db(|store, _| store.connection_of_link(&id)).await else { return };
        let link = &stored.connection.link;
        let here = link.message.as_ref().is_some_and(|place| place.ts == message.to_string());
        let alone = link.onboarding.is_some();
        let stands = !alone && link.state == State::Waiting && self.now() < link.expires_at;
        if !here || link.team_id != TEAM || stands {
            return;
        }
        let channel = self.world().slack.messages[message].place;
        self.renew(super::name_of(&stored.connection.key), channel, user, link).await;
    }

    /// `command::renew::work`.
    async fn renew(&self, name: usize, channel: usize, user: usize, link: &Link) {
        if matches!(link.state, State::Unposted | State::Connected | State::Cancelled | State::Gone) {
            return;
        }
        let (id, requester, request) = (link.id.clone(), None, link.request.clone());
        let work = match link.onboarding {
            Some(_) => Work::Open { link: id, requester, request },
            None => Work::Renew { link: id, requester, unasked: false, request },
        };
        let stage = Stage::Deliver { connection: link.connection_id.clone(), existed: true };
        self.accept(name, channel, user, work, Progress::of(stage)).await;
    }

    /// `cancel SCHEMA`, confirmed.
    pub(super) async fn cancel_typed(self, name: usize, channel: usize, user: usize) {
        let found = self.db(|store, _| store.connection_of_schema(CHANNELS[channel], name)).await;
        let Ok(Some(stored)) = found else { return };
        let link = &stored.connection.link;
        if link.state.is_over() {
            return;
        }
        let work = Work::Cancel { link: link.id.clone(), request: link.request.clone() };
        let stage = Stage::Cancel { connection: link.connection_id.clone() };
        self.accept(name, channel, user, work, Progress::of(stage)).await;
    }

    /// The button of a note about a connection that does not work, and `command::sync::work`.
    pub(super) async fn sync_pressed(self, name: usize, channel: usize, user: usize) {
        let found = self.db(|store, _| store.connection_of_schema(CHANNELS[channel], name)).await;
        let Ok(Some(stored)) = found else { return };
        let link = &stored.connection.link;
        if link.state != State::Broken {
            return;
        }
        let work = Work::Sync { link: link.id.clone(), request: link.request.clone() };
        let stage = Stage::Sync { connection: link.connection_id.clone() };
        self.accept(name, channel, user, work, Progress::of(stage)).await;
    }

    /// `Intake::accept`, with the writer that voids what was not promised in time.
    async fn accept(&self, name: usize, channel: usize, user: usize, work: Work, progress: Progress) {
        self.accept_several(name, (channel, user), work, None, progress).await;
    }

    /// The same, of one source or several: the numbers that follow are for those.
    pub(super) async fn accept_several(
        &self,
        name: usize,
        (channel, user): (usize, usize),
        work: Work,
        several: Option<Rc<Onboard>>,
        progress: Progress,
    ) {
        let (life, accepted_at) = (self.life, self.clock());
        let new = NewCommand { work, several, name, channel, user, progress, accepted_at };
        let (command, slow) = {
            let mut world = self.world();
            let now = world.now;
            world.commands.push(Command::new(new.clone(), now));
            let command = world.commands.len() - 1;
            world.store.room(command);
            world.slack.open_url(now);
            world.make_room_for_parts(command);
            (command, world.database_trouble < i64::MAX && world.dice.one_in(8))
        };
        self.trace(|| format!("command {command}: {:?} of {name} in {channel}", new.work.intent()));
        if slow {
            return self.accept_late(command, new).await;
        }
        match self.db(|store, now| store.accept(command, &new, life, now)).await {
            Ok(true) => {
                self.world().commands[command].promised = true;
                self.carry(command, crate::journal::FIRST_FENCE);
            }
            Ok(false) => {
                let mut world = self.world();
                world.statistics.twins += 1;
                world.commands[command].refused = true;
            }
            Err(_) => self.void(command, &new).await,
        }
    }

    /// The database takes the insert and keeps it for a while; the person hears that nothing was done,
    /// and so it must be, whichever of insert and void comes first.
    async fn accept_late(&self, command: usize, new: NewCommand) {
        let (life, inserted) = (self.life, new.clone());
        let wait = self.world().dice.below(60_000);
        let at = self.moment() + wait;
        self.world().work_at(
            at,
            Box::new(move |world| {
                let now = world.now;
                let put = world.store.accept(command, &inserted, life, now);
                world.statistics.late_inserts += u64::from(put);
                world.trace(|| format!("    the database inserts command {command}: {put}"));
            }),
        );
        self.sleep(2_000).await;
        self.void(command, &new).await;
    }

    async fn void(&self, command: usize, new: &NewCommand) {
        let life = self.life;
        while self.db(|store, now| store.void(command, new, life, now)).await.is_err() {
            self.sleep(200).await;
        }
        self.trace(|| format!("command {command} is void"));
        let mut world = self.world();
        world.statistics.voided += 1;
        // One that another process has taken meanwhile is at work, and ends as any.
        world.commands[command].refused = world.store.rows[command].as_ref().is_none_or(|row| row.fence == 1);
    }
}

impl World {
    /// The commands of the sources of one of several: nothing, until it is expanded.
    fn make_room_for_parts(&mut self, parent: usize) {
        let new = self.commands[parent].new.clone();
        let Some(onboard) = &new.several else { return };
        for source in &onboard.sources {
            let mut request = source.clone();
            request.onboarding = Some(format!("c{parent}"));
            let name = super::number(&request.target.connection_name());
            let part = NewCommand { work: Work::Connect(request), several: None, name, ..new.clone() };
            self.commands.push(Command::new(part, self.now));
            self.store.room(self.commands.len() - 1);
            self.slack.no_url();
        }
    }
}

impl Bot {
    /// `/connect-card SERVICE, SERVICE CUSTOMER`.
    pub(super) async fn ask_for_all_of(self, asked: Several) {
        let onboard = asked.onboard();
        let Some(first) = onboard.sources.first().cloned() else { return };
        let name = asked.first;
        let (work, several) = (Work::Connect(first), Some(Rc::new(onboard)));
        self.accept_several(name, (asked.channel, asked.user), work, several, Progress::default()).await;
    }

    /// `/connect-card SERVICE CUSTOMER`.
    pub(super) async fn ask_for_single(self, name: usize, channel: usize, user: usize, customer: usize) {
        let request = Several::request(name, Some(customer), false);
        let work = Work::Connect(request);
        let progress = Progress::of(Stage::default());
        self.accept_several(name, (channel, user), work, None, progress).await;
    }
}
