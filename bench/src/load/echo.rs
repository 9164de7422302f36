//! Echo with pipelining: every connection keeps a number of messages in flight.
//!
//! The messages completed by one read are followed by one write, as in a pipelining client.

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
use crate::meter::Meter;
use crate::pattern::Pattern;

const BUFFER_LEN: usize = 64 * 1024;

/// Connections opened before the first of them must have been echoed: fewer than any server's backlog.
const OPENING_MAX: usize = 100;

#[derive(Debug)]
pub(crate) struct Echo {
    poll: Poll,
    connections: Vec<Connection>,
    pattern: Pattern,
    size: usize,
    outstanding: usize,
    /// Every `stride`-th connection is active, the others are idle.
    stride: usize,
}

/// The load for a server that answers each connection separately.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) connections: usize,
    /// The connections that stay active after they were opened; at least one, spread evenly over all.
    pub(crate) active: usize,
    pub(crate) size: usize,
    pub(crate) outstanding: usize,
    pub(crate) pattern: Pattern,
}

impl Echo {
    /// Opens the connections, a group at a time; each is echoed one message, which shows that the server has
    /// accepted it.
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

    /// One window: fills every connection, follows each echo by a message while the budget lasts, and
    /// ends when all messages are back.
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
        let mut meter = Meter::new(Instant::now())?;
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
                let received =
                    connection.receive(&mut buffer, self.size, &self.pattern, &mut meter, now)?;
                let count = budget.take(received, now);
                connection.send(count, self.size, &self.pattern, now)?;
                in_flight = in_flight - received + count;
            }
        }
        Ok(meter.outcome(0))
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

    /// Queues `count` messages, and writes as much as the kernel takes.
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

    /// Reads and checks the received data; returns how many messages it completed.
    fn receive(
        &mut self,
        buffer: &mut [u8],
        size: usize,
        pattern: &Pattern,
        meter: &mut Meter,
        now: Instant,
    ) -> Result<usize> {
        let mut completed = 0;
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
            completed += (self.bytes_received / size as u64 - before) as usize;
            // A short read has drained the socket; a close causes another event.
            if len < buffer.len() {
                break;
            }
        }
        for sent in self.sent_at.drain(..completed) {
            meter.record(sent, now);
        }
        Ok(completed)
    }

    fn fault(&self, error: std::io::Error) -> anyhow::Error {
        anyhow::Error::new(error).context(format!("connection {}", self.stream))
    }
}
