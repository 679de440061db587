//! A Slack bot that makes a Fivetran Connect Card link and looks after it.
//!
//! Someone types `/connect-card google_ads customer_schema` in a customer's channel. The bot
//! verifies Slack's signature, commits the command to its database, acknowledges it, creates the
//! Fivetran connection with its Connect Card, and posts the link in the channel.
//!
//! The modules below stand in the order in which a command meets them; `ARCHITECTURE.md` walks
//! through one. Three of them are leaves that talk to the outside and know nothing of each other:
//! [`slack`], [`fivetran`] and [`store`]. The middle ([`command`], [`journal`], [`reply`],
//! [`slack::signature`]) is pure: no sockets, no clock, no async.

pub mod app;
pub mod cli;
pub mod config;

pub mod permission;
pub mod server;
pub mod slack;

pub mod command;
pub mod fivetran;
pub mod journal;
pub mod links;
pub mod reply;

pub mod store;
pub mod watch;
pub mod worker;

pub mod clock;
pub mod crash;
pub mod outbound;
pub mod seal;
pub mod telemetry;

pub mod link;
