//! The traits of `hyper::rt`: [`Read`] and [`Write`] for the stream and its halves, an executor ([`ReactorExecutor`]) and timers
//! ([`ReactorTimer`]). hyper then runs on the reactor as it is. The feature `hyper` compiles hyper without HTTP and without a
//! runtime; a program adds the features that it uses.
//!
//! # Examples
//!
//! `examples/hyper` in the repository serves and asks HTTP/1.1 and HTTP/2.
//!
//! ```
//! use hyper::rt::Executor;
//! use sinew_transports::{async_io::hyper::ReactorExecutor, reactor::Reactor};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let reactor = Reactor::new()?;
//! let stopper = reactor.clone();
//! ReactorExecutor::new(&reactor).execute(async move {
//!     let _ = stopper.stop();
//! });
//! reactor.run()?;
//! # Ok(())
//! # }
//! ```

use std::{
    fmt,
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use hyper::rt::{Executor, Read, ReadBufCursor, Sleep, Timer, Write};
use send_wrapper::SendWrapper;
use sinew_reactor::{self as reactor, Reactor, WeakReactor};

use super::{AsyncStream, ReadHalf, WriteHalf, foreign::impl_write};

macro_rules! impl_read {
    ($($reads:ty),*) => {$(
        impl Read for $reads {
            fn poll_read(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                mut buffer: ReadBufCursor<'_>,
            ) -> Poll<io::Result<()>> {
                let (reader, room) = (&mut self.get_mut().reader, buffer.remaining());
                reader.poll_take(context, room, |bytes| buffer.put_slice(bytes))
            }
        }
    )*};
}

impl_read!(AsyncStream, ReadHalf);
impl_write!(
    Write,
    AsyncStream,
    poll_shutdown,
    fn is_write_vectored(&self) -> bool {
        true
    }
);
impl_write!(
    Write,
    WriteHalf,
    poll_shutdown,
    fn is_write_vectored(&self) -> bool {
        true
    }
);

/// Runs hyper's futures as tasks of a reactor. They need not be `Send`. Needed for HTTP/2, whose streams are tasks.
#[derive(Clone, Debug)]
pub struct ReactorExecutor {
    reactor: WeakReactor,
}

impl ReactorExecutor {
    /// Runs futures on this reactor. Once it has been dropped, they are dropped, too.
    #[must_use]
    pub fn new(reactor: &Reactor) -> Self {
        Self { reactor: reactor.downgrade() }
    }
}

impl<F> Executor<F> for ReactorExecutor
where
    F: Future<Output: 'static> + 'static,
{
    fn execute(&self, future: F) {
        if let Some(reactor) = self.reactor.upgrade() {
            reactor.spawn(future).detach();
        }
    }
}

/// Timers of a reactor for hyper. In a simulation they follow its clock.
///
/// hyper demands that timers are `Send` and `Sync`. These are so only in name.
///
/// # Panics
///
/// If it, or a timer that it has made, is used or dropped on another thread than the reactor's.
#[derive(Clone)]
pub struct ReactorTimer {
    reactor: SendWrapper<WeakReactor>,
}

impl ReactorTimer {
    /// Timers of this reactor.
    #[must_use]
    pub fn new(reactor: &Reactor) -> Self {
        Self { reactor: SendWrapper::new(reactor.downgrade()) }
    }
}

impl Timer for ReactorTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        let sleep = self.reactor.upgrade().map(|reactor| reactor.sleep(duration));
        Box::pin(TimerSleep { sleep: SendWrapper::new(sleep) })
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.sleep(deadline.saturating_duration_since(self.now()))
    }

    fn now(&self) -> Instant {
        self.reactor.upgrade().map_or_else(Instant::now, |reactor| reactor.now())
    }
}

impl fmt::Debug for ReactorTimer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReactorTimer")
    }
}

/// The future of a timer. Never ready if the reactor was gone when it was made.
struct TimerSleep {
    sleep: SendWrapper<Option<reactor::Sleep>>,
}

impl Sleep for TimerSleep {}

impl Future for TimerSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        match &mut *self.get_mut().sleep {
            Some(sleep) => Pin::new(sleep).poll(context),
            None => Poll::Pending,
        }
    }
}
