//! The `poll(2)` engine. Level-triggered: the kernel is handed an array of all that is wanted, each time.

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

/// The peer will send no more; told apart from data only on some systems.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
const PEER_CLOSED: PollFlags = PollFlags::RDHUP;
/// The peer will send no more; told apart from data only on some systems.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
const PEER_CLOSED: PollFlags = PollFlags::empty();

/// See the head of this file.
pub(super) struct PollPoller {
    pipe: Arc<Pipe>,
    /// What the kernel is asked. A source from which nothing is wanted is not in here: hang-ups are reported unasked,
    /// and would end every wait.
    asked: Vec<PollFd<'static>>,
    /// For each of `asked`: whose it is, and what is wanted.
    wanted: Vec<(Token, Interest)>,
    /// By descriptor. The kernel gives out the lowest number that is free, so an array is the smallest map there is.
    sources: Vec<Option<Source>>,
}

struct Source {
    token: Token,
    /// Where in `asked`, if there.
    place: Option<usize>,
}

impl PollPoller {
    pub(super) fn new() -> io::Result<Self> {
        let mut poller =
            Self { pipe: Pipe::new()?, asked: Vec::new(), wanted: Vec::new(), sources: Vec::new() };
        poller.register(poller.pipe.descriptor(), Token::ENGINE, Interest::READ)?;
        Ok(poller)
    }

    fn find(&mut self, id: DescriptorId, token: Token) -> Option<&mut Source> {
        let slot = self.sources.get_mut(usize::try_from(id).ok()?)?;
        slot.as_mut().filter(|source| source.token == token)
    }

    fn stop_asking(&mut self, place: usize) {
        self.asked.swap_remove(place);
        self.wanted.swap_remove(place);
        if let Some(moved) = self.asked.get(place) {
            let id = moved.as_fd().as_raw_fd();
            let token = self.wanted[place].0;
            self.find(id, token).expect("what is asked for is a source").place = Some(place);
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
        self.sources[at] = Some(Source { token, place: None });
        self.set_interest(source, token, interest);
        Ok(())
    }

    fn set_interest(&mut self, id: DescriptorId, token: Token, interest: Interest) {
        let end = self.asked.len();
        let Some(source) = self.find(id, token) else {
            return;
        };
        match source.place {
            None if interest == Interest::NONE => {}
            None => {
                source.place = Some(end);
                self.asked.push(ask(id, interest));
                self.wanted.push((token, interest));
            }
            Some(place) if interest == Interest::NONE => {
                source.place = None;
                self.stop_asking(place);
            }
            Some(place) => {
                self.asked[place] = ask(id, interest);
                self.wanted[place].1 = interest;
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
        let mut left = match rustix::event::poll(&mut self.asked, timeout.as_ref()) {
            Err(Errno::INTR) => return Ok(()),
            answer => answer?,
        };
        for (answer, &(token, interest)) in self.asked.iter().zip(&self.wanted) {
            if left == 0 {
                break;
            }
            let flags = answer.revents();
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

fn ask(fd: RawFd, interest: Interest) -> PollFd<'static> {
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
    // These come unasked, and the next system call says what they mean: also that of a descriptor which is not open,
    // for then its handler is the one to hear of it.
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

/// For the kernel; rustix rounds up where the unit is coarser than a nanosecond.
pub(super) fn timespec(timeout: Duration) -> Timespec {
    Timespec::try_from(timeout.min(TIMEOUT_MAX)).expect("at most 24 days")
}

/// Gives the descriptor as an index. One that is not open is refused, as by epoll, and so can make no table huge.
pub(super) fn check_open(fd: RawFd) -> io::Result<usize> {
    let at = usize::try_from(fd).map_err(|_| Errno::BADF)?;
    fcntl_getfd(borrow(fd))?;
    Ok(at)
}

/// A number, as rustix wants it. Negative ones never get here.
fn borrow(fd: RawFd) -> BorrowedFd<'static> {
    assert!(fd >= 0, "descriptors are checked by `check_open` first");
    // SAFETY: the number is not -1. It is only ever handed to fcntl(F_GETFD) and poll(2), which neither close nor alter
    // what it names and which answer EBADF or POLLNVAL if that is closed; by rule 4 of the contract it is not, as long
    // as it is registered, and nothing borrowed is kept for longer.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

#[cfg(test)]
mod tests;
