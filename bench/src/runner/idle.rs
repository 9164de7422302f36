//! Idle connections: the growth of the server's memory for each.

use anyhow::Result;

use crate::case::Case;
use crate::contestant::Contestant;
use crate::cpu::Usage;
use crate::field::Setup;
use crate::figure::{ANONYMOUS, CONNECTIONS, EMPTY, RESIDENT};
use crate::load::Window;
use crate::memory::Resident;
use crate::results::Sample;
use crate::server::Server;
use crate::tool::Wrapper;

/// Measures a fresh server without connections and with them.
pub(crate) fn measure(setup: &Setup, case: &Case, contestant: &Contestant) -> Result<Sample> {
    let server = Server::start(contestant, &Wrapper::default(), setup.places.server)?;
    Usage::at_rest(server.pid)?;
    let before = Resident::of(server.pid)?;
    let load = setup.load.open(server.address, case, Window::Counted(0), setup.places.load)?;
    Usage::at_rest(server.pid)?;
    let after = Resident::of(server.pid)?;
    drop(load);
    server.stop()?;
    Ok(growth(case, before, after))
}

/// The memory for each connection, and of the server without any.
pub(crate) fn growth(case: &Case, before: Resident, after: Resident) -> Sample {
    let connections = case.connections as f64;
    let each = |before: u64, after: u64| (after as f64 - before as f64) / connections;
    Sample::of([
        (CONNECTIONS, connections),
        (RESIDENT, each(before.total, after.total)),
        (ANONYMOUS, each(before.anonymous, after.anonymous)),
        (EMPTY, before.total as f64 / 1024.0),
    ])
}
