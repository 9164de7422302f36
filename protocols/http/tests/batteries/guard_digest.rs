//! Digest authentication (RFC 7616), with a client that computes by itself.

use std::time::Duration;

use md5::Md5;
use sha2::{Digest, Sha256};
use sinew_auth::{
    AuthError, Authenticator, AuthenticatorConfig, Checker, Credentials, FailureLimiter, Form,
    Identity, Stored, Users,
};
use sinew_http::server::{AuthenticatedUser, DigestAlgorithm, Guard, HttpServer, Request, answer};
use sinew_transports::reactor::{Deferred, Reactor};

use crate::support::{Client, ok};

fn users() -> Authenticator {
    let users = Users::new().user("ann", "secret").user("J\u{fc}rgen", "x\"y");
    let config = AuthenticatorConfig::default().limiter(FailureLimiter::off());
    Authenticator::with(users, config)
}

fn client() -> Client {
    let handler =
        answer(|request: &Request| request.find::<AuthenticatedUser>().unwrap().0.clone());
    Client::new(Guard::digest("the vault", users(), handler).unwrap())
}

fn hash(algorithm: &str, text: &str) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    match algorithm {
        "MD5" => hex(&Md5::digest(text)),
        _ => hex(&Sha256::digest(text)),
    }
}

/// The nonce of the first challenge, and whether the one before was stale.
fn challenge(received: &str) -> (String, bool) {
    assert!(received.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{received}");
    let line = received.lines().find(|line| line.starts_with("WWW-Authenticate: Digest ")).unwrap();
    let nonce = line.split("nonce=\"").nth(1).unwrap().split('"').next().unwrap();
    (nonce.to_owned(), line.contains("stale=true"))
}

/// What a client presents, and may get wrong.
#[derive(Clone)]
struct Presents<'a> {
    user: &'a str,
    password: &'a str,
    realm: &'a str,
    algorithm: &'a str,
    nonce: &'a str,
    count: &'a str,
    qop: &'a str,
    method: &'a str,
    uri: &'a str,
}

impl<'a> Presents<'a> {
    fn new(nonce: &'a str, count: &'a str) -> Self {
        Self {
            user: "ann",
            password: "secret",
            realm: "the vault",
            algorithm: "SHA-256",
            nonce,
            count,
            qop: "auth",
            method: "GET",
            uri: "/a?b",
        }
    }

    fn request(&self) -> String {
        let Self { user, password, realm, algorithm, nonce, count, qop, method, uri } = self;
        let a1 = hash(algorithm, &format!("{user}:{realm}:{password}"));
        let a2 = hash(algorithm, &format!("{method}:{uri}"));
        let response = hash(algorithm, &format!("{a1}:{nonce}:{count}:c:{qop}:{a2}"));
        format!(
            "{method} /a?b HTTP/1.1\r\nHost: a\r\nAuthorization: Digest username=\"{user}\", realm=\"{realm}\", \
             nonce=\"{nonce}\", uri=\"{uri}\", qop={qop}, nc={count}, cnonce=\"c\", algorithm={algorithm}, \
             response=\"{response}\"\r\n\r\n"
        )
    }
}

const ASK: &str = "GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn who_knows_the_secret_gets_in() {
    let client = client();
    let (nonce, stale) = challenge(&client.ask(ASK));
    assert!(!stale);
    let presents = Presents::new(&nonce, "00000001");
    assert_eq!(client.ask(presents.request()), ok("ann"));
    let presents = Presents { algorithm: "MD5", count: "00000002", ..presents };
    assert_eq!(client.ask(presents.request()), ok("ann"));
    let presents =
        Presents { user: "J\u{fc}rgen", password: "x\"y", count: "0000000a", ..presents };
    assert_eq!(client.ask(presents.request()), ok("J\u{fc}rgen"));
    // The extended notation of names.
    let request = Presents { count: "0000000b", ..presents }.request();
    let request = request.replace("username=\"J\u{fc}rgen\"", "username*=UTF-8''J%C3%BCrgen");
    assert_eq!(client.ask(request), ok("J\u{fc}rgen"));
}

#[test]
fn a_recorded_request_is_not_accepted_again() {
    let client = client();
    let (nonce, _) = challenge(&client.ask(ASK));
    let request = Presents::new(&nonce, "00000001").request();
    assert_eq!(client.ask(&request), ok("ann"));
    assert!(challenge(&client.ask(&request)).1, "its count was used");
    // Nor for something else.
    let other = Presents::new(&nonce, "00000002").request();
    let (_, stale) = challenge(&client.ask(other.replace("GET /a?b ", "GET /c ")));
    assert!(!stale);
    let (_, stale) = challenge(&client.ask(other.replace("GET /a?b ", "DELETE /a?b ")));
    assert!(!stale);
    assert_eq!(client.ask(other), ok("ann"));
}

#[test]
fn an_old_nonce_is_stale() {
    let client = client();
    let (nonce, _) = challenge(&client.ask(ASK));
    for second in 0..5 {
        assert_eq!(
            client.ask(Presents::new(&nonce, &format!("{:08x}", second + 1)).request()),
            ok("ann")
        );
        client.advance(Duration::from_secs(59));
    }
    challenge(&client.ask(ASK)); // else the connection is idle for too long
    client.advance(Duration::from_secs(6));
    let presents = Presents::new(&nonce, "00000010");
    let (fresh, stale) = challenge(&client.ask(presents.request()));
    assert!(stale && fresh != nonce);
    let wrong = Presents { password: "x", ..presents.clone() };
    assert!(
        !challenge(&client.ask(wrong.request())).1,
        "only who knows the secret hears that it is stale"
    );
    assert_eq!(client.ask(Presents { nonce: &fresh, ..presents }.request()), ok("ann"));
    let foreign = "0".repeat(64);
    assert!(challenge(&client.ask(Presents::new(&foreign, "00000001").request())).1);
}

#[test]
fn nobody_else_gets_in() {
    let client = client();
    let (nonce, _) = challenge(&client.ask(ASK));
    let right = Presents::new(&nonce, "00000001");
    let wrong = [
        Presents { user: "bob", ..right.clone() },
        Presents { password: "Secret", ..right.clone() },
        Presents { realm: "a vault", ..right.clone() },
        Presents { algorithm: "SHA-512", ..right.clone() },
        Presents { algorithm: "MD5-sess", ..right.clone() },
        Presents { qop: "auth-int", ..right.clone() },
        Presents { count: "1", ..right.clone() },
        Presents { count: "+0000001", ..right.clone() },
        Presents { count: "000000001", ..right.clone() },
        Presents { uri: "/a", ..right.clone() },
        Presents { method: "POST", ..right.clone() },
    ];
    for presents in wrong {
        let request = presents.request().replace("POST", "GET");
        assert!(!challenge(&client.ask(&request)).1, "{request}");
    }
    let request = right.request();
    for (from, to) in [
        ("username=\"ann\", ", ""),
        ("username=\"ann\"", "username=\"bob\", username=\"ann\""),
        ("cnonce=\"c\", ", ""),
        ("qop=auth, ", ""),
        ("Digest ", "Basic "),
        ("\r\n\r\n", "\r\nAuthorization: Digest x=y\r\n\r\n"),
        ("cnonce=\"c\"", &format!("cnonce=\"{}\"", "c".repeat(5_000))),
    ] {
        assert!(!challenge(&client.ask(request.replace(from, to))).1, "{from}");
    }
    assert_eq!(client.ask(request), ok("ann"), "and this one was right");
}

#[test]
fn what_is_offered() {
    let answers = |guard: Guard<_>| Client::new(guard).ask(ASK);
    let inner = || answer(|_: &Request| "");
    let received = answers(Guard::digest("r", users(), inner()).unwrap().and_basic());
    let schemes: Vec<_> =
        received.lines().filter_map(|line| line.strip_prefix("WWW-Authenticate: ")).collect();
    assert!(
        schemes[0].starts_with("Digest realm=\"r\", qop=\"auth\", algorithm=SHA-256, nonce=\"")
    );
    assert!(schemes[1].contains("algorithm=MD5,"));
    assert_eq!(schemes[2..], ["Basic realm=\"r\", charset=\"UTF-8\""]);
    let only = Guard::digest("r", users(), inner()).unwrap().algorithms([DigestAlgorithm::Sha256]);
    let client = Client::new(only);
    let received = client.ask(ASK);
    assert_eq!(received.matches("WWW-Authenticate").count(), 1);
    let (nonce, _) = challenge(&received);
    let presents = Presents { algorithm: "MD5", realm: "r", ..Presents::new(&nonce, "00000001") };
    challenge(&client.ask(presents.request()));
}

/// A database that takes a second.
struct Slow;

impl Checker for Slow {
    fn check(&self, reactor: &Reactor, _: Credentials) -> Deferred<Identity, AuthError> {
        Deferred::failed_on(reactor, AuthError::Refused)
    }

    fn stored(&self, reactor: &Reactor, _: &str, _: Form) -> Deferred<Option<Stored>, AuthError> {
        let (promise, stored) = reactor.promise();
        let password = Stored::Password("secret".into());
        reactor.call_later(Duration::from_secs(1), |_| promise.resolve(Some(password)));
        stored
    }
}

#[test]
fn guesses_at_once_are_bounded() {
    let limiter = FailureLimiter::default().failures_max(3, 3);
    let users = Authenticator::with(Slow, AuthenticatorConfig::default().limiter(limiter));
    let server =
        HttpServer::new(Guard::digest("the vault", users, answer(|_: &Request| "in")).unwrap());
    let reactor = Reactor::simulated(0);
    let guess = |password: &str, count: &str| {
        let client = Client::of(&reactor, &server);
        let (nonce, _) = challenge(&client.ask(ASK));
        client.send(Presents { password, ..Presents::new(&nonce, count) }.request());
        client
    };
    let mut clients: Vec<_> = (0..10).map(|_| guess("wrong", "00000001")).collect();
    // The right password, with a count that a nonce may have, and with one that makes it stale.
    clients.extend(["00000001", "00000000"].map(|count| guess("secret", count)));
    reactor.advance(Duration::from_secs(60)).unwrap();
    let received = clients.iter().map(Client::received);
    let statuses: Vec<_> = received.map(|received| received[9..12].to_owned()).collect();
    assert_eq!(statuses, [vec!["401"; 3], vec!["429"; 9]].concat());
}
