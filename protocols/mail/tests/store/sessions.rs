//! Several sessions in one mailbox: what each is told of the changes of the others.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_mail::store::{
    Expunge, FlagChange, MailboxName, ModSeq, NewMessage, StoreError, StoreLimits, UidSet, Watch,
};
use sinew_transports::reactor::Reactor;

use super::stores::{counted, fill, name, numbers, on_each_store, seen, set, uid};

#[test]
fn two_sessions_one_mailbox() {
    on_each_store(StoreLimits::default(), |given| async move {
        let (one, two) = (given.inbox().await, given.inbox().await);
        fill(&one, 4).await;
        let then = two.status().highest_mod_seq;
        let (calls, watch) = counted(&two);
        one.set_flags(&set("2"), FlagChange::Add(seen()), None).await.unwrap();
        one.expunge(&set("1"), Expunge::All).await.unwrap();
        fill(&one, 1).await;
        given.reactor.sleep(Duration::ZERO).await;
        assert!((1..=3).contains(&calls.get()), "{}", calls.get());
        let changes = two.changes_since(then);
        assert_eq!(numbers(&changes.changed), [2, 5]);
        assert_eq!(
            (changes.vanished, changes.highest),
            (Some(set("1")), two.status().highest_mod_seq)
        );
        assert!(two.changes_since(changes.highest).is_empty());
        assert_eq!(numbers(&two.changes_since(ModSeq::MIN).changed), [2, 3, 4, 5]);
        drop(watch);
        let before = calls.get();
        fill(&one, 1).await;
        given.reactor.sleep(Duration::ZERO).await;
        assert_eq!(calls.get(), before);
    });
}

/// A change that was asked for does not need anyone who waits for it.
#[test]
fn a_change_is_made_if_nobody_waits() {
    on_each_store(StoreLimits::default(), |given| async move {
        let inbox = given.inbox().await;
        fill(&inbox, 3).await;
        drop(inbox.set_flags(&set("1"), FlagChange::Add(seen()), None));
        drop(inbox.expunge(&set("2"), Expunge::All));
        drop(inbox.copy(&set("3"), &MailboxName::inbox()));
        given.reactor.sleep(Duration::from_secs(1)).await;
        assert_eq!(numbers(&inbox.uids()), [1, 3, 4]);
        assert_eq!(inbox.message(uid(1)).unwrap().flags, seen());
        // Also by one that is closed at once.
        drop(inbox.set_flags(&set("3"), FlagChange::Add(seen()), None));
        drop(inbox);
        given.reactor.sleep(Duration::from_secs(1)).await;
        assert_eq!(given.inbox().await.message(uid(3)).unwrap().flags, seen());
    });
}

/// A callback asks, changes, closes, and ends its own watch.
#[test]
fn a_watcher_may_do_anything() {
    on_each_store(StoreLimits::default(), |given| async move {
        let (one, other) = (given.inbox().await, given.inbox().await);
        let open = Rc::new(RefCell::new(Some(one)));
        let watch: Rc<RefCell<Option<Watch>>> = Rc::default();
        let (mailbox, own) = (Rc::clone(&open), Rc::clone(&watch));
        let changed = move |_: &Reactor| {
            let Some(mailbox) = mailbox.borrow_mut().take() else { return };
            let changes = mailbox.changes_since(ModSeq::MIN);
            assert_eq!(mailbox.messages(uid(1), 9).len(), changes.changed.len());
            mailbox.claim_recent();
            mailbox.set_flags(&UidSet::all(), FlagChange::Add(seen()), None).detach();
            let _other = mailbox.watch(Rc::new(|_: &Reactor| panic!("its guard is dropped")));
            own.borrow_mut().take();
        };
        *watch.borrow_mut() = Some(other.watch(Rc::new(changed)));
        fill(&other, 1).await;
        given.reactor.sleep(Duration::from_secs(1)).await;
        assert!(open.borrow().is_none() && watch.borrow().is_none());
        assert_eq!(other.status().unseen, 0);
    });
}

#[test]
fn a_message_is_recent_for_one_session() {
    on_each_store(StoreLimits::default(), |given| async move {
        let (one, two) = (given.inbox().await, given.inbox().await);
        fill(&one, 2).await;
        assert_eq!(two.status().recent, 2);
        assert_eq!(two.claim_recent(), set("1:2"));
        assert_eq!((one.claim_recent(), one.status().recent), (UidSet::new(), 0));
        fill(&one, 1).await;
        assert_eq!(one.claim_recent(), set("3"));
        // Also if all have closed it meanwhile.
        one.refresh().await.unwrap();
        drop((one, two));
        assert_eq!(given.inbox().await.claim_recent(), UidSet::new());
    });
}

#[test]
fn one_pop3_session_has_the_lock() {
    on_each_store(StoreLimits::default(), |given| async move {
        let (one, two) = (given.inbox().await, given.inbox().await);
        let lock = one.lock().await.unwrap();
        for mailbox in [&one, &two] {
            assert!(matches!(mailbox.lock().await, Err(StoreError::Locked { .. })));
        }
        // Others can still add and read.
        fill(&two, 1).await;
        drop(lock);
        let lock = two.lock().await.unwrap();
        drop((one, two));
        let three = given.inbox().await;
        assert!(matches!(three.lock().await, Err(StoreError::Locked { .. })));
        drop(lock);
        let _lock = three.lock().await.unwrap();
    });
}

#[test]
fn a_mailbox_that_is_deleted_while_it_is_open() {
    on_each_store(StoreLimits::default(), |given| async move {
        let ann = given.ann().await;
        ann.create(&name("a")).await.unwrap();
        let open = ann.open(&name("a")).await.unwrap();
        fill(&open, 2).await;
        let mut append = open.append(NewMessage::new()).await.unwrap();
        let (calls, _watch) = counted(&open);
        ann.delete(&name("a")).await.unwrap();
        given.reactor.sleep(Duration::ZERO).await;
        assert!(calls.get() >= 1);
        assert!(open.is_deleted());
        assert_eq!((open.status().messages, open.uids()), (0, vec![]));
        let is_gone = |error: Option<StoreError>| {
            assert!(matches!(error, Some(StoreError::NoSuchMailbox { .. })), "{error:?}");
        };
        let _ = append.write("x\r\n".into()).await;
        is_gone(append.finish().await.err());
        is_gone(open.append(NewMessage::new()).await.err());
        is_gone(open.refresh().await.err());
        is_gone(open.set_flags(&set("1"), FlagChange::Add(seen()), None).await.err());
        is_gone(open.copy(&set("1"), &MailboxName::inbox()).await.err());
        is_gone(open.lock().await.err());
        // A new one of the same name is another.
        ann.create(&name("a")).await.unwrap();
        let new = ann.open(&name("a")).await.unwrap();
        assert!(open.is_deleted() && !new.is_deleted());
        assert!(new.status().uid_validity > open.status().uid_validity);
        is_gone(open.refresh().await.err());
    });
}

#[test]
fn a_mailbox_that_is_renamed_while_it_is_open() {
    on_each_store(StoreLimits::default(), |given| async move {
        let ann = given.ann().await;
        ann.create(&name("a")).await.unwrap();
        let open = ann.open(&name("a")).await.unwrap();
        fill(&open, 1).await;
        ann.rename(&name("a"), &name("b/c")).await.unwrap();
        assert_eq!((open.name(), open.is_deleted()), (name("b/c"), false));
        fill(&open, 1).await;
        assert_eq!(ann.status(&name("b/c")).await.unwrap().uid_next, uid(3));
        assert!(!open.read(uid(1), 0, 9).await.unwrap().is_empty());
    });
}
