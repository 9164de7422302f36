//! State that all connections of a server share: [`Shared`]. The handler, the limits, reusable exchanges, one buffer for heads,
//! and the date, which is formatted once a second.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant, SystemTime},
};

use http::StatusCode;
use sinew_transports::reactor::Reactor;

use super::{Handler, ServerConfig, exchange::Exchange};
use crate::codec::{format_date, push_status_line};

/// Most exchanges that are kept for reuse: few requests are handled at the same moment, since those with immediate responses share
/// one.
const POOL_MAX: usize = 64;

/// Most storage that is kept of the buffer for heads.
const SCRATCH_MAX: usize = 16 * 1024;

pub(super) struct Shared {
    pub(super) handler: Box<dyn Handler>,
    pub(super) config: ServerConfig,
    pool: RefCell<Vec<Rc<Exchange>>>,
    scratch: Cell<Vec<u8>>,
    date: RefCell<Date>,
}

/// How most heads begin; the `Date` line follows.
const OK: &str = "HTTP/1.1 200 OK\r\n";

/// How most heads begin, with the `Date` line, and until when it is valid.
#[derive(Default)]
struct Date {
    lines: String,
    until: Option<Instant>,
}

impl Shared {
    pub(super) fn new(handler: impl Handler, config: ServerConfig) -> Self {
        Self {
            handler: Box::new(handler),
            config,
            pool: RefCell::default(),
            scratch: Cell::default(),
            date: RefCell::default(),
        }
    }

    /// An exchange without other handles.
    pub(super) fn take_exchange(&self) -> Rc<Exchange> {
        self.pool.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes it back for reuse, unless there are other handles.
    pub(super) fn give_back(&self, mut exchange: Rc<Exchange>) {
        let Some(inside) = Rc::get_mut(&mut exchange) else { return };
        // This may drop what users have stored, so nothing is borrowed here.
        inside.clear();
        let mut pool = self.pool.borrow_mut();
        if pool.len() < POOL_MAX {
            pool.push(exchange);
        }
    }

    /// Lends the empty buffer for heads.
    pub(super) fn with_scratch<R>(&self, f: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let mut scratch = self.scratch.take();
        scratch.clear();
        let result = f(&mut scratch);
        scratch.shrink_to(SCRATCH_MAX);
        self.scratch.set(scratch);
        result
    }

    /// Appends the status line and the `Date` line (RFC 9110 6.6.1).
    pub(super) fn push_status_and_date(
        &self,
        out: &mut Vec<u8>,
        status: StatusCode,
        reactor: &Reactor,
    ) {
        let mut date = self.date.borrow_mut();
        let now = reactor.now();
        if date.until.is_none_or(|until| now >= until) {
            let wall = reactor.wall_clock();
            let since = wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            let left =
                Duration::from_secs(1) - Duration::from_nanos(u64::from(since.subsec_nanos()));
            date.lines = format!("{OK}Date: {}\r\n", format_date(wall));
            date.until = Some(now + left);
        }
        let lines = date.lines.as_bytes();
        if status == StatusCode::OK {
            return out.extend_from_slice(lines);
        }
        push_status_line(out, status);
        out.extend_from_slice(&lines[OK.len()..]);
    }
}
