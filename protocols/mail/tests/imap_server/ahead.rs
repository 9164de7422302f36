//! FETCH of several messages: which are read by one request, and that nobody can tell from the answers.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use bytes::Bytes;
use sinew_mail::store::{
    Account, Append, Changes, Copied, ExclusiveLock, Expunge, FlagChange, FlagsSet, Keyword,
    Mailbox, MailboxInfo, MailboxName, MemoryStore, MessageInfo, ModSeq, NewMessage, Quota, Status,
    Store, StoreError, Uid, UidSet, Watch,
};
use sinew_transports::reactor::{Deferred, Promise, Reactor};

use super::support::World;

/// What is asked of a store that reads several messages at once.
#[derive(Clone, Default)]
struct Notes(Rc<Noted>);

#[derive(Default)]
struct Noted {
    together: RefCell<Vec<(Vec<u32>, usize)>>,
    alone: RefCell<Vec<u32>>,
    left_out: Cell<u32>,
    many_fail: Cell<bool>,
    /// Requests are answered when the test says so.
    is_late: Cell<bool>,
    open: RefCell<Vec<Promise<(), StoreError>>>,
}

struct Reading<T> {
    inner: T,
    notes: Notes,
    reactor: Reactor,
}

type Done<T = ()> = Deferred<T, StoreError>;

/// Passes calls on.
macro_rules! pass_on {
    ($(fn $name:ident(&self $(, $argument:ident: $kind:ty)*) $(-> $result:ty)?;)*) => {
        $(fn $name(&self $(, $argument: $kind)*) $(-> $result)? {
            self.inner.$name($($argument),*)
        })*
    };
}

impl Store for Reading<MemoryStore> {
    fn account(&self, reactor: &Reactor, user: &str) -> Done<Rc<dyn Account>> {
        let (notes, reactor) = (self.notes.clone(), reactor.clone());
        self.inner.account(&reactor.clone(), user).map(|account: Result<_, StoreError>| {
            Ok(Rc::new(Reading { inner: account?, notes, reactor }) as Rc<dyn Account>)
        })
    }
}

impl Account for Reading<Rc<dyn Account>> {
    pass_on! {
        fn mailboxes(&self) -> Done<Vec<MailboxInfo>>;
        fn create(&self, name: &MailboxName) -> Done;
        fn delete(&self, name: &MailboxName) -> Done;
        fn rename(&self, from: &MailboxName, to: &MailboxName) -> Done;
        fn subscribe(&self, name: &MailboxName, subscribed: bool) -> Done;
        fn status(&self, name: &MailboxName) -> Done<Status>;
        fn deliver(&self, name: &MailboxName, message: NewMessage) -> Done<Box<dyn Append>>;
        fn quota(&self) -> Done<Quota>;
    }

    fn open(&self, name: &MailboxName) -> Done<Rc<dyn Mailbox>> {
        let (notes, reactor) = (self.notes.clone(), self.reactor.clone());
        self.inner.open(name).map(|mailbox: Result<_, StoreError>| {
            Ok(Rc::new(Reading { inner: mailbox?, notes, reactor }) as Rc<dyn Mailbox>)
        })
    }
}

impl Mailbox for Reading<Rc<dyn Mailbox>> {
    pass_on! {
        fn name(&self) -> MailboxName;
        fn is_deleted(&self) -> bool;
        fn status(&self) -> Status;
        fn keywords(&self) -> Vec<Keyword>;
        fn takes_new_keywords(&self) -> bool;
        fn uids(&self) -> Vec<Uid>;
        fn message(&self, uid: Uid) -> Option<MessageInfo>;
        fn messages(&self, from: Uid, max: usize) -> Vec<MessageInfo>;
        fn changes_since(&self, since: ModSeq) -> Changes;
        fn claim_recent(&self) -> UidSet;
        fn watch(&self, changed: Rc<dyn Fn(&Reactor)>) -> Watch;
        fn refresh(&self) -> Done;
        fn lock(&self) -> Done<ExclusiveLock>;
        fn append(&self, message: NewMessage) -> Done<Box<dyn Append>>;
        fn set_flags(&self, uids: &UidSet, change: FlagChange, since: Option<ModSeq>) -> Done<FlagsSet>;
        fn expunge(&self, uids: &UidSet, which: Expunge) -> Done<UidSet>;
        fn copy(&self, uids: &UidSet, to: &MailboxName) -> Done<Copied>;
        fn move_to(&self, uids: &UidSet, to: &MailboxName) -> Done<Copied>;
    }

    fn read(&self, uid: Uid, offset: u64, len: usize) -> Done<Bytes> {
        self.notes.0.alone.borrow_mut().push(uid.get());
        self.inner.read(uid, offset, len)
    }

    fn read_many(&self, uids: &[Uid], len: usize) -> Option<Done<Vec<(Uid, Bytes)>>> {
        let notes = &self.notes.0;
        let numbers = uids.iter().map(|uid| uid.get()).collect();
        notes.together.borrow_mut().push((numbers, len));
        if notes.many_fail.get() {
            return Some(Deferred::failed_on(&self.reactor, StoreError::Locked { what: "x" }));
        }
        let reads: Vec<_> = uids
            .iter()
            .filter(|uid| uid.get() != notes.left_out.get())
            .map(|uid| (*uid, self.inner.read(*uid, 0, len)))
            .collect();
        let (promise, late) = self.reactor.promise::<(), StoreError>();
        match notes.is_late.get() {
            true => notes.open.borrow_mut().push(promise),
            false => promise.resolve(()),
        }
        let (promise, read) = self.reactor.promise();
        let task = async move {
            let mut texts = Vec::new();
            for (uid, read) in reads {
                if let Ok(text) = read.await {
                    texts.push((uid, Bytes::copy_from_slice(&text)));
                }
            }
            let late = late.await;
            promise.settle(late.map(|()| texts));
        };
        self.reactor.spawn(task).detach();
        Some(read)
    }
}

/// An inbox with messages of these lengths, in a store that reads several at once, or one by one.
fn world(lens: &[usize], notes: Option<&Notes>) -> World {
    let memory = MemoryStore::default();
    memory.create_account("ann").unwrap();
    let world = match notes {
        None => World::with_store(memory.clone(), memory, |config| config),
        Some(notes) => {
            let (inner, reactor) = (memory.clone(), Reactor::simulated(0));
            let store = Reading { inner, notes: notes.clone(), reactor };
            World::with_store(memory, store, |config| config)
        }
    };
    for (at, len) in lens.iter().enumerate() {
        let head = format!("Subject: {}\r\n\r\n.", at + 1);
        let text = "x".repeat(len - head.len() - 2);
        world.deliver("INBOX", &format!("{head}{text}\r\n"));
    }
    world
}

type Asked<'a> = &'a [(&'a [u32], usize)];

#[test]
fn messages_of_a_fetch_are_read_together() {
    const ALL: usize = 64 * 1024;
    const HEADER: usize = 8 * 1024;
    let cases: [(&[usize], &str, Asked<'_>); 14] = [
        (&[100; 4], "FETCH 1:4 BODY.PEEK[]", &[(&[1, 2, 3, 4], ALL)]),
        (&[100; 4], "FETCH 4,1:2 (FLAGS BODY[TEXT])", &[(&[1, 2, 4], ALL)]),
        (&[100; 4], "UID FETCH 2:* (ENVELOPE)", &[(&[2, 3, 4], HEADER)]),
        (&[100; 4], "FETCH 1:4 (UID ENVELOPE RFC822.SIZE BODYSTRUCTURE)", &[(&[1, 2, 3, 4], ALL)]),
        (&[100; 2], "FETCH 1:2 BODY.PEEK[HEADER.FIELDS (SUBJECT)]", &[(&[1, 2], HEADER)]),
        (&[20_000; 3], "FETCH 1:3 BODY.PEEK[]<10.20>", &[(&[1, 2, 3], HEADER)]),
        // Nothing of the text is needed, or only one message.
        (&[100; 4], "FETCH 1:4 (FLAGS UID INTERNALDATE)", &[]),
        (&[100; 4], "FETCH 3 BODY.PEEK[]", &[]),
        (&[100_000; 4], "FETCH 1:4 BODY.PEEK[]<70000.100>", &[]),
        // As much as is read at once.
        (&[30_000; 5], "FETCH 1:5 BODY.PEEK[]", &[(&[1, 2], ALL), (&[3, 4], ALL)]),
        // Long messages are read by themselves, and what is read before them is not held meanwhile.
        (&[100, 100, 70_000, 100, 100], "FETCH 1:5 RFC822", &[(&[1, 2], ALL), (&[4, 5], ALL)]),
        (&[70_000, 100, 80_000], "FETCH 1:3 BODY.PEEK[]", &[]),
        // Of long headers the rest is read by itself.
        (&[100_000; 3], "FETCH 1:3 RFC822.HEADER", &[(&[1, 2, 3], HEADER)]),
        (&[65_536, 40], "FETCH 1:2 BODY.PEEK[]", &[]),
    ];
    for (lens, command, expected) in cases {
        let command = format!("a {command}\r\n");
        let alone = world(lens, None).selected().say(&command);
        assert!(alone.ends_with("a OK Done\r\n"), "{command}");
        let notes = Notes::default();
        assert!(world(lens, Some(&notes)).selected().say(&command) == alone, "{command}");
        let together = notes.0.together.borrow();
        let found: Vec<_> = together.iter().map(|(uids, len)| (&uids[..], *len)).collect();
        assert_eq!(found, expected, "{command}");
    }
}

#[test]
fn a_message_that_cannot_be_read_harms_no_other() {
    let (lens, command) = ([100; 4], "a FETCH 1:4 BODY.PEEK[]\r\n");
    let alone = world(&lens, None).selected().say(command);
    for left_out in [1, 2, 4] {
        let notes = Notes::default();
        notes.0.left_out.set(left_out);
        assert_eq!(world(&lens, Some(&notes)).selected().say(command), alone);
        assert_eq!(*notes.0.alone.borrow(), [left_out]);
        assert_eq!(notes.0.together.borrow().len(), 1);
    }
    let notes = Notes::default();
    notes.0.many_fail.set(true);
    assert_eq!(world(&lens, Some(&notes)).selected().say(command), alone);
    assert_eq!(*notes.0.alone.borrow(), [1, 2, 3, 4]);
    assert_eq!(notes.0.together.borrow().len(), 1, "it is not asked for each message again");
}

/// They are told of as gone, also if their texts are there.
#[test]
fn messages_that_are_expunged_meanwhile() {
    let notes = Notes::default();
    let world = world(&[100; 4], Some(&notes));
    let (client, other) = (world.selected(), world.selected());
    notes.0.is_late.set(true);
    assert_eq!(client.say("a FETCH 1:4 (UID RFC822.SIZE BODY.PEEK[])\r\n"), "");
    other.say("b STORE 1,3 +FLAGS.SILENT (\\Deleted)\r\nc EXPUNGE\r\n");
    let promise = notes.0.open.borrow_mut().pop().unwrap();
    promise.resolve(());
    let answer = client.received();
    let told: Vec<_> = answer.lines().filter(|line| line.starts_with("* ")).collect();
    assert!(told[0].starts_with("* 2 FETCH (UID 2 "), "{answer}");
    assert!(told[1].starts_with("* 4 FETCH (UID 4 ") && told.len() == 2, "{answer}");
    assert!(answer.ends_with("a NO [EXPUNGEISSUED] Some of the messages are gone\r\n"), "{answer}");
}

/// A client that fetches all messages and receives none has as much read for it as one that fetches a long message.
#[test]
fn a_client_that_receives_nothing() {
    let (lens, command) = ([3_000; 500], "a FETCH 1:500 BODY.PEEK[]\r\n");
    let notes = Notes::default();
    let world_with_notes = world(&lens, Some(&notes));
    let client = world_with_notes.selected();
    client.wire.receive_if_open(command.as_bytes());
    for _ in 0..100 {
        client.advance(Duration::from_millis(10));
    }
    let asked: usize = notes.0.together.borrow().iter().map(|(uids, _)| uids.len() * 3_000).sum();
    assert!((1..=512 * 1024).contains(&asked), "{asked} bytes were read");
    assert!(client.received() == world(&lens, None).selected().say(command));
    let most = notes.0.together.borrow().iter().map(|(uids, _)| uids.len() * 3_000).max();
    assert!(most <= Some(64 * 1024));
}

#[test]
fn a_request_is_given_up_when_the_client_goes() {
    let notes = Notes::default();
    let world = world(&[100; 4], Some(&notes));
    let client = world.selected();
    notes.0.is_late.set(true);
    client.say("a FETCH 1:4 BODY.PEEK[]\r\n");
    client.wire.reset();
    client.advance(Duration::ZERO);
    let promise = notes.0.open.borrow_mut().pop().unwrap();
    promise.resolve(());
    world.advance(Duration::ZERO);
    assert!(notes.0.alone.borrow().is_empty());
}
