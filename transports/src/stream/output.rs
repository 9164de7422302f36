//! Output of a stream: sends the queue, applies watermarks (backpressure), calls producers, and ends the output (half-close,
//! close).

use std::io::{self, IoSlice};

use sinew_reactor::{Reactor, SHORT_WRITE_FILLS};

#[cfg(unix)]
use super::Stream;
use super::{
    driver::ROUNDS_PER_TURN,
    queue::{Queue, SEGMENTS_PER_WRITE},
    socket::map_in_progress,
    state::{Drained, State},
};
use crate::{Transport, buffers::store_queue, producer::FeedStatus};

/// Calls of a producer before its output is sent.
const PIECES_PER_ROUND: usize = 512;

impl Transport {
    /// Sends the queue and does all other pending output work.
    #[inline(always)]
    pub(super) fn flush_output(&self, reactor: &Reactor) {
        let sent = self.send_queued(reactor);
        let stream = self.inner();
        if !stream.state.get().has_plain_output() || stream.extras.get().is_some() {
            self.after_write(reactor, sent);
        }
    }

    /// The rest of [`flush_output`](Self::flush_output), for streams that may have more to do than to send.
    #[inline(never)]
    fn after_write(&self, reactor: &Reactor, sent: bool) {
        if sent {
            self.after_send(reactor);
        }
        let stream = self.inner();
        if !stream.state.get().has_plain_output() || stream.has_cold() {
            self.drive_output(reactor);
            stream.wake_output_waiter();
            // A connection that is closing will need it again.
            if stream.state.get().has_plain_output() {
                stream.release_cold();
            }
        }
    }

    /// Hands the connection over if requested, applies watermarks, calls producers, and ends the output when that is due.
    fn drive_output(&self, reactor: &Reactor) {
        let stream = self.inner();
        for round in 0..ROUNDS_PER_TURN {
            if self.hand_over(reactor) || round > 0 {
                self.send(reactor);
            }
            let state = stream.state.get();
            if state.is_over() {
                return;
            }
            if state.is_handshaking() {
                self.handshake_or_give_up(reactor);
                let state = stream.state.get();
                if !state.is_handshaking() {
                    continue;
                }
                return match state.has_output_failed() {
                    true => self.drive_failed_output(reactor),
                    false => self.watch_linger(reactor, false),
                };
            }
            if state.is_above_high() {
                if stream.queued() <= stream.shared.config.low_watermark {
                    if stream.update(State::below_low) {
                        self.call_protocol(|protocol, transport| {
                            protocol.writing_resumed(transport)
                        });
                        continue;
                    }
                } else if stream.update(State::notify_writing_paused) {
                    self.call_protocol(|protocol, transport| protocol.writing_paused(transport));
                    continue;
                }
            }
            if state.has_output_failed() {
                return self.drive_failed_output(reactor);
            }
            if !stream.has_producers() {
                if stream.queued() == 0 {
                    self.output_drained(reactor);
                } else {
                    self.watch_linger(reactor, false);
                }
                return;
            }
            if !self.produce(reactor) {
                return self.watch_linger(reactor, false);
            }
        }
        if stream.update(State::ask_flush) {
            reactor.flush_later(stream.token);
        }
    }

    /// Output has failed. While input is paused or held and has unread data, the linger timeout runs. If there is no unread data,
    /// the connection is over.
    fn drive_failed_output(&self, reactor: &Reactor) {
        let stream = self.inner();
        if stream.has_producers() {
            // A producer that was running when the output failed.
            stream.defer_drop(stream.cold().producers.take());
        }
        let has_input = match stream.state.get().is_paused_or_held() {
            true => stream.has_unread(),
            false => !stream.is_input_exhausted(),
        };
        if has_input {
            self.watch_linger(reactor, false);
        } else {
            self.lose_failed(reactor);
        }
    }

    /// Writes until all is sent or the socket is full: one system call for everything that one callback has written.
    pub(super) fn send(&self, reactor: &Reactor) {
        if self.send_queued(reactor) {
            self.after_send(reactor);
        }
    }

    /// The same. Returns `true` if data was sent for which the caller has to call [`after_send`](Self::after_send).
    #[inline(always)]
    fn send_queued(&self, reactor: &Reactor) -> bool {
        let stream = self.inner();
        let Some(mut queue) = stream.queue.take() else { return false };
        // The common case: the queue is one piece, and the kernel accepts all of it.
        if stream.state.get().is_writable()
            && let Some(single_piece) = queue.single_piece()
        {
            let offered = single_piece.len();
            let written = stream.write(single_piece);
            if matches!(written, Ok(sent) if sent == offered) {
                queue.single_piece_sent();
                stream.shared.buffers.give_back(queue);
                reactor.meter().bytes_sent.add(offered as u64);
                return true;
            }
            self.written(reactor, &mut queue, written, offered);
        }
        self.send_rest(reactor, queue);
        false
    }

    /// Sends the rest of the queue segment by segment.
    #[inline(never)]
    fn send_rest(&self, reactor: &Reactor, mut queue: Box<Queue>) {
        let stream = self.inner();
        while stream.state.get().is_writable() && !queue.is_empty() {
            let mut slices = [IoSlice::new(&[]); SEGMENTS_PER_WRITE];
            let filled = queue.fill(&mut slices);
            let slices = &slices[..filled];
            let offered = slices.iter().map(|slice| slice.len()).sum();
            #[cfg(unix)]
            let written = {
                let (written, descriptors) = stream.write_with_descriptors(&queue, slices);
                queue.descriptors_sent(descriptors);
                written
            };
            #[cfg(not(unix))]
            let written = stream.write_vectored(slices);
            self.written(reactor, &mut queue, written, offered);
        }
        if queue.is_idle() {
            stream.shared.buffers.give_back(queue);
        } else {
            store_queue(&stream.queue, queue);
        }
    }

    /// Handles the result of one write that offered `offered` bytes.
    #[inline(never)]
    fn written(
        &self,
        reactor: &Reactor,
        queue: &mut Queue,
        written: io::Result<usize>,
        offered: usize,
    ) {
        let stream = self.inner();
        match written.map_err(map_in_progress) {
            Ok(sent) if sent > 0 => {
                queue.consume(sent);
                if sent < offered && SHORT_WRITE_FILLS {
                    stream.update(State::write_blocked);
                }
                self.sent(reactor, sent);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                stream.update(State::write_blocked);
            }
            // The caller writes again.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            written => {
                queue.clear();
                let error = written.err().unwrap_or_else(|| io::ErrorKind::WriteZero.into());
                self.output_failed(reactor, error);
            }
        }
    }

    pub(super) fn sent(&self, reactor: &Reactor, len: usize) {
        // A relay sends on this stream while the other one runs.
        reactor.count_sent(self.inner().token, len);
        self.after_send(reactor);
    }

    /// Resets the timers that count sent data.
    fn after_send(&self, reactor: &Reactor) {
        self.reset_idle_timer_sent(reactor);
        if !self.inner().state.get().is_open() {
            self.watch_linger(reactor, true);
        }
    }

    /// Calls the first producer until there is enough to send. Returns `false` if it produced nothing.
    fn produce(&self, reactor: &Reactor) -> bool {
        let stream = self.inner();
        let producers = &stream.cold().producers;
        let mut produced = false;
        for _ in 0..PIECES_PER_ROUND {
            if stream.queued() > stream.shared.config.low_watermark {
                break;
            }
            let Some(mut running) = producers.take_front() else {
                break;
            };
            stream.update(|state| state.set_producing(true));
            let status = running.producer().feed(reactor, self);
            stream.update(|state| state.set_producing(false));
            running.finish(status);
            produced |= status != FeedStatus::Full;
            if matches!(status, FeedStatus::Sent | FeedStatus::Full) || stream.state.get().is_over()
            {
                break;
            }
        }
        produced
    }

    fn output_drained(&self, reactor: &Reactor) {
        let stream = self.inner();
        if stream.has_holds() && self.move_away(reactor) {
            return;
        }
        let drained = stream.state.get().drained();
        match drained {
            Drained::Idle => {}
            Drained::Reset => self.reset_when_delivered(reactor),
            Drained::Finish => {
                let result = stream.with_socket(|socket| socket.finish_output());
                if !self.is_write_blocked(reactor, &result) {
                    self.lose_cleanly(reactor);
                }
            }
            Drained::EndOutput | Drained::Linger => {
                let closed = stream.with_socket(|socket| socket.close_write());
                if self.is_write_blocked(reactor, &closed) {
                    return;
                }
                stream.update(State::fin_sent);
                match closed {
                    Err(error) => self.output_failed(reactor, error),
                    Ok(()) if drained == Drained::EndOutput => {}
                    Ok(()) if stream.with_socket(|socket| socket.lingers()) => {
                        self.watch_linger(reactor, true)
                    }
                    Ok(()) => self.lose_cleanly(reactor),
                }
            }
        }
    }

    /// Whether the layer's closing message (close_notify) met a full socket. It is tried again when the socket is writable.
    fn is_write_blocked(&self, reactor: &Reactor, result: &io::Result<()>) -> bool {
        let is_write_blocked =
            result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        if is_write_blocked {
            self.inner().update(State::write_blocked);
            self.watch_linger(reactor, false);
        }
        is_write_blocked
    }
}

#[cfg(unix)]
impl Stream {
    /// One write, with the descriptors that belong to its first byte. Also returns how many of them were sent.
    fn write_with_descriptors(
        &self,
        queue: &Queue,
        slices: &[IoSlice<'_>],
    ) -> (io::Result<usize>, usize) {
        let descriptors = queue.front_descriptors();
        if descriptors.is_empty() {
            return (self.write_vectored(slices), 0);
        }
        let written =
            self.with_socket(|socket| socket.write_with_descriptors(slices, &descriptors));
        let sent = if written.is_ok() { descriptors.len() } else { 0 };
        (written, sent)
    }
}
