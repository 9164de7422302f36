//! The trait that users implement: [`Handler`], what it returns: [`Handled`], and two helpers: [`answer_async`] for futures, and [`Chain`]
//! for several handlers.

use std::{cell::RefCell, fmt, future::Future, panic::Location, rc::Rc, sync::Arc};

use sinew_transports::reactor::{Deferred, Failure, Task};

use super::{OwnedQuery, Query, Response, transfer::Changes};
use crate::{codec::ResponseCode, zone::Zone};

/// What a handler does with a query.
#[non_exhaustive]
pub enum Handled {
    /// It answers.
    Response(Box<Response>),
    /// It will answer. An error becomes SERVFAIL.
    Later(Deferred<Response>),
    /// The zone answers, by RFC 1034.
    Zone(Arc<Zone>),
    /// The whole zone is sent. Over UDP, only its SOA record.
    Transfer(Arc<Zone>),
    /// What has changed in the zone is sent. Over UDP, only its SOA record.
    Changes(Changes),
    /// It is not responsible: the next one is asked. After the last, the query is refused (REFUSED).
    Pass,
    /// No answer is sent.
    Drop,
}

impl fmt::Debug for Handled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Response(response) => response.fmt(f),
            Self::Later(_) => f.write_str("Later"),
            Self::Zone(zone) => f.debug_tuple("Zone").field(zone).finish(),
            Self::Transfer(zone) => f.debug_tuple("Transfer").field(zone).finish(),
            Self::Changes(changes) => changes.fmt(f),
            Self::Pass => f.write_str("Pass"),
            Self::Drop => f.write_str("Drop"),
        }
    }
}

/// Answers queries.
///
/// A closure is a handler: `|query: &Query<'_>|` and anything that can be made a [`Handled`]: a [`Response`], a
/// [`ResponseCode`], a [`Deferred`] for later, or an `Option` of these, where `None` leaves the query to the next handler.
///
/// Handlers are called by the loop only, and one serves all ports and connections of a server, so it keeps its state in cells.
///
/// # Examples
///
/// ```
/// use std::net::Ipv4Addr;
/// use sinew_dns::{codec::RecordType, server::{DnsServer, Query, Response}};
///
/// let server = DnsServer::new(|query: &Query<'_>| {
///     let wants_address = query.record_type() == RecordType::A;
///     wants_address.then(|| Response::new().address(query.name(), 60, Ipv4Addr::LOCALHOST))
/// });
/// # drop(server);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not answer queries",
    label = "not a `Handler`",
    note = "a closure that is given a `&Query<'_>` is one, if it returns a `Response`, a `ResponseCode`, a `Deferred<Response>`, an `Option` of them, or `Handled`",
    note = "`answer_async(|query| …)` makes one of a closure that returns a future"
)]
pub trait Handler: 'static {
    /// A query was received.
    fn handle(&self, query: &Query<'_>) -> Handled;

    /// A primary server notifies that a zone has changed (RFC 1996). The response to it has no records.
    fn notify(&self, query: &Query<'_>) -> Handled {
        let _ = query;
        Handled::Pass
    }
}

impl<F, R> Handler for F
where
    F: Fn(&Query<'_>) -> R + 'static,
    R: Into<Handled>,
{
    fn handle(&self, query: &Query<'_>) -> Handled {
        self(query).into()
    }
}

impl From<Response> for Handled {
    fn from(response: Response) -> Self {
        Self::Response(Box::new(response))
    }
}

impl From<ResponseCode> for Handled {
    fn from(code: ResponseCode) -> Self {
        Response::code(code).into()
    }
}

impl From<Deferred<Response>> for Handled {
    fn from(deferred: Deferred<Response>) -> Self {
        Self::Later(deferred)
    }
}

impl<T: Into<Self>> From<Option<T>> for Handled {
    fn from(handled: Option<T>) -> Self {
        handled.map_or(Self::Pass, Into::into)
    }
}

/// A handler that runs a future for each query, on the reactor of the server. The future is cancelled if it takes too long
/// ([`ServerConfig::answer_timeout`](super::ServerConfig::answer_timeout)); a panic becomes SERVFAIL.
///
/// # Examples
///
/// ```
/// use std::{net::Ipv4Addr, time::Duration};
/// use sinew_dns::server::{DnsServer, OwnedQuery, Response, answer_async};
///
/// let server = DnsServer::new(answer_async(|query: OwnedQuery| async move {
///     query.reactor.sleep(Duration::from_millis(10)).await;
///     Response::new().address(query.name, 60, Ipv4Addr::LOCALHOST)
/// }));
/// # drop(server);
/// ```
#[track_caller]
pub fn answer_async<R, F>(
    f: impl Fn(OwnedQuery) -> F + 'static,
) -> impl Fn(&Query<'_>) -> Deferred<Response>
where
    R: Into<Response>,
    F: Future<Output = R> + 'static,
{
    let at = Location::caller();
    move |query| {
        let (promise, deferred) = query.reactor().promise::<Response, Failure>();
        let future = f(query.to_owned());
        // The task ends with the promise: when that is settled, or cancelled.
        let place = Rc::<RefCell<Option<Task<()>>>>::default();
        let of_cancel = place.clone();
        promise.on_cancel(move |_| drop(of_cancel.take()));
        let task = async move { promise.resolve(future.await.into()) };
        place.replace(Some(query.reactor().spawn_at(at, task)));
        deferred
    }
}

/// Several handlers: the first that does not pass a query on answers it.
///
/// # Examples
///
/// ```
/// use sinew_dns::server::{Chain, DnsServer, Overrides, Zones};
///
/// let zones = Zones::new();
/// let server = DnsServer::new(Chain::new().then(Overrides::new()).then(zones));
/// # drop(server);
/// ```
#[derive(Default)]
#[must_use]
pub struct Chain(Vec<Box<dyn Handler>>);

impl Chain {
    /// No handlers: all queries are refused.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a handler that is asked after those before it.
    pub fn then(mut self, handler: impl Handler) -> Self {
        self.0.push(Box::new(handler));
        self
    }

    fn first(&self, mut ask: impl FnMut(&dyn Handler) -> Handled) -> Handled {
        for handler in &self.0 {
            match ask(&**handler) {
                Handled::Pass => {}
                handled => return handled,
            }
        }
        Handled::Pass
    }
}

impl Handler for Chain {
    fn handle(&self, query: &Query<'_>) -> Handled {
        self.first(|handler| handler.handle(query))
    }

    fn notify(&self, query: &Query<'_>) -> Handled {
        self.first(|handler| handler.notify(query))
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chain").field("handlers", &self.0.len()).finish()
    }
}
