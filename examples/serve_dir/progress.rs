//! Long transfers on the terminal: a line for each, drawn over that of the last time, below the log. Not used if standard error is no
//! terminal.

use std::{
    cell::RefCell,
    io::{self, IsTerminal, Write},
    rc::Rc,
    time::Duration,
};

use sinew::{
    http::{
        Method,
        server::{Handler, Reply, Request, Response},
    },
    reactor::{Excerpt, Reactor},
};

/// Shorter transfers are over before anybody has read their line.
const LONG: u64 = 4 << 20;

/// Time from one drawing to the next.
const EVERY: Duration = Duration::from_millis(500);

/// Longest name that is shown.
const NAME_MAX: usize = 40;

/// The transfers that run, and their lines.
#[derive(Clone, Default)]
pub(crate) struct Transfers(Rc<RefCell<State>>);

#[derive(Default)]
struct State {
    running: Vec<Transfer>,
    requests: u64,
    /// Lines on the terminal, above the cursor.
    drawn: usize,
    is_ticking: bool,
}

struct Transfer {
    /// That of its request.
    number: u64,
    request: Request,
    total: u64,
    is_upload: bool,
}

impl Transfers {
    /// `None` if there is no terminal to show them on.
    pub(crate) fn on_terminal() -> Option<Self> {
        io::stderr().is_terminal().then(Self::default)
    }

    /// Removes the lines, before something else is written to the terminal.
    pub(crate) fn clear(&self) {
        let drawn = std::mem::take(&mut self.0.borrow_mut().drawn);
        if drawn > 0 {
            put(&format!("\x1b[{drawn}A\x1b[J"));
        }
    }

    fn add(&self, number: u64, request: &Request, total: u64, is_upload: bool) {
        let mut state = self.0.borrow_mut();
        state.running.push(Transfer { number, request: request.clone(), total, is_upload });
        let ticks = !std::mem::replace(&mut state.is_ticking, true);
        drop(state);
        if ticks {
            self.tick(&request.reactor());
        }
    }

    /// Draws again and again, as long as there is something to draw.
    fn tick(&self, reactor: &Reactor) {
        let transfers = self.clone();
        reactor.call_later(EVERY, move |reactor| {
            transfers.clear();
            transfers.draw();
            let mut state = transfers.0.borrow_mut();
            state.is_ticking = !state.running.is_empty();
            let ticks = state.is_ticking;
            drop(state);
            if ticks {
                transfers.tick(reactor);
            }
        });
    }

    fn draw(&self) {
        let mut state = self.0.borrow_mut();
        state.drawn = state.running.len();
        let lines = state.running.iter().map(Transfer::line);
        put(&lines.collect::<String>());
    }

    fn remove(&self, ended: u64) {
        self.clear();
        self.0.borrow_mut().running.retain(|transfer| transfer.number != ended);
    }

    /// The number of the next request.
    fn number(&self) -> u64 {
        let mut state = self.0.borrow_mut();
        state.requests += 1;
        state.requests
    }
}

impl Transfer {
    fn line(&self) -> String {
        let (bytes, what) = match self.is_upload {
            true => (self.request.bytes_received(), "receiving"),
            false => (self.request.bytes_sent(), "sending"),
        };
        let name = Excerpt::new(self.request.path()).len_max(NAME_MAX).to_string();
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let percent = 100 * bytes.min(self.total) / self.total.max(1);
        format!("{what} {name}: {:.1} of {:.1} MiB, {percent} %\n", mib(bytes), mib(self.total))
    }
}

/// That nobody looks is no reason to end.
fn put(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// A layer that shows the long transfers of what is inside.
pub(crate) struct Progress<H> {
    inner: H,
    transfers: Option<Transfers>,
}

impl<H: Handler> Progress<H> {
    pub(crate) fn new(inner: H, transfers: Option<Transfers>) -> Self {
        Self { inner, transfers }
    }
}

impl<H: Handler> Handler for Progress<H> {
    fn handle(&self, request: Request, reply: Reply) {
        let Some(transfers) = self.transfers.clone() else {
            return self.inner.handle(request, reply);
        };
        let number = transfers.number();
        let length = request.field("content-length").and_then(|length| length.parse().ok());
        if let Some(length) = length.filter(|length| *length >= LONG) {
            transfers.add(number, &request, length, true);
        }
        let ended = transfers.clone();
        let reply = reply.map(move |request: &Request, response: &mut Response| {
            let length = response.body().len().filter(|_| *request.method() != Method::HEAD);
            if let Some(length) = length.filter(|length| *length >= LONG) {
                transfers.add(number, request, length, false);
            }
        });
        let reply = reply.on_end(move |_, _| ended.remove(number));
        self.inner.handle(request, reply);
    }
}
