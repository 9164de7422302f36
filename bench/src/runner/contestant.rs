//! The servers to compare: `contestants.toml`, parsed and checked. Nothing is started here.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::args::Who;
use crate::service::Service;

/// All servers, by the service that they provide.
pub(crate) type Contestants = BTreeMap<Service, Section>;

/// The servers of one service, in the order of the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Section {
    pub(crate) yardstick: String,
    pub(crate) contestants: Vec<Contestant>,
}

/// One server to compare, as listed in the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contestant {
    pub(crate) name: String,
    pub(crate) command: Vec<String>,
    #[serde(default)]
    pub(crate) prepare: Vec<String>,
    pub(crate) bare: Option<String>,
    #[serde(default = "unlimited")]
    pub(crate) connections_max: usize,
    /// Whether its instructions can be counted.
    #[serde(default = "yes")]
    pub(crate) countable: bool,
}

fn unlimited() -> usize {
    usize::MAX
}

fn yes() -> bool {
    true
}

/// Reads the file and adds the servers of `--also`, expanded for each of `spins` where requested.
pub(crate) fn read(who: &Who, spins: &[u64]) -> Result<Contestants> {
    let path = who.contestants.display();
    let text =
        fs::read_to_string(&who.contestants).with_context(|| format!("cannot read {path}"))?;
    let mut sections = parse(&text, spins).with_context(|| format!("in {path}"))?;
    for also in &who.also {
        add(&mut sections, also)?;
    }
    choose(&mut sections, &who.only)?;
    let own = std::env::current_exe()?;
    let bin = own.parent().context("this binary is in no directory")?;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/contestants/foreign");
    for contestant in sections.values_mut().flat_map(|section| &mut section.contestants) {
        contestant.locate(bin, &source);
    }
    Ok(sections)
}

fn parse(text: &str, spins: &[u64]) -> Result<Contestants> {
    let mut sections: Contestants = toml::from_str(text)?;
    for (service, section) in &mut sections {
        let all = std::mem::take(&mut section.contestants);
        section.contestants = all.iter().flat_map(|one| one.spun(spins)).collect();
        let mut names = HashSet::new();
        for Contestant { name, command, .. } in &section.contestants {
            ensure!(names.insert(name), "two contestants of {service:?} are called {name}");
            ensure!(!command.is_empty(), "{name} has no command");
        }
    }
    Ok(sections)
}

/// `NAME=COMMAND` is added to every section in which the same command works: all that echo.
fn add(sections: &mut Contestants, also: &str) -> Result<()> {
    let (name, command) = also.split_once('=').context("--also takes NAME=COMMAND")?;
    let command = command.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    ensure!(!command.is_empty(), "--also {name} has no command");
    for service in [Service::Echo, Service::Spin, Service::Scale] {
        let section = sections.get_mut(&service).context("no section echo, spin or scale")?;
        section.contestants.push(Contestant {
            name: name.to_owned(),
            command: command.clone(),
            prepare: Vec::new(),
            bare: None,
            connections_max: usize::MAX,
            countable: true,
        });
    }
    Ok(())
}

/// Removes servers that were not requested; an empty `only` means all.
fn choose(sections: &mut Contestants, only: &[String]) -> Result<()> {
    let all = sections.values().flat_map(|section| &section.contestants);
    let known = all.map(|one| one.name.clone()).collect::<HashSet<_>>();
    if let Some(name) = only.iter().find(|name| !known.contains(*name)) {
        let mut known = known.into_iter().collect::<Vec<_>>();
        known.sort();
        bail!("no contestant is called {name}; available: {}", known.join(", "));
    }
    for section in sections.values_mut() {
        section.contestants.retain(|one| only.is_empty() || only.contains(&one.name));
    }
    Ok(())
}

impl Contestant {
    /// A server of this workspace.
    pub(crate) fn of(program: &Path, words: &[&str]) -> Self {
        let mut command = vec![program.display().to_string()];
        command.extend(words.iter().map(|word| (*word).to_owned()));
        Self {
            name: words.join(" "),
            command,
            prepare: Vec::new(),
            bare: None,
            connections_max: usize::MAX,
            countable: false,
        }
    }

    /// One for each of `spins`, if its name contains `{spin}`.
    fn spun(&self, spins: &[u64]) -> Vec<Self> {
        if !self.name.contains("{spin}") {
            return vec![self.clone()];
        }
        let spun = spins.iter().map(|spin| {
            let fill = |text: &String| text.replace("{spin}", &spin.to_string());
            let command = self.command.iter().map(fill).collect();
            Self { name: fill(&self.name), command, ..self.clone() }
        });
        spun.collect()
    }

    fn locate(&mut self, bin: &Path, source: &Path) {
        for word in self.command.iter_mut().chain(&mut self.prepare) {
            *word = word
                .replace("{bin}", &bin.to_string_lossy())
                .replace("{src}", &source.to_string_lossy());
        }
    }

    /// The reason why it cannot be started, if any. A name without a slash is searched in `PATH`.
    pub(crate) fn missing(&self) -> Option<String> {
        let program = PathBuf::from(&self.command[0]);
        if program.components().count() > 1 {
            let text = format!("no {}; run: cargo build --release, in bench/", program.display());
            (!program.is_file()).then_some(text)
        } else {
            (!installed(&self.command[0])).then(|| format!("no {} installed", self.command[0]))
        }
    }
}

/// Whether a program is in `PATH`.
pub(crate) fn installed(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = r#"
        [echo]
        yardstick = "a"
        contestants = [
            { name = "a", command = ["{bin}/a"] },
            { name = "b{spin}", command = ["{src}/b", "--spin", "{spin}"], connections_max = 9 },
        ]"#;

    fn names(sections: &Contestants) -> Vec<&str> {
        let all = sections.values().flat_map(|section| &section.contestants);
        all.map(|one| one.name.as_str()).collect()
    }

    #[test]
    fn each_spin_is_a_contestant() -> Result<()> {
        let mut sections = parse(TWO, &[0, 20])?;
        assert_eq!(names(&sections), ["a", "b0", "b20"]);
        let mut last = sections.remove(&Service::Echo).and_then(|mut all| all.contestants.pop());
        let last = last.as_mut().context("no contestant")?;
        last.locate(Path::new("/bin"), Path::new("/src"));
        assert_eq!(last.command, ["/src/b", "--spin", "20"]);
        Ok(())
    }

    #[test]
    fn requested_contestants_are_kept() -> Result<()> {
        for (only, expected) in [(vec![], vec!["a", "b1"]), (vec!["b1".to_owned()], vec!["b1"])] {
            let mut sections = parse(TWO, &[1])?;
            choose(&mut sections, &only)?;
            assert_eq!(names(&sections), expected);
        }
        Ok(())
    }

    #[test]
    fn errors_name_the_contestant() -> Result<()> {
        let cases = [
            (TWO.replace("\"b{spin}\"", "\"a\""), "two contestants of Echo are called a"),
            (TWO.replace("[\"{bin}/a\"]", "[]"), "a has no command"),
        ];
        for (text, expected) in cases {
            let error = parse(&text, &[0]).map(|_| ()).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
        let error = choose(&mut parse(TWO, &[0])?, &["c".to_owned()]).unwrap_err();
        assert_eq!(error.to_string(), "no contestant is called c; available: a, b0");
        Ok(())
    }

    #[test]
    fn an_additional_server_joins_all_sections_that_echo() -> Result<()> {
        let mut sections = parse(include_str!("../../contestants.toml"), &[0])?;
        add(&mut sections, "before=/old/echo --engine mio")?;
        for (service, section) in &sections {
            let joined = section.contestants.last().is_some_and(|one| one.name == "before");
            let echoes = matches!(service, Service::Echo | Service::Spin | Service::Scale);
            assert_eq!(joined, echoes, "{service:?}");
        }
        Ok(())
    }

    #[test]
    fn the_file_in_the_repository_is_valid() -> Result<()> {
        let sections = parse(include_str!("../../contestants.toml"), &[0, 20])?;
        assert_eq!(sections.len(), 17);
        for section in sections.values() {
            let known = |name: &String| section.contestants.iter().any(|one| one.name == *name);
            assert!(known(&section.yardstick), "{}", section.yardstick);
            let bares = section.contestants.iter().filter_map(|one| one.bare.as_ref());
            assert!(bares.into_iter().all(known));
        }
        Ok(())
    }
}
