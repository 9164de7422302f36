//! Networks of instant messages that are gone: AIM and ICQ ([`oscar`], [`toc`]), MSN ([`msnp`]).
//!
//! Their servers were switched off between 2013 and 2024. This is for history, for servers of one's own, and for those who have to read old
//! recordings. What can be said here was compared with published descriptions of the protocols and, for OSCAR, with Twisted's client of 2014;
//! with no program of the companies themselves. Nothing of it is safe on an open network without TLS around it: the protocols have none.
//!
//! | | codec | server | client |
//! |---|---|---|---|
//! | OSCAR (AIM, ICQ) | [`flap`], [`oscar::Snac`], [`oscar::Tlvs`] | [`oscar::OscarServer`] | [`oscar::OscarClient`] |
//! | TOC (AIM) | [`flap`], [`toc::Words`], [`toc::Line`] | [`toc::TocServer`] | [`toc::TocClient`] |
//! | MSNP (MSN) | [`msnp::Commands`], [`msnp::Command`] | | |
//!
//! The servers share a [`Realm`]: users of OSCAR and of TOC see and reach each other.

mod error;
mod event;
pub mod flap;
mod flap_link;
pub mod msnp;
pub mod oscar;
mod outbox;
mod password;
mod realm;
mod screen_name;
mod sign_on;
pub mod toc;

pub use {
    error::{SessionError, SignOnError},
    event::{Buddy, Event, Message},
    realm::Realm,
    screen_name::{NotAScreenName, ScreenName},
};
