//! One of several reactors, seen from its own thread: [`Shard`].

use std::{
    cell::{Cell, OnceCell},
    error::Error,
    fmt,
    rc::Rc,
};

use sinew_reactor::{Deferred, Reactor};

use super::{CallError, ReactorsHandle, call};
use crate::ListenConfig;

/// One of several [`Reactors`](super::Reactors), on its own thread. Closures that make factories receive it, and
/// [`Shard::of`] finds it in a callback. It holds the reactor, so do not store it where that owns it.
///
/// # Examples
///
/// ```
/// use std::{cell::Cell, rc::Rc};
/// use sinew_transports::{Protocol, Transport, reactors::Shard};
///
/// /// Answers with the number of bytes that this reactor has received.
/// struct Count {
///     bytes: Rc<Cell<usize>>,
/// }
///
/// impl Protocol for Count {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         self.bytes.set(self.bytes.get() + data.len());
///         let shard = transport.reactor().and_then(|reactor| Shard::of(&reactor));
///         let index = shard.map_or(0, |shard| shard.index());
///         transport.write(format!("{} on reactor {index}\n", self.bytes.get()));
///     }
/// }
///
/// /// Its connections on one reactor share the counter.
/// fn make(shard: &Shard) -> impl Fn(&sinew_transports::Peer) -> Count + use<> {
///     let bytes = shard.local::<Cell<usize>>();
///     move |_| Count { bytes: bytes.clone() }
/// }
/// # drop(sinew_transports::reactors::Reactors::new(1).listen("127.0.0.1:0".parse().unwrap(), make));
/// ```
pub struct Shard {
    reactor: Reactor,
    index: usize,
    handle: ReactorsHandle,
}

/// What a reactor knows of its place: kept in the reactor.
#[derive(Default)]
pub(super) struct Place {
    of: OnceCell<(usize, ReactorsHandle)>,
    /// The error given to `fail`.
    failure: Cell<Option<Box<dyn Error + Send + Sync>>>,
    has_failed: Cell<bool>,
    /// Its connections have ended, or the drain deadline has passed.
    pub(super) is_drained: Cell<bool>,
}

impl Place {
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed.get()
    }

    pub(super) fn take_failure(&self) -> Option<Box<dyn Error + Send + Sync>> {
        self.failure.take()
    }
}

impl Shard {
    pub(super) fn new(reactor: &Reactor, index: usize, handle: ReactorsHandle) -> Self {
        let _ = reactor.local::<Place>().of.set((index, handle.clone()));
        Self { reactor: reactor.clone(), index, handle }
    }

    /// This reactor's place among those that it runs with; `None` if it runs alone.
    #[must_use]
    pub fn of(reactor: &Reactor) -> Option<Self> {
        let place = reactor.local::<Place>();
        let (index, handle) = place.of.get()?;
        Some(Self { reactor: reactor.clone(), index: *index, handle: handle.clone() })
    }

    /// Its index: 0 is the first, which takes the signals and accepts where connections are handed over.
    #[must_use]
    pub const fn index(&self) -> usize {
        self.index
    }

    /// The number of reactors.
    #[must_use]
    pub fn count(&self) -> usize {
        self.handle.count()
    }

    /// The reactor.
    #[must_use]
    pub const fn reactor(&self) -> &Reactor {
        &self.reactor
    }

    /// The handle for other threads.
    #[must_use]
    pub const fn handle(&self) -> &ReactorsHandle {
        &self.handle
    }

    /// The one `T` of this reactor, made on first use ([`Reactor::local`]): state that its factories, protocols and message
    /// handlers share.
    #[must_use]
    pub fn local<T: Default + 'static>(&self) -> Rc<T> {
        self.reactor.local()
    }

    /// The configuration of a port that the reactors open by themselves, all under the same `name`. They share it as one of
    /// [`Reactors::listen`](super::Reactors::listen), which is for ports that are known before the start. The first reactor opens it
    /// first, and the others after that; when the first calls this again, it is another port.
    ///
    /// `None`: the port cannot be shared, or the first reactor has none of that name, so that this one is not to open it.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use sinew_transports::{ListenConfig, Peer, Protocol, Transport, endpoint::ServerEndpoint, reactors::Reactors};
    ///
    /// struct Echo;
    ///
    /// impl Protocol for Echo {
    ///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
    ///         transport.write(data);
    ///     }
    /// }
    ///
    /// let endpoint: ServerEndpoint = "127.0.0.1:0".parse()?;
    /// let running = Reactors::new(2).start()?;
    /// for shard in 0..2 {
    ///     let endpoint = endpoint.clone();
    ///     running.call(shard, move |shard| {
    ///         if let Some(config) = shard.share_port("echo", ListenConfig::default()) {
    ///             endpoint.listen_with(shard.reactor(), config, |_: &Peer| Echo).map(drop)?;
    ///         }
    ///         Ok::<_, sinew_transports::ListenError>(())
    ///     })??;
    /// }
    /// running.stop()?;
    /// running.join()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use = "listen with it"]
    pub fn share_port(&self, name: &str, config: ListenConfig) -> Option<ListenConfig> {
        let share = self.handle.group().share_of(name, self.index)?;
        Some(ListenConfig { share: Some(share), ..config })
    }

    /// Calls `f` on every reactor's thread, this one included, and gathers the results, in the order of the reactors. Does not
    /// block.
    pub fn call_all<T: Send + 'static>(
        &self,
        f: impl Fn(&Self) -> T + Send + Sync + 'static,
    ) -> Deferred<Vec<Result<T, CallError>>> {
        call::gather(&self.reactor, self.handle.group(), f)
    }

    /// Ends this reactor as failed with [`ShardError::Failed`](super::ShardError::Failed), after the current turn and without
    /// a drain. For a program that finds something broken on which this reactor depends; what follows is said by
    /// [`Reactors::on_failure`](super::Reactors::on_failure). Only the first error counts.
    pub fn fail(&self, error: impl Into<Box<dyn Error + Send + Sync>>) {
        let place = self.reactor.local::<Place>();
        if !place.has_failed.replace(true) {
            place.failure.set(Some(error.into()));
            let _ = self.reactor.stop();
        }
    }
}

impl fmt::Debug for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shard").field("index", &self.index).finish_non_exhaustive()
    }
}
