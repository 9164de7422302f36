//! PendingKind is registered with the io_uring engine, and where its completions go.

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

/// See the head of this file.
pub(super) struct Sources {
    /// By the slot of the token: what has come for it is found without asking anybody for its descriptor.
    table: Vec<Source>,
    /// A bit for each descriptor that is registered.
    registered: Vec<u64>,
    /// Those of which something else is wanted than was asked for, perhaps.
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
        wanted: Interest,
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
        self.table[at] = Source::new(fd, token, wanted);
        self.changed.make_room(self.table.len());
        self.changes(token);
        Ok(())
    }

    fn changes(&mut self, token: Token) {
        if find(&mut self.table, token).is_some_and(Source::changes) {
            self.changed.push(token);
        }
    }

    pub(super) fn set_interest(&mut self, token: Token, wanted: Interest) {
        let Some(source) = find(&mut self.table, token) else { return };
        if source.wanted() == wanted {
            return;
        }
        source.set_wanted(wanted);
        source.free_buffer(&mut self.store);
        self.changes(token);
    }

    pub(super) fn set_delivery_mode(&mut self, token: Token, mode: DeliveryMode) {
        let Some(source) = find(&mut self.table, token) else { return };
        source.set_delivery_mode(mode);
        self.changes(token);
    }

    /// Whether the kernel has to hear of it at once.
    pub(super) fn remove(&mut self, token: Token, closing: bool, ring: &mut Ring) -> bool {
        let Some(place) = find(&mut self.table, token) else { return false };
        let mut source = std::mem::replace(place, Source::NONE);
        let bit = source.fd() as usize;
        self.registered[bit / 64] &= !(1 << (bit % 64));
        self.let_go(source.take());
        source.end(token, closing, ring)
    }

    /// Nobody will take it.
    fn let_go(&mut self, pending: Pending) {
        if let Some(Completion::Accepted(socket)) = self.store.into_completion(pending) {
            turn_away(&socket);
        }
    }

    /// Asks for what is wanted, and has what is not wanted any more end.
    pub(super) fn ask(&mut self, ring: &mut Ring) {
        for &token in &self.changed.0 {
            if let Some(source) = find(&mut self.table, token) {
                source.ask(token, ring);
            }
        }
        self.changed.0.clear();
    }

    /// TimeSource over what is held for a source, which so has credit again.
    #[inline]
    pub(super) fn take_completion(&mut self, token: Token) -> Option<Completion> {
        let source = find(&mut self.table, token)?;
        let pending = source.take();
        if pending.is_nothing() {
            return None;
        }
        if source.changes() {
            // Behind those that have found no buffer since: they come first next time.
            self.changed.push(token);
        }
        self.store.into_completion(pending)
    }

    /// Takes note of any completion, and tells of it if there is something to tell.
    #[inline]
    pub(super) fn completed(&mut self, completion: CompletionEntry, events: &mut Vec<Event>) {
        // The common case: bytes.
        if completion.result > 0
            && let Some(token) = Kind::Receive.token_in(completion.user_data)
            && let Some(buffer) = completion.buffer()
            && let Some(source) = find(&mut self.table, token)
        {
            let len = completion.result as usize;
            // SAFETY: this completion has named it, and is seen once.
            let pending = unsafe { Pending::filled(buffer, len) };
            source.received(token, len, pending, events);
            return source.free_buffer(&mut self.store);
        }
        self.completed_otherwise(completion, events);
    }

    #[inline(never)]
    fn completed_otherwise(&mut self, completion: CompletionEntry, events: &mut Vec<Event>) {
        let (kind, token) = Kind::from_user_data(completion.user_data);
        let Some(source) = find(&mut self.table, token) else {
            // It is gone.
            let pending = brought(kind, completion, &self.store);
            return self.let_go(pending);
        };
        let mut is_to_be_asked = !completion.goes_on() && source.operation_ended(kind);
        match kind {
            Kind::PollInput => source.input_polled(token, completion.result, events),
            Kind::PollOutput => {
                source.output_polled(token, completion.result, events);
                is_to_be_asked = true;
            }
            Kind::Receive | Kind::Accept => {
                if completion.result == -libc::ENOBUFS {
                    source.found_no_buffer();
                }
                let pending = brought(kind, completion, &self.store);
                if pending.is_last() {
                    source.set_over();
                }
                if !pending.is_nothing() {
                    source.hold(token, pending, events);
                    is_to_be_asked = false;
                }
            }
        }
        if is_to_be_asked && source.changes() {
            self.changed.push(token);
        }
    }
}

/// The list of sources to be looked at, each of which is in it once, as it knows itself. Those that went away since stay in it. A push
/// is on the path of every message, and never has to make room: that is done when a source comes.
#[derive(Default)]
struct Changed(Vec<Token>);

impl Changed {
    /// For each of so many sources, beside what is in it.
    fn make_room(&mut self, sources: usize) {
        self.0.reserve(sources);
    }

    #[inline]
    fn push(&mut self, token: Token) {
        let len = self.0.len();
        assert!(len < self.0.capacity(), "there is room for every source");
        // SAFETY: there is room, as was just seen, and what lies below the new length is initialised.
        unsafe {
            self.0.as_mut_ptr().add(len).write(token);
            self.0.set_len(len + 1);
        }
    }
}

impl Drop for Sources {
    /// PendingKind is held owns descriptors.
    fn drop(&mut self) {
        for source in &mut self.table {
            drop(self.store.into_completion(source.take()));
        }
    }
}

#[inline]
fn find(table: &mut [Source], token: Token) -> Option<&mut Source> {
    table.get_mut(token.slot()).filter(|source| source.is_of(token))
}

/// PendingKind a completion has brought; nothing, if the operation only watched, was ended, or has to be asked for again. The buffer that it
/// names is in that, or is given back.
fn brought(kind: Kind, completion: CompletionEntry, store: &PendingStore) -> Pending {
    let (result, buffer) = (completion.result, completion.buffer());
    if matches!(kind, Kind::PollInput | Kind::PollOutput) {
        return Pending::NOTHING;
    }
    if result > 0
        && kind == Kind::Receive
        && let Some(buffer) = buffer
    {
        // SAFETY: this completion has named it, and is seen once.
        return unsafe { Pending::filled(buffer, result as usize) };
    }
    if let Some(buffer) = buffer {
        store.give_back(buffer);
    }
    match -result {
        // More of them go round from now on, as long as there are more, and all come back with the callbacks of this turn.
        libc::ENOBUFS => {
            store.ran_out();
            Pending::NOTHING
        }
        libc::ECANCELED | libc::EINTR | libc::EAGAIN => Pending::NOTHING,
        error if error > 0 => Pending::failed(error),
        _ if kind == Kind::Accept => Pending::accepted(accepted(result)),
        0 => Pending::END,
        // Bytes without a buffer: there is no such thing.
        _ => Pending::NOTHING,
    }
}

fn accepted(fd: i32) -> OwnedFd {
    // SAFETY: the kernel has just made this descriptor for us and told it once, here.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Nobody is left to have it: its peer is told what it would have been told by a listener that is closed.
fn turn_away(socket: &OwnedFd) {
    if let Err(error) = rustix::net::sockopt::set_socket_linger(socket, Some(Duration::ZERO)) {
        tracing::debug!(%error, "SO_LINGER could not be set; closing without a reset");
    }
}
