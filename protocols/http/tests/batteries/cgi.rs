//! Programs that answer requests, over TCP and with real processes.

use std::{
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    process::Command,
    thread,
    time::Duration,
};

use sinew_auth::Users;
use sinew_http::server::{Cgi, Guard, Handler, HttpServer, Router, ServerConfig};
use sinew_transports::{ReactorTcp, StreamConfig, memory, reactor::Reactor};

use super::folder::Folder;
use crate::support::without_dates;

/// Programs in a folder. A process of its own writes each: what another test starts meanwhile would inherit a file open for writing,
/// and then the system does not execute it (ETXTBSY).
fn scripts(scripts: &[(&str, &str)]) -> Folder {
    let mut folder = Folder::new();
    for (name, text) in scripts {
        folder = folder.with("text", format!("#!/bin/sh\n{text}\n"));
        let (from, path) = (folder.path().join("text"), folder.path().join(name));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        assert!(Command::new("cp").arg(&from).arg(&path).status().unwrap().success());
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::remove_file(from).unwrap();
    }
    folder
}

/// Serves while a client, on a thread of its own, does what it does.
fn serve<T: Send + 'static>(
    handler: impl Handler,
    client: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> T {
    crate::watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let config = ServerConfig::default().body_max(1 << 10);
    let port = reactor.listen_tcp("127.0.0.1:0", HttpServer::with_config(handler, config)).unwrap();
    let (addr, remote) = (port.local(), reactor.remote());
    let client = thread::spawn(move || {
        let result = client(TcpStream::connect(addr).unwrap());
        remote.stop().unwrap();
        result
    });
    reactor.run().unwrap();
    client.join().unwrap()
}

/// What comes back for requests, the last of which closes the connection.
fn ask(handler: impl Handler, request: impl Into<Vec<u8>>) -> String {
    let request = request.into();
    let received = serve(handler, move |mut stream| {
        stream.write_all(&request).unwrap();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
        String::from_utf8(received).unwrap()
    });
    without_dates(&received)
}

fn get(target: &str, fields: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: example.org:80\r\nConnection: close\r\n{fields}\r\n")
}

fn post(target: &str, framing: &str, body: &str) -> String {
    format!("POST {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{framing}\r\n\r\n{body}")
}

/// An answer of known length, or in chunks.
fn answer(status: &str, fields: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{fields}Connection: close\r\n\r\n{body}")
}

#[test]
fn the_variables_of_a_request() {
    let folder = scripts(&[("env", "printf 'Content-Type: text/plain\\n\\n'; env | sort")]);
    let path = folder.path().to_owned();
    let router = || {
        let cgi = Cgi::folder(&path).env("APP", "x");
        let guard = Guard::basic("r", Users::new().user("ann", "secret"), cgi).unwrap();
        Router::new().nest("/cgi bin", guard)
    };
    let fields = "Authorization: Basic YW5uOnNlY3JldA==\r\nProxy: http://evil/\r\nX-A: 1\r\nx-a: 2\r\nX_B: 3\r\n\
                  Cookie: a=b\r\nCookie: c=d\r\nContent-Type: text/x\r\nTransfer-Encoding: chunked\r\n";
    let body = "5\r\nhello\r\n0\r\n\r\n";
    let request = get("/cgi%20bin/env/more%2fpath/?q=a+b&c", fields) + body;
    let received = ask(router(), request);
    let (head, body) = received.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"), "{head}");
    let has = |line: &str| assert!(body.contains(&format!("{line}\n")), "{line} is not in {body}");
    for line in [
        "APP=x",
        "AUTH_TYPE=Basic",
        "CONTENT_LENGTH=5",
        "CONTENT_TYPE=text/x",
        "GATEWAY_INTERFACE=CGI/1.1",
        "HTTP_COOKIE=a=b; c=d",
        "HTTP_HOST=example.org:80",
        "HTTP_X_A=1, 2",
        "PATH=/usr/local/bin:/usr/bin:/bin",
        "PATH_INFO=/more/path/",
        "QUERY_STRING=q=a+b&c",
        "REMOTE_ADDR=127.0.0.1",
        "REMOTE_USER=ann",
        "REQUEST_METHOD=GET",
        "REQUEST_URI=/cgi%20bin/env/more%2fpath/?q=a+b&c",
        "SCRIPT_NAME=/cgi bin/env",
        "SERVER_NAME=example.org",
        "SERVER_PROTOCOL=HTTP/1.1",
    ] {
        has(line);
    }
    for absent in [
        "HTTP_PROXY",
        "HTTP_AUTHORIZATION",
        "secret",
        "HTTP_X_B",
        "HTTP_TRANSFER",
        "CARGO",
        "HOME=",
    ] {
        assert!(!body.contains(absent), "{absent} is in {body}");
    }
    let inside = std::fs::canonicalize(folder.path()).unwrap();
    has(&format!("PWD={}", inside.display()));
    has(&format!("SCRIPT_FILENAME={}/env", inside.display()));
}

#[test]
fn what_a_script_prints_is_the_answer() {
    let folder = scripts(&[
        ("plain", "printf 'Content-Type: a/b\\nContent-Length: 5\\n\\nhello'"),
        ("chunks", "printf 'Content-Type: a/b\\r\\nX: y\\r\\n\\r\\nhello'"),
        (
            "status",
            "printf 'Status: 404 Gone Fishing\\nContent-Type: a/b\\nContent-Length: 1\\n\\nx'",
        ),
        ("away", "printf 'Location: /elsewhere\\n\\n'"),
        ("nph-all", "printf 'HTTP/1.0 202 Well\\r\\nContent-Length: 0\\r\\n\\r\\n'"),
        ("nonsense", "echo hello; echo"),
        ("silent", "exit 3"),
        ("short", "printf 'Content-Type: a/b\\nContent-Length: 9\\n\\nhello'"),
        ("killed", "printf 'Content-Type: a/b\\n\\nhello'; kill -9 $$"),
        ("failing", "printf 'Content-Type: a/b\\n\\nhello'; echo oh >&2; exit 1"),
    ]);
    let chunked = "Transfer-Encoding: chunked\r\n";
    let empty = "Content-Length: 0\r\n";
    let cases = [
        ("/plain", answer("200 OK", "Content-Type: a/b\r\nContent-Length: 5\r\n", "hello")),
        (
            "/chunks",
            answer(
                "200 OK",
                &format!("Content-Type: a/b\r\nX: y\r\n{chunked}"),
                "5\r\nhello\r\n0\r\n\r\n",
            ),
        ),
        ("/status", answer("404 Not Found", "Content-Type: a/b\r\nContent-Length: 1\r\n", "x")),
        ("/away", answer("302 Found", &format!("Location: /elsewhere\r\n{chunked}"), "0\r\n\r\n")),
        ("/nph-all", answer("202 Accepted", empty, "")),
        ("/nonsense", answer("502 Bad Gateway", empty, "")),
        ("/silent", answer("502 Bad Gateway", empty, "")),
        ("/short", answer("200 OK", "Content-Type: a/b\r\nContent-Length: 9\r\n", "hello")),
        ("/killed", answer("200 OK", &format!("Content-Type: a/b\r\n{chunked}"), "5\r\nhello\r\n")),
        (
            "/failing",
            answer("200 OK", &format!("Content-Type: a/b\r\n{chunked}"), "5\r\nhello\r\n0\r\n\r\n"),
        ),
        ("/missing", answer("404 Not Found", empty, "")),
    ];
    for (target, expected) in cases {
        assert_eq!(ask(Cgi::folder(folder.path()), get(target, "")), expected, "{target}");
    }
    let head = get("/plain", "").replace("GET", "HEAD");
    let expected = answer("200 OK", "Content-Type: a/b\r\nContent-Length: 5\r\n", "");
    assert_eq!(ask(Cgi::folder(folder.path()), head), expected);
}

#[test]
fn a_script_reads_the_body() {
    let folder = scripts(&[
        ("cat", "printf 'Content-Type: a/b\\n\\n'; cat"),
        ("count", "n=$(wc -c); printf \"Content-Type: a/b\\nContent-Length: ${#n}\\n\\n$n\""),
        ("deaf", "exec <&-; printf 'Content-Type: a/b\\nContent-Length: 1\\n\\nx'"),
    ]);
    let cgi = || Cgi::folder(folder.path());
    let received = ask(cgi(), post("/cat", "Content-Length: 5", "hello"));
    assert!(received.ends_with("\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), "{received}");
    // A body in chunks is gathered, up to the server's limit.
    let received = ask(
        cgi(),
        post("/count", "Transfer-Encoding: chunked", "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
    );
    assert!(received.ends_with("\r\n\r\n5"), "{received}");
    let long = format!("401\r\n{}\r\n0\r\n\r\n", "x".repeat(0x401));
    let received = ask(cgi(), post("/count", "Transfer-Encoding: chunked", &long));
    assert!(received.starts_with("HTTP/1.1 413 "), "{received}");
    // One of known length may be as long as it likes.
    let len = 5 << 20;
    let request = post("/count", &format!("Content-Length: {len}"), &"x".repeat(len));
    assert!(ask(cgi(), request).ends_with(&format!("\r\n\r\n{len}")));
    // A script that does not read is no obstacle.
    let received = ask(cgi(), post("/deaf", "Content-Length: 5", "hello"));
    assert!(received.ends_with("\r\n\r\nx"), "{received}");
    let request = post("/count", "Content-Length: 5\r\nExpect: 100-continue", "");
    let received = serve(cgi(), move |mut stream| {
        stream.write_all(request.as_bytes()).unwrap();
        let mut go_on = [0; 25];
        stream.read_exact(&mut go_on).unwrap();
        assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
        stream.write_all(b"hello").unwrap();
        let mut received = String::new();
        stream.read_to_string(&mut received).unwrap();
        received
    });
    assert!(received.ends_with("\r\n\r\n5"), "{received}");
}

#[test]
fn a_slow_client_holds_the_script_back() {
    let folder = scripts(&[(
        "much",
        "printf 'Content-Type: a/b\\nContent-Length: 10000000\\n\\n'; head -c 10000000 /dev/zero",
    )]);
    let received = serve(Cgi::folder(folder.path()), |mut stream| {
        stream.write_all(get("/much", "").as_bytes()).unwrap();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
        received.len()
    });
    assert!(received > 10_000_000);
}

#[test]
fn a_script_ends_with_its_client() {
    let trap = "trap 'touch ended; exit' TERM; touch begun; while :; do sleep 0.01; done";
    let folder = scripts(&[
        ("answers", &format!("printf 'Content-Type: a/b\\n\\nhello'; {trap}")),
        ("never", trap),
    ]);
    for name in ["answers", "never"] {
        crate::watchdog::watch_this_test();
        let reactor = Reactor::new().unwrap();
        let server = HttpServer::new(Cgi::folder(folder.path()));
        let (_, wire) =
            memory::connect(&reactor, StreamConfig::default(), server.connection()).unwrap();
        let until = |file: &str| {
            let file = folder.path().join(file);
            while !file.exists() {
                reactor.turn(Some(Duration::from_millis(1))).unwrap();
            }
            std::fs::remove_file(file).unwrap();
        };
        wire.receive(get(&format!("/{name}"), ""));
        until("begun");
        wire.reset();
        // The watchdog ends this test if the script never hears of it.
        until("ended");
    }
}

#[test]
fn a_silent_script_is_ended() {
    let folder = scripts(&[
        ("never", "exec sleep 1000"),
        ("halfway", "printf 'Content-Type: a/b\\n\\nhello'; exec sleep 1000"),
    ]);
    let cgi = || Cgi::folder(folder.path()).timeout(Duration::from_millis(50));
    let received = ask(cgi(), get("/never", ""));
    assert_eq!(received, answer("504 Gateway Timeout", "Content-Length: 0\r\n", ""));
    let received = ask(cgi(), get("/halfway", ""));
    assert!(received.ends_with("\r\n\r\n5\r\nhello\r\n"), "it breaks off: {received}");
}

#[test]
fn which_files_are_scripts() {
    let folder =
        scripts(&[("bin/a", "printf 'Content-Type: a/b\\n\\n'; echo $0"), ("secret", "echo")])
            .with("bin/data", "printf 'Content-Type: a/b\\n\\nran'")
            .with("bin/.hidden", "x");
    let bin = folder.path().join("bin");
    std::os::unix::fs::symlink(folder.path().join("secret"), bin.join("link")).unwrap();
    for (target, status) in [
        ("/a", "200 OK"),
        ("/%61", "200 OK"),
        ("/data", "403 Forbidden"),
        ("/.hidden", "404 Not Found"),
        ("/..%2fsecret", "404 Not Found"),
        ("/../secret", "404 Not Found"),
        ("/link", "404 Not Found"),
        ("/a%00", "404 Not Found"),
        ("/a/%00", "400 Bad Request"),
        ("/", "404 Not Found"),
        ("//a", "404 Not Found"),
    ] {
        let received = ask(Cgi::folder(&bin), get(target, ""));
        assert!(received.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{target}: {received}");
    }
    let received = ask(Cgi::folder(&bin).interpreter("/bin/sh"), get("/data", ""));
    assert!(received.contains("\r\nran\r\n"), "{received}");
    let one = Router::new().nest("/one", Cgi::program(bin.join("a")));
    assert!(ask(one, get("/one/x", "")).starts_with("HTTP/1.1 200 OK\r\n"));
    let received = ask(Cgi::program(bin.join("missing")), get("/", ""));
    assert!(received.starts_with("HTTP/1.1 500 "), "{received}");
}

#[test]
fn so_many_and_no_more() {
    let folder = scripts(&[("waits", "printf 'Content-Type: a/b\\n\\n'; cat")]);
    let cgi = Cgi::folder(folder.path()).processes_max(1);
    let received = serve(cgi, |mut first| {
        let mut second = TcpStream::connect(first.peer_addr().unwrap()).unwrap();
        first.write_all(post("/waits", "Content-Length: 1", "").as_bytes()).unwrap();
        // Its head says that it runs.
        let mut begin = [0; 15];
        first.read_exact(&mut begin).unwrap();
        second.write_all(get("/waits", "").as_bytes()).unwrap();
        let mut refused = String::new();
        second.read_to_string(&mut refused).unwrap();
        first.write_all(b"x").unwrap();
        let mut rest = String::new();
        first.read_to_string(&mut rest).unwrap();
        let mut third = TcpStream::connect(first.peer_addr().unwrap()).unwrap();
        third.write_all(get("/waits", "").as_bytes()).unwrap();
        let mut again = String::new();
        third.read_to_string(&mut again).unwrap();
        [refused, rest, again]
    });
    assert!(received[0].starts_with("HTTP/1.1 503 "), "{received:?}");
    assert!(received[1].ends_with("x\r\n0\r\n\r\n"), "{received:?}");
    assert!(received[2].starts_with("HTTP/1.1 200 "), "{received:?}");
}
