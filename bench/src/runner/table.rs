//! Tables in Markdown, one for each case, that are also readable in a terminal.

use std::fmt;

use crate::columns;
use crate::figure::{Figure, SYSTEM_CALLS};
use crate::instrument::Instrument;
use crate::results::{CaseResults, Row};
use crate::statistic::Spread;
use crate::strace::FAILED;

/// A rate below this is noise from startup, not part of a message.
const RATE_SHOWN_MIN: f64 = 0.0005;

/// Rows of cells below a heading, all of the same length.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A row for each server, a column for each figure, and the ratios.
    pub(crate) fn of(results: &CaseResults) -> Self {
        let case = &results.case;
        let columns = columns::of(case);
        let compared = columns::compared(case);
        let has_bare = compared.is_some() && results.rows.iter().any(|row| row.bare.is_some());
        let by_kind = case.instrument == Some(Instrument::Strace);

        let mut heading = vec!["contestant".to_owned()];
        heading.extend(columns.iter().map(|figure| figure.heading.to_owned()));
        heading.extend(compared.map(|(_, what)| format!("{what} to {}", results.yardstick)));
        heading.extend(has_bare.then(|| "to its own bare loop".to_owned()));
        heading.extend(by_kind.then(|| "by kind".to_owned()));
        let mut rows = vec![heading];
        for row in &results.rows {
            let mut cells = vec![row.contestant.clone()];
            cells.extend(columns.iter().map(|figure| cell(row, figure)));
            if let Some((name, _)) = compared {
                cells.push(ratio(results, row, Some(&results.yardstick), name));
                cells.extend(has_bare.then(|| ratio(results, row, row.bare.as_ref(), name)));
            }
            cells.extend(by_kind.then(|| system_calls(row)));
            rows.push(cells);
        }
        Self { rows }
    }

    /// The heading and the rows below it.
    pub(crate) fn rows(&self) -> &[Vec<String>] {
        &self.rows
    }
}

fn cell(row: &Row, figure: &Figure) -> String {
    let precision = figure.decimals;
    match row.spread(figure.name) {
        None => "-".to_owned(),
        Some(spread) if figure.spread => format!("{spread:.precision$}"),
        Some(Spread { median, .. }) => format!("{median:.precision$}"),
    }
}

fn ratio(results: &CaseResults, row: &Row, to: Option<&String>, figure: &str) -> String {
    let ratios = to.and_then(|to| results.ratio(row, to, figure));
    ratios.map_or("-".to_owned(), |ratios| format!("{:.3}", Spread::of(ratios)))
}

/// The kinds of system calls that a message causes, the most frequent first.
fn system_calls(row: &Row) -> String {
    let names = row.samples.iter().flat_map(|sample| sample.figures.keys());
    let mut kinds = names.filter(|name| *name != SYSTEM_CALLS).collect::<Vec<_>>();
    kinds.sort();
    kinds.dedup();
    let rate = |name: &String| {
        // A kind that is missing in a round was not called there.
        let rounds = row.samples.iter().map(|sample| sample.figure(name).unwrap_or(0.0));
        Spread::of(rounds).median
    };
    let mut shown = kinds.into_iter().map(|name| (name, rate(name))).collect::<Vec<_>>();
    shown.retain(|(_, rate)| *rate >= RATE_SHOWN_MIN);
    // Counts of failures come last, as they are included in the others.
    shown.sort_by(|(one, one_rate), (other, other_rate)| {
        (one.ends_with(FAILED), *other_rate)
            .partial_cmp(&(other.ends_with(FAILED), *one_rate))
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    let kinds = shown.iter().map(|(name, rate)| format!("{name} {rate:.3}"));
    kinds.collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.first().map_or(0, Vec::len);
        let width_of =
            |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max();
        let widths = (0..columns).map(|column| width_of(column).unwrap_or(0)).collect::<Vec<_>>();
        for (index, row) in self.rows.iter().enumerate() {
            for (cell, width) in row.iter().zip(&widths) {
                write!(f, "| {cell:width$} ")?;
            }
            writeln!(f, "|")?;
            if index == 0 {
                for &width in &widths {
                    write!(f, "|{:-<1$}", "", width + 2)?;
                }
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Case;
    use crate::figure::INSTRUCTIONS;
    use crate::mode::Mode;
    use crate::results::Sample;

    fn row(contestant: &str, bare: Option<&str>, samples: Vec<Sample>) -> Row {
        Row { contestant: contestant.to_owned(), bare: bare.map(str::to_owned), samples }
    }

    #[test]
    fn columns_are_aligned_and_ratios_come_last() {
        let sample = |calls| Sample::of([(INSTRUCTIONS, calls)]);
        let results = CaseResults {
            case: Case::new(Mode::Echo, 1, 1).counted(Instrument::Callgrind),
            yardstick: "bare".to_owned(),
            rows: vec![
                row("bare", None, vec![sample(64.0)]),
                row("other", Some("bare"), vec![sample(128.0)]),
            ],
            left_out: Vec::new(),
        };
        let expected = "\
| contestant | instructions/message | instructions to bare | to its own bare loop |
|------------|----------------------|----------------------|----------------------|
| bare       | 64.0                 | 1.000                | -                    |
| other      | 128.0                | 2.000                | 2.000                |
";
        assert_eq!(Table::of(&results).to_string(), expected);
    }

    #[test]
    fn frequent_calls_come_first_and_noise_is_omitted() {
        let sample = Sample::of([
            ("brk", 0.0002),
            ("epoll_wait", 0.02),
            ("recvfrom", 1.0),
            ("recvfrom failed", 0.5),
            (SYSTEM_CALLS, 1.02),
        ]);
        let row = row("a", None, vec![sample]);
        assert_eq!(system_calls(&row), "recvfrom 1.000, epoll_wait 0.020, recvfrom failed 0.500");
    }
}
