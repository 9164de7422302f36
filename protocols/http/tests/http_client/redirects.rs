//! Redirects as they are followed: methods, bodies, and what is not told to another server.

use sinew_http::{
    Body, Method, StatusCode,
    client::{ClientConfig, CookieJar, RedirectError, Redirects, Request, RequestError},
    server::{Reply, Request as Asked, Response},
};

use super::world::World;

/// `/STATUS?URL` leads there with that status; anything else answers with what was asked.
fn leading(request: Asked, reply: Reply) {
    let status =
        request.path()[1..].parse().ok().and_then(|code: u16| StatusCode::from_u16(code).ok());
    if let (Some(status), Some(to)) = (status, request.query()) {
        let response = Response::new(status).with("Location", to).unwrap();
        return reply.send(response.with_body("a page that nobody reads"));
    }
    request.clone().collect().then(move |_, body| {
        let Ok(body) = body else { return };
        let mut text = format!("{} {}", request.method(), request.path());
        for name in ["authorization", "cookie", "proxy-authorization", "content-type", "x-own"] {
            if let Some(value) = request.field(name) {
                text.push_str(&format!(" {name}={value}"));
            }
        }
        reply.send(Response::text(format!("{text} {}", String::from_utf8_lossy(&body))));
    });
}

fn two_servers() -> World {
    let world = World::new(leading);
    world.serve("other", 80, leading);
    world
}

#[test]
fn they_are_followed_and_told() {
    let world = two_servers();
    let (text, urls, idle) = world.run(ClientConfig::default(), |client| async move {
        client.get("http://server/301?/302%3Fx").await.unwrap();
        let response = client.client.get("http://server/302?/308?http://other/end").await.unwrap();
        let urls: Vec<_> = response.redirects().iter().map(ToString::to_string).collect();
        let url = response.url().unwrap().to_string();
        (response.text().await.unwrap(), (urls, url), client.client.pool().open())
    });
    assert_eq!(text, "GET /end ");
    let before = ["http://server/302?/308?http://other/end", "http://server/308?http://other/end"];
    assert_eq!(urls, (before.map(str::to_owned).to_vec(), "http://other/end".to_owned()));
    assert_eq!(idle, 2, "the short bodies of redirects were read: one connection for each server");
}

#[test]
fn methods_and_bodies() {
    let cases = [
        (Method::POST, 301, "GET /end "),
        (Method::POST, 302, "GET /end "),
        (Method::POST, 303, "GET /end "),
        (Method::PUT, 303, "GET /end "),
        (Method::POST, 307, "POST /end content-type=text/x hello"),
        (Method::PUT, 302, "PUT /end content-type=text/x hello"),
        (Method::DELETE, 308, "DELETE /end content-type=text/x hello"),
    ];
    for (method, status, expected) in cases {
        let world = World::new(leading);
        let request = Request::new(method.clone(), format!("http://server/{status}?/end"))
            .unwrap()
            .with("Content-Type", "text/x")
            .unwrap()
            .body("hello");
        let answer = world.send(ClientConfig::default(), request).unwrap();
        assert_eq!(answer.text, expected, "{method} {status}");
    }
}

#[test]
fn a_body_that_cannot_be_sent_again_ends_the_way() {
    let world = World::new(leading);
    let status = world.run(ClientConfig::default(), |client| async move {
        let (writer, body) = Body::writer();
        writer.write("once");
        writer.finish();
        let request = Request::post("http://server/307?/end", body).unwrap();
        client.ask(request).await.unwrap().status
    });
    assert_eq!(status, 307);
    let request = Request::post("http://server/307?/end", "").unwrap().body_from(|| {
        let (writer, body) = Body::writer();
        writer.write("made anew");
        writer.finish();
        body
    });
    let answer = world.send(ClientConfig::default(), request).unwrap();
    assert_eq!(answer.text, "POST /end made anew");
}

#[test]
fn redirect_strips_credentials() {
    let cases = [
        ("http://server/end", "authorization=Bearer t cookie=a=b x-own=1 "),
        ("http://other/end", "x-own=1 "),
        ("http://server:8080/end", "x-own=1 "),
    ];
    for (to, expected) in cases {
        let world = two_servers();
        world.serve("server", 8080, leading);
        let request = Request::get(format!("http://server/302?{to}"))
            .unwrap()
            .bearer("t")
            .and_then(|request| request.with("Cookie", "a=b"))
            .and_then(|request| request.with("X-Own", "1"))
            .unwrap();
        let answer = world.send(ClientConfig::default(), request).unwrap();
        assert_eq!(answer.text, format!("GET /end {expected}"), "{to}");
    }
}

#[test]
fn credentials_do_not_come_back() {
    // To another server and back again: what was left out stays out.
    let world = two_servers();
    let request = Request::get("http://server/302?http://other/302?http://server/end")
        .unwrap()
        .bearer("t")
        .unwrap();
    assert_eq!(
        world.send(ClientConfig::default(), request).unwrap().text,
        "GET /end  ".trim_end().to_owned() + " "
    );
}

#[test]
fn cookies_of_a_jar_go_where_they_belong() {
    let world = World::new(|request: Asked, reply: Reply| match request.path() {
        "/start" => {
            let response = Response::new(StatusCode::FOUND)
                .with("Location", "http://other/end")
                .and_then(|response| response.with("Set-Cookie", "id=server; Path=/"));
            reply.send(response.unwrap());
        }
        _ => leading(request, reply),
    });
    world.serve("other", 80, leading);
    let config = ClientConfig::default().cookies(CookieJar::new());
    let (there, back) = world.run(config, |client| async move {
        let there = client.get("http://server/start").await.unwrap().text;
        (there, client.get("http://server/end").await.unwrap().text)
    });
    assert_eq!((there.as_str(), back.as_str()), ("GET /end ", "GET /end cookie=id=server "));
}

#[test]
fn what_is_not_followed() {
    let world = World::new(leading);
    let error = world.get(ClientConfig::default(), "http://server/302?ftp://a/").unwrap_err();
    assert!(matches!(error, RequestError::Redirect(RedirectError::Scheme { .. })), "{error}");
    let error = world.get(ClientConfig::default(), "http://server/302?/302%3F").unwrap();
    assert_eq!(error.status, 200, "a path with a question mark in it");
    let none = ClientConfig::default().redirects(Redirects::none());
    assert_eq!(world.get(none, "http://server/302?/end").unwrap().status, 302);
    let request = Request::get("http://server/302?/end").unwrap().redirects(Redirects::none());
    assert_eq!(world.send(ClientConfig::default(), request).unwrap().status, 302);
}

#[test]
fn circles_end() {
    let world = World::new(|_: Asked, reply: Reply| {
        reply.send(Response::new(StatusCode::FOUND).with("Location", "/").unwrap());
    });
    let error = world.get(ClientConfig::default(), "http://server/").unwrap_err();
    assert!(
        matches!(error, RequestError::Redirect(RedirectError::TooMany { max: 4, .. })),
        "{error}"
    );
    let world = World::new(|request: Asked, reply: Reply| {
        let number: u32 = request.path()[1..].parse().unwrap();
        let to = format!("/{}", number + 1);
        reply.send(Response::new(StatusCode::FOUND).with("Location", to).unwrap());
    });
    let error = world.get(ClientConfig::default(), "http://server/0").unwrap_err();
    assert_eq!(error.to_string(), "more than 10 redirects, the last to http://server/11");
}
