//! What tasks need from the output of a stream: to wait until it has room, is sent, or has ended, and to send at once. At most one
//! task waits at a time. Public calls are in `async_io/`.

use std::{
    io,
    task::{Context, Poll, Waker},
};

use sinew_reactor::{Deferred, Promise, SHORT_WRITE_FILLS};

use super::{Stream, state::State};
use crate::{
    Transport,
    buffers::{Buffers, store_queue},
};

/// What a task waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// The queue is not above its high watermark.
    Room,
    /// Everything queued has been handed to the kernel.
    Sent,
    /// The end of the output (FIN) has been sent.
    End,
}

/// The task that waits.
pub(super) struct OutputWaiter {
    awaited: Awaited,
    waker: Waker,
}

impl Stream {
    /// Ready once the output has got that far, or can get no further.
    pub(crate) fn poll_output(&self, awaited: Awaited, context: &Context<'_>) -> Poll<()> {
        if self.has_reached(awaited) {
            return Poll::Ready(());
        }
        let place = &self.cold().output_waiter;
        let waker = match place.take() {
            Some(waiter) if waiter.waker.will_wake(context.waker()) => waiter.waker,
            _ => context.waker().clone(),
        };
        place.set(Some(OutputWaiter { awaited, waker }));
        Poll::Pending
    }

    fn has_reached(&self, awaited: Awaited) -> bool {
        let state = self.state.get();
        if state.is_over() || state.has_output_failed() {
            return true;
        }
        match awaited {
            Awaited::Room => !state.is_above_high(),
            Awaited::Sent => self.queued() == 0 && !self.has_producers(),
            Awaited::End => state.has_sent_fin(),
        }
    }

    /// Wakes the task if what it waits for has come.
    pub(super) fn wake_output_waiter(&self) {
        let Some(cold) = self.cold_if_any() else { return };
        let Some(waiter) = cold.output_waiter.take() else { return };
        if self.has_reached(waiter.awaited) {
            waiter.waker.wake();
        } else {
            cold.output_waiter.set(Some(waiter));
        }
    }

    /// Why the output has failed or the connection is lost, if it is, and not cleanly.
    pub(crate) fn output_error(&self) -> Option<io::Error> {
        let place = &self.cold_if_any()?.reason;
        let reason = place.take()?;
        let error = (!reason.is_clean()).then(|| (&reason).into());
        place.set(Some(reason));
        error
    }

    /// Whether more than the high watermark is queued, or was and has not fallen to the low one since.
    #[inline]
    pub(crate) fn is_above_high(&self) -> bool {
        self.state.get().is_above_high()
    }

    /// The buffers of its reactor.
    #[inline]
    pub(crate) fn buffers(&self) -> &Buffers {
        &self.shared.buffers
    }

    /// A promise of its reactor.
    pub(crate) fn promise(&self) -> (Promise<()>, Deferred<()>) {
        self.shared.reactor.promise()
    }

    /// Whether this stream, by its configuration, stops reading while it is above its high watermark.
    pub(crate) fn is_auto_pause_configured(&self) -> bool {
        self.shared.config.auto_pause
    }
}

impl Transport {
    /// Sends what is queued at once, without waiting for the event loop, where that is one write to a plain TCP socket. Otherwise
    /// the event loop sends it.
    pub(crate) fn flush_directly(&self) {
        let stream = self.inner();
        if !stream.state.get().may_write_directly() || stream.has_producers() {
            return;
        }
        let Some(reactor) = stream.reactor() else { return };
        let Some(mut queue) = stream.queue.take() else { return };
        let Some(piece) = queue.single_piece() else { return store_queue(&stream.queue, queue) };
        let (offered, written) = (piece.len(), stream.write_directly(piece));
        match written {
            Some(Ok(sent)) => {
                if sent < offered && SHORT_WRITE_FILLS {
                    stream.update(State::write_blocked);
                }
                queue.consume(sent);
                reactor.count_sent(stream.token, sent);
                self.reset_idle_timer_sent(&reactor);
            }
            // The event loop tries again.
            None => {}
            Some(Err(error)) if super::commands::is_transient(&error) => {}
            // The kernel reports an error only once.
            Some(Err(error)) => {
                store_queue(&stream.queue, queue);
                return stream.output_failed(error);
            }
        }
        if queue.is_idle() {
            stream.shared.buffers.give_back(queue);
        } else {
            store_queue(&stream.queue, queue);
        }
    }
}
