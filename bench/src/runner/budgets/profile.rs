//! Counts of callgrind by function: its own instructions, without those of its callees. Pure.

use std::collections::BTreeMap;

/// A function below this share of the whole is not recorded by name.
const SHARE_MIN: f64 = 0.002;

/// The sum of the functions that are not recorded by name.
const REST: &str = "(all others)";

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Profile {
    functions: BTreeMap<String, u64>,
}

impl Profile {
    pub(crate) fn of(functions: impl IntoIterator<Item = (String, u64)>) -> Self {
        let mut profile = Self::default();
        for (function, count) in functions {
            *profile.functions.entry(function).or_default() += count;
        }
        profile
    }

    /// Parses a profile without compressed names: `fn=` names the function of the following costs, and the line after
    /// `calls=` is the cost of a callee, which is counted there.
    pub(crate) fn parse(text: &str) -> Self {
        let mut functions = Vec::new();
        let mut function = String::new();
        let mut called = false;
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("fn=") {
                function = plain(name);
            } else if line.starts_with("calls=") {
                called = true;
            } else if line
                .starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first))
            {
                let count = line.split_whitespace().nth(1).and_then(|count| count.parse().ok());
                if let (Some(count), false) = (count, std::mem::take(&mut called)) {
                    functions.push((function.clone(), count));
                }
            }
        }
        Self::of(functions)
    }

    pub(crate) fn total(&self) -> u64 {
        self.functions.values().sum()
    }

    /// Each function above the minimal share, the costliest first, and the sum of the others.
    pub(crate) fn tops(&self) -> Vec<(&str, u64)> {
        let least = (self.total() as f64 * SHARE_MIN) as u64;
        let (tops, rest) =
            self.functions.iter().partition::<Vec<_>, _>(|(_, count)| **count > least);
        let mut tops =
            tops.iter().map(|(name, count)| (name.as_str(), **count)).collect::<Vec<_>>();
        tops.sort_by_key(|&(name, count)| (std::cmp::Reverse(count), name));
        tops.push((REST, rest.iter().map(|(_, count)| **count).sum()));
        tops.retain(|(_, count)| *count > 0);
        tops
    }

    /// The growth of the functions that have grown, the worst first.
    pub(crate) fn growth_to(&self, now: &Self) -> Vec<(String, i64)> {
        let mut growth = BTreeMap::new();
        for (name, count) in now.tops() {
            *growth.entry(name.to_owned()).or_insert(0) += count as i64;
        }
        for (name, count) in self.tops() {
            *growth.entry(name.to_owned()).or_insert(0) -= count as i64;
        }
        let mut grown = growth.into_iter().filter(|(_, more)| *more > 0).collect::<Vec<_>>();
        grown.sort_by_key(|(_, more)| std::cmp::Reverse(*more));
        grown
    }
}

/// A name without the parts that change from build to build: the hash at its end, and the recursion level.
fn plain(name: &str) -> String {
    let name = name.split_once('\'').map_or(name, |(name, _)| name);
    match name.rsplit_once("::h") {
        Some((plain, hash)) if hash.len() == 16 => plain.to_owned(),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_costs_exclude_those_of_callees() {
        let text = "\
version: 1
positions: line
events: Ir
fl=a.rs
fn=outer::h0123456789abcdef
10 5
+1 2
cfn=inner
calls=3 20
12 100
fn=inner
20 90
* 10
fn=inner'2
20 1
totals: 108
";
        let profile = Profile::parse(text);
        let expected = [("outer".to_owned(), 7), ("inner".to_owned(), 101)];
        assert_eq!(profile, Profile::of(expected));
        assert_eq!(profile.total(), 108);
    }

    #[test]
    fn grown_functions_are_named_worst_first() {
        let of = |all: &[(&str, u64)]| Profile::of(all.iter().map(|(n, c)| ((*n).to_owned(), *c)));
        let before = of(&[("a", 100), ("b", 100), ("gone", 50)]);
        let now = of(&[("a", 110), ("b", 100), ("new", 40)]);
        let expected = [("new".to_owned(), 40), ("a".to_owned(), 10)];
        assert_eq!(before.growth_to(&now), expected);
    }

    #[test]
    fn small_functions_are_summed() {
        let many = (0..1_000).map(|index| (format!("f{index}"), 1));
        let profile = Profile::of(many.chain([("big".to_owned(), 9_000)]));
        assert_eq!(profile.tops(), [("big", 9_000), (REST, 1_000)]);
    }
}
