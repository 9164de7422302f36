//! Many connections of which few are active: the cost of the idle ones, and the time to end all of them.

use std::time::Instant;

use anyhow::{Result, ensure};

use crate::case::Case;
use crate::contestant::Contestant;
use crate::cpu::Usage;
use crate::field::Setup;
use crate::figure::END;
use crate::idle;
use crate::load::Window;
use crate::memory::Resident;
use crate::results::Sample;
use crate::server::Server;
use crate::timed;
use crate::tool::Wrapper;

/// Measures a fresh server that is filled, used by a few, and stopped while all are still connected.
pub(crate) fn measure(
    setup: &Setup,
    case: &Case,
    contestant: &Contestant,
    seconds: f64,
) -> Result<Sample> {
    let server = Server::start(contestant, &Wrapper::default(), setup.places.server)?;
    let window = Window::Timed { seconds };
    Usage::at_rest(server.pid)?;
    let empty = Resident::of(server.pid)?;
    let mut load = setup.load.open(server.address, case, window, setup.places.load)?;
    let before = Usage::at_rest(server.pid)?;
    let full = Resident::of(server.pid)?;
    let outcome = load.run()?;
    let usage = Usage::at_rest(server.pid)? - before;
    ensure!(outcome.messages > 0, "nothing was sent: increase --seconds");
    let stopped_at = Instant::now();
    server.stop()?;
    let end_ms = stopped_at.elapsed().as_secs_f64() * 1e3;
    load.wait()?;
    let mut sample = timed::sample(case, &outcome, usage).with([(END, end_ms)]);
    sample.figures.extend(idle::growth(case, empty, full).figures);
    Ok(sample)
}
