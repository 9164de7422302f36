//! What is registered with the io_uring engine: what is wanted of each source, what the kernel has been asked for, and what has
//! come of it and waits to be taken.

use std::{
    io,
    os::fd::{FromRawFd, OwnedFd},
    time::Duration,
};

use slab::Slab;

use super::{
    super::{Completed, DescriptorId, Duty, Event, ReceivedBytes},
    Buffer, CANCELS,
    buffers::GROUP,
    ring::{Completion, Operation, Ring},
};
use crate::{
    error::RegisterError,
    handler::{Interest, Ready, Token},
};

/// Descriptors that `user_data` has room for.
const DESCRIPTORS_MAX: usize = 1 << 28;

/// No completion waits.
const NOTHING: u32 = u32::MAX;

/// The peer will send no more.
const PEER_CLOSED: i16 = libc::POLLRDHUP;

/// See the head of this file.
#[derive(Default)]
pub(super) struct Sources {
    /// By descriptor. The kernel gives out the lowest number that is free, so an array is the smallest map there is.
    table: Vec<Option<Source>>,
    /// Those of which something else is wanted than was asked for, perhaps.
    changed: Vec<(DescriptorId, Token)>,
    /// What has come, a chain for each source.
    arrived: Slab<Arrived>,
}

struct Source {
    token: Token,
    duty: Duty,
    wanted: Interest,
    is_changed: bool,
    /// The operation on the input that the kernel has.
    input: Option<Duty>,
    input_ends: bool,
    /// The watch on the output that the kernel has.
    output: Option<Watch>,
    output_ends: bool,
    /// How the output is to be watched.
    output_watch: Watch,
    /// The input has ended or failed: there is nothing more to ask for.
    is_over: bool,
    first: u32,
    last: u32,
    /// Where among the events of a wait its own lies, if it is there.
    event: u32,
}

/// A watch on the output also completes when the peer has closed its side, whether or not there is room; the kernel has no way to
/// say that this is not wanted. Asked again and again, it would never let the loop sleep. So it is watched for changes from
/// then on, until there is room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watch {
    Level,
    Edge,
}

struct Arrived {
    what: Completed,
    next: u32,
}

/// Which operation of a source.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    PollInput,
    PollOutput,
    Receive,
    Accept,
}

impl Kind {
    const fn of(duty: Duty) -> Self {
        match duty {
            Duty::Tell => Self::PollInput,
            Duty::Receive => Self::Receive,
            Duty::Accept => Self::Accept,
        }
    }

    /// 32 bits for the generation of the token, 4 for the kind, 28 for the descriptor.
    fn user_data(self, at: DescriptorId, token: Token) -> u64 {
        u64::from(token.generation()) << 32 | u64::from(self as u8) << 28 | at as u64
    }

    fn from_user_data(user_data: u64) -> (Self, usize, u32) {
        let kind = match (user_data >> 28) & 0xf {
            0 => Self::PollInput,
            1 => Self::PollOutput,
            2 => Self::Receive,
            _ => Self::Accept,
        };
        (kind, user_data as usize & (DESCRIPTORS_MAX - 1), (user_data >> 32) as u32)
    }
}

impl Sources {
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
            self.table.resize_with(at + 1, || None);
        }
        let id = at as DescriptorId;
        if self.table[at].is_some() {
            return Err(RegisterError::AlreadyRegistered { fd: id });
        }
        self.table[at] = Some(Source {
            token,
            duty: Duty::Tell,
            wanted,
            is_changed: true,
            input: None,
            input_ends: false,
            output: None,
            output_ends: false,
            output_watch: Watch::Level,
            is_over: false,
            first: NOTHING,
            last: NOTHING,
            event: 0,
        });
        self.changed.push((id, token));
        Ok(())
    }

    fn find(&mut self, id: DescriptorId, token: Token) -> Option<&mut Source> {
        let slot = self.table.get_mut(usize::try_from(id).ok()?)?;
        slot.as_mut().filter(|source| source.token == token)
    }

    fn changes(&mut self, id: DescriptorId, token: Token) {
        if let Some(source) = self.find(id, token)
            && !std::mem::replace(&mut source.is_changed, true)
        {
            self.changed.push((id, token));
        }
    }

    pub(super) fn set_interest(&mut self, id: DescriptorId, token: Token, wanted: Interest) {
        let Some(source) = self.find(id, token) else { return };
        if source.wanted == wanted {
            return;
        }
        source.wanted = wanted;
        let mut held = if wanted.is_read() { NOTHING } else { source.first };
        // What waits for a source that does not want it now must not hold the buffers of all.
        while let Some(arrived) = self.arrived.get_mut(held as usize) {
            arrived.what.let_go_of_buffer();
            held = arrived.next;
        }
        self.changes(id, token);
    }

    pub(super) fn set_duty(&mut self, id: DescriptorId, token: Token, duty: Duty) {
        let Some(source) = self.find(id, token) else { return };
        source.duty = duty;
        source.is_over = false;
        self.changes(id, token);
    }

    /// Whether there is an operation on it that has to end.
    pub(super) fn remove(&mut self, id: DescriptorId, token: Token, ring: &mut Ring) -> bool {
        if self.find(id, token).is_none() {
            return false;
        }
        let Some(mut source) = self.table[id as usize].take() else { return false };
        source.wanted = Interest::NONE;
        source.ask_input(id, ring);
        source.ask_output(id, ring);
        let mut next = source.first;
        while let Some(arrived) = self.arrived.try_remove(next as usize) {
            next = arrived.next;
            if let Completed::Accepted(socket) = &arrived.what {
                turn_away(socket);
            }
        }
        source.input_ends || source.output_ends
    }

    /// Asks for what is wanted, and has what is not wanted any more end.
    pub(super) fn ask(&mut self, ring: &mut Ring) {
        let mut changed = std::mem::take(&mut self.changed);
        for (id, token) in changed.drain(..) {
            if let Some(source) = self.find(id, token) {
                source.is_changed = false;
                source.ask_input(id, ring);
                source.ask_output(id, ring);
            }
        }
        self.changed = changed;
    }

    /// What has come, the first of it.
    pub(super) fn take_completed(&mut self, id: DescriptorId, token: Token) -> Option<Completed> {
        let slot = self.table.get_mut(usize::try_from(id).ok()?)?;
        let source = slot.as_mut().filter(|source| source.token == token)?;
        let arrived = self.arrived.try_remove(source.first as usize)?;
        source.first = arrived.next;
        let mut what = arrived.what;
        if let Completed::Received { more, .. } = &mut what {
            *more = source.first != NOTHING;
        }
        Some(what)
    }

    /// Takes note of a completion, and tells of it if there is something to tell.
    pub(super) fn completed(
        &mut self,
        completion: Completion,
        received: Option<Buffer>,
        events: &mut Vec<Event>,
    ) {
        let Completion { user_data, result, more, .. } = completion;
        let (kind, at, generation) = Kind::from_user_data(user_data);
        let slot = self.table.get_mut(at).and_then(Option::as_mut);
        let Some(source) = slot.filter(|source| source.token.generation() == generation) else {
            if kind == Kind::Accept && result >= 0 {
                turn_away(&accepted(result));
            }
            return;
        };
        let token = source.token;
        if !more {
            let wants_more = source.operation_ended(kind);
            if wants_more && !std::mem::replace(&mut source.is_changed, true) {
                self.changed.push((at as DescriptorId, token));
            }
        }
        match kind {
            Kind::PollInput => source.input_polled(result, events),
            Kind::PollOutput => {
                source.output_polled(result, events);
                self.changes(at as DescriptorId, token);
            }
            Kind::Receive | Kind::Accept => {
                if let Some(what) = what_came(kind, result, received) {
                    self.arrive(at, what, events);
                }
            }
        }
    }

    /// Puts something behind what has come already, and tells if that is news.
    fn arrive(&mut self, at: usize, mut what: Completed, events: &mut Vec<Event>) {
        let Some(source) = self.table[at].as_mut() else { return };
        if !source.wanted.is_read() {
            what.let_go_of_buffer();
        }
        source.is_over |= matches!(what, Completed::End | Completed::Failed(_));
        let new = self.arrived.insert(Arrived { what, next: NOTHING }) as u32;
        if source.first == NOTHING {
            source.first = new;
            source.tell(Ready::READ, events);
        } else {
            self.arrived[source.last as usize].next = new;
        }
        source.last = new;
    }
}

impl Source {
    fn ask_input(&mut self, id: DescriptorId, ring: &mut Ring) {
        let wanted = self.wanted.is_read() && !self.is_over;
        match self.input {
            None if wanted => {
                let operation = match self.duty {
                    Duty::Tell => Operation::Poll { mask: (libc::POLLIN | PEER_CLOSED) as u32 },
                    Duty::Receive => Operation::Receive { group: GROUP },
                    Duty::Accept => Operation::Accept,
                };
                ring.ask(id, operation, Kind::of(self.duty).user_data(id, self.token));
                self.input = Some(self.duty);
            }
            Some(duty) if !self.input_ends && (!wanted || duty != self.duty) => {
                ring.cancel(Kind::of(duty).user_data(id, self.token), CANCELS);
                self.input_ends = true;
            }
            _ => {}
        }
    }

    fn ask_output(&mut self, id: DescriptorId, ring: &mut Ring) {
        let user_data = Kind::PollOutput.user_data(id, self.token);
        match self.output {
            None if self.wanted.is_write() => {
                let operation = match self.output_watch {
                    Watch::Level => Operation::Poll { mask: libc::POLLOUT as u32 },
                    Watch::Edge => Operation::PollChanges { mask: libc::POLLOUT as u32 },
                };
                ring.ask(id, operation, user_data);
                self.output = Some(self.output_watch);
            }
            Some(watch)
                if !self.output_ends && (!self.wanted.is_write() || watch != self.output_watch) =>
            {
                ring.cancel(user_data, CANCELS);
                self.output_ends = true;
            }
            _ => {}
        }
    }

    /// The kernel has said its last word on an operation. Whether it is to be asked again.
    fn operation_ended(&mut self, kind: Kind) -> bool {
        if kind == Kind::PollOutput {
            (self.output, self.output_ends) = (None, false);
            self.wanted.is_write()
        } else {
            (self.input, self.input_ends) = (None, false);
            self.wanted.is_read()
        }
    }

    fn input_polled(&mut self, result: i32, events: &mut Vec<Event>) {
        if result != -libc::ECANCELED && self.wanted.is_read() {
            let closed = flags(result) & (libc::POLLHUP | PEER_CLOSED) != 0;
            let closed = if closed { Ready::READ_CLOSED } else { Ready::NONE };
            self.tell(Ready::READ | closed, events);
        }
    }

    fn output_polled(&mut self, result: i32, events: &mut Vec<Event>) {
        if result == -libc::ECANCELED {
            return;
        }
        let has_room = flags(result) & !PEER_CLOSED != 0;
        self.output_watch = if has_room { Watch::Level } else { Watch::Edge };
        if has_room && self.wanted.is_write() {
            self.tell(Ready::WRITE, events);
        }
    }

    /// One event a wait.
    fn tell(&mut self, ready: Ready, events: &mut Vec<Event>) {
        if let Some(event) = events.get_mut(self.event as usize)
            && event.token == self.token
        {
            event.ready = event.ready | ready;
        } else {
            self.event = events.len() as u32;
            events.push(Event { token: self.token, ready });
        }
    }
}

/// What a watch has seen. Errors and hang-ups come unasked, and the next system call says what they mean: also that of a watch
/// which failed.
fn flags(result: i32) -> i16 {
    if result < 0 { libc::POLLERR } else { result as i16 }
}

/// What the completion of a receive or an accept means; nothing, if the operation was ended or only has to be asked again.
fn what_came(kind: Kind, result: i32, received: Option<Buffer>) -> Option<Completed> {
    match -result {
        // Buffers come back with the callbacks of this turn.
        libc::ECANCELED | libc::ENOBUFS | libc::EINTR | libc::EAGAIN => None,
        error if error > 0 => Some(Completed::Failed(io::Error::from_raw_os_error(error))),
        _ if kind == Kind::Accept => Some(Completed::Accepted(accepted(result))),
        0 => Some(Completed::End),
        _ => {
            let bytes = ReceivedBytes::in_ring(received?);
            Some(Completed::Received { bytes, more: false })
        }
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
