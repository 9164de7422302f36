//! The figures of a case: the columns of its table, the compared figure and the headline.

use crate::case::Case;
use crate::figure::{
    ANONYMOUS, BUSY, CANCEL, CONNECTIONS, CPU, CPU_PER_MB, ELAPSED, EMPTY, END, FAILURES, FIRE,
    FORCED, Figure, INSTRUCTIONS, MAKE, MB_RATE, P50, P99, P999, RATE, RESET, RESIDENT, SLEEPS,
    SYSTEM_CALLS, plain, spread,
};
use crate::instrument::Instrument;
use crate::mode::Mode;

const MESSAGES: &[Figure] = &[
    plain(RATE, "messages/s", 0),
    plain(P50, "p50 µs", 0),
    plain(P99, "p99 µs", 0),
    spread(CPU, "CPU µs/message", 3),
    plain(BUSY, "busy %", 0),
    plain(SLEEPS, "sleeps/1000", 1),
    plain(FORCED, "forced off", 0),
];

const BULK: &[Figure] = &[
    plain(MB_RATE, "MB/s", 0),
    spread(CPU_PER_MB, "CPU µs/MB", 1),
    plain(BUSY, "busy %", 0),
    plain(FORCED, "forced off", 0),
];

const SPIN: &[Figure] = &[
    spread(RATE, "messages/s", 0),
    spread(P50, "p50 µs", 1),
    plain(P99, "p99 µs", 1),
    spread(CPU, "CPU µs/message", 2),
    plain(BUSY, "busy %", 0),
];

const STORM: &[Figure] = &[
    spread(ELAPSED, "all answered, ms", 0),
    plain(FAILURES, "failed", 0),
    plain(P50, "p50 µs", 0),
    plain(P99, "p99 µs", 0),
    spread(CPU, "CPU µs/connection", 2),
];

const IDLE: &[Figure] = &[
    plain(CONNECTIONS, "connections", 0),
    spread(RESIDENT, "resident bytes/connection", 0),
    spread(ANONYMOUS, "of these anonymous", 0),
    plain(EMPTY, "empty server KiB", 0),
];

const SCALE: &[Figure] = &[
    plain(P50, "p50 µs", 0),
    plain(P99, "p99 µs", 0),
    plain(P999, "p99.9 µs", 0),
    spread(CPU, "CPU µs/message", 3),
    plain(RESIDENT, "resident bytes/connection", 0),
    plain(END, "all ended, ms", 0),
];

const TIMERS: &[Figure] = &[
    spread(MAKE, "make ns", 0),
    spread(RESET, "reset ns", 0),
    spread(CANCEL, "cancel ns", 0),
    spread(FIRE, "make and fire ns", 0),
];

/// The columns of a case.
pub(crate) fn of(case: &Case) -> &'static [Figure] {
    match (case.instrument, case.mode) {
        (Some(Instrument::Strace), _) => {
            const { &[plain(SYSTEM_CALLS, "system calls/message", 3)] }
        }
        (Some(Instrument::Callgrind), _) => {
            const { &[plain(INSTRUCTIONS, "instructions/message", 1)] }
        }
        (None, mode) if mode.is_idle() => IDLE,
        (None, Mode::Bulk | Mode::HttpFile) => BULK,
        (None, Mode::Spin) => SPIN,
        (None, Mode::Storm) => STORM,
        (None, Mode::Scale) => SCALE,
        (None, Mode::Timers) => TIMERS,
        (None, _) => MESSAGES,
    }
}

/// The figure whose ratio to the baseline is shown, and its label.
pub(crate) fn compared(case: &Case) -> Option<(&'static str, &'static str)> {
    match (case.instrument, case.mode) {
        (Some(Instrument::Callgrind), _) => Some((INSTRUCTIONS, "instructions")),
        (Some(Instrument::Strace), _) => None,
        (None, mode) if mode.is_idle() => None,
        (None, Mode::Bulk | Mode::HttpFile) => Some((CPU_PER_MB, "CPU")),
        (None, Mode::Timers) => Some((FIRE, "make and fire")),
        (None, _) => Some((CPU, "CPU")),
    }
}

/// The figure that is printed as soon as a server has run.
pub(crate) fn headline(case: &Case) -> &'static Figure {
    let columns = of(case);
    let name = match case.mode {
        mode if mode.is_idle() => Some(RESIDENT),
        _ => compared(case).map(|(name, _)| name),
    };
    columns.iter().find(|figure| Some(figure.name) == name).unwrap_or(&columns[0])
}
