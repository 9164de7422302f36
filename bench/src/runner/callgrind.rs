//! User-space instructions, counted by valgrind's callgrind.

use std::path::Path;

use anyhow::{Context, Result};

use crate::figure::INSTRUCTIONS;
use crate::tool::{Counts, Wrapper};

pub(crate) fn wrapper(output: &Path) -> Wrapper {
    Wrapper {
        words: vec![
            "valgrind".to_owned(),
            "-q".to_owned(),
            "--tool=callgrind".to_owned(),
            "--cache-sim=no".to_owned(),
            format!("--callgrind-out-file={}", output.display()),
        ],
        forks: false,
    }
}

/// Parses the total of a profile: its line `totals:`, or `summary:` in older versions.
pub(crate) fn parse(profile: &str) -> Result<Counts> {
    let total = profile
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("totals:").or(line.strip_prefix("summary:")))
        .and_then(|total| total.trim().parse().ok())
        .context("the profile has no total")?;
    Ok(Counts::from([(INSTRUCTIONS.to_owned(), total)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_parsed() {
        let cases = [
            ("events: Ir\nsummary: 41\n1 2\ntotals: 42\n", Some(42)),
            ("events: Ir\nsummary: 41\n", Some(41)),
            ("events: Ir\n", None),
        ];
        for (profile, expected) in cases {
            let total = parse(profile).ok().map(|counts| counts[INSTRUCTIONS]);
            assert_eq!(total, expected, "{profile:?}");
        }
    }
}
