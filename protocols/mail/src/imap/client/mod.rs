//! A client of IMAP4: [`ImapClient`], with typed commands that return deferreds, [`Event`]s for what the server tells without being
//! asked, [`Idle`], and [`SyncState`] for programs that keep what they know of a mailbox.
//!
//! | what | how |
//! |---|---|
//! | TLS | from the start by the endpoint, or STARTTLS, [required](Security) by default; capabilities are forgotten after it, bytes behind it make it fail, PREAUTH is refused where TLS is required |
//! | literals | announced lengths are limits; sections go to a [`FetchSink`] as they arrive, messages come from a [`MessageSource`] as they are sent |
//! | time | a server that says nothing while an answer is due is left; one that sends less than it has announced is one of these |
//! | order | each answer is matched by its tag; a command whose time is up keeps its place |

#[cfg(feature = "compression")]
mod compression;
#[cfg(not(feature = "compression"))]
#[path = "compression_missing.rs"]
mod compression;
mod config;
mod connect;
mod error;
mod event;
mod event_queue;
mod events;
mod fetch_sink;
mod idle;
mod imap_client;
mod input;
mod link;
mod mailboxes;
mod messages;
mod output;
mod receiver;
mod request;
mod sender;
mod shared;
mod source;
mod sync;
#[cfg(feature = "tls")]
mod tls;

pub use {
    config::{ClientConfig, Security},
    error::{ConnectionEnd, ImapError},
    event::{Event, MailboxView},
    events::Events,
    fetch_sink::{FetchSink, StreamedSection},
    idle::Idle,
    imap_client::{ImapClient, Namespaces},
    mailboxes::{Copied, ListedStatus, Selected},
    messages::{Fetched, Stored},
    source::MessageSource,
    sync::{SyncState, Synced},
};
