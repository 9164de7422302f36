//! What servers read of what clients and scripts say: credentials, cookies, the output of scripts. A server in memory
//! gives the same answers however its input is cut, and lets in those who know the password, and nobody else.

use std::time::Duration;

use sha2::{Digest, Sha256};
use sinew::{
    auth::{Authenticator, AuthenticatorConfig, FailureLimiter, Users},
    http::{
        codec::{CgiError, CgiHeadReader, DigestAlgorithm},
        server::{AuthenticatedUser, Guard, Handler, HttpServer, Request, answer},
    },
    prelude::*,
    transports::{StreamConfig, memory},
};

use super::{input::Input, pieces::pieces};

const LEN_MAX: usize = 2 * 1024;

/// The password of the user `ann`.
const PASSWORD: &str = "secret";

/// One of whom no input knows the password.
const UNKNOWN: &str = "\u{1}only this file knows it\u{2}";

/// A connection of a server in memory.
pub(crate) struct Site {
    pub(crate) reactor: Reactor,
    wire: memory::Wire,
}

impl Site {
    pub(crate) fn new(handler: impl Handler) -> Self {
        Self::on(&Reactor::simulated(0), handler)
    }

    pub(crate) fn on(reactor: &Reactor, handler: impl Handler) -> Self {
        let server = HttpServer::new(handler);
        let config = StreamConfig::default();
        let (_, wire) = memory::connect(reactor, config, server.connection()).expect("room");
        Self { reactor: reactor.clone(), wire }
    }

    /// What is answered to a request that comes in these pieces, without the date.
    pub(crate) fn ask(&self, request: &[u8], cut: &[usize]) -> String {
        self.rest();
        for piece in pieces(request, cut) {
            self.wire.receive_if_open(piece);
            self.rest();
        }
        let answer = String::from_utf8_lossy(&self.wire.sent()).into_owned();
        answer.split_inclusive("\r\n").filter(|line| !line.starts_with("Date: ")).collect()
    }

    fn rest(&self) {
        self.reactor.advance(Duration::ZERO).expect("the loop comes to rest");
    }
}

/// A request with a field.
pub(crate) fn request(name: &str, value: &[u8]) -> Vec<u8> {
    let head = format!("GET /page HTTP/1.1\r\nHost: a\r\n{name}: ");
    [head.as_bytes(), value, b"\r\n\r\n"].concat()
}

/// Text for the value of a field: no line ends in it.
pub(crate) fn is_value(text: &[u8]) -> bool {
    text.iter().all(|byte| *byte == b'\t' || *byte >= b' ' && *byte != 0x7f)
}

pub(crate) fn cgi(data: &mut Input<'_>) {
    let cuts = [vec![usize::MAX], vec![1], data.piece_lens(7)];
    let text = data.bytes(20 * 1024);
    let heads = cuts.map(|cut| {
        let (mut reader, mut shown) = (CgiHeadReader::default(), 0);
        for piece in pieces(text, &cut) {
            match reader.push(piece) {
                Ok(None) => shown += piece.len(),
                Ok(Some((head, at))) => return Ok(Some((head, shown + at))),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    });
    let shown = heads.each_ref().map(|head| format!("{head:?}"));
    assert!(shown.iter().all(|one| *one == shown[0]), "{shown:?}");
    let [head, ..] = heads;
    // It ends with the first empty line, and not before.
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    let mut ends = lines.scan(0, |at, line| {
        *at += line.len();
        Some((*at, line))
    });
    let end = ends.find(|(_, line)| matches!(*line, b"\n" | b"\r\n")).map(|(at, _)| at);
    let Ok(Some((head, at))) = head else {
        let is_whole = end.is_some_and(|end| end <= 16 * 1024);
        assert!(!is_whole || head.is_err(), "all of it is there");
        let is_too_long = head.is_err_and(|error| error == CgiError::TooLong);
        return assert!(!is_too_long || text.len() > 16 * 1024 || end.is_some());
    };
    assert_eq!(Some(at), end);
    assert!((200..600).contains(&head.status.as_u16()) && head.fields.len() <= 100);
    // Written again, it is read as the same.
    let mut again = format!("Status: {}\n", head.status.as_u16()).into_bytes();
    for (name, value) in head.fields.iter() {
        assert!(!["connection", "status", "upgrade"].contains(&&*name.to_ascii_lowercase()));
        again.extend([name.as_bytes(), b": ", value, b"\n"].concat());
    }
    again.extend(
        head.length
            .map(|length| format!("Content-Length: {length}\n"))
            .iter()
            .flat_map(|line| line.bytes()),
    );
    again.push(b'\n');
    if again.len() <= 16 * 1024 {
        let (same, at) = CgiHeadReader::default().push(&again).expect("good").expect("whole");
        let of = |head: &sinew::http::codec::CgiHead| format!("{head:?}");
        assert_eq!((of(&same), at), (of(&head), again.len()));
    }
}

pub(crate) fn cookies(data: &mut Input<'_>) {
    let cut = data.piece_lens(7);
    let name = String::from_utf8_lossy(data.few_bytes()).into_owned();
    let text = data.bytes(LEN_MAX);
    if !is_value(text) {
        return;
    }
    let wanted = name.clone();
    let site = |wanted: &str| {
        let wanted = wanted.to_owned();
        Site::new(answer(move |request: &Request| format!("{:?}", request.cookie(&wanted))))
    };
    let whole = site(&wanted).ask(&request("Cookie", text), &[usize::MAX]);
    assert_eq!(site(&wanted).ask(&request("Cookie", text), &cut), whole);
    if !whole.starts_with("HTTP/1.1 200 ") {
        return;
    }
    // RFC 6265 5.4, by the words: pairs behind semicolons, the first of a name counts.
    let found = std::str::from_utf8(text).ok().and_then(|text| {
        text.split(';').find_map(|pair| {
            let (found, value) = pair.split_at(pair.find('=')?);
            (found.trim() == wanted).then(|| value[1..].trim().trim_matches('"'))
        })
    });
    assert!(whole.ends_with(&format!("\r\n\r\n{found:?}")), "{found:?}: {whole}");
}

/// Users whose passwords are known, or not.
fn users() -> Authenticator {
    let users = Users::new().user("ann", PASSWORD).user("root", UNKNOWN);
    let config = AuthenticatorConfig::default().limiter(FailureLimiter::off());
    Authenticator::with(users, config)
}

fn who() -> impl Handler {
    answer(|request: &Request| match request.find::<AuthenticatedUser>() {
        Some(user) => format!("user {}", user.0),
        None => "nobody".to_owned(),
    })
}

fn hash(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The nonce of the first challenge.
fn nonce(answer: &str) -> String {
    let rest = answer.split_once("nonce=\"").expect("a challenge").1;
    rest.split_once('"').expect("its end").0.to_owned()
}

/// The value of the field `Authorization`, in which `%N` stands for the nonce and `%R` for the right response to it; then, as what a
/// client may choose, a client's nonce.
pub(crate) fn authorization(data: &mut Input<'_>) {
    let cut = data.piece_lens(7);
    let chosen: String = data.few_bytes().iter().map(|byte| char::from(b'!' + byte % 90)).collect();
    let text = String::from_utf8_lossy(data.bytes(LEN_MAX)).into_owned();
    if !is_value(text.as_bytes()) {
        return;
    }
    let site = || Site::new(Guard::digest("vault", users(), who()).expect("a realm").and_basic());
    let secret = DigestAlgorithm::Sha256.secret("ann", "vault", PASSWORD.as_bytes());
    let a2 = hash("GET:/page");
    let responses = [&[usize::MAX][..], &[1], &cut].map(|cut| {
        let site = site();
        let nonce = nonce(&site.ask(b"GET /page HTTP/1.1\r\nHost: a\r\n\r\n", &[usize::MAX]));
        let right = hash(&format!("{secret}:{nonce}:00000001:c:auth:{a2}"));
        let text = text.replace("%N", &nonce).replace("%R", &right);
        let answer = site.ask(&request("Authorization", text.as_bytes()), cut);
        let status: String = answer.chars().take(12).collect();
        let user = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
        (status, user.unwrap_or_default())
    });
    assert!(responses.iter().all(|one| *one == responses[0]), "{responses:?}");
    let [(status, user), ..] = responses;
    match &*status {
        "HTTP/1.1 200" => assert_eq!(user, "user ann", "{text}"),
        "HTTP/1.1 401" | "HTTP/1.1 400" | "HTTP/1.1 431" => {}
        other => panic!("{other}: {text}"),
    }
    right_answer(&chosen);
}

/// The right answer of a client that has chosen this nonce lets in once, and not a second time.
fn right_answer(chosen: &str) {
    let site = Site::new(Guard::digest("vault", users(), who()).expect("a realm"));
    let nonce = nonce(&site.ask(b"GET /page HTTP/1.1\r\nHost: a\r\n\r\n", &[usize::MAX]));
    let secret = DigestAlgorithm::Sha256.secret("ann", "vault", PASSWORD.as_bytes());
    let response = hash(&format!("{secret}:{nonce}:00000001:{chosen}:auth:{}", hash("GET:/page")));
    let quoted = chosen.replace('\\', "\\\\").replace('"', "\\\"");
    let value = format!(
        "Digest username=\"ann\", realm=\"vault\", uri=\"/page\", algorithm=SHA-256, qop=auth, \
         nonce=\"{nonce}\", nc=00000001, cnonce=\"{quoted}\", response=\"{response}\""
    );
    let request = request("Authorization", value.as_bytes());
    let first = site.ask(&request, &[usize::MAX]);
    assert!(first.ends_with("\r\n\r\nuser ann"), "{value}: {first}");
    let second = site.ask(&request, &[usize::MAX]);
    assert!(second.starts_with("HTTP/1.1 401 "), "{value}: {second}");
}
