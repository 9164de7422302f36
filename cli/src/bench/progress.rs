//! The progress bar of a measurement: [`Progress`], drawn by a thread of its own, on a terminal only.

use std::{
    io::{self, IsTerminal},
    sync::{
        Arc,
        atomic::Ordering::Relaxed,
        mpsc::{self, RecvTimeoutError},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::load::Live;

/// Time between two drawings.
const INTERVAL: Duration = Duration::from_millis(100);

/// A bar on standard error, until it is dropped.
pub(crate) struct Progress {
    /// Dropped to end the thread.
    end: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// Shows how much of `duration` is over, and what was counted so far. Shows nothing if standard error is no terminal.
    pub(crate) fn show(live: Vec<Arc<Live>>, duration: Duration) -> Self {
        if !io::stderr().is_terminal() {
            return Self { end: None, thread: None };
        }
        let (end, ended) = mpsc::channel();
        let drawing = thread::Builder::new().name("progress".into()).spawn(move || {
            draw(&live, duration, &ended);
        });
        // Without a thread there is no bar.
        Self { end: Some(end), thread: drawing.ok() }
    }
}

fn draw(live: &[Arc<Live>], duration: Duration, ended: &mpsc::Receiver<()>) {
    let length = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {percent:>3} %  {msg}") {
        bar.set_style(style);
    }
    let (mut before, mut rate) = (0, 0);
    let per_second = 1_000 / INTERVAL.as_millis() as u64;
    while ended.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
        let sum = |of: fn(&Live) -> u64| live.iter().map(|live| of(live)).sum::<u64>();
        let answers = sum(|live| live.answers.load(Relaxed));
        let troubles = sum(|live| live.troubles.load(Relaxed));
        let measured = live.iter().map(|live| live.measured.load(Relaxed)).max().unwrap_or(0);
        // Smoothed over about a second.
        rate = (rate * 9 + (answers - before) * per_second) / 10;
        before = answers;
        bar.set_position(measured);
        let errors = if troubles > 0 { format!(", {troubles} errors") } else { String::new() };
        bar.set_message(match measured {
            0 => format!("connecting, warming up{errors}"),
            _ => format!("{answers} answers, {rate} a second{errors}"),
        });
    }
    bar.finish_and_clear();
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end.take();
        if let Some(thread) = self.thread.take() {
            // It panics only if drawing does, which changes nothing about the measurement.
            let _ = thread.join();
        }
    }
}
