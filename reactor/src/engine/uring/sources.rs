//! What is registered with the io_uring engine, by descriptor, and where its completions go.

use std::{
    os::fd::{FromRawFd, OwnedFd},
    rc::Rc,
    time::Duration,
};

use super::{
    super::{Completed, DescriptorId, Duty, Event},
    buffers::BufferRing,
    came::{Arrivals, Came},
    ring::{Completion, Ring},
    source::{DESCRIPTORS_MAX, Kind, Source},
};
use crate::{
    error::RegisterError,
    handler::{Interest, Ready, Token},
};

/// See the head of this file.
pub(super) struct Sources {
    /// By descriptor. The kernel gives out the lowest number that is free, so an array is the smallest map there is.
    table: Vec<Source>,
    /// Those of which something else is wanted than was asked for, perhaps.
    changed: Vec<(DescriptorId, Token)>,
    arrivals: Arrivals,
}

impl Sources {
    pub(super) fn new(buffers: Rc<BufferRing>) -> Self {
        Self { table: Vec::new(), changed: Vec::new(), arrivals: Arrivals::new(buffers) }
    }

    pub(super) fn insert(
        &mut self,
        at: usize,
        token: Token,
        wanted: Interest,
    ) -> Result<(), RegisterError> {
        if at >= DESCRIPTORS_MAX {
            return Err(RegisterError::TooManyHandlers { limit: DESCRIPTORS_MAX });
        }
        if at >= self.table.len() {
            self.table.resize_with(at + 1, || Source::NONE);
        }
        let id = at as DescriptorId;
        if !self.table[at].is_none() {
            return Err(RegisterError::AlreadyRegistered { fd: id });
        }
        self.table[at] = Source::new(token, wanted);
        self.changes(id, token);
        Ok(())
    }

    #[inline]
    fn find(&mut self, id: DescriptorId, token: Token) -> Option<&mut Source> {
        find(&mut self.table, id, token)
    }

    fn changes(&mut self, id: DescriptorId, token: Token) {
        if self.find(id, token).is_some_and(Source::changes) {
            self.changed.push((id, token));
        }
    }

    pub(super) fn set_interest(&mut self, id: DescriptorId, token: Token, wanted: Interest) {
        let Some(source) = find(&mut self.table, id, token) else { return };
        if source.wanted() == wanted {
            return;
        }
        source.set_wanted(wanted);
        if !wanted.is_read() {
            // What waits for a source that does not want it now must not hold the buffers of all.
            self.arrivals.keep(&mut source.came);
        }
        self.changes(id, token);
    }

    pub(super) fn set_duty(&mut self, id: DescriptorId, token: Token, duty: Duty) {
        let Some(source) = self.find(id, token) else { return };
        source.set_duty(duty);
        self.changes(id, token);
    }

    /// Whether there is an operation on it that has to end.
    pub(super) fn remove(&mut self, id: DescriptorId, token: Token, ring: &mut Ring) -> bool {
        let Some(place) = self.find(id, token) else { return false };
        let mut source = std::mem::replace(place, Source::NONE);
        while let Some(completed) = self.arrivals.take(&mut source.came) {
            if let Completed::Accepted(socket) = &completed {
                turn_away(socket);
            }
        }
        source.end(id, ring)
    }

    /// Asks for what is wanted, and has what is not wanted any more end.
    pub(super) fn ask(&mut self, ring: &mut Ring) {
        for (id, token) in self.changed.drain(..) {
            if let Some(source) = find(&mut self.table, id, token) {
                source.ask(id, ring);
            }
        }
    }

    /// What has come, the first of it.
    #[inline]
    pub(super) fn take_completed(&mut self, id: DescriptorId, token: Token) -> Option<Completed> {
        let source = find(&mut self.table, id, token)?;
        self.arrivals.take(&mut source.came)
    }

    /// Takes note of a completion, and tells of it if there is something to tell.
    #[inline]
    pub(super) fn completed(&mut self, completion: Completion, events: &mut Vec<Event>) {
        let (kind, at, generation) = Kind::from_user_data(completion.user_data);
        let Some(source) = self.table.get_mut(at).filter(|source| source.is_of(generation)) else {
            return self.came_for_nobody(kind, completion);
        };
        if !completion.more && source.operation_ended(kind) && source.changes() {
            self.changed.push((at as DescriptorId, source.token()));
        }
        // The common case.
        if kind == Kind::Receive
            && completion.result > 0
            && let Some(buffer) = completion.buffer
            && source.wants_read()
        {
            if source.came.is_nothing() {
                source.tell(Ready::READ, events);
            }
            // SAFETY: this completion has named it, and is seen once.
            let came = unsafe { Came::filled(buffer, completion.result as usize) };
            return self.arrivals.push(&mut source.came, came);
        }
        self.completed_otherwise(kind, at, completion, events);
    }

    #[inline(never)]
    fn completed_otherwise(
        &mut self,
        kind: Kind,
        at: usize,
        completion: Completion,
        events: &mut Vec<Event>,
    ) {
        let source = &mut self.table[at];
        match kind {
            Kind::PollInput => source.input_polled(completion.result, events),
            Kind::PollOutput => {
                source.output_polled(completion.result, events);
                if source.changes() {
                    self.changed.push((at as DescriptorId, source.token()));
                }
            }
            Kind::Receive | Kind::Accept => {
                let mut came = what_came(kind, completion, &self.arrivals);
                if came.is_nothing() {
                    return;
                }
                if !source.wants_read() {
                    came = self.arrivals.kept(came);
                }
                if came.is_last() {
                    source.set_over();
                }
                if source.came.is_nothing() {
                    source.tell(Ready::READ, events);
                }
                self.arrivals.push(&mut source.came, came);
            }
        }
    }

    /// Its source is gone.
    #[inline(never)]
    fn came_for_nobody(&mut self, kind: Kind, completion: Completion) {
        let mut came = match kind {
            Kind::PollInput | Kind::PollOutput => return,
            Kind::Receive | Kind::Accept => what_came(kind, completion, &self.arrivals),
        };
        if let Some(Completed::Accepted(socket)) = self.arrivals.take(&mut came) {
            turn_away(&socket);
        }
    }
}

impl Drop for Sources {
    /// What waits owns descriptors.
    fn drop(&mut self) {
        for source in &mut self.table {
            while self.arrivals.take(&mut source.came).is_some() {}
        }
    }
}

#[inline]
fn find(table: &mut [Source], id: DescriptorId, token: Token) -> Option<&mut Source> {
    table.get_mut(usize::try_from(id).ok()?).filter(|source| source.token() == token)
}

/// What the completion of a receive or an accept means; nothing, if the operation was ended or only has to be asked again. The
/// buffer that it names is in that, or is given back.
fn what_came(kind: Kind, completion: Completion, arrivals: &Arrivals) -> Came {
    let Completion { result, buffer, .. } = completion;
    if result > 0
        && kind == Kind::Receive
        && let Some(buffer) = buffer
    {
        // SAFETY: this completion has named it, and is seen once.
        return unsafe { Came::filled(buffer, result as usize) };
    }
    if let Some(buffer) = buffer {
        arrivals.give_back(buffer);
    }
    match -result {
        // More of them go round from now on, as long as there are more, and all come back with the callbacks of this turn.
        libc::ENOBUFS => {
            arrivals.ran_out();
            Came::NOTHING
        }
        libc::ECANCELED | libc::EINTR | libc::EAGAIN => Came::NOTHING,
        error if error > 0 => Came::failed(error),
        _ if kind == Kind::Accept => Came::accepted(accepted(result)),
        0 => Came::END,
        // Bytes without a buffer: there is no such thing.
        _ => Came::NOTHING,
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
