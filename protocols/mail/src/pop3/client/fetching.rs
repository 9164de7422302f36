//! All that is new, in one call: [`fetch`], with a [`FetchHandler`] that takes it.

use std::{cell::RefCell, collections::HashSet, error::Error, rc::Rc};

use bytes::Bytes;
use sinew_transports::{
    endpoint::ClientEndpoint,
    reactor::{Deferred, Failure, Reactor, Task},
};

use super::{ClientConfig, NewMessage, Pop3Client, Pop3Error};
use crate::pop3::codec::UniqueId;

/// Takes the messages of a [`fetch`]. Only the loop calls it.
pub trait FetchHandler: 'static {
    /// Whether it has the message already. Asked for each message that the server has.
    fn has(&mut self, id: &UniqueId) -> bool;

    /// A message that it does not have follows.
    fn begin(&mut self, reactor: &Reactor, message: &NewMessage) -> Box<dyn FetchSink>;
}

/// Takes one message as it arrives. One that is dropped before [`finish`](Self::finish) was called has not received all of its message, and
/// must forget it.
pub trait FetchSink: 'static {
    /// The next piece, of any length. Nothing more is received while the deferred is open.
    fn write(&mut self, piece: Bytes) -> Deferred<(), Box<dyn Error>>;

    /// The message is complete. It is kept once the deferred is resolved, so store it safely before, and its unique id with it.
    fn finish(self: Box<Self>) -> Deferred<(), Box<dyn Error>>;
}

/// What a [`fetch`] leaves on the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum AfterFetch {
    /// Everything. The default.
    #[default]
    Keep,
    /// What the handler does not have: all others are deleted, also if they were fetched earlier.
    Delete,
}

/// What a [`fetch`] has done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fetched {
    /// The messages that were fetched, in their order.
    pub new: Vec<NewMessage>,
    /// The unique ids of all messages that are on the server now. Others need not be remembered.
    pub on_server: HashSet<UniqueId>,
}

/// A [`fetch`] has come to its end too early. What was finished before is kept.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The session has failed.
    #[error(transparent)]
    Session(#[from] Pop3Error),
    /// The handler could not take a message.
    #[error("the message {unique_id} could not be kept")]
    NotKept {
        /// Which.
        unique_id: UniqueId,
        /// Why.
        source: Box<dyn Error>,
    },
    /// The work was given up.
    #[error(transparent)]
    GivenUp(#[from] Failure),
}

sinew_transports::reactor::error_debug!(FetchError);

/// Connects, logs in, fetches the messages that the handler does not have, and says goodbye. Messages are deleted only after the handler has
/// kept them. Dropping the deferred gives up.
///
/// # Errors
///
/// [`FetchError`], by the deferred.
///
/// # Examples
///
/// ```no_run
/// use std::{collections::HashSet, error::Error};
/// use bytes::Bytes;
/// use sinew_auth::ClientLogin;
/// use sinew_mail::pop3::{
///     client::{AfterFetch, ClientConfig, FetchHandler, FetchSink, NewMessage, fetch},
///     codec::UniqueId,
/// };
/// use sinew_transports::reactor::{Deferred, Reactor};
///
/// /// Prints what it has not printed before.
/// struct Printer(HashSet<UniqueId>);
///
/// impl FetchHandler for Printer {
///     fn has(&mut self, id: &UniqueId) -> bool {
///         self.0.contains(id)
///     }
///
///     fn begin(&mut self, reactor: &Reactor, message: &NewMessage) -> Box<dyn FetchSink> {
///         println!("message {}", message.unique_id);
///         Box::new(Printed(reactor.clone()))
///     }
/// }
///
/// struct Printed(Reactor);
///
/// impl FetchSink for Printed {
///     fn write(&mut self, piece: Bytes) -> Deferred<(), Box<dyn Error>> {
///         print!("{}", String::from_utf8_lossy(&piece));
///         Deferred::ready_on(&self.0, ())
///     }
///
///     fn finish(self: Box<Self>) -> Deferred<(), Box<dyn Error>> {
///         Deferred::ready_on(&self.0, ())
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reactor = Reactor::new()?;
/// let config = ClientConfig::new().login(ClientLogin::password("ann", "secret"));
/// let printer = Printer(HashSet::new());
/// let fetching = fetch(&reactor, "mail.example.org:110", config, AfterFetch::Keep, printer);
/// println!("{} new messages", reactor.run_until(fetching)??.new.len());
/// # Ok(())
/// # }
/// ```
pub fn fetch(
    reactor: &Reactor,
    from: impl Into<ClientEndpoint>,
    config: ClientConfig,
    after: AfterFetch,
    handler: impl FetchHandler,
) -> Deferred<Fetched, FetchError> {
    let (from, of_task) = (from.into(), reactor.clone());
    let (promise, deferred) = reactor.promise();
    let place = Rc::<RefCell<Option<Task<()>>>>::default();
    let running = Rc::clone(&place);
    promise.on_cancel(move |_| drop(running.take()));
    let task = reactor.spawn(async move {
        promise.settle(run(of_task, from, config, after, handler).await);
    });
    place.replace(Some(task));
    deferred
}

async fn run(
    reactor: Reactor,
    from: ClientEndpoint,
    config: ClientConfig,
    after: AfterFetch,
    mut handler: impl FetchHandler,
) -> Result<Fetched, FetchError> {
    let mut client = Pop3Client::connect(&reactor, from, config).await?;
    let all = client.new_messages(|_| false).await?;
    let (old, new): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|message| handler.has(&message.unique_id));
    let mut kept: Vec<u32> = old.iter().map(|message| message.number).collect();
    let mut fetched = Vec::with_capacity(new.len());
    let mut gone = HashSet::new();
    let mut messages = client.retrieve_all(new.iter().map(|new| new.number));
    for new in new {
        let mut message = match messages.next().await {
            Ok(Some(message)) => message,
            Ok(None) => break,
            // Another session has deleted it.
            Err(Pop3Error::Refused { stage, status }) => {
                tracing::debug!(%stage, %status, id = %new.unique_id, "a message was not fetched");
                gone.insert(new.unique_id);
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let mut sink = handler.begin(&reactor, &new);
        let not_kept = |source| FetchError::NotKept { unique_id: new.unique_id.clone(), source };
        while let Some(piece) = message.next().await? {
            sink.write(piece).await.map_err(not_kept)?;
        }
        sink.finish().await.map_err(not_kept)?;
        kept.push(new.number);
        fetched.push(new);
    }
    let mut on_server = gone;
    match after {
        AfterFetch::Delete => match client.delete_all(kept).await {
            // Another session has deleted one of them.
            Ok(()) | Err(Pop3Error::Refused { .. }) => {}
            Err(error) => return Err(error.into()),
        },
        AfterFetch::Keep => {
            let ids = old.iter().chain(&fetched).map(|message| message.unique_id.clone());
            on_server.extend(ids);
        }
    }
    client.quit().await?;
    Ok(Fetched { new: fetched, on_server })
}
