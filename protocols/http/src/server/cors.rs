//! Cross-origin requests (the Fetch standard, section 3.2): [`Cors`].

use std::{rc::Rc, time::Duration};

use http::{Method, StatusCode};

use super::{Handler, Reply, Request, Response};
use crate::codec::FieldError;

/// A layer that lets pages of other origins read responses, and responds to preflight requests (`OPTIONS` with
/// `Access-Control-Request-Method`). No origin is allowed by default.
///
/// # Examples
///
/// ```
/// use sinew_http::server::{Cors, Router};
///
/// let api = Cors::new(Router::new()).origin("https://app.example.org").methods("GET, PUT").headers("Content-Type");
/// ```
#[derive(Debug)]
#[must_use]
pub struct Cors<H> {
    inner: H,
    policy: Rc<Policy>,
}

#[derive(Clone, Debug, Default)]
struct Policy {
    origins: Vec<String>,
    any: bool,
    credentials: bool,
    methods: String,
    headers: String,
    exposed: String,
    max_age: Option<Duration>,
}

impl<H: Handler> Cors<H> {
    /// Wraps a handler.
    pub fn new(inner: H) -> Self {
        let policy = Policy { methods: "GET, HEAD, POST".to_owned(), ..Policy::default() };
        Self { inner, policy: Rc::new(policy) }
    }

    fn change(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        change(Rc::make_mut(&mut self.policy));
        self
    }

    /// Allows an origin, such as `https://app.example.org`.
    pub fn origin(self, origin: impl Into<String>) -> Self {
        self.change(|policy| policy.origins.push(origin.into()))
    }

    /// Allows all origins, without credentials: [`credentials`](Self::credentials) applies to listed origins only.
    pub fn any_origin(self) -> Self {
        self.change(|policy| policy.any = true)
    }

    /// Allows requests with credentials, such as cookies.
    pub fn credentials(self) -> Self {
        self.change(|policy| policy.credentials = true)
    }

    /// Methods that pages may use. Default `GET, HEAD, POST`.
    pub fn methods(self, methods: impl Into<String>) -> Self {
        self.change(|policy| policy.methods = methods.into())
    }

    /// Fields that pages may send, in addition to those that are always allowed.
    pub fn headers(self, headers: impl Into<String>) -> Self {
        self.change(|policy| policy.headers = headers.into())
    }

    /// Response fields that pages may read, in addition to those that are always allowed.
    pub fn expose(self, headers: impl Into<String>) -> Self {
        self.change(|policy| policy.exposed = headers.into())
    }

    /// How long browsers may cache the result of a preflight request.
    pub fn max_age(self, max_age: Duration) -> Self {
        self.change(|policy| policy.max_age = Some(max_age))
    }
}

impl<H: Handler> Handler for Cors<H> {
    fn handle(&self, request: Request, reply: Reply) {
        let is_question = *request.method() == Method::OPTIONS
            && request.field("origin").is_some()
            && request.field("access-control-request-method").is_some();
        if is_question {
            return reply.send(self.policy.answer(&request));
        }
        let policy = Rc::clone(&self.policy);
        let reply = reply.map(move |request, response| {
            if let Err(error) = policy.allow(request, response) {
                tracing::error!(%error, "the policy for other origins cannot be sent");
            }
        });
        self.inner.handle(request, reply);
    }
}

impl Policy {
    fn answer(&self, request: &Request) -> Result<Response, FieldError> {
        let mut response = Response::new(StatusCode::NO_CONTENT);
        if self.allow(request, &mut response)? {
            response.set("Access-Control-Allow-Methods", &self.methods)?;
            if !self.headers.is_empty() {
                response.set("Access-Control-Allow-Headers", &self.headers)?;
            }
            if let Some(max_age) = self.max_age {
                response.set("Access-Control-Max-Age", max_age.as_secs().to_string())?;
            }
        }
        Ok(response)
    }

    /// Whether the origin is allowed.
    fn allow(&self, request: &Request, response: &mut Response) -> Result<bool, FieldError> {
        if !self.any || !self.origins.is_empty() {
            // Caches must know that the response depends on the origin, even if this origin is not allowed.
            response.append("Vary", "Origin")?;
        }
        let Some(origin) = request.field("origin") else { return Ok(false) };
        let is_listed = self.origins.iter().any(|listed| listed == origin);
        if !is_listed && !self.any {
            return Ok(false);
        }
        response.set("Access-Control-Allow-Origin", if is_listed { origin } else { "*" })?;
        if is_listed && self.credentials {
            response.set("Access-Control-Allow-Credentials", "true")?;
        }
        if !self.exposed.is_empty() {
            response.set("Access-Control-Expose-Headers", &self.exposed)?;
        }
        Ok(true)
    }
}
