//! One channel of IRC: a member says something, and all others must hear it. A message counts once for each of them. Before that, all
//! join, so that each is told of those who join later, and the cost grows with the square; none of this is measured.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bench::convention::JOINED_WITHIN;
use bench::outcome::Outcome;
use memchr::memmem;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::SILENCE_MAX;
use crate::budget::Budget;
use crate::dialer::Dialer;
use crate::meter::Meter;

const BUFFER_LEN: usize = 64 * 1024;

/// Connections that are opened at a time, up to the end of the greeting: ngIRCd's listen queue has ten places, and a connection
/// that finds none waits for a second before it tries again.
const OPENING_MAX: usize = 8;

/// Members who join at a time.
const JOINING_MAX: usize = 50;

/// How often it is told how many have joined.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// What is kept of the input of a member who joins: enough to find an end that arrives in pieces.
const TAIL_MAX: usize = 16;

/// The text that ends the joining.
const GO: &[u8] = b" :go\r\n";

/// The longest text, so that a message with the names in front of it is not cut.
pub(crate) const TEXT_MAX: usize = 350;

#[derive(Debug)]
pub(crate) struct Channel {
    poll: Poll,
    /// The first one talks.
    members: Vec<Member>,
    /// The talker as others see it.
    source: Vec<u8>,
    size: usize,
    outstanding: usize,
    said: u64,
    opened: Instant,
}

#[derive(Debug)]
struct Member {
    socket: TcpStream,
    stage: Stage,
    tail: Vec<u8>,
    /// The message that is received, and how much of it was.
    message: u64,
    offset: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Connecting,
    Registering,
    /// Has received the greeting.
    Registered,
    /// Has said JOIN. The number of the answer can be in the greeting, too: as that of the users.
    Joining,
    Joined,
    /// Has heard the text that ends the joining.
    Ready,
}

/// A message that not all have heard.
struct Message {
    said: Instant,
    missing: usize,
    line: Vec<u8>,
}

impl Channel {
    /// The talker, and as many who listen.
    pub(crate) fn open(
        mut dialer: Dialer,
        count: usize,
        size: usize,
        outstanding: usize,
    ) -> Result<Self> {
        let (poll, members, source) = (Poll::new()?, Vec::with_capacity(count + 1), Vec::new());
        let opened = Instant::now();
        let mut this = Self { poll, members, source, size, outstanding, said: 0, opened };
        this.join(&mut dialer, 1)?;
        let first = &this.members[0].tail;
        let at = memmem::find(first, b" JOIN ").context("the talker was not told of its join")?;
        let line = first[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        this.source = first[line..at].to_vec();
        let mut told = opened;
        while this.members.len() < count + 1 {
            let more = JOINING_MAX.min(count + 1 - this.members.len());
            let joined = this.members.len() - 1;
            this.join(&mut dialer, more)
                .with_context(|| format!("{joined} of {count} members had joined"))?;
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                let (joined, seconds) = (this.members.len() - 1, opened.elapsed().as_secs());
                eprintln!("load: {joined} of {count} members have joined after {seconds} s");
            }
        }
        this.members[0].socket.write_all(&[b"PRIVMSG #bench", GO].concat())?;
        this.until(1, Stage::Ready)?;
        Ok(this)
    }

    /// Opens `count` connections, then lets them join.
    fn join(&mut self, dialer: &mut Dialer, count: usize) -> Result<()> {
        let first = self.members.len();
        while self.members.len() < first + count {
            let more = OPENING_MAX.min(first + count - self.members.len());
            self.connect(dialer, more)?;
        }
        for member in &mut self.members[first..] {
            member.socket.write_all(b"JOIN #bench\r\n")?;
            member.stage = Stage::Joining;
        }
        self.until(first, Stage::Joined)
    }

    /// Opens `count` connections at once, up to the end of the greeting.
    fn connect(&mut self, dialer: &mut Dialer, count: usize) -> Result<()> {
        let first = self.members.len();
        for token in first..first + count {
            let mut socket = dialer.dial_abortive().context("cannot open a connection")?;
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut socket, Token(token), interest)?;
            let (stage, tail) = (Stage::Connecting, Vec::new());
            self.members.push(Member { socket, stage, tail, message: 0, offset: 0 });
        }
        self.until(first, Stage::Registered)
    }

    /// Waits until all members from `first` on have come so far.
    fn until(&mut self, first: usize, stage: Stage) -> Result<()> {
        let mut missing = self.members.len() - first;
        let (mut events, mut buffer) = (Events::with_capacity(1024), vec![0; BUFFER_LEN]);
        while missing > 0 {
            let elapsed = self.opened.elapsed();
            ensure!(elapsed < JOINED_WITHIN, "not all have joined within {JOINED_WITHIN:?}");
            wait(&mut self.poll, &mut events)?;
            for event in &events {
                let Token(at) = event.token();
                let member = &mut self.members[at];
                let before = member.stage;
                member.advance(at, &mut buffer)?;
                if before != stage && member.stage == stage && at >= first {
                    missing -= 1;
                }
            }
        }
        Ok(())
    }

    /// One window: a message is said for each that all have heard, while the budget lasts.
    pub(crate) fn run(&mut self, mut budget: Budget) -> Result<Outcome> {
        let (mut events, mut buffer) = (Events::with_capacity(1024), vec![0; BUFFER_LEN]);
        let mut meter = Meter::new(Instant::now())?;
        // The oldest first.
        let mut in_flight = VecDeque::new();
        loop {
            let now = Instant::now();
            for _ in 0..budget.take(self.outstanding - in_flight.len(), now) {
                in_flight.push_back(self.say(now)?);
            }
            if in_flight.is_empty() {
                return Ok(meter.outcome(0));
            }
            wait(&mut self.poll, &mut events)?;
            let oldest = self.said - in_flight.len() as u64;
            for event in &events {
                let Token(at) = event.token();
                if at == 0 {
                    self.members[0].read(&mut buffer, |_| Ok(()))?;
                } else {
                    self.members[at].hear(at, &mut buffer, &mut in_flight, oldest, &mut meter)?;
                }
            }
            while in_flight.front().is_some_and(|message: &Message| message.missing == 0) {
                in_flight.pop_front();
            }
        }
    }

    fn say(&mut self, now: Instant) -> Result<Message> {
        let text = format!("{:0>width$}\r\n", self.said, width = self.size);
        let line = [b"PRIVMSG #bench :", text.as_bytes()].concat();
        // Messages in flight are few and small: they fit into the kernel's buffers.
        self.members[0].socket.write_all(&line).context("cannot send; is --size too large?")?;
        self.said += 1;
        let line = [&self.source, &b" "[..], &line].concat();
        Ok(Message { said: now, missing: self.members.len() - 1, line })
    }
}

impl Member {
    /// Gives all that has arrived to `f`, piece by piece.
    fn read(&mut self, buffer: &mut [u8], mut f: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        loop {
            match self.socket.read(buffer) {
                Ok(0) => bail!("the server closed a connection"),
                Ok(len) => f(&buffer[..len])?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Goes on to join.
    fn advance(&mut self, number: usize, buffer: &mut [u8]) -> Result<()> {
        if self.stage == Stage::Connecting {
            let hello = format!("NICK n{number}\r\nUSER u 0 * :u\r\n");
            match self.socket.write_all(hello.as_bytes()) {
                Ok(()) => self.stage = Stage::Registering,
                Err(error) if error.kind() == ErrorKind::NotConnected => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        let (mut tail, mut stage) = (std::mem::take(&mut self.tail), self.stage);
        self.read(buffer, |piece| {
            tail.extend_from_slice(piece);
            let has = |text: &[u8]| memmem::find(&tail, text).is_some();
            if stage == Stage::Registering && (has(b" 422 ") || has(b" 376 ")) {
                stage = Stage::Registered;
            }
            if stage == Stage::Joining && has(b" 366 ") {
                stage = Stage::Joined;
            }
            if stage == Stage::Joined && has(GO) {
                stage = Stage::Ready;
            }
            // Of the talker, who is alone at first, all is kept until it has joined.
            if number > 0 || stage == Stage::Ready {
                tail.drain(..tail.len().saturating_sub(TAIL_MAX));
            } else {
                tail.truncate(BUFFER_LEN);
            }
            Ok(())
        })
        .with_context(|| format!("member {number}, {stage:?}"))?;
        (self.tail, self.stage) = (tail, stage);
        Ok(())
    }

    /// Receives and checks messages.
    fn hear(
        &mut self,
        number: usize,
        buffer: &mut [u8],
        in_flight: &mut VecDeque<Message>,
        oldest: u64,
        meter: &mut Meter,
    ) -> Result<()> {
        let (mut at, mut offset) = (self.message, self.offset);
        self.read(buffer, |mut piece| {
            let now = Instant::now();
            while !piece.is_empty() {
                let message = in_flight.get_mut((at - oldest) as usize);
                let message = message.context("more than was said")?;
                let rest = &message.line[offset..];
                let len = rest.len().min(piece.len());
                ensure!(piece[..len] == rest[..len], "not what was said: {}", piece.escape_ascii());
                (piece, offset) = (&piece[len..], offset + len);
                if offset == message.line.len() {
                    meter.record(message.said, now);
                    message.missing -= 1;
                    (at, offset) = (at + 1, 0);
                }
            }
            Ok(())
        })
        .with_context(|| format!("member {number}"))?;
        (self.message, self.offset) = (at, offset);
        Ok(())
    }
}

fn wait(poll: &mut Poll, events: &mut Events) -> Result<()> {
    loop {
        match poll.poll(events, Some(SILENCE_MAX)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            result => result?,
        }
        ensure!(!events.is_empty(), "nothing was received for {SILENCE_MAX:?}");
        return Ok(());
    }
}
