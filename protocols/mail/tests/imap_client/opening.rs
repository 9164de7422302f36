//! The greeting, capabilities and logins.

use std::time::Duration;

use sinew_auth::ClientLogin;
use sinew_mail::imap::client::{ConnectionEnd, ImapError, Security};

use super::script::{Script, config, play, play_in_pieces};

fn open(
    greeting: &'static str,
    script: Script,
    login: Option<ClientLogin>,
) -> Result<String, ImapError> {
    let config = match login {
        Some(login) => config().login(login),
        None => config(),
    };
    let (result, is_over) =
        play(
            greeting,
            script,
            config,
            |client, _| async move { Ok(client.capabilities().to_string()) },
        );
    assert!(is_over || result.is_err(), "the script was not played to its end");
    result
}

fn ann() -> Option<ClientLogin> {
    Some(ClientLogin::password("ann", "secret").allow_plaintext(true))
}

#[test]
fn greetings() {
    let asked: Script = &[("a1 CAPABILITY", "* CAPABILITY IMAP4rev1 X\r\na1 OK\r\n")];
    assert_eq!(open("* OK hello\r\n", asked, None).unwrap(), "IMAP4rev1 X");
    assert_eq!(open("* OK [CAPABILITY IMAP4rev1] hello\r\n", &[], None).unwrap(), "IMAP4rev1");
    // Somebody is logged in already, over a connection where that is allowed.
    assert_eq!(open("* PREAUTH [CAPABILITY X] hello\r\n", &[], ann()).unwrap(), "X");
    let error = open("* BYE full\r\n", &[], None).unwrap_err();
    assert_eq!(error.to_string(), "the IMAP server has answered the connection with BYE full");
    for greeting in [
        "* CAPABILITY X\r\n",
        "220 mail.example ESMTP\r\n",
        "a1 OK\r\n",
        "+ \r\n",
        "* X {99999}\r\n",
    ] {
        assert!(open(greeting, &[], None).is_err(), "{greeting}");
    }
}

#[test]
fn preauth_and_starttls() {
    for security in [Security::Required, Security::IfOffered] {
        let config = config().security(security);
        let (result, _) = play(
            "* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] x\r\n",
            &[],
            config,
            |client, _| async move { Ok(client.is_tls()) },
        );
        match security {
            Security::Required => assert!(matches!(result, Err(ImapError::PreAuth)), "{result:?}"),
            // Nobody has promised TLS.
            _ => assert!(!result.unwrap()),
        }
    }
}

#[test]
fn tls_that_is_required_is_not_left_out() {
    let config = config().security(Security::Required).server_name("mail.example");
    let (result, _) =
        play("* OK [CAPABILITY IMAP4rev1] x\r\n", &[], config.clone(), |_, _| async { Ok(()) });
    assert!(matches!(result, Err(ImapError::TlsNotOffered)), "{result:?}");
    let refused: Script = &[("a1 STARTTLS", "a1 NO not now\r\n")];
    let greeting = "* OK [CAPABILITY IMAP4rev1 STARTTLS] x\r\n";
    let (result, _) = play(greeting, refused, config, |_, _| async { Ok(()) });
    assert!(matches!(result, Err(ImapError::Refused { command: "STARTTLS", .. })), "{result:?}");
}

#[test]
fn logins() {
    for (greeting, script, capabilities) in [
        (
            "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] x\r\n",
            &[("a1 AUTHENTICATE PLAIN AGFubgBzZWNyZXQ=", "a1 OK [CAPABILITY IMAP4rev1 IDLE] x\r\n")]
                as Script,
            "IMAP4rev1 IDLE",
        ),
        // Without SASL-IR; capabilities are asked for again.
        (
            "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] x\r\n",
            &[
                ("a1 AUTHENTICATE PLAIN", "+ \r\n"),
                ("AGFubgBzZWNyZXQ=", "a1 OK x\r\n"),
                ("a2 CAPABILITY", "* CAPABILITY IMAP4rev1 Y\r\na2 OK x\r\n"),
            ],
            "IMAP4rev1 Y",
        ),
        (
            "* OK [CAPABILITY IMAP4rev1 AUTH=LOGIN] x\r\n",
            &[
                ("a1 AUTHENTICATE LOGIN", "+ VXNlcm5hbWU6\r\n"),
                ("YW5u", "+ UGFzc3dvcmQ6\r\n"),
                ("c2VjcmV0", "a1 OK [CAPABILITY Z] x\r\n"),
            ],
            "Z",
        ),
        // The command LOGIN, where there is no mechanism.
        (
            "* OK [CAPABILITY IMAP4rev1] x\r\n",
            &[("a1 LOGIN ann secret", "a1 OK [CAPABILITY Z] x\r\n")],
            "Z",
        ),
    ] {
        assert_eq!(open(greeting, script, ann()).unwrap(), capabilities);
    }
}

#[test]
fn logins_that_fail() {
    let refused: Script = &[("a1 LOGIN ann secret", "a1 NO [AUTHENTICATIONFAILED] x\r\n")];
    let error = open("* OK [CAPABILITY IMAP4rev1] x\r\n", refused, ann()).unwrap_err();
    assert!(matches!(error, ImapError::Refused { command: "LOGIN", .. }), "{error:?}");
    // Nothing is sent where the server forbids it, or the connection is not encrypted.
    let error = open("* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] x\r\n", &[], ann()).unwrap_err();
    assert!(matches!(error, ImapError::Login(_)), "{error:?}");
    let secret = Some(ClientLogin::password("ann", "secret"));
    for greeting in
        ["* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] x\r\n", "* OK [CAPABILITY IMAP4rev1] x\r\n"]
    {
        let error = open(greeting, &[], secret.clone()).unwrap_err();
        assert!(matches!(error, ImapError::Login(_)), "{error:?}");
    }
    // A challenge that is wrong ends the exchange.
    let script: Script = &[
        ("a1 AUTHENTICATE SCRAM-SHA-256", "+ \r\n"),
        ("*", "+ cj14LHM9QUFBQSxpPTQwOTY=\r\n"),
        ("*", "a1 BAD cancelled\r\n"),
    ];
    let error =
        open("* OK [CAPABILITY IMAP4rev1 AUTH=SCRAM-SHA-256] x\r\n", script, ann()).unwrap_err();
    assert!(matches!(error, ImapError::Login(_)), "{error:?}");
    // A server that asks forever.
    let endless: Script = &[
        ("a1 AUTHENTICATE LOGIN", concat!("+ \r\n", "+ \r\n", "+ \r\n")),
        ("*", ""),
        ("*", ""),
        ("*", "!"),
    ];
    assert!(open("* OK [CAPABILITY AUTH=LOGIN] x\r\n", endless, ann()).is_err());
}

/// A password that could end the line is a literal, which waits for the server.
#[test]
fn passwords_cannot_break_out() {
    let login = ClientLogin::password("ann", "x\r\na2 DELETE INBOX").allow_plaintext(true);
    let script: Script = &[
        ("a1 LOGIN ann {18}", "+ go\r\n"),
        ("x", ""),
        ("a2 DELETE INBOX", "a1 OK [CAPABILITY Z] x\r\n"),
    ];
    assert_eq!(
        open("* OK [CAPABILITY IMAP4rev1] x\r\n", script, Some(login.clone())).unwrap(),
        "Z"
    );
    let refused: Script = &[("a1 LOGIN ann {18}", "a1 BAD no literals\r\n")];
    let error = open("* OK [CAPABILITY IMAP4rev1] x\r\n", refused, Some(login)).unwrap_err();
    assert!(matches!(error, ImapError::Refused { .. }), "{error:?}");
}

#[test]
fn a_server_that_says_nothing_is_left() {
    let (result, _) = play("", &[], config(), |_, _| async { Ok(()) });
    assert!(matches!(result, Err(ImapError::Silent { .. })), "{result:?}");
    let error = open("* OK hello\r\n", &[("a1 CAPABILITY", "!")], None).unwrap_err();
    let ImapError::Lost { command: "CAPABILITY", source: ConnectionEnd::Io(_) } = error else {
        panic!("{error:?}")
    };
}

/// A server that says a byte now and then is not silent, and is left all the same.
#[test]
fn opening_ends_in_time() {
    let config = config().login_timeout(Duration::from_millis(10));
    let greeting = "* OK [CAPABILITY IMAP4rev1] the longest greeting of all\r\n";
    let (result, _) = play_in_pieces(1, greeting, &[], config, |_, _| async { Ok(()) });
    assert!(matches!(result, Err(ImapError::TimedOut { .. })), "{result:?}");
}

/// Literals before the login are bounded together.
#[test]
fn literals_before_the_login() {
    let literals: &'static str = Box::leak(
        format!(
            "* ID ({} \"x\" NIL)\r\na1 OK [CAPABILITY X]\r\n",
            "{1000}\r\n".to_owned() + &"x".repeat(1_000) + " NIL"
        )
        .into(),
    );
    let script: Script = Vec::leak(vec![("a1 CAPABILITY", literals)]);
    assert_eq!(open("* OK hello\r\n", script, None).unwrap(), "X");
    let literals = "{1000}\r\n".to_owned() + &"x".repeat(1_000) + " NIL ";
    let many: &'static str = Box::leak(format!("* ID ({})\r\n", literals.repeat(5)).into());
    let script: Script = Vec::leak(vec![("a1 CAPABILITY", many)]);
    assert!(open("* OK hello\r\n", script, None).unwrap_err().is_lost());
}
