//! How the loop hears that a child has exited: [`Watch`]. Where the system has descriptors for processes (Linux 5.3 and later), one
//! of those; else, by SIGCHLD, upon which each child is asked for.

#[cfg(target_os = "linux")]
use std::os::fd::AsFd;
use std::{os::fd::OwnedFd, process::ExitStatus};

use rustix::process::Pid;
#[cfg(target_os = "linux")]
use sinew_reactor::process;
use sinew_reactor::{Interest, Reactor, RegisterError, Signal, SignalWatch, Token};

/// What is to be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exits {
    ByDescriptor,
    /// Also where there are descriptors for processes.
    #[cfg(test)]
    BySignal,
}

/// A child that is watched for its exit, and the token of who hears of it.
pub(super) struct Watch {
    pub(super) token: Token,
    pub(super) by: WatchedBy,
}

pub(super) enum WatchedBy {
    /// It becomes readable.
    Descriptor(
        #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "there are none"))] OwnedFd,
    ),
    /// The handler is run again with each SIGCHLD.
    Signal(#[allow(dead_code, reason = "dropping it ends the watch")] SignalWatch),
}

impl WatchedBy {
    /// What became of a child that could not be waited for, if the system still knows.
    #[cfg(target_os = "linux")]
    pub(super) fn exit_status(&self) -> Option<ExitStatus> {
        match self {
            Self::Descriptor(pidfd) => process::exit_status(pidfd.as_fd()),
            Self::Signal(_) => None,
        }
    }

    /// What became of a child that could not be waited for: no other system knows.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn exit_status(&self) -> Option<ExitStatus> {
        None
    }
}

impl Watch {
    /// Watches a child that nobody reaps meanwhile. If this fails, nothing is left.
    pub(super) fn open(reactor: &Reactor, pid: Pid, exits: Exits) -> Result<Self, RegisterError> {
        if let Some(mut descriptor) = descriptor_of(pid, exits) {
            let token = reactor.register_source(&mut descriptor, Interest::READ)?;
            return Ok(Self { token, by: WatchedBy::Descriptor(descriptor) });
        }
        let token = reactor.reserve()?;
        match reactor.wake_on_signal(Signal::CHLD, token) {
            Ok(watch) => Ok(Self { token, by: WatchedBy::Signal(watch) }),
            Err(error) => {
                reactor.deregister(token, false);
                Err(error.into())
            }
        }
    }
}

#[cfg(target_os = "linux")]
fn descriptor_of(pid: Pid, exits: Exits) -> Option<OwnedFd> {
    if exits != Exits::ByDescriptor {
        return None;
    }
    let descriptor = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty());
    // An old kernel, a sandbox, or no descriptor left.
    descriptor.inspect_err(|error| tracing::debug!(%error, "no pidfd; waiting for SIGCHLD")).ok()
}

#[cfg(not(target_os = "linux"))]
fn descriptor_of(_: Pid, _: Exits) -> Option<OwnedFd> {
    None
}
