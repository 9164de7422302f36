//! Results as Markdown: a case for the terminal, and the whole page for `docs/benchmarks.md`.

use std::fmt::Write;

use crate::mode::Mode;
use crate::results::{CaseResults, Results};
use crate::table::Table;

const OPENING: &str = "\
# Benchmarks

Made by `bench/`, whose README explains [what each figure means](../bench/README.md#what-is-measured); it runs on your
machine with one command. Medians of the rounds, with the minimum and the maximum. Ratios are computed per round, and are
more reliable than the absolute figures.
";

/// The heading of each mode.
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
        Mode::Http => "HTTP",
        Mode::HttpFile => "Files over HTTP",
        Mode::HttpIdle => "Idle connections of HTTP",
        Mode::HttpsIdle => "Idle connections of HTTP over TLS",
        Mode::WsEcho => "WebSocket",
        Mode::WsIdle => "Idle WebSockets",
        Mode::WsBroadcast => "Broadcast to WebSockets",
        Mode::Dns => "DNS",
        Mode::Smtp => "SMTP",
        Mode::Pop3 => "POP3",
        Mode::Imap => "IMAP",
        Mode::ImapIdle => "Idle connections of IMAP",
        Mode::Irc => "IRC",
        Mode::IrcIdle => "Idle members of a channel of IRC",
    }
}

/// A case: its title, its table, and the servers that were left out.
pub(crate) fn case(results: &CaseResults) -> String {
    let mut text = format!("**{}**\n\n{}", results.case, Table::of(results));
    for (index, out) in results.left_out.iter().enumerate() {
        let what = if out.failed { "failed" } else { "left out" };
        let gap = if index == 0 { "\n" } else { "" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{gap}- {what}: {}: {}", out.contestant, out.reason);
    }
    text
}

/// The whole page.
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
