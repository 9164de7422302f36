//! A summary at the top of the page: a few figures of sinew, each beside a peer's.

use crate::figure::{CPU, INSTRUCTIONS, RESIDENT};
use crate::instrument::Instrument;
use crate::mode::Mode;
use crate::results::{CaseResults, Results};
use crate::statistic::Spread;

use super::axis::short;
use super::svg::escape;

const OURS: &str = "sinew";

pub(crate) fn of(results: &Results) -> String {
    let find = |mode, instrument, depth: usize| {
        let fits = |one: &&CaseResults| {
            let case = &one.case;
            (case.mode, case.instrument) == (mode, instrument) && case.outstanding == depth
        };
        results.cases.iter().find(fits)
    };
    let echo = find(Mode::Echo, None, 1);
    let line = find(Mode::Line, None, 16);
    let fanout = find(Mode::Fanout, None, 1);
    let counted = find(Mode::Echo, Some(Instrument::Callgrind), 1);
    let idle = find(Mode::Idle, None, 1);
    let tiles = [
        echo.and_then(|case| ratio("CPU of an echo, to the bare loop", case, "tokio")),
        counted.and_then(|case| {
            figure("instructions an echo, user space", case, INSTRUCTIONS, "tokio")
        }),
        idle.and_then(|case| figure("bytes an idle connection", case, RESIDENT, "tokio")),
        line.and_then(|case| {
            ratio("CPU of a pipelined line, to the bare loop", case, "tokio-feed")
        }),
        fanout
            .and_then(|case| ratio("CPU of a fan-out, to the bare loop", case, "tokio-broadcast")),
    ];
    let tiles = tiles.into_iter().flatten().collect::<String>();
    if tiles.is_empty() { tiles } else { format!("<div class=\"tiles\">\n{tiles}</div>\n") }
}

fn ratio(what: &str, results: &CaseResults, beside: &str) -> Option<String> {
    let of = |name: &str| {
        let ratios = results.ratio(results.row(name)?, &results.yardstick, CPU)?;
        Some(format!("{:.2}", Spread::of(ratios).median))
    };
    Some(tile(what, &of(OURS)?, of(beside).map(|value| (beside, value))))
}

fn figure(what: &str, results: &CaseResults, figure: &str, beside: &str) -> Option<String> {
    let of = |name: &str| Some(short(results.row(name)?.spread(figure)?.median));
    Some(tile(what, &of(OURS)?, of(beside).map(|value| (beside, value))))
}

fn tile(what: &str, value: &str, beside: Option<(&str, String)>) -> String {
    let beside = beside.map(|(name, value)| format!("{name}: {value}")).unwrap_or_default();
    format!(
        "<div class=\"tile\"><b>{}</b><span>{}</span><small>{}</small></div>\n",
        escape(value),
        escape(what),
        escape(&beside)
    )
}
