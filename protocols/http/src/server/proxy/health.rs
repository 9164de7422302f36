//! Active health checks of backends: [`HealthCheck`].

use std::{
    cell::Cell,
    rc::{Rc, Weak},
    time::Duration,
};

use http::Method;
use sinew_transports::{ConnectConfig, reactor::Reactor};

use super::backends::Backend;
use crate::{
    Fields,
    client::{ClientConnection, ConnectionConfig, Outgoing},
};

/// Requests a path of each backend periodically. One that fails to respond with 200 to 399 several times in a row gets no requests
/// until it does again.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sinew_http::server::HealthCheck;
///
/// let check = HealthCheck::new("/health").interval(Duration::from_secs(2)).host("api.example.org");
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct HealthCheck {
    path: String,
    host: String,
    interval: Duration,
    timeout: Duration,
    failures: u32,
    successes: u32,
}

impl HealthCheck {
    /// A check of this path.
    pub fn new(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            host: "localhost".to_owned(),
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            failures: 3,
            successes: 2,
        }
    }

    /// The value of `Host`. Default `localhost`.
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = host.into();
        self
    }

    /// Time between checks. Default 5 s.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval.max(Duration::from_millis(10));
        self
    }

    /// Timeout of connecting, and then of the response. Default 2 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// After how many consecutive failures a backend is down, and after how many successes it is up again. Default 3 and 2.
    pub fn thresholds(mut self, failures: u32, successes: u32) -> Self {
        (self.failures, self.successes) = (failures.max(1), successes.max(1));
        self
    }

    /// Checks a backend as long as it exists.
    pub(super) fn start(self: &Rc<Self>, reactor: &Reactor, backend: &Rc<Backend>) {
        let checked = Checked {
            check: Rc::clone(self),
            backend: Rc::downgrade(backend),
            in_a_row: Cell::default(),
        };
        Rc::new(checked).run(reactor);
    }
}

/// The checks of one backend.
struct Checked {
    check: Rc<HealthCheck>,
    backend: Weak<Backend>,
    /// Consecutive checks that contradict the backend's state.
    in_a_row: Cell<u32>,
}

impl Checked {
    fn run(self: Rc<Self>, reactor: &Reactor) {
        let Some(backend) = self.backend.upgrade() else { return };
        let timeout = self.check.timeout;
        let connecting = ClientConnection::connect(
            reactor,
            &backend.endpoint,
            ConnectConfig::default().timeout(timeout),
            ConnectionConfig::default().head_timeout(timeout).idle_timeout(timeout),
        );
        connecting.then(move |reactor, connected| {
            // A connection that closes at once has no response.
            let asked = connected.ok().and_then(|connection| connection.send(self.question()).ok());
            match asked {
                Some(answer) => answer.then(move |reactor, answer| {
                    let status = answer.map(|answer| answer.status());
                    let is_good =
                        status.is_ok_and(|status| status.is_success() || status.is_redirection());
                    self.found(reactor, is_good);
                }),
                None => self.found(reactor, false),
            }
        });
    }

    fn question(&self) -> Outgoing {
        let mut fields = Fields::new();
        if let Err(error) = fields.append("Host", &self.check.host) {
            tracing::error!(%error, "the host of a health check");
        }
        Outgoing::new(Method::GET, self.check.path.as_str(), fields).close(true)
    }

    fn found(self: Rc<Self>, reactor: &Reactor, is_good: bool) {
        let Some(backend) = self.backend.upgrade() else { return };
        let in_a_row =
            if backend.is_healthy.get() == is_good { 0 } else { self.in_a_row.get() + 1 };
        self.in_a_row.set(in_a_row);
        let needed = if is_good { self.check.successes } else { self.check.failures };
        if in_a_row >= needed {
            backend.is_healthy.set(is_good);
            self.in_a_row.set(0);
            match is_good {
                true => tracing::info!(backend = backend.name, "a backend is up again"),
                false => tracing::warn!(backend = backend.name, "a backend is down"),
            }
        }
        reactor.call_later(self.check.interval, move |reactor| self.run(reactor));
    }
}
