//! Protocols shared by several scenarios: [`Echo`], and [`Talker`], which checks the echo.

use std::{cell::Cell, rc::Rc};

use sinew::prelude::*;

use crate::{millis, secs};

/// Echoes, queueing at most one read above its high watermark.
pub(crate) struct Echo;

pub(crate) const ECHO_QUEUED_MAX: usize = 64 * 1024 + 64 * 1024;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

/// The byte at an offset of a stream.
pub(crate) const fn pattern(stream: u64, at: usize) -> u8 {
    (at.wrapping_mul(31) ^ (at >> 8) ^ (stream as usize).wrapping_mul(97)) as u8
}

/// Sends a random amount in pieces, with random pauses of reading and sending, and checks the echo. Ends in one of
/// several ways.
pub(crate) struct Talker {
    total: usize,
    sent: usize,
    got: usize,
    done: Rc<Cell<u64>>,
}

pub(crate) const TALKER_TOTAL_MAX: usize = 200_000;

impl Talker {
    /// Counts the talkers that have received everything back.
    pub(crate) fn new(reactor: &Reactor, done: &Rc<Cell<u64>>) -> Self {
        let total = reactor.random() as usize % TALKER_TOTAL_MAX;
        Self { total, sent: 0, got: 0, done: done.clone() }
    }

    fn send(&mut self, transport: &Transport) {
        let random = transport.reactor().unwrap().random();
        let len = (random as usize % 30_000).min(self.total - self.sent);
        let piece: Vec<u8> = (self.sent..self.sent + len).map(|at| pattern(0, at)).collect();
        transport.write(&piece);
        self.sent += len;
        if self.sent < self.total {
            transport.call_later(millis(random % 97));
        } else if random.is_multiple_of(3) {
            transport.close_write();
        }
        match random % 64 {
            0 => transport.pause_reading(),
            1 => transport.abort(),
            2 => transport.lose_connection(),
            _ => transport.resume_reading(),
        }
    }
}

impl Protocol for Talker {
    fn connection_made(&mut self, transport: &Transport) {
        transport.set_idle_timeout(secs(20));
        self.send(transport);
    }

    fn timer_fired(&mut self, transport: &Transport, _: TimerId) {
        self.send(transport);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        assert!(!data.is_empty());
        let is_it = data.iter().zip(self.got..).all(|(byte, at)| *byte == pattern(0, at));
        assert!(is_it, "wrong data at {} of {}", self.got, self.total);
        self.got += data.len();
        assert!(self.got <= self.sent);
        if self.got == self.total && self.sent == self.total {
            self.done.set(self.done.get() + 1);
            transport.lose_connection();
        }
    }
}
