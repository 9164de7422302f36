//! A client of HTTP/1.1. [`HttpClient`] takes requests for URLs; below it, [`ClientConnection`] is one connection, which sends a request at
//! a time, and [`Pool`] keeps connections for the next request.

mod auth;
mod client_config;
mod config;
mod connecting;
#[cfg_attr(not(feature = "tls"), allow(dead_code))]
mod connection;
mod cookies;
mod error;
mod exchange;
mod fetching;
mod http_client;
#[cfg_attr(not(feature = "tls"), allow(dead_code))]
mod link;
mod origin;
mod outgoing;
mod pool;
mod protocol;
mod proxies;
mod redirect;
mod request;
mod response;
#[cfg(feature = "tls")]
mod start_tls;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "tls_missing.rs"]
mod tls;
mod url_error;

pub(crate) use auth::Login;
pub use auth::Passwords;
pub use client_config::ClientConfig;
pub use config::ConnectionConfig;
pub use connection::{ClientConnection, ClientFactory};
pub use cookies::{Cookie, CookieFileError, CookieJar};
pub use error::{Phase, RequestError};
pub use http_client::HttpClient;
pub use outgoing::Outgoing;
pub use pool::{Pool, PoolConfig, PooledConnection};
pub use protocol::ClientProtocol;
pub use proxies::Proxies;
pub use redirect::{RedirectError, Redirects};
pub use request::Request;
pub use response::{Response, Upgraded};
#[doc(no_inline)]
pub use url::Url;
pub use url_error::UrlError;
