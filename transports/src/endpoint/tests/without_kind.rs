//! Endpoint strings without a kind, and the errors of ambiguous ones: the table of
//! `docs/guide/13-endpoints-and-names.md`, and more.

use super::*;

/// The endpoint, or the carets and the message.
type Reading = Result<&'static str, (&'static str, &'static str)>;

const NO_BRACKETS: &str = "an IPv6 address must be in brackets before its port, as in [::1]:8000";

/// A string, and its results for a server and for a client.
const READINGS: &[(&str, Reading, Reading)] = &[
    ("127.0.0.1:8123", Ok("tcp:8123:interface=127.0.0.1"), Ok("tcp:127.0.0.1:8123")),
    ("localhost:8123", Ok("tcp:8123:interface=localhost"), Ok("tcp:localhost:8123")),
    ("example.org:https", Ok("tcp:443:interface=example.org"), Ok("tcp:example.org:443")),
    ("web1:8123", Ok("tcp:8123:interface=web1"), Ok("tcp:web1:8123")),
    ("db:5432", Ok("tcp:5432:interface=db"), Ok("tcp:db:5432")),
    ("[::1]:8123", Ok(r"tcp6:8123:interface=\:\:1"), Ok(r"tcp:\:\:1:8123")),
    ("[::]:8123", Ok("tcp6:8123"), Ok(r"tcp:\:\::8123")),
    ("[fe80::1%3]:80", Ok(r"tcp6:80:interface=fe80\:\:1%3"), Ok(r"tcp:fe80\:\:1%3:80")),
    ("[fe80::1%lo]:80", Ok(r"tcp6:80:interface=fe80\:\:1%lo"), Ok(r"tcp:fe80\:\:1%lo:80")),
    (r"[fe80\:\:1%lo]:80", Ok(r"tcp6:80:interface=fe80\:\:1%lo"), Ok(r"tcp:fe80\:\:1%lo:80")),
    ("8123", Ok("tcp:8123"), Err(("^^^^", "the host is missing; write HOST:8123"))),
    (":8123", Ok("tcp:8123"), Err(("^", "the host is missing; write HOST:8123"))),
    ("*:8123", Ok("tcp:8123"), Err(("^", "the host is missing; write HOST:8123"))),
    (
        "127.0.0.1:99999",
        Err(("          ^^^^^", "port 99999 is above 65535")),
        Err(("          ^^^^^", "port 99999 is above 65535")),
    ),
    (
        "[fe80::1%lo]:99999",
        Err(("             ^^^^^", "port 99999 is above 65535")),
        Err(("             ^^^^^", "port 99999 is above 65535")),
    ),
    (
        "web1:99999",
        Err(("     ^^^^^", "port 99999 is above 65535")),
        Err(("     ^^^^^", "port 99999 is above 65535")),
    ),
    (
        ":99999",
        Err((" ^^^^^", "port 99999 is above 65535")),
        Err((" ^^^^^", "port 99999 is above 65535")),
    ),
    (
        "99999",
        Err(("^^^^^", "port 99999 is above 65535")),
        Err(("^^^^^", "port 99999 is above 65535")),
    ),
    (
        "localhost:eighty",
        Err((
            "          ^^^^^^",
            r#""eighty" is not a port: neither 0 to 65535 nor a service name"#,
        )),
        Err((
            "          ^^^^^^",
            r#""eighty" is not a port: neither 0 to 65535 nor a service name"#,
        )),
    ),
    (
        "example.org",
        Err(("^^^^^^^^^^^", "example.org has no port; write example.org:PORT")),
        Err(("^^^^^^^^^^^", "example.org has no port; write example.org:PORT")),
    ),
    (
        "localhost:",
        Err(("^^^^^^^^^", "localhost has no port; write localhost:PORT")),
        Err(("^^^^^^^^^", "localhost has no port; write localhost:PORT")),
    ),
    (
        "127.0.0.1",
        Err(("^^^^^^^^^", "127.0.0.1 has no port; write 127.0.0.1:PORT")),
        Err(("^^^^^^^^^", "127.0.0.1 has no port; write 127.0.0.1:PORT")),
    ),
    (
        "[::1]",
        Err(("^^^^^", "[::1] has no port; write [::1]:PORT")),
        Err(("^^^^^", "[::1] has no port; write [::1]:PORT")),
    ),
    ("::1", Err(("^^^", NO_BRACKETS)), Err(("^^^", NO_BRACKETS))),
    ("::1:8123", Err(("^^^^^^^^", NO_BRACKETS)), Err(("^^^^^^^^", NO_BRACKETS))),
    ("fe80::1%lo:80", Err(("^^^^^^^^^^^^^", NO_BRACKETS)), Err(("^^^^^^^^^^^^^", NO_BRACKETS))),
    (
        "[::1:8123",
        Err(("^^^^^^^^^", "[::1:8123 is not an IPv6 address in brackets")),
        Err(("^^^^^^^^^", "[::1:8123 is not an IPv6 address in brackets")),
    ),
    (
        "127.0.0.1:8123:backlog=5",
        Err(("^^^^^^^^^", "options follow a kind, as in tcp:8000:interface=127.0.0.1")),
        Err(("^^^^^^^^^", "options follow a kind, as in tcp:example.org:80:timeout=10")),
    ),
    #[cfg(unix)]
    (
        "/run/web.sock",
        Err(("^^^^^^^^^^^^^", "a path begins with its kind, as in unix:/run/web.sock")),
        Err(("^^^^^^^^^^^^^", "a path begins with its kind, as in unix:/run/web.sock")),
    ),
    // Strings that may begin with a kind must do so.
    (
        "tpc:80",
        Err(("^^^", r#"unknown kind of endpoint "tpc", perhaps tcp; there are "#)),
        Ok("tcp:tpc:80"),
    ),
    (
        "tpc:host:80",
        Err(("^^^", r#"unknown kind of endpoint "tpc", perhaps tcp; there are "#)),
        Err(("^^^", r#"unknown kind of endpoint "tpc", perhaps tcp; there are "#)),
    ),
    (
        "nowhere",
        Err(("^^^^^^^", r#"unknown kind of endpoint "nowhere"; there are "#)),
        Err(("^^^^^^^", r#"unknown kind of endpoint "nowhere"; there are "#)),
    ),
    (
        "host:eighty",
        Err(("^^^^", r#"unknown kind of endpoint "host"; there are "#)),
        Err(("^^^^", r#"unknown kind of endpoint "host"; there are "#)),
    ),
    (
        ":",
        Err(("^", "the kind of endpoint is missing")),
        Err(("^", "the kind of endpoint is missing")),
    ),
    ("*", Err(("^", "unknown kind")), Err(("^", "unknown kind"))),
];

fn check(text: &str, read: Result<String, EndpointError>, expected: Reading) {
    match (read, expected) {
        (Ok(read), Ok(expected)) => assert_eq!(read, expected, "{text:?}"),
        (Err(error), Err((carets, message))) => {
            let error = error.to_string();
            let lines: Vec<_> = error.lines().collect();
            assert!(lines[0].starts_with(message), "{text:?}: {error}");
            assert_eq!(lines[1..], [format!("    {text}"), format!("    {carets}")], "{error}");
        }
        (read, expected) => panic!("{text:?}: {read:?}, and not {expected:?}"),
    }
}

#[test]
fn strings_without_a_kind() {
    for (text, server, client) in READINGS {
        check(text, text.parse().map(|read: ServerEndpoint| read.to_string()), *server);
        check(text, text.parse().map(|read: ClientEndpoint| read.to_string()), *client);
        // The same within a proxy endpoint.
        let proxied: Result<ServerEndpoint, _> = format!("proxy:{text}").parse();
        match (proxied, server) {
            (Ok(proxied), Ok(server)) => assert_eq!(proxied.to_string(), format!("proxy:{server}")),
            (Err(_), Err(_)) => {}
            (proxied, _) => panic!("proxy:{text}: {proxied:?}"),
        }
    }
}

/// The guide's table matches the parser.
#[test]
fn guide_has_the_same_table() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guide/13-endpoints-and-names.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, rest) = page.split_once("### Without a kind").expect("the section is there");
    let rows = rest
        .lines()
        .skip_while(|line| !line.starts_with("| `"))
        .take_while(|line| line.starts_with('|'));
    let mut seen = 0;
    for row in rows {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [texts, server, client] = cells[..] else { panic!("{row}") };
        for text in texts.split(", ").map(|text| text.trim_matches('`')) {
            let read = text.parse().map(|read: ServerEndpoint| read.to_string());
            check_cell(text, read, server);
            let read = text.parse().map(|read: ClientEndpoint| read.to_string());
            check_cell(text, read, client);
            seen += 1;
        }
    }
    assert!(seen >= 10, "{seen} strings in the table");
}

/// A cell is an endpoint, or an error message.
fn check_cell(text: &str, read: Result<String, EndpointError>, cell: &str) {
    match (read, cell.strip_prefix('`').and_then(|cell| cell.strip_suffix('`'))) {
        (Ok(read), Some(expected)) => assert_eq!(read, expected, "{text}"),
        (Err(error), None) => {
            let error = error.to_string();
            assert!(error.starts_with(cell.trim_end_matches('…')), "{text}: {cell:?}, and {error}");
        }
        (read, _) => panic!("{text}: {cell:?}, and {read:?}"),
    }
}

#[test]
fn registered_kinds_take_precedence_over_hosts() {
    let mut kinds = Kinds::default();
    kinds.server("web1", |_, arguments| {
        let port = arguments.require("port")?.port()?;
        Ok(ServerEndpoint::new(TcpServer::new((std::net::Ipv4Addr::LOCALHOST, port))))
    });
    let read = |text| kinds.server_endpoint(text).unwrap().to_string();
    assert_eq!(read("web1:80"), "tcp:80:interface=127.0.0.1");
    assert_eq!(read("web22:80"), "tcp:80:interface=web22");
    let error = kinds.server_endpoint("web2:80").unwrap_err().to_string();
    assert!(error.starts_with(r#"unknown kind of endpoint "web2", perhaps web1; "#), "{error}");
}

/// 70 KB strings, and terminal control characters.
#[test]
fn error_text_is_short_and_escaped() {
    let long = "a".repeat(70_000);
    let texts = [
        long.clone(),
        format!("{long}:80:81:82"),
        format!("tcp:{long}"),
        format!("tcp:{long}:{long}:{long}"),
        format!("tcp:80:{long}=5"),
        format!("tcp:80:interface=::{long}"),
        format!("tcp:80:backlog={long}"),
        format!("tcp:80:backlog=5:{}:backlog=6", "b=1:".repeat(20_000)),
        format!("proxy:tcp:80:trust={long}"),
        format!("localhost:{long}"),
        format!("{long}.example"),
        "1".repeat(70_000),
        format!("[{long}]:80"),
        ":".repeat(70_000),
        "[:".repeat(35_000),
        format!("{long}\\"),
        "tcp\u{1b}[2J:80:80".to_owned(),
        "tcp:\r\n\u{7}\u{202e}:80:80".to_owned(),
        "tcp:80:interface=\u{9b}31m.\n:v6only=yes".to_owned(),
        #[cfg(unix)]
        format!("unix:/web:mode={long}"),
        #[cfg(unix)]
        format!("process:cat:stderr={long}"),
        #[cfg(feature = "tls")]
        format!("tls:443:cert={long}"),
        #[cfg(feature = "tls")]
        format!("tls:{long}:443:insecure_without_verification=1"),
        #[cfg(feature = "tls")]
        format!("tls:host:443:alpn={long}:insecure_without_verification=1"),
    ];
    for text in texts {
        let start: String = text.chars().take(60).collect();
        let server = text.parse::<ServerEndpoint>().err();
        let client = text.parse::<ClientEndpoint>().err();
        assert!(server.is_some() || client.is_some(), "{start:?}");
        for error in [server, client].into_iter().flatten() {
            let message = error.to_string();
            assert!(message.len() < 2000, "{start:?}: {} bytes", message.len());
            assert_eq!(message.lines().count(), 3, "{message}");
            let is_plain = |c: char| c == '\n' || !c.is_control() && c != '\u{202e}';
            assert!(message.chars().all(is_plain), "{message:?}");
        }
    }
}

#[test]
fn excerpt_shows_the_position_in_a_long_string() {
    let text = format!("tcp:host:80:timeout=5:{}\u{7}=1:nodelay=no", "x".repeat(300));
    let error = text.parse::<ClientEndpoint>().unwrap_err();
    let message = error.to_string();
    let lines: Vec<_> = message.lines().collect();
    assert_eq!(lines[1], format!("    tcp:host:80:timeout=5:{}…", "x".repeat(120)));
    assert_eq!(lines[2], format!("    {}{}", " ".repeat(22), "^".repeat(120)));
    let text = format!("tcp:{}:80:80\u{7}0:nodelay=no", "x".repeat(300));
    let message = text.parse::<ClientEndpoint>().unwrap_err().to_string();
    let lines: Vec<_> = message.lines().collect();
    assert_eq!(lines[1], format!(r"    …{}:80:80\u{{7}}0:nodelay=no", "x".repeat(36)));
    assert_eq!(lines[2], format!("    {}{}", " ".repeat(41), "^".repeat(8)));
}
