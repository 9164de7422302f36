//! OSCAR, the protocol of AIM and later of ICQ: the codec, a small server, a client.
//!
//! A client connects twice: to the authorizer, which checks its password and gives it a cookie, and with the cookie to the service ("BOS"),
//! where it stays. [`OscarServer`] is both on one port.
//!
//! | | there | not there |
//! |---|---|---|
//! | login | MD5 of a key (older and newer kind), roasted passwords of ICQ | SecurID, Kerberos, TLS by itself: put the port behind a TLS endpoint |
//! | buddies | lists of the client, and those that the server keeps, in memory | permission lists, icons, profiles |
//! | messages | text, automatic answers, acknowledgements | rendezvous: files, pictures, voice; chat rooms; messages to those who are offline; ICQ's directory |

mod fields;
mod kinds;
mod oscar_client;
mod reader;
mod server;
mod snac;
mod tlv;

use reader::Reader;
pub(super) use server::VERSION;

pub use {
    fields::{ListItem, TEXT_MAX},
    oscar_client::OscarClient,
    server::{OscarServer, OscarSession},
    snac::{Kind, Snac},
    tlv::Tlvs,
};
