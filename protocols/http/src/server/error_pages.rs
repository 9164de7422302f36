//! Pages for error responses without a body: [`ErrorPages`].

use bytes::Bytes;
use http::StatusCode;

use super::{Handler, Reply, Request, Response};

/// A layer that adds a page to responses of 400 and above that have no body: a configured one, or the status with its name. It
/// reveals nothing internal, and does not repeat the request.
///
/// # Examples
///
/// ```
/// use sinew_http::{StatusCode, server::{ErrorPages, Router}};
///
/// let site = ErrorPages::new(Router::new()).page(StatusCode::NOT_FOUND, "<h1>There is no such page</h1>");
/// ```
#[derive(Debug)]
#[must_use]
pub struct ErrorPages<H> {
    inner: H,
    pages: std::rc::Rc<Vec<(StatusCode, Bytes)>>,
}

impl<H: Handler> ErrorPages<H> {
    /// Wraps a handler.
    pub fn new(inner: H) -> Self {
        Self { inner, pages: std::rc::Rc::default() }
    }

    /// Sets the page of a status, as HTML.
    pub fn page(mut self, status: StatusCode, html: impl Into<Bytes>) -> Self {
        let mut pages = self.pages.to_vec();
        pages.push((status, html.into()));
        self.pages = std::rc::Rc::new(pages);
        self
    }
}

impl<H: Handler> Handler for ErrorPages<H> {
    fn handle(&self, request: Request, reply: Reply) {
        let pages = std::rc::Rc::clone(&self.pages);
        let reply = reply.map(move |_, response| fill(response, &pages));
        self.inner.handle(request, reply);
    }
}

fn fill(response: &mut Response, pages: &[(StatusCode, Bytes)]) {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    if !is_error || !response.body().is_empty() {
        return;
    }
    let page = match pages.iter().find(|(of, _)| *of == status) {
        Some((_, page)) => page.clone(),
        None => plain(status).into(),
    };
    response.remove("content-type");
    response.content_type = Some("text/html; charset=utf-8");
    response.set_body(page);
}

fn plain(status: StatusCode) -> String {
    let name = status.canonical_reason().unwrap_or("Error");
    let code = status.as_u16();
    format!("<!doctype html>\n<title>{code} {name}</title>\n<h1>{code} {name}</h1>\n")
}
