//! Tests of Basic authentication.

use sinew_http::server::{AuthenticatedUser, Credentials, Guard, Request, Users, answer};
use sinew_transports::reactor::{Deferred, Reactor};

use crate::support::{Client, ok};

fn client() -> Client {
    let handler =
        answer(|request: &Request| request.find::<AuthenticatedUser>().unwrap().0.clone());
    let users = Users::new().user("ann", "secret").user("bob", "a:b").user("", "");
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
    struct Slow;
    impl Credentials for Slow {
        fn check(&self, reactor: &Reactor, user: &str, _: &[u8]) -> Deferred<bool> {
            let user = user.to_owned();
            let (promise, verdict) = reactor.promise();
            reactor.call_later(std::time::Duration::from_secs(1), move |_| {
                promise.resolve(user == "ann")
            });
            verdict
        }
    }
    let client = Client::new(Guard::basic("r", Slow, answer(|_| "in")).unwrap());
    assert_eq!(ask(&client, "Authorization: Basic YW5uOnNlY3JldA==\r\n"), "");
    client.advance(std::time::Duration::from_secs(1));
    assert_eq!(client.received(), ok("in"));
}
