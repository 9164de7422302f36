//! What all connections of a server share: [`Shared`]. The handler, the limits, exchanges to be used again, one buffer for heads, and
//! the date, which is written once a second.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant, SystemTime},
};

use sinew_transports::reactor::Reactor;

use super::{Handler, ServerConfig, exchange::Exchange};
use crate::codec::format_date;

/// Exchanges that are kept: more are rarely in work at the same moment, for those that answer at once need one for all.
const POOL_MAX: usize = 64;

/// Storage of the buffer for heads that is kept.
const SCRATCH_MAX: usize = 16 * 1024;

pub(super) struct Shared {
    pub(super) handler: Box<dyn Handler>,
    pub(super) config: ServerConfig,
    pool: RefCell<Vec<Rc<Exchange>>>,
    scratch: Cell<Vec<u8>>,
    date: RefCell<Date>,
}

/// A line of the head, and until when it is right.
#[derive(Default)]
struct Date {
    line: String,
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

    /// An exchange that nobody else has a handle to.
    pub(super) fn take_exchange(&self) -> Rc<Exchange> {
        self.pool.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes it back, unless somebody has kept a handle.
    pub(super) fn give_back(&self, mut exchange: Rc<Exchange>) {
        let Some(inside) = Rc::get_mut(&mut exchange) else { return };
        // This may drop what users have put in, while nothing here is borrowed.
        inside.clear();
        let mut pool = self.pool.borrow_mut();
        if pool.len() < POOL_MAX {
            pool.push(exchange);
        }
    }

    /// Lends the buffer for heads, empty.
    pub(super) fn with_scratch<R>(&self, f: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let mut scratch = self.scratch.take();
        scratch.clear();
        let result = f(&mut scratch);
        scratch.shrink_to(SCRATCH_MAX);
        self.scratch.set(scratch);
        result
    }

    /// Appends the line `Date` (RFC 9110 6.6.1).
    pub(super) fn push_date(&self, out: &mut Vec<u8>, reactor: &Reactor) {
        let mut date = self.date.borrow_mut();
        let now = reactor.now();
        if date.until.is_none_or(|until| now >= until) {
            let wall = reactor.wall_clock();
            let since = wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            let left =
                Duration::from_secs(1) - Duration::from_nanos(u64::from(since.subsec_nanos()));
            date.line = format!("Date: {}\r\n", format_date(wall));
            date.until = Some(now + left);
        }
        out.extend_from_slice(date.line.as_bytes());
    }
}
