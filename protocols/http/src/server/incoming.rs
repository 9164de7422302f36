//! The state of a request body that is being received: [`Incoming`]; and [`BodyReceiver`], which receives it in pieces. How it is
//! fed from the connection is in `feeding.rs`.

use std::{fmt, mem, rc::Rc};

use bytes::Bytes;
use sinew_transports::reactor::Promise;

use crate::codec::{BodyDecoder, BodyError, ChunkLimits, Fields, Framing};

/// Takes the body of a request piece by piece, as it comes.
///
/// # Examples
///
/// ```
/// use sinew_http::{Fields, StatusCode, codec::BodyError};
/// use sinew_http::server::{BodyReceiver, BodyControl, Reply, Request, Response};
///
/// /// Counts, and answers with the number.
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
///         } // else the server answers, as the error says
///     }
/// }
///
/// fn count(request: Request, reply: Reply) {
///     request.receive(Count { bytes: 0, reply });
/// }
/// ```
pub trait BodyReceiver: 'static {
    /// Some of the body has come.
    fn data_received(&mut self, body: &BodyControl, data: &[u8]);

    /// The body is over, with these trailers; or nothing more of it will come. Then the server answers by itself, with
    /// [`BodyError::status`], if nobody has.
    fn body_ended(self: Box<Self>, end: Result<Fields, BodyError>);
}

/// Holds back the body of a request.
#[derive(Clone)]
pub struct BodyControl(Rc<dyn Pausing>);

/// Whose input can be paused: what a [`BodyControl`] controls.
pub(super) trait Pausing {
    fn is_paused(&self) -> bool;
    fn set_paused(&self, paused: bool);
}

impl BodyControl {
    pub(super) fn new(pausing: Rc<dyn Pausing>) -> Self {
        Self(pausing)
    }

    /// Nothing more of the body is delivered, from this very moment, until [`resume`](Self::resume): the client finds that the server
    /// does not read. The body's minimum rate does not count meanwhile.
    pub fn pause(&self) {
        self.0.set_paused(true);
    }

    /// Goes on with the body, from the loop.
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
    /// Nobody yet.
    #[default]
    Nobody,
    /// All of it is gathered.
    Collect {
        limit: u64,
        bytes: Vec<u8>,
        promise: Promise<Bytes, BodyError>,
    },
    /// The next piece is wanted; or none for now.
    Pull(Option<Promise<Option<Bytes>, BodyError>>),
    Receive(Box<dyn BodyReceiver>),
    /// Nobody will; it is dropped as it comes.
    Discard,
    /// It has been told how the body ended.
    Told,
    /// Out of here while it is called.
    Called,
}

/// See the head of this file.
#[derive(Default)]
pub(super) struct Incoming {
    pub(super) decoder: BodyDecoder,
    pub(super) reader: Reader,
    pub(super) paused: bool,
    /// The client waits for `100 Continue`.
    pub(super) expects_continue: bool,
    /// Bytes of the body so far.
    pub(super) received: u64,
    /// How the body ended, for those who ask later.
    pub(super) end: Option<Result<(), BodyError>>,
    pub(super) trailers: Fields,
}

impl Incoming {
    /// A body that has not come yet. There is nothing to be done for a request that has none.
    pub(super) fn begin(&mut self, framing: Framing, limits: ChunkLimits, expects_continue: bool) {
        if !matches!(framing, Framing::None | Framing::Length(0)) {
            self.decoder = BodyDecoder::new(framing, limits);
        }
        self.expects_continue = expects_continue;
    }

    /// Drops all that is left of the last body.
    pub(super) fn clear(&mut self) {
        if !self.is_untouched() || self.expects_continue || self.paused {
            *self = Self::default();
        }
    }

    /// Whether there was no body, and nobody has asked for it.
    #[inline]
    pub(super) fn is_untouched(&self) -> bool {
        self.decoder.is_ended() && matches!(self.reader, Reader::Nobody)
    }

    /// Whether somebody wants more of it now.
    pub(super) fn is_wanted(&self) -> bool {
        let wants = match &self.reader {
            Reader::Nobody | Reader::Told | Reader::Called => false,
            Reader::Pull(promise) => promise.is_some(),
            Reader::Collect { .. } | Reader::Receive(_) | Reader::Discard => true,
        };
        wants && !self.paused
    }

    /// Whether it is wanted, and there is more to come.
    pub(super) fn wants_more(&self) -> bool {
        self.is_wanted() && self.end.is_none()
    }

    pub(super) const fn end(&self) -> Option<&Result<(), BodyError>> {
        self.end.as_ref()
    }

    /// Becomes read by this one; hands it back if it is read already, or was dropped.
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
