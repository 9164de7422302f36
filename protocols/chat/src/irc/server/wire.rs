//! Where the lines for a client go: [`Wire`], a connection of any kind.

use std::time::Duration;

use bytes::Bytes;
use sinew_auth::Channel;
use sinew_transports::{Producer, TimerId, Transport, reactor::Reactor};

/// The output of one connection, and its timers. None of its methods calls back.
pub(super) trait Wire {
    /// Sends a line, which ends in CRLF.
    fn send(&self, line: &Bytes);
    /// Sends many lines, made as there is room for them.
    fn stream(&self, producer: Box<dyn LineProducer>);
    /// Bytes that wait to be sent.
    fn queued(&self) -> usize;
    /// Closes when all is sent.
    fn close(&self);
    /// Drops what is not sent.
    fn abort(&self);
    fn pause(&self);
    fn resume(&self);
    fn is_reading(&self) -> bool;
    /// `None` once it has been dropped.
    fn reactor(&self) -> Option<Reactor>;
    /// A timer of the session; `None` after the end.
    fn call_later(&self, after: Duration) -> Option<TimerId>;
    fn cancel_timer(&self, timer: TimerId);
    /// What a login over it may use.
    fn channel(&self) -> Channel;
}

/// Makes lines, until there are no more.
pub(super) trait LineProducer {
    fn next_line(&mut self) -> Option<Bytes>;
}

impl Wire for Transport {
    fn send(&self, line: &Bytes) {
        self.write(line);
    }

    fn stream(&self, producer: Box<dyn LineProducer>) {
        Self::stream(self, Lines(producer));
    }

    fn queued(&self) -> usize {
        Self::queued(self)
    }

    fn close(&self) {
        self.lose_connection();
    }

    fn abort(&self) {
        Self::abort(self);
    }

    fn pause(&self) {
        self.pause_reading();
    }

    fn resume(&self) {
        self.resume_reading();
    }

    fn is_reading(&self) -> bool {
        Self::is_reading(self)
    }

    fn reactor(&self) -> Option<Reactor> {
        Self::reactor(self)
    }

    fn call_later(&self, after: Duration) -> Option<TimerId> {
        Self::call_later(self, after)
    }

    fn cancel_timer(&self, timer: TimerId) {
        Self::cancel_timer(self, timer);
    }

    fn channel(&self) -> Channel {
        Channel::of(self).service("irc")
    }
}

struct Lines(Box<dyn LineProducer>);

/// Lines that are made at once.
const LINES: usize = 32;

impl Producer for Lines {
    fn produce(&mut self, transport: &Transport) -> sinew_transports::Production {
        for _ in 0..LINES {
            match self.0.next_line() {
                Some(line) => transport.write(line),
                None => return sinew_transports::Production::Done,
            };
        }
        sinew_transports::Production::More
    }
}
