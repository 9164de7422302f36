//! The `select(2)` engine. Level-triggered: two bit sets are passed to the kernel in each wait, which leaves the ready
//! bits.
//!
//! Descriptors from `FD_SETSIZE` on are refused, even where the kernel would accept them: that is what users of
//! `select` expect, and programs with so many descriptors should use another engine.

use std::{io, os::fd::RawFd, sync::Arc, time::Duration};

use rustix::{
    event::{
        FdSetElement, FdSetIter, fd_set_bound, fd_set_insert, fd_set_num_elements, fd_set_remove,
    },
    io::Errno,
};

use super::{
    Descriptor, DescriptorId, Event, Notify, Poller,
    pipe::Pipe,
    poll::{check_open, timespec},
};
use crate::{
    error::RegisterError,
    handler::{Interest, Ready, Token},
};

/// The engine on select(2).
pub(super) struct SelectPoller {
    pipe: Arc<Pipe>,
    /// By descriptor.
    tokens: Vec<Option<Token>>,
    wanted: Sets,
    /// A copy of `wanted` for each call, in which the kernel clears the bits that are not ready.
    ready: Sets,
}

/// Two bit sets, with a bit for each descriptor.
struct Sets {
    reads: Box<[FdSetElement]>,
    writes: Box<[FdSetElement]>,
}

impl SelectPoller {
    pub(super) fn new() -> io::Result<Self> {
        let mut poller = Self {
            pipe: Pipe::new()?,
            tokens: Vec::new(),
            wanted: Sets::new(),
            ready: Sets::new(),
        };
        poller.register(poller.pipe.descriptor(), Token::ENGINE, Interest::READ)?;
        Ok(poller)
    }

    fn is_registered(&self, id: DescriptorId, token: Token) -> bool {
        usize::try_from(id).is_ok_and(|at| self.tokens.get(at) == Some(&Some(token)))
    }

    fn report(&self, (fd, ready): (RawFd, Ready), events: &mut Vec<Event>) {
        let token = self.tokens[fd as usize].expect("every descriptor in the sets is registered");
        if token == Token::ENGINE {
            self.pipe.drain();
        } else {
            events.push(Event { token, ready });
        }
    }
}

impl Poller for SelectPoller {
    fn is_edge_triggered(&self) -> bool {
        false
    }

    fn register(
        &mut self,
        source: Descriptor<'_>,
        token: Token,
        interest: Interest,
    ) -> Result<(), RegisterError> {
        if usize::try_from(source).is_ok_and(|at| at >= libc::FD_SETSIZE) {
            return Err(RegisterError::PastFdSetSize { fd: source, limit: libc::FD_SETSIZE });
        }
        let at = check_open(source)?;
        if at >= self.tokens.len() {
            self.tokens.resize(at + 1, None);
        }
        if self.tokens[at].is_some() {
            return Err(RegisterError::AlreadyRegistered { fd: source });
        }
        self.tokens[at] = Some(token);
        self.set_interest(source, token, interest);
        Ok(())
    }

    fn set_interest(&mut self, id: DescriptorId, token: Token, interest: Interest) {
        if self.is_registered(id, token) {
            set(&mut self.wanted.reads, id, interest.is_read());
            set(&mut self.wanted.writes, id, interest.is_write());
        }
    }

    fn deregister(&mut self, id: DescriptorId, token: Token, _closing: bool) -> io::Result<()> {
        if self.is_registered(id, token) {
            self.set_interest(id, token, Interest::NONE);
            self.tokens[id as usize] = None;
        }
        Ok(())
    }

    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        let timeout = timeout.map(timespec);
        let bound = fd_set_bound(&self.wanted.reads).max(fd_set_bound(&self.wanted.writes));
        let words = fd_set_num_elements(libc::FD_SETSIZE, bound);
        let (reads, writes) = (&mut self.ready.reads[..words], &mut self.ready.writes[..words]);
        reads.copy_from_slice(&self.wanted.reads[..words]);
        writes.copy_from_slice(&self.wanted.writes[..words]);
        // SAFETY: both sets have a bit for each descriptor below `bound`. Those whose bits are set are open, by rule 4
        // of the contract; select(2) neither closes nor alters them, and returns EBADF if one is closed after all.
        let result = unsafe {
            rustix::event::select(bound, Some(reads), Some(writes), None, timeout.as_ref())
        };
        match result {
            Ok(_) => members(&self.ready.reads[..words], &self.ready.writes[..words])
                .for_each(|ready| self.report(ready, events)),
            Err(Errno::INTR) => {}
            // A source was closed too early. That must not fail all the others: report it as ready, so that its handler
            // gets the error from its own next system call, as poll(2) would by POLLNVAL.
            Err(Errno::BADF) => members(&self.wanted.reads, &self.wanted.writes)
                .filter(|&(fd, _)| check_open(fd).is_err())
                .for_each(|closed| self.report(closed, events)),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn call(&self) -> &'static str {
        "select"
    }

    fn notifier(&self) -> Arc<dyn Notify> {
        Arc::clone(&self.pipe) as Arc<dyn Notify>
    }
}

impl Sets {
    fn new() -> Self {
        let words = fd_set_num_elements(libc::FD_SETSIZE, libc::FD_SETSIZE as RawFd);
        let none = vec![FdSetElement::default(); words].into_boxed_slice();
        Self { reads: none.clone(), writes: none }
    }
}

fn set(bits: &mut [FdSetElement], fd: RawFd, is_wanted: bool) {
    if is_wanted {
        fd_set_insert(bits, fd);
    } else {
        fd_set_remove(bits, fd);
    }
}

/// The descriptors in either set, in rising order, and which sets they are in. Skips zero words.
fn members(
    reads: &[FdSetElement],
    writes: &[FdSetElement],
) -> impl Iterator<Item = (RawFd, Ready)> {
    let mut reads = FdSetIter::new(reads).peekable();
    let mut writes = FdSetIter::new(writes).peekable();
    std::iter::from_fn(move || {
        let fd = *reads.peek().into_iter().chain(writes.peek()).min()?;
        let mut ready = Ready::NONE;
        if reads.next_if_eq(&fd).is_some() {
            ready = ready | Ready::READ;
        }
        if writes.next_if_eq(&fd).is_some() {
            ready = ready | Ready::WRITE;
        }
        Some((fd, ready))
    })
}

#[cfg(test)]
mod tests {
    use std::os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    };

    use rustix::{
        io::fcntl_dupfd_cloexec,
        process::{Resource, getrlimit, setrlimit},
    };

    use super::*;

    /// A duplicate of `fd` with a number from `least` on, if the system permits it.
    fn duplicate_from(fd: BorrowedFd<'_>, least: usize) -> Option<OwnedFd> {
        let needed = Some(least as u64 + 64);
        let mut files = getrlimit(Resource::Nofile);
        if files.current.is_some() && files.current < needed {
            files.current = needed;
            setrlimit(Resource::Nofile, files).ok()?;
        }
        Some(fcntl_dupfd_cloexec(fd, least as RawFd).expect("within the limit"))
    }

    #[test]
    fn descriptors_past_fd_setsize_are_refused() {
        let limit = libc::FD_SETSIZE;
        let mut poller = SelectPoller::new().unwrap();
        let mut assert_refused = |fd: RawFd| {
            let answer = poller.register(fd, Token::new(1, 1), Interest::BOTH);
            assert!(
                matches!(answer, Err(RegisterError::PastFdSetSize { fd: f, limit: l }) if f == fd && l == limit),
                "{answer:?}"
            );
        };
        assert_refused(limit as RawFd);
        assert_refused(RawFd::MAX);

        let (near, _far) = UnixStream::pair().unwrap();
        let Some(high) = duplicate_from(near.as_fd(), limit) else {
            return; // This system permits no such descriptor.
        };
        assert_refused(high.as_raw_fd());
    }

    #[test]
    fn the_highest_descriptor_below_fd_setsize_works() {
        let (near, _far) = UnixStream::pair().unwrap();
        let Some(last) = duplicate_from(near.as_fd(), libc::FD_SETSIZE - 1) else {
            return;
        };
        let mut poller = SelectPoller::new().unwrap();
        let token = Token::new(1, 1);
        poller.register(last.as_raw_fd(), token, Interest::BOTH).unwrap();
        let mut events = Vec::new();
        poller.wait(None, &mut events).unwrap();
        let ready = Ready::WRITE;
        assert_eq!(events, [Event { token, ready }]);
    }

    #[test]
    fn members_are_listed_once_and_in_order() {
        let mut sets = Sets::new();
        let last = libc::FD_SETSIZE as RawFd - 1;
        for fd in [0, 63, 64, last] {
            set(&mut sets.reads, fd, true);
        }
        for fd in [1, 64, 65] {
            set(&mut sets.writes, fd, true);
        }
        set(&mut sets.writes, 65, false);
        let both = Ready::READ | Ready::WRITE;
        let expected = [
            (0, Ready::READ),
            (1, Ready::WRITE),
            (63, Ready::READ),
            (64, both),
            (last, Ready::READ),
        ];
        assert!(members(&sets.reads, &sets.writes).eq(expected));
    }
}
