//! The client with servers that follow a script: old ones, odd ones, hostile ones.

use std::{cell::Cell, rc::Rc, time::Duration};

use sinew_auth::{ClientLogin, Mechanism};
use sinew_mail::pop3::client::{ClientConfig, Pop3Client, Pop3Error, Security, Stage};
use sinew_protocols::basic::{LineHandler, LineReceiver, LineTransport};
use sinew_testkit::testing::task_test;
use sinew_transports::{
    Peer,
    endpoint::{ClientEndpoint, ServerEndpoint},
};

/// Lines that are expected, and what is written then. An answer that ends in `!` closes the connection, and an empty one says nothing.
type Script = &'static [(&'static str, &'static str)];

struct Scripted {
    script: std::slice::Iter<'static, (&'static str, &'static str)>,
    greeting: &'static str,
    is_over: Rc<Cell<bool>>,
}

impl Scripted {
    fn say(transport: &LineTransport<'_>, answer: &str) {
        transport.write(answer.trim_end_matches('!'));
        if answer.ends_with('!') {
            transport.lose_connection();
        }
    }
}

impl LineHandler for Scripted {
    fn connection_made(&mut self, transport: &mut LineTransport<'_>) {
        Self::say(transport, self.greeting);
    }

    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        let line = String::from_utf8_lossy(line).into_owned();
        let Some((expected, answer)) = self.script.next() else {
            panic!("{line:?} comes when nothing is expected")
        };
        assert_eq!(line, *expected);
        if self.script.as_slice().is_empty() {
            self.is_over.set(true);
        }
        Self::say(transport, answer);
    }
}

/// Runs `f` with a client of a server of this script, which must be played to its end if there is no error.
fn play<T: 'static, F: Future<Output = Result<T, Pop3Error>> + 'static>(
    greeting: &'static str,
    script: Script,
    config: ClientConfig,
    f: impl FnOnce(Pop3Client) -> F + 'static,
) -> Result<T, Pop3Error> {
    crate::watchdog::watch_this_test();
    task_test(move |reactor| async move {
        let is_over = Rc::new(Cell::new(script.is_empty()));
        let of_server = Rc::clone(&is_over);
        let server = move |_: &Peer| {
            let (script, is_over) = (script.iter(), Rc::clone(&of_server));
            LineReceiver::new(Scripted { script, greeting, is_over })
        };
        let at: ServerEndpoint = "memory:pop".parse().unwrap();
        let port = at.listen(&reactor, server).unwrap();
        let to: ClientEndpoint = "memory:pop".parse().unwrap();
        let result = async {
            let client = Pop3Client::connect(&reactor, to, config).await?;
            f(client).await
        };
        let result = result.await;
        assert!(result.is_err() || is_over.get(), "the script was not played to its end");
        port.stop_listening();
        result
    })
}

fn config() -> ClientConfig {
    ClientConfig::new().security(Security::None)
}

fn login() -> ClientConfig {
    config().login(ClientLogin::password("ann", "secret").allow_plaintext(true))
}

#[test]
fn an_old_server_without_capabilities() {
    let script: Script = &[
        ("CAPA", "-ERR what?\r\n"),
        ("USER ann", "+OK\r\n"),
        ("PASS secret", "+OK\r\n"),
        ("UIDL", "+OK\r\n1 a\r\n2 b\r\n.\r\n"),
        ("LIST", "+OK\r\n1 10\r\n2 20\r\n.\r\n"),
        ("RETR 1", "+OK\r\none\r\n.\r\n"),
        ("RETR 2", "+OK\r\ntwo\r\n.\r\n"),
        ("QUIT", "+OK\r\n"),
    ];
    play("+OK\r\n", script, login(), |mut client| async move {
        let new = client.new_messages(|id| id.as_str() == "x").await?;
        let mut messages = client.retrieve_all(new.iter().map(|new| new.number));
        for expected in ["one\r\n", "two\r\n"] {
            let text = messages.next().await?.unwrap().collect(100).await?;
            assert_eq!(text, expected.as_bytes());
        }
        client.quit().await
    })
    .unwrap();
}

#[test]
fn the_best_mechanism_is_used() {
    let plain: Script = &[
        ("CAPA", "+OK\r\nUSER\r\nSASL LOGIN PLAIN NTLM\r\n.\r\n"),
        ("AUTH PLAIN AGFubgBzZWNyZXQ=", "+OK\r\n"),
        ("CAPA", "+OK\r\nUIDL\r\n.\r\n"),
        ("QUIT", "+OK\r\n"),
    ];
    let in_steps: Script = &[
        ("CAPA", "+OK\r\nUSER\r\nSASL LOGIN\r\n.\r\n"),
        ("AUTH LOGIN", "+ VXNlcm5hbWU6\r\n"),
        ("YW5u", "+ UGFzc3dvcmQ6\r\n"),
        ("c2VjcmV0", "+OK\r\n"),
        ("CAPA", "-ERR not now\r\n"),
        ("QUIT", "+OK\r\n"),
    ];
    let by_user: Script = &[
        ("CAPA", "+OK\r\nUSER\r\nSASL NTLM GSSAPI\r\n.\r\n"),
        ("USER ann", "+OK\r\n"),
        ("PASS secret", "+OK\r\n"),
        ("CAPA", "+OK\r\n.\r\n"),
        ("QUIT", "+OK\r\n"),
    ];
    for script in [plain, in_steps, by_user] {
        play("+OK\r\n", script, login(), |client| client.quit()).unwrap();
    }
}

/// A password never goes out in clear unless that was said, whatever the server offers.
#[test]
fn no_password_in_clear() {
    let offers: [Script; 3] = [
        &[("CAPA", "+OK\r\nUSER\r\nSASL PLAIN LOGIN\r\n.\r\n")],
        &[("CAPA", "+OK\r\nUSER\r\n.\r\n")],
        &[("CAPA", "-ERR\r\n")],
    ];
    for script in offers {
        let config = config().login(ClientLogin::password("ann", "secret"));
        let error = play("+OK <1.2@x>\r\n", script, config, |client| client.quit()).unwrap_err();
        let is_encryption =
            matches!(error, Pop3Error::Login(sinew_auth::SaslError::EncryptionRequired));
        assert!(is_encryption, "{error:?}");
    }
    // And none if there is nothing in common.
    let only = ClientLogin::password("ann", "secret").mechanisms([Mechanism::Plain]);
    let script: Script = &[("CAPA", "+OK\r\nSASL NTLM\r\nUSER\r\n.\r\n")];
    let error = play("+OK\r\n", script, config().login(only), |client| client.quit()).unwrap_err();
    assert!(
        matches!(error, Pop3Error::Login(sinew_auth::SaslError::NoCommonMechanism)),
        "{error:?}"
    );
}

#[test]
fn a_login_cannot_hold_another_line() {
    let script: Script = &[("CAPA", "+OK\r\nUSER\r\n.\r\n")];
    for (user, password) in
        [("ann\r\nDELE 1", "x"), ("ann", "x\r\nDELE 1"), ("ann", "x\0y"), ("ann\n", "x")]
    {
        let login = ClientLogin::password(user, password).allow_plaintext(true);
        let error =
            play("+OK\r\n", script, config().login(login), |client| client.quit()).unwrap_err();
        assert!(matches!(error, Pop3Error::Login(_) | Pop3Error::Credentials(_)), "{error:?}");
    }
    let apop = config().apop("ann\r\nQUIT", "x");
    let error = play("+OK <1.2@x>\r\n", script, apop, |client| client.quit()).unwrap_err();
    assert!(matches!(error, Pop3Error::Credentials(_)), "{error:?}");
}

/// What a server may say to the connection and to CAPA, and what comes of it.
#[test]
fn odd_responses_at_the_beginning() {
    type Is = fn(&Pop3Error) -> bool;
    let refused: Is = |error| matches!(error, Pop3Error::Refused { stage: Stage::Greeting, .. });
    let no_status: Is = |error| matches!(error, Pop3Error::NotAStatus { .. });
    let lost: Is = |error| matches!(error, Pop3Error::Lost { .. });
    for (greeting, capa, is_expected) in [
        ("-ERR [SYS/TEMP] not today\r\n!", "", refused),
        ("220 mail.example ESMTP\r\n", "", no_status),
        ("* OK IMAP4rev1\r\n", "", no_status),
        ("\r\n", "", no_status),
        ("!", "", lost),
        ("+OK", "", lost),
        ("+OK!", "", lost),
        ("+OK\r\n", "!", lost),
        ("+OK\r\n", "+OK\r\nTOP\r\n!", lost),
        ("+OK\r\n", "250 ok\r\n", no_status),
    ] {
        let script: Script = vec![("CAPA", capa)].leak();
        let script = if greeting == "+OK" { &[] } else { script };
        let greeting: &'static str = if greeting == "+OK" { "+OK!" } else { greeting };
        let error = play(greeting, script, config(), |client| client.quit()).unwrap_err();
        assert!(is_expected(&error), "{greeting:?}, {capa:?}: {error:?}");
    }
    let endless: &'static str = format!("+OK {}", "x".repeat(10_000)).leak();
    let error = play(endless, &[], config(), |client| client.quit()).unwrap_err();
    assert!(matches!(error, Pop3Error::Framing { .. }), "{error:?}");
    let lines: &'static str = format!("+OK\r\n{}.\r\n", "X\r\n".repeat(1_000)).leak();
    let script: Script = vec![("CAPA", lines)].leak();
    let error = play("+OK\r\n", script, config(), |client| client.quit()).unwrap_err();
    assert!(
        matches!(error, Pop3Error::ListTooLong { stage: Stage::Capabilities, .. }),
        "{error:?}"
    );
}

#[test]
fn odd_texts() {
    for (answer, expected) in [
        ("+OK\r\n.\r\n", Some("")),
        ("+OK\r\n..\r\n.\r\n", Some(".\r\n")),
        ("+OK\r\n..x\r\n...\r\n.\r\n", Some(".x\r\n..\r\n")),
        // Old servers, whose lines end in a bare LF.
        ("+OK\n..x\ny\n.\n", Some(".x\ny\n")),
        // A server that has not stuffed its dots.
        ("+OK\r\n.x\r\n.\r\n", Some("x\r\n")),
        ("+OK\r\na\rb\r\n.\r\n", Some("a\rb\r\n")),
        ("+OK\r\nhalf!", None),
        ("+OK\r\nhalf\r\n.!", None),
        ("+OK\r\nhalf\r\n.\r!", None),
    ] {
        let script: Script =
            vec![("CAPA", "-ERR\r\n"), ("RETR 1", answer), ("QUIT", "+OK\r\n")].leak();
        let text = play("+OK\r\n", script, config(), |mut client| async move {
            let text = client.retrieve(1).await?.collect(100).await?;
            client.quit().await?;
            Ok(String::from_utf8(text).unwrap())
        });
        match (expected, text) {
            (Some(expected), Ok(text)) => assert_eq!(text, expected, "{answer:?}"),
            (None, Err(Pop3Error::Lost { stage: Stage::Retrieve, .. })) => {}
            (expected, other) => panic!("{answer:?}: {other:?} in place of {expected:?}"),
        }
    }
}

#[test]
fn odd_lists() {
    for (answer, expected) in [
        ("+OK\r\n.\r\n", Some(0)),
        ("+OK 2 messages\r\n1 10 more\r\n2\t20\r\n.\r\n", Some(2)),
        ("+OK\n1 10\n.\n", Some(1)),
        ("+OK\r\n1\r\n.\r\n", None),
        ("+OK\r\n1 -10\r\n.\r\n", None),
        ("+OK\r\n99999999999 1\r\n.\r\n", None),
        ("+OK\r\n\r\n.\r\n", None),
        ("+OK\r\n..\r\n.\r\n", None),
    ] {
        let script: Script = vec![("CAPA", "-ERR\r\n"), ("LIST", answer)].leak();
        let list = play("+OK\r\n", script, config(), |mut client| async move {
            client.list().await?.collect().await
        });
        match (expected, list) {
            (Some(expected), Ok(list)) => assert_eq!(list.len(), expected, "{answer:?}"),
            (None, Err(Pop3Error::NotAListing { stage: Stage::List, .. })) => {}
            (expected, other) => panic!("{answer:?}: {other:?} in place of {expected:?}"),
        }
    }
    for answer in ["+OK\r\n", "+OK 1\r\n", "+OK x 5\r\n", "+OK -1 5\r\n"] {
        let script: Script = vec![("CAPA", "-ERR\r\n"), ("STAT", answer)].leak();
        let error =
            play("+OK\r\n", script, config(), |mut client| async move { client.stat().await });
        assert!(
            matches!(error, Err(Pop3Error::NotAListing { stage: Stage::Stat, .. })),
            "{answer:?}"
        );
    }
    // The response to a question about another message.
    let script: Script =
        &[("CAPA", "-ERR\r\n"), ("UIDL 1", "+OK 2 x\r\n"), ("LIST 1", "+OK 2 5\r\n")];
    play("+OK\r\n", script, config(), |mut client| async move {
        assert!(matches!(client.unique_id(1).await, Err(Pop3Error::NotAListing { .. })));
        assert!(matches!(client.size(1).await, Err(Pop3Error::NotAListing { .. })));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_server_without_unique_ids() {
    for capa in ["-ERR\r\n", "+OK\r\nPIPELINING\r\n.\r\n"] {
        let rest = [("LIST", "+OK\r\n1 5\r\n.\r\n"), ("STAT", "+OK 1 5\r\n")];
        let rest = if capa == "-ERR\r\n" { &rest[1..] } else { &rest[..] };
        let script = [&[("CAPA", capa), ("UIDL", "-ERR what?\r\n")], rest].concat();
        play("+OK\r\n", script.leak(), config(), |mut client| async move {
            let refused = client.new_messages(|_| false).await;
            assert!(matches!(refused, Err(Pop3Error::Refused { stage: Stage::UniqueIds, .. })));
            client.stat().await
        })
        .unwrap();
    }
}

#[test]
fn a_server_that_says_nothing_more() {
    let times =
        config().reply_timeout(Duration::from_secs(5)).silence_timeout(Duration::from_secs(7));
    for (answer, after) in [("", 5), ("+OK\r\n", 7), ("+OK\r\nhalf", 7)] {
        let script: Script = vec![("CAPA", "-ERR\r\n"), ("RETR 1", answer)].leak();
        let error = play("+OK\r\n", script, times.clone(), |mut client| async move {
            client.retrieve(1).await?.collect(100).await
        });
        match error {
            Err(Pop3Error::TimedOut { stage: Stage::Retrieve, after: found }) => {
                assert_eq!(found, Duration::from_secs(after), "{answer:?}");
            }
            other => panic!("{answer:?}: {other:?}"),
        }
    }
}

/// QUIT is refused if the messages were not deleted.
#[test]
fn a_deletion_that_is_refused() {
    let script: Script =
        &[("CAPA", "-ERR\r\n"), ("DELE 1", "+OK\r\n"), ("QUIT", "-ERR some were not deleted\r\n!")];
    let error = play("+OK\r\n", script, config(), |mut client| async move {
        client.delete(1).await?;
        client.quit().await
    });
    assert!(matches!(error, Err(Pop3Error::Refused { stage: Stage::Quit, .. })), "{error:?}");
}
