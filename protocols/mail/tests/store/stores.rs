//! The stores that scenarios run on, and short ways to ask them.

use std::{cell::Cell, future::Future, path::PathBuf, rc::Rc, time::Duration};

use super::folder::Folder;

use sinew_mail::store::{
    Account, Appended, Flags, Mailbox, MailboxName, MaildirConfig, MaildirStore, MemoryStore,
    NewMessage, Store, StoreError, StoreLimits, SystemFlag, Uid, UidSet,
};
use sinew_transports::reactor::Reactor;

/// What a scenario has: a store with the accounts of Ann and Bob.
#[derive(Clone)]
pub(crate) struct Given {
    pub(crate) reactor: Reactor,
    pub(crate) store: Rc<dyn Store>,
}

/// Runs a scenario on each store.
pub(crate) fn on_each_store<F: Future<Output = ()> + 'static>(
    limits: StoreLimits,
    scenario: impl Fn(Given) -> F,
) {
    crate::watchdog::watch_this_test();
    let reactor = Reactor::simulated(0);
    let memory = MemoryStore::new(limits.clone());
    for user in ["ann", "bob"] {
        memory.create_account(user).unwrap();
    }
    run(&reactor, scenario(Given { reactor: reactor.clone(), store: Rc::new(memory) }));
    on_the_disk(MaildirConfig::default().limits(limits), |_, given| scenario(given));
}

/// Runs a scenario on a store on the disk, and tells it where that is.
pub(crate) fn on_the_disk<F: Future<Output = ()> + 'static>(
    config: MaildirConfig,
    scenario: impl FnOnce(PathBuf, Given) -> F,
) {
    crate::watchdog::watch_this_test();
    let (reactor, folder) = (Reactor::simulated(0), Folder::new());
    let store = MaildirStore::new(folder.path(), config);
    let (made, clone) = (store.clone(), reactor.clone());
    run(&reactor, async move {
        for user in ["ann", "bob"] {
            made.create_account(&clone, user).await.unwrap();
        }
    });
    let given = Given { reactor: reactor.clone(), store: Rc::new(store) };
    run(&reactor, scenario(folder.path().to_owned(), given));
}

/// Runs a future to its end on a virtual clock.
pub(crate) fn run(reactor: &Reactor, future: impl Future<Output = ()> + 'static) {
    let task = reactor.spawn(future);
    for _ in 0..1_000_000 {
        if let Some(result) = task.take() {
            return result.unwrap();
        }
        reactor.advance(Duration::from_millis(10)).unwrap();
    }
    panic!("it does not end");
}

impl Given {
    pub(crate) async fn ann(&self) -> Rc<dyn Account> {
        self.store.account(&self.reactor, "ann").await.unwrap()
    }

    pub(crate) async fn inbox(&self) -> Rc<dyn Mailbox> {
        self.ann().await.open(&MailboxName::inbox()).await.unwrap()
    }
}

pub(crate) fn name(text: &str) -> MailboxName {
    text.parse().unwrap()
}

pub(crate) fn uid(number: u32) -> Uid {
    Uid::new(number).unwrap()
}

pub(crate) fn set(text: &str) -> UidSet {
    match text {
        "" => UidSet::new(),
        text => UidSet::parse(text, 100).unwrap(),
    }
}

pub(crate) fn numbers(uids: &[Uid]) -> Vec<u32> {
    uids.iter().map(|uid| uid.get()).collect()
}

/// Adds a message of one piece.
pub(crate) async fn add(
    mailbox: &Rc<dyn Mailbox>,
    text: &'static str,
    flags: Flags,
) -> Result<Appended, StoreError> {
    let mut append = mailbox.append(NewMessage::new().flags(flags)).await?;
    append.write(text.into()).await?;
    append.finish().await
}

/// Adds so many short messages.
pub(crate) async fn fill(mailbox: &Rc<dyn Mailbox>, count: usize) {
    for _ in 0..count {
        add(mailbox, "Subject: x\r\n\r\nx\r\n", Flags::new()).await.unwrap();
    }
}

/// The whole text of a message, read in pieces of so many bytes.
pub(crate) async fn text(mailbox: &Rc<dyn Mailbox>, uid: Uid, step: usize) -> String {
    let mut text = Vec::new();
    loop {
        let piece = mailbox.read(uid, text.len() as u64, step).await.unwrap();
        assert!(piece.len() <= step);
        if piece.is_empty() {
            return String::from_utf8(text).unwrap();
        }
        text.extend_from_slice(&piece);
    }
}

/// How often a watcher was called, and what keeps it.
pub(crate) fn counted(mailbox: &Rc<dyn Mailbox>) -> (Rc<Cell<u32>>, sinew_mail::store::Watch) {
    let count = Rc::new(Cell::new(0));
    let counter = Rc::clone(&count);
    let watch = mailbox.watch(Rc::new(move |_: &Reactor| counter.set(counter.get() + 1)));
    (count, watch)
}

pub(crate) fn seen() -> Flags {
    SystemFlag::Seen.into()
}
