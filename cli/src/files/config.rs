//! `sinew config --example`: prints a file with every key.

use crate::{config, exit::Failure, run::Tool};

/// What to print.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Config {
    /// Print a file for `sinew run` with every key, its meaning and its default
    #[arg(long, required = true)]
    example: bool,
}

impl Tool for Config {
    fn run(&self) -> Result<(), Failure> {
        print!("{}", config::example());
        Ok(())
    }
}
