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
#[serde(deny_unknown_fields, default)]
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
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) copies: u32,
    /// Work in this directory
    #[arg(long, value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
    /// A run of this length is a good one: after it, the waits begin anew
    #[arg(long, default_value_t = Interval::seconds(10), value_name = "DURATION")]
    pub(crate) good_run: Interval,
    /// The wait before the first restart; each further one is twice as long
    #[arg(long, default_value_t = Interval::seconds(1), value_name = "DURATION")]
    pub(crate) min_delay: Interval,
    /// The longest wait
    #[arg(long, default_value_t = Interval::seconds(3600), value_name = "DURATION")]
    pub(crate) max_delay: Interval,
    /// To stop, SIGTERM is sent, and SIGKILL after this time
    #[arg(long, default_value_t = Interval::seconds(5), value_name = "DURATION")]
    pub(crate) kill_time: Interval,
}

impl Default for ProcMon {
    fn default() -> Self {
        Self {
            command: Vec::new(),
            copies: 1,
            directory: None,
            good_run: Interval::seconds(10),
            min_delay: Interval::seconds(1),
            max_delay: Interval::seconds(3600),
            kill_time: Interval::seconds(5),
        }
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
            return Err(StartError::other("command is missing: the program and its arguments"));
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
