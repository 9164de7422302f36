//! The mailboxes of an account.

use std::rc::Rc;

use sinew_mail::store::{Account, FlagChange, SpecialUse, StoreError, StoreLimits};

use super::stores::{Given, fill, name, numbers, on_each_store, seen, set, uid};

/// The list: `!` for what does not exist, `+` for what has children, `*` for what is subscribed.
async fn list(account: &Rc<dyn Account>) -> String {
    let list = account.mailboxes().await.unwrap();
    let list = list.iter().map(|info| {
        let mark = |is: bool, mark: &'static str| if is { mark } else { "" };
        let marks =
            [mark(!info.exists, "!"), mark(info.has_children, "+"), mark(info.is_subscribed, "*")];
        format!("{}{}", info.name, marks.concat())
    });
    list.collect::<Vec<_>>().join(" ")
}

#[test]
fn mailboxes_are_created_and_deleted() {
    on_each_store(StoreLimits::default(), |given| async move {
        let ann = given.ann().await;
        assert_eq!(list(&ann).await, "INBOX");
        for made in ["a/b", "Sent", "Entwürfe & mehr/.x.y", "INBOX/c", "~/日本"] {
            ann.create(&name(made)).await.unwrap();
        }
        let listed =
            "Entwürfe & mehr!+ Entwürfe & mehr/.x.y INBOX+ INBOX/c Sent a!+ a/b ~!+ ~/日本";
        assert_eq!(list(&ann).await, listed);
        let sent =
            ann.mailboxes().await.unwrap().into_iter().find(|info| info.name == name("Sent"));
        assert_eq!(sent.unwrap().special_use, Some(SpecialUse::Sent));
        for there in ["Sent", "inbox", "a/b"] {
            let error = ann.create(&name(there)).await.err();
            assert!(matches!(error, Some(StoreError::AlreadyExists { .. })), "{error:?}");
        }
        // What is only a part of a name can be created.
        ann.create(&name("a")).await.unwrap();
        ann.delete(&name("a")).await.unwrap();
        ann.delete(&name("INBOX/c")).await.unwrap();
        ann.delete(&name("~/日本")).await.unwrap();
        assert_eq!(list(&ann).await, "Entwürfe & mehr!+ Entwürfe & mehr/.x.y INBOX Sent a!+ a/b");
        for missing in ["a", "c", "INBOX/c"] {
            let error = ann.delete(&name(missing)).await.err();
            assert!(matches!(error, Some(StoreError::NoSuchMailbox { .. })), "{error:?}");
            let error = ann.open(&name(missing)).await.err();
            assert!(matches!(error, Some(StoreError::NoSuchMailbox { .. })), "{error:?}");
            let error = ann.status(&name(missing)).await.err();
            assert!(matches!(error, Some(StoreError::NoSuchMailbox { .. })), "{error:?}");
        }
        let error = ann.delete(&name("inbox")).await.err();
        assert!(matches!(error, Some(StoreError::NotPermitted { .. })));
    });
}

#[test]
fn users_see_their_own_mail() {
    on_each_store(StoreLimits::default(), |given| async move {
        fill(&given.inbox().await, 1).await;
        given.ann().await.create(&name("a")).await.unwrap();
        let bob = given.store.account(&given.reactor, "bob").await.unwrap();
        assert_eq!(list(&bob).await, "INBOX");
        assert_eq!(bob.status(&name("INBOX")).await.unwrap().messages, 0);
        for nobody in ["eve", "Ann", "ann "] {
            let error = given.store.account(&given.reactor, nobody).await.err();
            assert!(matches!(error, Some(StoreError::NoSuchAccount { .. })), "{error:?}");
        }
        for path in ["../ann", "", ".", "ann/", "bob\0", "a\nb"] {
            let error = given.store.account(&given.reactor, path).await.err();
            assert!(matches!(error, Some(StoreError::UserName { .. })), "{error:?}");
        }
    });
}

#[test]
fn subscriptions_need_no_mailbox() {
    on_each_store(StoreLimits::default(), |given| async move {
        let ann = given.ann().await;
        ann.create(&name("a")).await.unwrap();
        for (subscribed, is_subscribed) in [
            ("a", true),
            ("ä.b/c", true),
            ("INBOX", true),
            ("a", false),
            ("q", false),
            ("INBOX", true),
        ] {
            ann.subscribe(&name(subscribed), is_subscribed).await.unwrap();
        }
        assert_eq!(list(&ann).await, "INBOX* a ä.b/c!*");
        ann.delete(&name("a")).await.unwrap();
        ann.subscribe(&name("a"), true).await.unwrap();
        assert_eq!(list(&given.ann().await).await, "INBOX* a!* ä.b/c!*");
    });
}

async fn filled(given: &Given) -> Rc<dyn Account> {
    let ann = given.ann().await;
    for made in ["a", "a/b", "ab"] {
        ann.create(&name(made)).await.unwrap();
        fill(&ann.open(&name(made)).await.unwrap(), 2).await;
    }
    ann
}

#[test]
fn a_rename_takes_those_inside_along() {
    on_each_store(StoreLimits::default(), |given| async move {
        let ann = filled(&given).await;
        let before = ann.status(&name("a/b")).await.unwrap();
        ann.rename(&name("a"), &name("x/y")).await.unwrap();
        assert_eq!(list(&ann).await, "INBOX ab x!+ x/y+ x/y/b");
        assert_eq!(ann.status(&name("x/y/b")).await.unwrap(), before);
        // Only its parts exist, so those are renamed.
        ann.rename(&name("x"), &name("z")).await.unwrap();
        assert_eq!(list(&ann).await, "INBOX ab z!+ z/y+ z/y/b");
        for (from, to) in [("ab", "z/y"), ("z", "z"), ("ab", "INBOX"), ("z/y", "ab")] {
            let error = ann.rename(&name(from), &name(to)).await.err();
            assert!(matches!(error, Some(StoreError::AlreadyExists { .. })), "{error:?}");
        }
        let error = ann.rename(&name("z"), &name("z/q")).await.err();
        assert!(matches!(error, Some(StoreError::NotPermitted { .. })));
        let error = ann.rename(&name("a"), &name("b")).await.err();
        assert!(matches!(error, Some(StoreError::NoSuchMailbox { .. })));
        // A new mailbox in the old place has a new validity.
        ann.create(&name("x/y/b")).await.unwrap();
        let new = ann.status(&name("x/y/b")).await.unwrap();
        assert!(new.uid_validity > before.uid_validity);
        assert_eq!(new.messages, 0);
    });
}

#[test]
fn the_inbox_is_renamed_by_moving_its_messages() {
    on_each_store(StoreLimits::default(), |given| async move {
        let (ann, inbox) = (given.ann().await, given.inbox().await);
        ann.create(&name("INBOX/c")).await.unwrap();
        fill(&inbox, 3).await;
        inbox.set_flags(&set("2"), FlagChange::Add(seen()), None).await.unwrap();
        ann.rename(&name("inbox"), &name("old")).await.unwrap();
        assert_eq!(list(&ann).await, "INBOX+ INBOX/c old");
        assert_eq!((inbox.status().messages, inbox.name()), (0, name("INBOX")));
        let old = ann.open(&name("old")).await.unwrap();
        assert_eq!((old.status().messages, old.status().unseen), (3, 2));
        fill(&inbox, 1).await;
        assert_eq!(numbers(&inbox.uids()), [4]);
        assert_eq!(inbox.changes_since(inbox.message(uid(4)).unwrap().mod_seq).changed, []);
        let error = ann.rename(&name("INBOX"), &name("old")).await.err();
        assert!(matches!(error, Some(StoreError::AlreadyExists { .. })));
        assert_eq!(inbox.status().messages, 1);
    });
}
