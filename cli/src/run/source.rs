//! Where a program comes from, when the process starts and at each reload: [`Source`].

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    time::SystemTime,
};

use clap::{ArgMatches, FromArgMatches};
use sinew::reactor::Excerpt;

use crate::{
    arguments::Options,
    commands::ServerKind,
    config::{self, Problem, Program},
    exit::{Code, Failure},
};

/// The longest file of `sinew run` that is read.
const FILE_MAX: u64 = 4 << 20;

/// A command line, or a file.
#[derive(Debug)]
pub(crate) enum Source {
    /// One server.
    Command { name: &'static str, kind: &'static ServerKind, matches: Box<ArgMatches> },
    /// A file of `sinew run`, by its absolute path.
    File(PathBuf),
}

impl Source {
    /// A file. A relative path begins in the present working directory, also after that has changed.
    pub(crate) fn file(path: &Path) -> Result<Self, Failure> {
        let absolute = std::path::absolute(path);
        absolute.map(Self::File).map_err(|error| {
            Failure::io(Code::NoInput, format!("cannot find {}", Excerpt::path(path)), &error)
        })
    }

    /// Reads the program.
    pub(crate) fn load(&self) -> Result<Program, Failure> {
        match self {
            Self::Command { name, kind, matches } => {
                let usage = |error: clap::Error| Failure::new(Code::Usage, error.to_string());
                let server = (kind.from_matches)(matches).map_err(usage)?;
                let options = Options::from_arg_matches(matches).map_err(usage)?;
                Program::of_command(name, server, options)
            }
            Self::File(path) => read_file(path, None)?.map_err(|problems| {
                let shown: String = problems.iter().map(|problem| problem.show(path)).collect();
                let text =
                    format!("{} of the configuration:\n{}", number(&problems), shown.trim_end());
                Failure::new(Code::Config, text)
            }),
        }
    }
}

/// Reads a file, or says what is wrong in it. With the time, warns of certificates, too.
pub(crate) fn read_file(
    path: &Path,
    now: Option<SystemTime>,
) -> Result<Result<Program, Vec<Problem>>, Failure> {
    let shown = Excerpt::path(path);
    let failed = |error| Failure::io(Code::NoInput, format!("cannot read {shown}"), &error);
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(FILE_MAX + 1).read_to_end(&mut bytes))
        .map_err(failed)?;
    if bytes.len() as u64 > FILE_MAX {
        let text = format!("{shown} is longer than {FILE_MAX} bytes, which no configuration is");
        return Err(Failure::new(Code::Config, text));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::new(Code::Config, format!("{shown} is not UTF-8, from byte {at} on"))
    })?;
    Ok(config::read(&text, now))
}

/// `3 problems`.
pub(crate) fn number(problems: &[Problem]) -> String {
    match problems.len() {
        1 => "a problem".to_owned(),
        number => format!("{number} problems"),
    }
}
