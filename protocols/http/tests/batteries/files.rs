//! Tests of static files: contents, ranges, conditional requests.

use sinew_http::server::{Files, Router};

use super::folder::{Folder, MODIFIED};
use crate::support::Client;

/// The tag of a file of ten bytes.
const TAG: &str = "\"ae1b981bc490a00-a\"";

fn folder() -> Folder {
    Folder::new()
        .with("ten.txt", "0123456789")
        .with("empty.bin", "")
        .with("a/index.html", "<p>index of a")
        .with("a/page.html", "<p>page")
        .with("a/style.css", "p {}")
        .with("a/style.css.gz", "gz")
        .with("a/style.css.br", "br!")
}

struct Site {
    _folder: Folder,
    client: Client,
}

fn site() -> Site {
    let folder = folder();
    let client = Client::new(Files::new(folder.path()).unwrap());
    Site { _folder: folder, client }
}

impl Site {
    fn ask(&self, method: &str, path: &str, fields: &str) -> (String, String) {
        let received =
            self.client.ask(format!("{method} {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
        let (head, body) = received.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    fn status(&self, path: &str, fields: &str) -> String {
        self.ask("GET", path, fields).0.split(' ').nth(1).unwrap().to_owned()
    }
}

#[test]
fn a_file_is_sent_with_its_metadata() {
    let site = site();
    let (head, body) = site.ask("GET", "/ten.txt", "");
    assert_eq!(
        head,
        format!(
            "HTTP/1.1 200 OK\r\nAccept-Ranges: bytes\r\nETag: {TAG}\r\nLast-Modified: {MODIFIED}\r\n\
             X-Content-Type-Options: nosniff\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 10"
        )
    );
    assert_eq!(body, "0123456789");
    assert_eq!(site.ask("HEAD", "/ten.txt", ""), (head, String::new()));
    let (head, _) = site.ask("GET", "/empty.bin", "");
    assert!(
        head.ends_with("Content-Type: application/octet-stream\r\nContent-Length: 0"),
        "{head}"
    );
}

#[test]
fn methods() {
    let site = site();
    let (head, _) = site.ask("POST", "/ten.txt", "");
    assert!(head.starts_with("HTTP/1.1 405 ") && head.contains("Allow: GET, HEAD, OPTIONS"));
    let (head, _) = site.ask("OPTIONS", "/ten.txt", "");
    assert!(head.starts_with("HTTP/1.1 204 ") && head.contains("Allow: GET, HEAD, OPTIONS"));
}

#[test]
fn folders_and_their_index() {
    let site = site();
    assert_eq!(site.ask("GET", "/a/", "").1, "<p>index of a");
    let (head, _) = site.ask("GET", "/a?x=y", "");
    assert!(head.starts_with("HTTP/1.1 308 ") && head.contains("Location: ./a/?x=y\r\n"), "{head}");
    // A redirect never leads to another host.
    let (head, _) = site.ask("GET", "//a", "");
    assert!(head.contains("Location: ./a/\r\n"), "{head}");
    assert_eq!(site.status("/", ""), "404");
    assert_eq!(site.status("/ten.txt/", ""), "404");
    let client = Client::new(Files::new(site._folder.path()).unwrap().index(["none", "ten.txt"]));
    assert!(client.ask(crate::support::get("/")).ends_with("0123456789"));
}

#[test]
fn below_a_router() {
    let folder = folder();
    let files = Files::new(folder.path()).unwrap();
    let client = Client::new(Router::new().nest("/static", files));
    assert!(client.ask(crate::support::get("/static/a/page.html")).ends_with("<p>page"));
    assert!(client.ask(crate::support::get("/static")).contains("Location: ./static/\r\n"));
    assert!(client.ask(crate::support::get("/static/a")).contains("Location: ./a/\r\n"));
}

#[test]
fn unchanged_files_are_not_sent_again() {
    let site = site();
    let (head, body) = site.ask("GET", "/ten.txt", &format!("If-None-Match: {TAG}\r\n"));
    let not_modified = format!(
        "HTTP/1.1 304 Not Modified\r\nETag: {TAG}\r\nLast-Modified: {MODIFIED}\r\nX-Content-Type-Options: nosniff"
    );
    assert_eq!((head, body), (not_modified, String::new()));
    for (fields, status) in [
        (format!("If-None-Match: W/{TAG}\r\n"), "304"),
        ("If-None-Match: *\r\n".to_owned(), "304"),
        ("If-None-Match: \"x\"\r\n".to_owned(), "200"),
        (format!("If-Modified-Since: {MODIFIED}\r\n"), "304"),
        ("If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n".to_owned(), "200"),
        ("If-Match: \"x\"\r\n".to_owned(), "412"),
        (format!("If-Match: {TAG}\r\n"), "200"),
    ] {
        assert_eq!(site.status("/ten.txt", &fields), status, "{fields}");
    }
}

#[test]
fn one_range() {
    let site = site();
    for (range, content_range, body) in [
        ("0-3", "0-3", "0123"),
        ("3-3", "3-3", "3"),
        ("7-", "7-9", "789"),
        ("-2", "8-9", "89"),
        ("-99", "0-9", "0123456789"), // range_suffix_longer_than_file
        ("8-99", "8-9", "89"),
    ] {
        let (head, got) = site.ask("GET", "/ten.txt", &format!("Range: bytes={range}\r\n"));
        assert!(head.starts_with("HTTP/1.1 206 Partial Content\r\n"), "{head}");
        assert!(
            head.contains(&format!("Content-Range: bytes {content_range}/10\r\n")),
            "{range}: {head}"
        );
        assert_eq!(got, body, "{range}");
    }
    // range_of_nothing_is_416
    for (path, range, len) in
        [("/ten.txt", "10-", 10), ("/ten.txt", "-0", 10), ("/empty.bin", "0-", 0)]
    {
        let (head, body) = site.ask("GET", path, &format!("Range: bytes={range}\r\n"));
        assert!(
            head.starts_with("HTTP/1.1 416 ")
                && head.contains(&format!("Content-Range: bytes */{len}\r\n")),
            "{head}"
        );
        assert_eq!(body, "");
    }
    for field in ["Range: lines=0-1\r\n", "Range: bytes=x\r\n", "Range: bytes=3-2\r\n"] {
        assert_eq!(site.status("/ten.txt", field), "200", "{field}");
    }
    let (head, _) = site.ask("HEAD", "/ten.txt", "Range: bytes=0-1\r\n");
    assert!(head.starts_with("HTTP/1.1 200 "), "ranges apply to GET only");
}

#[test]
fn if_range_changed() {
    let site = site();
    let range = "Range: bytes=0-1\r\n";
    for (value, status) in [
        (TAG, "206"),
        ("\"x\"", "200"),
        (MODIFIED, "206"),
        ("Sun, 06 Nov 1994 08:49:38 GMT", "200"),
    ] {
        assert_eq!(
            site.status("/ten.txt", &format!("{range}If-Range: {value}\r\n")),
            status,
            "{value}"
        );
    }
}

#[test]
fn several_ranges() {
    let site = site();
    let (head, body) = site.ask("GET", "/ten.txt", "Range: bytes=0-1, -2, 4-4\r\n");
    assert!(head.starts_with("HTTP/1.1 206 "), "{head}");
    let (_, rest) = head.split_once("Content-Type: multipart/byteranges; boundary=").unwrap();
    let boundary = rest.lines().next().unwrap();
    let part = |range: &str, text: &str| {
        format!(
            "--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes {range}/10\r\n\r\n{text}\r\n"
        )
    };
    let expected =
        [part("0-1", "01"), part("8-9", "89"), part("4-4", "4"), format!("--{boundary}--\r\n")]
            .concat();
    assert_eq!(body, expected);
    assert!(head.contains(&format!("Content-Length: {}", expected.len())));
    let many = (0..17).map(|_| "0-0").collect::<Vec<_>>().join(",");
    assert_eq!(site.status("/ten.txt", &format!("Range: bytes={many}\r\n")), "200");
}

#[test]
fn compressed_forms() {
    let site = site();
    let path = "/a/style.css";
    assert_eq!(
        site.ask("GET", path, "Accept-Encoding: br, gzip\r\n").1,
        "p {}",
        "it is off by default"
    );
    let client = Client::new(Files::new(site._folder.path()).unwrap().precompressed(true));
    let site = Site { _folder: site._folder, client };
    for (accepts, encoding, body) in [
        ("br, gzip", Some("br"), "br!"),
        ("gzip;q=1, br;q=0", Some("gzip"), "gz"),
        ("*", Some("br"), "br!"),
        ("*;q=0", None, "p {}"),
        ("identity", None, "p {}"),
    ] {
        let (head, got) = site.ask("GET", path, &format!("Accept-Encoding: {accepts}\r\n"));
        assert_eq!(got, body, "{accepts}");
        assert!(
            head.contains("Content-Type: text/css; charset=utf-8\r\n")
                && head.contains("Vary: Accept-Encoding\r\n")
        );
        assert_eq!(
            head.split_once("Content-Encoding: ").map(|(_, rest)| rest.lines().next().unwrap()),
            encoding
        );
    }
    let tag = |accepts: &str| {
        let (head, _) = site.ask("GET", path, &format!("Accept-Encoding: {accepts}\r\n"));
        head.split_once("ETag: ").unwrap().1.lines().next().unwrap().to_owned()
    };
    assert!(tag("br") != tag("gzip") && tag("gzip") != tag("identity"));
    assert_eq!(site.ask("GET", "/ten.txt", "Accept-Encoding: br\r\n").1, "0123456789");
}

#[test]
fn listings_are_escaped_and_can_be_followed() {
    let folder = Folder::new().with("b & <c>/x", "").with("a:b\"'", "12345").with(".hidden", "");
    let files = Files::new(folder.path()).unwrap();
    let site = Site { client: Client::new(files.clone().listing(true)), _folder: folder };
    let (head, page) = site.ask("GET", "/", "");
    assert!(head.contains("Content-Type: text/html; charset=utf-8"));
    assert!(page.contains("<a href=\"./b%20%26%20%3Cc%3E/\">b &amp; &lt;c&gt;/</a>"), "{page}");
    assert!(page.contains(
        "<a href=\"./a%3Ab%22%27\">a:b&quot;&#39;</a><td align=\"right\">5<td>Sun, 06 Nov 1994"
    ));
    assert!(!page.contains("hidden") && !page.contains("../"));
    assert!(page.find("b &amp;") < page.find("a:b"), "folders come first");
    let (_, page) = site.ask("GET", "/b%20%26%20%3Cc%3E/", "");
    assert!(page.contains("<h1>/b &amp; &lt;c&gt;</h1>") && page.contains("../"));
    assert_eq!(site.ask("GET", "/a%3Ab%22%27", "").1, "12345");
    let dotted = Client::new(files.listing(true).dot_files(true));
    assert!(dotted.ask(crate::support::get("/")).contains(".hidden"));
}

#[test]
fn cache_control() {
    let folder = folder();
    let files = || Files::new(folder.path()).unwrap();
    let client = Client::new(files().cache_control("max-age=60").unwrap());
    assert!(client.ask(crate::support::get("/ten.txt")).contains("Cache-Control: max-age=60\r\n"));
    assert!(files().cache_control("a\nb").is_err());
    assert!(
        Files::new(folder.path().join("ten.txt")).is_err()
            && Files::new(folder.path().join("no")).is_err()
    );
}
