//! sinew's timers: `call_later`, `reset`, `cancel`, on the timer wheel.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use bench::timings::{self, Count, Timers};
use clap::Parser;
use sinew::prelude::*;

struct Calls {
    reactor: Reactor,
    made: Vec<DelayedCall>,
    due: Rc<Cell<usize>>,
}

impl Timers for Calls {
    fn make(&mut self, delay: Duration) {
        let due = Rc::clone(&self.due);
        self.made.push(self.reactor.call_later(delay, move |_| due.set(due.get() + 1)));
    }

    fn reset(&mut self, timer: usize, delay: Duration) {
        self.made[timer].reset(delay);
    }

    fn cancel(&mut self, timer: usize) {
        self.made[timer].cancel();
    }

    fn clear(&mut self) {
        self.made.clear();
        self.due.set(0);
        self.turn(Some(Duration::ZERO));
    }

    fn wait(&mut self, count: usize) {
        while self.due.get() < count {
            self.turn(None);
        }
    }
}

impl Calls {
    fn turn(&self, max_wait: Option<Duration>) {
        self.reactor.turn(max_wait).expect("nothing else runs this reactor");
    }
}

fn main() -> io::Result<()> {
    let reactor = Reactor::new()?;
    timings::run(Count::parse(), &mut Calls { reactor, made: Vec::new(), due: Rc::default() });
    Ok(())
}
