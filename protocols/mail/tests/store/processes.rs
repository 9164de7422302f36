//! Several stores in one folder, as several processes and several reactors have them; and several processes.

use std::{
    collections::BTreeSet,
    env,
    fs::File,
    path::Path,
    process::Command,
    rc::Rc,
    time::{Duration, SystemTime},
};

use fs4::FileExt;
use sinew_mail::store::{
    Expunge, FlagChange, Flags, Mailbox, MailboxName, MaildirConfig, MaildirStore, NewMessage,
    Store, StoreError,
};
use sinew_transports::reactor::Reactor;

use crate::program;

use super::{
    folder::Folder,
    stores::{Given, add, fill, name, numbers, on_the_disk, run, set, text, uid},
};

/// The same accounts in another store.
fn another(folder: &Path, given: &Given) -> Given {
    let config = MaildirConfig::default();
    Given { reactor: given.reactor.clone(), store: Rc::new(MaildirStore::new(folder, config)) }
}

#[test]
fn two_stores_in_one_folder() {
    on_the_disk(MaildirConfig::default(), |folder, given| async move {
        let (one, other) = (given.inbox().await, another(&folder, &given));
        let two = other.inbox().await;
        fill(&one, 2).await;
        // It has not looked, and does not give a UID twice.
        fill(&two, 1).await;
        assert_eq!(numbers(&two.uids()), [1, 2, 3]);
        let keyword = |word: &str| Flags::new().with_keyword(word.parse().unwrap());
        two.set_flags(&set("1"), FlagChange::Add(keyword("k")), None).await.unwrap();
        one.set_flags(&set("3"), FlagChange::Add(keyword("j")), None).await.unwrap();
        one.expunge(&set("2"), Expunge::All).await.unwrap();
        let then = two.status().highest_mod_seq;
        one.refresh().await.unwrap();
        two.refresh().await.unwrap();
        for mailbox in [&one, &two] {
            assert_eq!(numbers(&mailbox.uids()), [1, 3]);
            assert_eq!(mailbox.message(uid(1)).unwrap().flags.to_string(), "k");
            assert_eq!(mailbox.message(uid(3)).unwrap().flags.to_string(), "j");
        }
        assert_eq!(one.status(), two.status());
        let changes = two.changes_since(then);
        assert_eq!((numbers(&changes.changed), changes.vanished), (vec![3], Some(set("2"))));
        // The lock of POP3 is one for all.
        let lock = one.lock().await.unwrap();
        assert!(matches!(two.lock().await, Err(StoreError::Locked { .. })));
        drop(lock);
        let _lock = two.lock().await.unwrap();
        // Folders that another one has made, renamed, deleted.
        other.ann().await.create(&name("a")).await.unwrap();
        let open = given.ann().await.open(&name("a")).await.unwrap();
        fill(&open, 1).await;
        other.ann().await.rename(&name("a"), &name("b")).await.unwrap();
        assert!(matches!(open.refresh().await, Err(StoreError::NoSuchMailbox { .. })));
        assert!(open.is_deleted());
        assert_eq!(given.ann().await.status(&name("b")).await.unwrap().messages, 1);
    });
}

#[test]
fn work_waits_for_a_lock_and_gives_up() {
    let config = MaildirConfig::default().lock_timeout(Duration::from_secs(3));
    on_the_disk(config, |folder, given| async move {
        let inbox = given.inbox().await;
        fill(&inbox, 1).await;
        let lock = File::options().write(true).open(folder.join("ann/sinew-uidlist.lock")).unwrap();
        FileExt::lock(&lock).unwrap();
        let waiting = inbox.expunge(&set("1"), Expunge::All);
        given.reactor.sleep(Duration::from_secs(2)).await;
        assert!(!waiting.is_settled());
        // What is known and what is read waits for nobody.
        assert_eq!(inbox.status().messages, 1);
        assert!(!text(&inbox, uid(1), 100).await.is_empty());
        given.reactor.sleep(Duration::from_secs(2)).await;
        assert!(matches!(waiting.await, Err(StoreError::Locked { .. })));
        let waiting = inbox.expunge(&set("1"), Expunge::All);
        given.reactor.sleep(Duration::from_secs(1)).await;
        // Closing it would not do: a process that another test starts has it open, too, for a moment.
        FileExt::unlock(&lock).unwrap();
        assert_eq!(waiting.await.unwrap(), set("1"));
    });
}

/// A message with a date of long ago is in `tmp` until it is added. Another process must not take it for one that was left there.
#[test]
fn an_old_message_is_not_old_in_tmp() {
    on_the_disk(MaildirConfig::default(), |folder, given| async move {
        let inbox = given.inbox().await;
        let date = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let mut append = inbox.append(NewMessage::new().date(date)).await.unwrap();
        append.write("old\r\n".into()).await.unwrap();
        let lock = File::options().write(true).open(folder.join("ann/sinew-uidlist.lock")).unwrap();
        FileExt::lock(&lock).unwrap();
        let added = append.finish();
        given.reactor.sleep(Duration::from_millis(100)).await;
        let mut files = std::fs::read_dir(folder.join("ann/tmp")).unwrap();
        let file = files.next().unwrap().unwrap().metadata().unwrap();
        assert!(file.modified().unwrap() > date + Duration::from_secs(36 * 3600));
        FileExt::unlock(&lock).unwrap();
        assert_eq!(added.await.unwrap().uid, uid(1));
        assert_eq!(inbox.message(uid(1)).unwrap().date, date);
    });
}

/// What one of two processes adds.
const COUNT: usize = 25;

/// The variable by which the child knows the folder.
const CHILD: &str = "SINEW_STORE_TEST_CHILD";

/// The variable by which the child knows that it delivers until it is killed.
const KILLED: &str = "SINEW_STORE_TEST_KILLED";

async fn add_all(inbox: &Rc<dyn Mailbox>) {
    for _ in 0..COUNT {
        add(inbox, "Subject: x\r\n\r\nx\r\n", Flags::new()).await.unwrap();
    }
}

/// Not a test of its own, but the other process of the next one.
#[test]
fn the_child_of_two_processes() {
    let Some(folder) = env::var_os(CHILD) else { return };
    crate::watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let store = MaildirStore::new(folder, MaildirConfig::default());
    let clone = reactor.clone();
    let done = reactor.run_until(async move {
        let ann = store.account(&clone, "ann").await.unwrap();
        let inbox = ann.open(&MailboxName::inbox()).await.unwrap();
        if env::var_os(KILLED).is_none() {
            return add_all(&inbox).await;
        }
        loop {
            let added = add(&inbox, "Subject: x\r\n\r\nx\r\n", Flags::new()).await.unwrap();
            println!("told {}", added.uid);
            let seen = FlagChange::Add(super::stores::seen());
            inbox.set_flags(&added.uid.into(), seen, None).await.unwrap();
            println!("flagged {}", added.uid);
        }
    });
    done.unwrap();
}

/// The arguments and the environment of the child.
fn child(folder: &Path) -> Command {
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", "store::processes::the_child_of_two_processes", "--nocapture"]);
    child.env(CHILD, folder);
    child
}

/// What a process has told of is there, whenever it was killed.
#[test]
fn a_process_is_killed() {
    crate::watchdog::watch_this_test();
    let folder = Folder::new();
    let reactor = Reactor::new().unwrap();
    let config = MaildirConfig::default().create_accounts(true);
    let (mut told, mut flagged) = (BTreeSet::new(), BTreeSet::new());
    for lines in [1, 2, 7, 40, 101] {
        let store = MaildirStore::new(folder.path(), config.clone());
        let given = Given { reactor: reactor.clone(), store: Rc::new(store) };
        let opened = given.clone();
        reactor.run_until(async move { opened.ann().await }).unwrap();
        let mut command = child(folder.path());
        command.env(KILLED, "1");
        let mut running = program::Running::start(command);
        let mut count = 0;
        while count < lines {
            let line = running.line();
            // The test harness prints on the same line.
            let Some((_, what)) = line.split_once("told ").or(line.split_once("flagged ")) else {
                assert!(running.is_running(), "{line}");
                continue;
            };
            let number: u32 = what.parse().unwrap();
            count += 1;
            if line.contains("told") {
                assert!(told.insert(number), "a UID was told twice");
            } else {
                flagged.insert(number);
            }
        }
        // SIGKILL.
        drop(running);
        let (all, seen) = (told.clone(), flagged.clone());
        let checked = reactor.run_until(async move {
            let inbox = given.inbox().await;
            for number in &all {
                assert_eq!(text(&inbox, uid(*number), 100).await, "Subject: x\r\n\r\nx\r\n");
            }
            for number in seen {
                assert_eq!(inbox.message(uid(number)).unwrap().flags, super::stores::seen());
            }
            // Also those of which it has not told.
            inbox.uids()
        });
        told.extend(checked.unwrap().iter().map(|uid| uid.get()));
    }
}

#[test]
fn two_processes_deliver_at_once() {
    crate::watchdog::watch_this_test();
    let folder = Folder::new();
    let reactor = Reactor::new().unwrap();
    let store = MaildirStore::new(folder.path(), MaildirConfig::default().create_accounts(true));
    let given = Given { reactor: reactor.clone(), store: Rc::new(store) };
    let path = folder.path().to_owned();
    let done = reactor.run_until(async move {
        let inbox = given.inbox().await;
        let mut child = child(&path).stdout(std::process::Stdio::null()).spawn().unwrap();
        add_all(&inbox).await;
        let ended = given.reactor.defer_to_thread(move || child.wait()).await;
        assert!(ended.unwrap().unwrap().success());
        inbox.refresh().await.unwrap();
        let uids = numbers(&inbox.uids());
        assert_eq!(uids, (1..=2 * COUNT as u32).collect::<Vec<_>>());
        for number in uids {
            assert_eq!(text(&inbox, uid(number), 1_000).await, "Subject: x\r\n\r\nx\r\n");
        }
    });
    done.unwrap();
}

/// On a real loop, with threads: all that is done at once comes out as if it was done in turn.
#[test]
fn much_is_done_at_once() {
    crate::watchdog::watch_this_test();
    let folder = Folder::new();
    let reactor = Reactor::new().unwrap();
    let config = MaildirConfig::default().create_accounts(true);
    let store = MaildirStore::new(folder.path(), config);
    let given = Given { reactor: reactor.clone(), store: Rc::new(store) };
    let done = reactor.run_until(async move {
        let (ann, inbox) = (given.ann().await, given.inbox().await);
        ann.create(&name("b")).await.unwrap();
        fill(&inbox, 10).await;
        let moved = inbox.move_to(&set("1:3"), &name("b"));
        let expunged = inbox.expunge(&set("4"), Expunge::All);
        let renamed = ann.rename(&name("b"), &name("c"));
        let flagged = inbox.set_flags(&set("5:9"), FlagChange::Add(super::stores::seen()), None);
        let read = inbox.read(uid(10), 0, 100);
        let refreshed = inbox.refresh();
        assert_eq!(moved.await.map(|copied| copied.uids.len()).unwrap(), 3);
        assert_eq!(expunged.await.unwrap(), set("4"));
        renamed.await.unwrap();
        assert_eq!(flagged.await.unwrap().done, set("5:9"));
        assert!(!read.await.unwrap().is_empty());
        refreshed.await.unwrap();
        assert_eq!(ann.status(&name("c")).await.unwrap().messages, 3);
        assert_eq!((inbox.status().messages, inbox.status().unseen), (6, 1));
    });
    done.unwrap();
    // A store whose loop has ended.
    run(&Reactor::simulated(0), async {});
}

/// A message is there at every moment of a rename, and so is the folder of one that is added.
#[test]
fn a_mailbox_is_read_while_it_is_renamed() {
    crate::watchdog::watch_this_test();
    let (reactor, folder) = (Reactor::new().unwrap(), Folder::new());
    let store = MaildirStore::new(folder.path(), MaildirConfig::default().create_accounts(true));
    let clone = reactor.clone();
    let done = reactor.run_until(async move {
        let ann = store.account(&clone, "ann").await.unwrap();
        ann.create(&name("a")).await.unwrap();
        let open = ann.open(&name("a")).await.unwrap();
        fill(&open, 1).await;
        for (from, to) in [("a", "b"), ("b", "a")].into_iter().cycle().take(20) {
            let renamed = ann.rename(&name(from), &name(to));
            let (mut reads, mut appends) = (Vec::new(), Vec::new());
            while !renamed.is_settled() {
                reads.push(open.read(uid(1), 0, 9));
                appends.push(open.append(NewMessage::new()));
                clone.sleep(Duration::from_micros(100)).await;
            }
            renamed.await.unwrap();
            for read in reads {
                assert!(!read.await.unwrap().is_empty());
            }
            for append in appends {
                assert!(append.await.is_ok());
            }
        }
    });
    done.unwrap();
}
