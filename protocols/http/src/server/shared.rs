//! State that all connections of a server share: [`Shared`]. The handler, the limits, reusable exchanges, one buffer for heads,
//! and what is formatted once a second: the date, and the head of the usual response.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant, SystemTime},
};

use http::StatusCode;
use sinew_transports::{Transport, WriteStatus, reactor::Reactor};

use super::{Handler, ServerConfig, exchange::Exchange};
use crate::codec::{format_date, push_field, push_number, push_status_line};

/// Most exchanges that are kept for reuse: few requests are handled at the same moment, since those with immediate responses share
/// one.
const POOL_MAX: usize = 64;

/// Most storage that is kept of the buffer for heads.
const SCRATCH_MAX: usize = 16 * 1024;

pub(super) struct Shared {
    pub(super) handler: Box<dyn Handler>,
    pub(super) config: ServerConfig,
    pool: RefCell<Vec<Rc<Exchange>>>,
    scratch: RefCell<Vec<u8>>,
    date: RefCell<Date>,
    usual: RefCell<UsualHead>,
    /// When the first connection was made: see `millis`.
    began: Cell<Option<Instant>>,
}

/// The `Date` line of heads, and until when it is valid.
#[derive(Default)]
struct Date {
    line: String,
    until: Option<Instant>,
}

/// The head of a 200 without other fields than the content type, complete, and until when it is valid.
#[derive(Default)]
struct UsualHead {
    bytes: Vec<u8>,
    /// The position of the length.
    length_at: usize,
    content_type: Option<&'static str>,
    length: usize,
    until: Option<Instant>,
}

impl Shared {
    pub(super) fn new(handler: impl Handler, config: ServerConfig) -> Self {
        Self {
            handler: Box::new(handler),
            config,
            pool: RefCell::default(),
            scratch: RefCell::default(),
            date: RefCell::default(),
            usual: RefCell::default(),
            began: Cell::new(None),
        }
    }

    /// An exchange without other handles.
    #[inline]
    pub(super) fn take_exchange(&self) -> Rc<Exchange> {
        self.pool.borrow_mut().pop().unwrap_or_default()
    }

    /// Resets an exchange for another request. `None` if there are other handles.
    pub(super) fn cleared(mut exchange: Rc<Exchange>) -> Option<Rc<Exchange>> {
        // This may drop what users have stored, so nothing is borrowed here.
        Rc::get_mut(&mut exchange)?.clear();
        Some(exchange)
    }

    /// Takes a cleared exchange back for reuse.
    #[inline]
    pub(super) fn give_back(&self, exchange: Rc<Exchange>) {
        let mut pool = self.pool.borrow_mut();
        if pool.len() < POOL_MAX {
            pool.push(exchange);
        }
    }

    /// Milliseconds since the first connection; starts again at 0 after 49 days. A connection that stores this needs no [`Instant`].
    pub(super) fn millis(&self, now: Instant) -> u32 {
        let began = self.began.get().unwrap_or(now);
        self.began.set(Some(began));
        now.saturating_duration_since(began).as_millis() as u32
    }

    /// Lends the empty buffer for heads to a function that runs no user code.
    pub(super) fn with_scratch<R>(&self, f: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let mut scratch = self.scratch.borrow_mut();
        scratch.clear();
        let result = f(&mut scratch);
        if scratch.capacity() > SCRATCH_MAX {
            scratch.shrink_to(SCRATCH_MAX);
        }
        result
    }

    /// Appends the `Date` line (RFC 9110 6.6.1).
    pub(super) fn push_date(&self, out: &mut Vec<u8>, reactor: &Reactor) {
        let mut date = self.date.borrow_mut();
        date.renew(reactor);
        out.extend_from_slice(date.line.as_bytes());
    }

    /// Writes a 200 without other fields than this content type, on a connection that is kept.
    pub(super) fn write_usual(
        &self,
        transport: &Transport,
        reactor: &Reactor,
        content_type: Option<&'static str>,
        body: &[u8],
    ) -> WriteStatus {
        let mut usual = self.usual.borrow_mut();
        let is_valid = usual.until.is_some_and(|until| reactor.now() < until)
            && is_same(usual.content_type, content_type);
        if !is_valid {
            let mut date = self.date.borrow_mut();
            date.renew(reactor);
            usual.write(&date, content_type, body.len());
        } else if usual.length != body.len() {
            usual.set_length(body.len());
        }
        transport.write_vectored(&[&usual.bytes, body])
    }
}

/// Whether both are the same constant. Equal constants in two places count as different, which only costs time.
fn is_same(one: Option<&'static str>, other: Option<&'static str>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => std::ptr::eq(one, other),
        (one, other) => one.is_none() && other.is_none(),
    }
}

impl Date {
    /// Formats the line again when its second is over.
    fn renew(&mut self, reactor: &Reactor) {
        let now = reactor.now();
        if self.until.is_none_or(|until| now >= until) {
            let wall = reactor.wall_clock();
            let since = wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            let left =
                Duration::from_secs(1) - Duration::from_nanos(u64::from(since.subsec_nanos()));
            self.line = format!("Date: {}\r\n", format_date(wall));
            self.until = Some(now + left);
        }
    }
}

impl UsualHead {
    #[inline(never)]
    fn write(&mut self, date: &Date, content_type: Option<&'static str>, length: usize) {
        self.bytes.clear();
        push_status_line(&mut self.bytes, StatusCode::OK);
        self.bytes.extend_from_slice(date.line.as_bytes());
        if let Some(content_type) = content_type {
            push_field(&mut self.bytes, b"Content-Type", content_type.as_bytes());
        }
        self.bytes.extend_from_slice(b"Content-Length: ");
        self.length_at = self.bytes.len();
        (self.content_type, self.until) = (content_type, date.until);
        self.set_length(length);
    }

    fn set_length(&mut self, length: usize) {
        self.bytes.truncate(self.length_at);
        push_number(&mut self.bytes, length as u64);
        self.bytes.extend_from_slice(b"\r\n\r\n");
        self.length = length;
    }
}
