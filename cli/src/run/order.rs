//! What the main thread is to do while servers run ([`Order`]), and how that ended ([`Ending`]). Data only.

use sinew::reactor::Signal;

use crate::exit::Failure;

/// What the main thread is to do.
#[derive(Debug)]
pub(super) enum Order {
    Reload,
    /// Nothing is waited for any more.
    Ready,
    Rotate,
    Upgrade,
    /// The process id of the next version.
    Upgraded(Result<u32, Failure>),
    Stopping(Signal),
    Ended(Result<(), Failure>),
}

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// By itself.
    Done,
    /// By this signal, after a clean stop.
    Signal(i32),
}

impl Ending {
    pub(super) fn by(signal: Option<Signal>) -> Self {
        signal.map_or(Self::Done, |signal| Self::Signal(signal.as_raw()))
    }
}
