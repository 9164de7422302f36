//! Opens URLs with handlers, on its own reactor: [`Opener`].

use std::fmt;

use sinew_transports::reactor::Reactor;

use super::{Handler, Handlers, Request, Response, UrlOpenError, response::wait};
use crate::{
    body::Body,
    client::{self, ClientConfig, HttpClient, RequestError, Url, UrlError},
};

/// The `User-Agent` of requests that have none.
const USER_AGENT: &str = concat!("sinew-urllib/", env!("CARGO_PKG_VERSION"));

/// Opens URLs with its handlers. Made by [`build_opener`](super::build_opener). Blocks, and has its own reactor, which runs while
/// it waits.
pub struct Opener {
    pub(super) reactor: Reactor,
    client: HttpClient,
    handlers: Vec<Box<dyn Handler>>,
}

impl Opener {
    pub(super) fn new(handlers: Handlers) -> Result<Self, UrlOpenError> {
        let handlers = handlers.complete()?;
        let reactor = Reactor::new()?;
        let config = ClientConfig::default().field("User-Agent", USER_AGENT);
        let config = config.map_err(RequestError::Field)?;
        let config = handlers.iter().fold(config, |config, handler| handler.configure(config));
        let client = HttpClient::with_config(&reactor, config);
        Ok(Self { reactor, client, handlers })
    }

    /// Opens a URL, as [`urlopen`](super::urlopen) does.
    ///
    /// # Errors
    ///
    /// [`UrlOpenError`].
    pub fn open(&self, request: impl Into<Request>) -> Result<Response, UrlOpenError> {
        let mut request = request.into();
        for handler in &self.handlers {
            request = handler.request(request)?;
        }
        let url =
            Url::parse(&request.url).map_err(|source| UrlError::invalid(&request.url, source))?;
        let opened = self.handlers.iter().find_map(|handler| handler.open(&url, &request));
        let mut response = match opened {
            Some(opened) => opened?,
            None => self.open_http(url, request)?,
        };
        for handler in &self.handlers {
            response = handler.response(response)?;
        }
        Ok(response)
    }

    fn open_http(&self, url: Url, request: Request) -> Result<Response, UrlOpenError> {
        let method = request.method();
        let mut asked = client::Request::to(method, url)?.close();
        for (name, value) in request.fields.iter() {
            asked.append(name, value).map_err(RequestError::Field)?;
        }
        if let Some(data) = request.data {
            if request.fields.get("content-type").is_none() {
                let form = "application/x-www-form-urlencoded";
                asked.append("Content-Type", form).map_err(RequestError::Field)?;
            }
            asked = asked.body(Body::from(data));
        }
        if let Some(timeout) = request.timeout {
            asked = asked.timeout(timeout).idle_timeout(timeout);
        }
        let response = wait(&self.reactor, self.client.send(asked))??;
        Ok(Response::from_http(self.reactor.clone(), response))
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").field("handlers", &self.handlers.len()).finish_non_exhaustive()
    }
}
