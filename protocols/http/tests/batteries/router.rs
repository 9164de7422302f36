//! Tests of the router: patterns, methods, nesting, redirects, virtual hosts.

use sinew_http::server::{Redirect, Request, Router, VirtualHosts, answer};

use crate::support::{Client, ok};

/// Responds with its name and its parameters.
fn named(name: &'static str, params: &'static [&'static str]) -> impl sinew_http::server::Handler {
    answer(move |request: &Request| {
        let params: Vec<_> =
            params.iter().map(|param| request.param(param).map(|text| text.into_owned())).collect();
        let params: Vec<_> =
            params.into_iter().map(|param| param.unwrap_or("none".to_owned())).collect();
        format!("{name}({}) {}", params.join(","), request.rest())
    })
}

fn router() -> Router {
    let inner = Router::new()
        .get("/", named("inner", &["who"]))
        .get("/{id}", named("inner-id", &["who", "id"]))
        .nest("/deep", Router::new().get("/x", named("deep", &[])));
    Router::new()
        .get("/", named("root", &[]))
        .get("/a", named("a", &[]))
        .get("/a/", named("a-slash", &[]))
        .get("/caf\u{e9}", named("cafe", &[]))
        .get("/users/{name}", named("user", &["name"]))
        .post("/users/{name}", named("user-post", &["name"]))
        .get("/users/me", named("me", &[]))
        .get("/users/{name}/posts/{post}", named("post", &["name", "post", "other"]))
        .get("/users/me/drafts", named("drafts", &[]))
        .get("/files/{path...}", named("files", &["path"]))
        .get("/files/{dir}/index", named("index", &["dir"]))
        .any("/any", named("any", &[]))
        .nest("/in", inner)
        .nest("/of/{who}", Router::new().get("/{id}", named("of", &["who", "id"])))
}

fn body(path: &str, method: &str) -> String {
    let client = Client::new(router());
    let received = client.ask(format!("{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
    let (head, body) = received.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap();
    if status == "200" { body.to_owned() } else { status.to_owned() }
}

#[test]
fn patterns() {
    let cases = [
        ("/", "root() /"),
        ("/?a=b", "root() /"),
        ("/a", "a() /a"),
        ("/a/", "a-slash() /a/"),
        ("/a//", "404"),
        ("/A", "404"),
        ("/%61", "a() /%61"),
        ("/caf%C3%A9", "cafe() /caf%C3%A9"),
        ("/users/me", "me() /users/me"),
        ("/users/m%65", "me() /users/m%65"),
        ("/users/ann", "user(ann) /users/ann"),
        ("/users/a%2Fb", "user(a/b) /users/a%2Fb"),
        ("/users/%FF", "user(none) /users/%FF"),
        ("/users/", "404"),
        ("/users", "404"),
        ("/users/ann/posts/7", "post(ann,7,none) /users/ann/posts/7"),
        ("/users/me/posts/7", "post(me,7,none) /users/me/posts/7"),
        ("/users/me/drafts", "drafts() /users/me/drafts"),
        ("/files/a/b/c", "files(a/b/c) /files/a/b/c"),
        ("/files/a", "files(a) /files/a"),
        ("/files/", "files() /files/"),
        ("/files", "404"),
        ("/files/a/index", "index(a) /files/a/index"),
        ("/files/a/b/index", "files(a/b/index) /files/a/b/index"),
        ("/in", "inner(none) "),
        ("/in/", "inner(none) /"),
        ("/in/7", "inner-id(none,7) /7"),
        ("/in/7/8", "404"),
        ("/in/deep/x", "deep() /x"),
        ("/in/deep/y", "404"),
        ("/inn", "404"),
        ("/of/ann/3", "of(ann,3) /3"),
        ("http://a/a", "a() /a"),
        ("http://a", "root() /"),
    ];
    for (path, expected) in cases {
        assert_eq!(body(path, "GET"), expected, "{path}");
    }
}

#[test]
fn methods() {
    let client = Client::new(router());
    let ask = |method: &str, path: &str| {
        client.ask(format!("{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n"))
    };
    let refused = "HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD, OPTIONS, POST\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(ask("DELETE", "/users/ann"), refused);
    assert_eq!(ask("BREW", "/users/ann"), refused);
    assert_eq!(
        ask("OPTIONS", "/users/ann"),
        "HTTP/1.1 204 No Content\r\nAllow: GET, HEAD, OPTIONS, POST\r\n\r\n"
    );
    assert_eq!(body("/users/ann", "POST"), "user-post(ann) /users/ann");
    assert_eq!(body("/any", "BREW"), "any() /any");
    let head = ask("HEAD", "/a");
    assert!(
        head.starts_with("HTTP/1.1 200 OK")
            && head.contains("Content-Length: 6")
            && head.ends_with("\r\n\r\n")
    );
    assert!(ask("OPTIONS", "*").starts_with("HTTP/1.1 404"));
    // A handler for HEAD without one for GET.
    let client = Client::new(Router::new().post("/", answer(|_| "")));
    assert!(client.ask("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("HTTP/1.1 405"));
}

#[test]
fn missing_files() {
    let client =
        Client::new(Router::new().get("/a", answer(|_| "a")).fallback(answer(|_| "fallback")));
    assert_eq!(client.ask("GET /b HTTP/1.1\r\nHost: a\r\n\r\n"), ok("fallback"));
    let connect = client.ask("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n");
    assert!(
        connect.starts_with("HTTP/1.1 501 "),
        "there is no tunnel where no protocol is: {connect}"
    );
}

#[test]
fn malformed_patterns() {
    let cases: [fn() -> Router; 8] = [
        || Router::new().get("a", answer(|_| "")),
        || Router::new().get("", answer(|_| "")),
        || Router::new().get("/{", answer(|_| "")),
        || Router::new().get("/x{a}", answer(|_| "")),
        || Router::new().get("/{a...}/b", answer(|_| "")),
        || Router::new().get("/{}", answer(|_| "")),
        || Router::new().get("/a", answer(|_| "")).get("/a", answer(|_| "")),
        || Router::new().nest("/a/", answer(|_| "")),
    ];
    for case in cases {
        assert!(std::panic::catch_unwind(case).is_err());
    }
}

#[test]
fn redirects() {
    let router = Router::new()
        .get("/old", Redirect::to("/new").unwrap())
        .post("/form", Redirect::see_other("/thanks").unwrap())
        .nest("/docs", Redirect::permanent("https://docs.example.org/").unwrap().with_rest());
    let client = Client::new(router);
    let ask = |request: &str| {
        let received = client.ask(format!("{request} HTTP/1.1\r\nHost: a\r\n\r\n"));
        received.strip_suffix("Content-Length: 0\r\n\r\n").unwrap().to_owned()
    };
    assert_eq!(ask("GET /old?x=y"), "HTTP/1.1 307 Temporary Redirect\r\nLocation: /new\r\n");
    assert_eq!(ask("POST /form"), "HTTP/1.1 303 See Other\r\nLocation: /thanks\r\n");
    assert_eq!(
        ask("GET /docs/a%20b?x=y"),
        "HTTP/1.1 308 Permanent Redirect\r\nLocation: https://docs.example.org/a%20b?x=y\r\n"
    );
    assert_eq!(
        ask("GET /docs"),
        "HTTP/1.1 308 Permanent Redirect\r\nLocation: https://docs.example.org/\r\n"
    );
    assert!(Redirect::to("/a\r\nSet-Cookie: b").is_err());
}

#[test]
fn hosts() {
    let hosts = || {
        VirtualHosts::new()
            .host("example.org", answer(|_| "exact"))
            .host("*.example.org", answer(|_| "below"))
            .host("*.deep.example.org", answer(|_| "deeper"))
            .host("[::1]", answer(|_| "six"))
    };
    let cases = [
        ("example.org", "exact"),
        ("EXAMPLE.org:8080", "exact"),
        ("example.org.", "exact"),
        ("www.example.org", "below"),
        ("a.b.example.org", "below"),
        ("x.deep.example.org", "deeper"),
        ("[::1]", "six"),
        ("[::1]:80", "six"),
    ];
    for (host, expected) in cases {
        let received = Client::new(hosts()).ask(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(received, ok(expected), "{host}");
    }
    // host_never_echoed
    for host in ["other.org", "xexample.org", ".example.org", "example.org.evil"] {
        let received = Client::new(hosts()).ask(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(
            received, "HTTP/1.1 421 Misdirected Request\r\nContent-Length: 0\r\n\r\n",
            "{host}"
        );
    }
    let client = Client::new(hosts().fallback(answer(|_| "any")));
    assert_eq!(
        client.ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").lines().next(),
        Some("HTTP/1.1 200 OK")
    );
    // The authority of the target has precedence.
    assert_eq!(
        client.ask("GET http://example.org/ HTTP/1.1\r\nHost: example.org\r\n\r\n"),
        ok("exact")
    );
}
