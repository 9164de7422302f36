//! What users write: [`Pop3Handler`], which opens maildrops, and [`Maildrop`], the messages of one.

use std::rc::Rc;

use bytes::Bytes;
use sinew_auth::Identity;
use sinew_transports::{
    Transport,
    reactor::{Deferred, Reactor},
};

use super::MaildropError;
use crate::pop3::codec::UniqueId;

/// Opens the maildrops of a server. Only the loop calls it. A closure with the arguments of [`open`](Self::open) is one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not open maildrops",
    label = "not a `Pop3Handler`",
    note = "implement `open`, or give a closure `|reactor: &Reactor, transport: &Transport, identity: &Identity| …` that returns a `Deferred<Rc<dyn Maildrop>, MaildropError>`"
)]
pub trait Pop3Handler: 'static {
    /// Opens the maildrop of who has logged in, by the [name](Identity::name) whose rights count. It stays as it is for the whole session:
    /// messages that arrive later are seen by the next one.
    ///
    /// # Errors
    ///
    /// [`MaildropError`]. The login fails then, with the code of the error.
    fn open(
        &self,
        reactor: &Reactor,
        transport: &Transport,
        identity: &Identity,
    ) -> Deferred<Rc<dyn Maildrop>, MaildropError>;
}

impl<F> Pop3Handler for F
where
    F: Fn(&Reactor, &Transport, &Identity) -> Deferred<Rc<dyn Maildrop>, MaildropError> + 'static,
{
    fn open(
        &self,
        reactor: &Reactor,
        transport: &Transport,
        identity: &Identity,
    ) -> Deferred<Rc<dyn Maildrop>, MaildropError> {
        self(reactor, transport, identity)
    }
}

/// The messages of a user, as they are when the session begins. Only the loop calls it. It is dropped with the session, and with it every
/// lock that it holds.
///
/// Messages are counted from 0 here, and from 1 by clients.
pub trait Maildrop: 'static {
    /// How many messages there are. The same for the whole session; what is above four thousand million is not seen.
    fn message_count(&self) -> usize;

    /// The size of a message in bytes, with lines that end in CRLF: what all reads of it give together. Called for all messages when the
    /// maildrop is opened, and for LIST.
    fn size(&self, message: usize) -> u64;

    /// What identifies a message in this maildrop for ever. No two messages may have the same, also not if one is gone.
    fn unique_id(&self, message: usize) -> UniqueId;

    /// Reads a part of a message, from this offset on: so many bytes at most. Less does not mean that it is the end: that is where no bytes
    /// are given, or [`size`](Self::size) bytes were. Lines must end in CRLF: a bare LF is sent as
    /// CRLF, by which the message is longer than its size says. A bare CR is sent as it is, or as CRLF if a dot follows. Dots are not
    /// stuffed.
    ///
    /// One read is made at a time, for as much as the client receives. It is cancelled if the client goes.
    ///
    /// # Errors
    ///
    /// [`MaildropError`]. If a part of the message was sent already, the connection is closed.
    fn read(
        &self,
        reactor: &Reactor,
        message: usize,
        offset: u64,
        len: usize,
    ) -> Deferred<Bytes, MaildropError>;

    /// Reads the beginnings of several messages by one request: of each of them what [`read`](Self::read) gives from offset 0, in the order
    /// of the list. Asked for the messages of RETR and TOP that were received together, if they are not longer together than 64 KiB.
    /// Messages that are left out, whether they could not be read or there was no room, are read by `read`.
    ///
    /// `None`, as by default, if there is nothing to gain by it.
    ///
    /// # Errors
    ///
    /// [`MaildropError`]. It is as if all had been left out.
    fn read_many(
        &self,
        reactor: &Reactor,
        messages: &[usize],
        len: usize,
    ) -> Option<Deferred<Vec<(usize, Bytes)>, MaildropError>> {
        let _ = (reactor, messages, len);
        None
    }

    /// The client has said QUIT: deletes these messages, of which there may be none, in ascending order. Called at most once, and by no
    /// other end of a session. It is not cancelled, also if the client goes.
    ///
    /// # Errors
    ///
    /// [`MaildropError`]: some of them were not deleted.
    fn finish(&self, reactor: &Reactor, deleted: &[usize]) -> Deferred<(), MaildropError>;
}
