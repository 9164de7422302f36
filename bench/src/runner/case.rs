//! A case: one load for every server, and one table in the report.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::args::Options;
use crate::instrument::Instrument;
use crate::mode::Mode;

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Case {
    pub(crate) mode: Mode,
    /// The counting tool, if nothing is timed.
    pub(crate) instrument: Option<Instrument>,
    pub(crate) connections: usize,
    /// The connections that send.
    pub(crate) active: usize,
    pub(crate) size: usize,
    pub(crate) outstanding: usize,
}

impl Case {
    /// The usual load of a mode with this many connections.
    pub(crate) fn new(mode: Mode, connections: usize, outstanding: usize) -> Self {
        let (size, active) = (mode.size(), connections);
        Self { mode, instrument: None, connections, active, size, outstanding }
    }

    pub(crate) fn counted(self, instrument: Instrument) -> Self {
        Self { instrument: Some(instrument), ..self }
    }

    /// A description of the load.
    pub(crate) fn load(&self) -> String {
        let Self { connections, active, size, outstanding, .. } = self;
        let each = match connections {
            1 => "1 connection".to_owned(),
            _ => format!("{connections} connections"),
        };
        match self.mode {
            Mode::Echo | Mode::Bulk | Mode::WsEcho => {
                format!("{each} x {size} bytes, {outstanding} outstanding")
            }
            Mode::Line => format!("{each}, lines of {size} bytes, {outstanding} outstanding"),
            Mode::Fanout | Mode::WsBroadcast => format!("{size} bytes from one to {connections}"),
            Mode::Churn => format!("{connections} at a time, connect, echo {size} bytes, close"),
            Mode::Storm => format!("{each} at once, {size} bytes echoed on each"),
            Mode::Idle | Mode::WsIdle => format!("{each}, each echoed {size} bytes once"),
            Mode::Scale => format!("{each} with idle timeouts, {active} of them active"),
            Mode::Spin => format!("{each} x {size} bytes, request after reply"),
            Mode::Timers => format!("{connections} made, reset, cancelled; as many due"),
            Mode::Http => format!("{each}, {outstanding} requests outstanding, {size} bytes"),
            Mode::HttpFile => {
                format!("{each}, {outstanding} requests outstanding, a file of 1 MiB")
            }
            Mode::HttpIdle => format!("{each}, each answered once"),
            Mode::HttpsIdle => format!("{each} of TLS, each answered once"),
            Mode::Dns => {
                format!("{connections} sockets, {outstanding} queries outstanding on each")
            }
            Mode::Smtp => format!("{each}, a message of {size} bytes after the other"),
            Mode::Pop3 => format!("{each}, {outstanding} of RETR outstanding, {size} bytes"),
            Mode::Imap => format!("{each}, FETCH of {outstanding} at once, {size} bytes each"),
            Mode::ImapIdle => format!("{each} in IDLE"),
            Mode::Irc => format!("a text of {size} bytes from one to {connections} in a channel"),
            Mode::IrcIdle => format!("{each} in one channel"),
        }
    }

    /// Every combination of the options, with at most `allowed` connections each.
    pub(crate) fn matrix(mode: Mode, options: &Options, allowed: usize) -> Vec<Self> {
        let allowed = if mode == Mode::Timers { usize::MAX } else { allowed };
        let connections = options.connections.clone().unwrap_or_else(|| mode.connections(allowed));
        let sizes = options.size.clone().unwrap_or_else(|| vec![mode.size()]);
        let depths = options.outstanding.clone().unwrap_or_else(|| mode.outstanding());
        let mut cases = Vec::new();
        for wanted in connections.into_iter().map(|wanted| wanted.max(1)) {
            if wanted > allowed {
                eprintln!("the descriptor limit allows {allowed} connections, not {wanted}");
            }
            for &size in &sizes {
                cases.extend(depths.iter().map(|&outstanding| Self {
                    instrument: options.instrument(),
                    size,
                    ..Self::new(mode, wanted.min(allowed), outstanding)
                }));
            }
        }
        if mode == Mode::Scale {
            Self::share_active(&mut cases);
        }
        cases
    }

    /// One in a hundred of the largest number of connections is active, the same number in every case, so that only the
    /// number of idle ones differs.
    pub(crate) fn share_active(cases: &mut [Self]) {
        let most = cases.iter().map(|case| case.connections).max().unwrap_or(0);
        for case in cases {
            case.active = (most / 100).clamp(1, case.connections);
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.mode.name(), self.load())?;
        match self.instrument {
            Some(Instrument::Strace) => write!(f, "; system calls"),
            Some(Instrument::Callgrind) => write!(f, "; instructions"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_active_connections_is_constant() {
        let mut cases = [1_000, 19_900, 50].map(|count| Case::new(Mode::Scale, count, 1));
        Case::share_active(&mut cases);
        assert_eq!(cases.map(|case| case.active), [199, 199, 50]);
    }
}
