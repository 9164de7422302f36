//! The state of a body that is being received: [`Incoming`]; and [`BodyReceiver`], which receives it in pieces.
//! `feeding.rs` feeds it from the connection.

use std::{fmt, mem, rc::Rc};

use bytes::Bytes;
use sinew_transports::reactor::Promise;

use super::Decoding;
use crate::codec::{BodyDecoder, BodyError, Fields};

/// Receives a body in pieces: of a request in a server, of a response in a client.
///
/// # Examples
///
/// ```
/// use sinew_http::{BodyControl, BodyReceiver, Fields, codec::BodyError, server::{Reply, Request, Response}};
///
/// /// Responds with the number of bytes.
/// struct Count { bytes: u64, reply: Reply }
///
/// impl BodyReceiver for Count {
///     fn data_received(&mut self, _: &BodyControl, data: &[u8]) {
///         self.bytes += data.len() as u64;
///     }
///
///     fn body_ended(self: Box<Self>, end: Result<Fields, BodyError>) {
///         if end.is_ok() {
///             self.reply.send(Response::text(self.bytes.to_string()));
///         } // on an error the server responds
///     }
/// }
///
/// fn count(request: Request, reply: Reply) {
///     request.receive(Count { bytes: 0, reply });
/// }
/// ```
pub trait BodyReceiver: 'static {
    /// A piece of the body has arrived.
    fn data_received(&mut self, body: &BodyControl, data: &[u8]);

    /// The body has ended, with these trailers; or nothing more of it will arrive. In that case a server responds to the request with
    /// [`BodyError::status`], unless there is a response already.
    fn body_ended(self: Box<Self>, end: Result<Fields, BodyError>);
}

/// Pauses and resumes a body that is being received.
#[derive(Clone)]
pub struct BodyControl(Rc<dyn Pausing>);

/// The object whose input a [`BodyControl`] pauses.
pub(super) trait Pausing {
    fn is_paused(&self) -> bool;
    fn set_paused(&self, paused: bool);
}

impl BodyControl {
    pub(super) fn new(pausing: Rc<dyn Pausing>) -> Self {
        Self(pausing)
    }

    /// Delivers no more of the body, from now until [`resume`](Self::resume): backpressure stops the peer. No timeout of the body
    /// applies meanwhile.
    pub fn pause(&self) {
        self.0.set_paused(true);
    }

    /// Continues with the body, from the loop.
    pub fn resume(&self) {
        self.0.set_paused(false);
    }
}

impl fmt::Debug for BodyControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyControl").field("paused", &self.0.is_paused()).finish()
    }
}

/// Who reads the body.
#[derive(Default)]
pub(crate) enum Reader {
    /// No reader yet.
    #[default]
    Nobody,
    /// The whole body is being collected.
    Collect {
        limit: u64,
        bytes: Vec<u8>,
        promise: Promise<Bytes, BodyError>,
    },
    /// The next piece is requested; or none at the moment.
    Pull(Option<Promise<Option<Bytes>, BodyError>>),
    Receive(Box<dyn BodyReceiver>),
    /// There will be no reader; the body is dropped as it arrives.
    Discard,
    /// The reader was told how the body ended.
    Told,
    /// Moved out while it is called.
    Called,
}

/// The reader.
#[derive(Default)]
pub(crate) struct Incoming {
    pub(crate) decoder: BodyDecoder,
    pub(crate) reader: Reader,
    /// Undoes the content coding.
    pub(crate) decoding: Option<Box<Decoding>>,
    /// Most bytes that are delivered to any reader.
    pub(crate) delivered_max: Option<u64>,
    pub(crate) delivered: u64,
    pub(crate) paused: bool,
    /// The client waits for `100 Continue`.
    pub(crate) expects_continue: bool,
    /// Bytes of the body so far.
    pub(crate) received: u64,
    /// How the body ended, for readers that ask later.
    pub(crate) end: Option<Result<(), BodyError>>,
    pub(crate) trailers: Fields,
}

impl Incoming {
    pub(crate) fn new(decoder: BodyDecoder, expects_continue: bool) -> Self {
        Self { decoder, expects_continue, ..Self::default() }
    }

    /// Whether the reader wants more now.
    pub(crate) fn is_wanted(&self) -> bool {
        let wants = match &self.reader {
            Reader::Nobody | Reader::Told | Reader::Called => false,
            Reader::Pull(promise) => promise.as_ref().is_some_and(Promise::is_pending),
            Reader::Collect { .. } | Reader::Receive(_) | Reader::Discard => true,
        };
        wants && !self.paused
    }

    /// Whether nothing waits for more of it now, though a reader may ask later.
    pub(crate) fn is_unasked(&self) -> bool {
        match &self.reader {
            Reader::Nobody => true,
            Reader::Pull(promise) => !promise.as_ref().is_some_and(Promise::is_pending),
            _ => false,
        }
    }

    /// Whether the reader wants more, and more is to come.
    pub(crate) fn wants_more(&self) -> bool {
        self.is_wanted() && self.end.is_none()
    }

    /// The body has ended, if all of it is delivered that is to come: with its trailers. `has_peer_ended`: nothing more will arrive.
    pub(crate) fn finish(&mut self, has_peer_ended: bool) -> Option<Result<Fields, BodyError>> {
        if self.decoding.as_ref().is_some_and(|decoding| !decoding.is_drained()) {
            return None;
        }
        let finished = match self.decoder.is_ended() {
            true => Ok(()),
            false if has_peer_ended => self.decoder.finish(),
            false => return None,
        };
        let decoded = || self.decoding.as_ref().map_or(Ok(()), |decoding| decoding.finish());
        Some(finished.and_then(|()| decoded()).map(|()| self.decoder.take_trailers()))
    }

    pub(crate) const fn end(&self) -> Option<&Result<(), BodyError>> {
        self.end.as_ref()
    }

    /// Sets the reader; returns it if there is one already, or the body was dropped.
    pub(crate) fn read_by(&mut self, reader: Reader) -> Result<(), Reader> {
        let is_free = match (&self.reader, &reader) {
            (Reader::Nobody, _) => true,
            // A wait that was cancelled: no piece is lost.
            (Reader::Pull(waiting), Reader::Pull(_)) => {
                !waiting.as_ref().is_some_and(Promise::is_pending)
            }
            _ => false,
        };
        if is_free {
            self.reader = reader;
            return Ok(());
        }
        Err(reader)
    }

    pub(crate) fn take_trailers(&mut self) -> Fields {
        mem::take(&mut self.trailers)
    }
}
