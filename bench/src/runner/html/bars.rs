//! A row for each server: a bar from zero, or a dot relative to a line at one.

use crate::results::CaseResults;
use crate::statistic::Spread;

use super::axis::{Axis, short};
use super::svg::{Drawing, family};

const WIDTH: f64 = 560.0;
const NAMES: f64 = 132.0;
const VALUES: f64 = 64.0;
const ROW: f64 = 23.0;
const BOTTOM: f64 = 26.0;

/// One server's figures by round.
#[derive(Debug)]
pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) rounds: Vec<f64>,
}

/// A figure of all servers that have it.
pub(crate) fn figures(results: &CaseResults, figure: &str) -> Vec<Bar> {
    let bars = results.rows.iter().filter_map(|row| {
        let rounds = row.samples.iter().map(|sample| sample.figure(figure));
        let rounds = rounds.collect::<Option<Vec<_>>>().filter(|rounds| !rounds.is_empty())?;
        Some(Bar { name: row.contestant.clone(), rounds })
    });
    bars.collect()
}

/// Ratios to the baseline.
pub(crate) fn ratios(results: &CaseResults, figure: &str) -> Vec<Bar> {
    let bars = results.rows.iter().filter_map(|row| {
        let rounds = results.ratio(row, &results.yardstick, figure)?;
        Some(Bar { name: row.contestant.clone(), rounds })
    });
    bars.collect()
}

/// Ratios of servers to the bare loop on the same mechanism, if they have one.
pub(crate) fn ratios_to_bare(results: &CaseResults, figure: &str) -> Vec<Bar> {
    let bars = results.rows.iter().filter_map(|row| {
        let bare = row.bare.as_ref()?;
        let rounds = results.ratio(row, bare, figure)?;
        Some(Bar { name: format!("{} / {bare}", row.contestant), rounds })
    });
    bars.collect()
}

/// Bars from zero; dots if the axis is logarithmic, since that has no zero. Empty without bars.
pub(crate) fn absolute(title: &str, about: &str, bars: &[Bar]) -> String {
    let names = names_width(bars);
    let all = bars.iter().flat_map(|bar| bar.rounds.iter().copied());
    let axis = Axis::over(all, names, WIDTH - VALUES);
    draw(title, about, bars, &axis, None)
}

/// Dots relative to a line at one.
pub(crate) fn relative(title: &str, about: &str, bars: &[Bar]) -> String {
    let names = names_width(bars);
    let all = bars.iter().flat_map(|bar| bar.rounds.iter().copied());
    let axis = Axis::of_ratios(all, names, WIDTH - VALUES);
    draw(title, about, bars, &axis, Some(1.0))
}

fn names_width(bars: &[Bar]) -> f64 {
    let longest = bars.iter().map(|bar| bar.name.chars().count()).max().unwrap_or(0);
    // A letter is some 6.6 units wide.
    NAMES.max(14.0 + 6.6 * longest as f64)
}

fn draw(title: &str, about: &str, bars: &[Bar], axis: &Axis, base: Option<f64>) -> String {
    if bars.is_empty() {
        return String::new();
    }
    let mut drawing = Drawing::default();
    let floor = ROW * bars.len() as f64;
    for tick in axis.ticks() {
        let x = axis.at(tick);
        drawing.line("grid", (x, 0.0), (x, floor + 4.0));
        drawing.text("tick", (x, floor + 14.0), "middle", &short(tick));
    }
    if let Some(base) = base {
        drawing.line("base", (axis.at(base), 0.0), (axis.at(base), floor + 4.0));
    }
    for (index, bar) in bars.iter().enumerate() {
        let y = ROW * (index as f64 + 0.5);
        row(&mut drawing, bar, axis, base.is_none() && !axis.is_logarithmic(), y);
    }
    drawing.card(title, about, (WIDTH, floor + BOTTOM))
}

fn row(drawing: &mut Drawing, bar: &Bar, axis: &Axis, solid: bool, y: f64) {
    let class = family(&bar.name);
    let spread = Spread::of(bar.rounds.iter().copied());
    let x = axis.at(spread.median);
    drawing.begin(&format!("{}: {spread:.3}, {} rounds", bar.name, bar.rounds.len()));
    drawing.text(&format!("name {class}"), (axis.start() - 10.0, y), "end", &bar.name);
    let ends = (axis.at(spread.min), axis.at(spread.max));
    if solid {
        drawing.bar(&format!("mark {class}"), (axis.start(), y - 6.0), (x - axis.start(), 12.0));
        drawing.line("whisker over", (ends.0, y), (ends.1, y));
    } else {
        drawing.line(&format!("whisker {class}"), (ends.0, y), (ends.1, y));
        for round in &bar.rounds {
            drawing.circle(&format!("round {class}"), (axis.at(*round), y), 2.4);
        }
        drawing.circle(&format!("mark {class}"), (x, y), 4.6);
    }
    drawing.text("value", (WIDTH - VALUES + 12.0, y), "start", &short(spread.median));
    drawing.end();
}
