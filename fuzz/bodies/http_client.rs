//! What clients read of what servers say: cookies, challenges, `data:` URLs, and whole responses on a connection, however they are cut.

use std::time::{Duration, SystemTime};

use sinew::{
    http::{
        Fields, Method,
        client::{ClientConnection, ConnectionConfig, CookieJar, Outgoing, Url},
        codec::{Challenge, DataUrl, SetCookie, challenges, cookie_date, format_date},
    },
    prelude::*,
    transports::{StreamConfig, memory},
};

use super::{input::Input, pieces::pieces};

const LEN_MAX: usize = 2 * 1024;

/// The present, for cookies.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

pub(crate) fn cookie(data: &mut Input<'_>) {
    let text = data.bytes(LEN_MAX);
    if let Some(date) = std::str::from_utf8(text).ok().and_then(cookie_date)
        && date >= SystemTime::UNIX_EPOCH
    {
        assert_eq!(cookie_date(&format_date(date)), Some(date));
    }
    let parsed = SetCookie::parse(text);
    if let Some(cookie) = &parsed {
        let both = [cookie.name, cookie.value].concat();
        assert!(!cookie.name.is_empty() && !cookie.name.contains('='));
        assert!(!both.contains(|c: char| c.is_ascii_control() || c == ';'), "{cookie:?}");
        assert!(cookie.path.is_none_or(|path| path.starts_with('/')));
    }
    let jar = CookieJar::new();
    for page in ["https://a.example.org/x/y", "http://a.example.org/x/y", "http://127.0.0.1/"] {
        let page = Url::parse(page).expect("a good URL");
        let is_taken = jar.store(&page, text, now());
        assert!(!is_taken || parsed.is_some());
        // It goes to this site alone.
        for other in ["https://example.com/x/y", "https://b.example.net/", "http://127.0.0.2/"] {
            let other = Url::parse(other).expect("a good URL");
            assert_eq!(jar.header(&other, now()), None);
        }
    }
    let kept = CookieJar::new();
    kept.read_text(&jar.to_text(true)).expect("what was written can be read");
    let seconds = |jar: &CookieJar| {
        let since = |expires: SystemTime| {
            expires.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
        };
        let all = jar.all();
        let shown = all.iter().map(|cookie| {
            let expires = cookie.expires.map(since);
            (
                cookie.name.clone(),
                cookie.value.clone(),
                cookie.path.clone(),
                expires,
                cookie.is_secure,
            )
        });
        shown.collect::<Vec<_>>()
    };
    assert_eq!(seconds(&kept), seconds(&jar));
}

/// Challenges as they could be sent.
fn written(challenges: &[Challenge<'_>]) -> String {
    let quoted = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"");
    let one = |challenge: &Challenge<'_>| {
        let parameters: Vec<_> = challenge
            .parameters
            .iter()
            .map(|(name, value)| format!("{name}=\"{}\"", quoted(value)))
            .collect();
        let token = challenge.token.map(|token| format!(" {token}")).unwrap_or_default();
        let separator = match (token.is_empty(), parameters.is_empty()) {
            (_, true) => "",
            (true, false) => " ",
            // A parameter behind a token is in an element of its own.
            (false, false) => ", ",
        };
        format!("{}{token}{separator}{}", challenge.scheme, parameters.join(", "))
    };
    challenges.iter().map(one).collect::<Vec<_>>().join(", ")
}

pub(crate) fn challenge(data: &mut Input<'_>) {
    let Ok(text) = std::str::from_utf8(data.bytes(LEN_MAX)) else { return };
    let found = challenges(text);
    for challenge in &found {
        let is_token =
            |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic());
        assert!(is_token(challenge.scheme), "{challenge:?}");
        assert!(challenge.parameters.iter().all(|(name, _)| is_token(name)), "{challenge:?}");
    }
    // A token with a quote in it may be anything to another reader.
    if found.iter().all(|one| one.token.is_none_or(|token| !token.contains(['"', '\\']))) {
        assert_eq!(challenges(&written(&found)), found, "{}", written(&found));
    }
}

pub(crate) fn data_url(data: &mut Input<'_>) {
    let Ok(text) = std::str::from_utf8(data.bytes(LEN_MAX)) else { return };
    let Ok(url) = DataUrl::parse(text) else { return };
    let encoded: String = url.data.iter().map(|byte| format!("%{byte:02x}")).collect();
    let again = DataUrl::parse(&format!("data:,{encoded}")).expect("all is encoded");
    assert_eq!(again.data, url.data);
}

/// What a client makes of what a server sends, in pieces.
fn received(method: &Method, sent: &[u8], cut: &[usize]) -> String {
    let reactor = Reactor::simulated(0);
    let (connection, mut factory) = ClientConnection::new(ConnectionConfig::default());
    let stream = StreamConfig::default();
    let (_, wire) = memory::connect(&reactor, stream, factory.protocol()).expect("room for one");
    let rest = || reactor.advance(Duration::ZERO).expect("the loop comes to rest");
    rest();
    let mut fields = Fields::new();
    fields.append("Host", "a").expect("a good field");
    let waiting = connection.send(Outgoing::new(method.clone(), "/", fields)).expect("it is idle");
    rest();
    let (mut response, mut body) = (None, None);
    for piece in pieces(sent, cut).map(Some).chain([None]) {
        match piece {
            Some(piece) => wire.receive_if_open(piece),
            None => drop(wire.close_if_open()),
        }
        rest();
        match waiting.take() {
            Some(Ok(found)) => {
                body = Some(found.collect_up_to(10_000));
                response = Some(found);
                rest();
            }
            Some(Err(error)) => return error.to_string(),
            None => {}
        }
    }
    let Some(response) = response else { return format!("{:?}", waiting.take().map(|_| ())) };
    let body = body.and_then(|body| body.take());
    // A switch to another protocol has no body, and no end.
    let body = body.map(|body| body.map_err(|error| error.to_string()));
    format!("{} {:?} {body:?} {:?}", response.status(), response.fields(), response.take_trailers())
}

pub(crate) fn responses(data: &mut Input<'_>) {
    let method = match data.byte() % 4 {
        0 => Method::HEAD,
        1 => Method::CONNECT,
        _ => Method::GET,
    };
    let cut = data.piece_lens(7);
    let sent = data.bytes(LEN_MAX);
    let whole = received(&method, sent, &[usize::MAX]);
    assert_eq!(received(&method, sent, &cut), whole);
    assert_eq!(received(&method, sent, &[1]), whole);
}
