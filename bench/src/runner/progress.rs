//! Progress of a run: a bar on a terminal, lines elsewhere. On standard error.

use std::fmt::Display;
use std::io::{IsTerminal, stderr};

use indicatif::{ProgressBar, ProgressStyle};

use crate::case::Case;

#[derive(Debug)]
pub(crate) struct Progress {
    /// `None` if standard error is no terminal.
    bar: Option<ProgressBar>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { bar: stderr().is_terminal().then(bar) }
    }

    /// Adds steps to the total.
    pub(crate) fn expect(&self, steps: usize) {
        if let Some(bar) = &self.bar {
            bar.inc_length(steps as u64);
        }
    }

    /// Advances to `step`: a case has ended early.
    pub(crate) fn skip_to(&self, step: usize) {
        if let Some(bar) = &self.bar {
            bar.set_position(step as u64);
        }
    }

    /// A case begins.
    pub(crate) fn case(&self, case: &Case) {
        if self.bar.is_none() {
            eprintln!("{case}");
        }
    }

    /// A server is running.
    pub(crate) fn running(&self, case: &Case, contestant: &str, round: usize, rounds: usize) {
        if let Some(bar) = &self.bar {
            bar.set_prefix(format!("{case}, round {}/{rounds}", round + 1));
            bar.set_message(contestant.to_owned());
        }
    }

    /// A server has run, with this result.
    pub(crate) fn done(&self, round: usize, contestant: &str, found: &str) {
        match &self.bar {
            Some(bar) => bar.inc(1),
            None => eprintln!("  round {}: {contestant}: {found}", round + 1),
        }
    }

    /// Writes to standard output, above the bar.
    pub(crate) fn print(&self, text: impl Display) {
        match &self.bar {
            Some(bar) => bar.suspend(|| println!("{text}")),
            None => println!("{text}"),
        }
    }

    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix}: {msg}\n{wide_bar} {pos}/{len}, {eta} left");
    // Falls back to the default style.
    let bar = ProgressBar::new(0);
    style.map_or(bar.clone(), |style| bar.with_style(style))
}
