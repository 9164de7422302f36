//! The tables, in Markdown that also reads well in a terminal.

use std::fmt;
use std::fs;

use crate::Setup;
use crate::affinity::Cpu;
use crate::callgrind::INSTRUCTIONS;
use crate::contestant::Contestant;
use crate::counted::Rates;
use crate::idle::Growth;
use crate::statistic::Spread;
use crate::strace::FAILED;
use crate::timed::Sample;

/// A rate below this is noise of the start, not part of a message.
const RATE_SHOWN_MIN: f64 = 0.0005;

/// Rows of cells under a heading, all of the same length.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    fn new<const N: usize>(heading: [&str; N]) -> Self {
        Self { rows: vec![heading.map(str::to_owned).to_vec()] }
    }

    fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.to_vec());
    }
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

/// The machine, on one line.
pub(crate) fn heading(setup: &Setup) -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown CPU", |rest| rest.trim_start_matches([' ', '\t', ':']));
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let place = |cpu: Option<Cpu>| cpu.map_or("any CPU".to_owned(), |cpu| format!("CPU {cpu}"));
    format!(
        "{model}, Linux {}; server on {}, load on {}; rounds: {}",
        release.trim(),
        place(setup.places.server),
        place(setup.places.load),
        setup.rounds
    )
}

pub(crate) fn timed_table(
    field: &[&Contestant],
    samples: &[Vec<Sample>],
    yardstick: &str,
) -> Table {
    let ratio_heading = format!("CPU to {yardstick}");
    let mut table = Table::new([
        "contestant",
        "messages/s",
        "p50 µs",
        "p99 µs",
        "CPU µs/message",
        &ratio_heading,
        "busy",
        "sleeps/1000",
        "forced off",
    ]);
    let base = field.iter().position(|one| one.name == yardstick);
    for (contestant, rounds) in field.iter().zip(samples) {
        let median = |figure: fn(&Sample) -> f64| Spread::of(rounds.iter().map(figure)).median;
        let ratio = base.map_or("-".to_owned(), |base| {
            // Round by round, so that a slow minute of the machine strikes both sides.
            let pairs = rounds.iter().zip(&samples[base]);
            let ratios =
                pairs.map(|(own, base)| own.cpu_us_per_message() / base.cpu_us_per_message());
            format!("{:.3}", Spread::of(ratios))
        });
        table.row([
            contestant.name.clone(),
            format!("{:.0}", median(|sample| sample.outcome.messages_per_s)),
            format!("{:.0}", median(|sample| sample.outcome.p50_us)),
            format!("{:.0}", median(|sample| sample.outcome.p99_us)),
            format!("{:.3}", Spread::of(rounds.iter().map(Sample::cpu_us_per_message))),
            ratio,
            format!("{:.0} %", 100.0 * median(Sample::busy)),
            format!(
                "{:.1}",
                median(|sample| 1e3 * sample.usage.switches_voluntary as f64
                    / sample.outcome.messages as f64)
            ),
            format!("{:.0}", median(|sample| sample.usage.switches_forced as f64)),
        ]);
    }
    table
}

pub(crate) fn idle_table(field: &[&Contestant], growths: &[Vec<Growth>]) -> Table {
    let mut table = Table::new([
        "contestant",
        "connections",
        "resident bytes/connection",
        "of these anonymous",
        "empty server KiB",
    ]);
    for (contestant, rounds) in field.iter().zip(growths) {
        let connections = rounds.first().map_or(0, |growth| growth.connections);
        let empty = Spread::of(rounds.iter().map(|growth| growth.before.total as f64 / 1024.0));
        table.row([
            contestant.name.clone(),
            connections.to_string(),
            format!("{:.0}", Spread::of(rounds.iter().map(Growth::total_per_connection))),
            format!("{:.0}", Spread::of(rounds.iter().map(Growth::anonymous_per_connection))),
            format!("{:.0}", empty.median),
        ]);
    }
    table
}

pub(crate) fn strace_table(field: &[&Contestant], rates: &[Rates]) -> Table {
    let mut table = Table::new(["contestant", "system calls/message", "by kind"]);
    for (contestant, rates) in field.iter().zip(rates) {
        let calls = rates.iter().filter(|(name, _)| !name.ends_with(FAILED));
        let total = calls.map(|(_, rate)| rate).sum::<f64>();
        table.row([contestant.name.clone(), format!("{total:.3}"), system_calls(rates)]);
    }
    table
}

/// The kinds of system calls that a message makes, the most frequent first.
pub(crate) fn system_calls(rates: &Rates) -> String {
    let mut shown =
        rates.iter().filter(|(_, rate)| rate.abs() >= RATE_SHOWN_MIN).collect::<Vec<_>>();
    shown.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    let kinds = shown.iter().map(|(name, rate)| format!("{name} {rate:.3}"));
    kinds.collect::<Vec<_>>().join(", ")
}

pub(crate) fn callgrind_table(field: &[&Contestant], rates: &[Rates], yardstick: &str) -> Table {
    let ratio_heading = format!("to {yardstick}");
    let mut table = Table::new(["contestant", "instructions/message", &ratio_heading]);
    let base = field.iter().position(|one| one.name == yardstick);
    for (contestant, own) in field.iter().zip(rates) {
        let ratio = base.map_or("-".to_owned(), |base| {
            format!("{:.2}", own[INSTRUCTIONS] / rates[base][INSTRUCTIONS])
        });
        table.row([contestant.name.clone(), format!("{:.1}", own[INSTRUCTIONS]), ratio]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(["name", "µs"]);
        table.row(["bare".to_owned(), "4.625".to_owned()]);
        let expected = "| name | µs    |\n|------|-------|\n| bare | 4.625 |\n";
        assert_eq!(table.to_string(), expected);
    }

    #[test]
    fn frequent_calls_come_first_and_noise_is_left_out() {
        let rates =
            [("brk", 0.0002), ("epoll_wait", 0.02), ("recvfrom", 1.0), ("recvfrom failed", 0.0)];
        let rates = rates.map(|(name, rate)| (name.to_owned(), rate)).into();
        assert_eq!(system_calls(&rates), "recvfrom 1.000, epoll_wait 0.020");
    }
}
