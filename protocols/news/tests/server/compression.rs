//! COMPRESS: both directions, in all pieces; what may not follow it, and what inflates to more than is allowed.

use sinew_auth::{Authenticator, AuthenticatorConfig, Users};
use sinew_news::nntp::{codec::ArticleLimits, server::Session};
use sinew_protocols::compression::{Deflate, Flush, Format, Inflate, Inflated};

use crate::support::{Client, Handler, config, text};

const STARTED: &str = "206 Compressed from now on\r\n";

struct Compressed {
    client: Client,
    deflate: Deflate,
    inflate: Inflate,
}

fn inflated(inflate: &mut Inflate, mut input: &[u8]) -> String {
    let mut text = Vec::new();
    while let Inflated::Output(piece) = inflate.inflate(&mut input).unwrap() {
        text.extend_from_slice(piece);
    }
    String::from_utf8(text).unwrap()
}

impl Compressed {
    fn new(client: Client) -> Self {
        assert!(client.say("COMPRESS deflate\r\n").ends_with(STARTED));
        let (deflate, inflate) = (Deflate::new(Format::Raw, 6), Inflate::new(Format::Raw));
        Self { client, deflate, inflate }
    }

    fn deflated(&mut self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        self.deflate.deflate_into(text, Flush::Sync, &mut out);
        out
    }

    fn answer(&mut self) -> String {
        self.client.advance(std::time::Duration::ZERO);
        inflated(&mut self.inflate, &self.client.wire.take(usize::MAX))
    }

    fn say(&mut self, text: impl AsRef<[u8]>) -> String {
        let deflated = self.deflated(text.as_ref());
        self.client.wire.receive_if_open(&deflated);
        self.answer()
    }
}

#[test]
fn commands_and_responses_are_compressed() {
    let client = Client::new();
    client.put("<1@a>", &["a.open"], &"0123456789\r\n".repeat(10_000));
    assert!(client.say("CAPABILITIES\r\n").contains("\r\nCOMPRESS DEFLATE\r\n"));
    let mut client = Compressed::new(client);
    let said = client.say("CAPABILITIES\r\nGROUP a.open\r\n");
    assert!(!said.contains("COMPRESS"), "{said}");
    assert!(said.ends_with(".\r\n211 1 1 1 a.open\r\n"), "{said}");
    // One that is longer than a step, and than what is sent at once.
    let body = client.say("BODY 1\r\n");
    assert_eq!(body, format!("222 1 <1@a>\r\n{}.\r\n", "0123456789\r\n".repeat(10_000)));
    let now = client.client.reactor.wall_clock();
    let long = text("<2@a>", "a.open", &"..stuffed\r\n".repeat(20_000), now);
    assert_eq!(client.say(format!("TAKETHIS <2@a>\r\n{long}.\r\nCHECK <2@a>\r\n")), {
        "239 <2@a>\r\n438 <2@a>\r\n"
    });
    assert_eq!(client.say("QUIT\r\nDATE\r\n"), "205 Bye\r\n");
    assert!(client.client.is_closed());
}

#[test]
fn what_may_not_follow() {
    let plain = AuthenticatorConfig::default().allow_plaintext(true);
    let users = Authenticator::with(Users::new().user("ann", "secret"), plain);
    let client = Client::with(config().auth(users), Handler::default());
    assert!(client.say("CAPABILITIES\r\n").contains("\r\nAUTHINFO USER SASL\r\n"));
    let mut client = Compressed::new(client);
    let said = client.say("CAPABILITIES\r\n");
    for gone in ["AUTHINFO", "SASL", "STARTTLS", "COMPRESS"] {
        assert!(!said.contains(gone), "{said}");
    }
    let refused = client.say(
        "COMPRESS DEFLATE\r\nAUTHINFO USER ann\r\nAUTHINFO SASL PLAIN\r\nMODE READER\r\nAPPROVED\r\n",
    );
    let codes: Vec<_> = refused.lines().map(|line| &line[..3]).collect();
    assert_eq!(codes, ["502", "502", "502", "502", "500"], "{refused}");
}

#[test]
fn what_is_not_offered_is_refused() {
    let client = Client::greeted();
    assert_eq!(
        client.codes("COMPRESS\r\nCOMPRESS LZMA\r\nCOMPRESS DEFLATE now\r\n"),
        [501, 503, 501]
    );
    let client = Client::with(config().compress(false), Handler::default());
    let said = client.say("CAPABILITIES\r\n");
    assert!(!said.contains("COMPRESS"), "{said}");
    assert_eq!(client.codes("COMPRESS DEFLATE\r\n"), [503]);
    // Who is to log in first has to do it before.
    let users = Authenticator::with(
        Users::new().user("ann", "secret"),
        AuthenticatorConfig::default().allow_plaintext(true),
    );
    let access = |session: &Session| match session.identity() {
        Some(_) => sinew_news::nntp::server::Access::read(),
        None => sinew_news::nntp::server::Access::none(),
    };
    let client = Client::with(config().auth(users), access);
    assert!(!client.say("CAPABILITIES\r\n").contains("COMPRESS"));
    let codes = client.codes(
        "COMPRESS DEFLATE\r\nAUTHINFO USER ann\r\nAUTHINFO PASS secret\r\nCOMPRESS DEFLATE\r\n",
    );
    assert_eq!(codes, [480, 381, 281, 206]);
}

/// What is received behind the command, even with it, is compressed. Every place to cut gives the same.
#[test]
fn every_split_of_a_session() {
    let now = sinew_transports::reactor::Reactor::simulated(0).wall_clock();
    let article = text("<1@a>", "a.open", "..\r\n", now);
    let mut bytes = b"COMPRESS DEFLATE\r\n".to_vec();
    let mut deflate = Deflate::new(Format::Raw, 6);
    let session = format!(
        "TAKETHIS <1@a>\r\n{article}.\r\nGROUP a.open\r\nBODY 1\r\nHALLO\r\nQUIT\r\nDATE\r\n"
    );
    deflate.deflate_into(session.as_bytes(), Flush::Sync, &mut bytes);
    for at in 0..=bytes.len() {
        let client = Client::greeted();
        let (first, second) = bytes.split_at(at);
        client.wire.receive_if_open(first);
        client.advance(std::time::Duration::ZERO);
        client.wire.receive_if_open(second);
        client.advance(std::time::Duration::ZERO);
        let received = client.wire.take(usize::MAX);
        let compressed = received.strip_prefix(STARTED.as_bytes()).expect("it is offered");
        assert_eq!(
            inflated(&mut Inflate::new(Format::Raw), compressed),
            "239 <1@a>\r\n211 1 1 1 a.open\r\n222 1 <1@a>\r\n..\r\n.\r\n500 unknown command\r\n205 Bye\r\n",
            "{at}"
        );
    }
}

/// An article that is too large is skipped, and one without an end is not inflated for ever.
#[test]
fn a_bomb_is_not_inflated() {
    let limits = ArticleLimits::default().bytes_max(100_000);
    let config = config().article_limits(limits);
    let mut client = Compressed::new(Client::with(config.clone(), Handler::default()));
    let long = "x\r\n".repeat(50_000);
    assert_eq!(
        client.say(format!("TAKETHIS <1@a>\r\n{long}.\r\nDATE\r\n"))[..13],
        *"439 <1@a>\r\n11"
    );
    let bomb =
        client.deflated(format!("TAKETHIS <2@a>\r\n{}", "x\r\n".repeat(10 << 20)).as_bytes());
    assert!(bomb.len() < 200_000, "{}", bomb.len());
    client.client.wire.receive_if_open(&bomb);
    assert_eq!(client.answer(), "");
    assert!(client.client.is_closed());
    // The same for a line.
    let mut client = Compressed::new(Client::with(config, Handler::default()));
    let bomb = client.deflated(&vec![b'x'; 20 << 20]);
    client.client.wire.receive_if_open(&bomb);
    assert!(client.answer().starts_with("501 "));
    assert!(client.client.is_closed());
}

#[test]
fn what_is_not_compressed_ends_the_connection() {
    for bytes in [&b"DATE\r\n\xff\xff\xff\xff\xff\xff\xff\xff"[..], b"\x03\x00", b"\x07"] {
        let client = Compressed::new(Client::greeted()).client;
        client.wire.receive_if_open(bytes);
        client.advance(std::time::Duration::ZERO);
        assert!(client.is_closed(), "{bytes:x?}");
    }
}
