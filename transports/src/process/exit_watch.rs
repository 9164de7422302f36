//! Detects the exit of a child: [`Watch`]. By a pidfd where the system has them (Linux 5.3 and later), else by SIGCHLD, on
//! which each child is checked.

#[cfg(target_os = "linux")]
use std::os::fd::AsFd;
use std::{os::fd::OwnedFd, process::ExitStatus};

use rustix::process::Pid;
#[cfg(target_os = "linux")]
use sinew_reactor::process;
use sinew_reactor::{Interest, Reactor, RegisterError, Signal, SignalWatch, Token};

/// How exits are detected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExitDetection {
    Pidfd,
    /// Even where pidfds are available.
    #[cfg(test)]
    Sigchld,
}

/// A watched child, and the token of the handler that is called on its exit.
pub(super) struct Watch {
    pub(super) token: Token,
    pub(super) by: ExitSource,
}

pub(super) enum ExitSource {
    /// A pidfd, which becomes readable.
    Descriptor(
        #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "there are none"))] OwnedFd,
    ),
    /// The handler is rescheduled on each SIGCHLD.
    Signal(#[allow(dead_code, reason = "dropping it ends the watch")] SignalWatch),
}

impl ExitSource {
    /// Exit status of a child that could not be waited for, if the system still has it.
    #[cfg(target_os = "linux")]
    pub(super) fn exit_status(&self) -> Option<ExitStatus> {
        match self {
            Self::Descriptor(pidfd) => process::exit_status(pidfd.as_fd()),
            Self::Signal(_) => None,
        }
    }

    /// Exit status of a child that could not be waited for: not available on this system.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn exit_status(&self) -> Option<ExitStatus> {
        None
    }
}

impl Watch {
    /// Watches a child that must not be reaped meanwhile. On failure nothing stays registered.
    pub(super) fn open(
        reactor: &Reactor,
        pid: Pid,
        exits: ExitDetection,
    ) -> Result<Self, RegisterError> {
        if let Some(mut descriptor) = open_pidfd(pid, exits) {
            let token = reactor.register_source(&mut descriptor, Interest::READ)?;
            return Ok(Self { token, by: ExitSource::Descriptor(descriptor) });
        }
        let token = reactor.reserve()?;
        match reactor.wake_on_signal(Signal::CHLD, token) {
            Ok(watch) => Ok(Self { token, by: ExitSource::Signal(watch) }),
            Err(error) => {
                reactor.deregister(token, false);
                Err(error.into())
            }
        }
    }
}

#[cfg(target_os = "linux")]
fn open_pidfd(pid: Pid, exits: ExitDetection) -> Option<OwnedFd> {
    if exits != ExitDetection::Pidfd {
        return None;
    }
    let descriptor = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty());
    // An old kernel, a sandbox, or no descriptors left.
    descriptor.inspect_err(|error| tracing::debug!(%error, "no pidfd; waiting for SIGCHLD")).ok()
}

#[cfg(not(target_os = "linux"))]
fn open_pidfd(_: Pid, _: ExitDetection) -> Option<OwnedFd> {
    None
}
