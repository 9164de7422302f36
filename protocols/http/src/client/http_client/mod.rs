//! HTTP client for URLs: [`HttpClient`]. The steps of a request are in `fetching.rs`.

mod auth;
mod config;
mod connecting;
mod cookies;
mod fetching;
mod origin;
mod proxies;
mod redirects;
mod request;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "tls_missing.rs"]
mod tls;

use std::{
    cell::{Cell, RefCell},
    fmt,
    future::Future,
    rc::Rc,
};

use http::Method;
use sinew_transports::{
    endpoint::ClientEndpoint,
    reactor::{Deferred, Failure, Reactor, WeakReactor},
};
use url::Url;

pub(crate) use auth::Login;
pub use auth::Passwords;
pub use config::ClientConfig;
pub use cookies::{Cookie, CookieFileError, CookieJar};
pub use proxies::Proxies;
pub use redirects::Redirects;
pub use request::Request;

use super::{
    ClientConnection, ConnectionConfig, Outgoing, Phase, Pool, PoolConfig, RedirectError,
    RequestError, Response, Upgraded, UrlError,
};
use crate::body::Body;
use auth::{For, Sessions};
use connecting::Route;
use proxies::Proxy;
use tls::Tls;

/// An HTTP client for `http`, `https` (feature `tls`) and `http+unix` URLs. Cheap to clone: clones share connections, cookies and
/// authentication.
///
/// It reuses connections; repeats an idempotent request once if the server had closed the connection; follows redirects;
/// decompresses; keeps cookies, with a jar; responds to challenges, with passwords; and uses proxies, if there are any. See
/// [`ClientConfig`].
///
/// To cancel a request, drop its deferred or call [`cancel`](Deferred::cancel): a connection attempt for it ends, a connection
/// that waits for the response is closed.
///
/// `http+unix://%2Frun%2Fapp.sock/path` is a server on the Unix socket `/run/app.sock`.
///
/// # Examples
///
/// ```
/// use sinew_http::{client::HttpClient, server::{HttpServer, Request, answer}};
/// use sinew_transports::{ReactorTcp, reactor::Reactor};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reactor = Reactor::new()?;
/// let hello = answer(|request: &Request| format!("hello from {}\n", request.path()));
/// let port = reactor.listen_tcp("127.0.0.1:0", HttpServer::new(hello))?;
///
/// let client = HttpClient::new(&reactor);
/// let url = format!("http://{}/here", port.local());
/// let text = reactor.run_until(async move {
///     let response = client.get(&url).await?;
///     assert!(response.status().is_success());
///     Ok::<_, Box<dyn std::error::Error>>(response.text().await?)
/// })??;
/// assert_eq!(text, "hello from /here\n");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct HttpClient(Rc<Shared>);

/// What the requests of a client share.
struct Shared {
    reactor: WeakReactor,
    config: ClientConfig,
    pool: Pool,
    sessions: RefCell<Sessions>,
    tls: RefCell<Tls>,
}

impl HttpClient {
    /// A client with the default configuration.
    #[must_use]
    pub fn new(reactor: &Reactor) -> Self {
        Self::with_config(reactor, ClientConfig::default())
    }

    /// A client with this configuration.
    #[must_use]
    pub fn with_config(reactor: &Reactor, config: ClientConfig) -> Self {
        let pool = Pool::new(config.pool.clone());
        Self(Rc::new(Shared {
            reactor: reactor.downgrade(),
            config,
            pool,
            sessions: RefCell::default(),
            tls: RefCell::default(),
        }))
    }

    /// Sends a request. The deferred resolves when the head of the final response has arrived.
    pub fn send(&self, request: Request) -> Deferred<Response, RequestError> {
        self.0.run(fetching::fetch(Rc::clone(&self.0), request))
    }

    /// Sends a GET request.
    pub fn get(&self, url: impl AsRef<str>) -> Deferred<Response, RequestError> {
        self.send_or_fail(Request::get(url))
    }

    /// Sends a HEAD request.
    pub fn head(&self, url: impl AsRef<str>) -> Deferred<Response, RequestError> {
        self.send_or_fail(Request::new(Method::HEAD, url))
    }

    /// Sends a POST request with a body. Set its type with [`Request::with`].
    pub fn post(
        &self,
        url: impl AsRef<str>,
        body: impl Into<Body>,
    ) -> Deferred<Response, RequestError> {
        self.send_or_fail(Request::post(url, body))
    }

    fn send_or_fail(&self, request: Result<Request, UrlError>) -> Deferred<Response, RequestError> {
        match request {
            Ok(request) => self.send(request),
            Err(error) => {
                let (promise, deferred) = self.0.reactor.promise();
                promise.reject(error.into());
                deferred
            }
        }
    }

    /// A new connection to the server of a URL, outside of the pool: for a protocol that starts as HTTP, such as WebSocket (`ws`
    /// and `wss` are accepted too). Proxies are used as for other requests, but always by a tunnel. The caller sends the request.
    pub fn connect(
        &self,
        url: &Url,
        over: Option<&ClientEndpoint>,
    ) -> Deferred<ClientConnection, RequestError> {
        let (shared, route) = (Rc::clone(&self.0), Route::new(&self.0, url, over));
        self.0.run(async move { route?.tunnelled().connect(shared).await })
    }

    /// The connection pool.
    #[must_use]
    pub fn pool(&self) -> &Pool {
        &self.0.pool
    }

    /// Its configuration.
    pub fn config(&self) -> &ClientConfig {
        &self.0.config
    }
}

impl Shared {
    fn reactor(&self) -> Result<Reactor, RequestError> {
        self.reactor.upgrade().ok_or(RequestError::Failed(Failure::Abandoned))
    }

    /// Runs a future as a task, which ends when its deferred is cancelled.
    fn run<T: 'static>(
        &self,
        future: impl Future<Output = Result<T, RequestError>> + 'static,
    ) -> Deferred<T, RequestError> {
        let (promise, deferred) = self.reactor.promise();
        let Some(reactor) = self.reactor.upgrade() else { return deferred };
        // The closure owns the task, and is dropped when the promise is settled.
        let task = Rc::new(Cell::new(None));
        let running = Rc::clone(&task);
        promise.on_cancel(move |_| drop(running.take()));
        task.set(Some(reactor.spawn(async move { promise.settle(future.await) })));
        deferred
    }

    /// Randomness for client nonces of Digest.
    fn random(&self) -> u128 {
        let next = || self.reactor.upgrade().map_or(0, |reactor| u128::from(reactor.random()));
        next() << 64 | next()
    }

    /// The credentials for a proxy that has sent a challenge before, or is configured to get them unasked.
    fn proxy_credentials(&self, proxy: &Proxy, request: For<'_>) -> Option<String> {
        let login = proxy.login.as_ref()?;
        self.sessions
            .borrow_mut()
            .known(request, |_| Some(login.clone()))
            .or_else(|| Some(login.basic()))
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").field("pool", &self.0.pool).finish_non_exhaustive()
    }
}
