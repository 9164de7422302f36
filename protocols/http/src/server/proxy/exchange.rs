//! One request through a proxy: [`Forwarded`], on a [`Route`]. Chooses a backend, sends the request, and returns the response.
//!
//! | event | effect |
//! |---|---|
//! | no connection to the backend | another backend is tried, whatever the method: nothing was sent |
//! | a pooled connection that closed before a byte was received | the same backend is tried once more, if the method is idempotent and there is no body |
//! | the backend disconnects, or is too slow, before its response | 502 or 504 |
//! | the backend disconnects within its response | the client's connection ends before the body does |
//! | the client disconnects | the backend's connection is closed |

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use http::{Method, StatusCode};
use sinew_transports::{
    ConnectConfig,
    reactor::{Deferred, Reactor},
};

use super::{
    backends::{Backend, Backends, InWork},
    fields::end_to_end,
    pipe::{Download, Upload},
    tunnel::{IDLE_TIMEOUT, Tunnel},
};
use crate::{
    Fields,
    body::Body,
    client::{
        self, ClientConnection, ConnectionConfig, Outgoing, Phase, Pool, PoolConfig, RequestError,
    },
    codec::FieldError,
    server::{Reply, Request, Response},
};

/// Most attempts to send a request.
const ATTEMPTS_MAX: u32 = 8;

/// The backends, and how to connect to them.
pub(super) struct Route {
    pub(super) backends: Backends,
    pub(super) pool: Pool,
    pub(super) connect: ConnectConfig,
    pub(super) connection: ConnectionConfig,
    pub(super) tunnel_idle_timeout: Duration,
}

/// The state of a forwarded request.
pub(super) struct Forwarded {
    route: Rc<Route>,
    request: Request,
    reply: Rc<RefCell<Option<Reply>>>,
    target: String,
    fields: Fields,
    wants_upgrade: bool,
    /// Of the body; `None` if it is unknown.
    length: Option<u64>,
    /// Some of the body was requested.
    is_body_begun: Rc<Cell<bool>>,
    /// The backends that could not be reached.
    tried: RefCell<Vec<String>>,
    attempts: Cell<u32>,
    is_repeated: Cell<bool>,
    /// The error of the last attempt.
    failed_with: Cell<Option<StatusCode>>,
    /// Cancels the current step.
    cancel: RefCell<Option<Box<dyn FnOnce()>>>,
}

impl Forwarded {
    pub(super) fn new(
        route: &Rc<Route>,
        (request, reply): (Request, Reply),
        (target, fields): (String, Fields),
        wants_upgrade: bool,
    ) -> Rc<Self> {
        let length = match request.head().framing() {
            crate::codec::Framing::None => Some(0),
            crate::codec::Framing::Length(length) => Some(length),
            _ => None,
        };
        let forwarded = Rc::new(Self {
            route: Rc::clone(route),
            reply: Rc::new(RefCell::new(Some(reply))),
            target,
            fields,
            wants_upgrade,
            length,
            is_body_begun: Rc::default(),
            tried: RefCell::default(),
            attempts: Cell::default(),
            is_repeated: Cell::default(),
            failed_with: Cell::default(),
            cancel: RefCell::default(),
            request,
        });
        let gone = Rc::downgrade(&forwarded);
        forwarded.request.on_disconnect(move |_| {
            let cancel = gone.upgrade().and_then(|forwarded| forwarded.cancel.borrow_mut().take());
            cancel.into_iter().for_each(|cancel| cancel());
        });
        forwarded
    }

    /// Tries a backend.
    pub(super) fn attempt(self: Rc<Self>, reactor: &Reactor) {
        if self.reply.borrow().as_ref().is_none_or(Reply::is_gone) {
            return;
        }
        self.attempts.set(self.attempts.get() + 1);
        let chosen = self.route.backends.choose(&self.tried.borrow(), reactor.now());
        let is_over = self.attempts.get() > ATTEMPTS_MAX;
        match chosen.filter(|_| !is_over) {
            Some(backend) => self.ask(reactor, backend),
            // All are down, or unreachable.
            None => {
                let status = self.failed_with.get().unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
                self.answer(status.into());
            }
        }
    }

    fn ask(self: Rc<Self>, reactor: &Reactor, backend: Rc<Backend>) {
        let work = backend.begin();
        if self.wants_upgrade {
            // Outside of the pool, since it does not return to it.
            let connecting = self.route.connect(reactor, &backend);
            let connecting = self.cancellable(connecting);
            connecting.then(move |reactor, connected| match connected {
                Ok(connection) => {
                    let sent = connection.send(self.outgoing());
                    self.sent(reactor, sent.ok(), backend, work);
                }
                Err(error) => self.not_connected(reactor, &backend, &error),
            });
            return;
        }
        let (route, connects_to) = (Rc::clone(&self.route), Rc::clone(&backend));
        let connect = move |reactor: &Reactor| route.connect(reactor, &connects_to);
        let pooled = self.route.pool.connection(reactor, &backend.name, connect);
        let pooled = self.cancellable(pooled);
        pooled.then(move |reactor, pooled| match pooled {
            Ok(pooled) => {
                let sent = pooled.send(self.outgoing());
                self.sent(reactor, sent.ok(), backend, work);
            }
            Err(error) => self.not_connected(reactor, &backend, &error),
        });
    }

    fn outgoing(&self) -> Outgoing {
        let head = self.request.head();
        let outgoing =
            Outgoing::new(self.request.method().clone(), self.target.as_str(), self.fields.clone());
        let reply = Rc::clone(&self.reply);
        let outgoing = outgoing.on_informational(move |status, fields| {
            let mut told = Fields::new();
            let copied = end_to_end(fields).try_for_each(|(name, value)| told.append(name, value));
            if let (Ok(()), Some(reply)) = (copied, &*reply.borrow()) {
                reply.inform(status, &told);
            }
        });
        if self.length == Some(0) {
            return outgoing;
        }
        let begun = Rc::clone(&self.is_body_begun);
        let body = Upload { request: self.request.clone(), begun }.body(self.length);
        outgoing.body(body).expect_continue(head.expects_continue())
    }

    /// The request was sent; or not, because the connection had closed.
    fn sent(
        self: Rc<Self>,
        reactor: &Reactor,
        response: Option<Deferred<client::Response, RequestError>>,
        backend: Rc<Backend>,
        work: InWork,
    ) {
        let Some(response) = response else {
            drop(work);
            return self.attempt(reactor);
        };
        let response = self.cancellable(response);
        response.then(move |reactor, response| match response {
            Ok(response) => {
                backend.succeeded();
                self.respond(response, work);
            }
            Err(error) if error.is_stale() && self.may_repeat() => {
                self.is_repeated.set(true);
                drop(work);
                self.attempt(reactor);
            }
            Err(error) => {
                self.failed(reactor, &backend, &error);
                self.answer(status(&error).into());
            }
        });
    }

    /// Nothing was sent.
    fn not_connected(self: Rc<Self>, reactor: &Reactor, backend: &Backend, error: &RequestError) {
        self.failed(reactor, backend, error);
        let status = status(error);
        if matches!(error, RequestError::Connect(_) | RequestError::Lost { .. }) {
            self.failed_with.set(Some(status));
            self.tried.borrow_mut().push(backend.name.clone());
            return self.attempt(reactor);
        }
        self.answer(status.into());
    }

    /// Whether the request may be sent again (RFC 9110 9.2.2), and was not yet.
    fn may_repeat(&self) -> bool {
        self.request.method().is_idempotent()
            && !self.is_body_begun.get()
            && !self.is_repeated.get()
    }

    fn failed(&self, reactor: &Reactor, backend: &Backend, error: &RequestError) {
        if self.reply.borrow().as_ref().is_none_or(Reply::is_gone) {
            return;
        }
        tracing::warn!(backend = backend.name, %error, "a backend has not answered");
        let is_its_own = !matches!(
            error,
            RequestError::PoolFull { .. }
                | RequestError::TimedOut { phase: Phase::Pool, .. }
                | RequestError::Failed(_)
                | RequestError::Target(_)
        );
        if is_its_own {
            self.route.backends.failed(backend, reactor.now());
        }
    }

    /// Keeps a way to cancel the current step, in case the client disconnects.
    fn cancellable<T, E>(&self, deferred: Deferred<T, E>) -> Deferred<T, E>
    where
        T: 'static,
        E: From<sinew_transports::reactor::Failure> + std::fmt::Display + 'static,
    {
        let canceller = deferred.canceller();
        *self.cancel.borrow_mut() = Some(Box::new(move || canceller.cancel()));
        deferred
    }

    fn answer(&self, response: Response) {
        self.cancel.borrow_mut().take();
        let reply = self.reply.borrow_mut().take();
        if let Some(reply) = reply {
            reply.send(response);
        }
    }

    fn respond(&self, response: client::Response, work: InWork) {
        if response.is_upgrade() {
            return self.upgrade(response, work);
        }
        let answer = head(&response).map(|answer| {
            let is_bodiless = response.status() == StatusCode::NOT_MODIFIED
                || response.length() == Some(0) && *self.request.method() != Method::HEAD;
            let body = match () {
                () if *self.request.method() == Method::HEAD => of_head(&response),
                () if is_bodiless => Body::empty(),
                () => Download::body(response, work),
            };
            answer.with_body(body)
        });
        self.answer(answer.into());
    }

    /// The backend has agreed to the protocol that the client had requested.
    fn upgrade(&self, response: client::Response, work: InWork) {
        self.cancel.borrow_mut().take();
        let Some(reply) = self.reply.borrow_mut().take().filter(|reply| !reply.is_gone()) else {
            return;
        };
        let answer = head(&response).and_then(|mut answer| {
            // The server sets it, to the protocol that the client requested; the backend may have chosen.
            if let Some(protocol) = response.fields().get("upgrade") {
                answer.fields.append("Upgrade", protocol)?;
            }
            Ok(answer)
        });
        match (answer, response.into_upgraded()) {
            (Ok(answer), Ok(upgraded)) => {
                let timeout = self.route.tunnel_idle_timeout;
                let other = move || upgraded.into_transport();
                reply.upgrade(answer, Tunnel::new(other, work, timeout));
            }
            _ => reply.send(StatusCode::BAD_GATEWAY),
        }
    }
}

impl Route {
    pub(super) fn new(backends: Vec<Rc<Backend>>, pool: PoolConfig) -> Self {
        Self {
            backends: Backends::new(backends),
            pool: Pool::new(pool),
            connect: ConnectConfig::default().timeout(Duration::from_secs(5)),
            connection: ConnectionConfig::default(),
            tunnel_idle_timeout: IDLE_TIMEOUT,
        }
    }

    /// A new connection to a backend.
    fn connect(
        &self,
        reactor: &Reactor,
        backend: &Backend,
    ) -> Deferred<ClientConnection, RequestError> {
        let (connect, connection) = (self.connect.clone(), self.connection.clone());
        ClientConnection::connect(reactor, &backend.endpoint, connect, connection)
            .map(|connected| connected.map_err(RequestError::from))
    }
}

/// The head of the response, without fields of the backend's connection.
fn head(response: &client::Response) -> Result<Response, FieldError> {
    let mut answer = Response::new(response.status());
    for (name, value) in end_to_end(response.fields()) {
        answer.append(name, value)?;
    }
    Ok(answer)
}

/// What the response to HEAD says about the body: what the backend has said.
fn of_head(response: &client::Response) -> Body {
    let length = response.field("content-length").and_then(|length| length.parse().ok());
    match length {
        Some(0) | None => Body::empty(),
        Some(length) => Body::source(Unsent, length),
    }
}

/// Stands for a body that is not sent.
struct Unsent;

impl crate::body::BodySource for Unsent {
    fn produce(&mut self, _: &mut Vec<u8>, _: &crate::body::BodyWaker) -> crate::body::Produced {
        crate::body::Produced::Done
    }
}

fn status(error: &RequestError) -> StatusCode {
    match error {
        RequestError::PoolFull { .. } | RequestError::TimedOut { phase: Phase::Pool, .. } => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        error if error.is_timeout() => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::BAD_GATEWAY,
    }
}
