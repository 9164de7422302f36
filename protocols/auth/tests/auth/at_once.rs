//! Many logins at once learn no more than one after the other, and do not keep each other out. In virtual time.

use std::{cell::Cell, net::SocketAddr, rc::Rc, time::Duration};

use sinew_auth::{
    AuthError, Authenticator, AuthenticatorConfig, Channel, Checker, ClientLogin, Credentials,
    FailureLimiter, Identity, SaslClient, SaslError, SaslServer, ServerStep, Users, check_by,
};
use sinew_transports::{
    Peer,
    reactor::{Deferred, Failure, Reactor},
};

use super::support::{config, encrypted, now};

/// Long enough for everything.
const LATER: Duration = Duration::from_secs(600);

fn from(address: &str) -> Channel {
    let address: SocketAddr = address.parse().unwrap();
    encrypted().peer(&Peer::Inet(address))
}

/// The default bound: 20 failures of an address, 100 of a user.
fn bounded(checker: impl Checker) -> Authenticator {
    Authenticator::with(checker, config().limiter(FailureLimiter::default()))
}

/// Says at once that `secret` is right, and after a second that anything else is wrong. Counts how often it is asked.
fn slow() -> (impl Checker, Rc<Cell<usize>>) {
    let calls = Rc::new(Cell::new(0));
    let counted = calls.clone();
    let checker = check_by(move |reactor: &Reactor, credentials| {
        counted.set(counted.get() + 1);
        let Credentials::Password { user, password } = credentials else { unreachable!() };
        if password.is(b"secret") {
            return Deferred::ready_on(reactor, Identity::new(user));
        }
        let (promise, checked) = reactor.promise();
        reactor.call_later(Duration::from_secs(1), |_| promise.reject(AuthError::Refused));
        checked
    });
    (checker, calls)
}

/// How many of them succeeded, were wrong, and came after too many failures.
fn verdicts<T>(results: impl IntoIterator<Item = Result<T, AuthError>>) -> [usize; 3] {
    let mut counts = [0; 3];
    for result in results {
        counts[match result {
            Ok(_) => 0,
            Err(AuthError::Refused) => 1,
            Err(AuthError::TooManyFailures { .. }) => 2,
            Err(other) => panic!("{other}"),
        }] += 1;
    }
    counts
}

fn taken<T, E: From<Failure> + std::fmt::Display>(all: Vec<Deferred<T, E>>) -> Vec<Result<T, E>> {
    all.into_iter().map(|each| each.take().expect("it is answered")).collect()
}

#[test]
fn guesses_at_once_are_no_more_than_one_after_the_other() {
    for (addresses, limit) in [(1, 20), (250, 100)] {
        let (reactor, (checker, calls)) = (Reactor::simulated(0), slow());
        let users = bounded(checker);
        let check = |at: usize, password: &str| {
            let channel = from(&format!("192.0.2.{}:1", at % addresses));
            users.check(&reactor, &channel, Credentials::password("ann", password))
        };
        let mut all: Vec<_> = (0..300).map(|at| check(at, "wrong")).collect();
        all.push(check(0, "secret"));
        reactor.advance(LATER).unwrap();
        assert_eq!(verdicts(taken(all)), [0, limit, 301 - limit], "not even the right one");
        assert_eq!(calls.get(), limit, "the others are not checked");
    }
}

/// An exchange up to the challenge, and the client's answer to it.
fn challenged(
    reactor: &Reactor,
    users: &Authenticator,
    channel: Channel,
    password: &str,
) -> (SaslServer, SaslClient, Vec<u8>) {
    let login = ClientLogin::password("ann", password).iterations(1..=10_000);
    let client = login.choose(["SCRAM-SHA-256"], &channel).unwrap();
    let server = SaslServer::new(users, channel);
    let first = client.initial().unwrap();
    let step = now(reactor, &server.start(reactor, "SCRAM-SHA-256", first.as_deref()));
    let Ok(ServerStep::Challenge(challenge)) = step else { panic!("{step:?}") };
    let last = now(reactor, &client.respond(reactor, &challenge)).unwrap();
    (server, client, last)
}

#[test]
fn a_challenge_gives_no_right_to_a_verdict() {
    for (addresses, limit) in [(1, 20), (250, 100)] {
        let reactor = Reactor::simulated(0);
        let users = bounded(Users::new().user("ann", "secret"));
        let begin = |at: usize, password: &str| {
            let channel = from(&format!("192.0.2.{}:1", at % addresses));
            challenged(&reactor, &users, channel, password)
        };
        let mut all: Vec<_> = (0..150).map(|at| begin(at, "wrong")).collect();
        all.push(begin(0, "secret"));
        let steps: Vec<_> =
            all.iter().map(|(server, _, last)| server.respond(&reactor, last)).collect();
        reactor.advance(Duration::from_secs(60)).unwrap();
        let verdict = |step| match step {
            Err(SaslError::Auth(error)) => Err(error),
            Err(other) => panic!("{other}"),
            Ok(step) => Ok(step),
        };
        let found = verdicts(taken(steps).into_iter().map(verdict));
        assert_eq!(found, [0, limit, 151 - limit], "not even the right one");
    }
}

#[test]
fn exchanges_that_are_left_count_nothing() {
    let reactor = Reactor::simulated(0);
    let users = bounded(Users::new().user("ann", "secret"));
    let channel = from("192.0.2.1:1");
    let left: Vec<_> =
        (0..150).map(|_| challenged(&reactor, &users, channel.clone(), "wrong")).collect();
    let (server, client, last) = challenged(&reactor, &users, channel, "secret");
    let step = now(&reactor, &server.respond(&reactor, &last));
    let Ok(ServerStep::Challenge(last)) = step else { panic!("{step:?}") };
    assert_eq!(now(&reactor, &client.respond(&reactor, &last)).unwrap(), b"");
    drop(left);
}

#[test]
fn right_logins_at_once_all_succeed() {
    let reactor = Reactor::simulated(0);
    let (checker, _) = slow();
    for users in [bounded(checker), bounded(Users::new().user("ann", "secret"))] {
        let check = |password| {
            let credentials = Credentials::password("ann", password);
            users.check(&reactor, &from("192.0.2.1:1"), credentials)
        };
        // Somebody behind the same address mistypes.
        let all = (0..200).map(|at| check(if at == 3 { "wrong" } else { "secret" }));
        let all: Vec<_> = all.collect();
        reactor.advance(LATER).unwrap();
        assert_eq!(verdicts(taken(all)), [199, 1, 0]);
    }
    let users = bounded(Users::new().user("ann", "secret"));
    let begin = |_| challenged(&reactor, &users, from("192.0.2.1:1"), "secret");
    let all: Vec<_> = (0..200).map(begin).collect();
    let steps = all.iter().map(|(server, _, last)| server.respond(&reactor, last));
    let steps: Vec<_> = steps.collect();
    reactor.advance(LATER).unwrap();
    assert!(taken(steps).iter().all(Result::is_ok));
}

#[test]
fn ways_to_log_in_count_together() {
    let (reactor, (checker, _)) = (Reactor::simulated(0), slow());
    let limiter = FailureLimiter::default().failures_max(3, 100);
    let users = Authenticator::with(checker, AuthenticatorConfig::default().limiter(limiter));
    let channel = from("192.0.2.1:1");
    let check =
        |user, password| users.check(&reactor, &channel, Credentials::password(user, password));
    let wrong = [check("ann", "wrong"), check("bob", "wrong"), check("carl", "wrong")];
    let judged = users.judge(&reactor, &channel, "dora", true);
    let elsewhere = users.judge(&reactor, &from("192.0.2.2:1"), "dora", true);
    reactor.advance(Duration::ZERO).unwrap();
    assert!(!judged.is_settled(), "until it is known whether the three are failures");
    assert!(matches!(elsewhere.take(), Some(Ok(_))), "no one else waits");
    reactor.advance(LATER).unwrap();
    assert_eq!(verdicts(taken(wrong.into())), [0, 3, 0]);
    assert_eq!(verdicts(taken(vec![judged])), [0, 0, 1]);
}

#[test]
fn those_who_wait_are_bounded() {
    let reactor = Reactor::simulated(0);
    let users = bounded(Users::new().user("ann", "secret"));
    let channel = from("192.0.2.1:1");
    let credentials = || Credentials::password("ann", "secret");
    let all = (0..1_025).map(|_| users.check(&reactor, &channel, credentials()));
    let all: Vec<_> = all.collect();
    reactor.advance(Duration::ZERO).unwrap();
    let overloaded = |result: &Result<Identity, AuthError>| {
        let Err(AuthError::Unavailable(cause)) = result else { return false };
        matches!(cause.downcast_ref(), Some(Failure::Overloaded { limit: 1_000 }))
    };
    reactor.advance(LATER).unwrap();
    let results = taken(all);
    assert!(results[..1_020].iter().all(Result::is_ok));
    assert!(results[1_020..].iter().all(overloaded));
}

/// The end of a run drops callbacks, and with them the checks that are under way.
#[test]
fn a_new_run_begins_with_nothing_under_way() {
    crate::watchdog::watch_this_test();
    let calls = Cell::new(0);
    let checker = check_by(move |reactor: &Reactor, _| {
        calls.set(calls.get() + 1);
        if calls.get() == 4 {
            return Deferred::ready_on(reactor, Identity::new("ann"));
        }
        let never = reactor.defer_to_thread(std::thread::park);
        never.map(|never: Result<(), Failure>| Ok(never.map(|()| Identity::new("ann"))?))
    });
    let limiter = FailureLimiter::default().failures_max(1, 1);
    let users = Authenticator::with(checker, AuthenticatorConfig::default().limiter(limiter));
    let reactor = Reactor::builder().pool_grace(Duration::ZERO).build().unwrap();
    let check = || users.check(&reactor, &encrypted(), Credentials::password("ann", "secret"));
    for _ in 0..3 {
        let checked = check();
        reactor.call_later(Duration::from_millis(1), |reactor| reactor.stop().unwrap());
        reactor.run().unwrap();
        drop(checked);
    }
    assert!(reactor.run_until(check()).unwrap().is_ok());
}
