//! Several reactors that serve the same ports, each on a thread of its own, to use several processors: [`Reactors`].
//!
//! Each reactor is as described everywhere else: one thread owns it, with its connections, its factories and whatever they
//! share. A program says how a factory is made, and each reactor makes its own. On the path of a message the reactors share
//! nothing, neither a lock nor a cache line.
//!
//! | to | see |
//! |---|---|
//! | start a server on several processors | [`Reactors`], [`RunningReactors`] |
//! | choose which reactor gets a connection | [`Distribution`]; [`Transport::send_to`](crate::Transport::send_to) moves an open one |
//! | know on which reactor code runs, and share state there | [`Shard`] |
//! | send messages from one reactor to another | [`Mailboxes`] |
//! | open a shared port outside of the plan, as services do | [`PortShares`] |
//! | call all reactors, count, stop | [`ReactorsHandle`]; [`Shard::call_all`] on a reactor's own thread |
//! | handle the failure of one | [`OnFailure`], [`ShardFailure`], [`Shard::fail`] |
//!
//! # Ports
//!
//! | endpoint | on several reactors |
//! |---|---|
//! | `tcp:`, `tcp6:`, `tls:`, `proxy:` on them | on Linux, each reactor listens, and the kernel distributes the connections (`SO_REUSEPORT`); elsewhere, and with the other [`Distribution`]s, the first accepts and hands them over |
//! | `unix:`, `fd:`, `systemd:` | the first accepts and hands them over |
//! | `memory:` | each reactor has one of its own, since the names are those of a reactor |
//! | `stdio:`, kinds of your own that do not listen by TCP or Unix sockets | the first has it |
//!
//! A certificate is read once, with the endpoint, and shared by all; so are the session tickets, so that a client can resume
//! its session on any reactor. [`ServerEndpoint::reload`] and `TlsServerConfig::reload` replace the certificates of all.
//!
//! [`ListenConfig`](crate::ListenConfig)'s limits, such as `max_connections` and `max_per_ip`, hold for each reactor.
//!
//! # The start and the end
//!
//! The reactors start one after the other. The first opens the ports, takes SIGINT and SIGTERM, and accepts where connections
//! are handed over. When one is stopped, by a signal, by [`ReactorsHandle::stop`] or by [`Reactor::stop`] on any of them, all
//! stop: they accept no more, drain, and end. A second signal ends the drain of all.
//!
//! [`Reactor::stop`]: sinew_reactor::Reactor::stop
//! [`ServerEndpoint::reload`]: crate::endpoint::ServerEndpoint::reload

mod builder;
mod call;
mod error;
mod group;
mod handle;
mod mailboxes;
mod pinning;
mod plan;
mod running;
mod shard;
mod shares;
mod supervisor;
mod thread;

#[doc(inline)]
pub use crate::{sharing::Distribution, stream::moving::SendToError};
pub use {
    builder::{OnFailure, Reactors},
    error::{CallError, ShardError, ShardFailure},
    handle::{ReactorsHandle, ReactorsStats},
    mailboxes::{MailboxError, Mailboxes, NotSent},
    running::RunningReactors,
    shard::Shard,
    shares::PortShares,
};
