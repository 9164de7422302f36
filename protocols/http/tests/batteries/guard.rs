//! Tests of Basic authentication.

use std::time::Duration;

use sinew_auth::{Authenticator, AuthenticatorConfig, FailureLimiter, Identity, Users, check_by};
use sinew_http::server::{AuthenticatedUser, Guard, HttpServer, Request, answer};
use sinew_transports::reactor::Reactor;

use crate::support::{Client, ok};

fn client() -> Client {
    let handler =
        answer(|request: &Request| request.find::<AuthenticatedUser>().unwrap().0.clone());
    let users = Users::new().user("ann", "secret").user("bob", "a:b").user("", "");
    let config = AuthenticatorConfig::default().limiter(FailureLimiter::off());
    let users = Authenticator::with(users, config);
    Client::new(Guard::basic("the vault", users, handler).unwrap())
}

fn ask(client: &Client, field: &str) -> String {
    client.ask(format!("GET / HTTP/1.1\r\nHost: a\r\n{field}\r\n"))
}

#[test]
fn valid_credentials_are_accepted() {
    let client = client();
    assert_eq!(ask(&client, "Authorization: Basic YW5uOnNlY3JldA==\r\n"), ok("ann"));
    assert_eq!(ask(&client, "authorization: bASIC  YW5uOnNlY3JldA==\r\n"), ok("ann"));
    assert_eq!(
        ask(&client, "Authorization: Basic Ym9iOmE6Yg==\r\n"),
        ok("bob"),
        "a password may hold a colon"
    );
    assert_eq!(ask(&client, "Authorization: Basic Og==\r\n"), ok(""));
}

#[test]
fn wrong_credentials_are_rejected() {
    let client = client();
    let refused = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"the vault\", charset=\"UTF-8\"\r\n\
                   Content-Length: 0\r\n\r\n";
    for field in [
        "",
        "Authorization: Basic\r\n",
        "Authorization: Basic !!!!\r\n",
        "Authorization: Bearer YW5uOnNlY3JldA==\r\n",
        "Authorization: Basic YW5u\r\n",             // ann
        "Authorization: Basic YW5uOnNlY3JlVA==\r\n", // ann:secreT
        "Authorization: Basic YW5uOg==\r\n",         // ann:
        "Authorization: Basic Y2FybDpzZWNyZXQ=\r\n", // carl:secret
        "Authorization: Basic Y2FybDpubyB1c2VyIGhhcyB0aGlzIHBhc3N3b3Jk\r\n", // carl:no user has this password
    ] {
        assert_eq!(ask(&client, field), refused, "{field:?}");
    }
    let long = format!("Authorization: Basic {}\r\n", "YW5u".repeat(500));
    assert_eq!(ask(&client, &long), refused);
}

#[test]
fn a_realm_cannot_contain_quotes() {
    for realm in ["a\"b", "a\\b", "a\r\nb"] {
        assert!(Guard::basic(realm, Users::new(), answer(|_| "")).is_err(), "{realm:?}");
    }
}

#[test]
fn credentials_may_be_checked_in_a_thread() {
    let slow = check_by(|reactor: &Reactor, credentials| {
        let (promise, identity) = reactor.promise();
        let user = credentials.user().unwrap_or_default().to_owned();
        reactor.call_later(Duration::from_secs(1), |_| promise.resolve(Identity::new(user)));
        identity
    });
    let client = Client::new(Guard::basic("r", slow, answer(|_| "in")).unwrap());
    assert_eq!(ask(&client, "Authorization: Basic YW5uOnNlY3JldA==\r\n"), "");
    client.advance(Duration::from_secs(1));
    assert_eq!(client.received(), ok("in"));
}

#[test]
fn failures_are_delayed_and_bounded() {
    let users = Users::new().user("ann", "secret");
    let limiter = FailureLimiter::default().failures_max(2, 2).window(Duration::from_secs(10));
    let users = Authenticator::with(users, AuthenticatorConfig::default().limiter(limiter));
    let guards =
        [(); 2].map(|()| Guard::basic("r", users.clone(), answer(|_: &Request| "in")).unwrap());
    // The same users behind two guards.
    let reactor = Reactor::simulated(0);
    let clients = guards.map(|guard| Client::of(&reactor, &HttpServer::new(guard)));
    let wrong = "Authorization: Basic YW5uOnNlY3JlVA==\r\n";
    for (client, seconds) in clients.iter().zip([1, 2]) {
        assert_eq!(ask(client, ""), ask(client, ""), "without credentials nothing has failed");
        assert_eq!(ask(client, wrong), "");
        client.advance(Duration::from_millis(seconds * 1_000 - 1));
        assert_eq!(client.received(), "");
        client.advance(Duration::from_millis(1));
        assert!(client.received().starts_with("HTTP/1.1 401 "));
    }
    let right = "Authorization: Basic YW5uOnNlY3JldA==\r\n";
    for client in &clients {
        let refused = ask(client, right);
        assert!(refused.starts_with("HTTP/1.1 429 "), "{refused}");
        assert!(refused.contains("\r\nRetry-After: 8\r\n"), "{refused}");
    }
    clients[0].advance(Duration::from_secs(10));
    assert!(clients.iter().all(|client| ask(client, right) == ok("in")));
}
