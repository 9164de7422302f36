//! `sinew upgrade --pidfile FILE`: has a running server replaced by the program that its path leads to now.

use std::{path::PathBuf, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use sinew::reactor::{Excerpt, Reactor};

use crate::{
    exit::{Code, Failure},
    process::running_pid,
    quantity::Interval,
    run::Tool,
};

/// How often the pid file is read.
const INTERVAL: Duration = Duration::from_millis(20);

/// Which server.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Upgrade {
    /// The pid file of the server
    #[arg(long, value_name = "FILE")]
    pidfile: PathBuf,
    /// How long the new process may take to serve
    #[arg(long, default_value_t = Interval::seconds(40), value_name = "DURATION")]
    timeout: Interval,
}

impl Tool for Upgrade {
    fn run(&self) -> Result<(), Failure> {
        let before = running_pid(&self.pidfile)?;
        kill(Pid::from_raw(before), Signal::SIGUSR2).map_err(|error| {
            Failure::io(Code::Unavailable, format!("cannot signal process {before}"), &error.into())
        })?;
        let system = |error: &dyn std::fmt::Display| Failure::new(Code::System, error.to_string());
        let reactor = Reactor::new().map_err(|error| system(&error))?;
        let (this, handle) = (self.clone(), reactor.clone());
        let after = reactor.run_until(async move { this.await_another(&handle, before).await });
        let after = after.map_err(|error| system(&error))??;
        println!("process {before} was replaced by process {after}");
        Ok(())
    }
}

impl Upgrade {
    /// Waits until the pid file has another number.
    async fn await_another(&self, reactor: &Reactor, before: i32) -> Result<i32, Failure> {
        let end = reactor.now() + self.timeout.0;
        loop {
            reactor.sleep(INTERVAL).await;
            match running_pid(&self.pidfile)? {
                pid if pid != before => return Ok(pid),
                _ if reactor.now() < end => {}
                _ => {
                    let (file, timeout) = (Excerpt::path(&self.pidfile), self.timeout);
                    let text = format!(
                        "process {before} was not replaced within {timeout}, says the pid file {file}; its log says why"
                    );
                    return Err(Failure::new(Code::Unavailable, text));
                }
            }
        }
    }
}
