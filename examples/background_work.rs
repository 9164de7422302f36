//! Counts primes, a slow job, on the thread pool, while the event loop keeps serving.
//!
//! ```text
//! $ printf '5000000\n10\n' | nc -N 127.0.0.1 8000
//! there are 4 primes up to 10
//! there are 348513 primes up to 5000000
//! ```

mod cli;

use std::{cell::Cell, process::ExitCode, rc::Rc};

use cli::ServerArgs;
use sinew::{
    prelude::*,
    protocols::basic::{Line, LineHandler, LineReceiver, LineTransport, send_line},
    reactor::Failure,
};

/// Limit of jobs waiting for a thread.
const WAITING_MAX: usize = 100;
/// Limits how long a job occupies a thread.
const NUMBER_MAX: u64 = 5_000_000;

/// The jobs of one connection, shared with the closures that deliver their results.
#[derive(Default)]
struct Jobs {
    under_way: Cell<usize>,
    last_one_closes: Cell<bool>,
}

impl Jobs {
    fn close_after_the_last(&self, transport: &Transport) {
        self.last_one_closes.set(true);
        if self.under_way.get() == 0 {
            transport.lose_connection();
        }
    }
}

#[derive(Default)]
struct Primes {
    jobs: Rc<Jobs>,
}

impl LineHandler for Primes {
    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        let number = str::from_utf8(line).ok().and_then(|line| line.trim().parse().ok());
        let Some(number) = number.filter(|number| *number <= NUMBER_MAX) else {
            // Answered at once, even while jobs are running.
            let _ = send_line(transport, format!("say a number up to {NUMBER_MAX}"));
            return;
        };
        // The first closure runs on a thread, so it may own only `Send` values. A transport is not `Send`: it stays
        // in the second closure, which the event loop calls. Writing to an ended connection does nothing.
        let Some(reactor) = transport.reactor() else { return };
        let (transport, jobs) = (Transport::clone(transport), self.jobs.clone());
        jobs.under_way.update(|jobs| jobs + 1);
        let count = reactor.defer_to_thread(move || count_primes(number));
        count.then(move |_, count| {
            let answer = match count {
                Ok(count) => format!("there are {count} primes up to {number}"),
                Err(Failure::Overloaded { .. }) => "there is too much to do".to_owned(),
                Err(failure) => format!("the job failed: {failure}"),
            };
            let _ = send_line(&transport, answer);
            jobs.under_way.update(|jobs| jobs - 1);
            if jobs.last_one_closes.get() {
                jobs.close_after_the_last(&transport);
            }
        });
    }

    /// The peer half-closed but still waits for answers: the default, closing at once, would lose them.
    fn read_closed(&mut self, transport: &mut LineTransport<'_>) {
        self.jobs.close_after_the_last(transport);
    }

    /// The server is shutting down: the same applies.
    fn drain_requested(&mut self, transport: &mut LineTransport<'_>) {
        self.jobs.close_after_the_last(transport);
    }
}

/// Slow on purpose.
fn count_primes(to: u64) -> usize {
    let is_prime = |n: &u64| (2..).take_while(|d| d * d <= *n).all(|d| !n.is_multiple_of(d));
    (2..=to).filter(is_prime).count()
}

fn main() -> ExitCode {
    cli::main_about("Counts primes, on threads", |args: ServerArgs| {
        let reactor = args.builder().pool_queue_max(WAITING_MAX).build()?;
        let port = args.listen.listen(&reactor, |_: &Peer| {
            LineReceiver::with_decoder(Line::lf_or_crlf(), Primes::default())
        })?;
        cli::run(&reactor, port)
    })
}
