//! The body of a request on its way from the connection to whoever reads it: [`Incoming`], and [`BodyReceiver`] for those who take it
//! piece by piece.

use std::{fmt, mem, rc::Rc};

use bytes::Bytes;
use sinew_transports::reactor::Promise;

use super::exchange::Exchange;
use crate::codec::{BodyDecoder, BodyError, BodyEvent, Fields};

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
pub struct BodyControl(Rc<Exchange>);

impl BodyControl {
    /// Nothing more of the body is delivered, from this very moment, until [`resume`](Self::resume): the client finds that the server
    /// does not read. The body's minimum rate does not count meanwhile.
    pub fn pause(&self) {
        self.0.incoming.borrow_mut().paused = true;
    }

    /// Goes on with the body, from the loop.
    pub fn resume(&self) {
        self.0.incoming.borrow_mut().paused = false;
        self.0.wake();
    }
}

impl fmt::Debug for BodyControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyControl").field("paused", &self.0.incoming.borrow().paused).finish()
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
    end: Option<Result<(), BodyError>>,
    trailers: Fields,
}

impl Incoming {
    pub(super) fn new(decoder: BodyDecoder, expects_continue: bool) -> Self {
        Self { decoder, expects_continue, ..Self::default() }
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

impl Exchange {
    /// Feeds the body from the input, as far as it is wanted; how much was used.
    pub(super) fn feed(self: &Rc<Self>, input: &[u8]) -> Result<usize, BodyError> {
        let mut rest = input;
        loop {
            let mut incoming = self.incoming.borrow_mut();
            if !incoming.is_wanted() || incoming.end.is_some() {
                return Ok(input.len() - rest.len());
            }
            match incoming.decoder.decode(&mut rest)? {
                BodyEvent::Incomplete => return Ok(input.len() - rest.len()),
                BodyEvent::Data(data) => {
                    incoming.received += data.len() as u64;
                    drop(incoming);
                    self.deliver(data)?;
                }
                BodyEvent::End => {
                    let trailers = incoming.decoder.take_trailers();
                    drop(incoming);
                    self.end_body(Ok(trailers));
                }
            }
        }
    }

    fn deliver(self: &Rc<Self>, data: &[u8]) -> Result<(), BodyError> {
        let mut incoming = self.incoming.borrow_mut();
        match &mut incoming.reader {
            Reader::Collect { limit, bytes, .. } => {
                if (bytes.len() + data.len()) as u64 > *limit {
                    return Err(BodyError::TooLong { max: *limit });
                }
                bytes.extend_from_slice(data);
            }
            Reader::Pull(promise) => {
                if let Some(promise) = promise.take() {
                    promise.resolve(Some(Bytes::copy_from_slice(data)));
                }
            }
            Reader::Receive(_) => {
                let Reader::Receive(mut receiver) =
                    mem::replace(&mut incoming.reader, Reader::Called)
                else {
                    return Ok(());
                };
                drop(incoming);
                receiver.data_received(&BodyControl(Rc::clone(self)), data);
                self.incoming.borrow_mut().reader = Reader::Receive(receiver);
            }
            Reader::Nobody | Reader::Discard | Reader::Told | Reader::Called => {}
        }
        Ok(())
    }

    /// The answer is out: what is left of the body is dropped as it comes, and its reader is told so.
    pub(super) fn discard_body(self: &Rc<Self>) {
        let mut incoming = self.incoming.borrow_mut();
        let reader = mem::replace(&mut incoming.reader, Reader::Discard);
        incoming.paused = false;
        incoming.received = 0;
        drop(incoming);
        match reader {
            Reader::Collect { promise, .. } => promise.reject(BodyError::Taken),
            Reader::Pull(Some(promise)) => promise.reject(BodyError::Taken),
            Reader::Receive(receiver) => receiver.body_ended(Err(BodyError::Taken)),
            _ => {}
        }
    }

    /// The body is over, one way or the other: its reader is told.
    pub(super) fn end_body(self: &Rc<Self>, end: Result<Fields, BodyError>) {
        let mut incoming = self.incoming.borrow_mut();
        if incoming.end.is_some() {
            return;
        }
        incoming.end = Some(end.as_ref().map(|_| ()).map_err(Clone::clone));
        let reader = mem::replace(&mut incoming.reader, Reader::Told);
        if let (Ok(trailers), false) = (&end, matches!(reader, Reader::Receive(_))) {
            incoming.trailers = trailers.clone();
        }
        drop(incoming);
        match reader {
            Reader::Collect { bytes, promise, .. } => promise.settle(end.map(|_| bytes.into())),
            Reader::Pull(Some(promise)) => promise.settle(end.map(|_| None)),
            Reader::Receive(receiver) => receiver.body_ended(end),
            _ => {}
        }
    }
}
