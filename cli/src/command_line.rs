//! The command line: a clap command made from the table of commands, and what is called for a parsed one.

use std::{ffi::OsString, path::Path};

use clap::{ArgMatches, Args, Command};

use crate::{
    arguments::Options,
    commands::{COMMANDS, Done, Kind, Row},
    log,
    run::{self, Source},
};

/// The whole command, with all subcommands: for parsing, completions and man pages.
pub(crate) fn command() -> Command {
    Command::new("sinew")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Ready servers and clients, and server programs from a file")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(COMMANDS.iter().map(subcommand))
}

/// The words of a command line. A program that was started by the name of sendmail(8) is `sinew sendmail`, so that a symbolic link serves
/// those who expect that program.
pub(crate) fn words(given: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    let mut given = given.peekable();
    let is_sendmail = given
        .peek()
        .is_some_and(|name| Path::new(name).file_name().is_some_and(|name| name == "sendmail"));
    let front: &[&str] = if is_sendmail { &["sinew", "sendmail"] } else { &[] };
    front.iter().map(OsString::from).chain(given.skip(usize::from(is_sendmail)))
}

fn subcommand(row: &Row) -> Command {
    let command = Command::new(row.name);
    let command = match &row.kind {
        Kind::Server(kind) => Options::augment_args((kind.arguments)(command)),
        Kind::Tool(kind) => (kind.arguments)(command),
        Kind::Description(kind) => (kind.arguments)(command),
    };
    // Last: the documentation of the structs would take its place.
    command
        .about(row.about)
        .long_about(None)
        .after_help(format!("Examples:\n  {}", row.examples.replace('\n', "\n  ")))
}

fn row(name: &str) -> Option<&'static Row> {
    COMMANDS.iter().find(|row| row.name == name)
}

/// Does what a parsed command line says.
pub(crate) fn run(matches: &ArgMatches) -> Done {
    let (name, matches) = matches.subcommand().expect("clap requires a subcommand");
    let row = row(name).expect("clap knows those of the table");
    match &row.kind {
        Kind::Server(kind) => {
            let matches = Box::new(matches.clone());
            Ok(run::run(Source::Command { name: row.name, kind, matches }))
        }
        Kind::Tool(kind) => {
            if !kind.runs_servers {
                log::start_quietly();
            }
            (kind.run)(matches)
        }
        Kind::Description(kind) => {
            log::start_quietly();
            (kind.describe)(matches, self::command())
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches;

    use super::*;
    use crate::commands::servers;

    /// Duplicate names and other mistakes in the arguments.
    #[test]
    fn the_table_makes_a_command_line() {
        command().debug_assert();
    }

    #[test]
    fn the_name_of_sendmail_is_its_command() {
        let words = |given: &[&str]| {
            let given: Vec<_> = given.iter().map(OsString::from).collect();
            words(given.into_iter()).collect::<Vec<_>>()
        };
        assert_eq!(words(&["/usr/sbin/sendmail", "-t"]), ["sinew", "sendmail", "-t"]);
        assert_eq!(words(&["./sinew", "sendmail"]), ["./sinew", "sendmail"]);
        assert!(words(&[]).is_empty());
    }

    /// What a file says by leaving a key out, and the command line by leaving an option out, must be the same.
    #[test]
    fn the_defaults_of_file_and_command_line_are_the_same() {
        for (name, kind) in servers() {
            let from_file = (kind.from_file)(toml::de::Deserializer::parse("").unwrap());
            let matches = subcommand(row(name).unwrap()).try_get_matches_from([name]);
            match (from_file, matches) {
                (Ok(from_file), Ok(matches)) => {
                    let from_matches = (kind.from_matches)(&matches).unwrap();
                    assert_eq!(format!("{from_file:?}"), format!("{from_matches:?}"), "{name}");
                }
                // Something is required, by both.
                (from_file, matches) => assert!(from_file.is_err() && matches.is_err(), "{name}"),
            }
        }
        let options =
            Options::from_arg_matches(&subcommand(row("echo").unwrap()).get_matches_from(["echo"]));
        let by_default = format!("{:?}", Options::default());
        assert_eq!(format!("{:?}", options.unwrap()), by_default);
    }
}
