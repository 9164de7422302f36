//! A server that follows a script: what it expects, and what it says to that.

use std::{cell::Cell, rc::Rc};

use sinew_mail::smtp::client::{ClientConfig, Delivery, Envelope, Security, SmtpClient, SmtpError};
use sinew_protocols::basic::{LineHandler, LineReceiver, LineTransport};
use sinew_testkit::testing::task_test;
use sinew_transports::{ConnectionLost, Peer, endpoint::ServerEndpoint, reactor::Reactor};

/// Lines that are expected, and what is written then. A line `(text)` stands for any lines up to that of a dot. An answer `!` closes the
/// connection, and an empty one says nothing.
pub(crate) type Script = &'static [(&'static str, &'static str)];

struct Scripted {
    script: std::slice::Iter<'static, (&'static str, &'static str)>,
    greeting: &'static str,
    is_over: Rc<Cell<bool>>,
    text: bool,
}

impl Scripted {
    fn say(&self, transport: &LineTransport<'_>, answer: &str) {
        transport.write(answer.trim_end_matches('!'));
        if answer.ends_with('!') {
            transport.lose_connection();
        }
    }
}

impl LineHandler for Scripted {
    fn connection_made(&mut self, transport: &mut LineTransport<'_>) {
        self.say(transport, self.greeting);
    }

    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        let line = String::from_utf8_lossy(line).into_owned();
        if self.text && line != "." {
            return;
        }
        let Some((expected, answer)) = self.script.next() else {
            panic!("{line:?} comes when nothing is expected")
        };
        assert!(
            *expected == line || *expected == "(text)" && line == ".",
            "{line:?} in place of {expected:?}"
        );
        self.text = matches!(self.script.as_slice().first(), Some(("(text)", _)));
        if self.script.as_slice().is_empty() {
            self.is_over.set(true);
        }
        self.say(transport, answer);
    }

    fn connection_lost(&mut self, _: &mut LineTransport<'_>, _: &ConnectionLost) {}
}

pub(crate) fn config() -> ClientConfig {
    ClientConfig::new("client.example").unwrap().security(Security::None)
}

pub(crate) fn envelope(to: &[&str]) -> Envelope {
    let to = to.iter().map(|to| format!("{to}@example.org").parse().unwrap());
    Envelope::new(Some("ann@example.net".parse().unwrap()), to)
}

/// A message to these, sent to a server of this script.
pub(crate) fn send(
    greeting: &'static str,
    script: Script,
    config: ClientConfig,
    to: &[&str],
    message: &'static str,
) -> Result<Delivery, SmtpError> {
    let envelope = envelope(to);
    with_script(greeting, script, config, move |mut client| async move {
        let delivery = client.send(&envelope, message).await?;
        client.quit().await;
        Ok(delivery)
    })
}

/// Runs `f` with a client of a server of this script, all of which must have been played if there is no error.
pub(crate) fn with_script<T: 'static, F: Future<Output = Result<T, SmtpError>> + 'static>(
    greeting: &'static str,
    script: Script,
    config: ClientConfig,
    f: impl FnOnce(SmtpClient) -> F + 'static,
) -> Result<T, SmtpError> {
    let (result, is_over) = play(greeting, script, config, f);
    assert!(result.is_err() || is_over, "the script was not played to its end");
    result
}

/// The same; returns also whether all of the script was played.
pub(crate) fn play<T: 'static, F: Future<Output = Result<T, SmtpError>> + 'static>(
    greeting: &'static str,
    script: Script,
    config: ClientConfig,
    f: impl FnOnce(SmtpClient) -> F + 'static,
) -> (Result<T, SmtpError>, bool) {
    crate::watchdog::watch_this_test();
    task_test(move |reactor: Reactor| async move {
        let is_over = Rc::new(Cell::new(false));
        let of_server = Rc::clone(&is_over);
        let server = move |_: &Peer| {
            let (script, is_over) = (script.iter(), Rc::clone(&of_server));
            LineReceiver::new(Scripted { script, greeting, is_over, text: false })
        };
        let at: ServerEndpoint = "memory:mail".parse().unwrap();
        let port = at.listen(&reactor, server).unwrap();
        let to: sinew_transports::endpoint::ClientEndpoint = "memory:mail".parse().unwrap();
        let result = async {
            let client = SmtpClient::connect(&reactor, to, config).await?;
            f(client).await
        };
        let result = result.await;
        port.stop_listening();
        (result, is_over.get())
    })
}

/// What became of each recipient: `ok`, or the stage and the code.
pub(crate) fn outcomes(delivery: &Delivery) -> Vec<String> {
    let outcome = |reply: &sinew_mail::smtp::client::RecipientReply| match reply.is_delivered() {
        true => "ok".to_owned(),
        false => format!("{} {}", reply.stage(), reply.reply().code()),
    };
    delivery.replies().iter().map(outcome).collect()
}
