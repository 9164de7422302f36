//! An upgrade: the next process, started with the command line of this one, takes the sockets over. What the two processes say to each other is
//! the business of `sinew::application::handover`.
//!
//! The locked pid file goes along as standard input: both processes hold its lock, and the new one writes its id when it serves.

use std::{
    env,
    ffi::OsString,
    path::PathBuf,
    process::{Command, Stdio},
    sync::mpsc::Sender,
};

use sinew::{
    application::handover::Handover,
    transports::reactors::{ReactorsHandle, Shard},
};

use super::{Source, order::Order};
use crate::{
    exit::{Code, Failure},
    process::PidFile,
};

/// How this program is started again.
#[derive(Clone, Debug)]
pub(super) struct NextVersion {
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl NextVersion {
    /// Found at the start: later the file may have been replaced, which `/proc/self/exe` does not follow, and the working directory may be
    /// another.
    pub(super) fn find(source: &Source) -> Result<Self, Failure> {
        let failed =
            |error| Failure::io(Code::System, "cannot find the path of this program", &error);
        let mut arguments = env::args_os();
        let name = arguments.next().map(PathBuf::from).unwrap_or_default();
        let program = match name.components().count() {
            // A name that the shell has found.
            0 | 1 => env::current_exe().map_err(failed)?,
            _ => std::path::absolute(name).map_err(failed)?,
        };
        let arguments = match source {
            Source::File(path) => vec!["run".into(), path.into()],
            Source::Command { .. } => arguments.collect(),
        };
        Ok(Self { program, arguments })
    }

    fn command(&self, pid_file: Option<&PidFile>) -> Result<Command, Failure> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        // It says which process the watchdog means; this one hands that over.
        command.env_remove("WATCHDOG_PID");
        command.stdin(match pid_file {
            Some(file) => {
                let file = file.to_pass_on().map_err(|error| {
                    Failure::io(Code::System, "cannot pass the pid file on", &error)
                })?;
                Stdio::from(file)
            }
            None => Stdio::null(),
        });
        Ok(command)
    }
}

/// Starts the next version. The result becomes an order.
pub(super) fn begin(
    reactors: &ReactorsHandle,
    handover: &Handover,
    next: &NextVersion,
    pid_file: Option<&PidFile>,
    orders: Sender<Order>,
) -> Result<(), Failure> {
    let (command, handover) = (next.command(pid_file)?, handover.clone());
    let upgrade = move |shard: &Shard| {
        handover.upgrade(shard.reactor(), command).then(move |_, upgraded| {
            let upgraded = upgraded.map(|upgraded| upgraded.pid);
            let failed = |error: sinew::application::handover::UpgradeError| {
                Failure::new(Code::Unavailable, error.to_string())
            };
            let _ = orders.send(Order::Upgraded(upgraded.map_err(failed)));
        });
    };
    reactors.call(0, upgrade).map_err(|error| Failure::new(Code::Software, error.to_string()))
}
