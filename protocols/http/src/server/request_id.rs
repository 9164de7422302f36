//! Request ids, for finding a request in the logs of several programs: [`RequestIds`].

use std::{fmt, net::IpAddr};

use sinew_transports::proxy::Subnet;

use super::{Handler, Reply, Request};
use crate::codec::FieldError;

/// Longest id that is accepted from a peer.
const ID_MAX: usize = 128;

/// The id of a request: [`Request::find`] returns it behind [`RequestIds`], and the JSON access log has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(pub String);

/// A layer that gives each request a [`RequestId`] and returns it in `X-Request-Id`. The id of a trusted peer is kept: up to 128
/// letters, digits and `-._~+/=:@`. All other requests get a new one of 32 hexadecimal digits, whatever they have sent.
///
/// # Examples
///
/// ```
/// use sinew_http::server::{Request, RequestId, RequestIds, answer};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let site = RequestIds::new(answer(|request: &Request| {
///     request.find::<RequestId>().map(|id| id.0.clone()).unwrap_or_default()
/// }))
/// .trust(["10.0.0.0/8".parse()?]);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct RequestIds<H> {
    inner: H,
    field: String,
    trusted: Vec<Subnet>,
}

impl<H: Handler> RequestIds<H> {
    /// Wraps a handler. No peer is trusted.
    pub fn new(inner: H) -> Self {
        Self { inner, field: "X-Request-Id".to_owned(), trusted: Vec::new() }
    }

    /// The peers whose ids are kept.
    pub fn trust(mut self, subnets: impl IntoIterator<Item = Subnet>) -> Self {
        self.trusted = subnets.into_iter().collect();
        self
    }

    /// The name of the field. Default `X-Request-Id`.
    ///
    /// # Errors
    ///
    /// [`FieldError`] if that is not the name of a field.
    pub fn field(mut self, name: &str) -> Result<Self, FieldError> {
        crate::Fields::new().append(name, "")?;
        self.field = name.to_owned();
        Ok(self)
    }

    fn trusts(&self, ip: IpAddr) -> bool {
        self.trusted.iter().any(|subnet| subnet.contains(ip))
    }

    fn accepted(&self, request: &Request) -> Option<String> {
        let is_trusted = request.peer()?.ip().is_some_and(|ip| self.trusts(ip));
        let id = request.field(&self.field).filter(|_| is_trusted)?;
        let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=:@".contains(&byte);
        let is_id = (1..=ID_MAX).contains(&id.len()) && id.bytes().all(is_good);
        is_id.then(|| id.to_owned())
    }
}

impl<H: Handler> Handler for RequestIds<H> {
    fn handle(&self, request: Request, reply: Reply) {
        let id = self.accepted(&request).unwrap_or_else(|| {
            let reactor = request.reactor();
            format!("{:016x}{:016x}", reactor.random(), reactor.random())
        });
        let (field, sent) = (self.field.clone(), id.clone());
        request.put(RequestId(id));
        let reply = reply.map(move |_, response| {
            if let Err(error) = response.set(&field, sent) {
                tracing::error!(%error, "the id of a request is not sent back");
            }
        });
        self.inner.handle(request, reply);
    }
}

impl<H> fmt::Debug for RequestIds<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestIds").field("trusted", &self.trusted).finish_non_exhaustive()
    }
}
