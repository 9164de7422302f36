//! A reset that loses no sent data. A reset discards data in flight, so it waits until the peer's kernel has acknowledged
//! everything, as long as this kernel can tell and there is progress.

use std::time::Duration;

use sinew_reactor::Reactor;

use crate::{ConnectionLost, Transport};

/// No engine reports an acknowledgement, so a timer checks. Between two hosts it takes about one round-trip time.
const DELIVERY_CHECK_INTERVAL: Duration = Duration::from_millis(10);

impl Transport {
    /// All is sent: resets the connection now, or once all has been acknowledged. `linger_timeout` bounds the time without
    /// progress.
    pub(super) fn reset_when_delivered(&self, reactor: &Reactor) {
        let stream = self.inner();
        let undelivered = stream.with_socket(|socket| socket.undelivered());
        if undelivered == 0 {
            return self.lose(reactor, ConnectionLost::Aborted);
        }
        let before = stream.cold().undelivered.replace(undelivered);
        self.watch_linger(reactor, undelivered < before);
        self.schedule_check(reactor, DELIVERY_CHECK_INTERVAL);
    }
}
