//! Messages: added, read, flagged, copied, moved and removed.

use std::time::{Duration, SystemTime};

use sinew_mail::store::{
    Expunge, FlagChange, Flags, Keyword, MaildirConfig, ModSeq, NewMessage, StoreError,
    StoreLimits, SystemFlag, Uid, UidSet,
};

use super::stores::{add, fill, name, numbers, on_each_store, on_the_disk, seen, set, text, uid};

#[test]
fn a_message_is_read_as_it_was_added() {
    on_each_store(StoreLimits::default(), |given| async move {
        let inbox = given.inbox().await;
        let date = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let keyword: Keyword = "$Forwarded".parse().unwrap();
        let flags = Flags::from(SystemFlag::Flagged).with_keyword(keyword);
        let new = NewMessage::new().flags(flags.clone()).date(date).size(10);
        let mut append = inbox.append(new).await.unwrap();
        // The pieces are not waited for, and a line ends between two of them.
        let first = append.write("a: b\r".into());
        let second = append.write("\n\r\n".into());
        let third = append.write("text\nand more\r\n".into());
        let added = append.finish().await.unwrap();
        for written in [first, second, third] {
            written.await.unwrap();
        }
        assert_eq!((added.uid, added.uid_validity), (uid(1), inbox.status().uid_validity));
        let info = inbox.message(uid(1)).unwrap();
        let whole = "a: b\r\n\r\ntext\r\nand more\r\n";
        assert_eq!((info.size, info.flags, info.date), (whole.len() as u64, flags, date));
        for step in [1, 3, 7, 100] {
            assert_eq!(text(&inbox, uid(1), step).await, whole);
        }
        // Backwards, too.
        for offset in (0..=whole.len()).rev() {
            let piece = inbox.read(uid(1), offset as u64, 4).await.unwrap();
            let end = whole.len().min(offset + 4);
            assert_eq!(piece, &whole[offset..end]);
        }
        assert!(inbox.read(uid(1), u64::MAX, 4).await.unwrap().is_empty());
        assert!(matches!(inbox.read(uid(2), 0, 4).await, Err(StoreError::NoSuchMessage { .. })));
    });
}

#[test]
fn a_long_message_is_given_in_pieces() {
    on_each_store(StoreLimits::default(), |given| async move {
        let inbox = given.inbox().await;
        let mut append = inbox.append(NewMessage::new()).await.unwrap();
        for _ in 0..30 {
            append.write(vec![b'x'; 10_000].into()).await.unwrap();
        }
        append.finish().await.unwrap();
        let piece = inbox.read(uid(1), 0, usize::MAX).await.unwrap();
        assert_eq!(piece.len(), sinew_mail::store::READ_LEN_MAX);
        assert_eq!(text(&inbox, uid(1), usize::MAX).await.len(), 300_000);
    });
}

/// What several messages begin with, by one request: each is what it is by itself, and those that are not there harm no other.
#[test]
fn messages_are_read_together() {
    on_the_disk(MaildirConfig::default(), |_, given| async move {
        let inbox = given.inbox().await;
        for text in ["one\n", "two\r\n", "", "four\n\nfour\r\n"] {
            add(&inbox, text, Flags::new()).await.unwrap();
        }
        for len in [0, 1, 4, 5, usize::MAX] {
            let uids = [4, 9, 1, 3, 1, 2].map(uid);
            let read = inbox.read_many(&uids, len).unwrap().await.unwrap();
            let found: Vec<_> = read.iter().map(|(uid, _)| uid.get()).collect();
            assert_eq!(found, [4, 1, 3, 1, 2]);
            for (uid, text) in read {
                assert_eq!(text, inbox.read(uid, 0, len).await.unwrap(), "{uid}, {len}");
            }
        }
        // It goes on behind the beginning.
        assert_eq!(text(&inbox, uid(4), 3).await, "four\r\n\r\nfour\r\n");
        assert!(inbox.read_many(&[], 10).unwrap().await.unwrap().is_empty());
        let account = given.ann().await;
        let other = name("other");
        account.create(&other).await.unwrap();
        let other = account.open(&other).await.unwrap();
        account.delete(&other.name()).await.unwrap();
        assert!(other.read_many(&[uid(1)], 10).unwrap().await.unwrap().is_empty());
    });
}

/// Together they are not more than what is read at once.
#[test]
fn messages_that_are_read_together_are_bounded() {
    on_the_disk(MaildirConfig::default(), |_, given| async move {
        let inbox = given.inbox().await;
        for _ in 0..5 {
            let mut append = inbox.append(NewMessage::new()).await.unwrap();
            append.write(vec![b'x'; 30_000].into()).await.unwrap();
            append.finish().await.unwrap();
        }
        let uids = inbox.uids();
        for (len, expected) in [(usize::MAX, 2), (20_000, 3), (100, 5)] {
            let read = inbox.read_many(&uids, len).unwrap().await.unwrap();
            assert_eq!(read.len(), expected, "{len}");
            assert!(read.iter().all(|(_, text)| text.len() == len.min(30_000)));
        }
        fill(&inbox, 300).await;
        let read = inbox.read_many(&inbox.uids()[5..], 1).unwrap().await.unwrap();
        assert_eq!(read.len(), 256);
    });
}

#[test]
fn a_message_that_is_dropped_leaves_nothing() {
    on_each_store(StoreLimits::default(), |given| async move {
        let inbox = given.inbox().await;
        let mut append = inbox.append(NewMessage::new()).await.unwrap();
        append.write("half of a mess".into()).await.unwrap();
        drop(append);
        fill(&inbox, 1).await;
        assert_eq!(numbers(&inbox.uids()), [1]);
    });
}

#[test]
fn mail_is_delivered_without_opening() {
    on_each_store(StoreLimits::default(), |given| async move {
        let ann = given.ann().await;
        let mut append = ann.deliver(&name("inbox"), NewMessage::new()).await.unwrap();
        append.write("mail\r\n".into()).await.unwrap();
        append.finish().await.unwrap();
        let missing = ann.deliver(&name("nowhere"), NewMessage::new()).await;
        assert!(matches!(missing.err(), Some(StoreError::NoSuchMailbox { .. })));
        let status = ann.status(&name("INBOX")).await.unwrap();
        assert_eq!((status.messages, status.unseen, status.recent, status.size), (1, 1, 1, 6));
        assert_eq!(status.uid_next, uid(2));
    });
}

#[test]
fn flags_are_replaced_added_and_removed() {
    on_each_store(StoreLimits::default(), |given| async move {
        let inbox = given.inbox().await;
        fill(&inbox, 3).await;
        let draft = || Flags::from(SystemFlag::Draft);
        let junk = || Flags::new().with_keyword("Junk".parse().unwrap());
        let both = Flags::from(SystemFlag::Seen).with_keyword("junk".parse().unwrap());
        for (change, expected) in [
            (FlagChange::Replace(draft()), r"\Draft"),
            (FlagChange::Add(both), r"\Seen \Draft junk"),
            (FlagChange::Remove(draft()), r"\Seen junk"),
            (
                FlagChange::Remove(Flags::new().with_keyword("other".parse().unwrap())),
                r"\Seen junk",
            ),
            (FlagChange::Add(junk()), r"\Seen junk"),
            (FlagChange::Replace(Flags::new()), ""),
        ] {
            let before = inbox.message(uid(1)).unwrap();
            let set = inbox.set_flags(&set("1,3:9"), change, None).await.unwrap();
            assert_eq!((set.done.to_string().as_str(), set.modified), ("1,3", UidSet::new()));
            let after = inbox.message(uid(1)).unwrap();
            assert_eq!(after.flags.to_string(), expected);
            assert_eq!(after.mod_seq > before.mod_seq, after.flags != before.flags);
            assert_eq!(set.mod_seq, inbox.status().highest_mod_seq);
        }
        assert!(inbox.message(uid(2)).unwrap().flags.is_empty());
        // The keyword stays known, as it was first written.
        assert_eq!(inbox.keywords().iter().map(Keyword::as_str).collect::<Vec<_>>(), ["junk"]);
    });
}

#[test]
fn flags_are_left_if_others_have_changed_them() {
    on_each_store(StoreLimits::default(), |given| async move {
        let inbox = given.inbox().await;
        fill(&inbox, 3).await;
        let then = inbox.status().highest_mod_seq;
        inbox.set_flags(&set("2"), FlagChange::Add(seen()), None).await.unwrap();
        let deleted = || FlagChange::Add(SystemFlag::Deleted.into());
        let result = inbox.set_flags(&set("1:9"), deleted(), Some(then)).await.unwrap();
        assert_eq!((result.done, result.modified), (set("1,3"), set("2")));
        assert!(!inbox.message(uid(2)).unwrap().flags.contains(SystemFlag::Deleted));
        let result = inbox.set_flags(&set("1:9"), deleted(), Some(ModSeq::MAX)).await.unwrap();
        assert_eq!(result.modified, UidSet::new());
        assert_eq!(inbox.status().deleted, 3);
    });
}

#[test]
fn messages_are_expunged_and_their_uids_are_not_used_again() {
    on_each_store(StoreLimits::default(), |given| async move {
        let inbox = given.inbox().await;
        fill(&inbox, 5).await;
        inbox
            .set_flags(&set("2,5"), FlagChange::Add(SystemFlag::Deleted.into()), None)
            .await
            .unwrap();
        let gone = inbox.expunge(&set("1:4"), Expunge::Deleted).await.unwrap();
        assert_eq!(gone, set("2"));
        let gone = inbox.expunge(&UidSet::all(), Expunge::Deleted).await.unwrap();
        assert_eq!(gone, set("5"));
        let gone = inbox.expunge(&set("1,2"), Expunge::All).await.unwrap();
        assert_eq!(gone, set("1"));
        fill(&inbox, 1).await;
        assert_eq!(numbers(&inbox.uids()), [3, 4, 6]);
        let status = inbox.status();
        assert_eq!((status.messages, status.deleted, status.unseen), (3, 0, 3));
        assert!(matches!(inbox.read(uid(1), 0, 4).await, Err(StoreError::NoSuchMessage { .. })));
    });
}

#[test]
fn messages_are_copied_and_moved() {
    on_each_store(StoreLimits::default(), |given| async move {
        let (ann, inbox) = (given.ann().await, given.inbox().await);
        ann.create(&name("b")).await.unwrap();
        let other = ann.open(&name("b")).await.unwrap();
        let flags = Flags::from(SystemFlag::Answered).with_keyword("k".parse().unwrap());
        // The same keyword is another bit there.
        add(&other, "o\r\n", Flags::new().with_keyword("j".parse().unwrap())).await.unwrap();
        add(&inbox, "one\r\n", flags.clone()).await.unwrap();
        fill(&inbox, 2).await;
        let copied = inbox.copy(&set("1,3,7"), &name("b")).await.unwrap();
        let pairs = |copied: &[(Uid, Uid)]| {
            copied.iter().map(|(from, to)| (from.get(), to.get())).collect::<Vec<_>>()
        };
        assert_eq!(pairs(&copied.uids), [(1, 2), (3, 3)]);
        assert_eq!(copied.uid_validity, other.status().uid_validity);
        let (before, after) = (inbox.message(uid(1)).unwrap(), other.message(uid(2)).unwrap());
        assert_eq!((&after.flags, after.date), (&flags, before.date));
        assert_eq!(text(&other, uid(2), 100).await, "one\r\n");
        let moved = inbox.move_to(&set("1:2"), &name("b")).await.unwrap();
        assert_eq!(pairs(&moved.uids), [(1, 4), (2, 5)]);
        assert_eq!(other.message(uid(4)).unwrap().flags, flags);
        assert_eq!(text(&other, uid(4), 100).await, "one\r\n");
        assert_eq!(numbers(&inbox.uids()), [3]);
        // Into itself: new UIDs.
        assert_eq!(pairs(&inbox.copy(&set("3"), &name("INBOX")).await.unwrap().uids), [(3, 4)]);
        assert_eq!(pairs(&inbox.move_to(&set("3"), &name("INBOX")).await.unwrap().uids), [(3, 5)]);
        assert_eq!(numbers(&inbox.uids()), [4, 5]);
        let missing = inbox.copy(&set("4"), &name("missing")).await;
        assert!(matches!(missing, Err(StoreError::NoSuchMailbox { .. })));
        assert_eq!(pairs(&inbox.copy(&set("77"), &name("b")).await.unwrap().uids), []);
    });
}
