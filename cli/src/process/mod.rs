//! What a server does with its process before and after it serves: the pid file, the way into the background, the identity. Nothing here knows services or reactors.

mod environment;
mod foreground;
mod identity;
mod pid_file;
mod sys;

pub(crate) use {
    environment::enter,
    foreground::Foreground,
    identity::Identity,
    pid_file::{PidFile, running_pid},
    sys::end_by_signal,
};
