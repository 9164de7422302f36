//! How far the downloads are: a bar for each on a terminal, else a line when one is done.

use std::{
    io::{self, IsTerminal, Write},
    time::Instant,
};

/// Width of a bar.
const BAR: usize = 24;

/// Width of the names before the bars.
const NAME: usize = 30;

pub(crate) struct Progress {
    bars: Vec<Bar>,
    has_bars: bool,
    is_quiet: bool,
    /// How many lines are on the terminal, above the cursor.
    drawn: usize,
    failed: io::Result<()>,
}

struct Bar {
    name: String,
    began: Option<Instant>,
    /// Where it was when it began: what was there before was not fast.
    from: u64,
    got: u64,
    total: Option<u64>,
    note: String,
    is_over: bool,
}

impl Progress {
    pub(crate) fn new(is_quiet: bool) -> Self {
        let has_bars = !is_quiet && io::stderr().is_terminal();
        Self { bars: Vec::new(), has_bars, is_quiet, drawn: 0, failed: Ok(()) }
    }

    /// One more; its number.
    pub(crate) fn add(&mut self, name: String) -> usize {
        let (began, total, note) = (None, None, String::new());
        self.bars.push(Bar { name, began, from: 0, got: 0, total, note, is_over: false });
        self.bars.len() - 1
    }

    pub(crate) fn begin(&mut self, bar: usize, now: Instant) {
        self.bars[bar].began = Some(now);
    }

    pub(crate) fn set(&mut self, bar: usize, got: u64, total: Option<u64>) {
        let bar = &mut self.bars[bar];
        if bar.got == 0 {
            bar.from = got;
        }
        (bar.got, bar.total) = (got, total);
        bar.note.clear();
    }

    /// It is tried again, because of this.
    pub(crate) fn note(&mut self, bar: usize, why: &str) {
        self.bars[bar].note = format!("resuming: {why}");
    }

    pub(crate) fn done(&mut self, bar: usize, bytes: u64) {
        let bar = &mut self.bars[bar];
        bar.is_over = true;
        bar.note = size(bytes);
        let line = format!("{}: {}\n", bar.name, bar.note);
        if !self.is_quiet && !self.has_bars {
            self.put(|| io::stdout().write_all(line.as_bytes()));
        }
    }

    pub(crate) fn failed(&mut self, bar: usize, why: &str) {
        let bar = &mut self.bars[bar];
        bar.is_over = true;
        bar.note = format!("failed: {why}");
        let line = format!("{}: {why}\n", bar.name);
        if !self.has_bars {
            self.put(|| io::stderr().write_all(line.as_bytes()));
        }
    }

    fn put(&mut self, write: impl FnOnce() -> io::Result<()>) {
        if self.failed.is_ok() {
            self.failed = write();
        }
    }

    /// Draws all bars over those of the last time.
    pub(crate) fn draw(&mut self, now: Instant) {
        if !self.has_bars {
            return;
        }
        let mut text = String::new();
        if self.drawn > 0 {
            text.push_str(&format!("\x1b[{}A", self.drawn));
        }
        for bar in &self.bars {
            text.push_str(&format!("\r\x1b[K{}\n", bar.line(now)));
        }
        self.drawn = self.bars.len();
        self.put(|| io::stderr().write_all(text.as_bytes()));
    }

    /// The last drawing; an error if there was nowhere to write to.
    pub(crate) fn finish(&mut self) -> Result<(), String> {
        if let Some(began) = self.bars.iter().filter_map(|bar| bar.began).max() {
            self.draw(began);
        }
        let failed = std::mem::replace(&mut self.failed, Ok(()));
        failed.map_err(|error| format!("standard output: {error}"))
    }
}

impl Bar {
    fn line(&self, now: Instant) -> String {
        let name: String = match self.name.chars().count() {
            0..=NAME => self.name.clone(),
            len => std::iter::once('…').chain(self.name.chars().skip(len + 1 - NAME)).collect(),
        };
        if self.is_over || !self.note.is_empty() {
            return format!("{name:<NAME$} {}", self.note);
        }
        let Some(began) = self.began else { return format!("{name:<NAME$} waiting") };
        let seconds = now.saturating_duration_since(began).as_secs_f64();
        let rate = if seconds > 0.0 { (self.got - self.from) as f64 / seconds } else { 0.0 };
        match self.total {
            Some(total) if total > 0 => {
                let part = self.got.min(total) as f64 / total as f64;
                let full = (part * BAR as f64) as usize;
                let bar = "#".repeat(full) + &"-".repeat(BAR - full);
                let left = (total - self.got.min(total)) as f64 / rate.max(1.0);
                format!(
                    "{name:<NAME$} [{bar}] {:>3.0}% {} at {}/s, {left:.0} s left",
                    part * 100.0,
                    size(self.got),
                    size(rate as u64)
                )
            }
            _ => format!("{name:<NAME$} {} at {}/s", size(self.got), size(rate as u64)),
        }
    }
}

/// A number of bytes for people.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let (mut amount, mut unit) = (bytes as f64, "bytes");
    for next in UNITS {
        if amount < 1_024.0 {
            break;
        }
        (amount, unit) = (amount / 1_024.0, next);
    }
    if unit == "bytes" { format!("{bytes} bytes") } else { format!("{amount:.1} {unit}") }
}
