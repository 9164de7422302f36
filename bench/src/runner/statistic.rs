//! Medians and spreads of a few figures. Pure.

use std::fmt;

/// The median of some values and their range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// For at least one value; all zero for none.
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted = figures.into_iter().collect::<Vec<_>>();
        sorted.sort_by(f64::total_cmp);
        let (Some(&min), Some(&max)) = (sorted.first(), sorted.last()) else {
            return Self { median: 0.0, min: 0.0, max: 0.0 };
        };
        let upper = sorted[sorted.len() / 2];
        let lower = sorted[(sorted.len() - 1) / 2];
        Self { median: f64::midpoint(lower, upper), min, max }
    }
}

/// `median (min..max)`, with the given precision; the median alone if all values are equal.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let precision = f.precision().unwrap_or(2);
        let Self { median, min, max } = self;
        write!(f, "{median:.precision$}")?;
        if min == max {
            return Ok(());
        }
        write!(f, " ({min:.precision$}..{max:.precision$})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_and_the_range_are_shown() {
        let cases: [(&[f64], &str); 4] = [
            (&[], "0.0"),
            (&[3.0], "3.0"),
            (&[9.0, 1.0, 2.0], "2.0 (1.0..9.0)"),
            (&[4.0, 1.0, 2.0, 9.0], "3.0 (1.0..9.0)"),
        ];
        for (figures, expected) in cases {
            assert_eq!(format!("{:.1}", Spread::of(figures.iter().copied())), expected);
        }
    }
}
