//! The HTTP/1.1 client. [`ClientConnection`] is one connection, which sends one request at a time, and [`Pool`] keeps connections
//! for reuse. `HttpClient` (feature `client`) sends requests for URLs.

mod config;
#[cfg_attr(not(feature = "tls"), allow(dead_code))]
mod connection;
mod error;
mod exchange;
#[cfg(feature = "client")]
mod http_client;
#[cfg_attr(not(feature = "tls"), allow(dead_code))]
mod outgoing;
mod pool;
mod protocol;
#[cfg_attr(not(feature = "client"), allow(dead_code))]
mod response;
#[cfg(feature = "tls")]
mod start_tls;
mod url_errors;

pub use config::ConnectionConfig;
pub use connection::{ClientConnection, ClientFactory};
pub use error::{Phase, RequestError};
#[cfg(feature = "client")]
pub(crate) use http_client::Login;
#[cfg(feature = "client")]
pub use http_client::{
    ClientConfig, Cookie, CookieFileError, CookieJar, HttpClient, Passwords, Proxies, Redirects,
    Request,
};
pub use outgoing::Outgoing;
pub use pool::{Pool, PoolConfig, PooledConnection};
pub use protocol::ClientProtocol;
pub use response::{Response, Upgraded};
#[cfg(feature = "client")]
#[doc(no_inline)]
pub use url::Url;
pub use url_errors::{RedirectError, UrlError};
