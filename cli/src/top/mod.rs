//! `sinew top`: the state of a program, live, in a terminal. `model.rs`, `columns.rs` and `keys.rs` are what it knows and
//! does, without a terminal; `view.rs` draws that; `fetch.rs` asks the program, on a thread of its own; `terminal.rs` is the
//! loop.
//!
//! ```text
//! thread of the input ── key ───────┐
//! thread of the signals ─ signal ───┼─> terminal.rs: model.rs changes, view.rs draws
//! thread of fetch.rs ─── snapshot ──┘        │
//!        └──────────── order (an action) <───┘
//! ```

mod columns;
mod fetch;
mod happened;
mod keys;
mod model;
mod terminal;
mod view;

use std::{io::IsTerminal, time::Duration};

use sinew::transports::endpoint::ClientEndpoint;

use crate::{
    exit::{Code, Failure},
    look::endpoint,
    quantity::Interval,
    run::Tool,
};

/// What to show.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Top {
    /// Where the program serves its status (its option --status): unix:/run/x.sock
    #[arg(long, value_name = "ENDPOINT", value_parser = endpoint)]
    at: ClientEndpoint,
    /// How often to ask
    #[arg(long, value_name = "TIME", default_value = "1s")]
    interval: Interval,
    /// How many connections to ask for; the rest are counted, and not listed
    #[arg(long, value_name = "MAX", default_value_t = 5_000)]
    connections: usize,
}

/// Asking more often would show more of the asking than of the program.
const INTERVAL_MIN: Duration = Duration::from_millis(100);

impl Tool for Top {
    fn run(&self) -> Result<(), Failure> {
        if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
            let text = "top needs a terminal; `sinew status` prints the same once";
            return Err(Failure::new(Code::Usage, text));
        }
        terminal::run(&self.at, self.interval.0.max(INTERVAL_MIN), self.connections.max(1))
    }
}
