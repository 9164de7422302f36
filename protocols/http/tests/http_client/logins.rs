//! Names and passwords: unasked, by Basic and by Digest.

use std::{cell::RefCell, rc::Rc};

use sinew_http::{
    Body, StatusCode,
    client::{ClientConfig, Passwords, Request, Url},
    server::{Reply, Request as Asked, Response},
};

use super::world::World;

/// Asks with these challenges until the credentials hold this text; answers with what was sent so far.
fn asking(challenges: &'static [&'static str], wanted: &'static str) -> World {
    let sent = Rc::new(RefCell::new(Vec::new()));
    World::new(move |request: Asked, reply: Reply| {
        let credentials = request.field("authorization").unwrap_or("-").to_owned();
        let is_right = credentials.contains(wanted);
        let scheme = credentials.split(' ').next().unwrap_or_default().to_owned();
        sent.borrow_mut().push(scheme);
        if is_right {
            return reply.send(Response::text(sent.borrow().join(" ")));
        }
        let mut response = Response::new(StatusCode::UNAUTHORIZED);
        for challenge in challenges {
            response.append("WWW-Authenticate", challenge).unwrap();
        }
        reply.send(response.with_body("who are you?"));
    })
}

fn login() -> Request {
    Request::get("http://server/x").unwrap().login("ann", "secret").unwrap()
}

const DIGEST: &str = "Digest realm=\"r\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256";

#[test]
fn basic_and_digest_are_answered() {
    let world = asking(&["Basic realm=\"r\""], "Basic YW5uOnNlY3JldA==");
    assert_eq!(world.send(ClientConfig::default(), login()).unwrap().text, "- Basic");
    let world = asking(&["Basic realm=\"r\"", DIGEST], "nc=00000001");
    assert_eq!(world.send(ClientConfig::default(), login()).unwrap().text, "- Digest");
    let world = asking(&["Negotiate, Basic realm=\"r\", Digest realm=r, nonce=n"], "uri=\"/x\"");
    assert_eq!(world.send(ClientConfig::default(), login()).unwrap().text, "- Digest");
}

#[test]
fn wrong_ones_are_tried_once() {
    for challenge in [&["Basic realm=\"r\""][..], &[DIGEST]] {
        let world = asking(challenge, "never right");
        let answer = world.send(ClientConfig::default(), login()).unwrap();
        assert_eq!((answer.status, answer.text.as_str()), (401, "who are you?"));
    }
    let world = asking(&["Negotiate"], "never right");
    assert_eq!(world.send(ClientConfig::default(), login()).unwrap().status, 401);
    let world = asking(&["Basic realm=\"r\""], "Basic");
    assert_eq!(
        world.get(ClientConfig::default(), "http://server/").unwrap().status,
        401,
        "no login"
    );
}

#[test]
fn an_old_nonce_is_replaced() {
    const STALE: &str = "Digest realm=\"r\", nonce=\"n\", qop=\"auth\", stale=true";
    let world = asking(&[STALE], "never right");
    // Stale over and over: it ends.
    assert_eq!(world.send(ClientConfig::default(), login()).unwrap().status, 401);
    let asked = Rc::new(RefCell::new(0));
    let world = World::new(move |request: Asked, reply: Reply| {
        *asked.borrow_mut() += 1;
        let credentials = request.field("authorization").unwrap_or_default();
        if credentials.contains("nonce=\"new\"") {
            return reply.send(Response::text(format!("after {}", asked.borrow())));
        }
        let (nonce, stale) =
            if *asked.borrow() == 1 { ("old", "") } else { ("new", ", stale=true") };
        let challenge = format!("Digest realm=r, qop=auth, nonce={nonce}{stale}");
        let response = Response::new(StatusCode::UNAUTHORIZED);
        reply.send(response.with("WWW-Authenticate", challenge).unwrap());
    });
    assert_eq!(world.send(ClientConfig::default(), login()).unwrap().text, "after 3");
}

#[test]
fn what_a_server_has_asked_for_is_sent_unasked_from_then_on() {
    let world = asking(&[DIGEST], "Digest");
    let passwords = Passwords::new()
        .add(Some("r"), &Url::parse("http://server/").unwrap(), "ann", "secret")
        .unwrap();
    let config = ClientConfig::default().passwords(passwords);
    let (first, second) = world.run(config, |client| async move {
        let first = client.get("http://server/").await.unwrap().text;
        (first, client.get("http://server/y").await.unwrap().text)
    });
    assert_eq!((first.as_str(), second.as_str()), ("- Digest", "- Digest Digest"));
    // But not for a request that has no such login.
    let world = asking(&[DIGEST], "Digest");
    let (first, second) = world.run(ClientConfig::default(), |client| async move {
        let first = client.ask(login()).await.unwrap().status;
        (first, client.get("http://server/y").await.unwrap().status)
    });
    assert_eq!((first, second), (200, 401));
}

#[test]
fn those_of_a_url_are_sent_at_once() {
    let world = asking(&[DIGEST], "Basic YW5uOnNlY3JldA==");
    let answer = world.get(ClientConfig::default(), "http://ann:secret@server/").unwrap();
    assert_eq!((answer.text.as_str(), answer.url.as_str()), ("Basic", "http://server/"));
    let world = asking(&[DIGEST], "Digest");
    let answer = world.get(ClientConfig::default(), "http://ann:secret@server/").unwrap();
    assert_eq!(answer.text, "Basic Digest", "the server wants another scheme");
}

#[test]
fn a_body_is_sent_again_with_the_answer() {
    let world = World::new(|request: Asked, reply: Reply| {
        let is_known = request.field("authorization").is_some();
        request.collect().then(move |_, body| {
            let Ok(body) = body else { return };
            if is_known {
                return reply.send(Response::text(body));
            }
            let response = Response::new(StatusCode::UNAUTHORIZED);
            reply.send(response.with("WWW-Authenticate", "Basic realm=r").unwrap());
        });
    });
    let post =
        |body: Body| Request::post("http://server/", body).unwrap().login("ann", "secret").unwrap();
    let answer = world.send(ClientConfig::default(), post("hello".into())).unwrap();
    assert_eq!((answer.status, answer.text.as_str()), (200, "hello"));
    let status = world.run(ClientConfig::default(), move |client| async move {
        let (writer, body) = Body::writer();
        writer.write("once");
        writer.finish();
        client.ask(post(body)).await.unwrap().status
    });
    assert_eq!(status, 401, "it cannot be sent again");
}
