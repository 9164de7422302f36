//! What the server tells without being asked, and IDLE.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_mail::imap::{
    client::{Event, ImapError},
    codec::{FetchItem, Flag, MailboxName, Section},
};
use sinew_transports::reactor::Reactor;

use super::script::{GREETING, Script, config, play, play_in_pieces, with};

#[test]
fn the_view_follows_what_is_told() {
    let script: Script = &[
        ("a1 SELECT INBOX", "* 5 EXISTS\r\n* OK [HIGHESTMODSEQ 10] x\r\na1 OK\r\n"),
        (
            "a2 NOOP",
            concat!(
                "* 6 EXISTS\r\n* 1 RECENT\r\n* 2 EXPUNGE\r\n* VANISHED 7:8\r\n* 9 EXPUNGE\r\n",
                "* 1 FETCH (UID 3 FLAGS (\\Seen) MODSEQ (12))\r\n* OK [ALERT] full\r\n* XYZ\r\n* 1 FETCH (X 1)\r\na2 OK\r\n"
            ),
        ),
    ];
    with(script, |client, _| async move {
        client.select(MailboxName::inbox()).await?;
        let seen = Rc::<RefCell<Vec<Event>>>::default();
        let (notes, handle) = (Rc::clone(&seen), client.clone());
        // A callback may use the client.
        client.on_event(move |event| {
            let _ = handle.selected();
            notes.borrow_mut().push(event.clone());
        });
        let mut events = client.events();
        client.noop().await?;
        let expected = seen.take();
        assert_eq!(expected.len(), 7);
        for event in &expected {
            assert_eq!(events.next_event().await.as_ref(), Some(event));
        }
        let Event::Changed { number: 1, uid: Some(3), flags, modseq: Some(12) } = &expected[5]
        else {
            panic!("{expected:?}")
        };
        assert_eq!(flags.as_deref(), Some(&[Flag::Seen][..]));
        assert!(matches!(expected[6], Event::Alert(_)));
        let view = client.selected().unwrap();
        // A message that is not there cannot go.
        assert_eq!((view.exists, view.recent, view.highest_modseq), (3, 1, Some(12)));
        client.on_event(|_| ());
        client.close();
        assert_eq!(events.next_event().await, None);
        Ok(())
    });
}

#[test]
fn what_is_told_before_the_mailbox_was_closed_is_of_the_old_one() {
    let script: Script = &[
        ("a1 SELECT a", "* 5 EXISTS\r\na1 OK\r\n"),
        ("a2 SELECT b", "* 9 EXISTS\r\n* OK [CLOSED] x\r\n* OK [UIDVALIDITY 3] x\r\na2 OK\r\n"),
        ("a3 SELECT c", "* 9 EXISTS\r\na3 NO x\r\n"),
    ];
    with(script, |client, _| async move {
        client.select("a".parse()?).await?;
        let view = client.select("b".parse()?).await?;
        assert_eq!((view.exists, view.uid_validity), (0, Some(3)));
        // RFC 9051 6.3.2: nothing is selected then.
        assert!(client.select("c".parse()?).await.is_err());
        assert!(client.selected().is_none());
        Ok(())
    });
}

#[test]
fn idle_is_interrupted_for_commands_and_renewed() {
    let script: Script = &[
        ("a1 SELECT INBOX", "* 5 EXISTS\r\na1 OK\r\n"),
        ("a2 IDLE", "+ idling\r\n* 6 EXISTS\r\n"),
        ("DONE", "* 7 EXISTS\r\na2 OK\r\n"),
        ("a3 NOOP", "a3 OK\r\n"),
        ("a4 IDLE", "+ idling\r\n"),
        // After 28 minutes.
        ("DONE", "a4 OK\r\n"),
        ("a5 IDLE", "+ idling\r\n* 8 EXISTS\r\n"),
        ("DONE", "a5 OK\r\n"),
        ("a6 NOOP", "a6 OK\r\n"),
    ];
    with(script, |client, reactor: Reactor| async move {
        client.select(MailboxName::inbox()).await?;
        let mut events = client.events();
        let idle = client.idle()?;
        assert_eq!(events.next_event().await, Some(Event::Exists(6)));
        assert!(idle.is_idling());
        client.noop().await?;
        assert_eq!(events.next_event().await, Some(Event::Exists(7)));
        let before = reactor.now();
        assert_eq!(events.next_event().await, Some(Event::Exists(8)));
        let lasted = reactor.now() - before;
        assert!(lasted >= Duration::from_secs(28 * 60) && lasted < Duration::from_secs(29 * 60));
        drop(idle);
        client.noop().await
    });
}

#[test]
fn idle_that_is_refused_is_not_tried_again() {
    let script: Script = &[("a1 IDLE", "a1 NO not here\r\n"), ("a2 NOOP", "a2 OK\r\n")];
    with(script, |client, _| async move {
        let mut events = client.events();
        let _idle = client.idle()?;
        assert!(matches!(events.next_event().await, Some(Event::IdleRefused(_))));
        client.noop().await
    });
}

/// A server that ends it at once is not asked in a circle.
#[test]
fn idle_that_the_server_ends_is_not_tried_again() {
    for answer in ["+ idling\r\na1 OK\r\n", "a1 OK\r\n"] {
        let script: &[(&str, &str)] =
            Vec::leak(vec![("a1 IDLE", answer), ("a2 NOOP", "a2 OK\r\n")]);
        with(script, |client, reactor: Reactor| async move {
            let mut events = client.events();
            let _idle = client.idle()?;
            assert!(matches!(events.next_event().await, Some(Event::IdleRefused(_))));
            reactor.sleep(Duration::from_secs(1)).await;
            client.noop().await
        });
    }
}

#[test]
fn idle_then_done_in_pieces() {
    let script: Script = &[
        ("a1 SELECT INBOX", "* 5 EXISTS\r\na1 OK\r\n"),
        ("a2 IDLE", "+ idling\r\n* 6 EXISTS\r\n* 1 FETCH (FLAGS (\\Seen))\r\n"),
        ("DONE", "* 7 EXISTS\r\na2 OK\r\n"),
        ("a3 FETCH 1 BODY.PEEK[]", "* 1 FETCH (BODY[] {5}\r\na\r\nbc)\r\na3 OK\r\n"),
        ("a4 IDLE", "+ idling\r\n"),
        ("DONE", "a4 OK\r\n"),
    ];
    for piece in 1..=7 {
        let (result, is_over) = play_in_pieces(
            piece,
            GREETING,
            script,
            config(),
            |client, reactor: Reactor| async move {
                client.select(MailboxName::inbox()).await?;
                let mut events = client.events();
                let idle = client.idle()?;
                assert_eq!(events.next_event().await, Some(Event::Exists(6)));
                assert!(matches!(
                    events.next_event().await,
                    Some(Event::Changed { number: 1, .. })
                ));
                let items = [FetchItem::peek(Section::all())];
                let fetched = client.fetch("1".parse()?, items).await?;
                assert_eq!(fetched[0].content().unwrap().kept().unwrap(), "a\r\nbc");
                assert_eq!(events.next_event().await, Some(Event::Exists(7)));
                reactor.sleep(Duration::from_secs(60)).await;
                assert!(idle.is_idling());
                drop(idle);
                reactor.sleep(Duration::from_secs(1)).await;
                Ok(())
            },
        );
        result.unwrap_or_else(|error| panic!("pieces of {piece}: {error:?}"));
        assert!(is_over);
    }
}

/// A server that does not answer to DONE is left.
#[test]
fn a_server_that_is_gone_is_noticed_when_idle_is_renewed() {
    let script: Script = &[("a1 IDLE", "+ \r\n"), ("DONE", "")];
    with(script, |client, _| async move {
        let mut events = client.events();
        let _idle = client.idle()?;
        assert_eq!(events.next_event().await, None);
        assert!(client.ended().is_some());
        Ok(())
    });
}

#[test]
fn events_that_nobody_takes_are_bounded() {
    let script: Script = &[(
        "a1 NOOP",
        concat!("* 1 EXISTS\r\n* 2 EXISTS\r\n* 3 EXISTS\r\n* 4 EXISTS\r\n", "a1 OK\r\n"),
    )];
    let config = config().events_max(2);
    let (result, _) = play(GREETING, script, config, |client, _| async move {
        let mut events = client.events();
        client.noop().await?;
        assert_eq!(events.next_event().await, Some(Event::Missed(2)));
        assert_eq!(events.next_event().await, Some(Event::Exists(3)));
        Ok::<_, ImapError>(())
    });
    result.unwrap();
}

/// Few events may be long: their memory counts.
#[test]
fn long_events_are_bounded_by_their_memory() {
    let script: Script = &[(
        "a1 NOOP",
        concat!(
            "* VANISHED 1,3,5,7,9,11,13,15,17\r\n* VANISHED 2,4,6,8,10,12,14,16,18\r\n",
            "a1 OK\r\n"
        ),
    )];
    let (result, _) =
        play(GREETING, script, config().events_bytes_max(400), |client, _| async move {
            let mut events = client.events();
            client.noop().await?;
            assert_eq!(events.next_event().await, Some(Event::Missed(1)));
            let Some(Event::Vanished(uids)) = events.next_event().await else {
                panic!("it is kept")
            };
            assert!(uids.contains(18, 0));
            Ok::<_, ImapError>(())
        });
    result.unwrap();
}

#[test]
fn a_stream_of_events_that_takes_the_place_of_another_one_gets_them() {
    let script: Script = &[("a1 NOOP", "* 1 EXISTS\r\na1 OK\r\n")];
    with(script, |client, _| async move {
        let first = client.events();
        let mut second = client.events();
        drop(first);
        client.noop().await?;
        assert_eq!(second.next_event().await, Some(Event::Exists(1)));
        Ok(())
    });
}

/// A handle from before IDLE was refused does not end that of a later one.
#[test]
fn handles_of_a_refused_idle_do_not_count() {
    let script: Script =
        &[("a1 IDLE", "a1 NO not now\r\n"), ("a2 IDLE", "+ idling\r\n"), ("DONE", "a2 OK\r\n")];
    with(script, |client, reactor: Reactor| async move {
        let mut events = client.events();
        let refused = client.idle()?;
        assert!(matches!(events.next_event().await, Some(Event::IdleRefused(_))));
        let idle = client.idle()?;
        drop(refused);
        reactor.sleep(Duration::from_secs(1)).await;
        assert!(idle.is_idling());
        drop(idle);
        reactor.sleep(Duration::from_secs(1)).await;
        Ok(())
    });
}

/// Flags that change while something else is fetched are an event; those that were asked for are not.
#[test]
fn flags_that_nobody_has_asked_for_are_news() {
    let script: Script = &[
        ("a1 SELECT INBOX", "* 5 EXISTS\r\na1 OK\r\n"),
        (
            "a2 UID FETCH 1 BODY.PEEK[]",
            "* 4 FETCH (FLAGS (\\Seen))\r\n* 1 FETCH (UID 1 BODY[] {1}\r\nx)\r\na2 OK\r\n",
        ),
        ("a3 UID FETCH 1 FLAGS", "* 1 FETCH (UID 1 FLAGS ())\r\na3 OK\r\n"),
    ];
    with(script, |client, _| async move {
        client.select(MailboxName::inbox()).await?;
        let mut events = client.events();
        client.uid_fetch("1".parse()?, [FetchItem::peek(Section::all())]).await?;
        client.uid_fetch("1".parse()?, [FetchItem::Flags]).await?;
        client.close();
        assert!(matches!(events.next_event().await, Some(Event::Changed { number: 4, .. })));
        assert_eq!(events.next_event().await, None);
        Ok(())
    });
}
