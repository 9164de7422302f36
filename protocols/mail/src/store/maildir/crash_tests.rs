//! A process that ends between any two steps, and what the next one finds.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    future::Future,
    path::{Path, PathBuf},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use proptest::prelude::*;
use sinew_transports::reactor::Reactor;

use super::{
    MaildirConfig, MaildirStore,
    disk::faults::{crash_after, has_crashed},
    edits::Transfer,
    folder::{Folder, Tried, Work},
    place::Place,
    unique::Unique,
};
use crate::store::{
    Account, Expunge, FlagChange, Flags, MailboxName, NewMessage, Store, StoreError, StoreLimits,
    SystemFlag, Uid, UidSet, index::Index,
};

/// A folder for a test, removed when it is dropped.
struct Disk(PathBuf);

impl Disk {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("sinew-maildir-crash-{}-{number}", std::process::id());
        // Hundreds of processes synchronise their files here, which a disk does slowly.
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let path = parent.join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join("ann").join(name)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        crash_after(u32::MAX);
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs a process on this disk, which ends after so many steps.
fn process<T: 'static, F: Future<Output = T> + 'static>(
    disk: &Disk,
    steps: u32,
    run: impl FnOnce(Rc<dyn Account>) -> F,
) -> T {
    let reactor = Reactor::simulated(0);
    let limits = StoreLimits::default().quota_bytes(1 << 40);
    let config = MaildirConfig::default().limits(limits).create_accounts(true);
    let store = MaildirStore::new(&disk.0, config);
    crash_after(u32::MAX);
    let opened = store.account(&reactor, "ann");
    let account = finish(&reactor, async move { opened.await.unwrap() });
    crash_after(steps);
    let result = finish(&reactor, run(account));
    // What is cleaned up behind the result is not done by a process that has ended.
    reactor.advance(Duration::from_secs(1)).unwrap();
    let crashed = has_crashed();
    crash_after(if crashed { 0 } else { u32::MAX });
    drop(store);
    crash_after(u32::MAX);
    result
}

fn finish<T: 'static>(reactor: &Reactor, future: impl Future<Output = T> + 'static) -> T {
    let task = reactor.spawn(future);
    for _ in 0..100_000 {
        if let Some(result) = task.take() {
            return result.unwrap();
        }
        reactor.advance(Duration::from_millis(10)).unwrap();
    }
    panic!("it does not end");
}

fn name(text: &str) -> MailboxName {
    text.parse().unwrap()
}

fn uid(number: u32) -> Uid {
    Uid::new(number).unwrap()
}

async fn add(account: &Rc<dyn Account>, to: &str, text: String) -> Result<Uid, StoreError> {
    let mut append = account.deliver(&name(to), NewMessage::new()).await?;
    append.write(text.into()).await?;
    Ok(append.finish().await?.uid)
}

/// A message as it is found.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    validity: u32,
    uid: Uid,
    text: String,
    is_seen: bool,
}

/// All messages of a mailbox; none if it is not there.
async fn found(account: &Rc<dyn Account>, mailbox: &str) -> Vec<Found> {
    let Ok(mailbox) = account.open(&name(mailbox)).await else { return Vec::new() };
    let mut all = Vec::new();
    let validity = mailbox.status().uid_validity.get();
    for info in mailbox.messages(Uid::MIN, usize::MAX) {
        let text = mailbox.read(info.uid, 0, usize::MAX).await.unwrap();
        assert_eq!(text.len() as u64, info.size);
        let text = String::from_utf8(text.to_vec()).unwrap();
        let is_seen = info.flags.contains(SystemFlag::Seen);
        all.push(Found { validity, uid: info.uid, text, is_seen });
    }
    all
}

fn texts(found: &[Found]) -> Vec<&str> {
    found.iter().map(|found| found.text.as_str()).collect()
}

/// Whatever was told stays true: after each number of steps.
#[test]
fn maildir_crash_between_tmp_and_new() {
    let mut outcomes = BTreeSet::new();
    for steps in 0.. {
        let disk = Disk::new();
        process(&disk, u32::MAX, |account| async move {
            assert_eq!(add(&account, "INBOX", "one".into()).await.unwrap(), uid(1));
        });
        let told = process(&disk, steps, |account| async move {
            let told = add(&account, "INBOX", "two".into()).await;
            (told.ok(), has_crashed())
        });
        let (told, crashed) = told;
        let (before, after) = process(&disk, u32::MAX, |account| async move {
            let before = found(&account, "INBOX").await;
            let again = add(&account, "INBOX", "three".into()).await.unwrap();
            assert!(before.iter().all(|found| found.uid < again));
            (before, found(&account, "INBOX").await)
        });
        assert_eq!((before[0].text.as_str(), before[0].uid), ("one", uid(1)));
        let second = before.get(1).map(|found| (found.text.as_str(), found.uid));
        assert!(before.len() <= 2 && second.is_none_or(|(text, _)| text == "two"), "{before:?}");
        if let Some(told) = told {
            assert_eq!(second.map(|(_, uid)| uid), Some(told), "after {steps} steps");
        }
        assert_eq!(before[..], after[..before.len()]);
        outcomes.insert((told.is_some(), second.is_some()));
        if !crashed {
            break;
        }
    }
    // Nothing of it; the message, of which nobody was told; and the message.
    assert_eq!(outcomes, BTreeSet::from([(false, false), (false, true), (true, true)]));
}

/// Each change, ended after each number of steps.
#[test]
fn a_change_is_made_or_not() {
    type Change =
        fn(Rc<dyn Account>) -> std::pin::Pin<Box<dyn Future<Output = Result<(), StoreError>>>>;
    let changes: [(&str, Change); 8] = [
        ("flags", |account| {
            Box::pin(async move {
                let inbox = account.open(&MailboxName::inbox()).await?;
                let change = FlagChange::Add(
                    Flags::from(SystemFlag::Seen).with_keyword("k".parse().unwrap()),
                );
                inbox.set_flags(&UidSet::all(), change, None).await.map(drop)
            })
        }),
        ("expunge", |account| {
            Box::pin(async move {
                let inbox = account.open(&MailboxName::inbox()).await?;
                inbox.expunge(&UidSet::all(), Expunge::All).await.map(drop)
            })
        }),
        ("copy", |account| {
            Box::pin(async move {
                let inbox = account.open(&MailboxName::inbox()).await?;
                inbox.copy(&UidSet::all(), &name("b")).await.map(drop)
            })
        }),
        ("move", |account| {
            Box::pin(async move {
                let inbox = account.open(&MailboxName::inbox()).await?;
                inbox.move_to(&UidSet::all(), &name("b")).await.map(drop)
            })
        }),
        ("rename", |account| {
            Box::pin(async move { account.rename(&name("b"), &name("c/d")).await })
        }),
        ("delete", |account| Box::pin(async move { account.delete(&name("b")).await })),
        ("create", |account| Box::pin(async move { account.create(&name("e")).await })),
        ("subscribe", |account| Box::pin(async move { account.subscribe(&name("b"), true).await })),
    ];
    for (what, change) in changes {
        for steps in 0.. {
            let disk = Disk::new();
            process(&disk, u32::MAX, |account| async move {
                account.create(&name("b")).await.unwrap();
                for text in ["one", "two"] {
                    add(&account, "INBOX", text.into()).await.unwrap();
                }
                add(&account, "b", "three".into()).await.unwrap();
                account.subscribe(&name("x"), true).await.unwrap();
            });
            let (done, crashed) = process(&disk, steps, |account| async move {
                (change(account).await.is_ok(), has_crashed())
            });
            let (inbox, b, c, list) = process(&disk, u32::MAX, |account| async move {
                let list = account.mailboxes().await.unwrap();
                let (inbox, b) = (found(&account, "INBOX").await, found(&account, "b").await);
                let c = found(&account, "c/d").await;
                // All goes on.
                for to in ["INBOX", "after"] {
                    let _ = account.create(&name(to)).await;
                    add(&account, to, "more".into()).await.unwrap();
                }
                (inbox, b, c, list)
            });
            let case = format!("{what} after {steps} steps: {inbox:?} {b:?} {c:?}");
            let is_there =
                |name: &str| list.iter().any(|info| info.exists && info.name.as_str() == name);
            let mut all = [texts(&inbox), texts(&b), texts(&c)].concat();
            all.sort_unstable();
            match what {
                "flags" => {
                    assert_eq!(all, ["one", "three", "two"], "{case}");
                    assert!(!done || inbox.iter().all(|found| found.is_seen), "{case}");
                }
                "expunge" => {
                    assert!(texts(&b) == ["three"] && (!done || inbox.is_empty()), "{case}");
                }
                "copy" => {
                    assert_eq!(texts(&inbox), ["one", "two"], "{case}");
                    assert_eq!(texts(&b)[0], "three", "{case}");
                    assert!(!done || b.len() == 3, "{case}");
                }
                "move" => {
                    // Each is in one of them.
                    assert_eq!(all, ["one", "three", "two"], "{case}");
                    assert!(!done || inbox.is_empty(), "{case}");
                }
                "rename" => {
                    assert_eq!(all, ["one", "three", "two"], "{case}");
                    assert!(is_there("b") != is_there("c/d") && (!done || c.len() == 1), "{case}");
                }
                "delete" => {
                    assert_eq!(texts(&inbox), ["one", "two"], "{case}");
                    assert!(is_there("b") != b.is_empty() && (!done || b.is_empty()), "{case}");
                }
                "create" => assert!(!done || is_there("e"), "{case}"),
                _ => {
                    let is_subscribed = |name: &str| {
                        list.iter().any(|info| info.is_subscribed && info.name.as_str() == name)
                    };
                    assert!(is_subscribed("x") && (!done || is_subscribed("b")), "{case}");
                }
            }
            if !crashed {
                assert!(done, "{case}");
                break;
            }
        }
    }
}

/// Writes a list, and gives its length before its last lines, and whole.
fn list_of_three(disk: &Disk) -> (usize, Vec<u8>) {
    let list = disk.file("sinew-uidlist");
    let len = |list: &Path| fs::metadata(list).unwrap().len() as usize;
    process(disk, u32::MAX, |account| async move {
        for text in ["one", "two"] {
            add(&account, "INBOX", text.into()).await.unwrap();
        }
    });
    let before = len(&list);
    process(disk, u32::MAX, |account| async move {
        let inbox = account.open(&MailboxName::inbox()).await.unwrap();
        inbox.copy(&UidSet::all(), &MailboxName::inbox()).await.unwrap();
    });
    (before, fs::read(&list).unwrap())
}

/// The last lines of the list were not told of when the system ended, so any part of them may be there.
#[test]
fn a_list_that_is_cut_off_at_any_byte() {
    let disk = Disk::new();
    let (before, whole) = list_of_three(&disk);
    for len in 0..=whole.len() {
        fs::write(disk.file("sinew-uidlist"), &whole[..len]).unwrap();
        let messages =
            process(&disk, u32::MAX, |account| async move { found(&account, "INBOX").await });
        // No message is lost, and none has the UID of another.
        let mut all = texts(&messages);
        all.sort_unstable();
        assert_eq!(all, ["one", "one", "two", "two"], "{len}");
        let uids: BTreeSet<_> = messages.iter().map(|found| found.uid).collect();
        assert_eq!(uids.len(), 4);
        if len >= before {
            // Those that were told of have theirs, and no other message has one that may have been written.
            assert_eq!((texts(&messages)[0], messages[0].uid), ("one", uid(1)), "{len}");
            assert_eq!((texts(&messages)[1], messages[1].uid), ("two", uid(2)), "{len}");
            let lines = whole[before..len].iter().filter(|byte| **byte == b'\n').count();
            let is_torn = len > before && whole[len - 1] != b'\n';
            let lowest = 3 + lines as u32 + u32::from(is_torn);
            assert!(uids.iter().skip(2 + lines).all(|uid| uid.get() >= lowest), "{len}: {uids:?}");
        }
    }
}

/// A byte that is wrong: what was told of stays true, or there is a new UIDVALIDITY.
#[test]
fn a_list_with_any_byte_wrong() {
    let disk = Disk::new();
    let (_, whole) = list_of_three(&disk);
    let told: BTreeMap<_, _> = process(&disk, u32::MAX, |account| async move {
        found(&account, "INBOX").await.into_iter().map(|f| ((f.validity, f.uid), f.text)).collect()
    });
    let last_line = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap();
    for at in 0..whole.len() {
        let mut wrong = whole.clone();
        wrong[at] ^= 0x10;
        fs::write(disk.file("sinew-uidlist"), &wrong).unwrap();
        let messages =
            process(&disk, u32::MAX, |account| async move { found(&account, "INBOX").await });
        assert_eq!(messages.len(), 4, "{at}");
        for message in &messages {
            let told = told.get(&(message.validity, message.uid));
            assert!(told.is_none_or(|told| *told == message.text), "{at}");
        }
        let is_new = messages[0].validity != told.keys().next().unwrap().0;
        assert_eq!(is_new, at < last_line, "{at}");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Add(bool),
    See(u8),
    Expunge(u8),
    Move(u8, bool),
    Rename,
}

fn step() -> impl Strategy<Value = (Step, Option<u32>)> {
    let step = prop_oneof![
        4 => any::<bool>().prop_map(Step::Add),
        2 => any::<u8>().prop_map(Step::See),
        2 => any::<u8>().prop_map(Step::Expunge),
        2 => (any::<u8>(), any::<bool>()).prop_map(|(which, back)| Step::Move(which, back)),
        1 => Just(Step::Rename),
    ];
    (step, prop::option::weighted(0.5, 0u32..25))
}

const BOXES: [&str; 2] = ["INBOX", "b"];

/// Makes a step; which text it was about.
async fn make(account: Rc<dyn Account>, step: Step, number: usize) -> (Option<String>, bool) {
    let pick = |found: Vec<Found>, which: u8| {
        let len = found.len().max(1);
        found.into_iter().nth(usize::from(which) % len)
    };
    let open = async |mailbox: &str| account.open(&name(mailbox)).await;
    match step {
        Step::Add(second) => {
            let text = format!("message {number}");
            let added = add(&account, BOXES[usize::from(second)], text.clone()).await;
            (Some(text), added.is_ok())
        }
        Step::See(which) | Step::Expunge(which) => {
            let Some(found) = pick(found(&account, "INBOX").await, which) else {
                return (None, true);
            };
            let Ok(inbox) = open("INBOX").await else { return (Some(found.text), false) };
            let uids = UidSet::from(found.uid);
            let done = match step {
                Step::See(_) => {
                    let change = FlagChange::Add(SystemFlag::Seen.into());
                    inbox.set_flags(&uids, change, None).await.is_ok()
                }
                _ => inbox.expunge(&uids, Expunge::All).await.is_ok(),
            };
            (Some(found.text), done)
        }
        Step::Move(which, back) => {
            let (from, to) = (BOXES[usize::from(back)], BOXES[usize::from(!back)]);
            let Some(found) = pick(found(&account, from).await, which) else { return (None, true) };
            let Ok(mailbox) = open(from).await else { return (Some(found.text), false) };
            let moved = mailbox.move_to(&found.uid.into(), &name(to)).await;
            (Some(found.text), moved.is_ok())
        }
        Step::Rename => {
            let done = account.rename(&name("b"), &name("c")).await.is_ok()
                && account.rename(&name("c"), &name("b")).await.is_ok();
            (None, done)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Random changes, some of which end in the middle. The model knows what must be there, and what may.
    #[test]
    fn a_maildir_is_what_a_model_says(steps in prop::collection::vec(step(), 1..14)) {
        let disk = Disk::new();
        process(&disk, u32::MAX, |account| async move {
            account.create(&name("b")).await.unwrap();
        });
        // The texts, and whether they are seen; what every UID was given to.
        let mut model: BTreeMap<String, bool> = BTreeMap::new();
        let mut given: BTreeMap<(u32, Uid), String> = BTreeMap::new();
        for (number, (step, crash)) in steps.into_iter().enumerate() {
            let kind = step.clone();
            let (about, done) = process(&disk, crash.unwrap_or(u32::MAX), |account| make(account, step, number));
            let found = process(&disk, u32::MAX, |account| async move {
                // A rename that has ended in the middle.
                let _ = account.rename(&name("c"), &name("b")).await;
                let mut all = found(&account, "INBOX").await;
                all.extend(found(&account, "b").await);
                all
            });
            let mut now: BTreeMap<String, bool> = BTreeMap::new();
            for message in found {
                let before = given.insert((message.validity, message.uid), message.text.clone());
                prop_assert!(before.is_none_or(|before| before == message.text), "a UID was used twice");
                prop_assert!(now.insert(message.text, message.is_seen).is_none(), "a message is there twice");
            }
            let mut expected = model.clone();
            if let Some(text) = about {
                let (is, was) = (now.get(&text), model.get(&text));
                let wanted = match kind {
                    Step::Add(_) => Some(&false),
                    Step::See(_) => Some(&true),
                    Step::Expunge(_) => None,
                    Step::Move(..) | Step::Rename => was,
                };
                prop_assert!(is == wanted || (!done && is == was), "{kind:?}: {is:?}, {was:?}");
                match is.copied() {
                    Some(is_seen) => expected.insert(text, is_seen),
                    None => expected.remove(&text),
                };
            }
            prop_assert_eq!(&now, &expected);
            model = now;
        }
    }
}

/// The index of the loop is changed in place: work copies it only if others have changed the mailbox.
#[test]
fn work_does_not_copy_the_index() {
    let disk = Disk::new();
    process(&disk, u32::MAX, |account| async move {
        for text in ["one", "two"] {
            add(&account, "INBOX", text.into()).await.unwrap();
        }
    });
    let config = MaildirConfig::default();
    let (path, settings) = (disk.0.join("ann"), Arc::new(config.settings));
    let mut folder = Folder::new(MailboxName::inbox(), path.clone(), path, settings);
    let mut work = |index: Option<&Arc<Index<Place>>>, call: &dyn Fn(&mut Work<'_>)| {
        let tried = folder.work(index.cloned(), 0, &mut |work| call(work.ok().unwrap()));
        let Tried::Done(outcome) = tried else { panic!("nobody has the lock") };
        outcome
    };
    let opened = work(None, &|work| work.sync().and_then(|()| work.scan()).unwrap());
    let mut index = opened.replaced.unwrap();
    Arc::make_mut(&mut index).apply(opened.changes);
    let unique = Unique { time: std::time::SystemTime::UNIX_EPOCH, random: 0, host: "h".into() };
    let seen = FlagChange::Add(SystemFlag::Seen.into());
    let calls: [&dyn Fn(&mut Work<'_>); 4] = [
        &|work| drop(work.set_flags(&uid(1).into(), &seen, None).unwrap()),
        &|work| work.settle(Uid::MAX).unwrap(),
        &|work| drop(work.take(&[], Transfer::Copy, &unique).unwrap()),
        &|work| drop(work.expunge(&uid(1).into(), Expunge::All).unwrap()),
    ];
    for (number, call) in calls.into_iter().enumerate() {
        let outcome = work(Some(&index), call);
        assert!(outcome.replaced.is_none(), "{number}");
        Arc::get_mut(&mut index).expect("the work has ended").apply(outcome.changes);
    }
    assert_eq!(index.uids(), [uid(2)]);
    // Others have changed it.
    process(&disk, u32::MAX, |account| async move {
        add(&account, "INBOX", "three".into()).await.unwrap();
    });
    let outcome = work(Some(&index), &|work| drop(work.expunge(&uid(2).into(), Expunge::All)));
    assert_eq!(outcome.replaced.unwrap().uids(), [uid(2), uid(3)]);
}

#[test]
fn the_index_is_lean() {
    type Entry = crate::store::index::Entry<super::place::Place>;
    assert!(size_of::<Entry>() <= 72, "{}", size_of::<Entry>());
}
