//! The bot from the outside: real HTTP between it and stateful stand-ins for Slack and Fivetran,
//! a real database file, and in some tests the real binary. One file per capability.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets what it did not expect fails by a panic"
)]

mod canary;
mod cli;
mod connect;
mod faults;
mod harness;
mod hostile;
mod messages;
mod program;
mod serve;
mod signature;
