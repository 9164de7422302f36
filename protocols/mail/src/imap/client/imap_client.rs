//! An open connection: [`ImapClient`]. Commands about messages and about mailboxes are in files of their own.

use std::{fmt, rc::Rc};

use sinew_transports::{
    endpoint::ClientEndpoint,
    reactor::{Deferred, Reactor, Task},
};

use super::{
    ClientConfig, ConnectionEnd, Event, Events, Idle, ImapError, MailboxView,
    connect::connect,
    receiver::receive,
    request::{Reply, Request},
    sender::send,
    shared::Shared,
};
use crate::imap::codec::{Atom, Capabilities, CommandBody, Data, Dialect, IdFields, Namespace};

/// A connection to a server, which has logged in. Clones are handles of the same connection, which is closed when the last one is
/// dropped, with all commands that are not answered.
///
/// Commands are queued and sent in their order, several before the first is answered where their answers cannot be mistaken for each
/// other (RFC 9051 5.5): commands with sequence numbers wait for those that may change the numbers; SELECT and its like wait for
/// all before them, and all behind them wait. A deferred that is dropped gives up the answer, not the command.
///
/// # Examples
///
/// ```
/// use sinew_mail::imap::{client::{ClientConfig, ImapClient, ImapError}, codec::{FetchItem, SearchKey, SequenceSet}};
/// use sinew_transports::reactor::Reactor;
///
/// async fn unseen(reactor: Reactor, config: ClientConfig) -> Result<(), ImapError> {
///     let client = ImapClient::connect(&reactor, "mail.example.org:143", config).await?;
///     client.select("INBOX".parse()?).await?;
///     let found = client.uid_search(SearchKey::Unseen).await?;
///     if let Some(uids) = SequenceSet::of_sorted(found) {
///         for message in client.uid_fetch(uids, [FetchItem::Envelope]).await? {
///             println!("{}: {:?}", message.number, message.envelope());
///         }
///     }
///     client.logout().await
/// }
/// ```
#[derive(Clone)]
pub struct ImapClient {
    inner: Rc<Inner>,
}

/// The namespaces of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Namespaces {
    /// Of the user.
    pub own: Vec<Namespace>,
    /// Of other users.
    pub of_others: Vec<Namespace>,
    /// Of nobody in particular.
    pub shared: Vec<Namespace>,
}

struct Inner {
    shared: Rc<Shared>,
    _tasks: [Task<()>; 2],
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.end(ConnectionEnd::Closed);
    }
}

impl ImapClient {
    /// Connects, starts TLS and logs in, as the configuration says.
    ///
    /// # Errors
    ///
    /// [`ImapError`]: there is no connection, the server does not want to talk, TLS is required and was not started, or the login has
    /// failed.
    pub async fn connect(
        reactor: &Reactor,
        to: impl Into<ClientEndpoint>,
        config: ClientConfig,
    ) -> Result<Self, ImapError> {
        let link = connect(reactor, to.into(), config).await?;
        let capabilities = link.capabilities.unwrap_or_default();
        let shared =
            Shared::new(reactor.clone(), link.transport, link.config, capabilities, link.tags);
        let receiver = reactor.spawn(receive(Rc::clone(&shared), link.input));
        let sender = reactor.spawn(send(Rc::clone(&shared), link.output));
        Ok(Self { inner: Rc::new(Inner { shared, _tasks: [receiver, sender] }) })
    }

    pub(super) fn shared(&self) -> &Rc<Shared> {
        &self.inner.shared
    }

    pub(super) fn reactor(&self) -> &Reactor {
        &self.inner.shared.reactor
    }

    /// What the server has announced last.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        self.shared().capabilities.borrow().clone()
    }

    /// Whether TLS is on.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.shared().transport.is_tls()
    }

    /// Why the connection has ended. `None` as long as it is open.
    #[must_use]
    pub fn ended(&self) -> Option<ConnectionEnd> {
        self.shared().ended.borrow().clone()
    }

    /// What is known of the selected mailbox.
    #[must_use]
    pub fn selected(&self) -> Option<MailboxView> {
        self.shared().view.borrow().clone()
    }

    /// What both ends have agreed on.
    pub fn dialect(&self) -> Dialect {
        self.shared().dialect()
    }

    /// Sets what is called with each event, in place of what was set before. Only the loop calls it.
    pub fn on_event(&self, callback: impl FnMut(&Event) + 'static) {
        self.shared().events.set_callback(Box::new(callback));
    }

    /// The events from now on, for a task. There is one such stream: with two of them, each gets a part.
    #[must_use = "events are kept for it"]
    pub fn events(&self) -> Events {
        Events::new(Rc::clone(self.shared()))
    }

    /// Lets the server tell what changes, as it changes (RFC 2177), as long as the handle lives. IDLE is sent whenever nothing else
    /// is, is interrupted for commands, and is renewed before the server gives up. What is told comes as [events](Self::events).
    ///
    /// # Errors
    ///
    /// [`ImapError::Needs`]: the server does not have IDLE.
    pub fn idle(&self) -> Result<Idle, ImapError> {
        self.needs("IDLE")?;
        Ok(Idle::new(self.clone()))
    }

    /// An error, if the server does not have this, by itself or as a part of IMAP4rev2.
    pub(super) fn needs(&self, capability: &'static str) -> Result<(), ImapError> {
        let is_there = self.shared().capabilities.borrow().has_or_rev2(capability);
        if is_there { Ok(()) } else { Err(ImapError::Needs { capability }) }
    }

    /// A command.
    pub(super) fn ask(&self, body: CommandBody) -> Deferred<Reply, ImapError> {
        let (promise, deferred) = self.reactor().promise();
        self.shared().push(Request { body, source: None, sink: None, promise });
        deferred
    }

    /// A command whose answer has no data.
    pub(super) fn tell(&self, body: CommandBody) -> Deferred<(), ImapError> {
        self.ask(body).map(|reply| reply.map(drop))
    }

    /// An error that is known at once.
    pub(super) fn fail<T: 'static>(&self, error: ImapError) -> Deferred<T, ImapError> {
        Deferred::failed_on(self.reactor(), error)
    }

    /// NOOP: the server tells what has changed.
    pub fn noop(&self) -> Deferred<(), ImapError> {
        self.tell(CommandBody::Noop)
    }

    /// CAPABILITY: asks again.
    pub fn capability(&self) -> Deferred<Capabilities, ImapError> {
        self.ask(CommandBody::Capability).map(|reply| {
            let found = reply?.data.into_iter().find_map(|data| match data {
                Data::Capability(capabilities) => Some(capabilities),
                _ => None,
            });
            found
                .ok_or(ImapError::Incomplete { command: "CAPABILITY", missing: "the capabilities" })
        })
    }

    /// ENABLE (RFC 5161): returns what was enabled. `UTF8=ACCEPT` and `IMAP4rev2` change how names are sent, from the answer on.
    pub fn enable(
        &self,
        capabilities: impl IntoIterator<Item = Atom>,
    ) -> Deferred<Vec<Atom>, ImapError> {
        if let Err(error) = self.needs("ENABLE") {
            return self.fail(error);
        }
        self.ask(CommandBody::Enable(capabilities.into_iter().collect())).map(|reply| {
            let enabled = reply?.data.into_iter().filter_map(|data| match data {
                Data::Enabled(enabled) => Some(enabled),
                _ => None,
            });
            Ok(enabled.flatten().collect())
        })
    }

    /// ID (RFC 2971): what the server says of itself.
    pub fn id(&self, fields: Option<IdFields>) -> Deferred<Option<IdFields>, ImapError> {
        if !self.shared().capabilities.borrow().has("ID") {
            return self.fail(ImapError::Needs { capability: "ID" });
        }
        self.ask(CommandBody::Id(fields)).map(|reply| {
            let found = reply?.data.into_iter().find_map(|data| match data {
                Data::Id(fields) => Some(fields),
                _ => None,
            });
            Ok(found.flatten())
        })
    }

    /// NAMESPACE (RFC 2342): those of the user, of other users, and the shared ones.
    pub fn namespace(&self) -> Deferred<Namespaces, ImapError> {
        if let Err(error) = self.needs("NAMESPACE") {
            return self.fail(error);
        }
        self.ask(CommandBody::Namespace).map(|reply| {
            let found = reply?.data.into_iter().find_map(|data| match data {
                Data::Namespace(own, of_others, shared) => {
                    Some(Namespaces { own, of_others, shared })
                }
                _ => None,
            });
            found.ok_or(ImapError::Incomplete { command: "NAMESPACE", missing: "the namespaces" })
        })
    }

    /// LOGOUT: says goodbye, and closes the connection once the server has answered.
    pub fn logout(&self) -> Deferred<(), ImapError> {
        let shared = Rc::clone(self.shared());
        self.tell(CommandBody::Logout).map(move |said| {
            shared.end(ConnectionEnd::Closed);
            said
        })
    }

    /// Closes the connection at once. Commands that are not answered fail.
    pub fn close(&self) {
        self.shared().end(ConnectionEnd::Closed);
    }
}

impl fmt::Debug for ImapClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = self.shared();
        f.debug_struct("ImapClient")
            .field("capabilities", &shared.capabilities.borrow())
            .field("selected", &shared.view.borrow().as_ref().map(|view| view.name.clone()))
            .field("ended", &shared.ended.borrow())
            .finish_non_exhaustive()
    }
}
