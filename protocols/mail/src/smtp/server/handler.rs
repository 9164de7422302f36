//! What users write: [`SmtpHandler`] for a connection, [`MessageSink`] for a message; and [`collect`], a sink in memory.

use super::{Outcome, Session, Verdict};
use crate::smtp::codec::{Recipient, Sender};

/// Decides about the mail of one connection. Only the loop calls it.
///
/// Each method has a default that accepts, but for [`rcpt`](Self::rcpt) and [`data`](Self::data): a server that accepts every recipient
/// and sends the mail on is an open relay.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not handle mail",
    label = "not an `SmtpHandler`",
    note = "implement `rcpt`, which accepts recipients, and `data`, which takes the message",
    note = "the server is given a closure that makes one for each connection: `|peer: &Peer| …`"
)]
pub trait SmtpHandler: 'static {
    /// A client has connected; it receives the greeting if it is accepted, else the reply, and is disconnected.
    fn connected(&mut self, session: &Session) -> Verdict {
        let _ = session;
        Verdict::accept()
    }

    /// The client has said its `name` in HELO, EHLO or LHLO. Anyone can say any name.
    fn helo(&mut self, session: &Session, name: &str) -> Verdict {
        let _ = (session, name);
        Verdict::accept()
    }

    /// A message begins, from this sender.
    fn mail(&mut self, session: &Session, from: &Sender) -> Verdict {
        let _ = (session, from);
        Verdict::accept()
    }

    /// The message shall go to this recipient, too.
    fn rcpt(&mut self, session: &Session, to: &Recipient) -> Verdict;

    /// The message follows, to the accepted [recipients](Session::recipients) of the session: where to?
    fn data(&mut self, session: &Session) -> Verdict<Box<dyn MessageSink>>;
}

/// Takes a message as it arrives. One that is dropped before [`finish`](Self::finish) was called has not received all of its message,
/// and must forget it.
pub trait MessageSink: 'static {
    /// Takes the next piece: whole lines or not, with their CRLFs, without the stuffed dots. The first is the `Received` line of this
    /// server, unless that is [switched off](super::ServerConfig::received_line).
    ///
    /// While the verdict is open nothing more is read, and the client is held up. A refusal is the reply to the message: its rest is read
    /// and dropped.
    fn write(&mut self, piece: &[u8]) -> Verdict;

    /// The message is complete. With a reply of 2yz, this server is responsible for it from then on, so it must be stored safely before.
    fn finish(self: Box<Self>) -> Verdict<Outcome>;
}

/// A sink that collects the message in memory, and calls `finish` with it. It grows up to the limit of the server, 25 MiB by default.
///
/// # Examples
///
/// ```
/// use sinew_mail::smtp::{codec::Reply, server::{MessageSink, Verdict, collect}};
///
/// let verdict: Verdict<Box<dyn MessageSink>> = collect(|message| {
///     println!("{} bytes", message.len());
///     Verdict::reply(Reply::ok())
/// });
/// # drop(verdict);
/// ```
pub fn collect(
    finish: impl FnOnce(Vec<u8>) -> Verdict<Outcome> + 'static,
) -> Verdict<Box<dyn MessageSink>> {
    Verdict::now(Box::new(Collected { message: Vec::new(), finish }))
}

struct Collected<F> {
    message: Vec<u8>,
    finish: F,
}

impl<F: FnOnce(Vec<u8>) -> Verdict<Outcome> + 'static> MessageSink for Collected<F> {
    fn write(&mut self, piece: &[u8]) -> Verdict {
        self.message.extend_from_slice(piece);
        Verdict::accept()
    }

    fn finish(self: Box<Self>) -> Verdict<Outcome> {
        (self.finish)(self.message)
    }
}
