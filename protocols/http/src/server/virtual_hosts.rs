//! Name-based virtual hosts, several sites on one port: [`VirtualHosts`].

use std::{fmt, rc::Rc};

use http::StatusCode;

use super::{Handler, Reply, Request};

/// Chooses a handler by the host of a request.
///
/// The port is ignored, as are case and a dot at the end. A request for an unknown host is a 421 (RFC 9110 15.5.20) that does not
/// repeat anything that the client has sent.
///
/// # Examples
///
/// ```
/// use sinew_http::server::{VirtualHosts, answer};
///
/// let hosts = VirtualHosts::new()
///     .host("example.org", answer(|_| "the site\n"))
///     .host("*.example.org", answer(|_| "one of its parts\n"));
/// ```
#[derive(Default)]
#[must_use]
pub struct VirtualHosts {
    hosts: Vec<(String, Rc<dyn Handler>)>,
    fallback: Option<Rc<dyn Handler>>,
}

impl VirtualHosts {
    /// No hosts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a host; or, with the prefix `*.`, all its subdomains that are not added themselves.
    pub fn host(mut self, host: &str, handler: impl Handler) -> Self {
        self.hosts.push((host.trim_end_matches('.').to_ascii_lowercase(), Rc::new(handler)));
        self
    }

    /// Sets the handler for all other hosts, and for requests without a host.
    pub fn fallback(mut self, handler: impl Handler) -> Self {
        self.fallback = Some(Rc::new(handler));
        self
    }

    fn find(&self, authority: &str) -> Option<&Rc<dyn Handler>> {
        let host = without_port(authority).trim_end_matches('.');
        let exact = self.hosts.iter().find(|(name, _)| name.eq_ignore_ascii_case(host));
        let below = || {
            let covers = |name: &str| {
                let parent = name.strip_prefix("*.")?;
                let label = host.len().checked_sub(parent.len() + 1).filter(|label| *label > 0)?;
                let (label, below) = (host.get(..label)?, host.get(label..)?);
                (!label.is_empty()
                    && below.starts_with('.')
                    && below[1..].eq_ignore_ascii_case(parent))
                .then_some(parent.len())
            };
            // The most specific entry.
            let covering =
                self.hosts.iter().filter_map(|host| covers(&host.0).map(|len| (len, host)));
            covering.max_by_key(|(len, _)| *len).map(|(_, host)| host)
        };
        exact.or_else(below).map(|(_, handler)| handler)
    }
}

impl Handler for VirtualHosts {
    fn handle(&self, request: Request, reply: Reply) {
        let found = request.authority().and_then(|authority| self.find(authority));
        match found.or(self.fallback.as_ref()) {
            Some(handler) => Rc::clone(handler).handle(request, reply),
            None => reply.send(StatusCode::MISDIRECTED_REQUEST),
        }
    }
}

impl fmt::Debug for VirtualHosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.hosts.iter().map(|(name, _)| name).collect();
        f.debug_struct("VirtualHosts").field("hosts", &names).finish_non_exhaustive()
    }
}

/// The host of a valid authority.
fn without_port(authority: &str) -> &str {
    match authority.rfind(':') {
        Some(colon) if !authority[colon..].contains(']') => &authority[..colon],
        _ => authority,
    }
}
