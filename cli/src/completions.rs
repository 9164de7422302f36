//! `sinew completions`: prints a script that completes the commands and options in a shell.

use std::io::{self, Write};

use clap::Command;

use crate::{
    exit::{Code, Failure},
    run::Description,
};

/// The arguments of `sinew completions`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub(crate) shell: Shell,
}

/// The shells that are tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Completions {
    fn script(&self, mut command: Command) -> Vec<u8> {
        let shell = match self.shell {
            Shell::Bash => clap_complete::Shell::Bash,
            Shell::Zsh => clap_complete::Shell::Zsh,
            Shell::Fish => clap_complete::Shell::Fish,
        };
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut command, "sinew", &mut script);
        script
    }
}

impl Description for Completions {
    fn describe(&self, command: Command) -> Result<(), Failure> {
        let written = io::stdout().write_all(&self.script(command));
        written.map_err(|error| Failure::io(Code::Io, "standard output", &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_line::command;

    #[test]
    fn scripts_know_the_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = String::from_utf8(Completions { shell }.script(command())).unwrap();
            for word in ["sinew", "portforward", "listen", "bench", "warmup"] {
                assert!(script.contains(word), "{shell:?}: {word}");
            }
        }
    }
}
