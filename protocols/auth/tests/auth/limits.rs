//! Failures are answered late and bounded, in virtual time.

use std::{cell::Cell, net::SocketAddr, rc::Rc, time::Duration};

use sinew_auth::{
    AuthError, Authenticator, AuthenticatorConfig, Channel, ClientLogin, Credentials,
    FailureLimiter, Identity, SaslError, SaslServer, Users, check_by,
};
use sinew_transports::{
    Peer,
    reactor::{Deferred, Failure, Reactor},
};

use super::support::encrypted;

fn from(address: &str) -> Channel {
    let address: SocketAddr = address.parse().unwrap();
    encrypted().peer(&Peer::Inet(address))
}

fn authenticator() -> Authenticator {
    let limiter = FailureLimiter::default().failures_max(3, 5);
    let users = Users::new().user("ann", "secret").user("bob", "hunter2");
    Authenticator::with(users, AuthenticatorConfig::default().limiter(limiter))
}

/// When it is answered, in seconds, and what.
fn answered<T>(reactor: &Reactor, answer: &Deferred<T, AuthError>) -> (u64, Result<T, AuthError>) {
    for seconds in 0.. {
        reactor.advance(Duration::ZERO).unwrap();
        if let Some(result) = answer.take() {
            return (seconds, result);
        }
        reactor.advance(Duration::from_secs(1)).unwrap();
    }
    unreachable!("it is never answered")
}

#[test]
fn wrong_passwords_are_answered_late() {
    let (reactor, users) = (Reactor::simulated(0), authenticator());
    let check = |user: &str, password: &str, address: &str| {
        let checked = users.check(&reactor, &from(address), Credentials::password(user, password));
        answered(&reactor, &checked)
    };
    for seconds in [1, 2, 4] {
        let (late, result) = check("ann", "wrong", "192.0.2.1:1");
        assert!(matches!(result, Err(AuthError::Refused)));
        assert_eq!(late, seconds);
    }
    // The right password is not checked any more, from there; and is at once from elsewhere.
    let (late, result) = check("ann", "secret", "192.0.2.1:2");
    assert!(
        matches!(result, Err(AuthError::TooManyFailures { retry_after }) if retry_after.as_secs() == 893)
    );
    assert_eq!(late, 0);
    let (late, result) = check("ann", "secret", "192.0.2.2:1");
    assert!(result.is_ok() && late == 0);
    // A password that is too long counts as wrong, and an unknown user as any other.
    assert_eq!(check("ann", &"x".repeat(1_025), "192.0.2.2:1").0, 8);
    assert_eq!(check("nobody", "x", "192.0.2.2:1").0, 2);
    assert_eq!(check("ann", "x", "192.0.2.3:1").0, 8);
    let (_, result) = check("ann", "secret", "192.0.2.4:1");
    assert!(matches!(result, Err(AuthError::TooManyFailures { .. })), "five in all for the user");
    assert!(check("bob", "hunter2", "192.0.2.4:1").1.is_ok());
    reactor.advance(Duration::from_secs(900)).unwrap();
    assert!(check("ann", "secret", "192.0.2.1:1").1.is_ok());
}

#[test]
fn whoever_hangs_up_is_counted() {
    let (reactor, users) = (Reactor::simulated(0), authenticator());
    for _ in 0..3 {
        drop(users.check(&reactor, &from("192.0.2.1:1"), Credentials::password("ann", "wrong")));
        reactor.advance(Duration::ZERO).unwrap();
    }
    let checked =
        users.check(&reactor, &from("192.0.2.1:1"), Credentials::password("ann", "secret"));
    assert!(matches!(answered(&reactor, &checked).1, Err(AuthError::TooManyFailures { .. })));
}

#[test]
fn every_mechanism_counts() {
    let (reactor, users) = (Reactor::simulated(0), authenticator());
    let channel = from("192.0.2.1:1");
    let run = |name: &str| {
        let login = ClientLogin::password("ann", "wrong");
        let client = login.choose([name], &encrypted()).unwrap();
        let server = SaslServer::new(&users, channel.clone());
        let step = server.start(&reactor, name, client.initial().unwrap().as_deref());
        let handle = reactor.clone();
        reactor.run_until(async move {
            let mut step = step.await;
            while let Ok(sinew_auth::ServerStep::Challenge(challenge)) = step {
                let response = client.respond(&handle, &challenge).await.unwrap();
                step = server.respond(&handle, &response).await;
            }
            step.unwrap_err()
        })
    };
    let begin = reactor.now();
    for name in ["SCRAM-SHA-256", "LOGIN", "PLAIN"] {
        let error = run(name).unwrap();
        assert!(matches!(error, SaslError::Auth(AuthError::Refused)), "{name}: {error}");
    }
    let passed = reactor.now() - begin;
    assert_eq!(passed.as_secs(), 7, "1 and 2 and 4 seconds");
    for name in ["SCRAM-SHA-256", "LOGIN", "PLAIN"] {
        let error = run(name).unwrap();
        let expected = matches!(error, SaslError::Auth(AuthError::TooManyFailures { .. }));
        assert!(expected, "{name}: {error}");
    }
}

#[test]
fn what_could_not_be_checked_is_no_failure() {
    let reactor = Reactor::simulated(0);
    let calls = Rc::new(Cell::new(0));
    let counted = calls.clone();
    let broken = check_by(move |reactor: &Reactor, _| {
        counted.set(counted.get() + 1);
        Deferred::<Identity, _>::failed_on(reactor, Failure::Cancelled.into())
    });
    let limiter = FailureLimiter::default().failures_max(1, 1);
    let users = Authenticator::with(broken, AuthenticatorConfig::default().limiter(limiter));
    for _ in 0..3 {
        let checked = users.check(&reactor, &encrypted(), Credentials::password("ann", "secret"));
        let (late, result) = answered(&reactor, &checked);
        assert!(matches!(result, Err(AuthError::Unavailable(_))) && late == 0);
    }
    assert_eq!(calls.get(), 3);
}
