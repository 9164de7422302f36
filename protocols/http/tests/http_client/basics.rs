//! What is sent, and what comes back.

use sinew_http::{
    Body, BodySource, BodyWaker, Method, Produced, StatusCode,
    client::{ClientConfig, HttpClient, Request, RequestError},
    server::{Files, HttpServer, Reply, Request as Asked, Response},
};
use sinew_transports::{
    ListenConfig, ReactorTcp,
    endpoint::{ClientEndpoint, ServerEndpoint},
    reactor::Reactor,
};

use super::world::World;

/// Answers with what was asked: method, target, fields, body.
fn mirror(request: Asked, reply: Reply) {
    request.clone().collect().then(move |_, body| {
        let Ok(body) = body else { return };
        let mut text = format!("{} {}\n", request.method(), request.head().target());
        for (name, value) in request.fields().iter() {
            text.push_str(&format!("{name}: {}\n", String::from_utf8_lossy(value)));
        }
        text.push_str(&String::from_utf8_lossy(&body));
        reply.send(Response::text(text));
    });
}

#[test]
fn what_a_request_says() {
    let world = World::new(mirror);
    let answer = world.get(ClientConfig::default(), "http://server/a%20b?c=d#e").unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!(
        "GET /a%20b?c=d\nHost: server\nUser-Agent: sinew/{version}\nAccept: */*\nAccept-Encoding: gzip, deflate\n"
    );
    assert_eq!((answer.text, answer.status), (expected, 200));
    assert_eq!(answer.url, "http://server/a%20b?c=d#e");
}

#[test]
fn what_was_set_takes_the_place_of_what_is_set_by_default() {
    let world = World::new(mirror);
    let request = Request::new(Method::PATCH, "http://server/")
        .unwrap()
        .with("user-agent", "mine")
        .and_then(|request| request.with("X-Twice", "1"))
        .and_then(|request| request.with("X-Twice", "2"))
        .and_then(|request| request.bearer("secret"))
        .unwrap()
        .body("hello");
    let config = ClientConfig::default().without_field("accept").decompress(false);
    assert_eq!(
        world.send(config, request).unwrap().text,
        "PATCH /\nHost: server\nuser-agent: mine\nX-Twice: 1\nX-Twice: 2\nAuthorization: Bearer secret\n\
         Content-Length: 5\nhello"
    );
}

#[test]
fn a_port_that_is_not_the_usual_one() {
    let world = World::empty();
    world.serve("server", 8080, mirror);
    let answer = world.get(ClientConfig::default(), "http://server:8080").unwrap();
    assert!(answer.text.starts_with("GET /\nHost: server:8080\n"), "{}", answer.text);
}

#[test]
fn urls_that_cannot_be_asked_for() {
    let world = World::new(mirror);
    let errors = world.run(ClientConfig::default(), |client| async move {
        let mut errors = Vec::new();
        for url in ["ftp://server/", "hello", "http://", "data:,x"] {
            errors.push(client.get(url).await.unwrap_err());
        }
        errors
    });
    assert!(errors.iter().all(|error| matches!(error, RequestError::Url(_))), "{errors:?}");
}

#[test]
fn nobody_is_there() {
    let world = World::empty();
    let _ = world.network.host("server");
    let error = world.get(ClientConfig::default(), "http://server/").unwrap_err();
    let RequestError::Connect(source) = &error else { panic!("{error}") };
    assert!(source.is_refused(), "{error}");
    let error = world.get(ClientConfig::default(), "http://nobody.example/").unwrap_err();
    assert!(error.to_string().contains("could not resolve nobody.example"), "{error}");
}

/// Makes a body of so many pieces.
struct Pieces(u32);

impl BodySource for Pieces {
    fn produce(&mut self, out: &mut Vec<u8>, _: &BodyWaker) -> Produced {
        self.0 -= 1;
        out.extend_from_slice(&[b'x'; 10_000]);
        if self.0 > 0 { Produced::More } else { Produced::Done }
    }
}

#[test]
fn bodies_are_streamed_both_ways() {
    // What comes is sent back as it comes.
    let world = World::new(|request: Asked, reply: Reply| {
        let (writer, body) = Body::writer();
        reply.send(Response::new(StatusCode::OK).with_body(body));
        let reactor = request.reactor();
        reactor
            .clone()
            .spawn(async move {
                while let Ok(Some(piece)) = request.next_piece().await {
                    writer.write(&piece);
                    let _ = writer.room(&reactor).await;
                }
                writer.finish();
            })
            .detach();
    });
    let bytes = world.run(ClientConfig::default(), |client| async move {
        let body = Body::source(Pieces(500), None);
        let response = client.client.post("http://server/", body).await.unwrap();
        let mut bytes = 0;
        while let Some(piece) = response.next_piece().await.unwrap() {
            assert!(piece.iter().all(|byte| *byte == b'x'));
            bytes += piece.len();
        }
        assert_eq!(client.client.pool().idle(), 1, "the connection is kept");
        bytes
    });
    assert_eq!(bytes, 5_000_000);
}

#[test]
fn connections_are_used_again() {
    let world = World::new(|request: Asked, reply: Reply| {
        let peer = request.peer().expect("it is there").to_string();
        reply.send(Response::text(peer));
    });
    let (one, two, three) = world.run(ClientConfig::default(), |client| async move {
        let one = client.get("http://server/").await.unwrap();
        let two = client.get("http://server/").await.unwrap();
        let closed = Request::get("http://server/").unwrap().close();
        client.ask(closed).await.unwrap();
        (one, two, client.get("http://server/").await.unwrap())
    });
    assert_eq!(one.text, two.text);
    assert_ne!(one.text, three.text, "the connection was closed in between");
}

#[test]
fn many_at_once_wait_for_a_connection() {
    let world = World::new(|request: Asked, reply: Reply| {
        let path = request.path().to_owned();
        request.reactor().call_later(std::time::Duration::from_millis(10), |_| {
            reply.send(Response::text(path));
        });
    });
    world.run(ClientConfig::default(), |client| async move {
        let url = |number: u32| format!("http://server/{number}");
        let waiting: Vec<_> = (0..50).map(|number| client.client.get(url(number))).collect();
        for (number, waiting) in waiting.into_iter().enumerate() {
            let response = waiting.await.unwrap();
            assert_eq!(response.text().await.unwrap(), format!("/{number}"));
            assert!(client.client.pool().open() <= 8);
        }
    });
}

#[test]
fn over_a_given_endpoint() {
    let reactor = Reactor::simulated(0);
    crate::watchdog::watch_this_test();
    let endpoint: ServerEndpoint = "memory:web".parse().unwrap();
    endpoint.listen(&reactor, HttpServer::new(mirror)).unwrap();
    let to: ClientEndpoint = "memory:web".parse().unwrap();
    let request = Request::get("http://example.org/x").unwrap().over(to);
    let waiting = HttpClient::new(&reactor).send(request);
    reactor.advance(std::time::Duration::from_secs(1)).unwrap();
    let response = waiting.take().unwrap().unwrap();
    let text = response.text();
    reactor.advance(std::time::Duration::from_secs(1)).unwrap();
    assert!(text.take().unwrap().unwrap().starts_with("GET /x\nHost: example.org\n"));
}

#[cfg(unix)]
#[test]
fn over_a_unix_socket() {
    crate::watchdog::watch_this_test();
    let folder = std::env::temp_dir().join(format!("sinew-http-client-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("web.sock");
    let reactor = Reactor::new().unwrap();
    let endpoint: ServerEndpoint = format!("unix:{}", path.display()).parse().unwrap();
    let port = endpoint.listen(&reactor, HttpServer::new(mirror)).unwrap();
    let encoded = path.display().to_string().replace('/', "%2F");
    let client = HttpClient::new(&reactor);
    let text = reactor.run_until(async move {
        let response = client.get(format!("http+unix://{encoded}/v1?x=y")).await.unwrap();
        response.text().await.unwrap()
    });
    assert!(text.unwrap().starts_with("GET /v1?x=y\nHost: localhost\n"));
    drop(port);
    let _ = std::fs::remove_dir_all(&folder);
}

#[test]
fn ranges_of_a_file() {
    crate::watchdog::watch_this_test();
    let folder = std::env::temp_dir().join(format!("sinew-http-ranges-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("a.txt"), "0123456789").unwrap();
    let reactor = Reactor::new().unwrap();
    let files = Files::new(&folder).unwrap();
    let config = ListenConfig::default();
    let port = reactor.listen_tcp_with("127.0.0.1:0", config, HttpServer::new(files)).unwrap();
    let url = format!("http://{}/a.txt", port.local());
    let client = HttpClient::new(&reactor);
    let (status, text) = reactor
        .run_until(async move {
            let request = Request::get(&url).unwrap().with("Range", "bytes=2-4").unwrap();
            let response = client.send(request).await.unwrap();
            (response.status(), response.text().await.unwrap())
        })
        .unwrap();
    assert_eq!((status, text.as_str()), (StatusCode::PARTIAL_CONTENT, "234"));
    let _ = std::fs::remove_dir_all(&folder);
}

#[test]
fn text_in_latin_1() {
    let world = World::new(|_: Asked, reply: Reply| {
        let response = Response::new(StatusCode::OK)
            .with("Content-Type", "text/plain; charset=ISO-8859-1")
            .map(|response| response.with_body(&b"caf\xe9"[..]));
        reply.send(response);
    });
    assert_eq!(world.get(ClientConfig::default(), "http://server/").unwrap().text, "caf\u{e9}");
}
