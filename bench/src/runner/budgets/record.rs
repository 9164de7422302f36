//! The committed budgets: totals and their environment in `budgets.toml`, the functions behind each
//! total in `budgets/SCRIPT.txt`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::environment::Environment;
use super::profile::Profile;

const HEAD: &str = "\
# Instructions of the scripts in src/scripts/, reactor's side only. Made by `bench budgets --update`; compared by
# `bench budgets`, which names the functions that have grown since budgets/*.txt.
";

#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) environment: Environment,
    pub(crate) scripts: BTreeMap<String, Profile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    environment: Environment,
    instructions: BTreeMap<String, u64>,
}

impl Record {
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let text = read(&folder.join("budgets.toml"))?;
        let file: File = toml::from_str(&text).context("in budgets.toml")?;
        let scripts = file.instructions.into_iter().map(|(name, total)| {
            let profile = parse(&read(&folder.join("budgets").join(format!("{name}.txt")))?)?;
            ensure!(
                profile.total() == total,
                "the totals in budgets/{name}.txt and budgets.toml differ; run: bench budgets --update"
            );
            Ok((name, profile))
        });
        Ok(Self { environment: file.environment, scripts: scripts.collect::<Result<_>>()? })
    }

    pub(crate) fn write(
        folder: &Path,
        environment: &Environment,
        found: &[(&str, Profile)],
    ) -> Result<()> {
        let Environment { rustc, cpu, libc, valgrind } = environment;
        let mut text = format!(
            "{HEAD}\n[environment]\nrustc = {rustc:?}\ncpu = {cpu:?}\nlibc = {libc:?}\n\
             valgrind = {valgrind:?}\n\n[instructions]\n"
        );
        fs::create_dir_all(folder.join("budgets"))?;
        for (name, profile) in found {
            writeln!(text, "{name} = {}", profile.total())?;
            println!("{name:8} {:>12} instructions", profile.total());
            let lines =
                profile.tops().into_iter().map(|(name, count)| format!("{count:>12}  {name}\n"));
            fs::write(
                folder.join("budgets").join(format!("{name}.txt")),
                lines.collect::<String>(),
            )?;
        }
        fs::write(folder.join("budgets.toml"), text).context("cannot write budgets.toml")
    }
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Parses lines of a count and a name.
fn parse(text: &str) -> Result<Profile> {
    let line = |line: &str| {
        let (count, name) = line.trim_start().split_once("  ").context("not `count  name`")?;
        Ok((name.to_owned(), count.parse()?))
    };
    Ok(Profile::of(text.lines().map(line).collect::<Result<Vec<_>>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_can_be_written_and_read() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("sinew-budgets-{}", std::process::id()));
        let environment =
            Environment { cpu: "a \"fast\" one".to_owned(), ..Environment::default() };
        let profile = Profile::of([("a<b, c>".to_owned(), 700), ("d".to_owned(), 300)]);
        Record::write(&folder, &environment, &[("echo", profile.clone())])?;
        let record = Record::read(&folder)?;
        fs::remove_dir_all(&folder)?;
        assert_eq!(record.environment, environment);
        assert_eq!(record.scripts, BTreeMap::from([("echo".to_owned(), profile)]));
        Ok(())
    }

    #[test]
    fn the_budgets_in_the_repository_are_valid() -> Result<()> {
        let record = Record::read(Path::new(env!("CARGO_MANIFEST_DIR")))?;
        let names = record.scripts.keys().map(String::as_str).collect::<Vec<_>>();
        let mut scripts = super::super::SCRIPTS;
        scripts.sort_unstable();
        assert_eq!(names, scripts);
        Ok(())
    }
}
