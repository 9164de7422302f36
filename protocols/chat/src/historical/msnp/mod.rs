//! MSNP, the protocol of MSN Messenger (versions 8 to 12): the codec, and nothing else. Its servers checked passwords by a web service
//! (Passport) that is gone, too.
//!
//! A conversation was held with three kinds of servers: a dispatch server (`VER`, `CVR`, `USR`, `XFR`), a notification server (the same, then
//! `SYN`, `CHG`, `NLN`, `FLN`, `RNG`), and switchboards, one for each conversation (`ANS`, `JOI`, `MSG`, `BYE`).

mod command;
mod content;

pub use {
    command::{Command, CommandError, Commands, Sender},
    content::{Content, answer_to_challenge},
};
