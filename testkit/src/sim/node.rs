//! A host apart from its process: addresses, clock, limits. [`Node`].

use std::{
    collections::VecDeque,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    rc::Rc,
};

use sinew_reactor::WeakReactor;

use super::time::{HostClock, Time};

/// An error of accept(2) that the listener did not cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AcceptFault {
    /// `EMFILE`: the process has reached its descriptor limit.
    ProcessLimit,
    /// `ENFILE`: the system has reached its limit of open files.
    SystemLimit,
    /// `ECONNABORTED`: the peer aborted the connection before it was accepted.
    Aborted,
}

impl AcceptFault {
    pub(super) fn error(self) -> io::Error {
        #[cfg(unix)]
        return match self {
            Self::ProcessLimit => rustix::io::Errno::MFILE.into(),
            Self::SystemLimit => rustix::io::Errno::NFILE.into(),
            Self::Aborted => io::ErrorKind::ConnectionAborted.into(),
        };
        #[cfg(not(unix))]
        match self {
            Self::ProcessLimit | Self::SystemLimit => io::Error::other("too many open files"),
            Self::Aborted => io::ErrorKind::ConnectionAborted.into(),
        }
    }
}

/// The first ephemeral port (RFC 6335).
const EPHEMERAL: u16 = 49_152;

/// A host of the simulation.
pub(super) struct Node {
    pub(super) name: Rc<str>,
    v4: Ipv4Addr,
    v6: Ipv6Addr,
    pub(super) clock: HostClock,
    pub(super) has_power: bool,
    pub(super) is_paused: bool,
    /// The reactor of its current process.
    pub(super) reactor: WeakReactor,
    /// Serial number of its current process.
    pub(super) process: u32,
    /// Whether it is queued to run.
    pub(super) is_ready: bool,
    /// When it is scheduled to wake up.
    pub(super) wake: Option<Time>,
    pub(super) descriptors: usize,
    pub(super) descriptors_max: usize,
    pub(super) accept_faults: VecDeque<AcceptFault>,
    /// Fails every accept while it is set.
    pub(super) accept_fault: Option<AcceptFault>,
    port: u16,
}

impl Node {
    pub(super) fn new(name: &str, v4: Ipv4Addr, v6: Ipv6Addr, now: Time) -> Self {
        Self {
            name: name.into(),
            v4,
            v6,
            clock: HostClock::started(now, 0),
            has_power: true,
            is_paused: false,
            reactor: WeakReactor::default(),
            process: 0,
            is_ready: false,
            wake: None,
            descriptors: 0,
            descriptors_max: usize::MAX,
            accept_faults: VecDeque::new(),
            accept_fault: None,
            port: EPHEMERAL,
        }
    }

    pub(super) const fn v4(&self) -> Ipv4Addr {
        self.v4
    }

    pub(super) const fn v6(&self) -> Ipv6Addr {
        self.v6
    }

    pub(super) fn has(&self, ip: IpAddr) -> bool {
        ip.is_loopback() || ip == IpAddr::V4(self.v4) || ip == IpAddr::V6(self.v6)
    }

    /// The source address for packets to `to`.
    pub(super) const fn source_for(&self, to: IpAddr) -> IpAddr {
        match to {
            to if to.is_loopback() => to,
            IpAddr::V4(_) => IpAddr::V4(self.v4),
            IpAddr::V6(_) => IpAddr::V6(self.v6),
        }
    }

    /// An unused ephemeral port; `is_used` knows the used ones.
    pub(super) fn next_port(&mut self, is_used: impl Fn(u16) -> bool) -> io::Result<u16> {
        for _ in EPHEMERAL..=u16::MAX {
            let port = self.port;
            self.port = port.checked_add(1).unwrap_or(EPHEMERAL);
            if !is_used(port) {
                return Ok(port);
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }
}
