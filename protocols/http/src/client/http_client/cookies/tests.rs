//! Tests of cookie jars: which cookies are accepted, sent and stored.

use super::*;

const NOW: Duration = Duration::from_secs(1_700_000_000);

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + NOW
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

/// The cookies for a URL in a jar that has been given these by others.
fn header(set: &[(&str, &str)], to: &str) -> String {
    let jar = CookieJar::new();
    for (from, cookie) in set {
        jar.store(&url(from), cookie.as_bytes(), now());
    }
    jar.header(&url(to), now()).unwrap_or_default()
}

#[test]
fn who_gets_a_cookie() {
    let page = "https://www.example.org/a/b";
    for (cookie, to, expected) in [
        ("n=v", "https://www.example.org/a/c", "n=v"),
        ("n=v", "https://www.example.org/", ""),
        ("n=v", "https://sub.www.example.org/a/c", ""),
        ("n=v; Path=/", "https://www.example.org/", "n=v"),
        ("n=v; Path=/", "https://www.example.org:8443/", "n=v"),
        ("n=v; Path=/; Domain=example.org", "https://example.org/", "n=v"),
        ("n=v; Path=/; Domain=.EXAMPLE.org", "http://x.example.org/", "n=v"),
        ("n=v; Path=/; Domain=example.org", "http://badexample.org/", ""),
        ("n=v; Path=/; Secure", "http://www.example.org/", ""),
        ("n=v; Path=/; Secure", "https://www.example.org/", "n=v"),
        ("n=v; Path=/; Max-Age=10", "https://www.example.org/", "n=v"),
        ("n=v; Path=/; Max-Age=0", "https://www.example.org/", ""),
        (
            "n=v; Path=/; Max-Age=9; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            "https://www.example.org/",
            "n=v",
        ),
        ("n=v; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "https://www.example.org/", ""),
        // Not for others.
        ("n=v; Path=/; Domain=example.com", "https://example.com/", ""),
        ("n=v; Path=/; Domain=a.www.example.org", "https://a.www.example.org/", ""),
        ("n=v; Path=/; Domain=org", "https://example.org/", ""),
        ("__Host-n=v; Path=/; Secure", "https://www.example.org/", "__Host-n=v"),
        ("__Host-n=v; Secure", "https://www.example.org/a/b", ""),
        ("__host-n=v; Path=/; Secure; Domain=example.org", "https://www.example.org/", ""),
        ("__Secure-n=v; Path=/", "https://www.example.org/", ""),
        ("__Secure-n=v; Path=/; Secure", "https://www.example.org/", "__Secure-n=v"),
    ] {
        assert_eq!(header(&[(page, cookie)], to), expected, "{cookie} to {to}");
    }
}

#[test]
fn addresses_and_single_labels() {
    for (page, cookie, to, expected) in [
        ("http://127.0.0.1/", "n=v; Domain=127.0.0.1", "http://127.0.0.1/", "n=v"),
        ("http://127.0.0.1/", "n=v; Domain=0.0.1", "http://127.0.0.1/", ""),
        ("http://[::1]/", "n=v", "http://[::1]/", "n=v"),
        ("http://localhost/", "n=v; Domain=localhost", "http://localhost/", "n=v"),
        ("http://localhost/", "n=v; Domain=localhost", "http://a.localhost/", ""),
    ] {
        assert_eq!(header(&[(page, cookie)], to), expected, "{cookie} to {to}");
    }
}

#[cfg(feature = "public-suffix")]
#[test]
fn a_public_suffix_sets_no_cookie_for_all() {
    let set = [("https://shop.co.uk/", "n=v; Domain=co.uk")];
    assert_eq!(header(&set, "https://bank.co.uk/"), "");
    let set = [("https://me.github.io/", "n=v; Domain=github.io")];
    assert_eq!(header(&set, "https://you.github.io/"), "");
}

#[test]
fn the_order_is_by_path_and_then_by_age() {
    let page = "https://a.example.org/x/y";
    let set = [
        (page, "one=1; Path=/"),
        (page, "two=2; Path=/x"),
        (page, "three=3; Path=/"),
        (page, "one=4; Path=/"),
    ];
    assert_eq!(header(&set, page), "two=2; one=4; three=3");
}

#[test]
fn secure_cookies_are_left_alone() {
    let set = [
        ("https://a.example.org/", "id=good; Secure; Domain=example.org; Path=/"),
        ("http://a.example.org/", "id=evil; Path=/"),
        ("http://a.example.org/", "new=evil; Secure; Path=/"),
    ];
    assert_eq!(header(&set, "https://a.example.org/"), "id=good");
    assert_eq!(header(&set, "http://a.example.org/"), "");
}

#[test]
fn time_passes() {
    let jar = CookieJar::new();
    let page = url("http://a.example.org/");
    assert!(jar.store(&page, b"n=v; Max-Age=10", now()));
    assert!(jar.header(&page, now() + Duration::from_secs(9)).is_some());
    assert!(jar.header(&page, now() + Duration::from_secs(10)).is_none());
    assert!(jar.store(&page, b"n=v; Max-Age=99999999999999999999", now()));
    let expires = jar.all()[0].expires.unwrap();
    assert_eq!(expires, now() + LIFETIME_MAX);
    assert!(jar.store(&page, b"n=gone; Expires=Thu, 01 Jan 1970 00:00:00 GMT", now()));
    assert!(jar.is_empty());
}

#[test]
fn there_are_never_too_many() {
    let jar = CookieJar::new();
    let page = url("http://a.example.org/");
    for number in 0..200 {
        jar.store(&page, format!("n{number}=v").as_bytes(), now());
    }
    let all = jar.all();
    assert_eq!((all.len(), jar.len(), &*all[0].name), (180, 180, "n20"));
    for number in 0..3_100 {
        jar.store(&url(&format!("http://h{number}.example.org/")), b"n=v", now());
    }
    assert_eq!((jar.len(), jar.all().len()), (3_000, 3_000));
    assert_eq!(jar.all()[0].domain, "h100.example.org");
    jar.remove_domain("h200.example.org");
    assert_eq!(jar.len(), 2_999);
    jar.end_session();
    assert!(jar.is_empty());
}

#[test]
fn to_a_file_and_back() {
    let jar = CookieJar::new();
    let page = url("https://a.example.org/");
    for cookie in [
        "one=1; Path=/; Max-Age=100; HttpOnly",
        "two=2=2; Domain=example.org; Secure; Path=/x; Max-Age=100",
        "session=3",
    ] {
        assert!(jar.store(&page, cookie.as_bytes(), now()));
    }
    let text = jar.to_text(true);
    assert_eq!(
        text,
        "# Netscape HTTP Cookie File\n\n\
         #HttpOnly_a.example.org\tFALSE\t/\tFALSE\t1700000100\tone\t1\n\
         .example.org\tTRUE\t/x\tTRUE\t1700000100\ttwo\t2=2\n\
         a.example.org\tFALSE\t/\tFALSE\t0\tsession\t3\n"
    );
    let back = CookieJar::new();
    back.read_text(&text).unwrap();
    assert_eq!(back.all(), jar.all());
    back.clear();
    back.read_text(&jar.to_text(false)).unwrap();
    assert_eq!(back.len(), 2);
}

#[test]
fn files_that_are_not_cookies() {
    for (text, line) in [
        ("hello", 1),
        ("# ok\n\na\tTRUE\t/\tTRUE\t0\tn", 3),
        ("a\tyes\t/\tTRUE\t0\tn\tv", 1),
        ("a\tTRUE\tx\tTRUE\t0\tn\tv", 1),
        ("a\tTRUE\t/\tTRUE\t-1\tn\tv", 1),
        ("a\tTRUE\t/\tTRUE\t0\t\tv", 1),
        ("a\tTRUE\t/\tTRUE\t0\tn\tv; x=y", 1),
    ] {
        let jar = CookieJar::new();
        let error = jar.read_text(&format!("b\tTRUE\t/\tTRUE\t0\tn\tv\n{text}")).unwrap_err();
        assert!(
            matches!(error, CookieFileError::Line { line: found } if found == line + 1),
            "{text}"
        );
        assert!(jar.is_empty(), "all or nothing");
    }
}
