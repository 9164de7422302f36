//! What has changed since the last time: with QRESYNC, with CONDSTORE, and with neither.

use std::{collections::BTreeSet, time::Duration};

use sinew_mail::imap::{
    client::{ImapError, SyncState, Synced},
    codec::MailboxName,
};

use super::script::{GREETING, Script, config, play};

const NEITHER: &str = "* OK [CAPABILITY IMAP4rev1] x\r\n";
const CONDSTORE: &str = "* OK [CAPABILITY IMAP4rev1 CONDSTORE] x\r\n";

fn synced(greeting: &'static str, script: Script, known: SyncState) -> Synced {
    let (result, is_over) = play(greeting, script, config(), |client, _| async move {
        client.sync(MailboxName::inbox(), known).await
    });
    let synced = result.unwrap_or_else(|error| panic!("{error:?}"));
    assert!(is_over, "the script was not played to its end");
    synced
}

fn uids(messages: &[(u32, Vec<sinew_mail::imap::codec::Flag>)]) -> Vec<u32> {
    messages.iter().map(|(uid, _)| *uid).collect()
}

fn known(modseq: Option<u64>) -> SyncState {
    SyncState::of(7, modseq, BTreeSet::from([1, 2, 3]))
}

#[test]
fn the_first_time_all_messages_are_new() {
    let script: Script = &[
        ("a1 SELECT INBOX", "* 2 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\na1 OK\r\n"),
        ("a2 UID SEARCH ALL", "* SEARCH 1 3\r\na2 OK\r\n"),
        (
            "a3 UID FETCH 1,3 (UID FLAGS)",
            "* 1 FETCH (UID 1 FLAGS ())\r\n* 2 FETCH (UID 3 FLAGS (\\Seen))\r\na3 OK\r\n",
        ),
    ];
    let synced = synced(NEITHER, script, SyncState::new());
    assert_eq!((uids(&synced.new), synced.changed.len(), synced.is_reset), (vec![1, 3], 0, false));
    assert_eq!(synced.state, SyncState::of(7, None, BTreeSet::from([1, 3])));
}

#[test]
fn an_empty_mailbox_is_not_asked_about() {
    let script: Script =
        &[("a1 SELECT INBOX", "* 0 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\na1 OK\r\n")];
    let synced = synced(NEITHER, script, known(None));
    assert_eq!(synced.vanished, BTreeSet::from([1, 2, 3]));
}

#[test]
fn without_modification_sequences_all_flags_are_told() {
    let script: Script = &[
        ("a1 SELECT INBOX", "* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\na1 OK\r\n"),
        ("a2 UID SEARCH ALL", "* SEARCH 1 3 4\r\na2 OK\r\n"),
        (
            "a3 UID FETCH 1,3:4 (UID FLAGS)",
            "* 1 FETCH (UID 1 FLAGS ())\r\n* 2 FETCH (UID 3 FLAGS ())\r\n* 3 FETCH (UID 4 FLAGS ())\r\na3 OK\r\n",
        ),
    ];
    let synced = synced(NEITHER, script, known(None));
    assert_eq!((uids(&synced.new), uids(&synced.changed)), (vec![4], vec![1, 3]));
    assert_eq!(synced.vanished, BTreeSet::from([2]));
}

#[test]
fn condstore_tells_what_has_changed() {
    let script: Script = &[
        (
            "a1 SELECT INBOX (CONDSTORE)",
            "* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [HIGHESTMODSEQ 20] x\r\na1 OK\r\n",
        ),
        ("a2 UID SEARCH ALL", "* SEARCH 1 3 4\r\na2 OK\r\n"),
        (
            "a3 UID FETCH 1:* (UID FLAGS) (CHANGEDSINCE 10)",
            "* 2 FETCH (UID 3 FLAGS (\\Seen) MODSEQ (15))\r\n* 3 FETCH (UID 4 FLAGS () MODSEQ (20))\r\na3 OK\r\n",
        ),
    ];
    let synced = synced(CONDSTORE, script, known(Some(10)));
    assert_eq!((uids(&synced.new), uids(&synced.changed)), (vec![4], vec![3]));
    assert_eq!(synced.vanished, BTreeSet::from([2]));
    assert_eq!(synced.state.highest_modseq, Some(20));
}

#[test]
fn qresync_tells_all_at_once() {
    let script: Script = &[
        ("a1 ENABLE QRESYNC", "* ENABLED QRESYNC\r\na1 OK\r\n"),
        (
            "a2 SELECT INBOX (QRESYNC (7 10 1:3))",
            concat!(
                "* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [HIGHESTMODSEQ 20] x\r\n* VANISHED (EARLIER) 2,5:4000000000\r\n",
                "* 2 FETCH (UID 3 FLAGS (\\Seen) MODSEQ (15))\r\n* 3 FETCH (UID 4 FLAGS () MODSEQ (20))\r\na2 OK\r\n"
            ),
        ),
    ];
    let synced = synced(GREETING, script, known(Some(10)));
    assert_eq!((uids(&synced.new), uids(&synced.changed)), (vec![4], vec![3]));
    assert_eq!(synced.vanished, BTreeSet::from([2]));
    assert_eq!(synced.state, SyncState::of(7, Some(20), BTreeSet::from([1, 3, 4])));
}

/// A server that has not told all is asked.
#[test]
fn what_does_not_add_up_is_looked_up() {
    let script: Script = &[
        ("a1 ENABLE QRESYNC", "* ENABLED QRESYNC\r\na1 OK\r\n"),
        (
            "a2 SELECT INBOX (QRESYNC (7 10 1:3))",
            "* 4 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [HIGHESTMODSEQ 20] x\r\na2 OK\r\n",
        ),
        ("a3 UID SEARCH ALL", "* SEARCH 1 2 3 9\r\na3 OK\r\n"),
        ("a4 UID FETCH 9 (UID FLAGS)", "* 4 FETCH (UID 9 FLAGS ())\r\na4 OK\r\n"),
    ];
    let synced = synced(GREETING, script, known(Some(10)));
    assert_eq!((uids(&synced.new), synced.vanished.len()), (vec![9], 0));
}

#[test]
fn with_another_validity_all_is_void() {
    let script: Script = &[
        ("a1 ENABLE QRESYNC", "* ENABLED QRESYNC\r\na1 OK\r\n"),
        (
            "a2 SELECT INBOX (QRESYNC (7 10 1:3))",
            "* 1 EXISTS\r\n* OK [UIDVALIDITY 8] x\r\n* OK [HIGHESTMODSEQ 20] x\r\na2 OK\r\n",
        ),
        ("a3 UID SEARCH ALL", "* SEARCH 1\r\na3 OK\r\n"),
        ("a4 UID FETCH 1 (UID FLAGS)", "* 1 FETCH (UID 1 FLAGS ())\r\na4 OK\r\n"),
    ];
    let synced = synced(GREETING, script, known(Some(10)));
    assert!(synced.is_reset && synced.vanished.is_empty() && synced.changed.is_empty());
    assert_eq!(uids(&synced.new), [1]);
    assert_eq!(synced.state.uid_validity, 8);
}

/// It is enabled once, and not while a mailbox is selected.
#[test]
fn qresync_is_enabled_once() {
    let script: Script = &[
        ("a1 SELECT x", "a1 OK\r\n"),
        ("a2 UNSELECT", "a2 OK\r\n"),
        ("a3 ENABLE QRESYNC", "* ENABLED QRESYNC\r\na3 OK\r\n"),
        (
            "a4 SELECT INBOX (CONDSTORE)",
            "* 0 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [HIGHESTMODSEQ 20] x\r\na4 OK\r\n",
        ),
        (
            "a5 SELECT INBOX (QRESYNC (7 20))",
            "* 0 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [HIGHESTMODSEQ 20] x\r\na5 OK\r\n",
        ),
    ];
    let (result, is_over) = play(GREETING, script, config(), |client, _| async move {
        client.select("x".parse()?).await?;
        let synced = client.sync(MailboxName::inbox(), SyncState::new()).await?;
        client.sync(MailboxName::inbox(), synced.state).await
    });
    assert!(result.unwrap().state.uids.is_empty() && is_over);
}

/// What is told of the mailbox that was selected before does not become a part of the new one.
#[test]
fn news_of_the_mailbox_before_are_not_taken() {
    let script: Script = &[
        ("a1 ENABLE QRESYNC", "* ENABLED QRESYNC\r\na1 OK\r\n"),
        ("a2 SELECT x", "* 9 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\na2 OK\r\n"),
        (
            "a3 SELECT INBOX (QRESYNC (7 10 1:3))",
            concat!(
                "* 9 FETCH (UID 2 FLAGS (\\Deleted))\r\n* VANISHED (EARLIER) 1\r\n* OK [CLOSED] x\r\n",
                "* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [HIGHESTMODSEQ 20] x\r\n",
                "* 3 FETCH (UID 3 FLAGS (\\Seen) MODSEQ (15))\r\na3 OK\r\n"
            ),
        ),
    ];
    let (result, is_over) = play(GREETING, script, config(), |client, _| async move {
        client.enable(["QRESYNC".parse()?]).await?;
        client.select("x".parse()?).await?;
        client.sync(MailboxName::inbox(), known(Some(10))).await
    });
    let synced = result.unwrap();
    assert!(is_over && synced.vanished.is_empty());
    assert_eq!(uids(&synced.changed), [3]);
}

/// The UIDs of one mailbox are never taken for those of another one.
#[test]
fn a_mailbox_that_is_left_meanwhile_is_not_synced() {
    let script: Script = &[
        ("a1 SELECT INBOX", "* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\na1 OK\r\n"),
        ("a2 SELECT x", "* 1 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\na2 OK\r\n"),
        ("a3 UID SEARCH ALL", "* SEARCH 9\r\na3 OK\r\n"),
        ("a4 UID FETCH 9 (UID FLAGS)", "* 1 FETCH (UID 9 FLAGS ())\r\na4 OK\r\n"),
    ];
    let (result, is_over) = play(NEITHER, script, config(), |client, reactor| async move {
        let other = client.clone();
        // While the first one is on its way.
        reactor.call_later(Duration::ZERO, move |_| drop(other.select("x".parse().unwrap())));
        client.sync(MailboxName::inbox(), known(None)).await
    });
    assert!(is_over);
    let error = result.unwrap_err();
    assert!(matches!(error, ImapError::NotSelected), "{error:?}");
}
