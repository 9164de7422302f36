//! `sinew run FILE`: the services of a file.

use std::path::PathBuf;

use crate::{
    exit::Failure,
    run::{Source, Tool, run},
};

/// Which file.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Run {
    /// The file, in TOML; `sinew config --example` prints one with every key
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Tool for Run {
    const RUNS_SERVERS: bool = true;

    fn run(&self) -> Result<(), Failure> {
        run(Source::file(&self.file)?)
    }
}
