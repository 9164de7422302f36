//! The options that all contestants made with sinew have.

use std::io;
use std::time::Duration;

use clap::Args;
use sinew::prelude::*;

use crate::convention::unavailable;

/// What the reactor of a contestant is made of.
#[derive(Clone, Debug, Args)]
pub struct EngineArgs {
    /// What the reactor waits on
    #[arg(long, value_name = "NAME", default_value = "mio")]
    engine: String,

    /// Poll for so many microseconds before sleeping
    #[arg(long, value_name = "US", default_value_t = 0)]
    spin: u64,
}

impl EngineArgs {
    /// The reactor that was asked for. Where there is none, or only another in its place, the process ends
    /// as [`unavailable`].
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn reactor(&self) -> io::Result<Reactor> {
        let engine = match self.engine.parse::<Engine>() {
            Ok(engine) => engine,
            Err(unknown) => unavailable(unknown),
        };
        let spin = Duration::from_micros(self.spin);
        let reactor = match Reactor::builder().engine(engine).spin(spin).build() {
            Err(error) if error.source.kind() == io::ErrorKind::Unsupported => unavailable(error),
            built => built?,
        };
        if reactor.engine() != engine {
            unavailable(format_args!("{engine} fell back to {}", reactor.engine()));
        }
        Ok(reactor)
    }
}
