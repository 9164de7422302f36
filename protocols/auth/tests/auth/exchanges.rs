//! Every mechanism between our two ends, and what each offers.

use sinew_auth::{
    Ability, AuthError, Authenticator, Channel, ChannelBinding, ClientLogin, Credentials, Identity,
    Mechanism, SaslError, SaslServer, ServerStep, check_by,
};
use sinew_transports::reactor::{Deferred, Reactor};

use super::support::{Login, certificate, config, encrypted, now, users};

fn authenticator() -> Authenticator {
    Authenticator::with(users(), config().mechanisms(Mechanism::ALL))
}

fn bound(data: u8) -> Channel {
    encrypted().binding(ChannelBinding::exporter([data; 32]))
}

/// What a client knows of its connection, if it takes this mechanism.
fn channel_for(name: &str) -> Channel {
    if name.ends_with("-PLUS") { bound(1) } else { encrypted() }
}

const PASSWORDS: [&str; 7] = [
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1",
    "PLAIN",
    "LOGIN",
    "CRAM-MD5",
];

#[test]
fn both_ends_of_each_mechanism() {
    let logins = [
        ("ann", "secret", true),
        ("J\u{fc}rgen", "pass\u{a0}word", true),
        // The canonical form of the name is what counts (SASLprep).
        ("a\u{ad}nn", "secret", true),
        ("ann", "Secret", false),
        ("ann", "secre", false),
        ("nobody", "secret", false),
        ("nobody", "no user has this password", false),
    ];
    for name in PASSWORDS {
        for (user, password, is_right) in logins {
            for with_initial in [true, false] {
                let mut login = Login::new(&authenticator(), bound(1));
                let client = ClientLogin::password(user, password).mechanisms(Mechanism::ALL);
                let done = login.run(&client, &[name], &channel_for(name), with_initial);
                let case = format!("{name} {user} {password} {with_initial}");
                match done {
                    Ok(identity) => {
                        assert!(is_right, "{case}");
                        assert_eq!(identity.name(), user.replace('\u{ad}', ""), "{case}");
                    }
                    Err(SaslError::Auth(AuthError::Refused)) => assert!(!is_right, "{case}"),
                    Err(other) => panic!("{case}: {other}"),
                }
            }
        }
    }
}

#[test]
fn a_user_acts_as_another() {
    for name in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS"] {
        let cases = [
            ("root", "toor", "ann", Some("ann")),
            ("root", "toor", "=a,b", Some("=a,b")),
            ("root", "toor", "root", Some("root")),
            ("root", "toor", "nobody", None),
            ("ann", "secret", "root", None),
        ];
        for (user, password, other, expected) in cases {
            let mut login = Login::new(&authenticator(), bound(1));
            let client = ClientLogin::password(user, password).authorize_as(other);
            match (login.run(&client, &[name], &channel_for(name), true), expected) {
                (Ok(identity), Some(expected)) => {
                    assert_eq!((identity.name(), identity.user()), (expected, user));
                }
                (Err(SaslError::NotAuthorized { .. }), None) => {}
                (other, _) => panic!("{name} {user}: {other:?}"),
            }
        }
    }
    // LOGIN cannot say it.
    let client = ClientLogin::password("root", "toor").authorize_as("ann");
    assert!(matches!(client.choose(["LOGIN"], &encrypted()), Err(SaslError::NoCommonMechanism)));
}

#[test]
fn what_is_offered() {
    let names = |users: &Authenticator, channel: &Channel| {
        let all = users.mechanisms(channel).into_iter();
        all.map(|mechanism| mechanism.name()).collect::<Vec<_>>().join(" ")
    };
    let default = Authenticator::new(users());
    assert_eq!(names(&default, &Channel::new()), "SCRAM-SHA-256 SCRAM-SHA-1");
    assert_eq!(names(&default, &encrypted()), "SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN");
    assert_eq!(
        names(&default, &bound(1).external("ann")),
        "EXTERNAL SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN"
    );
    let refuse = |reactor: &Reactor, _| Deferred::failed_on(reactor, AuthError::Refused);
    let closure = Authenticator::with(check_by(refuse), config().allow_plaintext(true));
    assert_eq!(names(&closure, &Channel::new()), "PLAIN LOGIN");
    // What is not offered cannot be used, either.
    for (name, channel) in [
        ("CRAM-MD5", encrypted()),
        ("OAUTHBEARER", encrypted()),
        ("EXTERNAL", encrypted()),
        ("SCRAM-SHA-256-PLUS", encrypted()),
        ("DIGEST-MD5", encrypted()),
        ("", encrypted()),
    ] {
        let refused = Login::new(&default, channel).start(name, None);
        assert!(matches!(refused, Err(SaslError::NoSuchMechanism(_))), "{name}");
    }
    let refused = Login::new(&default, Channel::new()).start("plain", Some(b"\0ann\0secret"));
    assert!(matches!(refused, Err(SaslError::EncryptionRequired)));
}

#[test]
fn what_a_client_chooses() {
    let login = ClientLogin::password("ann", "secret");
    let all = Mechanism::ALL.map(Mechanism::name);
    for (channel, offered, expected) in [
        (bound(1), &all[..], "SCRAM-SHA-256-PLUS"),
        (encrypted(), &all, "SCRAM-SHA-256"),
        (Channel::new(), &all, "SCRAM-SHA-256"),
        (encrypted(), &["LOGIN", "X-UNKNOWN", "plain"], "PLAIN"),
        (encrypted(), &["LOGIN"], "LOGIN"),
        (Channel::new(), &["PLAIN", "LOGIN"], "an encrypted connection"),
        (encrypted(), &["CRAM-MD5"], "no mechanism"),
        (encrypted(), &["EXTERNAL", "OAUTHBEARER"], "no mechanism"),
        (encrypted(), &[], "no mechanism"),
    ] {
        match login.choose(offered, &channel) {
            Ok(client) => assert_eq!(client.mechanism().name(), expected),
            Err(error) => assert!(error.to_string().contains(expected), "{expected}: {error}"),
        }
    }
    let token = ClientLogin::token("ann", "abc").choose(all, &encrypted()).unwrap();
    assert_eq!(token.mechanism(), Mechanism::OAuthBearer);
    for bad in [
        ClientLogin::password("a\0b", "secret"),
        ClientLogin::password("", "secret"),
        ClientLogin::password("ann", "sec\0ret"),
        ClientLogin::password("ann", ""),
        ClientLogin::password("ann", "x".repeat(2_000)),
        ClientLogin::password("a".repeat(256), "x"),
        ClientLogin::token("ann", "abc\x01user=root"),
        ClientLogin::token("ann", ""),
        ClientLogin::token("a\x01auth=Bearer b", "abc"),
    ] {
        assert!(matches!(bad.choose(all, &encrypted()), Err(SaslError::Malformed(_))), "{bad:?}");
    }
}

#[test]
fn a_login_is_bound_to_its_connection() {
    let client = ClientLogin::password("ann", "secret");
    let run = |server: Channel, client_channel: Channel, offered: &[&str]| {
        Login::new(&authenticator(), server).run(&client, offered, &client_channel, true)
    };
    let differs = |done| matches!(done, Err(SaslError::ChannelBinding));
    let (plus, plain) = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256");
    assert!(run(bound(1), bound(1), &[plus, plain]).is_ok());
    // Somebody in between has two connections.
    assert!(differs(run(bound(1), bound(2), &[plus, plain])));
    // Somebody has taken the better mechanism out of the list.
    assert!(differs(run(bound(1), bound(1), &[plain])));
    // The server has none, or the client has none.
    assert!(run(encrypted(), bound(1), &[plain]).is_ok());
    assert!(run(bound(1), encrypted(), &[plus, plain]).is_ok());
}

#[test]
fn tokens() {
    let check = |reactor: &Reactor, credentials| match credentials {
        Credentials::Token { user, token } if token.is(b"dGhlIHRva2Vu") => {
            Deferred::ready_on(reactor, Identity::new(user.unwrap_or("somebody".to_owned())))
        }
        _ => Deferred::failed_on(reactor, AuthError::Refused),
    };
    let users = Authenticator::with(check_by(check).can([Ability::CheckToken]), config());
    for name in ["OAUTHBEARER", "XOAUTH2"] {
        for with_initial in [true, false] {
            let run = |user: &str, token: &str| {
                let client = ClientLogin::token(user, token).server("mail.example", 143);
                let mut login = Login::new(&users, encrypted());
                let done = login.run(&client, &[name], &encrypted(), with_initial);
                (done, login.messages)
            };
            let (done, _) = run("ann@example.org", "dGhlIHRva2Vu");
            assert_eq!(done.unwrap().name(), "ann@example.org");
            let (done, messages) = run("ann@example.org", "dGhlIHRva2Vv");
            assert!(matches!(done, Err(SaslError::Auth(AuthError::Refused))), "{done:?}");
            // The server says why, and the client acknowledges it.
            let [.., reason, answer] = &messages[..] else { panic!("{messages:?}") };
            assert!(reason.starts_with(r#"{"status":"#), "{reason}");
            assert_eq!(answer, if name == "XOAUTH2" { "" } else { "\x01" });
        }
    }
    let client = ClientLogin::token("", "dGhlIHRva2Vu");
    let done = Login::new(&users, encrypted()).run(&client, &["OAUTHBEARER"], &encrypted(), true);
    assert_eq!(done.unwrap().name(), "somebody");
}

#[test]
fn what_the_connection_says() {
    let run = |channel: Channel, client: &ClientLogin| {
        Login::new(&authenticator(), channel).run(client, &["EXTERNAL"], &encrypted(), true)
    };
    let client = ClientLogin::external();
    assert_eq!(run(encrypted().external("ann"), &client).unwrap().name(), "ann");
    let refused = run(encrypted().external("nobody"), &client);
    assert!(matches!(refused, Err(SaslError::Auth(AuthError::Refused))));
    let other = client.clone().authorize_as("ann");
    assert_eq!(run(encrypted().external("root"), &other).unwrap().name(), "ann");
    assert!(matches!(
        run(encrypted().external("ann"), &client.authorize_as("root")),
        Err(SaslError::NotAuthorized { .. })
    ));
}

#[test]
fn data_with_the_word_of_success() {
    let reactor = Reactor::simulated(0);
    let client = ClientLogin::password("ann", "secret").iterations(1..=10_000);
    let run = |is_success_data: bool| {
        let client = client.choose(["SCRAM-SHA-256"], &encrypted()).unwrap();
        let users = authenticator();
        let server = match is_success_data {
            true => SaslServer::success_data(&users, encrypted()),
            false => SaslServer::new(&users, encrypted()),
        };
        let first = client.initial().unwrap();
        let step = server.start(&reactor, "SCRAM-SHA-256", first.as_deref());
        let Ok(ServerStep::Challenge(challenge)) = now(&reactor, &step) else { panic!() };
        let last = now(&reactor, &client.respond(&reactor, &challenge)).unwrap();
        (now(&reactor, &server.respond(&reactor, &last)).unwrap(), client, server)
    };
    let (step, client, _) = run(true);
    let ServerStep::Done { data: Some(data), .. } = step else { panic!("{step:?}") };
    client.finish(Some(&data)).unwrap();
    // A server that does not prove itself is none.
    let (_, client, _) = run(true);
    assert!(matches!(client.finish(None), Err(SaslError::ServerNotVerified)));
    let (_, client, _) = run(true);
    let wrong = client.finish(Some(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
    assert!(matches!(wrong, Err(SaslError::ServerNotVerified)));
    // Without: a challenge, and an empty response.
    let (step, client, server) = run(false);
    let ServerStep::Challenge(data) = step else { panic!("{step:?}") };
    assert!(now(&reactor, &server.start(&reactor, "PLAIN", None)).is_err(), "it is not over");
    assert_eq!(now(&reactor, &client.respond(&reactor, &data)).unwrap(), b"");
    let done = now(&reactor, &server.respond(&reactor, b"")).unwrap();
    assert!(matches!(done, ServerStep::Done { data: None, .. }));
    client.finish(None).unwrap();
    let (_, _, server) = run(false);
    assert!(now(&reactor, &server.respond(&reactor, b"x")).is_err());
}

/// What the first message of SCRAM says of the channel binding (RFC 5802 6).
#[test]
fn what_a_client_says_of_the_binding() {
    const PLUS: &[&str] = &["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"];
    const UNBOUND: &[&str] = &["SCRAM-SHA-256"];
    for (offered, channel, is_bound, expected) in [
        (PLUS, bound(1), true, "SCRAM-SHA-256-PLUS p=tls-exporter,,"),
        (PLUS, bound(1), false, "SCRAM-SHA-256 n,,"),
        (PLUS, encrypted(), true, "SCRAM-SHA-256 n,,"),
        (UNBOUND, bound(1), true, "SCRAM-SHA-256 y,,"),
        // `y` would make a server refuse the login that does offer it.
        (UNBOUND, bound(1), false, "SCRAM-SHA-256 n,,"),
        (UNBOUND, encrypted(), true, "SCRAM-SHA-256 n,,"),
    ] {
        let login = ClientLogin::password("ann", "secret").channel_binding(is_bound);
        let chosen = login.choose(offered, &channel).unwrap();
        let first = String::from_utf8(chosen.initial().unwrap().unwrap()).unwrap();
        let found = format!("{} {first}", chosen.mechanism());
        assert!(found.starts_with(expected), "{found} instead of {expected}");
    }
    let only = ClientLogin::password("ann", "secret").channel_binding(false);
    let chosen = only.choose(&PLUS[..1], &bound(1));
    assert!(matches!(chosen, Err(SaslError::NoCommonMechanism)));
}

/// A server that has another binding refuses at the first message, and no login without one follows by itself; without it there is one.
#[test]
fn a_server_with_another_binding() {
    let other = || encrypted().binding(ChannelBinding::exporter([1; 32]));
    let certificate = certificate(7);
    let ours = encrypted().binding(ChannelBinding::server_end_point(&certificate).unwrap());
    let names = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"];
    let login = ClientLogin::password("ann", "secret");
    let refused = Login::new(&authenticator(), other()).run(&login, &names, &ours, true);
    assert!(matches!(refused, Err(SaslError::ChannelBinding)));
    let unbound = login.channel_binding(false);
    assert!(Login::new(&authenticator(), other()).run(&unbound, &names, &ours, true).is_ok());
}

#[test]
fn a_refusal_before_the_first_challenge() {
    let reactor = Reactor::new().unwrap();
    let login = ClientLogin::password("ann", "secret");
    for (names, channel, is_challenged, may_be_the_binding) in [
        (["SCRAM-SHA-256-PLUS"], bound(1), false, true),
        (["SCRAM-SHA-256-PLUS"], bound(1), true, false),
        (["SCRAM-SHA-256"], bound(1), false, false),
        (["PLAIN"], bound(1), false, false),
    ] {
        let chosen = login.choose(names, &channel).unwrap();
        chosen.initial().unwrap();
        if is_challenged {
            drop(chosen.respond(&reactor, b"r=x,s=eA==,i=4096"));
        }
        assert_eq!(chosen.refused(), may_be_the_binding, "{names:?}");
        assert!(!chosen.refused() && matches!(chosen.finish(None), Err(SaslError::OutOfOrder)));
    }
}
