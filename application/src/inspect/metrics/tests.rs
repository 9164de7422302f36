//! The text is read by a strict parser of the format, after
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::inspect::report::Longest;

/// Name, labels, value.
type Sample = (String, Vec<(String, String)>, f64);

fn is_name(text: &str, colon: bool) -> bool {
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_' || colon && c == ':';
    text.starts_with(is_first) && text.chars().all(|c| is_first(c) || c.is_ascii_digit())
}

fn parse_labels(mut text: &str) -> (Vec<(String, String)>, &str) {
    let mut labels = Vec::new();
    loop {
        let (name, rest) = text.split_once("=\"").expect("a label has a value");
        assert!(is_name(name, false), "{name}");
        let mut value = String::new();
        let mut chars = rest.char_indices();
        let end = loop {
            match chars.next().expect("a value ends") {
                (at, '"') => break at,
                (_, '\\') => value.push(match chars.next().expect("an escape ends").1 {
                    'n' => '\n',
                    other @ ('\\' | '"') => other,
                    other => panic!("\\{other} is no escape"),
                }),
                (_, other) => value.push(other),
            }
        };
        labels.push((name.to_owned(), value));
        let rest = &rest[end + 1..];
        match rest.strip_prefix(',') {
            Some(more) => text = more,
            None => return (labels, rest.strip_prefix('}').expect("labels end")),
        }
    }
}

fn parse_sample(line: &str) -> Sample {
    let (name, rest) = line.split_at(line.find(['{', ' ']).expect("a sample has a value"));
    assert!(is_name(name, true), "{name}");
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(labels) => parse_labels(labels),
        None => (Vec::new(), rest),
    };
    let value = rest.strip_prefix(' ').expect("a space before the value");
    (name.to_owned(), labels, value.parse().expect("a number"))
}

/// All samples. Checks that each belongs to the metric declared before it, and none is there twice.
fn parse(text: &str) -> Vec<Sample> {
    assert!(text.ends_with('\n'));
    let (mut declared, mut seen, mut samples) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
    let mut current = String::new();
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            current = help.split_once(' ').expect("a help text").0.to_owned();
            assert!(!declared.contains_key(&current), "{current} is declared twice");
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').expect("a type");
            assert_eq!(name, current);
            assert!(["counter", "gauge", "histogram"].contains(&kind));
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
            declared.insert(name.to_owned(), kind.to_owned());
        } else {
            let sample = parse_sample(line);
            let base = match declared[&current].as_str() {
                "histogram" => {
                    let ends = ["_bucket", "_sum", "_count"];
                    ends.iter().find_map(|end| sample.0.strip_suffix(end)).expect("a histogram's")
                }
                _ => &sample.0,
            };
            assert_eq!(base, current, "{line}");
            assert!(seen.insert((sample.0.clone(), sample.1.clone())), "{line} is there twice");
            samples.push(sample);
        }
    }
    samples
}

fn example() -> Status {
    let durations = Durations {
        count: 10,
        sum_us: 5_000,
        below: vec![0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        ..Durations::default()
    };
    let hostile = "a\\b\"c\nd{e=\"f\"} 7";
    let port = PortStatus {
        address: hostile.to_owned(),
        kind: "tcp".to_owned(),
        connections: 3,
        limit: Some(100),
        ..PortStatus::default()
    };
    let shard = ShardStatus {
        connections: 3,
        age_ms: 1_500,
        lag: Some(durations.clone()),
        turn: Some(durations),
        longest: vec![Longest { name: hostile.to_owned(), longest_us: 2_500, count: 1 }],
        ports: vec![port.clone(), port],
        ..ShardStatus::default()
    };
    let lost = ShardStatus {
        shard: 1,
        error: Some("it has stopped".to_owned()),
        ..ShardStatus::default()
    };
    Status { program: hostile.to_owned(), shards: vec![shard, lost], ..Status::default() }
}

#[test]
fn the_text_is_valid_whatever_the_names_contain() {
    let status = example();
    let samples = parse(&text(&status));
    let of = |name: &str| samples.iter().filter(|sample| sample.0 == name).collect::<Vec<_>>();
    assert_eq!(of("sinew_info")[0].1[0].1, status.program);
    assert_eq!(of("sinew_up").iter().map(|up| up.2).collect::<Vec<_>>(), [1.0, 0.0]);
    assert_eq!(of("sinew_connections").iter().map(|sample| sample.2).collect::<Vec<_>>(), [3.0]);
    assert_eq!(of("sinew_age_seconds")[0].2, 1.5);
    assert_eq!(of("sinew_port_connections").len(), 2);
    assert_eq!(of("sinew_port_limit")[0].1[2], ("address".to_owned(), status.program.clone()));
    assert_eq!(of("sinew_callback_longest_seconds")[0].2, 0.0025);
}

#[test]
fn the_buckets_of_a_histogram_rise_to_its_count() {
    let samples = parse(&text(&example()));
    let buckets = samples.iter().filter(|sample| sample.0 == "sinew_loop_lag_seconds_bucket");
    let buckets: Vec<_> = buckets.collect();
    assert_eq!(buckets.len(), BOUNDS_US.len() + 1);
    assert!(buckets.windows(2).all(|pair| pair[0].2 <= pair[1].2));
    let bound = |sample: &Sample| sample.1[1].1.clone();
    assert_eq!((bound(buckets[0]), bound(buckets[10])), ("0.00001".to_owned(), "+Inf".to_owned()));
    assert_eq!(buckets[10].2, 10.0);
}

#[test]
fn a_program_without_inspection_has_no_histograms() {
    let status = Status { shards: vec![ShardStatus::default()], ..Status::default() };
    assert!(parse(&text(&status)).iter().all(|sample| !sample.0.ends_with("_bucket")));
}
