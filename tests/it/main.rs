//! The tests of the whole bot, by the wire. One binary; one file for each capability.

mod crash_points;
mod disk;
mod kills;
mod postgres;
mod process;
mod replay;
mod replicas;
mod sync;
