//! Signals for tasks: [`Reactor::signal`] and [`SignalReceiver`].

use std::{
    cell::{Cell, RefCell},
    fmt,
    future::Future,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use super::{Signal, sys};
use crate::{Reactor, WeakReactor};

/// The receivers of a reactor.
#[derive(Default)]
pub(super) struct Arrivals(RefCell<Vec<(Signal, Rc<Arrival>)>>);

/// What one receiver has to report.
#[derive(Default)]
struct Arrival {
    has_arrived: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Arrivals {
    /// Reports a signal to its receivers. Returns `false` if it has none.
    pub(super) fn report(&self, signal: Signal) -> bool {
        let all = self.0.borrow();
        let of_signal = all.iter().filter(|(other, _)| *other == signal);
        let receivers: Vec<_> = of_signal.map(|(_, arrival)| arrival.clone()).collect();
        drop(all);
        for arrival in &receivers {
            arrival.has_arrived.set(true);
            // A waker may run user code, so it is not woken under the borrow.
            let waker = arrival.waker.take();
            waker.into_iter().for_each(Waker::wake);
        }
        !receivers.is_empty()
    }

    pub(super) fn signals(&self) -> Vec<Signal> {
        self.0.borrow().iter().map(|(signal, _)| *signal).collect()
    }
}

impl Reactor {
    /// Receives a signal in a task, as a future that is ready when the signal has arrived. It may be awaited again, by
    /// reference, for the next one; a signal that arrives meanwhile is not missed.
    ///
    /// As long as the receiver exists, the signal reaches it instead of a callback of
    /// [`on_signal`](Self::on_signal): for [`Signal::INT`] and [`Signal::TERM`], instead of [`stop`](Self::stop).
    /// Several receivers of one signal all get it. Arrivals that are not awaited yet count as one. When the run ends,
    /// the process's previous action for the signal is restored.
    ///
    /// # Errors
    ///
    /// As [`on_signal`](Self::on_signal).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use sinew_reactor::{Reactor, Signal};
    ///
    /// let reactor = Reactor::new()?;
    /// let handle = reactor.clone();
    /// reactor.run_until(async move {
    ///     let mut hang_up = handle.signal(Signal::HUP)?;
    ///     loop {
    ///         (&mut hang_up).await;
    ///         println!("reading the configuration again");
    ///     }
    /// })?
    /// # }
    /// ```
    pub fn signal(&self, signal: Signal) -> io::Result<SignalReceiver> {
        sys::check(signal.0)?;
        self.watch_in_run(signal)?;
        let arrival = Rc::<Arrival>::default();
        self.inner.signals.arrivals.0.borrow_mut().push((signal, arrival.clone()));
        Ok(SignalReceiver { reactor: self.downgrade(), signal, arrival })
    }
}

/// A future that is ready when a signal has arrived, any number of times: see [`Reactor::signal`].
#[must_use = "await it; dropping it ends the reception"]
pub struct SignalReceiver {
    reactor: WeakReactor,
    signal: Signal,
    arrival: Rc<Arrival>,
}

impl Future for SignalReceiver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.arrival.has_arrived.take() {
            return Poll::Ready(());
        }
        // A waker may run user code, so it is neither cloned nor dropped under the borrow.
        let waker = context.waker().clone();
        let old = self.arrival.waker.replace(Some(waker));
        drop(old);
        Poll::Pending
    }
}

impl Drop for SignalReceiver {
    fn drop(&mut self) {
        let Some(reactor) = self.reactor.upgrade() else { return };
        let all = &reactor.inner.signals.arrivals.0;
        let own =
            all.borrow_mut().extract_if(.., |(_, other)| Rc::ptr_eq(other, &self.arrival)).next();
        drop(own);
    }
}

impl fmt::Debug for SignalReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SignalReceiver").field(&self.signal).finish()
    }
}
