//! Results as Markdown: a case for the terminal, and the whole page for `docs/benchmarks.md`.

use std::fmt::Write;

use crate::mode::Mode;
use crate::results::{CaseResults, Results};
use crate::table::Table;

const OPENING: &str = "\
# Benchmarks

Made by `bench/`, which says [what each figure means](../bench/README.md#what-is-measured) and runs on your machine
with one command. Medians of the rounds, with the lowest and the highest; ratios are made round by round, and are to be
trusted before the absolute figures.
";

/// What each mode is about, as a heading.
pub(crate) fn heading(mode: Mode) -> &'static str {
    match mode {
        Mode::Echo => "Echo",
        Mode::Bulk => "Bulk",
        Mode::Line => "Lines",
        Mode::Fanout => "Fan-out",
        Mode::Churn => "Connections that come and go",
        Mode::Storm => "A storm of connections",
        Mode::Idle => "Idle connections",
        Mode::Scale => "Many connections, few of them active",
        Mode::Spin => "Polling before sleeping",
        Mode::Timers => "Timers",
    }
}

/// A case: its title, its table, and who is not in it.
pub(crate) fn case(results: &CaseResults) -> String {
    let mut text = format!("**{}**\n\n{}", results.case, Table::of(results));
    for (index, out) in results.left_out.iter().enumerate() {
        let what = if out.failed { "failed" } else { "left out" };
        let gap = if index == 0 { "\n" } else { "" };
        // A string takes whatever is written to it.
        let _ = writeln!(text, "{gap}- {what}: {}: {}", out.contestant, out.reason);
    }
    text
}

/// The page.
pub(crate) fn page(results: &Results) -> String {
    let mut text = format!("{OPENING}\n{}.\n", results.machine.line());
    let mut modes = Vec::new();
    for one in &results.cases {
        if !modes.contains(&one.case.mode) {
            modes.push(one.case.mode);
        }
    }
    for mode in modes {
        text.push_str(&format!("\n## {}\n", heading(mode)));
        for one in results.cases.iter().filter(|one| one.case.mode == mode) {
            text.push('\n');
            text.push_str(&case(one));
        }
    }
    text
}
