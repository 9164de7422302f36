//! A disk that takes no more in the middle of a message: here a process that may write no file longer than a limit (RLIMIT_FSIZE). The
//! message is refused, or waits in the queue; nothing of it is left, and others are taken as before.

use std::{cell::RefCell, collections::VecDeque, env, fs, path::Path, process::Command, rc::Rc};

use sinew_mail::{
    queue::{
        Agents, Attempt, AttemptResult, DeliveryAgent, Fate, Queue, QueueConfig, QueueError,
        QueuedEnvelope, QueuedRecipient, Spool, Status,
    },
    routing::{MAILBOX_AGENT, MailboxAgent},
    smtp::codec::{Recipient, Sender},
    store::{MailboxName, MaildirConfig, MaildirStore, NewMessage, Store, StoreError},
};
use sinew_transports::reactor::{Deferred, Promise, Reactor};

use super::folder::Folder;

const FOLDER: &str = "SINEW_STORE_TEST_FULL";

/// More than the child may write to a file: 64 blocks of 512 or of 1,024 bytes, as the shell counts.
const LONG: usize = 300_000;

fn message(len: usize) -> Vec<u8> {
    [&b"Subject: x\r\n\r\n"[..], &b"0123456789abcd\r\n".repeat(len / 16)].concat()
}

/// Delivers to mailboxes, and tells of the first results.
struct Told(MailboxAgent, RefCell<VecDeque<Promise<Fate>>>);

impl DeliveryAgent for Told {
    fn destination(&self, to: &QueuedRecipient) -> String {
        self.0.destination(to)
    }

    fn deliver(&self, reactor: &Reactor, attempt: Attempt) -> Deferred<AttemptResult> {
        let told = self.1.borrow_mut().pop_front();
        self.0.deliver(reactor, attempt).map(move |result| {
            if let (Some(told), Ok(result)) = (told, &result) {
                told.resolve(result.fates()[0].clone());
            }
            result
        })
    }
}

/// Keeps all in the queue.
struct Never;

impl DeliveryAgent for Never {
    fn destination(&self, to: &QueuedRecipient) -> String {
        to.argument().to_owned()
    }

    fn deliver(&self, reactor: &Reactor, attempt: Attempt) -> Deferred<AttemptResult> {
        let fate = Fate::Delayed(Status::new(4, 0, 0, "not now"));
        Deferred::ready_on(reactor, AttemptResult::same(&attempt, fate))
    }
}

async fn queue(reactor: &Reactor, folder: &Path, agent: impl DeliveryAgent) -> Queue {
    let agents = Agents::default().with(MAILBOX_AGENT, agent);
    let config = QueueConfig::new("mail.example").unwrap();
    let opening = Queue::open(reactor, Spool::in_folder(folder.join("spool")), config, agents);
    opening.await.unwrap()
}

/// A queue that delivers to the store, and what becomes of the first two attempts.
async fn open(
    reactor: &Reactor,
    folder: &Path,
    store: &Rc<dyn Store>,
) -> (Queue, [Deferred<Fate>; 2]) {
    let ((first, of_first), (second, of_second)) = (reactor.promise(), reactor.promise());
    let promises = RefCell::new(VecDeque::from([first, second]));
    let queue = queue(reactor, folder, Told(MailboxAgent::new(Rc::clone(store)), promises)).await;
    queue.retry_all();
    (queue, [of_first, of_second])
}

fn envelope() -> QueuedEnvelope {
    let to = Recipient::new("ann@mail.example".parse().unwrap());
    let to = QueuedRecipient::new(to, MAILBOX_AGENT).with_argument("ann");
    QueuedEnvelope::new(Sender::new(None)).with(to)
}

fn files(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

/// Not a test of its own, but the process that has the limit.
#[test]
fn the_child_with_the_limit() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    crate::watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let (folder, of_task) = (Path::new(&folder).to_owned(), reactor.clone());
    let done = reactor.run_until(async move {
        let reactor = of_task;
        let store: Rc<dyn Store> = Rc::new(MaildirStore::new(
            folder.join("mail"),
            MaildirConfig::default().create_accounts(true),
        ));
        let account = store.account(&reactor, "ann").await.unwrap();
        let inbox = account.open(&MailboxName::inbox()).await.unwrap();
        let tmp = folder.join("mail/ann/tmp");
        // APPEND of IMAP, and a delivery: in pieces, and as a whole.
        for (is_delivered, piece) in [(false, 10_000), (false, LONG * 2), (true, 10_000)] {
            let mut append = match is_delivered {
                true => account.deliver(&MailboxName::inbox(), NewMessage::new()).await.unwrap(),
                false => inbox.append(NewMessage::new()).await.unwrap(),
            };
            let mut refused = None;
            for piece in message(LONG).chunks(piece) {
                if let Err(error) = append.write(piece.to_vec().into()).await {
                    refused = Some(error);
                    break;
                }
            }
            // What was not written cannot be finished.
            let finished = append.finish().await.map(drop);
            assert!(matches!(finished, Err(StoreError::Io { .. })), "{finished:?}");
            assert!(refused.is_none_or(|error| error.is_temporary()));
            // The next step of this mailbox comes behind what removes the file.
            let mut small = inbox.append(NewMessage::new()).await.unwrap();
            small.write(message(100).into()).await.unwrap();
            small.finish().await.unwrap();
            inbox.refresh().await.unwrap();
        }
        assert_eq!(inbox.status().messages, 3);
        // The queue was filled without the limit: the delivery fails, and it keeps the message.
        let (queue, [first, second]) = open(&reactor, &folder, &store).await;
        let fate = first.await.unwrap();
        assert!(matches!(fate, Fate::Delayed(_)), "{fate:?}");
        assert_eq!(queue.stats().messages, 1);
        // Into the queue: refused for now, and the place is free again.
        let refused = queue.submit(envelope(), message(LONG)).await.unwrap_err();
        assert!(matches!(refused, QueueError::Spool { .. }), "{refused:?}");
        assert!(refused.reply().is_temporary(), "{}", refused.reply());
        queue.submit(envelope(), message(100)).await.unwrap();
        let fate = second.await.unwrap();
        assert!(matches!(fate, Fate::Delivered(_)), "{fate:?}");
        queue.stop().await.unwrap();
        inbox.refresh().await.unwrap();
        assert_eq!(files(&tmp), 0, "what was not finished is gone");
    });
    done.unwrap();
}

#[test]
fn a_message_that_is_too_long_for_the_disk_is_refused_or_waits() {
    crate::watchdog::watch_this_test();
    let folder = Folder::new();
    let reactor = Reactor::new().unwrap();
    let (path, of_task) = (folder.path().to_owned(), reactor.clone());
    let filled = reactor.run_until(async move {
        let queue = queue(&of_task, &path, Never).await;
        queue.submit(envelope(), message(LONG)).await.unwrap();
        queue.stop().await.unwrap();
    });
    filled.unwrap();
    let mut child = Command::new("sh");
    // A write past the limit is an error, and not the end of the process.
    child.args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$@\"", "sh"]);
    child.arg(env::current_exe().unwrap());
    child.args(["--exact", "store::full_disk::the_child_with_the_limit", "--nocapture"]);
    let ended = child.env(FOLDER, folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout) + String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && said.contains("1 passed"), "{said}");
    // With room, all that was accepted is delivered, once.
    let (path, of_task) = (folder.path().to_owned(), reactor.clone());
    let done = reactor.run_until(async move {
        let store: Rc<dyn Store> =
            Rc::new(MaildirStore::new(path.join("mail"), MaildirConfig::default()));
        let (queue, [first, _]) = open(&of_task, &path, &store).await;
        let fate = first.await.unwrap();
        assert!(matches!(fate, Fate::Delivered(_)), "{fate:?}");
        queue.stop().await.unwrap();
        let account = store.account(&of_task, "ann").await.unwrap();
        let inbox = account.open(&MailboxName::inbox()).await.unwrap();
        let lens: Vec<_> =
            inbox.messages(sinew_mail::store::Uid::MIN, 99).iter().map(|mail| mail.size).collect();
        let long = lens.iter().filter(|len| **len > LONG as u64).count();
        assert_eq!((long, lens.len(), queue.stats().messages), (1, 5, 0), "{lens:?}");
    });
    done.unwrap();
}
