//! The sources registered with the io_uring engine, and the routing of completions to them.

use std::{
    io,
    os::fd::{FromRawFd, OwnedFd, RawFd},
    rc::Rc,
    time::Duration,
};

use super::{
    super::{Completion, DeliveryMode, Event},
    buffers::BufferRing,
    completions::{Pending, PendingStore},
    ring::{CompletionEntry, Ring},
    source::{Kind, SLOTS_MAX, Source},
};
use crate::{
    error::RegisterError,
    handler::{Interest, Token},
};

/// The registered sources.
pub(super) struct Sources {
    /// By the slot of the token, so that a completion finds its source without its descriptor.
    table: Vec<Source>,
    /// A bit for each registered descriptor.
    registered: Vec<u64>,
    /// Sources whose interest may differ from their operations in flight.
    changed: Changed,
    store: PendingStore,
}

impl Sources {
    pub(super) fn new(buffers: Rc<BufferRing>) -> Self {
        Self {
            table: Vec::new(),
            registered: Vec::new(),
            changed: Changed::default(),
            store: PendingStore::new(buffers),
        }
    }

    pub(super) fn insert(
        &mut self,
        fd: RawFd,
        token: Token,
        interest: Interest,
    ) -> Result<(), RegisterError> {
        let at = token.slot();
        if at >= SLOTS_MAX {
            return Err(RegisterError::TooManyHandlers { limit: SLOTS_MAX });
        }
        let bits = usize::try_from(fd).map_err(|_| io::Error::from_raw_os_error(libc::EBADF))?;
        if bits / 64 >= self.registered.len() {
            self.registered.resize(bits / 64 + 1, 0);
        }
        let (bits, bit) = (&mut self.registered[bits / 64], 1 << (bits % 64));
        if *bits & bit != 0 {
            return Err(RegisterError::AlreadyRegistered { fd });
        }
        *bits |= bit;
        if at >= self.table.len() {
            self.table.resize_with(at + 1, || Source::NONE);
        }
        self.table[at] = Source::new(fd, token, interest);
        self.changed.make_room(self.table.len());
        self.mark_changed(token);
        Ok(())
    }

    fn mark_changed(&mut self, token: Token) {
        if find(&mut self.table, token).is_some_and(Source::mark_changed) {
            self.changed.push(token);
        }
    }

    pub(super) fn set_interest(&mut self, token: Token, interest: Interest) {
        let Some(source) = find(&mut self.table, token) else { return };
        if source.interest() == interest {
            return;
        }
        source.set_interest(interest);
        source.free_buffer(&mut self.store);
        self.mark_changed(token);
    }

    pub(super) fn set_delivery_mode(&mut self, token: Token, mode: DeliveryMode) {
        let Some(source) = find(&mut self.table, token) else { return };
        source.set_delivery_mode(mode);
        self.mark_changed(token);
    }

    /// Returns whether the cancellations must be submitted at once.
    pub(super) fn remove(&mut self, token: Token, closing: bool, ring: &mut Ring) -> bool {
        let Some(place) = find(&mut self.table, token) else { return false };
        let mut source = std::mem::replace(place, Source::NONE);
        let bit = source.fd() as usize;
        self.registered[bit / 64] &= !(1 << (bit % 64));
        self.discard(source.take());
        source.cancel_all(token, closing, ring)
    }

    /// Drops a completion that will not be collected.
    fn discard(&mut self, pending: Pending) {
        if let Some(Completion::Accepted(socket)) = self.store.complete(pending) {
            reset_on_close(&socket);
        }
    }

    /// Submits what is wanted, and cancels what is not wanted any more.
    pub(super) fn submit(&mut self, ring: &mut Ring) {
        for &token in &self.changed.0 {
            if let Some(source) = find(&mut self.table, token) {
                source.submit(token, ring);
            }
        }
        self.changed.0.clear();
    }

    pub(super) fn is_input_in_flight(&mut self, token: Token) -> bool {
        find(&mut self.table, token).is_some_and(|source| source.is_input_in_flight())
    }

    /// Collects the pending completion of a source, which then has credit again.
    #[inline]
    pub(super) fn take_completion(&mut self, token: Token) -> Option<Completion> {
        let source = find(&mut self.table, token)?;
        let pending = source.take();
        if pending.is_nothing() {
            return None;
        }
        if source.mark_changed() {
            // Queued after the sources that have found no buffer since: they come first next time.
            self.changed.push(token);
        }
        self.store.complete(pending)
    }

    /// Routes a completion to its source, and reports an event if there is news.
    #[inline]
    pub(super) fn completed(&mut self, completion: CompletionEntry, events: &mut Vec<Event>) {
        // The common case: bytes.
        if completion.result > 0
            && let Some(token) = Kind::Receive.token_in(completion.user_data)
            && let Some(buffer) = completion.buffer()
            && let Some(source) = find(&mut self.table, token)
        {
            let len = completion.result as usize;
            // SAFETY: this completion has named the buffer, and is seen once.
            let pending = unsafe { Pending::filled(buffer, len) };
            source.received(token, len, pending, events);
            return source.free_buffer(&mut self.store);
        }
        self.completed_slow(completion, events);
    }

    #[inline(never)]
    fn completed_slow(&mut self, completion: CompletionEntry, events: &mut Vec<Event>) {
        let (kind, token) = Kind::from_user_data(completion.user_data);
        let Some(source) = find(&mut self.table, token) else {
            // The source has been deregistered.
            let pending = into_pending(kind, completion, &self.store);
            return self.discard(pending);
        };
        let mut resubmit = !completion.has_more() && source.operation_ended(kind);
        match kind {
            Kind::PollInput => source.input_polled(token, completion.result, events),
            Kind::PollOutput => {
                source.output_polled(token, completion.result, events);
                resubmit = true;
            }
            Kind::Receive | Kind::Accept => {
                if completion.result == -libc::ENOBUFS {
                    source.found_no_buffer();
                }
                let pending = into_pending(kind, completion, &self.store);
                if pending.is_last() {
                    source.set_input_done();
                }
                if !pending.is_nothing() {
                    source.store(token, pending, events);
                    resubmit = false;
                }
            }
        }
        if resubmit && source.mark_changed() {
            self.changed.push(token);
        }
    }
}

/// The list of changed sources. Each source is in it at most once, by its `CHANGED` bit; deregistered ones stay in it.
/// A push is on the hot path of every message and never allocates: capacity is reserved when a source is registered.
#[derive(Default)]
struct Changed(Vec<Token>);

impl Changed {
    /// Reserves capacity for `sources` more tokens.
    fn make_room(&mut self, sources: usize) {
        self.0.reserve(sources);
    }

    #[inline]
    fn push(&mut self, token: Token) {
        let len = self.0.len();
        assert!(len < self.0.capacity(), "capacity is reserved for every source");
        // SAFETY: the capacity was just checked, and everything below the new length is initialised.
        unsafe {
            self.0.as_mut_ptr().add(len).write(token);
            self.0.set_len(len + 1);
        }
    }
}

impl Drop for Sources {
    /// Pending completions own descriptors.
    fn drop(&mut self) {
        for source in &mut self.table {
            drop(self.store.complete(source.take()));
        }
    }
}

#[inline]
fn find(table: &mut [Source], token: Token) -> Option<&mut Source> {
    table.get_mut(token.slot()).filter(|source| source.is_of(token))
}

/// The pending completion made from a completion queue entry; nothing, if the operation was a poll, was cancelled, or
/// has to be resubmitted. Its buffer is moved into the result, or recycled.
fn into_pending(kind: Kind, completion: CompletionEntry, store: &PendingStore) -> Pending {
    let (result, buffer) = (completion.result, completion.buffer());
    if matches!(kind, Kind::PollInput | Kind::PollOutput) {
        return Pending::NOTHING;
    }
    if result > 0
        && kind == Kind::Receive
        && let Some(buffer) = buffer
    {
        // SAFETY: this completion has named the buffer, and is seen once.
        return unsafe { Pending::filled(buffer, result as usize) };
    }
    if let Some(buffer) = buffer {
        store.recycle(buffer);
    }
    match -result {
        // More buffers are provided from now on, up to the maximum; all are recycled by the callbacks of this turn.
        libc::ENOBUFS => {
            store.note_exhausted();
            Pending::NOTHING
        }
        libc::ECANCELED | libc::EINTR | libc::EAGAIN => Pending::NOTHING,
        error if error > 0 => Pending::failed(error),
        _ if kind == Kind::Accept => Pending::accepted(accepted(result)),
        0 => Pending::END,
        // Bytes without a buffer: impossible.
        _ => Pending::NOTHING,
    }
}

fn accepted(fd: i32) -> OwnedFd {
    // SAFETY: the kernel has just opened this descriptor for us, and reports it once, here.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// The connection will not be served: closing it resets it, as the close of its listener would.
fn reset_on_close(socket: &OwnedFd) {
    if let Err(error) = rustix::net::sockopt::set_socket_linger(socket, Some(Duration::ZERO)) {
        tracing::debug!(%error, "cannot set SO_LINGER; closing a connection without a reset");
    }
}
