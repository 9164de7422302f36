//! Idle connections: what the server's memory grows by for each.

use anyhow::{Context, Result};

use crate::Setup;
use crate::case::Case;
use crate::contestant::Contestant;
use crate::cpu::Usage;
use crate::load::Window;
use crate::memory::Resident;
use crate::report::{self, Table};
use crate::server::{Server, Wrapper};

/// A fresh server without connections and with them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Growth {
    pub(crate) connections: usize,
    pub(crate) before: Resident,
    pub(crate) after: Resident,
}

impl Growth {
    /// Bytes of resident memory for each connection.
    pub(crate) fn total_per_connection(&self) -> f64 {
        self.per_connection(self.before.total, self.after.total)
    }

    /// The same without the pages of the program and its libraries.
    pub(crate) fn anonymous_per_connection(&self) -> f64 {
        self.per_connection(self.before.anonymous, self.after.anonymous)
    }

    fn per_connection(&self, before: u64, after: u64) -> f64 {
        (after as f64 - before as f64) / self.connections as f64
    }
}

/// One case. A contestant with a limit is asked for no more than that.
pub(crate) fn run(setup: &Setup, case: &Case) -> Result<Table> {
    let field = setup.contestants.all.iter().collect::<Vec<_>>();
    let growths = setup.interleave(
        &field,
        |contestant| {
            let connections = case.connections.min(contestant.connections_max);
            measure(setup, &Case { connections, ..*case }, contestant)
                .with_context(|| contestant.name.clone())
        },
        |growth| {
            let (each, connections) = (growth.total_per_connection(), growth.connections);
            format!("{each:.0} bytes for each of {connections} connections")
        },
    )?;
    Ok(report::idle_table(&field, &growths))
}

fn measure(setup: &Setup, case: &Case, contestant: &Contestant) -> Result<Growth> {
    let server = Server::start(contestant, &Wrapper::default(), setup.places.server)?;
    Usage::at_rest(server.pid)?;
    let before = Resident::of(server.pid)?;
    let load = setup.load.open(server.address, case, Window::Counted(0), setup.places.load)?;
    Usage::at_rest(server.pid)?;
    let after = Resident::of(server.pid)?;
    drop(load);
    server.stop()?;
    Ok(Growth { connections: case.connections, before, after })
}
