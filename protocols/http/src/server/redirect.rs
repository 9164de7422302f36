//! Redirects to other locations: [`Redirect`].

use http::StatusCode;

use super::{Handler, Reply, Request, Response};
use crate::codec::{FieldError, Fields};

/// Redirects to a fixed location, or to it with the rest of the path and the query appended.
///
/// # Examples
///
/// ```
/// use sinew_http::server::{Redirect, Router};
///
/// let router = Router::new()
///     .get("/old", Redirect::to("/new")?)
///     .nest("/docs", Redirect::permanent("https://docs.example.org")?.with_rest());
/// # Ok::<(), sinew_http::FieldError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Redirect {
    status: StatusCode,
    location: String,
    with_rest: bool,
}

impl Redirect {
    /// Temporary, with 307: the client keeps its method and its body.
    ///
    /// # Errors
    ///
    /// [`FieldError`] if the location is not valid as a field value.
    pub fn to(location: impl Into<String>) -> Result<Self, FieldError> {
        Self::new(StatusCode::TEMPORARY_REDIRECT, location)
    }

    /// Permanent, with 308. Clients cache it, perhaps for longer than you want.
    ///
    /// # Errors
    ///
    /// As [`to`](Self::to).
    pub fn permanent(location: impl Into<String>) -> Result<Self, FieldError> {
        Self::new(StatusCode::PERMANENT_REDIRECT, location)
    }

    /// To a location that is fetched with GET, with 303, such as the page after a form.
    ///
    /// # Errors
    ///
    /// As [`to`](Self::to).
    pub fn see_other(location: impl Into<String>) -> Result<Self, FieldError> {
        Self::new(StatusCode::SEE_OTHER, location)
    }

    /// With another status of RFC 9110 15.4.
    ///
    /// # Errors
    ///
    /// As [`to`](Self::to).
    pub fn new(status: StatusCode, location: impl Into<String>) -> Result<Self, FieldError> {
        let location = location.into();
        Fields::new().append("Location", &location)?;
        Ok(Self { status, location, with_rest: false })
    }

    /// Appends the part of the path that no router has consumed, and the query, to the location.
    pub fn with_rest(mut self) -> Self {
        self.with_rest = true;
        self
    }

    /// The response to a request.
    pub fn response(&self, request: &Request) -> Response {
        let mut location = self.location.clone();
        if self.with_rest {
            let rest = request.rest();
            let rest = if location.ends_with('/') { rest.trim_start_matches('/') } else { rest };
            location += rest;
            if let Some(query) = request.query() {
                location.push('?');
                location += query;
            }
        }
        Response::new(self.status).with("Location", location).into()
    }
}

impl Handler for Redirect {
    fn handle(&self, request: Request, reply: Reply) {
        reply.send(self.response(&request));
    }
}
