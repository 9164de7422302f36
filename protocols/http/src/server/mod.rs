//! The HTTP/1.1 server: [`HttpServer`] builds an [`HttpConnection`] for each client, which calls a [`Handler`] for each request.

mod access_log;
mod answer;
mod answering;
#[cfg(unix)]
mod cgi;
#[cfg(feature = "compression")]
mod compression;
mod config;
mod connection;
mod cors;
mod error_pages;
mod event_stream;
mod exchange;
mod files;
#[cfg(feature = "forms")]
mod forms;
#[cfg(feature = "guard")]
mod guard;
mod handler;
mod http_server;
mod proxy;
mod redirect;
mod reply;
mod request;
mod request_id;
mod request_rate;
mod response;
mod router;
#[cfg(feature = "sessions")]
mod session_store;
#[cfg(feature = "sessions")]
mod sessions;
mod shared;
mod timeout;
mod trusted_proxies;
mod virtual_hosts;

#[doc(no_inline)]
pub use crate::body::{
    Body, BodyControl, BodyReceiver, BodySource, BodyWaker, BodyWriter, Produced,
};
#[cfg(feature = "guard")]
#[doc(no_inline)]
pub use crate::codec::DigestAlgorithm;
pub use access_log::{AccessLog, LogFormat};
#[cfg(unix)]
pub use cgi::Cgi;
#[cfg(feature = "compression")]
pub use compression::Compression;
pub use config::ServerConfig;
pub use connection::HttpConnection;
pub use cors::Cors;
pub use error_pages::ErrorPages;
pub use event_stream::{Event, EventStream};
pub use files::Files;
#[cfg(feature = "forms")]
pub use forms::{Form, FormFailure, FormLimits, PartReceiver, UploadedFile};
#[cfg(feature = "guard")]
pub use guard::{AuthenticatedUser, Guard};
pub use handler::{Handler, answer, answer_async};
pub use http_server::HttpServer;
pub use proxy::{ForwardProxy, HealthCheck, ReverseProxy};
pub use redirect::Redirect;
pub use reply::{Ended, Reply};
pub use request::Request;
pub use request_id::{RequestId, RequestIds};
pub use request_rate::RequestRateLimit;
pub use response::Response;
pub use router::Router;
#[cfg(feature = "sessions")]
pub use session_store::{MemoryStore, SessionData, SessionStore};
#[cfg(feature = "sessions")]
pub use sessions::{Session, SessionFull, Sessions};
pub use timeout::Timeout;
pub use trusted_proxies::TrustedProxies;
pub use virtual_hosts::VirtualHosts;
