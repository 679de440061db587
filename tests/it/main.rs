//! The bot from the outside: real HTTP between it and stateful stand-ins for Slack and Fivetran,
//! a real database, and in many tests the real binary. One file for each capability.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets what it did not expect fails by a panic"
)]

mod acceptance;
mod ages;
mod allowance;
mod audit;
mod away;
mod broken;
mod canary;
mod channels;
mod chaos;
mod check;
mod cli;
mod clocks;
mod company;
mod connect;
mod crash_points;
mod crossing;
mod defaults;
mod destinations_watched;
mod digest;
mod disk;
mod doctor;
mod faults;
mod gallery;
mod gone;
mod guarded;
mod harness;
mod herd;
mod home;
mod home_onboardings;
mod hostile;
mod init;
mod io_errors;
mod joining;
mod judgement;
mod keys;
mod kills;
mod landings;
mod last_words;
mod leads;
mod life;
mod life_kills;
mod listing;
mod lives_kills;
mod lost_answers;
mod matrix;
mod messages;
mod metrics;
mod modal;
mod modal_several;
mod network;
mod onboarding;
mod onboarding_kills;
mod organisation;
mod payloads;
mod permission;
mod plans;
mod presses;
mod proposals;
mod purge;
mod ready;
mod refusals;
mod renewal;
mod replay;
mod replicas;
mod sandbox;
mod serve;
mod sessions;
mod several;
mod signature;
mod soak;
mod sockets;
mod store_model;
mod sweep;
mod sync;
mod takeover;
mod traffic;
mod turns;
mod unasked;
mod unhurried;
mod verbs;
mod waiting;
mod ways;
mod week;
mod zombies;
