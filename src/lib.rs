//! A Slack bot that makes a Fivetran Connect Card link and looks after it.
//!
//! Someone types `/connect-card google_ads customer_schema` in a customer's channel. The bot
//! verifies Slack's signature, commits the command to its database, acknowledges it, creates the
//! Fivetran connection with its Connect Card, and posts the link in the channel.
//!
//! The modules stand in the order of the house, and each may use only those below it:
//! `ARCHITECTURE.md` walks through one command, and the gate reads the imports.

pub mod cli;

pub mod app;
pub mod config;

pub mod server;

pub mod watch;
pub mod worker;

pub mod audit;
pub mod digest;
pub mod outbox;

pub mod unasked;

pub mod reply;

pub mod command;

pub mod provision;

pub mod permission;
pub mod store;

pub mod trail;

pub mod journal;
pub mod life;
pub mod work;

pub mod fivetran;
pub mod slack;

pub mod bucket;
pub mod clock;
pub mod core_dumps;
pub mod crash;
pub mod current;
pub mod onboarding;
pub mod outbound;
pub mod seal;
pub mod side_by_side;
pub mod telemetry;
