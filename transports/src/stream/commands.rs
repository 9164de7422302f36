//! What users call on a stream. Each call changes the state at once and queues a flush; none of them calls user code before it returns
//! (no re-entrancy).

#[cfg(unix)]
use std::os::fd::OwnedFd;
use std::{any::Any, error::Error, io, net::SocketAddr, time::Duration};

use sinew_reactor::{Reactor, SHORT_WRITE_FILLS, TimerKey, Token};

#[cfg(unix)]
use super::rights::{DescriptorRefused, QUEUED_MAX, SendDescriptorError};
use super::{Stream, queue::Queue, state::State};
use crate::{
    ConnectionLost, Keepalive, Peer, Transport, WriteStatus, buffers::store_queue, producer::Feed,
};

/// A write of at least this many bytes, with nothing queued before it, goes to the socket at once instead of being copied: it
/// needs a system call of its own anyway.
pub(crate) const DIRECT_MIN: usize = 16 * 1024;

impl Transport {
    /// Hands a large write to the kernel, if nothing is queued before it, and queues what the kernel did not accept.
    pub(crate) fn write_large(&self, data: &[u8]) -> WriteStatus {
        match self.write_directly(data) {
            Ok(sent) if sent == data.len() => WriteStatus::Ok,
            Ok(sent) => self.enqueue(|queue| queue.push_slice(&data[sent..])),
            // The kernel reports an error only once.
            Err(error) => {
                self.inner().output_failed(error);
                WriteStatus::Closed
            }
        }
    }

    fn write_directly(&self, data: &[u8]) -> io::Result<usize> {
        let stream = self.inner();
        if !stream.state.get().may_write_directly() || stream.queued() > 0 || stream.has_producers()
        {
            return Ok(0);
        }
        let Some(reactor) = stream.reactor() else { return Ok(0) };
        let sent = match stream.write_directly(data) {
            None => return Ok(0),
            Some(Err(error)) if is_transient(&error) => return Ok(0),
            Some(sent) => sent?,
        };
        if sent < data.len() && SHORT_WRITE_FILLS {
            stream.update(State::write_blocked);
        }
        reactor.count_sent(stream.token, sent);
        self.reset_idle_timer_sent(&reactor);
        Ok(sent)
    }

    #[inline]
    pub(crate) fn enqueue(&self, push: impl FnOnce(&mut Queue)) -> WriteStatus {
        let stream = self.inner();
        if !stream.state.get().takes_output() {
            return WriteStatus::Closed;
        }
        let mut queue = stream.queue.take().unwrap_or_else(|| stream.shared.buffers.take_queue());
        push(&mut queue);
        let queued = queue.len();
        store_queue(&stream.queue, queue);
        stream.ask_flush();
        if queued <= stream.shared.report_threshold {
            WriteStatus::Ok
        } else {
            stream.check_limits(queued)
        }
    }
}

impl Stream {
    /// The queue is longer than `report_threshold`.
    #[cold]
    fn check_limits(&self, queued: usize) -> WriteStatus {
        let config = &self.shared.config;
        if queued > config.write_limit {
            self.disconnect(ConnectionLost::WriteLimit { limit: config.write_limit });
            WriteStatus::Closed
        } else if queued > config.high_watermark {
            self.update(State::above_high);
            WriteStatus::AboveHighWatermark
        } else {
            WriteStatus::Ok
        }
    }

    /// Queues a flush of this stream before the event loop sleeps, unless it is flushed anyway.
    #[inline]
    pub(crate) fn ask_flush(&self) {
        if self.update(State::ask_flush) {
            self.flush_later();
        }
    }

    fn flush_later(&self) {
        if let Some(reactor) = self.reactor() {
            reactor.flush_later(self.token);
        }
    }

    pub(crate) fn takes_output(&self) -> bool {
        self.state.get().takes_output()
    }

    pub(crate) fn add_producer(&self, producer: Box<dyn Feed>) {
        self.cold().producers.push(producer);
        self.ask_flush();
    }

    pub(crate) fn resume_producing(&self) {
        if let Some(cold) = self.cold_if_any() {
            cold.producers.resume();
            self.ask_flush();
        }
    }

    pub(crate) fn queue_len(&self) -> usize {
        self.queued()
    }

    pub(crate) fn lose_connection(&self) {
        if self.state.get().has_output_failed() {
            self.disconnect(ConnectionLost::Reset);
        } else if self.update(State::lose_connection) {
            self.wake_relay_sink();
            self.ask_flush();
        }
    }

    pub(crate) fn fail(&self, error: Box<dyn Error>) {
        let (state, reason) = (self.state.get(), &self.cold().reason);
        match reason.take() {
            // A protocol that received the peer's answer knows more about the failure of the output than the kernel.
            before if state.has_output_failed() || before.is_none() && !state.is_over() => {
                reason.set(Some(ConnectionLost::Protocol(error)));
            }
            first => {
                reason.set(first);
                self.defer_drop(error);
            }
        }
        self.lose_connection();
    }

    /// Has the event loop drop a user's value: a drop may be user code, which no call into the library runs.
    pub(crate) fn defer_drop(&self, thing: impl Any) {
        if let Some(reactor) = self.reactor() {
            reactor.defer_drop(thing);
        }
    }

    pub(crate) fn close_write(&self) {
        if self.update(State::close_write) {
            self.wake_relay_sink();
            self.ask_flush();
        }
    }

    /// Nothing can be sent any more. Received data is still delivered; if the input has ended, the connection is over. The reason
    /// is this error; only `fail` can replace it.
    pub(super) fn output_failed(&self, error: io::Error) {
        if self.state.get().has_output_failed() {
            return;
        }
        let reason = ConnectionLost::from(error);
        if !self.update(State::output_failed) {
            return self.disconnect(reason);
        }
        self.cold().set_reason(reason);
        if let Some(queue) = self.queue.take() {
            self.defer_drop(queue);
        }
        self.defer_drop(self.cold().producers.take());
        self.discard_relay_input();
        if let Some(reactor) = self.reactor().filter(|_| self.update(State::request_reschedule)) {
            reactor.reschedule(self.token);
        }
    }

    /// Ends the connection at once: the event loop resets it and calls `connection_lost`.
    pub(crate) fn disconnect(&self, reason: ConnectionLost) {
        if !self.update(State::lost) {
            return;
        }
        self.update(State::set_reset);
        self.cold().set_reason(reason);
        // The queue may hold `Bytes` whose drop is user code.
        if let Some(queue) = self.queue.take() {
            self.defer_drop(queue);
        }
        if let Some(reactor) = self.reactor() {
            reactor.finalize_later(self.token);
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.state.get().is_open()
    }

    pub(crate) fn pause_reading(&self) {
        self.update(State::pause);
        self.ask_flush();
    }

    pub(crate) fn resume_reading(&self) {
        self.update(State::resume);
        self.ask_flush();
    }

    #[inline]
    pub(crate) fn is_reading(&self) -> bool {
        let state = self.state.get();
        state.is_open() && !state.is_input_blocked()
    }

    pub(crate) fn set_auto_pause(&self, auto_pause: bool) {
        self.update(|state| state.set_auto_pause(auto_pause));
        self.ask_flush();
    }

    pub(crate) fn call_later(&self, delay: Duration) -> Option<TimerKey> {
        let key = self.live_reactor()?.arm_timer(self.token, delay);
        self.cold().timers.add(key);
        Some(key)
    }

    pub(crate) fn cancel_timer(&self, key: TimerKey) -> bool {
        self.cold_if_any().is_some_and(|cold| cold.timers.remove(key))
            && self.reactor().is_some_and(|reactor| reactor.disarm_timer(key))
    }

    pub(crate) fn timers_len(&self) -> usize {
        self.cold_if_any().map_or(0, |cold| cold.timers.len())
    }

    pub(crate) fn peer(&self) -> Peer {
        self.socket_and_peer.peer()
    }

    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        self.with_socket(|socket| socket.local_addr())
    }

    pub(crate) fn token(&self) -> Token {
        self.token
    }

    #[inline]
    pub(crate) fn reactor(&self) -> Option<Reactor> {
        self.shared.reactor.upgrade()
    }

    /// The reactor, while the connection is not over.
    pub(crate) fn live_reactor(&self) -> Option<Reactor> {
        if self.state.get().is_over() { None } else { self.reactor() }
    }

    pub(crate) fn set_no_delay(&self, no_delay: bool) -> io::Result<()> {
        self.check_not_over()?;
        self.with_socket(|socket| socket.set_no_delay(no_delay))
    }

    pub(crate) fn set_keepalive(&self, keepalive: Keepalive) -> io::Result<()> {
        self.check_not_over()?;
        self.with_socket(|socket| socket.set_keepalive(keepalive))
    }

    /// Queues a file descriptor to be sent with the next byte.
    #[cfg(unix)]
    pub(crate) fn send_descriptor(&self, descriptor: OwnedFd) -> Result<(), SendDescriptorError> {
        let refuse = |descriptor, reason| Err(SendDescriptorError { descriptor, reason });
        if !self.state.get().takes_output() {
            return refuse(descriptor, DescriptorRefused::Closed);
        }
        if !self.passes_descriptors() {
            return refuse(descriptor, DescriptorRefused::NotUnix);
        }
        let mut queue = self.queue.take().unwrap_or_else(|| self.shared.buffers.take_queue());
        let has_room = queue.descriptors() < QUEUED_MAX;
        let result = if has_room {
            queue.push_descriptor(descriptor);
            Ok(())
        } else {
            refuse(descriptor, DescriptorRefused::TooMany { max: QUEUED_MAX })
        };
        store_queue(&self.queue, queue);
        result
    }

    #[cfg(unix)]
    pub(crate) fn take_descriptor(&self) -> Option<OwnedFd> {
        self.cold_if_any()?.descriptors.borrow_mut().pop_front()
    }

    /// Stores descriptors until the user takes them. Returns `false`, with all of these closed, if there are too many.
    #[cfg(unix)]
    pub(super) fn keep_descriptors(&self, descriptors: Vec<OwnedFd>) -> bool {
        if descriptors.is_empty() {
            return true;
        }
        let cold = self.cold();
        let mut waiting = cold.descriptors.borrow_mut();
        let has_room = waiting.len() + descriptors.len() <= self.shared.config.descriptors_max;
        if has_room {
            waiting.extend(descriptors);
        }
        has_room
    }

    fn check_not_over(&self) -> io::Result<()> {
        if self.state.get().is_over() { Err(io::ErrorKind::NotConnected.into()) } else { Ok(()) }
    }
}

/// Whether a retry of the write may succeed.
pub(super) fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
