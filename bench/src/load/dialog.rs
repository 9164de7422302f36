//! Dialogs on connections that are kept: [`Dialogs`] goes through the steps of a [`Script`] on each, one at a time, and checks every
//! answer. A round of steps is a message, or several.

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

const BUFFER_LEN: usize = 256 * 1024;

/// The longest unfinished answer that is kept.
const PENDING_MAX: usize = 16 * 1024 * 1024;

/// What is said on a connection.
pub(crate) trait Script: Debug {
    /// From the greeting on, which is the answer to nothing.
    fn opening(&self, connection: usize) -> Vec<Step>;

    /// One round of so many messages, the first of which has this number on this connection, from 0 on.
    fn round(&self, connection: usize, first: u64, messages: usize) -> Vec<Step>;
}

/// What is sent, and what has to come back.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) send: Vec<u8>,
    pub(crate) answer: Box<dyn Answer>,
}

/// What has to come back.
pub(crate) trait Answer: Debug {
    /// Looks at what has come; its length if it is complete.
    fn check(&mut self, received: &[u8]) -> Result<Option<usize>>;
}

#[derive(Debug)]
pub(crate) struct Dialogs<S> {
    poll: Poll,
    connections: Vec<Connection>,
    script: S,
    outstanding: usize,
}

#[derive(Debug)]
struct Connection {
    number: usize,
    socket: TcpStream,
    steps: VecDeque<Step>,
    /// Of the first step, what is to be sent.
    unsent: usize,
    pending: Vec<u8>,
    /// Messages that were begun, and those of this round.
    begun: u64,
    in_round: usize,
    began: Instant,
}

impl<S: Script> Dialogs<S> {
    /// Opens the connections one after the other, up to the end of each opening.
    pub(crate) fn open(
        mut dialer: Dialer,
        connections: usize,
        outstanding: usize,
        script: S,
    ) -> Result<Self> {
        let mut dialogs = Self { poll: Poll::new()?, connections: Vec::new(), script, outstanding };
        for number in 0..connections {
            let mut socket = dialer.dial_abortive()?;
            let both = Interest::READABLE | Interest::WRITABLE;
            dialogs.poll.registry().register(&mut socket, Token(number), both)?;
            let mut connection = Connection::new(number, socket);
            connection.begin(dialogs.script.opening(number), 0, Instant::now())?;
            dialogs.connections.push(connection);
            dialogs.go_on(Budget::messages(0), 1)?;
        }
        Ok(dialogs)
    }

    /// One window: each round is followed by another one while the budget lasts.
    pub(crate) fn run(&mut self, mut budget: Budget) -> Result<Outcome> {
        let mut busy = 0;
        for connection in &mut self.connections {
            busy +=
                usize::from(connection.next_round(&self.script, self.outstanding, &mut budget)?);
        }
        self.go_on(budget, busy)
    }

    /// Until so many rounds, and those that follow them, have ended.
    fn go_on(&mut self, mut budget: Budget, mut busy: usize) -> Result<Outcome> {
        let mut events = Events::with_capacity(1024);
        let mut buffer = vec![0; BUFFER_LEN];
        let mut meter = Meter::new(Instant::now())?;
        while busy > 0 {
            match self.poll.poll(&mut events, Some(SILENCE_MAX)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            ensure!(!events.is_empty(), "no answer for {SILENCE_MAX:?} on {busy} connections");
            for event in &events {
                let connection = &mut self.connections[event.token().0];
                let number = connection.number;
                let ended = connection.receive(&mut buffer, &mut meter);
                if ended.with_context(|| format!("connection {number}"))?
                    && !connection.next_round(&self.script, self.outstanding, &mut budget)?
                {
                    busy -= 1;
                }
            }
        }
        Ok(meter.outcome(0))
    }
}

impl Connection {
    fn new(number: usize, socket: TcpStream) -> Self {
        Self {
            number,
            socket,
            steps: VecDeque::new(),
            unsent: 0,
            pending: Vec::new(),
            begun: 0,
            in_round: 0,
            began: Instant::now(),
        }
    }

    /// Begins a round, if the budget allows any message.
    fn next_round(
        &mut self,
        script: &impl Script,
        messages: usize,
        budget: &mut Budget,
    ) -> Result<bool> {
        let now = Instant::now();
        let messages = budget.take(messages, now);
        if messages > 0 {
            let steps = script.round(self.number, self.begun, messages);
            self.begun += messages as u64;
            self.begin(steps, messages, now)?;
        }
        Ok(messages > 0)
    }

    fn begin(&mut self, steps: Vec<Step>, messages: usize, now: Instant) -> Result<()> {
        self.steps = steps.into();
        (self.in_round, self.began) = (messages, now);
        self.unsent = self.steps.front().map_or(0, |step| step.send.len());
        self.send()
    }

    fn send(&mut self) -> Result<()> {
        let Some(step) = self.steps.front() else { return Ok(()) };
        while self.unsent > 0 {
            match self.socket.write(&step.send[step.send.len() - self.unsent..]) {
                Ok(len) => self.unsent -= len,
                // Not connected yet, or no room: a writable event follows.
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) =>
                {
                    break;
                }
                Err(error) => return Err(error).context("cannot send"),
            }
        }
        Ok(())
    }

    /// Reads and checks what has come, and goes on; whether that ended a round.
    fn receive(&mut self, buffer: &mut [u8], meter: &mut Meter) -> Result<bool> {
        if self.steps.is_empty() {
            return Ok(false);
        }
        self.send()?;
        loop {
            let len = match self.socket.read(buffer) {
                Ok(0) => bail!("the server closed it"),
                Ok(len) => len,
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) =>
                {
                    return Ok(false);
                }
                Err(error) => return Err(error).context("cannot receive"),
            };
            self.pending.extend_from_slice(&buffer[..len]);
            ensure!(self.pending.len() <= PENDING_MAX, "an answer without an end");
            if self.check()? {
                ensure!(self.pending.is_empty(), "more than was asked for");
                let now = Instant::now();
                (0..self.in_round).for_each(|_| meter.record(self.began, now));
                return Ok(true);
            }
            // A short read has drained the socket; a close causes another event.
            if len < buffer.len() {
                return Ok(false);
            }
        }
    }

    /// Goes through the steps whose answers are complete; whether none is left.
    fn check(&mut self) -> Result<bool> {
        while let Some(step) = self.steps.front_mut() {
            let Some(len) = step.answer.check(&self.pending)? else { return Ok(false) };
            ensure!(self.unsent == 0, "an answer before the end of the question");
            self.pending.drain(..len);
            self.steps.pop_front();
            self.unsent = self.steps.front().map_or(0, |step| step.send.len());
            self.send()?;
        }
        Ok(true)
    }
}
