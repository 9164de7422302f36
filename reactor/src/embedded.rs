//! A reactor inside the loop of another library: [`Embedded`]. That loop waits for its descriptor.

use std::{
    fmt, io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
    time::Duration,
};

use crate::{Reactor, RunError};

/// Turns in a row, so that the other loop gets its share of the time.
const TURNS_MAX: usize = 16;

/// Drives a reactor from the loop of another library: of a user interface, a game, or another network library. On Unix.
///
/// The other loop waits until its [descriptor](AsFd), which it must not read, is readable, or until the time has passed that [`turn`](Self::turn) returned,
/// and then calls `turn` again. The program must also call `turn` before that loop waits, if it has used the reactor or anything on
/// it meanwhile, such as written to a connection: only calls of other threads make the descriptor readable.
///
/// # Examples
///
/// `examples/embedded_loop/main.rs` is a complete program. In short:
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use rustix::{event::{PollFd, PollFlags, Timespec, poll}, io::Errno};
/// use sinew_reactor::{Reactor, Embedded};
///
/// let reactor = Reactor::new()?;
/// let embedded = Embedded::new(&reactor)?;
/// let call = reactor.call_later(Duration::from_millis(5), |_| println!("five milliseconds later"));
/// loop {
///     let wait = embedded.turn()?;
///     if !call.is_active() {
///         break;
///     }
///     let timeout = wait.map(Timespec::try_from).transpose()?;
///     // This stands for the other loop.
///     match poll(&mut [PollFd::new(&embedded, PollFlags::IN)], timeout.as_ref()) {
///         Ok(_) | Err(Errno::INTR) => {}
///         Err(error) => return Err(error.into()),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "the reactor does nothing unless `turn` is called"]
pub struct Embedded {
    /// Closed before the reactor.
    descriptor: OwnedFd,
    reactor: Reactor,
}

impl Embedded {
    /// Prepares a reactor for another loop. The engines mio (the default) and io_uring have a descriptor to wait for.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](io::ErrorKind::Unsupported) on the other engines, since `poll(2)` and `select(2)` have no descriptor; or no
    /// descriptors are left.
    pub fn new(reactor: &Reactor) -> io::Result<Self> {
        let descriptor =
            reactor.inner.poller.borrow_mut().duplicate_descriptor().unwrap_or_else(|| {
                let text = format!(
                    "the engine {} has no descriptor that another loop could wait for; use mio",
                    reactor.engine()
                );
                Err(io::Error::new(io::ErrorKind::Unsupported, text))
            })?;
        Ok(Self { descriptor, reactor: reactor.clone() })
    }

    /// Does what is to be done, without waiting, and returns for how long the other loop may wait for the descriptor; `None` is
    /// without limit, zero not at all.
    ///
    /// # Errors
    ///
    /// As [`Reactor::turn`].
    pub fn turn(&self) -> Result<Option<Duration>, RunError> {
        let inner = &*self.reactor.inner;
        inner.shared.stay_awake();
        for _ in 0..TURNS_MAX {
            self.reactor.turn(Some(Duration::ZERO))?;
            if !inner.is_busy() {
                break;
            }
        }
        // What cannot be prepared now, such as without memory, is tried again by the next turn.
        let is_prepared = inner.poller.borrow_mut().prepare_wait().unwrap_or(false);
        if inner.shared.expect_wakeup() || !is_prepared {
            return Ok(Some(Duration::ZERO));
        }
        Ok(self.reactor.next_wakeup())
    }

    /// The reactor.
    #[must_use]
    pub fn reactor(&self) -> &Reactor {
        &self.reactor
    }
}

impl AsFd for Embedded {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl AsRawFd for Embedded {
    fn as_raw_fd(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded")
            .field("descriptor", &self.descriptor.as_raw_fd())
            .field("reactor", &self.reactor)
            .finish()
    }
}
