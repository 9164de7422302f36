//! `sinew procmon`: keeps programs running. The states and the waits are those of [`ProcessService`].

use std::{path::PathBuf, process::Command, time::Duration};

use serde::Deserialize;
use sinew::application::{MultiService, ProcessService, Service, StartError};

use super::listens_nowhere::listens_nowhere;
use crate::{
    quantity::Interval,
    run::{Context, ServerCommand},
};

/// Most copies of a program.
const COPIES_MAX: u32 = 1_000;

/// The arguments of `sinew procmon`.
#[derive(Clone, Debug, PartialEq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProcMon {
    /// The program and its arguments
    #[arg(
        value_name = "PROGRAM",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub(crate) command: Vec<String>,
    /// How many copies of the program run
    #[arg(long, default_value_t = default::copies(), value_name = "N")]
    #[serde(default = "default::copies")]
    pub(crate) copies: u32,
    /// Work in this directory
    #[arg(long, value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
    /// A run of this length is a good one: after it, the waits begin anew
    #[arg(long, default_value_t = default::good_run(), value_name = "DURATION")]
    #[serde(default = "default::good_run")]
    pub(crate) good_run: Interval,
    /// The wait before the first restart; each further one is twice as long
    #[arg(long, default_value_t = default::min_delay(), value_name = "DURATION")]
    #[serde(default = "default::min_delay")]
    pub(crate) min_delay: Interval,
    /// The longest wait
    #[arg(long, default_value_t = default::max_delay(), value_name = "DURATION")]
    #[serde(default = "default::max_delay")]
    pub(crate) max_delay: Interval,
    /// To stop, SIGTERM is sent, and SIGKILL after this time
    #[arg(long, default_value_t = default::kill_time(), value_name = "DURATION")]
    #[serde(default = "default::kill_time")]
    pub(crate) kill_time: Interval,
}

/// The defaults, of the command line and of a file.
mod default {
    use super::Interval;

    pub(super) const fn copies() -> u32 {
        1
    }

    pub(super) const fn good_run() -> Interval {
        Interval::seconds(10)
    }

    pub(super) const fn min_delay() -> Interval {
        Interval::seconds(1)
    }

    pub(super) const fn max_delay() -> Interval {
        Interval::seconds(3600)
    }

    pub(super) const fn kill_time() -> Interval {
        Interval::seconds(5)
    }
}

impl ProcMon {
    fn one(&self) -> ProcessService {
        let (words, directory) = (self.command.clone(), self.directory.clone());
        let make = move || {
            let mut command = Command::new(&words[0]);
            command.args(&words[1..]);
            if let Some(directory) = &directory {
                command.current_dir(directory);
            }
            command
        };
        // Two starts in one turn of the loop are not wanted, whatever is configured.
        let min = self.min_delay.0.max(Duration::from_millis(10));
        ProcessService::new(make)
            .delay(min, self.max_delay.0.max(min))
            .good_run(self.good_run.0)
            .grace(self.kill_time.0)
    }
}

impl ServerCommand for ProcMon {
    fn service(&self, context: &Context) -> Result<Box<dyn Service>, StartError> {
        listens_nowhere(context, "procmon")?;
        if self.command.is_empty() {
            return Err(StartError::other("command is empty: the program and its arguments"));
        }
        if !(1..=COPIES_MAX).contains(&self.copies) {
            return Err(StartError::other(format!("copies has to be between 1 and {COPIES_MAX}")));
        }
        let all = MultiService::new();
        for number in 1..=self.copies {
            all.add(number.to_string(), self.one())?;
        }
        Ok(Box::new(all))
    }

    fn on_all_reactors(&self) -> bool {
        false
    }
}
