//! The `poll(2)` engine. Level-triggered: the whole array of poll descriptors is passed to the kernel in each wait.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
    sync::Arc,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec},
    io::{Errno, fcntl_getfd},
};

use super::{Descriptor, DescriptorId, Event, Notify, Poller, TIMEOUT_MAX, pipe::Pipe};
use crate::{
    error::RegisterError,
    handler::{Interest, Ready, Token},
};

/// The flag for a peer that has shut down its sending side; only some systems distinguish that from data.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
const PEER_CLOSED: PollFlags = PollFlags::RDHUP;
/// The flag for a peer that has shut down its sending side; only some systems distinguish that from data.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
const PEER_CLOSED: PollFlags = PollFlags::empty();

/// The engine on poll(2).
pub(super) struct PollPoller {
    pipe: Arc<Pipe>,
    /// The array for the kernel. Sources without interest are not in it: hang-ups are reported regardless of the interest,
    /// and would end every wait.
    poll_fds: Vec<PollFd<'static>>,
    /// For each of `poll_fds`: its token and interest.
    interests: Vec<(Token, Interest)>,
    /// By descriptor. The kernel assigns the lowest free number, so an array is the smallest map.
    sources: Vec<Option<Source>>,
}

struct Source {
    token: Token,
    /// Its index in `poll_fds`, if it is there.
    index: Option<usize>,
}

impl PollPoller {
    pub(super) fn new() -> io::Result<Self> {
        let mut poller = Self {
            pipe: Pipe::new()?,
            poll_fds: Vec::new(),
            interests: Vec::new(),
            sources: Vec::new(),
        };
        poller.register(poller.pipe.descriptor(), Token::ENGINE, Interest::READ)?;
        Ok(poller)
    }

    fn find(&mut self, id: DescriptorId, token: Token) -> Option<&mut Source> {
        let slot = self.sources.get_mut(usize::try_from(id).ok()?)?;
        slot.as_mut().filter(|source| source.token == token)
    }

    fn remove_poll_fd(&mut self, index: usize) {
        self.poll_fds.swap_remove(index);
        self.interests.swap_remove(index);
        if let Some(moved) = self.poll_fds.get(index) {
            let id = moved.as_fd().as_raw_fd();
            let token = self.interests[index].0;
            self.find(id, token).expect("every poll descriptor has a source").index = Some(index);
        }
    }
}

impl Poller for PollPoller {
    fn is_edge_triggered(&self) -> bool {
        false
    }

    fn register(
        &mut self,
        source: Descriptor<'_>,
        token: Token,
        interest: Interest,
    ) -> Result<(), RegisterError> {
        let at = check_open(source)?;
        if at >= self.sources.len() {
            self.sources.resize_with(at + 1, || None);
        }
        if self.sources[at].is_some() {
            return Err(RegisterError::AlreadyRegistered { fd: source });
        }
        self.sources[at] = Some(Source { token, index: None });
        self.set_interest(source, token, interest);
        Ok(())
    }

    fn set_interest(&mut self, id: DescriptorId, token: Token, interest: Interest) {
        let end = self.poll_fds.len();
        let Some(source) = self.find(id, token) else {
            return;
        };
        match source.index {
            None if interest == Interest::NONE => {}
            None => {
                source.index = Some(end);
                self.poll_fds.push(poll_fd(id, interest));
                self.interests.push((token, interest));
            }
            Some(index) if interest == Interest::NONE => {
                source.index = None;
                self.remove_poll_fd(index);
            }
            Some(index) => {
                self.poll_fds[index] = poll_fd(id, interest);
                self.interests[index].1 = interest;
            }
        }
    }

    fn deregister(&mut self, id: DescriptorId, token: Token, _closing: bool) -> io::Result<()> {
        self.set_interest(id, token, Interest::NONE);
        if self.find(id, token).is_some() {
            self.sources[id as usize] = None;
        }
        Ok(())
    }

    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        let timeout = timeout.map(timespec);
        let mut left = match rustix::event::poll(&mut self.poll_fds, timeout.as_ref()) {
            Err(Errno::INTR) => return Ok(()),
            ready => ready?,
        };
        for (poll_fd, &(token, interest)) in self.poll_fds.iter().zip(&self.interests) {
            if left == 0 {
                break;
            }
            let flags = poll_fd.revents();
            if flags.is_empty() {
                continue;
            }
            left -= 1;
            if token == Token::ENGINE {
                self.pipe.drain();
            } else {
                let ready = ready(flags, interest);
                events.push(Event { token, ready });
            }
        }
        Ok(())
    }

    fn call(&self) -> &'static str {
        "poll"
    }

    fn notifier(&self) -> Arc<dyn Notify> {
        Arc::clone(&self.pipe) as Arc<dyn Notify>
    }
}

fn poll_fd(fd: RawFd, interest: Interest) -> PollFd<'static> {
    let mut flags = PollFlags::empty();
    if interest.is_read() {
        flags |= PollFlags::IN | PEER_CLOSED;
    }
    if interest.is_write() {
        flags |= PollFlags::OUT;
    }
    PollFd::from_borrowed_fd(borrow(fd), flags)
}

fn ready(flags: PollFlags, interest: Interest) -> Ready {
    // These are reported regardless of the interest, and the next system call shows their meaning. That includes a
    // descriptor that is not open: its handler has to find out.
    let broken = flags.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL);
    let closed = flags.intersects(PollFlags::HUP | PEER_CLOSED);
    let mut ready = Ready::NONE;
    if interest.is_read() && (broken || closed || flags.contains(PollFlags::IN)) {
        ready = ready | Ready::READ;
    }
    if interest.is_read() && closed {
        ready = ready | Ready::READ_CLOSED;
    }
    if interest.is_write() && (broken || flags.contains(PollFlags::OUT)) {
        ready = ready | Ready::WRITE;
    }
    ready
}

/// Converts a timeout for the kernel; rustix rounds up where the unit is coarser than a nanosecond.
pub(super) fn timespec(timeout: Duration) -> Timespec {
    Timespec::try_from(timeout.min(TIMEOUT_MAX)).expect("at most 24 days")
}

/// Converts a descriptor to an index. One that is not open is refused, as by epoll, so that it cannot make the tables huge.
pub(super) fn check_open(fd: RawFd) -> io::Result<usize> {
    let at = usize::try_from(fd).map_err(|_| Errno::BADF)?;
    fcntl_getfd(borrow(fd))?;
    Ok(at)
}

/// Converts a descriptor for rustix. Negative numbers never get here.
fn borrow(fd: RawFd) -> BorrowedFd<'static> {
    assert!(fd >= 0, "descriptors are checked by `check_open` first");
    // SAFETY: the number is not -1. It is only passed to fcntl(F_GETFD) and poll(2), which neither close nor alter
    // the descriptor and which return EBADF or POLLNVAL if it is closed. By rule 4 of the contract it is open as long
    // as it is registered, and nothing borrowed is kept for longer.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

#[cfg(test)]
mod tests;
