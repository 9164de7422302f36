//! The command line: a clap command made from the table of commands, and what is called for a parsed one.

use clap::{ArgMatches, Args, Command, FromArgMatches};

use crate::{
    arguments::Options,
    commands::{COMMANDS, Kind, Row},
    config::Program,
    exit::Failure,
    run,
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

fn subcommand(row: &Row) -> Command {
    let command = Command::new(row.name)
        .about(row.about)
        .after_help(format!("Examples:\n  {}", row.examples.replace('\n', "\n  ")));
    match &row.kind {
        Kind::Server(kind) => Options::augment_args((kind.arguments)(command)),
        Kind::Tool(kind) => (kind.arguments)(command),
    }
}

/// Does what a parsed command line says.
pub(crate) fn run(matches: &ArgMatches) -> Result<Result<(), Failure>, clap::Error> {
    let (name, matches) = matches.subcommand().expect("clap requires a subcommand");
    let row = COMMANDS.iter().find(|row| row.name == name).expect("clap knows those of the table");
    match &row.kind {
        Kind::Server(kind) => {
            let (server, options) =
                ((kind.from_matches)(matches)?, Options::from_arg_matches(matches)?);
            Ok(Program::of_command(name, server, options)
                .and_then(|program| run::run_one(&program)))
        }
        Kind::Tool(kind) => (kind.run)(matches),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Duplicate names and other mistakes in the arguments.
    #[test]
    fn the_table_makes_a_command_line() {
        command().debug_assert();
    }
}
