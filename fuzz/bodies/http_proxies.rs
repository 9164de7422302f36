//! What proxies say and are told: the address of the client in `X-Forwarded-For` and `Forwarded`, read a second time by the words of RFC
//! 7239; and what a reverse proxy passes on, which has nothing of one hop in it (RFC 9110 7.6.1) and is the same however it is cut.

use std::{cell::RefCell, net::IpAddr, rc::Rc};

use sinew::{
    http::{
        codec::{BodyDecoder, BodyEvent, ChunkLimits, HeadLimits, RequestHead},
        server::{Request, ReverseProxy, TrustedProxies, answer},
    },
    prelude::*,
    transports::endpoint::ServerEndpoint,
};

use super::{
    http_server::{Site, is_value, request},
    input::Input,
};

const LEN_MAX: usize = 2 * 1024;

/// The client according to the proxy before it, which is trusted; loopback addresses are proxies, too.
pub(crate) fn forwarded(data: &mut Input<'_>) {
    let is_standard = data.byte() & 1 > 0;
    let cut = data.piece_lens(7);
    let text = data.bytes(LEN_MAX);
    if !is_value(text) {
        return;
    }
    let name = if is_standard { "Forwarded" } else { "X-Forwarded-For" };
    let ask = |text: &[u8], cut: &[usize]| {
        let who = answer(|request: &Request| {
            format!("{:?} {}", request.client_ip(), request.is_secure())
        });
        let proxies = TrustedProxies::new(who);
        let proxies = if is_standard { proxies.standard_field() } else { proxies };
        Site::new(proxies).ask(&request(name, text), cut)
    };
    let whole = ask(text, &[usize::MAX]);
    for cut in [&[1][..], &cut] {
        assert_eq!(ask(text, cut), whole);
    }
    let Ok(text) = std::str::from_utf8(text) else { return };
    if !whole.starts_with("HTTP/1.1 200 ") || is_standard {
        // An address of a client comes back, whatever is before it.
        let told = [text, ", for=192.0.2.7;proto=https"].concat();
        // An open quote takes the element in.
        if is_standard && !text.contains('"') && whole.starts_with("HTTP/1.1 200 ") {
            assert!(ask(told.as_bytes(), &cut).ends_with("Some(192.0.2.7) true"), "{told}");
        }
        return;
    }
    if text.contains('"') {
        return;
    }
    // The last element that is no loopback address, if those behind it are addresses.
    let mut found = None;
    for element in text.split(',').map(str::trim).filter(|element| !element.is_empty()).rev() {
        let Some(ip) = address(element) else { break };
        found = Some(ip);
        if !ip.is_loopback() {
            break;
        }
    }
    assert!(whole.ends_with(&format!("\r\n\r\n{found:?} false")), "{found:?}: {whole}");
}

fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let ip = text.parse::<IpAddr>().or_else(|_| bare.unwrap_or_default().parse());
    let ip = ip.or_else(|_| text.parse::<std::net::SocketAddr>().map(|addr| addr.ip()));
    ip.ok().map(|ip| ip.to_canonical())
}

/// Keeps what it receives, and answers nothing.
struct Backend(Rc<RefCell<Vec<u8>>>);

impl Protocol for Backend {
    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.0.borrow_mut().extend_from_slice(data);
    }
}

/// Lines of fields, which a client sends to a reverse proxy.
pub(crate) fn proxied(data: &mut Input<'_>) {
    let cut = data.piece_lens(7);
    let text = data.bytes(LEN_MAX);
    let passed = |cut: &[usize]| {
        let reactor = Reactor::simulated(0);
        let received = Rc::<RefCell<Vec<u8>>>::default();
        let kept = Rc::clone(&received);
        let endpoint: ServerEndpoint = "memory:backend".parse().expect("an endpoint");
        let backend = move |_: &Peer| Backend(Rc::clone(&kept));
        let _port = endpoint.listen(&reactor, backend).expect("a free name");
        let proxy = ReverseProxy::new("memory:backend".parse().expect("an endpoint"));
        let request = [b"GET /page HTTP/1.1\r\nHost: a\r\n", text, b"\r\n\r\n"].concat();
        let answer = Site::on(&reactor, proxy).ask(&request, cut);
        let received = received.take();
        (answer, received)
    };
    let (answer, received) = passed(&[usize::MAX]);
    for cut in [&[1][..], &cut] {
        let again = passed(cut);
        assert_eq!(again.0, answer);
        // Of a body that is refused, more or less may have been passed on before.
        if answer.is_empty() {
            assert_eq!(decoded(&again.1), decoded(&received));
        }
    }
    if received.is_empty() {
        return;
    }
    let mut head = RequestHead::default();
    let len = head.decode(&received, 0, &HeadLimits::default()).expect("a good head");
    assert!(len.is_some(), "all of it");
    check(&head, text);
}

/// The head of a request, the data of its body, and whether that is complete.
fn decoded(received: &[u8]) -> (String, Vec<u8>, bool) {
    let mut head = RequestHead::default();
    let len = head.decode(received, 0, &HeadLimits::default()).expect("a good head");
    let (text, mut rest) = received.split_at(len.unwrap_or_default());
    let mut decoder = BodyDecoder::new(head.framing(), ChunkLimits::default());
    let (mut body, mut is_complete) = (Vec::new(), false);
    loop {
        match decoder.decode(&mut rest).expect("a good body") {
            BodyEvent::Data(data) => body.extend_from_slice(data),
            BodyEvent::End => break is_complete = true,
            _ => break,
        }
    }
    (String::from_utf8_lossy(text).into_owned(), body, is_complete)
}

/// What the backend gets.
fn check(head: &RequestHead, text: &[u8]) {
    let fields = head.fields();
    assert_eq!(fields.all("host").count(), 1);
    let is_upgrade = fields.text("connection").is_some();
    let hops = ["keep-alive", "proxy-connection", "te", "trailer", "proxy-authorization"];
    for hop in hops {
        assert!(fields.get(hop).is_none(), "{hop}");
    }
    assert!(fields.iter().all(|(name, _)| !name.contains('_')), "a name with an underscore");
    assert!(!is_upgrade || fields.text("connection") == Some("upgrade"));
    // None that its `Connection` has named, but those that the proxy makes by itself.
    let mut sent = RequestHead::default();
    let request = [b"GET /page HTTP/1.1\r\nHost: a\r\n", text, b"\r\n\r\n"].concat();
    let Ok(Some(_)) = sent.decode(&request, 0, &HeadLimits::default()) else { return };
    let made = [
        "host",
        "via",
        "forwarded",
        "content-length",
        "transfer-encoding",
        "upgrade",
        "connection",
    ];
    for named in sent.fields().list("connection") {
        let named = named.to_ascii_lowercase();
        let is_made = made.contains(&&*named) || named.starts_with("x-forwarded-");
        assert!(is_made || fields.get(&named).is_none(), "{named}");
    }
    // A client is not trusted here to be a proxy; and one in memory has no address.
    assert!(fields.get("x-real-ip").is_none() && fields.get("x-forwarded-for").is_none());
    assert_eq!(fields.text("x-forwarded-proto"), Some("http"));
    assert!(fields.text("via").is_some_and(|via| via.ends_with("1.1 sinew")));
}
