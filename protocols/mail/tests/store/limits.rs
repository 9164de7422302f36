//! What is too much: sizes, counts and quotas.

use sinew_mail::store::{
    Expunge, FlagChange, Flags, ModSeq, NewMessage, StoreError, StoreLimits, SystemFlag, UidSet,
};

use super::stores::{add, fill, name, on_each_store, set, text, uid};

#[test]
fn a_message_is_too_large() {
    on_each_store(StoreLimits::default().message_len_max(10), |given| async move {
        let inbox = given.inbox().await;
        add(&inbox, "12345678\r\n", Flags::new()).await.unwrap();
        let is_too_large = |error| assert!(matches!(error, Some(StoreError::TooLarge { max: 10 })));
        is_too_large(inbox.append(NewMessage::new().size(11)).await.err());
        // Counted with CRLFs.
        is_too_large(add(&inbox, "12345678\n\n", Flags::new()).await.err());
        let mut append = inbox.append(NewMessage::new()).await.unwrap();
        append.write("1234567890".into()).await.unwrap();
        is_too_large(append.write("1".into()).await.err());
        is_too_large(append.write("".into()).await.err());
        is_too_large(append.finish().await.err());
        assert_eq!(inbox.status().messages, 1);
    });
}

#[test]
fn an_account_is_full() {
    let limits = StoreLimits::default().quota_bytes(100).quota_messages(4);
    on_each_store(limits, |given| async move {
        let (ann, inbox) = (given.ann().await, given.inbox().await);
        ann.create(&name("a")).await.unwrap();
        let other = ann.open(&name("a")).await.unwrap();
        let is_full = |error| assert!(matches!(error, Some(StoreError::OverQuota)), "{error:?}");
        is_full(inbox.append(NewMessage::new().size(101)).await.err());
        let mut append = inbox.append(NewMessage::new()).await.unwrap();
        append.write(vec![b'x'; 60].into()).await.unwrap();
        append.finish().await.unwrap();
        // Mailboxes count together.
        let mut append = other.append(NewMessage::new()).await.unwrap();
        append.write(vec![b'x'; 40].into()).await.unwrap();
        is_full(append.write("x".into()).await.err());
        is_full(append.finish().await.err());
        is_full(inbox.copy(&set("1"), &name("a")).await.err());
        inbox.move_to(&set("1"), &name("a")).await.unwrap();
        let quota = ann.quota().await.unwrap();
        assert_eq!((quota.bytes, quota.messages), (60, 1));
        assert_eq!((quota.bytes_max, quota.messages_max), (Some(100), Some(4)));
        other.expunge(&UidSet::all(), Expunge::All).await.unwrap();
        assert_eq!(ann.quota().await.unwrap().bytes, 0);
        for _ in 0..4 {
            add(&inbox, "x\r\n", Flags::new()).await.unwrap();
        }
        is_full(add(&inbox, "x\r\n", Flags::new()).await.err());
        let bob = given.store.account(&given.reactor, "bob").await.unwrap();
        let inbox = bob.open(&name("INBOX")).await.unwrap();
        add(&inbox, "x\r\n", Flags::new()).await.unwrap();
    });
}

#[test]
fn a_mailbox_is_full() {
    on_each_store(StoreLimits::default().messages_max(3), |given| async move {
        let (ann, inbox) = (given.ann().await, given.inbox().await);
        ann.create(&name("a")).await.unwrap();
        fill(&inbox, 2).await;
        let is_full =
            |error| assert!(matches!(error, Some(StoreError::TooMany { .. })), "{error:?}");
        // All or none.
        is_full(inbox.copy(&set("1:2"), &name("INBOX")).await.err());
        assert_eq!(inbox.status().messages, 2);
        fill(&inbox, 1).await;
        is_full(add(&inbox, "x", Flags::new()).await.err());
        inbox.copy(&set("1:3"), &name("a")).await.unwrap();
        is_full(inbox.move_to(&set("1"), &name("a")).await.err());
        assert_eq!(text(&inbox, uid(1), 99).await, "Subject: x\r\n\r\nx\r\n");
    });
}

#[test]
fn there_are_too_many_mailboxes() {
    on_each_store(StoreLimits::default().mailboxes_max(2), |given| async move {
        let ann = given.ann().await;
        ann.create(&name("a")).await.unwrap();
        let error = ann.create(&name("b")).await.err();
        assert!(matches!(error, Some(StoreError::TooMany { .. })));
        for subscribed in ["a", "b"] {
            ann.subscribe(&name(subscribed), true).await.unwrap();
        }
        let error = ann.subscribe(&name("c"), true).await.err();
        assert!(matches!(error, Some(StoreError::TooMany { .. })));
        ann.subscribe(&name("b"), true).await.unwrap();
    });
}

#[test]
fn keywords_above_the_limit_are_not_set() {
    on_each_store(StoreLimits::default().keywords_max(2), |given| async move {
        let inbox = given.inbox().await;
        let flags = |words: &[&str]| {
            let words = words.iter().map(|word| word.parse().unwrap());
            words.fold(Flags::new().with(SystemFlag::Seen), Flags::with_keyword)
        };
        add(&inbox, "x", flags(&["a"])).await.unwrap();
        assert!(inbox.takes_new_keywords());
        inbox.set_flags(&set("1"), FlagChange::Add(flags(&["b", "c"])), None).await.unwrap();
        assert!(!inbox.takes_new_keywords());
        assert_eq!(inbox.message(uid(1)).unwrap().flags.to_string(), r"\Seen a b");
        add(&inbox, "x", flags(&["d"])).await.unwrap();
        assert_eq!(inbox.message(uid(2)).unwrap().flags.to_string(), r"\Seen");
    });
}

#[test]
fn what_is_forgotten_is_said_to_be() {
    on_each_store(StoreLimits::default().expunged_max(2), |given| async move {
        let inbox = given.inbox().await;
        fill(&inbox, 5).await;
        let mut before = vec![];
        for number in 1..=4 {
            before.push(inbox.status().highest_mod_seq);
            inbox.expunge(&uid(number).into(), Expunge::All).await.unwrap();
        }
        let vanished = |since: ModSeq| inbox.changes_since(since).vanished;
        assert_eq!(vanished(before[1]), None);
        assert_eq!(vanished(before[2]), Some(set("3:4")));
        assert_eq!(vanished(before[3]), Some(set("4")));
    });
}
