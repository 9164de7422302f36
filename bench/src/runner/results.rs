//! The results: the data model behind every table, plot and file.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::case::Case;
use crate::machine::Machine;
use crate::statistic::Spread;

/// A whole run of the benchmark.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    pub(crate) cases: Vec<CaseResults>,
}

/// One case with all servers.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct CaseResults {
    pub(crate) case: Case,
    /// The server that ratios are relative to.
    pub(crate) yardstick: String,
    pub(crate) rows: Vec<Row>,
    /// The servers that did not take part, and the reasons.
    pub(crate) left_out: Vec<LeftOut>,
}

/// One server in one case, by rounds.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Row {
    pub(crate) contestant: String,
    /// The bare loop on the same mechanism, if any.
    pub(crate) bare: Option<String>,
    pub(crate) samples: Vec<Sample>,
}

/// One server in one round.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Sample {
    /// By name, as in `figure.rs`; system calls by their own names.
    pub(crate) figures: BTreeMap<String, f64>,
    /// At each of the quantiles of `outcome.rs`; empty if there are no messages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) latency_us: Vec<f64>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct LeftOut {
    pub(crate) contestant: String,
    pub(crate) reason: String,
    /// Whether it took part and failed; otherwise it could not run.
    pub(crate) failed: bool,
}

impl Results {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let shown = path.display();
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
        serde_json::from_str(&text).with_context(|| format!("{shown} contains no results"))
    }

    /// Adds another run's cases, which replace equal ones.
    pub(crate) fn merge(&mut self, other: Self) {
        self.machine = other.machine;
        for case in other.cases {
            match self.cases.iter_mut().find(|own| own.case == case.case) {
                Some(own) => *own = case,
                None => self.cases.push(case),
            }
        }
    }
}

impl CaseResults {
    pub(crate) fn row(&self, contestant: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.contestant == contestant)
    }

    /// A figure relative to that of another server, round by round, so that a slow phase of the machine affects both
    /// sides. `None` if either lacks the figure.
    pub(crate) fn ratio(&self, row: &Row, to: &str, figure: &str) -> Option<Vec<f64>> {
        let base = self.row(to)?;
        let pairs = row.samples.iter().zip(&base.samples);
        let ratios = pairs.map(|(own, base)| Some(own.figure(figure)? / base.figure(figure)?));
        ratios.collect::<Option<Vec<_>>>().filter(|ratios| !ratios.is_empty())
    }
}

impl Row {
    /// The median of a figure and its spread over the rounds; `None` if a round lacks it.
    pub(crate) fn spread(&self, figure: &str) -> Option<Spread> {
        let figures = self.samples.iter().map(|sample| sample.figure(figure));
        let figures = figures.collect::<Option<Vec<_>>>().filter(|figures| !figures.is_empty());
        figures.map(Spread::of)
    }

    /// The median latency at each quantile over the rounds.
    pub(crate) fn latency_us(&self) -> Vec<f64> {
        let points = self.samples.iter().map(|sample| sample.latency_us.len()).min().unwrap_or(0);
        let at = |point: usize| self.samples.iter().map(move |sample| sample.latency_us[point]);
        (0..points).map(|point| Spread::of(at(point)).median).collect()
    }
}

impl Sample {
    pub(crate) fn of<const N: usize>(figures: [(&str, f64); N]) -> Self {
        let figures = figures.map(|(name, figure)| (name.to_owned(), figure)).into();
        Self { figures, latency_us: Vec::new() }
    }

    pub(crate) fn with<const N: usize>(mut self, figures: [(&str, f64); N]) -> Self {
        self.figures.extend(figures.map(|(name, figure)| (name.to_owned(), figure)));
        self
    }

    pub(crate) fn figure(&self, name: &str) -> Option<f64> {
        self.figures.get(name).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mode::Mode;

    fn case(connections: usize, rows: &[(&str, &[f64])]) -> CaseResults {
        let row = |(name, figures): &(&str, &[f64])| Row {
            contestant: (*name).to_owned(),
            bare: None,
            samples: figures.iter().map(|figure| Sample::of([("cpu", *figure)])).collect(),
        };
        CaseResults {
            case: Case::new(Mode::Echo, connections, 1),
            yardstick: "bare".to_owned(),
            rows: rows.iter().map(row).collect(),
            left_out: Vec::new(),
        }
    }

    #[test]
    fn ratios_are_computed_per_round() {
        let case = case(1, &[("bare", &[1.0, 2.0]), ("other", &[2.0, 2.0])]);
        assert_eq!(case.ratio(&case.rows[1], "bare", "cpu"), Some(vec![2.0, 1.0]));
        assert_eq!(case.ratio(&case.rows[1], "bare", "memory"), None);
        assert_eq!(case.ratio(&case.rows[1], "nobody", "cpu"), None);
    }

    #[test]
    fn the_later_of_two_runs_replaces_the_earlier() {
        let results = |cases| Results { machine: Machine::default(), cases };
        let mut merged = results(vec![case(1, &[("a", &[1.0])]), case(2, &[])]);
        merged.merge(results(vec![case(1, &[("a", &[7.0])]), case(3, &[])]));
        let connections = merged.cases.iter().map(|case| case.case.connections);
        assert_eq!(connections.collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(merged.cases[0].rows[0].samples[0].figure("cpu"), Some(7.0));
    }

    #[test]
    fn results_can_be_written_and_read() -> Result<()> {
        let case = case(1, &[("bare", &[1.5])]);
        let text = serde_json::to_string(&case)?;
        let parsed: CaseResults = serde_json::from_str(&text)?;
        assert_eq!(parsed.case, case.case);
        assert_eq!(parsed.rows[0].samples, case.rows[0].samples);
        Ok(())
    }
}
