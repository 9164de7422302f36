//! The input of a stream for which the engine receives, one round of it: what has come is taken from there.

use sinew_reactor::{Completed, Reactor};

use super::{
    Stream,
    link::Link,
    state::{Input, State},
};
use crate::Transport;

impl Transport {
    /// At most one thing of what the engine has received.
    #[inline]
    pub(super) fn take_completed(&self, reactor: &Reactor, input: Input) {
        let stream = self.inner();
        let Some(completed) = reactor.take_completed(stream.token) else {
            return stream.update(State::read_blocked);
        };
        if stream.may_be_wrapped() {
            stream.tell_socket(&completed);
        }
        match completed {
            Completed::Received { bytes, more } => {
                if !more {
                    stream.update(State::input_drained);
                }
                match stream.is_relayed() {
                    false => self.received(reactor, input, &bytes),
                    true => self.arrived(reactor, input, &bytes),
                }
            }
            Completed::End => self.input_ended(),
            Completed::Failed(error) => self.failed(reactor, error),
            _ => stream.update(State::read_blocked),
        }
    }
}

impl Stream {
    /// Whether anything can have been put around the socket: around a plain one, that is with what few connections have.
    fn may_be_wrapped(&self) -> bool {
        !matches!(self.link, Link::Tcp4 { .. }) || self.extras.get().is_some()
    }

    /// What stands around the socket hears of what would have been read through it otherwise.
    #[inline(never)]
    fn tell_socket(&self, completed: &Completed) {
        self.with_socket(|socket| match completed {
            Completed::Received { bytes, .. } => socket.completed(Ok(bytes)),
            Completed::End => socket.completed(Ok(&[])),
            Completed::Failed(error) => socket.completed(Err(error)),
            _ => {}
        });
    }
}
