//! The default engine: mio. Edge-triggered; every source is registered once, in both directions.

use std::{io, sync::Arc, time::Duration};

use ::mio::{Events, Interest as MioInterest, Poll, Token as MioToken, Waker};

use super::{Descriptor, DescriptorId, Event, Notify, Poller, TIMEOUT_MAX};
use crate::{
    error::RegisterError,
    handler::{Interest, Ready, Token},
};

/// Events taken from the kernel at once; the rest stays there for the next turn.
const EVENTS_PER_WAIT: usize = 1024;

/// The mio interest of every source. Urgent data is reported by epoll only.
#[cfg(any(target_os = "linux", target_os = "android"))]
const ALL: MioInterest =
    MioInterest::READABLE.add(MioInterest::WRITABLE).add(MioInterest::PRIORITY);
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const ALL: MioInterest = MioInterest::READABLE.add(MioInterest::WRITABLE);

/// The system call by which mio waits.
const CALL: &str = if cfg!(windows) {
    "GetQueuedCompletionStatusEx"
} else if cfg!(any(target_os = "linux", target_os = "android", target_os = "illumos")) {
    "epoll_wait"
} else {
    "kevent"
};

pub(super) struct MioPoller {
    poll: Poll,
    events: Events,
    waker: Arc<Waker>,
}

impl MioPoller {
    pub(super) fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), MioToken(Token::ENGINE.0))?);
        Ok(Self { poll, events: Events::with_capacity(EVENTS_PER_WAIT), waker })
    }
}

impl Poller for MioPoller {
    fn is_edge_triggered(&self) -> bool {
        true
    }

    #[cfg(unix)]
    fn register(
        &mut self,
        source: Descriptor<'_>,
        token: Token,
        _: Interest,
    ) -> Result<(), RegisterError> {
        let mut source = ::mio::unix::SourceFd(&source);
        self.poll.registry().register(&mut source, MioToken(token.0), ALL).map_err(|error| {
            match error.kind() {
                io::ErrorKind::AlreadyExists => RegisterError::AlreadyRegistered { fd: *source.0 },
                _ => error.into(),
            }
        })
    }

    #[cfg(not(unix))]
    fn register(
        &mut self,
        source: Descriptor<'_>,
        token: Token,
        _: Interest,
    ) -> Result<(), RegisterError> {
        Ok(self.poll.registry().register(source, MioToken(token.0), ALL)?)
    }

    fn set_interest(&mut self, _: DescriptorId, _: Token, _: Interest) {}

    #[cfg(unix)]
    fn deregister(&mut self, id: DescriptorId, _: Token, closing: bool) -> io::Result<()> {
        // The kernel forgets a descriptor when its last duplicate is closed.
        if closing {
            return Ok(());
        }
        self.poll.registry().deregister(&mut ::mio::unix::SourceFd(&id))
    }

    /// The source itself is not available here. It is removed when it is closed; until then its events match no handler.
    #[cfg(not(unix))]
    fn deregister(&mut self, _: DescriptorId, _: Token, _: bool) -> io::Result<()> {
        Ok(())
    }

    /// True of epoll. Not of kqueue, where the additional call is harmless.
    fn watches_duplicates(&self) -> bool {
        true
    }

    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        let timeout = timeout.map(|timeout| timeout.min(TIMEOUT_MAX));
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        for event in &self.events {
            let token = Token(event.token().0);
            if token == Token::ENGINE {
                continue;
            }
            let mut ready = Ready::NONE;
            if event.is_readable() {
                ready = ready | Ready::READ;
            }
            if event.is_writable() {
                ready = ready | Ready::WRITE;
            }
            if event.is_priority() {
                ready = ready | Ready::URGENT;
            }
            if event.is_read_closed() {
                ready = ready | Ready::READ | Ready::READ_CLOSED;
            }
            if event.is_error() {
                ready = Ready::READ | Ready::WRITE | Ready::READ_CLOSED;
            }
            events.push(Event { token, ready });
        }
        Ok(())
    }

    #[cfg(unix)]
    fn duplicate_descriptor(&mut self) -> Option<io::Result<std::os::fd::OwnedFd>> {
        use std::os::fd::{AsRawFd, BorrowedFd};
        // SAFETY: `poll` keeps it open for as long as it is borrowed here.
        let descriptor = unsafe { BorrowedFd::borrow_raw(self.poll.as_raw_fd()) };
        Some(descriptor.try_clone_to_owned())
    }

    fn call(&self) -> &'static str {
        CALL
    }

    fn notifier(&self) -> Arc<dyn Notify> {
        Arc::new(MioNotify(self.waker.clone()))
    }
}

struct MioNotify(Arc<Waker>);

impl Notify for MioNotify {
    fn notify(&self) -> io::Result<()> {
        self.0.wake()
    }
}
