//! Instruction budgets: fixed scripts, counted by callgrind and compared with the committed counts. No clock is involved.

mod environment;
mod profile;
mod record;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::args::BudgetOptions;
use crate::built;
use crate::contestant::installed;
use crate::scratch::Scratch;

use self::environment::Environment;
use self::profile::Profile;
use self::record::Record;

/// The scripts of `src/scripts/`.
const SCRIPTS: [&str; 11] = [
    "echo",
    "echo-inspected",
    "line",
    "timers",
    "accept",
    "fanout",
    "http",
    "http-pipelined",
    "ws-echo",
    "ws-broadcast",
    "dns",
];

/// How much a script may grow in the environment of the committed counts.
const TOLERANCE: f64 = 0.03;

/// How much it may grow elsewhere: another compiler generates other code, another C library copies memory in other ways.
const TOLERANCE_ELSEWHERE: f64 = 0.10;

/// The function below which the scripts do the counted work.
pub(crate) const COUNTED: &str = "*script*budgeted*";

/// The messages of the script `echo`.
pub(crate) const MESSAGES: f64 = 1_000.0;

/// How many functions are named when a script has grown.
const GROWN_MAX: usize = 10;

pub(crate) fn run(options: &BudgetOptions) -> Result<()> {
    for name in &options.only {
        ensure!(SCRIPTS.contains(&name.as_str()), "no script is called {name}");
    }
    ensure!(installed("valgrind"), "valgrind is not installed; try: apt install valgrind");
    let script = built::beside_this_one("script", &["--bin", "script"])?;
    let wanted =
        |name: &&&str| options.only.is_empty() || options.only.iter().any(|only| only == **name);
    let found = SCRIPTS.iter().filter(wanted).map(|name| {
        let profile = count(&script, name).with_context(|| format!("script {name}"))?;
        Ok((*name, profile))
    });
    let found = found.collect::<Result<Vec<_>>>()?;
    let here = Environment::here();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    if options.update {
        return Record::write(folder, &here, &found);
    }
    let record = Record::read(folder)?;
    let differences = record.environment.differences(&here);
    let tolerance = if differences.is_empty() { TOLERANCE } else { TOLERANCE_ELSEWHERE };
    for difference in &differences {
        println!("not the environment of the committed budgets: {difference}");
    }
    println!("a script may grow by {:.0} %", 100.0 * tolerance);
    compare(&record, &found, tolerance)
}

/// One run under callgrind.
fn count(script: &Path, name: &str) -> Result<Profile> {
    let scratch = Scratch::new();
    let output = Command::new("valgrind")
        .args(["-q", "--tool=callgrind", "--cache-sim=no", "--compress-strings=no"])
        .arg(format!("--toggle-collect={COUNTED}"))
        .arg(format!("--callgrind-out-file={}", scratch.path().display()))
        .arg(script)
        .arg(name)
        // Environment variables move the stack, and so change the alignment of memory.
        .env_clear()
        .stdin(Stdio::null())
        .output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "it failed: {}", errors.trim());
    let text = fs::read_to_string(scratch.path()).context("valgrind wrote no profile")?;
    let profile = Profile::parse(&text);
    ensure!(profile.total() > 0, "nothing was counted: function {COUNTED} was not found");
    Ok(profile)
}

/// Prints the growth of each script, and fails if one has grown too much.
fn compare(record: &Record, found: &[(&str, Profile)], tolerance: f64) -> Result<()> {
    let mut grown = Vec::new();
    for (name, profile) in found {
        let Some(budget) = record.scripts.get(*name) else {
            bail!("no budget for {name}; run: bench budgets --update");
        };
        let (now, before) = (profile.total(), budget.total());
        let growth = now as f64 / before as f64 - 1.0;
        let verdict = match growth {
            _ if growth > tolerance => "OVER BUDGET",
            _ if growth < -tolerance => "fewer: record them with --update",
            _ => "unchanged",
        };
        println!("{name:8} {now:>12} instructions, {:+6.2} %: {verdict}", 100.0 * growth);
        if growth > tolerance {
            grown.push(*name);
            for (function, more) in budget.growth_to(profile).into_iter().take(GROWN_MAX) {
                println!("    {more:>+12}  {function}");
            }
        }
    }
    ensure!(grown.is_empty(), "over budget: {}", grown.join(", "));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn only_growth_past_the_tolerance_fails() {
        let profile = |count| Profile::of([("work".to_owned(), count)]);
        let record = Record {
            environment: Environment::default(),
            scripts: BTreeMap::from([("echo".to_owned(), profile(1_000))]),
        };
        for (count, expected) in [(500, true), (1_029, true), (1_031, false)] {
            let compared = compare(&record, &[("echo", profile(count))], TOLERANCE);
            assert_eq!(compared.is_ok(), expected, "{count}");
        }
        assert!(compare(&record, &[("line", profile(1))], TOLERANCE).is_err(), "without a budget");
    }
}
