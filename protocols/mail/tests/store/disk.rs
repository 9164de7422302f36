//! A Maildir that other programs change, and what is in its files.

use std::{
    fs::{self, File},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    time::{Duration, SystemTime},
};

use sinew_mail::store::{
    Expunge, FlagChange, Flags, MailboxName, MaildirConfig, NewMessage, StoreError, StoreLimits,
    SystemFlag, Uid, UidSet,
};

use super::stores::{add, counted, fill, name, numbers, on_the_disk, seen, set, text, uid};

/// The names in a folder, in order.
fn names(folder: impl AsRef<Path>) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn other_programs_deliver_flag_and_delete() {
    on_the_disk(MaildirConfig::default(), |folder, given| async move {
        let (ann, inbox) = (folder.join("ann"), given.inbox().await);
        fill(&inbox, 1).await;
        // In the order of their times; with bare line ends; and what is no message.
        fs::write(ann.join("new/300.b.host"), "three\n\n\r\nthree\n").unwrap();
        fs::write(ann.join("cur/200.a.host:2,PRS"), "two\r\n").unwrap();
        fs::write(ann.join("new/.hidden"), "no").unwrap();
        fs::write(ann.join("new/100.ctrl\u{1}"), "no").unwrap();
        fs::create_dir(ann.join("new/100.folder")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", ann.join("new/100.link")).unwrap();
        let then = inbox.status().highest_mod_seq;
        inbox.refresh().await.unwrap();
        assert_eq!(numbers(&inbox.changes_since(then).changed), [2, 3]);
        let two = inbox.message(uid(2)).unwrap();
        assert_eq!((two.flags.to_string().as_str(), two.size), (r"\Seen \Answered", 5));
        assert_eq!(inbox.message(uid(3)).unwrap().size, 18);
        for step in [1, 4, 100] {
            assert_eq!(text(&inbox, uid(3), step).await, "three\r\n\r\n\r\nthree\r\n");
        }
        // The new ones are recent, until somebody has seen them.
        assert_eq!(inbox.claim_recent(), set("1,3"));
        let then = inbox.status().highest_mod_seq;
        inbox.refresh().await.unwrap();
        assert_eq!(inbox.changes_since(then).changed, []);
        assert!(names(ann.join("cur")).contains(&"300.b.host:2,".to_owned()));
        fs::rename(ann.join("cur/300.b.host:2,"), ann.join("cur/300.b.host:2,Fa")).unwrap();
        fs::remove_file(ann.join("cur/200.a.host:2,PRS")).unwrap();
        inbox.refresh().await.unwrap();
        let changes = inbox.changes_since(then);
        assert_eq!((numbers(&changes.changed), changes.vanished), (vec![3], Some(set("2"))));
        assert!(inbox.message(uid(3)).unwrap().flags.contains(SystemFlag::Flagged));
        assert_eq!(numbers(&inbox.uids()), [1, 3]);
    });
}

/// All that needs a file finds it, wherever another program has moved it meanwhile.
#[test]
fn files_that_are_renamed_between_a_look_and_their_use() {
    on_the_disk(MaildirConfig::default(), |folder, given| async move {
        let (ann, inbox) = (folder.join("ann"), given.inbox().await);
        given.ann().await.create(&name("b")).await.unwrap();
        for number in 1..=6 {
            fs::write(ann.join(format!("new/{number}.x")), format!("text {number}\n")).unwrap();
        }
        inbox.refresh().await.unwrap();
        for number in 1..=6 {
            let to = ann.join(format!("cur/{number}.x:2,P"));
            fs::rename(ann.join(format!("new/{number}.x")), to).unwrap();
        }
        let set_flags = inbox.set_flags(&set("2"), FlagChange::Add(seen()), None).await.unwrap();
        assert_eq!(set_flags.done, set("2"));
        // The letter of the other program stays.
        assert!(names(ann.join("cur")).contains(&"2.x:2,PS".to_owned()));
        assert_eq!(inbox.expunge(&set("3"), Expunge::All).await.unwrap(), set("3"));
        assert_eq!(inbox.copy(&set("4"), &name("b")).await.unwrap().uids.len(), 1);
        assert_eq!(inbox.move_to(&set("5"), &name("b")).await.unwrap().uids.len(), 1);
        let other = given.ann().await.open(&name("b")).await.unwrap();
        assert_eq!(text(&other, uid(2), 100).await, "text 5\r\n");
        assert_eq!(text(&inbox, uid(1), 3).await, "text 1\r\n");
        // And notices if it is gone.
        fs::remove_file(ann.join("cur/6.x:2,P")).unwrap();
        let read = inbox.read(uid(6), 0, 9);
        let set_flags = inbox.set_flags(&set("6"), FlagChange::Add(seen()), None).await.unwrap();
        assert_eq!(set_flags.done, UidSet::new());
        assert!(inbox.copy(&set("6"), &name("b")).await.unwrap().uids.is_empty());
        assert!(matches!(read.await, Err(StoreError::NoSuchMessage { .. })));
        inbox.refresh().await.unwrap();
        assert_eq!(numbers(&inbox.uids()), [1, 2, 4]);
        assert_eq!(inbox.message(uid(2)).unwrap().flags.to_string(), r"\Seen");
    });
}

/// Those that others have removed, moved or replaced are left out of what is read together, and are found by themselves as before.
#[test]
fn files_that_go_while_messages_are_read_together() {
    on_the_disk(MaildirConfig::default(), |folder, given| async move {
        let (cur, inbox) = (folder.join("ann/cur"), given.inbox().await);
        for number in 1..=4 {
            fs::write(cur.join(format!("{number}.x:2,")), format!("text {number}\n")).unwrap();
        }
        fs::write(folder.join("secret"), "secret\n").unwrap();
        inbox.refresh().await.unwrap();
        fs::remove_file(cur.join("1.x:2,")).unwrap();
        fs::rename(cur.join("2.x:2,"), cur.join("2.x:2,F")).unwrap();
        fs::remove_file(cur.join("3.x:2,")).unwrap();
        std::os::unix::fs::symlink(folder.join("secret"), cur.join("3.x:2,")).unwrap();
        let read = inbox.read_many(&inbox.uids(), usize::MAX).unwrap().await.unwrap();
        assert_eq!(read, [(uid(4), "text 4\r\n".into())]);
        assert_eq!(text(&inbox, uid(2), 100).await, "text 2\r\n");
        for gone in [1, 3] {
            let read = inbox.read(uid(gone), 0, 9).await;
            assert!(matches!(read, Err(StoreError::NoSuchMessage { .. })), "{read:?}");
        }
    });
}

/// Two files that have the name of one message, apart from their flags, are one, and the same one in whatever order they were made.
#[test]
fn two_files_of_one_name() {
    for order in [["F", "S"], ["S", "F"]] {
        on_the_disk(MaildirConfig::default(), move |folder, given| async move {
            let (cur, inbox) = (folder.join("ann/cur"), given.inbox().await);
            for flag in order {
                fs::write(cur.join(format!("1.x:2,{flag}")), format!("text {flag}\n")).unwrap();
            }
            fs::write(cur.join("2.x:2,"), "another\n").unwrap();
            inbox.refresh().await.unwrap();
            assert_eq!(numbers(&inbox.uids()), [1, 2]);
            assert_eq!(text(&inbox, uid(1), 100).await, "text S\r\n");
            let seen = inbox.message(uid(1)).unwrap();
            assert_eq!(seen.flags.to_string(), r"\Seen");
            // It does not change with each look.
            for number in 3..6 {
                fs::write(cur.join(format!("{number}.x:2,")), "more\n").unwrap();
                inbox.refresh().await.unwrap();
                assert_eq!(inbox.message(uid(1)).unwrap(), seen);
            }
            fs::remove_file(cur.join("1.x:2,S")).unwrap();
            inbox.refresh().await.unwrap();
            assert_eq!(inbox.message(uid(1)).unwrap().flags.to_string(), r"\Flagged");
            assert_eq!(text(&inbox, uid(1), 100).await, "text F\r\n");
        });
    }
}

/// What another program has done to the flags since the last look stays.
#[test]
fn flags_of_another_program_are_not_taken_back() {
    on_the_disk(MaildirConfig::default(), |folder, given| async move {
        let (cur, inbox) = (folder.join("ann/cur"), given.inbox().await);
        for number in 1..=3 {
            fs::write(cur.join(format!("{number}.x:2,R")), "text\n").unwrap();
        }
        inbox.refresh().await.unwrap();
        for number in 1..=3 {
            fs::rename(cur.join(format!("{number}.x:2,R")), cur.join(format!("{number}.x:2,FRT")))
                .unwrap();
        }
        let answered = || Flags::from(SystemFlag::Answered);
        let changes = [
            ("1", FlagChange::Add(seen()), "1.x:2,FRST"),
            ("2", FlagChange::Remove(answered()), "2.x:2,FT"),
            ("3", FlagChange::Replace(seen()), "3.x:2,S"),
        ];
        for (which, change, file) in changes {
            let done = inbox.set_flags(&set(which), change, None).await.unwrap().done;
            assert_eq!(done, set(which));
            assert!(names(&cur).contains(&file.to_owned()), "{file}: {:?}", names(&cur));
        }
        let flags = inbox.message(uid(1)).unwrap().flags.to_string();
        assert_eq!(flags, r"\Seen \Answered \Flagged \Deleted");
    });
}

/// A message that another program wants to keep since the last look is kept, and what it has said of one that is moved stays.
#[test]
fn a_message_that_another_program_keeps_is_not_expunged() {
    on_the_disk(MaildirConfig::default(), |folder, given| async move {
        let (cur, inbox) = (folder.join("ann/cur"), given.inbox().await);
        given.ann().await.create(&name("b")).await.unwrap();
        for number in 1..=4 {
            fs::write(cur.join(format!("{number}.x:2,T")), "text\n").unwrap();
        }
        inbox.refresh().await.unwrap();
        for (number, flags) in [(1, "S"), (2, "ST"), (3, "S"), (4, "S")] {
            let to = cur.join(format!("{number}.x:2,{flags}"));
            fs::rename(cur.join(format!("{number}.x:2,T")), to).unwrap();
        }
        let expunged = inbox.expunge(&set("1:2"), Expunge::Deleted).await.unwrap();
        assert_eq!(expunged, set("2"));
        // One that is named is meant in any case.
        assert_eq!(inbox.expunge(&set("4"), Expunge::All).await.unwrap(), set("4"));
        inbox.move_to(&set("3"), &name("b")).await.unwrap();
        assert_eq!(names(&cur), ["1.x:2,S"]);
        inbox.refresh().await.unwrap();
        assert_eq!(numbers(&inbox.uids()), [1]);
        let moved = given.ann().await.open(&name("b")).await.unwrap();
        assert_eq!(moved.message(uid(1)).unwrap().flags, seen());
    });
}

/// What was renamed by somebody else is not an empty mailbox, whose copies are all there.
#[test]
fn nothing_is_copied_from_a_folder_that_is_not_there() {
    on_the_disk(MaildirConfig::default(), |folder, given| async move {
        let (ann, root) = (given.ann().await, folder.join("ann"));
        ann.create(&name("a")).await.unwrap();
        let open = ann.open(&name("a")).await.unwrap();
        fill(&open, 2).await;
        fs::rename(root.join(".a"), root.join(".b")).unwrap();
        assert!(open.copy(&set("1:2"), &MailboxName::inbox()).await.is_err());
        assert!(open.move_to(&set("1:2"), &MailboxName::inbox()).await.is_err());
        assert_eq!(given.inbox().await.status().messages, 0);
        assert_eq!(ann.status(&name("b")).await.unwrap().messages, 2);
    });
}

/// A link in place of a file that was a message leads nowhere, and a pipe keeps no thread.
#[test]
fn a_message_that_is_not_a_file_any_more_is_gone() {
    on_the_disk(MaildirConfig::default(), |folder, given| async move {
        let (cur, inbox) = (folder.join("ann/cur"), given.inbox().await);
        for number in 1..=2 {
            fs::write(cur.join(format!("{number}.x:2,")), "text\n").unwrap();
        }
        fs::write(folder.join("secret"), "secret\n").unwrap();
        inbox.refresh().await.unwrap();
        fs::remove_file(cur.join("1.x:2,")).unwrap();
        std::os::unix::fs::symlink(folder.join("secret"), cur.join("1.x:2,")).unwrap();
        fs::remove_file(cur.join("2.x:2,")).unwrap();
        let made = std::process::Command::new("mkfifo").arg(cur.join("2.x:2,")).status();
        assert!(made.unwrap().success());
        for number in 1..=2 {
            let read = inbox.read(uid(number), 0, 9).await;
            assert!(matches!(read, Err(StoreError::NoSuchMessage { .. })), "{read:?}");
        }
    });
}

#[test]
fn a_mailbox_that_is_watched_is_looked_at() {
    let config = MaildirConfig::default().poll_interval(Duration::from_secs(5));
    on_the_disk(config, |folder, given| async move {
        let inbox = given.inbox().await;
        let (calls, watch) = counted(&inbox);
        fs::write(folder.join("ann/new/1.x"), "text\n").unwrap();
        given.reactor.sleep(Duration::from_secs(4)).await;
        assert_eq!((calls.get(), inbox.status().messages), (0, 0));
        given.reactor.sleep(Duration::from_secs(2)).await;
        assert_eq!((calls.get(), inbox.status().messages), (1, 1));
        given.reactor.sleep(Duration::from_secs(20)).await;
        assert_eq!(calls.get(), 1);
        // Nobody watches, so nobody looks.
        drop(watch);
        fs::write(folder.join("ann/new/2.x"), "text\n").unwrap();
        given.reactor.sleep(Duration::from_secs(20)).await;
        assert_eq!(inbox.status().messages, 1);
    });
}

#[test]
fn a_folder_that_another_process_deletes() {
    on_the_disk(MaildirConfig::default(), |folder, given| async move {
        let ann = given.ann().await;
        ann.create(&name("a")).await.unwrap();
        let open = ann.open(&name("a")).await.unwrap();
        fill(&open, 1).await;
        let (calls, _watch) = counted(&open);
        fs::remove_dir_all(folder.join("ann/.a")).unwrap();
        assert!(matches!(open.refresh().await, Err(StoreError::NoSuchMailbox { .. })));
        given.reactor.sleep(Duration::ZERO).await;
        assert!(open.is_deleted() && open.uids().is_empty() && calls.get() == 1);
        // And makes again: the old one stays deleted.
        for part in ["cur", "new", "tmp"] {
            fs::create_dir_all(folder.join("ann/.a").join(part)).unwrap();
        }
        fs::write(folder.join("ann/.a/new/1.x"), "text\n").unwrap();
        let new = ann.open(&name("a")).await.unwrap();
        assert_eq!((new.uids(), open.uids()), (vec![uid(1)], vec![]));
        assert!(new.status().uid_validity > open.status().uid_validity);
    });
}

#[test]
fn the_files_are_those_of_maildir() {
    on_the_disk(MaildirConfig::default().host_name("mail/ex.ample"), |folder, given| async move {
        let (ann, account) = (folder.join("ann"), given.ann().await);
        account.create(&name("Entwürfe/a.b")).await.unwrap();
        account.subscribe(&name("Entwürfe/a.b"), true).await.unwrap();
        account.subscribe(&name("INBOX"), true).await.unwrap();
        assert_eq!(
            fs::read_to_string(ann.join("subscriptions")).unwrap(),
            "Entw&APw-rfe.a&AC4-b\nINBOX\n"
        );
        let sub = ann.join(".Entw&APw-rfe.a&AC4-b");
        assert_eq!(names(&sub), ["cur", "maildirfolder", "new", "tmp"]);
        let open = account.open(&name("Entwürfe/a.b")).await.unwrap();
        let keyword = |word: &str| Flags::new().with_keyword(word.parse().unwrap());
        add(&open, "one\r\n", Flags::new()).await.unwrap();
        add(&open, "two\r\n", keyword("$Forwarded")).await.unwrap();
        let both = keyword("Junk").with(SystemFlag::Seen);
        open.set_flags(&set("1"), FlagChange::Replace(both), None).await.unwrap();
        let keywords = fs::read_to_string(sub.join("dovecot-keywords")).unwrap();
        assert_eq!(keywords, "0 $Forwarded\n1 Junk\n");
        let cur = names(sub.join("cur"));
        assert!(cur[0].ends_with(".mailex.ample,S=5,W=5:2,Sb"), "{cur:?}");
        assert!(cur[1].ends_with(".mailex.ample,S=5,W=5:2,a"), "{cur:?}");
        assert_eq!((names(sub.join("new")).len(), names(sub.join("tmp")).len()), (0, 0));
        // Nobody else reads mail.
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o77;
        for path in [sub.clone(), sub.join("cur").join(&cur[0]), sub.join("sinew-uidlist")] {
            assert_eq!(mode(&path), 0, "{path:?}");
        }
        // A crash has left these.
        fs::create_dir(ann.join("..sinew-new-1")).unwrap();
        account.create(&name("c")).await.unwrap();
        assert!(!ann.join("..sinew-new-1").exists());
    });
}

#[test]
fn old_files_in_tmp_are_removed() {
    on_the_disk(MaildirConfig::default(), |folder, given| async move {
        let tmp = folder.join("ann/tmp");
        fs::write(tmp.join("old"), "").unwrap();
        fs::write(tmp.join("young"), "").unwrap();
        let now = fs::metadata(tmp.join("young")).unwrap().modified().unwrap();
        given.reactor.set_wall_clock(now);
        let old = now - Duration::from_secs(36 * 3600 + 60);
        File::options().write(true).open(tmp.join("old")).unwrap().set_modified(old).unwrap();
        let _inbox = given.inbox().await;
        assert_eq!(names(&tmp), ["young"]);
    });
}

/// The date of a message is that of its file.
#[test]
fn dates_are_on_the_disk() {
    on_the_disk(MaildirConfig::default(), |folder, given| async move {
        let (ann, inbox) = (folder.join("ann"), given.inbox().await);
        let date = SystemTime::UNIX_EPOCH + Duration::from_secs(1_234_567_890);
        let mut append = inbox.append(NewMessage::new().date(date)).await.unwrap();
        append.write("x".into()).await.unwrap();
        append.finish().await.unwrap();
        let file = ann.join("new").join(&names(ann.join("new"))[0]);
        assert_eq!(fs::metadata(file).unwrap().modified().unwrap(), date);
        given.ann().await.create(&name("b")).await.unwrap();
        inbox.copy(&set("1"), &name("b")).await.unwrap();
        fs::remove_file(ann.join(".b/sinew-uidlist")).unwrap();
        let copy = given.ann().await.open(&name("b")).await.unwrap();
        assert_eq!(copy.message(uid(1)).unwrap().date, date);
    });
}

#[test]
fn the_quota_file_is_counted_when_it_is_not_believed() {
    let limits = StoreLimits::default().quota_bytes(100).quota_messages(9);
    on_the_disk(MaildirConfig::default().limits(limits), |folder, given| async move {
        let (file, inbox) = (folder.join("ann/maildirsize"), given.inbox().await);
        let read = || fs::read_to_string(&file).unwrap();
        for _ in 0..2 {
            add(&inbox, "12345678\r\n", Flags::new()).await.unwrap();
        }
        inbox.expunge(&set("1"), Expunge::All).await.unwrap();
        assert_eq!(read(), "100S,9C\n0 0\n10 1\n10 1\n-10 -1\n");
        // Other limits, a line that is cut off, and one that is wrong and says that there is no room.
        for wrong in ["50S\n49 1\n", "100S,9C\n10", "100S,9C\n50 1\n50 1\n"] {
            fs::write(&file, wrong).unwrap();
            add(&inbox, "12345678\r\n", Flags::new()).await.unwrap();
            let used = given.ann().await.quota().await.unwrap();
            assert_eq!(used.bytes, inbox.status().size, "{wrong}");
        }
        // What another program has removed, it has noted itself.
        for number in [1, 2] {
            fs::write(folder.join(format!("ann/cur/{number}.y:2,")), "").unwrap();
        }
        inbox.refresh().await.unwrap();
        fs::write(&file, "100S,9C\n50 7\n").unwrap();
        fs::remove_file(folder.join("ann/cur/1.y:2,")).unwrap();
        let uids = inbox.uids();
        let both: UidSet = uids[uids.len() - 2..].iter().copied().collect();
        assert_eq!(inbox.expunge(&both, Expunge::All).await.unwrap(), both);
        assert_eq!(read(), "100S,9C\n50 7\n0 -1\n");
        // A message of another program counts by its file.
        fs::write(folder.join("ann/new/1.x"), vec![b'x'; 60]).unwrap();
        fs::remove_file(&file).unwrap();
        assert_eq!(given.ann().await.quota().await.unwrap().bytes, 100);
        let error = add(&inbox, "1", Flags::new()).await.err();
        assert!(matches!(error, Some(StoreError::OverQuota)));
    });
}

/// The list is a log, which is written anew before it is much longer than what it says.
#[test]
fn the_list_does_not_grow_for_ever() {
    on_the_disk(MaildirConfig::default(), |folder, given| async move {
        let inbox = given.inbox().await;
        fill(&inbox, 2).await;
        inbox.expunge(&set("1"), Expunge::All).await.unwrap();
        let then = inbox.status().highest_mod_seq;
        for _ in 0..600 {
            for change in [FlagChange::Add(seen()), FlagChange::Remove(seen())] {
                inbox.set_flags(&set("2"), change, None).await.unwrap();
            }
        }
        let list = fs::read_to_string(folder.join("ann/sinew-uidlist")).unwrap();
        assert!(list.lines().count() < 1_030, "{}", list.lines().count());
        let (status, before) = (inbox.status(), inbox.changes_since(then));
        drop(inbox);
        let inbox = given.inbox().await;
        assert_eq!((inbox.status(), inbox.changes_since(then)), (status, before));
        fill(&inbox, 1).await;
        assert_eq!(numbers(&inbox.uids()), [2, 3]);
    });
}

/// Also not because of what it remembers of messages that are gone.
#[test]
fn the_list_of_a_mailbox_that_was_emptied_is_not_written_at_each_look() {
    on_the_disk(MaildirConfig::default(), |folder, given| async move {
        let (list, cur) = (folder.join("ann/sinew-uidlist"), folder.join("ann/cur"));
        for number in 0..3_000 {
            File::create(cur.join(format!("{number}.x,S=0,W=0:2,S"))).unwrap();
        }
        let inbox = given.inbox().await;
        inbox.expunge(&UidSet::all(), Expunge::All).await.unwrap();
        inbox.refresh().await.unwrap();
        let inode = || fs::metadata(&list).unwrap().ino();
        let before = inode();
        for _ in 0..3 {
            inbox.refresh().await.unwrap();
            fill(&inbox, 1).await;
            assert_eq!(inode(), before);
        }
    });
}

/// A delivery remembers nothing of the files for a mailbox that nobody has open.
#[test]
fn keywords_are_there_if_a_mailbox_is_opened_behind_a_delivery() {
    on_the_disk(MaildirConfig::default(), |folder, given| async move {
        let (ann, inbox) = (given.ann().await, MailboxName::inbox());
        let keyword = |word: &str| Flags::new().with_keyword(word.parse().unwrap());
        let open = given.inbox().await;
        add(&open, "one\r\n", keyword("first")).await.unwrap();
        drop(open);
        let mut delivered = ann.deliver(&inbox, NewMessage::new()).await.unwrap();
        // It keeps what the loop has of the mailbox.
        let _other = ann.deliver(&inbox, NewMessage::new()).await.unwrap();
        delivered.write("two\r\n".into()).await.unwrap();
        assert_eq!(delivered.finish().await.unwrap().uid, uid(2));
        let open = given.inbox().await;
        assert_eq!(open.message(uid(1)).unwrap().flags, keyword("first"));
        open.set_flags(&set("2"), FlagChange::Add(keyword("second")), None).await.unwrap();
        assert_eq!(open.message(uid(1)).unwrap().flags, keyword("first"));
        let keywords = fs::read_to_string(folder.join("ann/dovecot-keywords")).unwrap();
        assert_eq!(keywords, "0 first\n1 second\n");
    });
}

#[test]
fn a_hundred_thousand_messages() {
    let config = MaildirConfig::default();
    on_the_disk(config, |folder, given| async move {
        let new = folder.join("ann/cur");
        for number in 0..100_000 {
            File::create(new.join(format!("{number}.x,S=0,W=0:2,S"))).unwrap();
        }
        let inbox = given.inbox().await;
        let status = inbox.status();
        assert_eq!((status.messages, status.unseen), (100_000, 0));
        // In pieces, each of which has a bound.
        let (mut from, mut count) = (Uid::MIN, 0);
        loop {
            let page = inbox.messages(from, 1_000);
            let Some(last) = page.last() else { break };
            assert_eq!(page[0].uid, uid(count + 1));
            count += page.len() as u32;
            from = last.uid.next().unwrap();
        }
        assert_eq!(count, 100_000);
        let then = status.highest_mod_seq;
        inbox.expunge(&set("2:20001"), Expunge::All).await.unwrap();
        assert_eq!(inbox.status().messages, 80_000);
        // It remembers 10,000.
        assert_eq!(inbox.changes_since(then).vanished, None);
        // Not one look at 80,000 files for each.
        given.ann().await.create(&name("b")).await.unwrap();
        let moved = inbox.move_to(&set("30001:50000"), &name("b")).await.unwrap();
        assert_eq!((moved.uids.len(), inbox.status().messages), (20_000, 60_000));
        let uids = inbox.uids();
        drop(inbox);
        assert_eq!(given.inbox().await.uids(), uids);
    });
}
