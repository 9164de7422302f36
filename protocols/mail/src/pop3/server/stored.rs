//! The inboxes of a store as maildrops: [`StoredMaildrops`].

use std::{fmt, rc::Rc};

use bytes::Bytes;
use sinew_auth::Identity;
use sinew_transports::{
    Transport,
    reactor::{Deferred, Reactor},
};

use super::{Maildrop, MaildropError, Pop3Handler};
use crate::{
    pop3::codec::UniqueId,
    store::{
        ExclusiveLock, Expunge, Mailbox, MailboxName, Store, StoreError, Uid, UidSet, UidValidity,
    },
};

/// Messages that a store is asked for at once.
const MESSAGES_MAX: usize = 1_000;

/// Serves the inboxes of a [`Store`]. A session holds the [lock](Mailbox::lock) of its inbox; unique ids are made of the validity of the
/// mailbox and the UID, so they last as long as those do.
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
/// use sinew_auth::Users;
/// use sinew_mail::{
///     pop3::server::{Pop3Server, ServerConfig, StoredMaildrops},
///     store::MemoryStore,
/// };
/// use sinew_transports::{ReactorTcp, reactor::Reactor};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reactor = Reactor::new()?;
/// let store = MemoryStore::default();
/// store.create_account("ann")?;
/// let config = ServerConfig::new("mail.example.org", Users::new().user("ann", "secret"))?;
/// let server = Pop3Server::new(config, StoredMaildrops::new(Rc::new(store)));
/// let port = reactor.listen_tcp("127.0.0.1:0", server)?;
/// println!("{}", port.local());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct StoredMaildrops(Rc<dyn Store>);

impl StoredMaildrops {
    /// The inboxes of this store, by the names of its accounts.
    #[must_use]
    pub fn new(store: Rc<dyn Store>) -> Self {
        Self(store)
    }
}

impl Pop3Handler for StoredMaildrops {
    fn open(
        &self,
        reactor: &Reactor,
        _: &Transport,
        identity: &Identity,
    ) -> Deferred<Rc<dyn Maildrop>, MaildropError> {
        let (store, user) = (Rc::clone(&self.0), identity.name().to_owned());
        let (promise, opened) = reactor.promise();
        let of_task = reactor.clone();
        let task = async move {
            let opened = StoredMaildrop::open(&*store, &of_task, &user).await;
            promise.settle(opened.map(|maildrop| Rc::new(maildrop) as Rc<dyn Maildrop>));
        };
        reactor.spawn(task).detach();
        opened
    }
}

impl fmt::Debug for StoredMaildrops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredMaildrops").finish_non_exhaustive()
    }
}

/// An inbox as it was when the session began.
struct StoredMaildrop {
    mailbox: Rc<dyn Mailbox>,
    validity: UidValidity,
    /// UIDs and sizes.
    messages: Vec<(Uid, u64)>,
    _lock: ExclusiveLock,
}

impl StoredMaildrop {
    async fn open(store: &dyn Store, reactor: &Reactor, user: &str) -> Result<Self, MaildropError> {
        let account = store.account(reactor, user).await.map_err(of_store)?;
        let mailbox = account.open(&MailboxName::inbox()).await.map_err(of_store)?;
        let lock = mailbox.lock().await.map_err(of_store)?;
        mailbox.refresh().await.map_err(of_store)?;
        let (validity, mut messages, mut from) =
            (mailbox.status().uid_validity, Vec::new(), Some(Uid::MIN));
        while let Some(first) = from {
            let some = mailbox.messages(first, MESSAGES_MAX);
            from = some.last().and_then(|last| last.uid.next());
            messages.extend(some.into_iter().map(|message| (message.uid, message.size)));
        }
        Ok(Self { mailbox, validity, messages, _lock: lock })
    }
}

impl Maildrop for StoredMaildrop {
    fn message_count(&self) -> usize {
        self.messages.len()
    }

    fn size(&self, message: usize) -> u64 {
        self.messages.get(message).map_or(0, |(_, size)| *size)
    }

    fn unique_id(&self, message: usize) -> UniqueId {
        let uid = self.messages.get(message).map_or(0, |(uid, _)| uid.get());
        UniqueId::of_numbers(self.validity.get(), uid)
    }

    fn read(
        &self,
        reactor: &Reactor,
        message: usize,
        offset: u64,
        len: usize,
    ) -> Deferred<Bytes, MaildropError> {
        match self.messages.get(message) {
            Some((uid, _)) => {
                self.mailbox.read(*uid, offset, len).map(|read| read.map_err(of_store))
            }
            None => Deferred::failed_on(reactor, MaildropError::NoSuchMessage),
        }
    }

    fn read_many(
        &self,
        _: &Reactor,
        messages: &[usize],
        len: usize,
    ) -> Option<Deferred<Vec<(usize, Bytes)>, MaildropError>> {
        let known =
            messages.iter().filter_map(|index| Some((*index, self.messages.get(*index)?.0)));
        let (indices, uids): (Vec<_>, Vec<_>) = known.unzip();
        let read = self.mailbox.read_many(&uids, len)?;
        Some(read.map(move |read: Result<Vec<_>, _>| {
            // They are in the order of the list.
            let mut asked = indices.into_iter().zip(uids);
            let index_of = |(uid, text)| {
                let (index, _) = asked.find(|(_, asked)| *asked == uid)?;
                Some((index, text))
            };
            Ok(read.map_err(of_store)?.into_iter().filter_map(index_of).collect())
        }))
    }

    fn finish(&self, reactor: &Reactor, deleted: &[usize]) -> Deferred<(), MaildropError> {
        let mut uids = UidSet::new();
        for message in deleted {
            if let Some((uid, _)) = self.messages.get(*message) {
                uids.insert(*uid);
            }
        }
        if uids.is_empty() {
            return Deferred::ready_on(reactor, ());
        }
        // Those that somebody else has deleted meanwhile are gone, too.
        let expunged = self.mailbox.expunge(&uids, Expunge::All);
        expunged.map(|expunged| expunged.map(drop).map_err(of_store))
    }
}

/// As the table of [`StoreError`] says.
fn of_store(error: StoreError) -> MaildropError {
    match error {
        StoreError::Locked { .. } => MaildropError::InUse,
        StoreError::NoSuchMessage { .. } => MaildropError::NoSuchMessage,
        StoreError::GivenUp(failure) => MaildropError::GivenUp(failure),
        error if error.is_temporary() => MaildropError::Temporary(error.into()),
        error => MaildropError::Permanent(error.into()),
    }
}
