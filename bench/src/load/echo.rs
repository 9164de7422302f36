//! Echo with depth: every connection keeps so many messages in flight.
//!
//! What one read completes is answered with one write, as a client that pipelines would.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use bench::outcome::Outcome;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::SILENCE_MAX;
use crate::budget::Budget;
use crate::dialer::Dialer;
use crate::gauge::Gauge;
use crate::pattern::Pattern;

const BUFFER_LEN: usize = 64 * 1024;

/// Connections opened before the first of them must have been echoed: less than any server's backlog.
const OPENING_MAX: usize = 100;

#[derive(Debug)]
pub(crate) struct Echo {
    poll: Poll,
    connections: Vec<Connection>,
    pattern: Pattern,
    size: usize,
    outstanding: usize,
    /// Each so-manieth connection has messages, the others rest.
    stride: usize,
}

/// What is sent to a server that answers each connection by itself.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) connections: usize,
    /// Those that go on after they were opened; at least one, and spread evenly over all.
    pub(crate) active: usize,
    pub(crate) size: usize,
    pub(crate) outstanding: usize,
    pub(crate) pattern: Pattern,
}

impl Echo {
    /// Opens the connections, a group at a time; each is echoed one message, so that the server has
    /// surely accepted it.
    pub(crate) fn open(mut dialer: Dialer, plan: Plan) -> Result<Self> {
        let count = plan.connections;
        let mut echo = Self {
            poll: Poll::new()?,
            connections: Vec::with_capacity(count),
            pattern: plan.pattern,
            size: plan.size,
            outstanding: 1,
            stride: 1,
        };
        while echo.connections.len() < count {
            let first = echo.connections.len();
            for stream in first..count.min(first + OPENING_MAX) {
                let mut socket = dialer
                    .dial_abortive()
                    .with_context(|| format!("cannot open connection {stream}"))?;
                let both = Interest::READABLE | Interest::WRITABLE;
                echo.poll.registry().register(&mut socket, Token(stream), both)?;
                echo.connections.push(Connection::new(stream, socket));
            }
            echo.run_from(first, Budget::messages((echo.connections.len() - first) as u64))?;
        }
        echo.outstanding = plan.outstanding;
        echo.stride = count / plan.active;
        Ok(echo)
    }

    /// One window: fills every connection, answers each echo with a message while the budget lasts, and
    /// ends when all are back.
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
        let mut buffer = vec![0; BUFFER_LEN];
        let mut gauge = Gauge::new(Instant::now())?;
        let mut in_flight = 0;
        for connection in self.connections[first..].iter_mut().step_by(self.stride) {
            let now = Instant::now();
            let count = budget.take(self.outstanding, now);
            connection.send(count, self.size, &self.pattern, now)?;
            in_flight += count;
        }
        while in_flight > 0 {
            match self.poll.poll(&mut events, Some(SILENCE_MAX)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            ensure!(
                !events.is_empty(),
                "no echo for {SILENCE_MAX:?}, {in_flight} messages in flight"
            );
            for event in &events {
                let connection = &mut self.connections[event.token().0];
                let now = Instant::now();
                let came =
                    connection.receive(&mut buffer, self.size, &self.pattern, &mut gauge, now)?;
                let count = budget.take(came, now);
                connection.send(count, self.size, &self.pattern, now)?;
                in_flight = in_flight - came + count;
            }
        }
        Ok(gauge.outcome(0))
    }
}

#[derive(Debug)]
struct Connection {
    stream: usize,
    socket: TcpStream,
    bytes_due: usize,
    bytes_sent: u64,
    bytes_received: u64,
    sent_at: VecDeque<Instant>,
}

impl Connection {
    fn new(stream: usize, socket: TcpStream) -> Self {
        Self {
            stream,
            socket,
            bytes_due: 0,
            bytes_sent: 0,
            bytes_received: 0,
            sent_at: VecDeque::new(),
        }
    }

    /// Adds `count` messages to what is due, and writes as much as the kernel takes.
    fn send(&mut self, count: usize, size: usize, pattern: &Pattern, now: Instant) -> Result<()> {
        self.sent_at.extend((0..count).map(|_| now));
        self.bytes_due += count * size;
        while self.bytes_due > 0 {
            let run = pattern.run(self.stream, self.bytes_sent, self.bytes_due);
            match self.socket.write(run) {
                Ok(len) => {
                    self.bytes_due -= len;
                    self.bytes_sent += len as u64;
                }
                // Or not connected yet: the event that says writable will tell.
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

    /// Reads and checks what has come; returns how many messages are now whole.
    fn receive(
        &mut self,
        buffer: &mut [u8],
        size: usize,
        pattern: &Pattern,
        gauge: &mut Gauge,
        now: Instant,
    ) -> Result<usize> {
        let mut whole = 0;
        loop {
            let len = match self.socket.read(buffer) {
                Ok(0) => bail!("the server closed connection {}", self.stream),
                Ok(len) => len,
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) =>
                {
                    break;
                }
                Err(error) => return Err(self.fault(error)),
            };
            ensure!(
                self.bytes_received + len as u64 <= self.bytes_sent
                    && pattern.matches(self.stream, self.bytes_received, &buffer[..len]),
                "connection {}: bytes {}..+{len} are not what was sent",
                self.stream,
                self.bytes_received,
            );
            let before = self.bytes_received / size as u64;
            self.bytes_received += len as u64;
            whole += (self.bytes_received / size as u64 - before) as usize;
            // A short read has drained the socket; a close brings an event of its own.
            if len < buffer.len() {
                break;
            }
        }
        for sent in self.sent_at.drain(..whole) {
            gauge.record(sent, now);
        }
        Ok(whole)
    }

    fn fault(&self, error: std::io::Error) -> anyhow::Error {
        anyhow::Error::new(error).context(format!("connection {}", self.stream))
    }
}
