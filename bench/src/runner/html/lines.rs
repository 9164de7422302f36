//! Curves over a common axis, each labelled at its end.

use std::collections::HashMap;

use bench::outcome::QUANTILES;

use crate::results::CaseResults;

use super::axis::{Axis, short};
use super::svg::{Drawing, family};

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 330.0;
const LEFT: f64 = 46.0;
const LABELS: f64 = 122.0;
const BOTTOM: f64 = 36.0;

/// The distance between the middles of two labels.
const LABEL_GAP: f64 = 13.0;

/// A curve with more points is drawn without marks.
const POINTS_SHOWN_MAX: usize = 6;

/// One server's curve.
#[derive(Debug)]
pub(crate) struct Curve {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// The horizontal axis of a plot.
#[derive(Debug)]
pub(crate) struct Below {
    pub(crate) unit: &'static str,
    /// Coordinates with their labels.
    pub(crate) ticks: Vec<(f64, String)>,
}

/// Latencies by quantile, on a scale where each further nine takes the same space.
pub(crate) fn latency(results: &CaseResults) -> String {
    let place = |quantile: f64| if quantile < 1.0 { -(1.0 - quantile).log10() } else { 5.0 };
    let curves = results.rows.iter().filter_map(|row| {
        let latency = row.latency_us();
        let points = QUANTILES.iter().map(|quantile| place(*quantile)).zip(latency);
        let points = points.filter(|(x, _)| *x > 0.2).collect::<Vec<_>>();
        (!points.is_empty()).then(|| Curve { name: row.contestant.clone(), points })
    });
    let labels = [
        (0.5, "50 %"),
        (0.9, "90"),
        (0.99, "99"),
        (0.999, "99.9"),
        (0.9999, "99.99"),
        (1.0, "all"),
    ];
    let ticks = labels.map(|(quantile, label)| (place(quantile), label.to_owned())).to_vec();
    let below = Below { unit: "of the messages were answered within", ticks };
    let about = format!("{}. Lower is better; medians of the rounds.", results.case.load());
    draw("Latency, µs", &about, &curves.collect::<Vec<_>>(), &below)
}

/// Curves over `places`, which are evenly spaced. Empty without points.
pub(crate) fn over(
    title: &str,
    about: &str,
    unit: &'static str,
    places: &[f64],
    curves: Vec<Curve>,
) -> String {
    let place = |figure: f64| places.iter().position(|known| *known == figure).unwrap_or(0) as f64;
    let even = curves.into_iter().map(|curve| Curve {
        points: curve.points.iter().map(|&(x, y)| (place(x), y)).collect(),
        ..curve
    });
    let ticks = places.iter().map(|figure| (place(*figure), short(*figure))).collect();
    draw(title, about, &even.collect::<Vec<_>>(), &Below { unit, ticks })
}

fn draw(title: &str, about: &str, curves: &[Curve], below: &Below) -> String {
    if curves.iter().all(|curve| curve.points.is_empty()) {
        return String::new();
    }
    let mut drawing = Drawing::default();
    let (floor, right) = (HEIGHT - BOTTOM, WIDTH - LABELS);
    let all = curves.iter().flat_map(|curve| &curve.points);
    let up = Axis::over(all.clone().map(|(_, y)| *y), floor, 8.0);
    let ends = below.ticks.iter().map(|(x, _)| *x);
    let (low, high) = ends.fold((f64::INFINITY, 0.0), |(l, h): (f64, f64), x| (l.min(x), h.max(x)));
    let across = |x: f64| LEFT + (x - low) / (high - low).max(f64::MIN_POSITIVE) * (right - LEFT);
    for tick in up.ticks() {
        drawing.line("grid", (LEFT, up.at(tick)), (right, up.at(tick)));
        drawing.text("tick", (LEFT - 6.0, up.at(tick)), "end", &short(tick));
    }
    for (x, label) in &below.ticks {
        drawing.line("grid", (across(*x), 8.0), (across(*x), floor));
        drawing.text("tick", (across(*x), floor + 12.0), "middle", label);
    }
    drawing.text("unit", (f64::midpoint(LEFT, right), floor + 28.0), "middle", below.unit);

    let mut seen = HashMap::new();
    let mut labels = Vec::new();
    // Ours last, on top of the others.
    let (ours, others) = curves.iter().partition::<Vec<_>, _>(|one| family(&one.name) == "ours");
    for curve in others.into_iter().chain(ours) {
        let class = family(&curve.name);
        let dash = seen.entry(class).and_modify(|count| *count += 1).or_insert(0);
        let points = curve.points.iter().map(|&(x, y)| (across(x), up.at(y))).collect::<Vec<_>>();
        let Some(&end) = points.last() else {
            continue;
        };
        drawing.begin(&curve.name);
        drawing.path(&format!("line {class} d{}", *dash % 4), &points);
        if points.len() <= POINTS_SHOWN_MAX {
            for point in &points {
                drawing.circle(&format!("mark {class}"), *point, 3.0);
            }
        }
        drawing.end();
        labels.push((curve.name.as_str(), end));
    }
    label(&mut drawing, labels, right, floor);
    drawing.card(title, about, (WIDTH, HEIGHT))
}

/// Names beside the ends of curves, moved apart where they would overlap.
fn label(drawing: &mut Drawing, mut labels: Vec<(&str, (f64, f64))>, right: f64, floor: f64) {
    labels.sort_by(|(_, one), (_, other)| one.1.total_cmp(&other.1));
    let heights = apart(&labels.iter().map(|(_, (_, y))| *y).collect::<Vec<_>>(), floor);
    for ((name, end), y) in labels.into_iter().zip(heights) {
        let class = family(name);
        drawing.line(&format!("leader {class}"), end, (right + 12.0, y));
        drawing.text(&format!("end {class}"), (right + 15.0, y), "start", name);
    }
}

/// The same coordinates, in order, at least [`LABEL_GAP`] apart, and above the floor as far as there is room.
fn apart(places: &[f64], floor: f64) -> Vec<f64> {
    let mut moved = Vec::with_capacity(places.len());
    for &place in places {
        let least = moved.last().map_or(f64::MIN, |last| last + LABEL_GAP);
        moved.push(place.max(least));
    }
    let mut most = floor;
    for place in moved.iter_mut().rev() {
        *place = place.min(most);
        most = *place - LABEL_GAP;
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_do_not_overlap() {
        let cases: [(&[f64], &[f64]); 3] = [
            (&[10.0, 50.0], &[10.0, 50.0]),
            (&[10.0, 11.0, 12.0], &[10.0, 23.0, 36.0]),
            (&[98.0, 99.0], &[87.0, 100.0]),
        ];
        for (places, expected) in cases {
            assert_eq!(apart(places, 100.0), expected, "{places:?}");
        }
    }
}
