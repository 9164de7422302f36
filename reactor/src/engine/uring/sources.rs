//! What is registered with the io_uring engine, and where its completions go.

use std::{
    io,
    os::fd::{FromRawFd, OwnedFd, RawFd},
    rc::Rc,
    time::Duration,
};

use super::{
    super::{Completed, Duty, Event},
    buffers::BufferRing,
    came::{Arrivals, Came},
    ring::{Completion, Ring},
    source::{Kind, SLOTS_MAX, Source},
};
use crate::{
    error::RegisterError,
    handler::{Interest, Ready, Token},
};

/// See the head of this file.
pub(super) struct Sources {
    /// By the slot of the token: what has come for it is found without asking anybody for its descriptor.
    table: Vec<Source>,
    /// A bit for each descriptor that is registered.
    registered: Vec<u64>,
    /// Those of which something else is wanted than was asked for, perhaps.
    changed: Vec<Token>,
    arrivals: Arrivals,
}

impl Sources {
    pub(super) fn new(buffers: Rc<BufferRing>) -> Self {
        Self {
            table: Vec::new(),
            registered: Vec::new(),
            changed: Vec::new(),
            arrivals: Arrivals::new(buffers),
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
        if !wanted.is_read() {
            // What waits for a source that does not want it now must not hold the buffers of all.
            self.arrivals.keep(&mut source.came);
        }
        self.changes(token);
    }

    pub(super) fn set_duty(&mut self, token: Token, duty: Duty) {
        let Some(source) = find(&mut self.table, token) else { return };
        source.set_duty(duty);
        self.changes(token);
    }

    /// Whether there is an operation on it that has to end.
    pub(super) fn remove(&mut self, token: Token, ring: &mut Ring) -> bool {
        let Some(place) = find(&mut self.table, token) else { return false };
        let mut source = std::mem::replace(place, Source::NONE);
        let bit = source.fd() as usize;
        self.registered[bit / 64] &= !(1 << (bit % 64));
        while let Some(completed) = self.arrivals.take(&mut source.came) {
            if let Completed::Accepted(socket) = &completed {
                turn_away(socket);
            }
        }
        source.end(token, ring)
    }

    /// Asks for what is wanted, and has what is not wanted any more end.
    pub(super) fn ask(&mut self, ring: &mut Ring) {
        for token in self.changed.drain(..) {
            if let Some(source) = find(&mut self.table, token) {
                source.ask(token, ring);
            }
        }
    }

    /// What has come, the first of it.
    #[inline]
    pub(super) fn take_completed(&mut self, token: Token) -> Option<Completed> {
        let source = find(&mut self.table, token)?;
        self.arrivals.take(&mut source.came)
    }

    /// Takes note of a completion if it is what most are: bytes for somebody who wants them, and more to follow.
    #[inline]
    pub(super) fn received(&mut self, completion: &Completion, events: &mut Vec<Event>) -> bool {
        if completion.goes_on()
            && completion.result > 0
            && let Some(token) = Kind::Receive.token_in(completion.user_data)
            && let Some(buffer) = completion.buffer()
            && let Some(source) = find(&mut self.table, token)
            && source.wants_read()
        {
            // SAFETY: this completion has named it, and is seen once.
            let came = unsafe { Came::filled(buffer, completion.result as usize) };
            if source.came.is_nothing() {
                source.came = came;
                source.tell(token, Ready::READ, events);
            } else {
                self.arrivals.push(&mut source.came, came);
            }
            return true;
        }
        false
    }

    /// Takes note of any completion, and tells of it if there is something to tell.
    #[inline(never)]
    pub(super) fn completed(&mut self, completion: Completion, events: &mut Vec<Event>) {
        let (kind, token) = Kind::from_user_data(completion.user_data);
        let Some(source) = find(&mut self.table, token) else {
            return self.came_for_nobody(kind, completion);
        };
        let mut is_to_be_asked = !completion.goes_on() && source.operation_ended(kind);
        match kind {
            Kind::PollInput => source.input_polled(token, completion.result, events),
            Kind::PollOutput => {
                source.output_polled(token, completion.result, events);
                is_to_be_asked = true;
            }
            Kind::Receive | Kind::Accept => {
                let mut came = what_came(kind, completion, &self.arrivals);
                if !source.wants_read() {
                    came = self.arrivals.kept(came);
                }
                if came.is_last() {
                    source.set_over();
                }
                if !came.is_nothing() {
                    if source.came.is_nothing() {
                        source.tell(token, Ready::READ, events);
                    }
                    self.arrivals.push(&mut source.came, came);
                }
            }
        }
        if is_to_be_asked && source.changes() {
            self.changed.push(token);
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
fn find(table: &mut [Source], token: Token) -> Option<&mut Source> {
    table.get_mut(token.slot()).filter(|source| source.is_of(token))
}

/// What the completion of a receive or an accept means; nothing, if the operation was ended or only has to be asked again. The
/// buffer that it names is in that, or is given back.
fn what_came(kind: Kind, completion: Completion, arrivals: &Arrivals) -> Came {
    let (result, buffer) = (completion.result, completion.buffer());
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
