//! Tests of layers: error pages, CORS, time limits.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_http::{
    StatusCode,
    server::{Cors, ErrorPages, Reply, Request, Response, Timeout, answer},
};

use crate::support::{Client, get, ok};

#[test]
fn errors_without_a_body_get_a_page() {
    let handler = answer(|request: &Request| match request.path() {
        "/404" => Response::new(StatusCode::NOT_FOUND),
        "/400" => Response::new(StatusCode::BAD_REQUEST),
        "/own" => Response::text("own").with_status(StatusCode::NOT_FOUND),
        "/204" => Response::new(StatusCode::NO_CONTENT),
        _ => Response::text("fine"),
    });
    let client = Client::new(ErrorPages::new(handler).page(StatusCode::NOT_FOUND, "<p>gone"));
    let page = |status: &str, page: &str| {
        let len = page.len();
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len}\r\n\r\n{page}"
        )
    };
    assert_eq!(client.ask(get("/404")), page("404 Not Found", "<p>gone"));
    let plain = "<!doctype html>\n<title>400 Bad Request</title>\n<h1>400 Bad Request</h1>\n";
    assert_eq!(client.ask(get("/400")), page("400 Bad Request", plain));
    assert!(client.ask(get("/own")).ends_with("\r\n\r\nown"));
    assert_eq!(client.ask(get("/204")), "HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(client.ask(get("/")), ok("fine"));
}

#[test]
fn a_dropped_reply_gets_a_page_too() {
    let client = Client::new(ErrorPages::new(|_: Request, reply: Reply| drop(reply)));
    assert!(client.ask(get("/")).ends_with("<h1>500 Internal Server Error</h1>\n"));
}

#[test]
fn other_origins() {
    let cors = || {
        Cors::new(answer(|_| "data"))
            .origin("https://a.example")
            .methods("GET, PUT")
            .headers("X-A")
            .expose("X-B")
            .credentials()
            .max_age(Duration::from_secs(60))
    };
    let ask = |client: &Client, request: &str| client.ask(format!("{request}\r\nHost: a\r\n\r\n"));
    let client = Client::new(cors());
    let question = "OPTIONS / HTTP/1.1\r\nAccess-Control-Request-Method: PUT\r\nOrigin: ";
    assert_eq!(
        ask(&client, &format!("{question}https://a.example")),
        "HTTP/1.1 204 No Content\r\nVary: Origin\r\nAccess-Control-Allow-Origin: https://a.example\r\n\
         Access-Control-Allow-Credentials: true\r\nAccess-Control-Expose-Headers: X-B\r\n\
         Access-Control-Allow-Methods: GET, PUT\r\nAccess-Control-Allow-Headers: X-A\r\nAccess-Control-Max-Age: 60\r\n\r\n"
    );
    assert_eq!(
        ask(&client, &format!("{question}https://b.example")),
        "HTTP/1.1 204 No Content\r\nVary: Origin\r\n\r\n"
    );
    let allowed = ask(&client, "GET / HTTP/1.1\r\nOrigin: https://a.example");
    assert!(
        allowed.contains("Access-Control-Allow-Origin: https://a.example\r\n")
            && allowed.ends_with("data")
    );
    for origin in ["https://b.example", "https://a.example.evil", "null", "HTTPS://A.EXAMPLE"] {
        let refused = ask(&client, &format!("GET / HTTP/1.1\r\nOrigin: {origin}"));
        assert!(
            !refused.contains("Access-Control") && refused.contains("Vary: Origin"),
            "{origin}"
        );
    }
    // Any origin, but without credentials.
    let client = Client::new(Cors::new(answer(|_| "data")).any_origin().credentials());
    let any = ask(&client, "GET / HTTP/1.1\r\nOrigin: null");
    assert!(any.contains("Access-Control-Allow-Origin: *\r\n") && !any.contains("Credentials"));
}

#[test]
fn a_handler_that_takes_too_long() {
    let kept = Rc::new(RefCell::new(Vec::new()));
    let keep = Rc::clone(&kept);
    let handler = move |_: Request, reply: Reply| keep.borrow_mut().push(reply);
    let client = Client::new(Timeout::new(handler, Duration::from_secs(5)));
    client.send(get("/")).advance(Duration::from_secs(4));
    kept.borrow_mut().pop().unwrap().send("in time");
    assert_eq!(client.received(), ok("in time"));
    client.send(get("/")).advance(Duration::from_secs(5));
    assert_eq!(client.received(), "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
    let late = kept.borrow_mut().pop().unwrap();
    assert!(late.is_gone());
    late.send("too late");
    assert_eq!(client.received(), "");
    // No timer is left when the client disconnects.
    client.send(get("/"));
    client.wire.reset();
    client.advance(Duration::ZERO);
    kept.borrow_mut().clear();
    drop(client.connection);
    sinew_testkit::testing::assert_clean(&client.reactor);
}
