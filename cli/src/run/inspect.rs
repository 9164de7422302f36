//! The views into the server as a service of the first reactor: [`Inspection`] opens what `--status`, `--metrics` and `--dashboard` name. An
//! upgrade hands their sockets over like all others.

use std::{cell::RefCell, fmt, fs, io, os::unix::fs::PermissionsExt, path::Path};

use sinew::{
    application::{
        Service, StartError, StopError,
        handover::Handover,
        inspect::{self, InspectError, WebConfig},
    },
    auth::Users,
    reactor::{Deferred, Excerpt, Reactor},
    transports::{
        Address, ListenConfig, ListenError, ListeningPort,
        endpoint::{DynFactory, EndpointError, Listen, ServerEndpoint},
    },
};

use crate::arguments::{Endpoint, InspectOptions};

/// The longest file of users.
const USERS_MAX: u64 = 1 << 20;

pub(super) struct Inspection {
    options: InspectOptions,
    handover: Handover,
    ports: RefCell<Vec<ListeningPort<Address>>>,
}

impl InspectOptions {
    /// Whether anything is to be seen, so that the loops have to count for it.
    pub(super) fn is_wanted(&self) -> bool {
        self.status.is_some() || self.metrics.is_some() || self.dashboard.is_some()
    }
}

impl Inspection {
    pub(super) fn new(options: &InspectOptions, handover: &Handover) -> Self {
        let (options, handover) = (options.clone(), handover.clone());
        Self { options, handover, ports: RefCell::default() }
    }

    /// The endpoint with its socket of the process before this one, if that had it.
    fn endpoint(&self, name: &'static str, endpoint: &Endpoint) -> ServerEndpoint {
        let text = endpoint.endpoint.to_string();
        let is_private = !text.starts_with("unix:") || text.contains(":mode=");
        // The file is for this user alone, unless the endpoint says otherwise.
        let private = if is_private { None } else { format!("{text}:mode=600").parse().ok() };
        let inner = private.unwrap_or_else(|| endpoint.endpoint.clone());
        ServerEndpoint::new(Handed { inner, name, handover: self.handover.clone() })
    }

    fn web_config(&self) -> Result<WebConfig, StartError> {
        let mut config = WebConfig::default().allow_remote(self.options.remote);
        if let Some(path) = &self.options.users {
            config = config.users(read_users(path).map_err(StartError::other)?);
        }
        Ok(self.options.host.iter().fold(config, WebConfig::host))
    }

    fn open(&self, reactor: &Reactor) -> Result<(), StartError> {
        let InspectOptions { status, metrics, dashboard, .. } = &self.options;
        let config = self.web_config()?;
        let mut ports = self.ports.borrow_mut();
        let failed = |error: InspectError| match error {
            InspectError::Listen(error) => StartError::Listen(error),
            error => StartError::other(error),
        };
        if let Some(endpoint) = status {
            let endpoint = self.endpoint("inspect/status", endpoint);
            ports.push(inspect::serve_status(reactor, &endpoint).map_err(failed)?);
        }
        if let Some(endpoint) = metrics {
            let endpoint = self.endpoint("inspect/metrics", endpoint);
            ports.push(inspect::serve_metrics(reactor, &endpoint, config.clone()).map_err(failed)?);
        }
        if let Some(endpoint) = dashboard {
            let endpoint = self.endpoint("inspect/dashboard", endpoint);
            ports.push(inspect::serve_dashboard(reactor, &endpoint, config).map_err(failed)?);
        }
        ports.iter().for_each(ListeningPort::pause);
        Ok(())
    }
}

impl Service for Inspection {
    fn privileged_start(&self, reactor: &Reactor) -> Result<(), StartError> {
        self.open(reactor)
    }

    fn start(&self, _: &Reactor) -> Result<(), StartError> {
        for port in &*self.ports.borrow() {
            port.resume();
            tracing::info!("to be inspected at {}", port.local());
        }
        Ok(())
    }

    fn stop(&self, reactor: &Reactor) -> Deferred<(), StopError> {
        // Those who watch the end of the server are not waited for.
        self.ports.take().iter().for_each(ListeningPort::stop_listening);
        Deferred::ready_on(reactor, ())
    }
}

/// An endpoint whose socket an upgrade hands over.
struct Handed {
    inner: ServerEndpoint,
    name: &'static str,
    handover: Handover,
}

impl Listen for Handed {
    fn listen(
        &self,
        reactor: &Reactor,
        config: ListenConfig,
        factory: DynFactory,
    ) -> Result<ListeningPort<Address>, ListenError> {
        self.handover.port(self.name).config(config).listen(reactor, &self.inner, factory)
    }

    fn reload(&self) -> Result<(), EndpointError> {
        self.inner.reload()
    }
}

impl fmt::Display for Handed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// A line NAME:PASSWORD for each user. Empty lines and those that begin with # are skipped.
fn read_users(path: &Path) -> io::Result<Users> {
    let shown = Excerpt::path(path);
    let failed = |why: &dyn fmt::Display| {
        io::Error::other(format!("cannot use the file of users {shown}: {why}"))
    };
    let metadata = fs::metadata(path).map_err(|error| failed(&error))?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(failed(
            &"others than its owner may use it, and it has passwords; chmod 600 changes that",
        ));
    }
    if metadata.len() > USERS_MAX {
        return Err(failed(&format_args!("it is longer than {USERS_MAX} bytes")));
    }
    let text = fs::read_to_string(path).map_err(|error| failed(&error))?;
    let lines = text.lines().enumerate();
    let mut lines =
        lines.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#')).peekable();
    if lines.peek().is_none() {
        return Err(failed(&"it has no users"));
    }
    lines.try_fold(Users::new(), |users, (number, line)| match line.split_once(':') {
        Some((name, password)) if !name.is_empty() && !password.is_empty() => {
            Ok(users.user(name, password))
        }
        _ => Err(failed(&format_args!("line {} is not NAME:PASSWORD", number + 1))),
    })
}
