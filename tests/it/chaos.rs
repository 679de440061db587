//! Every behaviour in the wild that the stand-ins have a name for, asked for by its name; and what the
//! person reads then, to be read as that person: is it true, is it told at once if it is certain to
//! stay, does it say what to do?

mod fivetran;
mod life;
mod slack;
mod table;
