//! Minimal timers: a binary heap of deadlines. A cancelled or reset deadline stays in the heap until
//! its time has come, and is then skipped, or until the heap is cleared.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::thread;
use std::time::{Duration, Instant};

use bench::timings::{self, Count, Timers};
use clap::Parser;

#[derive(Default)]
struct Heap {
    /// The time, the timer, and the number of the timer's deadline.
    deadlines: BinaryHeap<Reverse<(Instant, usize, u32)>>,
    /// The number of the valid deadline; `None` if the timer was cancelled or has fired.
    made: Vec<Option<u32>>,
    due: usize,
}

impl Timers for Heap {
    fn make(&mut self, delay: Duration) {
        self.deadlines.push(Reverse((Instant::now() + delay, self.made.len(), 0)));
        self.made.push(Some(0));
    }

    fn reset(&mut self, timer: usize, delay: Duration) {
        if let Some(valid) = &mut self.made[timer] {
            *valid += 1;
            self.deadlines.push(Reverse((Instant::now() + delay, timer, *valid)));
        }
    }

    fn cancel(&mut self, timer: usize) {
        self.made[timer] = None;
    }

    fn clear(&mut self) {
        self.deadlines.clear();
        self.made.clear();
        self.due = 0;
    }

    fn wait(&mut self, count: usize) {
        while self.due < count {
            let now = Instant::now();
            while let Some(&Reverse((at, timer, deadline))) = self.deadlines.peek() {
                if at > now {
                    thread::sleep(at - now);
                    break;
                }
                self.deadlines.pop();
                self.due +=
                    usize::from(self.made[timer].take_if(|valid| *valid == deadline).is_some());
            }
        }
    }
}

fn main() {
    timings::run(Count::parse(), &mut Heap::default());
}
