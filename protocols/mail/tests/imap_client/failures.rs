//! Servers that misbehave, are silent, or go away.

use std::time::Duration;

use sinew_mail::imap::{
    client::{ClientConfig, ConnectionEnd, ImapError, MessageSource},
    codec::{FetchItem, Flag, MailboxName, SearchKey, Section, StatusItem},
};

use super::script::{GREETING, Script, config, play};

fn noop(script: Script) -> ImapError {
    let (result, _) =
        play(GREETING, script, config(), |client, _| async move { client.noop().await });
    result.unwrap_err()
}

#[test]
fn what_is_not_imap_ends_the_connection() {
    for answer in [
        "a2 OK\r\n",
        "a1 BYE\r\n",
        "a1 WHAT\r\n",
        "HTTP/1.1 400 Bad Request\r\n",
        "* 1 FETCH (ENVELOPE (\"x\" {99999999999}\r\n",
        "* X {9999999999999999999999}\r\n",
        "* OK \0\r\n",
    ] {
        let script: &[(&str, &str)] = Vec::leak(vec![("a1 NOOP", answer)]);
        let error = noop(script);
        let ImapError::Lost { command: "NOOP", source: ConnectionEnd::Protocol { .. } } = error
        else {
            panic!("{answer}: {error:?}")
        };
    }
}

#[test]
fn a_server_that_goes_away_says_why() {
    let error = noop(&[("a1 NOOP", "* BYE maintenance\r\n!")]);
    let ImapError::Lost { source: ConnectionEnd::Bye(status), .. } = error else {
        panic!("{error:?}")
    };
    assert_eq!(status.to_string(), "BYE maintenance");
    // One that stays, too.
    let error = noop(&[("a1 NOOP", "* BYE maintenance\r\n")]);
    assert!(matches!(error, ImapError::Lost { source: ConnectionEnd::Bye(_), .. }), "{error:?}");
    let error = noop(&[("a1 NOOP", "!")]);
    assert!(matches!(error, ImapError::Lost { source: ConnectionEnd::Io(_), .. }), "{error:?}");
}

/// The rest is never guessed, and never waited for without an end.
#[test]
fn server_sends_less_than_announced() {
    let script: Script = &[
        ("a1 SELECT INBOX", "* 1 EXISTS\r\na1 OK\r\n"),
        ("a2 FETCH 1 BODY.PEEK[]", "* 1 FETCH (BODY[] {10}\r\nabc)\r\na2 OK\r\n"),
    ];
    let config = config().silence_timeout(Duration::from_secs(30));
    let (result, _) = play(GREETING, script, config, |client, reactor| async move {
        client.select(MailboxName::inbox()).await?;
        let before = reactor.now();
        let fetched = client.fetch("1".parse()?, [FetchItem::peek(Section::all())]).await;
        assert!(reactor.now() - before >= Duration::from_secs(30));
        let Err(ImapError::Lost { source: ConnectionEnd::Silent { .. }, .. }) = fetched else {
            panic!("{fetched:?}")
        };
        assert!(client.noop().await.unwrap_err().is_lost());
        Ok(())
    });
    result.unwrap();
}

/// A command whose time is up keeps its place: its answer is not taken for that of the next one.
#[test]
fn late_answers_are_matched() {
    let script: Script = &[
        // The server talks, so that it is not silent.
        ("a1 NOOP", ""),
        ("a2 NOOP", "a1 NO late\r\na2 OK\r\n"),
    ];
    let config = config().command_timeout(Duration::from_secs(5));
    let (result, is_over) = play(GREETING, script, config, |client, _| async move {
        let error = client.noop().await.unwrap_err();
        assert!(matches!(error, ImapError::TimedOut { command: "NOOP", .. }), "{error:?}");
        client.noop().await
    });
    result.unwrap();
    assert!(is_over);
}

fn fetched(config: ClientConfig, script: Script) -> Result<usize, ImapError> {
    let (result, is_over) = play(GREETING, script, config, |client, _| async move {
        client.select(MailboxName::inbox()).await?;
        let fetched = client.fetch("1:2".parse()?, [FetchItem::peek(Section::all())]).await;
        // The connection is of further use.
        client.noop().await?;
        fetched.map(|fetched| fetched.len())
    });
    assert!(is_over);
    result
}

#[test]
fn what_is_too_long_is_dropped() {
    let script: Script = &[
        ("a1 SELECT INBOX", "* 2 EXISTS\r\na1 OK\r\n"),
        (
            "a2 FETCH 1:2 BODY.PEEK[]",
            "* 1 FETCH (BODY[] {10}\r\n0123456789)\r\n* 2 FETCH (BODY[] {2}\r\nab)\r\na2 OK\r\n",
        ),
        ("a3 NOOP", "a3 OK\r\n"),
    ];
    assert_eq!(fetched(config().literal_max(10), script).unwrap(), 2);
    let error = fetched(config().literal_max(9), script).unwrap_err();
    assert!(matches!(error, ImapError::TooLong { command: "FETCH", max: 9 }), "{error:?}");
    let error = fetched(config().reply_max(50), script).unwrap_err();
    assert!(matches!(error, ImapError::TooLong { command: "FETCH", max: 50 }), "{error:?}");
}

#[test]
fn what_cannot_be_read_is_not_left_out_silently() {
    let script: Script = &[
        ("a1 SELECT INBOX", "* 2 EXISTS\r\na1 OK\r\n"),
        (
            "a2 FETCH 1:2 BODY.PEEK[]",
            "* 1 FETCH (BODY[ \"x\")\r\n* 2 FETCH (BODY[] {2}\r\nab)\r\na2 OK\r\n",
        ),
        ("a3 NOOP", "a3 OK\r\n"),
    ];
    let error = fetched(config(), script).unwrap_err();
    assert!(matches!(error, ImapError::Unreadable { command: "FETCH", .. }), "{error:?}");
}

#[test]
fn limits_of_commands() {
    let config = config().queue_max(1);
    let script: Script = &[("a1 SELECT a", "a1 OK\r\n"), ("a2 SELECT b", "a2 OK\r\n")];
    let (result, _) = play(GREETING, script, config, |client, _| async move {
        let first = client.select("a".parse()?);
        // Not yet taken out of the queue, in which is room for one.
        let error = client.noop().await.unwrap_err();
        assert!(matches!(error, ImapError::QueueFull { max: 1 }), "{error:?}");
        first.await?;
        client.select("b".parse()?).await
    });
    result.unwrap();
    // A message that is longer than the server takes is not sent.
    let greeting = "* OK [CAPABILITY IMAP4rev1 APPENDLIMIT=3] x\r\n";
    let (result, _) = play(greeting, &[], super::script::config(), |client, _| async move {
        let error = client.append("a".parse()?, "four", [Flag::Seen], None).await.unwrap_err();
        assert!(matches!(error, ImapError::Encode(_)), "{error:?}");
        Ok(())
    });
    result.unwrap();
}

/// Commands on their way fail when the client is closed.
#[test]
fn dropped_handles() {
    let script: Script = &[("a1 NOOP", "")];
    let (result, _) = play(GREETING, script, config(), |client, _| async move {
        drop(client.noop());
        let noop = client.noop();
        client.close();
        assert!(matches!(noop.await, Err(ImapError::Lost { source: ConnectionEnd::Closed, .. })));
        Ok(())
    });
    result.unwrap();
}

/// A server that talks, and never answers, holds nobody up for good.
#[test]
fn an_answer_that_does_not_come_ends_the_connection() {
    let script: Script = &[("a1 SELECT INBOX", "* OK wait\r\n")];
    let config = config().command_timeout(Duration::from_secs(5));
    let (result, is_over) = play(GREETING, script, config, |client, reactor| async move {
        let before = reactor.now();
        let select = client.select(MailboxName::inbox());
        let noop = client.noop();
        assert!(matches!(select.await, Err(ImapError::TimedOut { command: "SELECT", .. })));
        let Err(ImapError::Lost { source: ConnectionEnd::Unanswered { command, .. }, .. }) =
            noop.await
        else {
            panic!("it waits for SELECT")
        };
        assert_eq!((command, (reactor.now() - before).as_secs()), ("SELECT", 10));
        Ok(())
    });
    result.unwrap();
    assert!(is_over);
}

/// Many short responses do not become more numbers than one may.
#[test]
fn ranges_of_numbers_are_bounded_together() {
    let script: Script = &[(
        "a1 UID SEARCH ALL",
        "* ESEARCH UID ALL 1:9000000\r\n* ESEARCH UID ALL 1:9000000\r\na1 OK\r\n",
    )];
    let (result, _) = play(GREETING, script, config(), |client, _| async move {
        client.uid_search(SearchKey::All).await
    });
    let error = result.unwrap_err();
    assert!(matches!(error, ImapError::TooManyNumbers { .. }), "{error:?}");
}

/// It is not known of which command a response is that cannot be read: none of them succeeds.
#[test]
fn what_cannot_be_read_fails_all_that_may_miss_it() {
    let script: Script = &[
        ("a1 STATUS x (MESSAGES)", ""),
        (
            "a2 UID SEARCH ALL",
            "* STATUS x (MESSAGES 1)\r\n* SEARCH 1 x\r\na1 OK\r\n* SEARCH 2\r\na2 OK\r\n",
        ),
    ];
    let (result, _) = play(GREETING, script, config(), |client, _| async move {
        let status = client.status("x".parse()?, [StatusItem::Messages]);
        let search = client.uid_search(SearchKey::All);
        assert!(matches!(status.await, Err(ImapError::Unreadable { command: "STATUS", .. })));
        search.await
    });
    let error = result.unwrap_err();
    assert!(matches!(error, ImapError::Unreadable { command: "SEARCH", .. }), "{error:?}");
}

/// Numbers in a search by UID mean other messages once some are gone (RFC 9051 5.5).
#[test]
fn a_search_by_uid_with_numbers_waits() {
    let script: Script =
        &[("a1 NOOP", "a1 OK\r\n"), ("a2 UID SEARCH NOT 3", "* SEARCH 7\r\na2 OK\r\n")];
    for (key, is_behind) in
        [(SearchKey::Sequence("3".parse().unwrap()), true), (SearchKey::All, false)]
    {
        let script = if is_behind {
            script
        } else {
            &[("a1 NOOP", ""), ("a2 UID SEARCH NOT ALL", "a1 OK\r\na2 OK\r\n")]
        };
        let (result, is_over) = play(GREETING, script, config(), |client, _| async move {
            let noop = client.noop();
            let search = client.uid_search(key.negated());
            noop.await?;
            search.await
        });
        result.unwrap();
        assert!(is_over);
    }
}

/// A server that does not know binary literals may read the message as commands.
#[test]
fn binary_literals_need_a_server_that_knows_them() {
    let (result, _) = play(GREETING, &[], config(), |client, _| async move {
        let message = MessageSource::new("a DELETE INBOX\r\n").binary();
        client.append("a".parse()?, message, [Flag::Seen], None).await
    });
    let error = result.unwrap_err();
    assert!(matches!(error, ImapError::Needs { capability: "BINARY" }), "{error:?}");
}
