//! Where mail goes that a server receives: its domains, aliases, forwarding, and who may send what.
//!
//! | part | what |
//! |---|---|
//! | [`Router`] | who receives mail for an address |
//! | [`Aliases`] | a file of aliases |
//! | [`LocalDomain`], [`Users`] | a domain whose mail is delivered here, and who has a mailbox there |
//! | [`Receiver`] | handlers for a server that accepts mail into a [queue](crate::queue), by the [`Rules`] of an exchanger or of submission |
//! | [`MailboxAgent`], [`ProgramAgent`], [`FileAgent`], [`Reroute`] | deliver to mailboxes, programs, files, and reports by the same way |

mod aliases;
mod completing;
mod domains;
mod error;
mod file_agent;
mod mailbox_agent;
#[cfg(unix)]
mod program_agent;
mod receiver;
mod reroute;
mod room;
mod router;
mod rules;
mod target;
mod users;

use std::{cell::RefCell, fmt::Display, rc::Rc};

use sinew_transports::reactor::{Deferred, Failure, Reactor, Task};

#[cfg(unix)]
pub use program_agent::ProgramAgent;
pub use {
    aliases::{AliasError, Aliases},
    domains::{LocalDomain, RouterConfig},
    error::RouteError,
    file_agent::FileAgent,
    mailbox_agent::MailboxAgent,
    receiver::{Receiver, ReceiverHandler},
    reroute::{REROUTE_AGENT, Reroute},
    router::{FILE_AGENT, MAILBOX_AGENT, PROGRAM_AGENT, Router},
    rules::Rules,
    target::{Target, TargetError, TargetRules, parse_targets},
    users::{StoreUsers, User, UserList, Users},
};

/// Runs a future as a task, which ends when its deferred is dropped.
fn run<T: 'static, E: From<Failure> + Display + 'static>(
    reactor: &Reactor,
    future: impl Future<Output = Result<T, E>> + 'static,
) -> Deferred<T, E> {
    let (promise, deferred) = reactor.promise();
    let place = Rc::<RefCell<Option<Task<()>>>>::default();
    let running = Rc::clone(&place);
    promise.on_cancel(move |_| drop(running.take()));
    let task = reactor.spawn(async move { promise.settle(future.await) });
    place.replace(Some(task));
    deferred
}
