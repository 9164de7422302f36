//! TOC, the simpler protocol of AIM, in text over FLAP: the codec, a small server, a client. Version 1.
//!
//! | | there | not there |
//! |---|---|---|
//! | login | roasted passwords, which hide nothing: put the port behind a TLS endpoint | |
//! | buddies | lists of the client | the configuration that the server keeps, permission lists |
//! | messages | text, automatic answers | chat rooms, files, warnings, the directory |

mod commands;
mod handshake;
mod server;
mod toc_client;

pub use {
    commands::{Line, TEXT_MAX, Words},
    handshake::Handshake,
    server::{TocServer, TocSession},
    toc_client::TocClient,
};
