//! Who takes part: `contestants.toml`, read and checked.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::args::Args;

/// The contestants of this run, in the order of the file.
#[derive(Debug)]
pub(crate) struct Contestants {
    pub(crate) all: Vec<Contestant>,
    pub(crate) yardstick: String,
}

/// One server to compare, as the file has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contestant {
    pub(crate) name: String,
    pub(crate) command: Vec<String>,
    build: String,
    #[serde(default = "unlimited")]
    pub(crate) connections_max: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    yardstick: String,
    contestant: Vec<Contestant>,
}

fn unlimited() -> usize {
    usize::MAX
}

impl Contestants {
    /// Reads the file, keeps those asked for, and makes sure that their binaries are there.
    pub(crate) fn read(args: &Args) -> Result<Self> {
        let path = args.contestants.display();
        let text =
            fs::read_to_string(&args.contestants).with_context(|| format!("cannot read {path}"))?;
        let chosen = choose(&text, &args.only).with_context(|| format!("in {path}"))?;
        let own = std::env::current_exe()?;
        let bin = own.parent().context("this binary is in no directory")?;
        let product = fs::canonicalize(&args.product).unwrap_or_else(|_| args.product.clone());
        let all = chosen
            .contestant
            .into_iter()
            .map(|contestant| contestant.located(bin, &product))
            .collect::<Vec<_>>();
        let missing = all.iter().filter_map(Contestant::missing).collect::<Vec<_>>();
        ensure!(
            missing.is_empty(),
            "not built yet (or choose others with --only):\n{}",
            missing.join("\n")
        );
        if !all.iter().any(|one| one.name == chosen.yardstick) {
            eprintln!("without {} there are no ratios", chosen.yardstick);
        }
        Ok(Self { all, yardstick: chosen.yardstick })
    }
}

/// Parses the file and drops those that were not asked for; an empty `only` asks for all.
fn choose(text: &str, only: &[String]) -> Result<File> {
    let mut file: File = toml::from_str(text)?;
    let mut names = HashSet::new();
    for contestant in &file.contestant {
        let name = &contestant.name;
        ensure!(names.insert(name.clone()), "two contestants are called {name}");
        ensure!(!contestant.command.is_empty(), "{name} has no command");
    }
    for name in only.iter().chain([&file.yardstick]) {
        if !names.contains(name) {
            let known = file.contestant.iter().map(|one| one.name.as_str()).collect::<Vec<_>>();
            bail!("no contestant is called {name}; there are {}", known.join(", "));
        }
    }
    file.contestant.retain(|one| only.is_empty() || only.contains(&one.name));
    Ok(file)
}

impl Contestant {
    fn located(mut self, bin: &Path, product: &Path) -> Self {
        for word in &mut self.command {
            *word = word
                .replace("{bin}", &bin.to_string_lossy())
                .replace("{product}", &product.to_string_lossy());
        }
        self
    }

    /// What to tell a user whose binary is not there. A name without a slash is looked up in `PATH`.
    fn missing(&self) -> Option<String> {
        let program = PathBuf::from(&self.command[0]);
        let found = if program.components().count() > 1 {
            program.is_file()
        } else {
            installed(&self.command[0])
        };
        (!found).then(|| format!("  {}: no {}; run: {}", self.name, program.display(), self.build))
    }
}

/// Whether a program is to be found in `PATH`.
pub(crate) fn installed(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = r#"
        yardstick = "a"
        contestant = [
            { name = "a", command = ["{bin}/a"], build = "make a" },
            { name = "b", command = ["{product}/b", "--fast"], build = "make b", connections_max = 9 },
        ]"#;

    #[test]
    fn those_asked_for_are_kept() -> Result<()> {
        let cases = [(vec![], "ab"), (vec!["b".to_owned()], "b")];
        for (only, expected) in cases {
            let kept = choose(TWO, &only)?;
            let names = kept.contestant.iter().map(|one| one.name.as_str());
            assert_eq!(names.collect::<String>(), expected);
        }
        Ok(())
    }

    #[test]
    fn faults_are_named() {
        let cases = [
            (TWO.to_owned(), vec!["c".to_owned()], "no contestant is called c; there are a, b"),
            (TWO.replace("\"b\"", "\"a\""), vec![], "two contestants are called a"),
            (TWO.replace("[\"{bin}/a\"]", "[]"), vec![], "a has no command"),
        ];
        for (text, only, expected) in cases {
            let fault = choose(&text, &only).map(|_| ()).unwrap_err();
            assert_eq!(fault.to_string(), expected);
        }
    }

    #[test]
    fn a_missing_binary_names_its_build() -> Result<()> {
        let b = choose(TWO, &[])?.contestant.remove(1);
        let b = b.located(Path::new("/nowhere/bin"), Path::new("/nowhere/target"));
        let message = b.missing();
        assert_eq!(message.as_deref(), Some("  b: no /nowhere/target/b; run: make b"));
        Ok(())
    }

    #[test]
    fn the_file_in_the_repository_is_sound() -> Result<()> {
        choose(include_str!("../../contestants.toml"), &[]).map(|_| ())
    }
}
