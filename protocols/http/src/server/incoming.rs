//! The state of a request body that is being received: [`Incoming`]; and [`BodyReceiver`], which receives it in pieces.
//! `feeding.rs` feeds it from the connection.

use std::{fmt, mem, rc::Rc};

use bytes::Bytes;
use sinew_transports::reactor::Promise;

use crate::codec::{BodyDecoder, BodyError, Fields};

/// Receives the body of a request in pieces.
///
/// # Examples
///
/// ```
/// use sinew_http::{Fields, StatusCode, codec::BodyError};
/// use sinew_http::server::{BodyReceiver, BodyControl, Reply, Request, Response};
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

    /// The body has ended, with these trailers; or nothing more of it will arrive. In that case the server responds with
    /// [`BodyError::status`], unless there is a response already.
    fn body_ended(self: Box<Self>, end: Result<Fields, BodyError>);
}

/// Pauses and resumes the body of a request.
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

    /// Delivers no more of the body, from now until [`resume`](Self::resume): backpressure stops the client. The minimum rate of
    /// the body does not apply meanwhile.
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
pub(super) enum Reader {
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
pub(super) struct Incoming {
    pub(super) decoder: BodyDecoder,
    pub(super) reader: Reader,
    pub(super) paused: bool,
    /// The client waits for `100 Continue`.
    pub(super) expects_continue: bool,
    /// Bytes of the body so far.
    pub(super) received: u64,
    /// How the body ended, for readers that ask later.
    pub(super) end: Option<Result<(), BodyError>>,
    pub(super) trailers: Fields,
}

impl Incoming {
    pub(super) fn new(decoder: BodyDecoder, expects_continue: bool) -> Self {
        Self { decoder, expects_continue, ..Self::default() }
    }

    /// Whether the reader wants more now.
    pub(super) fn is_wanted(&self) -> bool {
        let wants = match &self.reader {
            Reader::Nobody | Reader::Told | Reader::Called => false,
            Reader::Pull(promise) => promise.is_some(),
            Reader::Collect { .. } | Reader::Receive(_) | Reader::Discard => true,
        };
        wants && !self.paused
    }

    /// Whether the reader wants more, and more is to come.
    pub(super) fn wants_more(&self) -> bool {
        self.is_wanted() && self.end.is_none()
    }

    pub(super) const fn end(&self) -> Option<&Result<(), BodyError>> {
        self.end.as_ref()
    }

    /// Sets the reader; returns it if there is one already, or the body was dropped.
    pub(super) fn read_by(&mut self, reader: Reader) -> Result<(), Reader> {
        match (&self.reader, &reader) {
            (Reader::Nobody, _) | (Reader::Pull(None), Reader::Pull(_)) => {
                self.reader = reader;
                Ok(())
            }
            _ => Err(reader),
        }
    }

    pub(super) fn take_trailers(&mut self) -> Fields {
        mem::take(&mut self.trailers)
    }
}
