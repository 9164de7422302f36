//! Axes that map figures to coordinates: linear, or logarithmic for a wide range. Pure.

/// Above this ratio of the largest to the smallest figure an axis is logarithmic.
const LINEAR_MAX: f64 = 8.0;

#[derive(Clone, Debug)]
pub(crate) struct Axis {
    low: f64,
    high: f64,
    logarithmic: bool,
    from: f64,
    to: f64,
}

impl Axis {
    /// Over all `figures`, drawn between `from` and `to`. Linear axes start at zero.
    pub(crate) fn over(figures: impl IntoIterator<Item = f64>, from: f64, to: f64) -> Self {
        let figures = figures.into_iter().filter(|figure| figure.is_finite()).collect::<Vec<_>>();
        let high = figures.iter().copied().fold(0.0, f64::max);
        let above_zero = figures.iter().copied().filter(|figure| *figure > 0.0);
        let low = above_zero.fold(f64::INFINITY, f64::min);
        if high <= 0.0 {
            return Self { low: 0.0, high: 1.0, logarithmic: false, from, to };
        }
        let logarithmic = high / low > LINEAR_MAX;
        let low = if logarithmic { low / 1.3 } else { 0.0 };
        Self { low, high: high * 1.04, logarithmic, from, to }
    }

    /// As [`Self::over`] for ratios, which are around one, so it does not start at zero.
    pub(crate) fn of_ratios(figures: impl IntoIterator<Item = f64>, from: f64, to: f64) -> Self {
        let figures = figures.into_iter().filter(|figure| *figure > 0.0 && figure.is_finite());
        let (low, high) =
            figures.fold((1.0, 1.0), |(low, high): (f64, f64), f| (low.min(f), high.max(f)));
        let (low, high) = (low.min(0.9) / 1.02, high.max(1.1) * 1.02);
        Self { low, high, logarithmic: high / low > 2.5, from, to }
    }

    /// The coordinate of a figure, clamped to the axis.
    pub(crate) fn at(&self, figure: f64) -> f64 {
        let figure = figure.clamp(self.low, self.high);
        let share = if self.logarithmic {
            (figure / self.low).ln() / (self.high / self.low).ln()
        } else {
            (figure - self.low) / (self.high - self.low)
        };
        self.from + share * (self.to - self.from)
    }

    pub(crate) fn start(&self) -> f64 {
        self.from
    }

    pub(crate) fn is_logarithmic(&self) -> bool {
        self.logarithmic
    }

    /// Round figures for labels, some four to eight of them.
    pub(crate) fn ticks(&self) -> Vec<f64> {
        if self.logarithmic { self.ticks_by_factor() } else { self.ticks_by_step() }
    }

    fn ticks_by_step(&self) -> Vec<f64> {
        let rough = (self.high - self.low) / 5.0;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
        let step = step.into_iter().find(|step| *step >= rough).unwrap_or(rough);
        let first = (self.low / step).ceil() as i64;
        let last = (self.high / step).floor() as i64;
        (first..=last).map(|tick| tick as f64 * step).collect()
    }

    fn ticks_by_factor(&self) -> Vec<f64> {
        let decades = (self.high / self.low).log10();
        let factors: &[f64] = match decades {
            ..0.8 => &[1.0, 1.2, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0],
            ..2.2 => &[1.0, 2.0, 5.0],
            _ => &[1.0],
        };
        let powers = self.low.log10().floor() as i32..=self.high.log10().floor() as i32;
        let all = powers.flat_map(|power| factors.iter().map(move |f| f * 10f64.powi(power)));
        all.filter(|tick| (self.low..=self.high).contains(tick)).collect()
    }
}

/// A short form of a figure: `0.25`, `3.5`, `120`, `15 k`, `1.2 M`.
pub(crate) fn short(figure: f64) -> String {
    let (scaled, unit) = match figure.abs() {
        ..10e3 => (figure, ""),
        ..1e6 => (figure / 1e3, " k"),
        _ => (figure / 1e6, " M"),
    };
    let decimals = match scaled.abs() {
        ..0.095 => 3,
        ..9.95 => 2,
        ..99.5 => 1,
        _ => 0,
    };
    let text = format!("{scaled:.decimals$}");
    let text =
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_range_is_logarithmic() {
        let near = Axis::over([2.0, 8.0], 0.0, 100.0);
        assert_eq!((near.is_logarithmic(), near.at(0.0)), (false, 0.0));
        let far = Axis::over([1.0, 1_000.0], 0.0, 100.0);
        assert!(far.is_logarithmic() && far.at(31.6) > 40.0 && far.at(31.6) < 60.0);
        let ratios = Axis::of_ratios([1.0, 1.2], 0.0, 100.0);
        assert!(ratios.at(1.0) > 10.0 && ratios.at(1.0) < 50.0, "{ratios:?}");
    }

    #[test]
    fn ticks_are_few_round_and_on_the_axis() {
        let cases: [&[f64]; 6] =
            [&[0.003, 0.004], &[3.0, 7.0], &[90.0], &[1.0, 20.0], &[5.0, 9_000.0], &[]];
        for figures in cases {
            let axis = Axis::over(figures.iter().copied(), 0.0, 100.0);
            let ticks = axis.ticks();
            assert!((2..=10).contains(&ticks.len()), "{figures:?}: {ticks:?}");
            assert!(ticks.iter().all(|tick| (0.0..=100.0).contains(&axis.at(*tick))));
        }
    }

    #[test]
    fn figures_have_a_short_form() {
        let cases = [
            (0.25, "0.25"),
            (3.5, "3.5"),
            (1.0, "1"),
            (123.4, "123"),
            (15_000.0, "15 k"),
            (1.25e6, "1.25 M"),
        ];
        for (figure, expected) in cases {
            assert_eq!(short(figure), expected);
        }
    }
}
