//! The log of failed logins: what a line says, that it says no secret, and how many lines there are at most.

use std::{net::SocketAddr, time::Duration};

use sinew_auth::{
    AuthError, Authenticator, AuthenticatorConfig, Channel, ClientLogin, Credentials,
    FailureLimiter, Identity, Mechanism, Users, check_by,
};
use sinew_transports::{
    Peer,
    reactor::{Deferred, Failure, Reactor},
};
use tracing::{Level, dispatcher};

use super::support::{Login, config, encrypted, users};
use crate::log::Log;

fn from(address: &str) -> Channel {
    let address: SocketAddr = address.parse().unwrap();
    encrypted().peer(&Peer::Inet(address)).service("imap")
}

/// The lines of these checks, without their times.
fn logged(run: impl FnOnce(&Reactor)) -> Vec<String> {
    let log = Log::default();
    dispatcher::with_default(&log.subscriber(Level::INFO), || run(&Reactor::simulated(0)));
    let lines = log.lines().into_iter();
    lines.map(|line| line.split_once(' ').unwrap().1.trim_start().to_owned()).collect()
}

fn check(users: &Authenticator, reactor: &Reactor, channel: &Channel, user: &str, password: &str) {
    drop(users.check(reactor, channel, Credentials::password(user, password)));
    reactor.advance(Duration::ZERO).unwrap();
}

#[test]
fn a_failure_and_the_beginning_of_a_lockout_have_a_line() {
    let limiter = FailureLimiter::default().failures_max(3, 4);
    let users = Users::new().user("ann", "secret");
    let users = Authenticator::with(users, AuthenticatorConfig::default().limiter(limiter));
    let lines = logged(|reactor| {
        check(&users, reactor, &from("192.0.2.1:1"), "ann", "secret");
        for user in ["ann", "nobody", "ann", "ann", "ann"] {
            check(&users, reactor, &from("[::ffff:192.0.2.1]:1"), user, "S3CRET");
        }
        // Another address, and then another: the user is refused, too.
        for address in ["[2001:db8::1]:1", "[2001:db8:1::1]:1", "[2001:db8:1::1]:1"] {
            check(&users, reactor, &from(address), "ann", "S3CRET");
        }
        reactor.advance(Duration::from_secs(900)).unwrap();
        check(&users, reactor, &from("192.0.2.1:1").mechanism("APOP"), "ann", "S3CRET");
    });
    let failed = |peer: &str, user: &str, mechanism: &str| {
        format!(
            "INFO sinew::login: a login failed service=\"imap\" peer={peer} user=\"{user}\" mechanism=\"{mechanism}\" reason=\"refused\""
        )
    };
    let locked_out = |peer: &str, which: &str| {
        format!(
            "WARN sinew::login: too many logins failed service=\"imap\" peer={peer} user=\"ann\" locked_out=\"{which}\" seconds=900"
        )
    };
    let expected = [
        failed("192.0.2.1", "ann", "password"),
        failed("192.0.2.1", "nobody", "password"),
        failed("192.0.2.1", "ann", "password"),
        locked_out("192.0.2.1", "address"),
        failed("2001:db8::1", "ann", "password"),
        failed("2001:db8:1::1", "ann", "password"),
        locked_out("2001:db8:1::1", "user"),
        failed("192.0.2.1", "ann", "APOP"),
    ];
    assert_eq!(lines, expected);
}

#[test]
fn exchanges_are_named_by_their_mechanism() {
    for mechanism in [
        Mechanism::Plain,
        Mechanism::Login,
        Mechanism::Scram(sinew_auth::ScramHash::Sha256),
        Mechanism::CramMd5,
    ] {
        let config = config().mechanisms(Mechanism::ALL);
        let users = Authenticator::with(users(), config);
        let lines = logged(|_| {
            let login = ClientLogin::password("ann", "S3CRET").mechanisms(Mechanism::ALL);
            let mut ends = Login::new(&users, from("192.0.2.1:1"));
            ends.run(&login, &[mechanism.name()], &encrypted(), true).unwrap_err();
        });
        let expected = format!(
            "INFO sinew::login: a login failed service=\"imap\" peer=192.0.2.1 user=\"ann\" mechanism=\"{mechanism}\" reason=\"refused\""
        );
        assert_eq!(lines, [expected]);
    }
    let lines = logged(|_| {
        let users = Authenticator::with(users(), config());
        let login = ClientLogin::password("ann", "secret").authorize_as("root");
        let mut ends = Login::new(&users, encrypted());
        ends.run(&login, &["PLAIN"], &encrypted(), true).unwrap_err();
    });
    let expected = "INFO sinew::login: a login failed user=\"ann\" mechanism=\"PLAIN\" reason=\"not-authorized\"";
    assert_eq!(lines, [expected], "no service and no peer are known");
}

#[test]
fn what_cannot_be_checked_says_so() {
    let broken = check_by(move |reactor: &Reactor, _| {
        Deferred::<Identity, AuthError>::failed_on(reactor, Failure::Cancelled.into())
    });
    let users = Authenticator::new(broken);
    let lines = logged(|reactor| check(&users, reactor, &from("192.0.2.1:1"), "ann", "secret"));
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].ends_with("reason=\"unavailable\""), "{lines:?}");
}

#[test]
fn names_are_escaped_and_cut() {
    let users = Authenticator::with(users(), config());
    let long = "x".repeat(1_000);
    for (user, shown) in [
        ("a\nb\u{1b}[2J", r#"user="a\\nb\\u{1b}[2J""#),
        ("a\" peer=198.51.100.1", r#"user="a\" peer=198.51.100.1""#),
        ("", ""),
        (&long, &format!("user=\"{}… (1000 bytes)\"", "x".repeat(64))),
    ] {
        let lines = logged(|reactor| check(&users, reactor, &from("192.0.2.1:1"), user, "S3CRET"));
        assert_eq!(lines.len(), 1, "{lines:?}");
        let begin = "INFO sinew::login: a login failed service=\"imap\" peer=192.0.2.1 ";
        assert!(lines[0].starts_with(begin), "{lines:?}");
        assert!(lines[0].contains(shown) && !lines[0].contains("S3CRET"), "{lines:?}");
    }
}

#[test]
fn a_flood_of_failures_does_not_flood_the_log() {
    let limiter = || FailureLimiter::off().failures_max(1, usize::MAX);
    let users = Authenticator::with(users(), AuthenticatorConfig::default().limiter(limiter()));
    let lines = logged(|reactor| {
        let flood = || {
            for at in 0..250 {
                check(&users, reactor, &from(&format!("192.0.2.{at}:1")), "ann", "S3CRET");
            }
        };
        flood();
        reactor.advance(Duration::from_secs(9)).unwrap();
        reactor.advance(Duration::from_secs(1)).unwrap();
        // Another period, with lines of its own.
        reactor.advance(Duration::from_secs(900)).unwrap();
        flood();
        reactor.advance(Duration::from_secs(10)).unwrap();
        reactor.advance(Duration::from_secs(10)).unwrap();
    });
    let count = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
    assert_eq!((count("a login failed"), count("locked_out=")), (200, 200));
    let left_out = "WARN sinew::login: more logins failed than are logged one by one failures=150 lockouts=150";
    assert_eq!(count(left_out), 2, "{:?}", lines.last());
    assert_eq!(lines.len(), 402);
}
