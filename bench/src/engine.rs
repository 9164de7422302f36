//! The options of all servers made with sinew.

use std::io;
use std::time::Duration;

use clap::Args;
use sinew::prelude::*;
use sinew::reactor::Builder;

use crate::convention::unavailable;

/// The reactor of a server.
#[derive(Clone, Debug, Args)]
pub struct EngineArgs {
    /// What the reactor waits on
    #[arg(long, value_name = "NAME", default_value = "mio")]
    engine: String,

    /// Busy-poll for this many microseconds before sleeping
    #[arg(long, value_name = "US", default_value_t = 0)]
    spin: u64,
}

impl EngineArgs {
    /// Builds the requested reactor. If that engine is not available, the process ends
    /// as [`unavailable`].
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn reactor(&self) -> io::Result<Reactor> {
        let engine = self.engine();
        let reactor = match self.builder().build() {
            Err(error) if error.source.kind() == io::ErrorKind::Unsupported => unavailable(error),
            built => built?,
        };
        if reactor.engine() != engine {
            unavailable(format_args!("{engine} fell back to {}", reactor.engine()));
        }
        Ok(reactor)
    }

    /// The settings of the requested reactor, for servers that run several.
    pub fn builder(&self) -> Builder {
        Reactor::builder().engine(self.engine()).spin(Duration::from_micros(self.spin))
    }

    fn engine(&self) -> Engine {
        match self.engine.parse::<Engine>() {
            Ok(engine) => engine,
            Err(unknown) => unavailable(unknown),
        }
    }
}
