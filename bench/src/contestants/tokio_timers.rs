//! tokio's timers, in the two usual ways of having many: `Sleep`s that are polled, and tokio-util's
//! `DelayQueue`. A third way, a task for each, costs a task more than the first.

use std::future::{self, Future};
use std::io;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use bench::timings::{self, Count, Timers};
use clap::{Parser, ValueEnum};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::runtime::{self, Runtime};
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::time::DelayQueue;
use tokio_util::time::delay_queue::Key;

/// Makes, resets and cancels timers, lets some fire, and prints the cost of each
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    count: Count,

    /// Which of tokio's timers
    #[arg(long, value_enum)]
    with: Kind,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Sleep,
    Queue,
}

/// Each `Sleep` is in a box of its own, and has been polled, since it is not registered before that.
struct Sleeps {
    runtime: Runtime,
    made: Vec<Option<Pin<Box<Sleep>>>>,
}

impl Timers for Sleeps {
    fn make(&mut self, delay: Duration) {
        let _inside = self.runtime.enter();
        let mut made = Box::pin(sleep(delay));
        register(made.as_mut());
        self.made.push(Some(made));
    }

    fn reset(&mut self, timer: usize, delay: Duration) {
        let _inside = self.runtime.enter();
        if let Some(made) = &mut self.made[timer] {
            made.as_mut().reset(Instant::now() + delay);
            register(made.as_mut());
        }
    }

    fn cancel(&mut self, timer: usize) {
        self.made[timer] = None;
    }

    fn clear(&mut self) {
        self.made.clear();
    }

    fn wait(&mut self, count: usize) {
        let all = self.made.drain(..count).flatten().collect::<FuturesUnordered<_>>();
        self.runtime.block_on(all.for_each(|()| future::ready(())));
    }
}

fn register(timer: Pin<&mut Sleep>) {
    // The timer is not due yet; if it is, it is polled again.
    let _ = timer.poll(&mut Context::from_waker(Waker::noop()));
}

struct Queue {
    runtime: Runtime,
    queue: DelayQueue<()>,
    made: Vec<Key>,
}

impl Timers for Queue {
    fn make(&mut self, delay: Duration) {
        let _inside = self.runtime.enter();
        self.made.push(self.queue.insert((), delay));
    }

    fn reset(&mut self, timer: usize, delay: Duration) {
        self.queue.reset(&self.made[timer], delay);
    }

    fn cancel(&mut self, timer: usize) {
        self.queue.remove(&self.made[timer]);
    }

    fn clear(&mut self) {
        self.made.clear();
    }

    fn wait(&mut self, count: usize) {
        let queue = &mut self.queue;
        self.runtime.block_on(async {
            for _ in 0..count {
                queue.next().await;
            }
        });
    }
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    let runtime = runtime::Builder::new_current_thread().enable_time().build()?;
    match args.with {
        Kind::Sleep => timings::run(args.count, &mut Sleeps { runtime, made: Vec::new() }),
        Kind::Queue => {
            let queue = DelayQueue::new();
            timings::run(args.count, &mut Queue { runtime, queue, made: Vec::new() });
        }
    }
    Ok(())
}
