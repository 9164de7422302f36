//! The input of a stream for which the engine receives, one round of it: what has come is taken from there.

use std::io;

use sinew_reactor::{Completed, Reactor};

use super::{
    Stream,
    input::count,
    link::Link,
    state::{Input, State},
};
use crate::Transport;

impl Transport {
    /// At most one thing of what the engine has received.
    #[inline]
    pub(super) fn take_completed(&self, reactor: &Reactor, input: Input) {
        let stream = self.inner();
        let taken = reactor.take_completed(stream.token);
        // By reference: it is not moved once more on the path of every message.
        if let Some(Completed::Received { bytes, more }) = &taken {
            count(reactor, bytes.len());
            if stream.may_be_wrapped() {
                stream.tell_socket(Ok(bytes));
            }
            if !more {
                stream.update(State::read_was_short);
            }
            match stream.is_relayed() {
                false => self.received(reactor, input, bytes),
                true => self.arrived(reactor, input, bytes),
            }
        } else {
            self.take_end(reactor, taken);
        }
    }

    #[inline(never)]
    fn take_end(&self, reactor: &Reactor, taken: Option<Completed>) {
        let stream = self.inner();
        match taken {
            Some(Completed::End) => {
                stream.tell_socket(Ok(&[]));
                self.input_ended(reactor);
            }
            Some(Completed::Failed(error)) => {
                stream.tell_socket(Err(&error));
                self.input_failed(reactor, error);
            }
            _ => stream.update(State::read_blocked),
        }
    }
}

impl Stream {
    /// Whether anything can have been put around the socket: around a plain one, that is with what few connections have.
    fn may_be_wrapped(&self) -> bool {
        !matches!(self.link, Link::Tcp4(_)) || self.rare_if_any().is_some()
    }

    /// What stands around the socket hears of what would have been read through it otherwise.
    #[inline(never)]
    fn tell_socket(&self, came: Result<&[u8], &io::Error>) {
        self.with_socket(|socket| socket.completed(came));
    }
}
