//! The least that timers need: a binary heap of deadlines. What is cancelled or put off stays in the heap until
//! its time has come, or until nothing else is left, and is then passed over.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::thread;
use std::time::{Duration, Instant};

use bench::timings::{self, Count, Timers};
use clap::Parser;

#[derive(Default)]
struct Heap {
    /// When, which timer, and which of its deadlines.
    deadlines: BinaryHeap<Reverse<(Instant, usize, u32)>>,
    /// Which of its deadlines holds; `None` for who was cancelled or has been due.
    made: Vec<Option<u32>>,
    due: usize,
}

impl Timers for Heap {
    fn make(&mut self, delay: Duration) {
        self.deadlines.push(Reverse((Instant::now() + delay, self.made.len(), 0)));
        self.made.push(Some(0));
    }

    fn reset(&mut self, timer: usize, delay: Duration) {
        if let Some(holds) = &mut self.made[timer] {
            *holds += 1;
            self.deadlines.push(Reverse((Instant::now() + delay, timer, *holds)));
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
                    usize::from(self.made[timer].take_if(|holds| *holds == deadline).is_some());
            }
        }
    }
}

fn main() {
    timings::run(Count::parse(), &mut Heap::default());
}
