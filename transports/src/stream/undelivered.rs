//! A reset that takes nothing away. One drops what is on its way, so it waits until the other end's system has all that was sent,
//! as long as this one tells and there is progress.

use std::time::Duration;

use sinew_reactor::Reactor;

use crate::{ConnectionLost, Transport};

#[cfg(any(target_os = "linux", target_os = "android"))]
mod sys;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) use sys::in_socket;

/// Elsewhere nobody can be asked.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) const fn in_socket(_: &super::socket::TcpStream) -> usize {
    0
}

/// No engine tells when all has arrived. Between two hosts it takes about as long as the way there and back.
const ASK_EVERY: Duration = Duration::from_millis(10);

impl Transport {
    /// All is sent: ends the connection with a reset now, or as soon as all has arrived. `linger_timeout` bounds a standstill.
    pub(super) fn reset_when_delivered(&self, reactor: &Reactor) {
        let stream = self.inner();
        let undelivered = stream.with_socket(|socket| socket.undelivered());
        if undelivered == 0 {
            return self.lose(reactor, ConnectionLost::Aborted);
        }
        let before = stream.cold().undelivered.replace(undelivered);
        self.watch_linger(reactor, undelivered < before);
        self.look_after(reactor, ASK_EVERY);
    }
}
