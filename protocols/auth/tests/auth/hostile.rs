//! Messages that no good peer sends: each is refused, and none lets anybody in.

use proptest::prelude::*;
use sinew_auth::{
    AuthError, Authenticator, AuthenticatorConfig, ChannelBinding, ClientLogin, Mechanism,
    SaslError, SaslServer, ServerStep,
};
use sinew_transports::reactor::Reactor;

use super::support::{Login, config, encrypted, now, users};

fn authenticator() -> Authenticator {
    Authenticator::with(users(), config().mechanisms(Mechanism::ALL))
}

#[test]
fn malformed_first_messages() {
    let cases: &[(&str, &[u8])] = &[
        ("PLAIN", b""),
        ("PLAIN", b"ann\0secret"),
        ("PLAIN", b"\0ann\0secret\0"),
        ("PLAIN", b"\0\0secret"),
        ("PLAIN", b"\0ann\0"),
        ("PLAIN", b"\0a\nnn\0secret"),
        ("PLAIN", b"\0a\x7fnn\0secret"),
        ("PLAIN", b"a\rb\0ann\0secret"),
        ("PLAIN", b"\0ann\0\xff"),
        ("PLAIN", b"\0\xc3\0secret"),
        ("LOGIN", b""),
        ("LOGIN", b"\xff"),
        ("LOGIN", b"a\0b"),
        ("CRAM-MD5", b"ann"),
        ("SCRAM-SHA-256", b""),
        ("SCRAM-SHA-256", b"n,,n=ann"),
        ("SCRAM-SHA-256", b"n,,r=abc,n=ann"),
        ("SCRAM-SHA-256", b"n,,n=ann,r="),
        ("SCRAM-SHA-256", b"n,,n=ann,r=a b"),
        ("SCRAM-SHA-256", b"n,,n=,r=abc"),
        ("SCRAM-SHA-256", b"n,,n=a=2cb,r=abc"),
        ("SCRAM-SHA-256", b"n,,n=a=,r=abc"),
        ("SCRAM-SHA-256", b"n,,n=a=3,r=abc"),
        ("SCRAM-SHA-256", b"n,,m=x,n=ann,r=abc"),
        ("SCRAM-SHA-256", b"n,,n=ann,r=abc,m=x"),
        ("SCRAM-SHA-256", b"n,,n=ann,r=abc,x"),
        ("SCRAM-SHA-256", b"n,b=x,n=ann,r=abc"),
        ("SCRAM-SHA-256", b"n,a=,n=ann,r=abc"),
        ("SCRAM-SHA-256", b"x,,n=ann,r=abc"),
        ("SCRAM-SHA-256", b"p=,,n=ann,r=abc"),
        ("SCRAM-SHA-256", b"p=tls-exporter,,n=ann,r=abc"),
        ("SCRAM-SHA-256-PLUS", b"n,,n=ann,r=abc"),
        ("SCRAM-SHA-256-PLUS", b"y,,n=ann,r=abc"),
        ("SCRAM-SHA-256-PLUS", b"p=tls exporter,,n=ann,r=abc"),
        ("SCRAM-SHA-256", b"n,,n=ann\xff,r=abc"),
    ];
    for (name, message) in cases {
        let channel = encrypted().binding(ChannelBinding::exporter([1; 32]));
        let login = Login::new(&authenticator(), channel);
        let case = format!("{name} {}", message.escape_ascii());
        let refused = login.start(name, Some(message));
        assert!(matches!(refused, Err(SaslError::Malformed(_))), "{case}: {refused:?}");
        // It can be started anew.
        assert!(login.start("PLAIN", Some(b"\0ann\0secret")).is_ok(), "{case}");
    }
    let channel = encrypted().binding(ChannelBinding::exporter([1; 32]));
    let unknown = Login::new(&authenticator(), channel)
        .start("SCRAM-SHA-1-PLUS", Some(b"p=tls-unique,,n=ann,r=abc"));
    assert!(matches!(unknown, Err(SaslError::ChannelBinding)));
}

/// The first answer of a server of SCRAM, split into its attributes.
fn challenge(login: &Login, first: &[u8]) -> (String, String, String) {
    let Ok(ServerStep::Challenge(challenge)) = login.start("SCRAM-SHA-256", Some(first)) else {
        panic!("no challenge")
    };
    let text = String::from_utf8(challenge).unwrap();
    let mut parts = text.split(',').map(str::to_owned);
    (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap())
}

#[test]
fn malformed_last_messages_of_scram() {
    let zeros = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    type Expected = fn(&SaslError) -> bool;
    let all: &[(&str, Expected)] = &[
        ("c=biws,R", |error| matches!(error, SaslError::Malformed(_))),
        ("c=biws,R,p=", |error| matches!(error, SaslError::Auth(AuthError::Refused))),
        ("c=biws,R,p=ZZ", |error| matches!(error, SaslError::Auth(AuthError::Refused))),
        ("c=biws,R,p=YQ==", |error| matches!(error, SaslError::Auth(AuthError::Refused))),
        ("c=biws,R,p=YR==", |error| matches!(error, SaslError::Base64)),
        ("c=biws,Rx,p=ZZ", |error| matches!(error, SaslError::Malformed(_))),
        ("c=biws,r=abc,p=ZZ", |error| matches!(error, SaslError::Malformed(_))),
        ("c=eSws,R,p=ZZ", |error| matches!(error, SaslError::ChannelBinding)),
        ("c=,R,p=ZZ", |error| matches!(error, SaslError::ChannelBinding)),
        ("R,c=biws,p=ZZ", |error| matches!(error, SaslError::Malformed(_))),
        ("", |error| matches!(error, SaslError::Malformed(_))),
        ("\u{ff}", |error| matches!(error, SaslError::Malformed(_))),
    ];
    for (text, expected) in all {
        let login = Login::new(&authenticator(), encrypted());
        let (nonce, _, _) = challenge(&login, b"n,,n=ann,r=abc");
        let text = text.replace('R', &nonce).replace("ZZ", zeros);
        let error = login.respond(text.as_bytes()).unwrap_err();
        assert!(expected(&error), "{text}: {error}");
        assert!(matches!(login.respond(text.as_bytes()), Err(SaslError::OutOfOrder)));
    }
}

/// Whether a user exists cannot be told by what the server sends: salts are always the same for a name, and all look alike.
#[test]
fn nobody_learns_who_exists() {
    let users = Authenticator::with(users(), config().salt_secret("always the same"));
    let first = |name: &str| {
        let message = format!("n,,n={name},r=abc");
        let (nonce, salt, iterations) =
            challenge(&Login::new(&users, encrypted()), message.as_bytes());
        (nonce.len(), salt, iterations)
    };
    let (known, unknown, other) = (first("ann"), first("nobody"), first("carl"));
    assert_eq!((known.0, &known.2), (unknown.0, &unknown.2));
    assert_eq!(known.1.len(), unknown.1.len());
    assert!(known.1 != unknown.1 && unknown.1 != other.1);
    assert_eq!((first("ann").1, first("nobody").1), (known.1, unknown.1));
}

#[test]
fn messages_in_lines_of_text() {
    let reactor = Reactor::simulated(0);
    let users = Authenticator::with(users(), config().message_max(30));
    let server = || SaslServer::new(&users, encrypted());
    let start =
        |text: Option<&[u8]>| now(&reactor, &server().start_encoded(&reactor, "PLAIN", text));
    assert!(matches!(start(Some(b"AGFubgBzZWNyZXQ=")), Ok(ServerStep::Done { .. })));
    assert_eq!(start(None).unwrap(), ServerStep::Challenge(Vec::new()));
    assert!(matches!(start(Some(b"=")), Err(SaslError::Malformed(_))), "an empty message");
    for bad in [
        &b"AGFubgBzZWNyZXQ"[..],
        b"AGFubgBzZWNyZXR=",
        b"AGFubgBzZWNyZXQ= ",
        b"AGFubgBz ZWNyZXQ=",
        b"AGFubgBz\r\nZWNyZXQ=",
        b"AGFubgBzZWNyZXQ=AAAA",
        b"AGFubgBzZWNyZX-_",
        b"====",
        b"*",
        b"",
    ] {
        let refused = start(Some(bad));
        let expected = match bad {
            b"" => matches!(refused, Err(SaslError::Malformed(_))),
            _ => matches!(refused, Err(SaslError::Base64)),
        };
        assert!(expected, "{}: {refused:?}", bad.escape_ascii());
    }
    for len in [40, 41, 1 << 20] {
        let refused = start(Some(&b"A".repeat(len)));
        assert_eq!(matches!(refused, Err(SaslError::TooLong { max: 30 })), len > 40, "{len}");
    }
    let long = now(&reactor, &server().start(&reactor, "PLAIN", Some(&[0; 31])));
    assert!(matches!(long, Err(SaslError::TooLong { max: 30 })));
    // A client aborts, and tries again.
    let server = server();
    now(&reactor, &server.start_encoded(&reactor, "LOGIN", None)).unwrap();
    let aborted = now(&reactor, &server.respond_encoded(&reactor, b"*"));
    assert!(matches!(aborted, Err(SaslError::Aborted)));
    let refused = now(&reactor, &server.respond_encoded(&reactor, b"YW5u"));
    assert!(matches!(refused, Err(SaslError::OutOfOrder)));
    now(&reactor, &server.start_encoded(&reactor, "LOGIN", Some(b"YW5u"))).unwrap();
    let done = now(&reactor, &server.respond_encoded(&reactor, b"c2VjcmV0"));
    assert!(matches!(done, Ok(ServerStep::Done { .. })));
    let again = now(&reactor, &server.start_encoded(&reactor, "LOGIN", None));
    assert!(matches!(again, Err(SaslError::OutOfOrder)), "a login is over");
}

#[test]
fn messages_out_of_order() {
    let reactor = Reactor::simulated(0);
    let server = SaslServer::new(&authenticator(), encrypted());
    assert!(matches!(now(&reactor, &server.respond(&reactor, b"")), Err(SaslError::OutOfOrder)));
    // While a check is on its way, the client says more.
    let step = server.start(&reactor, "PLAIN", Some(b"\0ann\0secret"));
    let early = server.respond(&reactor, b"\0root\0toor");
    server.abort();
    assert!(matches!(now(&reactor, &early), Err(SaslError::OutOfOrder)));
    let Some(Ok(ServerStep::Done { identity, .. })) = step.take() else { panic!("not done") };
    assert_eq!(identity.name(), "ann");
}

#[test]
fn servers_that_are_none() {
    let reactor = Reactor::simulated(0);
    let choose = |name: &str| {
        let login = ClientLogin::password("ann", "secret").mechanisms(Mechanism::ALL);
        login.choose([name], &encrypted()).unwrap()
    };
    for name in ["PLAIN", "SCRAM-SHA-256", "LOGIN", "CRAM-MD5"] {
        // A success before anything was proved. With PLAIN there is nothing to prove, but something to send.
        let client = choose(name);
        assert!(client.finish(None).is_err(), "{name}");
        assert!(now(&reactor, &client.respond(&reactor, b"")).is_err(), "{name}: it is over");
    }
    let client = choose("SCRAM-SHA-256");
    client.initial().unwrap();
    assert!(matches!(client.finish(None), Err(SaslError::ServerNotVerified)));
    assert!(matches!(client.initial(), Err(SaslError::OutOfOrder)));
    let client = choose("PLAIN");
    let early = now(&reactor, &client.respond(&reactor, b"tell me"));
    assert!(matches!(early, Err(SaslError::OutOfOrder)));
    let client = choose("SCRAM-SHA-256");
    client.initial().unwrap();
    let refused = now(&reactor, &client.respond(&reactor, b"e=unknown-user\r\n250 ok"));
    let text = refused.unwrap_err().to_string();
    assert!(text.contains("unknown-user") && !text.contains('\n'), "{text}");
    let client = choose("LOGIN");
    let long = now(&reactor, &client.respond(&reactor, &vec![b'x'; 100_000]));
    assert!(matches!(long, Err(SaslError::TooLong { .. })));
    let refused = now(&reactor, &choose("LOGIN").respond_encoded(&reactor, b"VXNlcm5hbWU6="));
    assert!(matches!(refused, Err(SaslError::Base64)));
}

proptest! {
    /// Whatever a client sends, it is not let in without the password, and nothing panics.
    #[test]
    fn no_message_lets_in(
        at in 0..Mechanism::ALL.len(),
        messages in prop::collection::vec(message(), 1..4),
    ) {
        let channel = encrypted().binding(ChannelBinding::exporter([1; 32])).external("nobody");
        let users = Authenticator::with(
            users(),
            AuthenticatorConfig::default()
                .mechanisms(Mechanism::ALL)
                .scram_iterations(1)
                .limiter(sinew_auth::FailureLimiter::off()),
        );
        let login = Login::new(&users, channel);
        let mut step = login.start(Mechanism::ALL[at].name(), None);
        for message in messages {
            prop_assert!(!is_done(&step));
            step = login.respond(&message);
        }
        prop_assert!(!is_done(&step));
    }

    /// Whatever a server sends, a client neither panics nor believes that it is the right one.
    #[test]
    fn no_message_is_a_proof(messages in prop::collection::vec(message(), 1..4)) {
        let reactor = Reactor::simulated(0);
        let login = ClientLogin::password("ann", "secret").iterations(1..=5_000);
        let client = login.choose(["SCRAM-SHA-1"], &encrypted()).unwrap();
        client.initial().unwrap();
        for message in messages {
            let _ = now(&reactor, &client.respond(&reactor, &message));
        }
        prop_assert!(client.finish(None).is_err());
    }
}

/// Bytes, and what begins like a message.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        "n,,",
        "y,,",
        "p=tls-exporter,,",
        "n=ann",
        ",",
        "r=abc",
        "c=biws",
        "p=YQ==",
        "s=YQ==",
        "i=4096",
        "e=x",
        "v=YQ==",
        "\0",
        "ann",
        "root",
        "user=ann",
        "\x01",
        "auth=Bearer abc",
        "a=root",
        "=2C",
        " 00000000000000000000000000000000",
    ]);
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        prop::collection::vec(pieces, 0..8).prop_map(|pieces| pieces.concat().into_bytes()),
    ]
}

fn is_done(step: &Result<ServerStep, SaslError>) -> bool {
    matches!(step, Ok(ServerStep::Done { .. }))
}
