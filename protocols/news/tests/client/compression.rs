//! COMPRESS of a client: with our server, and with servers that do not keep to it.

use sinew_news::nntp::{
    client::NewsError,
    codec::{Part, Range},
    server::{Access, Session},
};
use sinew_protocols::compression::{Deflate, Flush, Format};
use sinew_testkit::testing::task_test;
use sinew_transports::{Peer, Protocol, Transport, reactor::Reactor};

use super::play::{at, config, with_script, with_server};
use crate::support::{self, Handler, group, id};

const HEAD: &str = "From: ann@example.net\nSubject: hello\nNewsgroups: a.open\n";
const CAPABLE: &str = "101 yes\r\nVERSION 2\r\nREADER\r\nOVER\r\nCOMPRESS DEFLATE\r\n.\r\n";

#[test]
fn a_session_with_our_server() {
    let done = with_server(
        support::config(),
        Handler::default(),
        config().compress(true),
        |_, _, mut client| async move {
            assert!(client.is_compressed() && !client.capabilities().has("COMPRESS"));
            let body = ".dot and more\n".repeat(20_000);
            client.post(format!("{HEAD}Message-ID: <1@a>\n\n{body}")).await?;
            for number in 2..200 {
                client.post(format!("{HEAD}Message-ID: <{number}@a>\n\nx\n")).await?;
            }
            client.group(&group("a.open")).await?;
            let lines = client.over(Range::all()).await?.unwrap().collect(1_000).await?;
            assert_eq!(lines.len(), 199);
            let article = client.article(Part::Body, id("<1@a>")).await?.unwrap();
            let read = article.read_to_end(1 << 20).await?;
            assert_eq!(String::from_utf8(read).unwrap(), body.replace('\n', "\r\n"));
            client.quit().await;
            Ok(())
        },
    );
    done.unwrap();
}

#[test]
fn it_is_used_if_both_want_it() {
    let cases = [(true, true, true), (true, false, false), (false, true, false)];
    for (wanted, offered, expect) in cases {
        let done = with_server(
            support::config().compress(offered),
            |_: &Session| Access::read(),
            config().compress(wanted),
            |_, _, client| async move { Ok(client.is_compressed()) },
        );
        assert_eq!(done.unwrap(), expect, "{wanted} {offered}");
    }
    // A server that has changed its mind is used without.
    for answer in ["403 no memory\r\n", "502 not you\r\n", "503 what?\r\n"] {
        let script = Box::leak(Box::new([
            ("CAPABILITIES", CAPABLE),
            ("COMPRESS DEFLATE", answer),
            ("GROUP a.b", "211 0 1 0 a.b\r\n"),
        ]));
        let done = with_script(
            "200 hello\r\n",
            script,
            config().compress(true),
            |mut client| async move {
                assert!(!client.is_compressed());
                client.group(&group("a.b")).await.map(drop)
            },
        );
        done.unwrap();
    }
}

/// Sends a greeting, capabilities and 206 at once, and then these bytes.
struct Sends(Vec<u8>);

impl Protocol for Sends {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(format!("200 hello\r\n{CAPABLE}206 go\r\n"));
        transport.write(&self.0);
    }

    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

fn connected(bytes: Vec<u8>) -> Result<(), NewsError> {
    crate::watchdog::watch_this_test();
    task_test(move |reactor: Reactor| async move {
        let (listen, to) = at("sends");
        let port = listen.listen(&reactor, move |_: &Peer| Sends(bytes.clone())).unwrap();
        let config = config().compress(true);
        let client = sinew_news::nntp::client::NewsClient::connect(&reactor, to, config).await;
        port.stop_listening();
        client.map(drop)
    })
}

fn deflated(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Deflate::new(Format::Raw, 6).deflate_into(text, Flush::Sync, &mut out);
    out
}

#[test]
fn servers_that_do_not_keep_to_it() {
    // What lies behind 206 is compressed, also if it came with it.
    connected(deflated(CAPABLE.as_bytes())).unwrap();
    let error = connected(b"101 yes\r\n\xff\xff\xff\xff".to_vec()).unwrap_err();
    assert!(matches!(error, NewsError::Lost { .. }), "{error:?}");
    // A line without an end that inflates from little.
    let error = connected(deflated(&vec![b'1'; 50 << 20])).unwrap_err();
    assert!(matches!(error, NewsError::Framing { .. }), "{error:?}");
    // A stream that ends itself.
    let error = connected(b"\x03\x00".to_vec()).unwrap_err();
    assert!(matches!(error, NewsError::Lost { .. }), "{error:?}");
}

/// Somebody who writes without end what inflates to very much holds a client to one piece at a time.
#[test]
fn an_article_without_end_is_read_piece_by_piece() {
    crate::watchdog::watch_this_test();
    let error = task_test(|reactor: Reactor| async move {
        let (listen, to) = at("endless");
        let text = format!("{CAPABLE}220 1 <1@a>\r\n{}", "x\r\n".repeat(5 << 20));
        let bytes = deflated(text.as_bytes());
        assert!(bytes.len() < 100_000);
        let port = listen.listen(&reactor, move |_: &Peer| Sends(bytes.clone())).unwrap();
        let config = config().compress(true);
        let client = sinew_news::nntp::client::NewsClient::connect(&reactor, to, config).await;
        let mut client = client.unwrap();
        let mut article = client.article(Part::Article, 1).await.unwrap().unwrap();
        for _ in 0..100 {
            let piece = article.next().await.unwrap().unwrap();
            assert!(piece.len() <= 16 * 1024, "{}", piece.len());
        }
        let error = article.read_to_end(1 << 20).await.unwrap_err();
        port.stop_listening();
        error
    });
    assert!(matches!(error, NewsError::TooLong { .. }), "{error:?}");
}
