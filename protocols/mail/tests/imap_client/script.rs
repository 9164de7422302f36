//! A server that follows a script: what it expects, and what it says to that.

use std::{cell::Cell, rc::Rc, time::Duration};

use sinew_mail::imap::client::{ClientConfig, ImapClient, ImapError, Security};
use sinew_protocols::basic::{Line, LineHandler, LineReceiver, LineTransport};
use sinew_testkit::testing::task_test;
use sinew_transports::{
    ConnectionLost, Peer,
    endpoint::{ClientEndpoint, ServerEndpoint},
    reactor::Reactor,
};

/// Lines that are expected, and what is written then. An answer that ends in `!` closes the connection after it. One line may be expected
/// as any line: `*`.
pub(crate) type Script = &'static [(&'static str, &'static str)];

/// A greeting with the capabilities that most tests need.
pub(crate) const GREETING: &str = concat!(
    "* OK [CAPABILITY IMAP4rev1 IDLE UIDPLUS MOVE ENABLE UNSELECT NAMESPACE ID ESEARCH LIST-EXTENDED LIST-STATUS ",
    "CONDSTORE QRESYNC SASL-IR] ready\r\n"
);

pub(crate) struct Scripted {
    pub(crate) script: std::slice::Iter<'static, (&'static str, &'static str)>,
    pub(crate) greeting: &'static str,
    pub(crate) is_over: Rc<Cell<bool>>,
    /// How many bytes are written at a time. 0: all.
    pub(crate) piece: usize,
}

impl Scripted {
    fn say(&self, transport: &LineTransport<'_>, answer: &'static str) {
        if self.script.as_slice().is_empty() {
            self.is_over.set(true);
        }
        let text = answer.trim_end_matches('!');
        match self.piece {
            0 => {
                transport.write(text);
            }
            len => write_in_pieces(transport, text, len),
        }
        if answer.ends_with('!') {
            transport.lose_connection();
        }
    }
}

/// One piece a millisecond, so that none is joined to the one before.
fn write_in_pieces(transport: &LineTransport<'_>, text: &'static str, len: usize) {
    let reactor = transport.reactor().expect("it runs");
    for (at, piece) in (1..).zip(text.as_bytes().chunks(len)) {
        let transport = (**transport).clone();
        reactor.call_later(Duration::from_millis(at), move |_| {
            transport.write(piece);
        });
    }
}

impl LineHandler for Scripted {
    fn connection_made(&mut self, transport: &mut LineTransport<'_>) {
        self.say(transport, self.greeting);
    }

    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        let line = String::from_utf8_lossy(line).into_owned();
        let Some((expected, answer)) = self.script.next() else {
            panic!("{line:?} comes when nothing is expected")
        };
        assert!(*expected == line || *expected == "*", "{line:?} in place of {expected:?}");
        self.say(transport, answer);
    }

    fn connection_lost(&mut self, _: &mut LineTransport<'_>, _: &ConnectionLost) {}
}

pub(crate) fn config() -> ClientConfig {
    ClientConfig::default().security(Security::None)
}

/// Runs `f` with a client of a server of this script, all of which must have been played if there is no error.
pub(crate) fn with<T: 'static, F: Future<Output = Result<T, ImapError>> + 'static>(
    script: Script,
    f: impl FnOnce(ImapClient, Reactor) -> F + 'static,
) -> T {
    let (result, is_over) = play(GREETING, script, config(), f);
    let result = result.unwrap_or_else(|error| panic!("{error:?}"));
    assert!(is_over, "the script was not played to its end");
    result
}

/// The same with any greeting and configuration; returns also whether all of the script was played.
pub(crate) fn play<T: 'static, F: Future<Output = Result<T, ImapError>> + 'static>(
    greeting: &'static str,
    script: Script,
    config: ClientConfig,
    f: impl FnOnce(ImapClient, Reactor) -> F + 'static,
) -> (Result<T, ImapError>, bool) {
    play_in_pieces(0, greeting, script, config, f)
}

/// The same, where the server writes so many bytes at a time.
pub(crate) fn play_in_pieces<T: 'static, F: Future<Output = Result<T, ImapError>> + 'static>(
    piece: usize,
    greeting: &'static str,
    script: Script,
    config: ClientConfig,
    f: impl FnOnce(ImapClient, Reactor) -> F + 'static,
) -> (Result<T, ImapError>, bool) {
    crate::watchdog::watch_this_test();
    task_test(move |reactor: Reactor| async move {
        let is_over = Rc::new(Cell::new(false));
        let of_server = Rc::clone(&is_over);
        let server = move |_: &Peer| {
            let (script, is_over) = (script.iter(), Rc::clone(&of_server));
            let line = Line::default().len_max(1024 * 1024);
            LineReceiver::with_decoder(line, Scripted { script, greeting, is_over, piece })
        };
        let at: ServerEndpoint = "memory:mail".parse().unwrap();
        let port = at.listen(&reactor, server).unwrap();
        let to: ClientEndpoint = "memory:mail".parse().unwrap();
        let result = async {
            let client = ImapClient::connect(&reactor, to, config).await?;
            let result = f(client.clone(), reactor.clone()).await;
            drop(client);
            result
        };
        let result = result.await;
        // What was said last may be on its way.
        reactor.sleep(Duration::from_millis(5)).await;
        port.stop_listening();
        (result, is_over.get())
    })
}
