//! Messages on connections that are kept, each of which is answered: [`Answered`] keeps a number of them in flight on every connection,
//! and checks every byte that comes back. What a message and its answer are is an [`Exchange`].
//!
//! The messages completed by one read are followed by one write, as in a pipelining client.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::io::{ErrorKind, Read, Write};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use bench::outcome::Outcome;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::SILENCE_MAX;
use crate::budget::Budget;
use crate::dialer::Dialer;
use crate::meter::Meter;

/// Connections opened before the first of them must have been answered: fewer than any server's backlog.
const OPENING_MAX: usize = 100;

/// Messages, and the answers to them. All messages have the same length.
pub(crate) trait Exchange: Debug {
    /// How far the messages and answers of a connection have come.
    type State: Debug;

    /// The longest data that is checked at once.
    const BUFFER_LEN: usize;

    /// The state of a new connection.
    fn state(&self, connection: usize) -> Self::State;

    /// The length of a message.
    fn message_len(&self) -> usize;

    /// The next of the `due` bytes that are to be sent: not empty, and as many as possible.
    fn due<'a>(&'a self, state: &Self::State, due: usize) -> &'a [u8];

    /// So many bytes of them were sent.
    fn sent(&self, state: &mut Self::State, len: usize);

    /// Checks data that was received; how many answers it completes.
    fn check(&mut self, state: &mut Self::State, data: &[u8]) -> Result<usize>;
}

/// How many connections there are, and what they do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) connections: usize,
    /// The connections that stay active after they were opened; at least one, spread evenly over all.
    pub(crate) active: usize,
    pub(crate) outstanding: usize,
}

#[derive(Debug)]
pub(crate) struct Answered<E: Exchange> {
    poll: Poll,
    connections: Vec<Connection<E::State>>,
    exchange: E,
    outstanding: usize,
    /// Every `stride`-th connection is active, the others are idle.
    stride: usize,
}

impl<E: Exchange> Answered<E> {
    /// Opens the connections, a group at a time; each is answered once, which shows that the server has accepted it.
    pub(crate) fn open(mut dialer: Dialer, plan: Plan, exchange: E) -> Result<Self> {
        let count = plan.connections;
        let connections = Vec::with_capacity(count);
        let mut answered =
            Self { poll: Poll::new()?, connections, exchange, outstanding: 1, stride: 1 };
        while answered.connections.len() < count {
            let first = answered.connections.len();
            for number in first..count.min(first + OPENING_MAX) {
                let mut socket = dialer
                    .dial_abortive()
                    .with_context(|| format!("cannot open connection {number}"))?;
                let both = Interest::READABLE | Interest::WRITABLE;
                answered.poll.registry().register(&mut socket, Token(number), both)?;
                let state = answered.exchange.state(number);
                answered.connections.push(Connection::new(number, socket, state));
            }
            let opened = answered.connections.len() - first;
            answered.run_from(first, Budget::messages(opened as u64))?;
        }
        answered.outstanding = plan.outstanding;
        answered.stride = count / plan.active;
        Ok(answered)
    }

    /// One window: fills every connection, follows each answer by a message while the budget lasts, and ends when all answers are
    /// there.
    pub(crate) fn run(&mut self, budget: Budget) -> Result<Outcome> {
        self.run_from(0, budget)
    }

    /// Closes each connection once the server has closed it, as a client does, until none is left.
    pub(crate) fn until_closed(self) -> Result<()> {
        let Self { mut poll, connections, .. } = self;
        let mut open = connections.into_iter().map(Some).collect::<Vec<_>>();
        let mut left = open.len();
        let mut events = Events::with_capacity(1024);
        while left > 0 {
            match poll.poll(&mut events, Some(SILENCE_MAX)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            ensure!(!events.is_empty(), "{left} connections are open after {SILENCE_MAX:?}");
            for event in events.iter().filter(|event| event.is_read_closed()) {
                left -= usize::from(open[event.token().0].take().is_some());
            }
        }
        Ok(())
    }

    fn run_from(&mut self, first: usize, mut budget: Budget) -> Result<Outcome> {
        let mut events = Events::with_capacity(1024);
        let mut buffer = vec![0; E::BUFFER_LEN];
        let mut meter = Meter::new(Instant::now())?;
        let mut in_flight = 0;
        for connection in self.connections[first..].iter_mut().step_by(self.stride) {
            let now = Instant::now();
            let count = budget.take(self.outstanding, now);
            connection.send(count, &self.exchange, now)?;
            in_flight += count;
        }
        while in_flight > 0 {
            match self.poll.poll(&mut events, Some(SILENCE_MAX)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            ensure!(
                !events.is_empty(),
                "no answer for {SILENCE_MAX:?}, {in_flight} messages in flight"
            );
            for event in &events {
                let connection = &mut self.connections[event.token().0];
                let now = Instant::now();
                let answered =
                    connection.receive(&mut buffer, &mut self.exchange, &mut meter, now)?;
                let count = budget.take(answered, now);
                connection.send(count, &self.exchange, now)?;
                in_flight = in_flight - answered + count;
            }
        }
        Ok(meter.outcome(0))
    }
}

#[derive(Debug)]
struct Connection<S> {
    number: usize,
    socket: TcpStream,
    /// Bytes of messages that are still to be sent.
    due: usize,
    sent_at: VecDeque<Instant>,
    state: S,
}

impl<S> Connection<S> {
    fn new(number: usize, socket: TcpStream, state: S) -> Self {
        Self { number, socket, due: 0, sent_at: VecDeque::new(), state }
    }

    /// Queues `count` messages, and writes as much as the kernel takes.
    fn send<E>(&mut self, count: usize, exchange: &E, now: Instant) -> Result<()>
    where
        E: Exchange<State = S>,
    {
        self.sent_at.extend((0..count).map(|_| now));
        self.due += count * exchange.message_len();
        while self.due > 0 {
            match self.socket.write(exchange.due(&self.state, self.due)) {
                Ok(len) => {
                    self.due -= len;
                    exchange.sent(&mut self.state, len);
                }
                // Not connected yet, or no room: a writable event follows.
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) =>
                {
                    break;
                }
                Err(error) => return Err(self.fault(error)),
            }
        }
        Ok(())
    }

    /// Reads and checks what has come; how many answers it completed.
    fn receive<E>(
        &mut self,
        buffer: &mut [u8],
        exchange: &mut E,
        meter: &mut Meter,
        now: Instant,
    ) -> Result<usize>
    where
        E: Exchange<State = S>,
    {
        let mut completed = 0;
        loop {
            let len = match self.socket.read(buffer) {
                Ok(0) => bail!("the server closed connection {}", self.number),
                Ok(len) => len,
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) =>
                {
                    break;
                }
                Err(error) => return Err(self.fault(error)),
            };
            let checked = exchange.check(&mut self.state, &buffer[..len]);
            completed += checked.with_context(|| format!("connection {}", self.number))?;
            // A short read has drained the socket; a close causes another event.
            if len < buffer.len() {
                break;
            }
        }
        ensure!(
            completed <= self.sent_at.len(),
            "connection {}: an answer to no message",
            self.number
        );
        for sent in self.sent_at.drain(..completed) {
            meter.record(sent, now);
        }
        Ok(completed)
    }

    fn fault(&self, error: std::io::Error) -> anyhow::Error {
        anyhow::Error::new(error).context(format!("connection {}", self.number))
    }
}
