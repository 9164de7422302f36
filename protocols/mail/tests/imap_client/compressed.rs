//! COMPRESS=DEFLATE: both directions, and bombs.

use std::{cell::Cell, rc::Rc};

use sinew_mail::imap::client::{ImapClient, ImapError};
use sinew_protocols::compression::{Deflate, Flush, Format, Inflate, Inflated};
use sinew_testkit::testing::task_test;
use sinew_transports::{
    Peer, Protocol, Transport,
    endpoint::{ClientEndpoint, ServerEndpoint},
};

use super::script::config;

/// Answers one NOOP, compressed, with this before the answer.
struct Server {
    inflate: Option<Inflate>,
    before: &'static [u8],
    was_compressed: Rc<Cell<bool>>,
}

impl Protocol for Server {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write("* OK [CAPABILITY IMAP4rev1 COMPRESS=DEFLATE] x\r\n");
    }

    fn data_received(&mut self, transport: &Transport, mut data: &[u8]) {
        let Some(inflate) = &mut self.inflate else {
            assert_eq!(data, b"a1 COMPRESS DEFLATE\r\n");
            self.inflate = Some(Inflate::new(Format::Raw));
            // What follows the answer at once is compressed.
            transport.write("a1 OK go\r\n");
            return;
        };
        let mut line = Vec::new();
        while let Ok(Inflated::Output(piece)) = inflate.inflate(&mut data) {
            line.extend_from_slice(piece);
        }
        assert_eq!(line, b"a2 NOOP\r\n");
        self.was_compressed.set(true);
        let mut out = Vec::new();
        let answer = [self.before, b"* 5 EXISTS\r\na2 OK\r\n"].concat();
        Deflate::new(Format::Raw, 6).deflate_into(&answer, Flush::Sync, &mut out);
        transport.write(&out);
    }
}

fn noop(before: &'static [u8]) -> Result<(), ImapError> {
    crate::watchdog::watch_this_test();
    task_test(move |reactor| async move {
        let was_compressed = Rc::new(Cell::new(false));
        let of_server = Rc::clone(&was_compressed);
        let at: ServerEndpoint = "memory:mail".parse().unwrap();
        let server =
            move |_: &Peer| Server { inflate: None, before, was_compressed: Rc::clone(&of_server) };
        let port = at.listen(&reactor, server).unwrap();
        let to: ClientEndpoint = "memory:mail".parse().unwrap();
        let client =
            ImapClient::connect(&reactor, to, config().compression(true).line_max(100_000)).await?;
        let answered = client.noop().await;
        assert!(was_compressed.get());
        port.stop_listening();
        answered
    })
}

#[test]
fn both_directions_are_compressed() {
    noop(b"").unwrap();
}

#[test]
fn bombs_are_bounded_by_the_limits_of_messages() {
    let bomb: &'static [u8] = vec![b'x'; 5_000_000].leak();
    let error = noop(bomb).unwrap_err();
    assert!(matches!(error, ImapError::Lost { .. }), "{error:?}");
}
