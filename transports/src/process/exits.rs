//! How the loop hears that a child has exited: [`Watch`]. Where the system has descriptors for processes (Linux 5.3 and later), one
//! of those; else, by SIGCHLD, upon which each child is asked for.

use std::os::fd::OwnedFd;

use rustix::process::Pid;
use sinew_reactor::{Reactor, RegisterError, Signal, Token};

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
    /// The descriptor that becomes readable. Without one, the handler is run again with each SIGCHLD.
    pub(super) descriptor: Option<OwnedFd>,
}

impl Watch {
    /// Watches a child that nobody reaps meanwhile. If this fails, nothing is left.
    pub(super) fn open(reactor: &Reactor, pid: Pid, exits: Exits) -> Result<Self, RegisterError> {
        if let Some(mut descriptor) = descriptor_of(pid, exits) {
            let token = reactor.register_source(&mut descriptor, sinew_reactor::Interest::READ)?;
            return Ok(Self { token, descriptor: Some(descriptor) });
        }
        let token = reactor.reserve()?;
        if let Err(error) = reactor.wake_on_signal(Signal::CHLD, token) {
            reactor.deregister(token, false);
            return Err(error.into());
        }
        Ok(Self { token, descriptor: None })
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
