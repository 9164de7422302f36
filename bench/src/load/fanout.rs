//! Fan-out: one connection sends, all others must receive the same. A message counts once for each receiver.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::ops::Range;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use bench::convention::GREETING;
use bench::outcome::Outcome;
use bench::websocket;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::SILENCE_MAX;
use crate::budget::Budget;
use crate::dialer::Dialer;
use crate::meter::Meter;
use crate::pattern::Pattern;

const BUFFER_LEN: usize = 64 * 1024;

/// Connections opened before the first of them must have been greeted: fewer than any server's backlog.
const OPENING_MAX: usize = 100;

#[derive(Debug)]
pub(crate) struct Fanout {
    poll: Poll,
    sender: TcpStream,
    receivers: Vec<Receiver>,
    messages: Messages,
    outstanding: usize,
    bytes_sent: u64,
}

/// What is sent and received.
#[derive(Debug)]
pub(crate) struct Messages {
    greeting: Vec<u8>,
    sent: Pattern,
    len: usize,
    received: Pattern,
    received_len: usize,
}

impl Messages {
    /// Messages of `len` bytes.
    pub(crate) fn bytes(len: usize) -> Self {
        let (sent, received) = (Pattern::bytes(), Pattern::bytes());
        Self { greeting: vec![GREETING], sent, len, received, received_len: len }
    }

    /// WebSocket messages of `len` bytes.
    pub(crate) fn web_socket(len: usize) -> Self {
        let greeting = websocket::frame(&[GREETING], None);
        let (sent, len_sent) = Pattern::masked_frames(len);
        let (received, received_len) = Pattern::frames(len);
        Self { greeting, sent, len: len_sent, received, received_len }
    }
}

#[derive(Debug)]
struct Receiver {
    socket: TcpStream,
    bytes_received: u64,
}

impl Fanout {
    /// Opens the sender and `count` receivers; when all are greeted, the server has registered them all.
    pub(crate) fn open(
        mut dialer: Dialer,
        count: usize,
        messages: Messages,
        outstanding: usize,
    ) -> Result<Self> {
        let mut poll = Poll::new()?;
        let greeting = &messages.greeting;
        let sender =
            greeted(&mut poll, &mut dialer, 0..1, greeting)?.pop().context("no sender")?.socket;
        let mut receivers = Vec::with_capacity(count);
        while receivers.len() < count {
            let (first, end) = (receivers.len(), count.min(receivers.len() + OPENING_MAX));
            // The sender's token is 0.
            receivers.extend(greeted(&mut poll, &mut dialer, first + 1..end + 1, greeting)?);
        }
        Ok(Self { poll, sender, receivers, messages, outstanding, bytes_sent: 0 })
    }

    /// One window: a message is sent for each that has arrived at all receivers, while the budget lasts.
    pub(crate) fn run(&mut self, mut budget: Budget) -> Result<Outcome> {
        let mut events = Events::with_capacity(1024);
        let mut buffer = vec![0; BUFFER_LEN];
        let mut meter = Meter::new(Instant::now())?;
        // The time at which each message was sent, and how many receivers lack it; the oldest first.
        let mut in_flight = VecDeque::new();
        let mut oldest = self.bytes_sent / self.messages.len as u64;
        loop {
            let now = Instant::now();
            for _ in 0..budget.take(self.outstanding - in_flight.len(), now) {
                self.send()?;
                in_flight.push_back((now, self.receivers.len()));
            }
            if in_flight.is_empty() {
                return Ok(meter.outcome(0));
            }
            match self.poll.poll(&mut events, Some(SILENCE_MAX)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            ensure!(!events.is_empty(), "not all receivers got a message within {SILENCE_MAX:?}");
            for event in events.iter().filter(|event| event.token() != Token(0)) {
                let (receiver, now) = (event.token().0 - 1, Instant::now());
                for message in self.receive(receiver, &mut buffer)? {
                    let (sent, missing) = &mut in_flight[(message - oldest) as usize];
                    meter.record(*sent, now);
                    *missing -= 1;
                }
            }
            while in_flight.front().is_some_and(|(_, missing)| *missing == 0) {
                in_flight.pop_front();
                oldest += 1;
            }
        }
    }

    fn send(&mut self) -> Result<()> {
        let mut left = self.messages.len;
        while left > 0 {
            // Messages in flight are few and small: they fit into the kernel's buffers.
            let run = self.messages.sent.run(0, self.bytes_sent, left);
            let len = self.sender.write(run).context("cannot send; is --size too large?")?;
            self.bytes_sent += len as u64;
            left -= len;
        }
        Ok(())
    }

    /// Reads and checks the received data; returns the messages that it completed.
    fn receive(&mut self, receiver: usize, buffer: &mut [u8]) -> Result<Range<u64>> {
        let Messages { received, received_len, len: sent_len, .. } = &self.messages;
        let sent = self.bytes_sent / *sent_len as u64 * *received_len as u64;
        let Receiver { socket, bytes_received } = &mut self.receivers[receiver];
        let before = *bytes_received / *received_len as u64;
        loop {
            let len = match socket.read(buffer) {
                Ok(0) => bail!("the server closed receiver {receiver}"),
                Ok(len) => len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).context(format!("receiver {receiver}")),
            };
            ensure!(
                *bytes_received + len as u64 <= sent
                    && received.matches(0, *bytes_received, &buffer[..len]),
                "receiver {receiver}: bytes {bytes_received}..+{len} are not what was sent"
            );
            *bytes_received += len as u64;
            if len < buffer.len() {
                break;
            }
        }
        Ok(before..*bytes_received / *received_len as u64)
    }
}

/// Connections with these tokens, each of which has received its greeting.
fn greeted(
    poll: &mut Poll,
    dialer: &mut Dialer,
    tokens: Range<usize>,
    greeting: &[u8],
) -> Result<Vec<Receiver>> {
    let mut opened = Vec::with_capacity(tokens.len());
    for token in tokens.clone() {
        let mut socket = dialer.dial_abortive().context("cannot open a connection")?;
        poll.registry().register(&mut socket, Token(token), Interest::READABLE)?;
        opened.push(Receiver { socket, bytes_received: 0 });
    }
    let mut events = Events::with_capacity(1024);
    let mut missing = tokens.len();
    while missing > 0 {
        match poll.poll(&mut events, Some(SILENCE_MAX)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            result => result?,
        }
        ensure!(!events.is_empty(), "no greeting for {SILENCE_MAX:?}");
        for event in events.iter().filter(|event| tokens.contains(&event.token().0)) {
            // Longer than the greeting: nothing may follow it.
            let mut came = [0; 16];
            let read = opened[event.token().0 - tokens.start].socket.read(&mut came);
            let len = read.context("a new connection")?;
            ensure!(came[..len] == *greeting, "not a greeting: {:?}", &came[..len]);
            missing -= 1;
        }
    }
    Ok(opened)
}
