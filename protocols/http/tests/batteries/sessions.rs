//! Tests of sessions: cookies, signatures, expiry.

use std::time::Duration;

use sinew_http::server::{MemoryStore, Request, Session, Sessions, answer};

use crate::support::Client;

const KEY: [u8; 32] = [7; 32];

fn handler(request: &Request) -> String {
    let session = request.find::<Session>().unwrap();
    match request.path() {
        "/login" => {
            session.renew();
            session.set("user", "ann").unwrap();
        }
        "/logout" => session.destroy(),
        "/count" => {
            let count: u32 = session.value("count").and_then(|n| n.parse().ok()).unwrap_or(0);
            session.set("count", (count + 1).to_string()).unwrap();
        }
        "/full" => return format!("{:?}", session.set("a", "x".repeat(20_000))),
        _ => {}
    }
    format!("{:?} {:?}", session.value("user"), session.value("count"))
}

fn client() -> Client {
    Client::new(Sessions::new(&KEY, MemoryStore::new(), answer(handler)))
}

/// The body, and the cookie that was set.
fn ask(client: &Client, path: &str, cookie: &str) -> (String, Option<String>) {
    let received =
        client.ask(format!("GET {path} HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\n\r\n"));
    let (head, body) = received.split_once("\r\n\r\n").unwrap();
    let cookie = head.lines().find_map(|line| line.strip_prefix("Set-Cookie: ")).map(str::to_owned);
    (body.to_owned(), cookie)
}

fn pair(cookie: &str) -> &str {
    cookie.split(';').next().unwrap()
}

#[test]
fn a_client_is_remembered() {
    let client = client();
    assert_eq!(
        ask(&client, "/", ""),
        ("None None".to_owned(), None),
        "an empty session is not stored"
    );
    let (body, cookie) = ask(&client, "/count", "");
    let cookie = cookie.unwrap();
    assert_eq!(body, "None Some(\"1\")");
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"), "{cookie}");
    let other = format!("a=b; {}; c=d", pair(&cookie));
    assert_eq!(ask(&client, "/count", &other), ("None Some(\"2\")".to_owned(), None));
    assert_eq!(ask(&client, "/", pair(&cookie)).0, "None Some(\"2\")");
    assert_ne!(ask(&client, "/count", "").1, Some(cookie), "another client gets another session");
}

#[test]
fn forged_cookies_are_ignored() {
    let client = client();
    let cookie = ask(&client, "/count", "").1.unwrap();
    let value = pair(&cookie).strip_prefix("session=").unwrap();
    let (id, signature) = value.split_once('.').unwrap();
    let flipped = if signature.starts_with('0') { '1' } else { '0' };
    for forged in [
        id.to_owned(),
        format!("{id}."),
        format!("{id}.{flipped}{}", &signature[1..]),
        format!("{id}.{}", &signature[..62]),
        format!("{}.{signature}", "0".repeat(32)),
        format!("{id}.{signature}00"),
        format!("{id}.zz"),
        ".".to_owned(),
        "\u{e4}.\u{e4}".to_owned(),
    ] {
        assert_eq!(ask(&client, "/", &format!("session={forged}")).0, "None None", "{forged}");
    }
    assert_eq!(ask(&client, "/", &format!("session={value}")).0, "None Some(\"1\")");
    // Signed with another key.
    let other = Client::new(Sessions::new(&[8; 32], MemoryStore::new(), answer(handler)));
    let foreign = ask(&other, "/count", "").1.unwrap();
    assert_eq!(ask(&client, "/", pair(&foreign)).0, "None None");
}

#[test]
fn logging_in_changes_the_id_and_logging_out_forgets_it() {
    let client = client();
    let before = ask(&client, "/count", "").1.unwrap();
    let (body, after) = ask(&client, "/login", pair(&before));
    let after = after.unwrap();
    assert_eq!(body, "Some(\"ann\") Some(\"1\")");
    assert_ne!(pair(&before), pair(&after));
    assert_eq!(ask(&client, "/", pair(&before)).0, "None None", "the old id is useless");
    let (_, gone) = ask(&client, "/logout", pair(&after));
    assert!(gone.unwrap().starts_with("session=; Path=/;"));
    assert_eq!(ask(&client, "/", pair(&after)).0, "None None");
}

#[test]
fn a_session_expires_when_it_is_not_used() {
    let client = client();
    let cookie = ask(&client, "/count", "").1.unwrap();
    for _ in 0..3 {
        for _ in 0..29 {
            client.advance(Duration::from_secs(59));
            client.send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
        }
        let _ = client.received();
        assert_eq!(ask(&client, "/", pair(&cookie)).0, "None Some(\"1\")");
    }
    for _ in 0..31 {
        client.advance(Duration::from_secs(59));
        client.send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    let _ = client.received();
    assert_eq!(ask(&client, "/", pair(&cookie)).0, "None None");
}

#[test]
fn sessions_and_stores_are_bounded() {
    let client = client();
    assert_eq!(ask(&client, "/full", "").0, "Err(more than 16384 bytes in a session)");
    let client =
        Client::new(Sessions::new(&KEY, MemoryStore::new().sessions_max(2), answer(handler)));
    let mut cookies = Vec::new();
    for _ in 0..3 {
        cookies.push(ask(&client, "/count", "").1.unwrap());
        client.advance(Duration::from_secs(1));
    }
    let bodies: Vec<_> = cookies.iter().map(|cookie| ask(&client, "/", pair(cookie)).0).collect();
    assert_eq!(
        bodies,
        ["None None", "None Some(\"1\")", "None Some(\"1\")"],
        "the oldest has gone"
    );
}
