//! Servers that are old, or do not speak as they should.

use std::time::Duration;

use sinew_auth::ClientLogin;
use sinew_news::nntp::{
    client::NewsError,
    codec::{Part, Range},
};

use super::play::{config, with_script};
use crate::support::{group, id};

const CAPABLE: (&str, &str) = ("CAPABILITIES", "101 yes\r\nVERSION 2\r\nREADER\r\nOVER\r\n.\r\n");

/// A server of before RFC 3977: no CAPABILITIES, XOVER, lines that end in LF.
#[test]
fn an_old_server() {
    let lines = with_script(
        "201 old\n",
        &[
            ("CAPABILITIES", "500 what?\n"),
            ("MODE READER", "201 old\n"),
            ("CAPABILITIES", "500 what?\n"),
            ("GROUP a.b", "211 2 1 2 a.b\n"),
            ("XOVER 1-", "224 yes\n1\ts\tf\td\t<1@a>\t\t1\t1\n2\t..s\tf\td\t<2@a>\t\t1\t1\n.\n"),
            ("BODY <1@a>", "222 0 body\n..x\n.\n"),
            ("QUIT", "205 bye\n!"),
        ],
        config(),
        |mut client| async move {
            assert!(!client.may_post());
            client.group(&group("a.b")).await?;
            let lines = client.over(Range::all()).await?.unwrap().collect(10).await?;
            let body = client.article(Part::Body, id("<1@a>")).await?.unwrap();
            assert_eq!(body.stat().id, id("<1@a>"), "as it was asked for");
            assert_eq!(body.read_to_end(10).await?, b".x\n");
            client.quit().await;
            Ok(lines)
        },
    );
    let lines = lines.unwrap();
    assert_eq!((lines.len(), lines[1].subject().as_str()), (2, "..s"));
}

#[test]
fn a_login_by_name_and_password() {
    let login = ClientLogin::password("ann", "secret word").allow_plaintext(true);
    let done = with_script(
        "200 hello\r\n",
        &[
            ("CAPABILITIES", "101 yes\r\nVERSION 2\r\nREADER\r\nAUTHINFO USER\r\n.\r\n"),
            ("AUTHINFO USER ann", "381 more\r\n"),
            ("AUTHINFO PASS secret word", "281 yes\r\n"),
            CAPABLE,
        ],
        config().login(login),
        |_| async { Ok(()) },
    );
    done.unwrap();
    // By default no password goes where everybody could read it.
    let done = with_script(
        "200 hello\r\n",
        &[("CAPABILITIES", "101 yes\r\nVERSION 2\r\nREADER\r\nAUTHINFO USER\r\n.\r\n")],
        config().login(ClientLogin::password("ann", "secret")),
        |_| async { Ok(()) },
    );
    assert!(matches!(done, Err(NewsError::Login(_))), "{done:?}");
}

const SWITCHES: (&str, &str) =
    ("CAPABILITIES", "101 yes\r\nVERSION 2\r\nMODE-READER\r\nAUTHINFO USER\r\n.\r\n");

/// MODE READER comes before the login, which would be one with the half of a server that does not read; behind it only where the server
/// wants to know first who it is.
#[test]
fn a_server_that_switches() {
    const READS: (&str, &str) =
        ("CAPABILITIES", "101 yes\r\nVERSION 2\r\nREADER\r\nAUTHINFO USER\r\n.\r\n");
    const USER: (&str, &str) = ("AUTHINFO USER ann", "381 more\r\n");
    const PASS: (&str, &str) = ("AUTHINFO PASS secret", "281 yes\r\n");
    let scripts: [super::play::Script; 3] = [
        &[SWITCHES, ("MODE READER", "201 yes\r\n"), READS, USER, PASS, CAPABLE],
        &[
            SWITCHES,
            ("MODE READER", "480 who?\r\n"),
            USER,
            PASS,
            SWITCHES,
            ("MODE READER", "201 yes\r\n"),
            CAPABLE,
        ],
        &[SWITCHES, ("MODE READER", "480 who?\r\n"), USER, PASS, CAPABLE],
    ];
    for script in scripts {
        let login = ClientLogin::password("ann", "secret").allow_plaintext(true);
        let done =
            with_script("200 hello\r\n", script, config().login(login), |client| async move {
                assert!(client.capabilities().has("OVER"));
                Ok(())
            });
        done.unwrap();
    }
}

type IsExpected = fn(&NewsError) -> bool;

#[test]
fn answers_that_are_none() {
    let errors: [(&'static str, IsExpected); 12] = [
        ("", |error| matches!(error, NewsError::TimedOut { command: "GROUP", .. })),
        ("211 1 1!", |error| matches!(error, NewsError::Lost { command: "GROUP", .. })),
        ("hello\r\n", |error| matches!(error, NewsError::NotAResponse { .. })),
        ("211 many\r\n", |error| matches!(error, NewsError::NotAResponse { .. })),
        ("400 I go\r\n!", |error| error.response().is_some_and(|response| response.code() == 400)),
        ("200 what?\r\n", |error| matches!(error, NewsError::Refused { .. })),
        ("211 1 1 1 a.b\r\n", |error| matches!(error, NewsError::TimedOut { command: "OVER", .. })),
        ("211 1 1 1 a.b\r\n224 yes\r\nx\r\n", |error| matches!(error, NewsError::Entry { .. })),
        ("211 1 1 1 a.b\r\n224 yes\r\n1\ta\tb\tc\r\n.\r\n", |error| {
            matches!(error, NewsError::Entry { .. })
        }),
        ("211 1 1 1 a.b\r\n224 yes\r\n!", |error| matches!(error, NewsError::Lost { .. })),
        ("211 1 1 1 a.b\r\n224 yes\r\n1\r\r\n", |error| matches!(error, NewsError::Entry { .. })),
        ("LONG", |error| matches!(error, NewsError::Framing { .. })),
    ];
    for (answer, is_expected) in errors {
        let answer: &'static str = match answer {
            "LONG" => Box::leak(format!("211 {}", "x".repeat(70_000)).into_boxed_str()),
            answer => answer,
        };
        let script: super::play::Script =
            Box::leak(Box::new([CAPABLE, ("GROUP a.b", answer), ("OVER 1-", "")]));
        let done = with_script("200 hello\r\n", script, config(), |mut client| async move {
            client.group(&group("a.b")).await?;
            if let Some(lines) = client.over(Range::all()).await? {
                lines.collect(10).await?;
            }
            Ok(())
        });
        let error = done.unwrap_err();
        assert!(is_expected(&error), "{:.60}: {error:?}", answer.escape_debug());
    }
}

/// A server that sends a byte now and then does not hold a client for ever.
#[test]
fn greetings() {
    for (greeting, code) in
        [("502 no\r\n", Some(502)), ("400 later\r\n!", Some(400)), ("", None), ("200", None)]
    {
        let done = with_script(greeting, &[], config(), |_| async { Ok(()) });
        let error = done.unwrap_err();
        let found = error.response().map(sinew_news::nntp::codec::Response::code);
        assert_eq!(found, code, "{greeting:?}: {error:?}");
    }
    let timeout = config().response_timeout(Duration::from_secs(7));
    let error = with_script("", &[], timeout, |_| async { Ok(()) }).unwrap_err();
    assert!(matches!(error, NewsError::TimedOut { after, .. } if after == Duration::from_secs(7)));
}
