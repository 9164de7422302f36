//! The HTTP/1.1 server: [`HttpServer`] builds an [`HttpConnection`] for each client, which calls a [`Handler`] for each request.

mod access_log;
mod answer;
mod answering;
mod basic_auth;
mod body;
mod body_writer;
#[cfg(feature = "compression")]
mod compression;
mod config;
mod connection;
mod cors;
mod error_pages;
mod event_stream;
mod exchange;
mod feeding;
mod files;
mod handler;
mod http_server;
mod incoming;
mod redirect;
mod reply;
mod request;
mod response;
mod router;
mod sending;
#[cfg(feature = "sessions")]
mod session_store;
#[cfg(feature = "sessions")]
mod sessions;
mod shared;
mod timeout;
mod unread;
mod virtual_hosts;

pub use access_log::{AccessLog, LogFormat};
pub use basic_auth::{AuthenticatedUser, BasicAuth, Credentials, Users};
pub use body::{Body, BodySource, BodyWaker, Produced};
pub use body_writer::BodyWriter;
#[cfg(feature = "compression")]
pub use compression::Compression;
pub use config::ServerConfig;
pub use connection::HttpConnection;
pub use cors::Cors;
pub use error_pages::ErrorPages;
pub use event_stream::{Event, EventStream};
pub use files::Files;
pub use handler::{Handler, answer, answer_async};
pub use http_server::HttpServer;
pub use incoming::{BodyControl, BodyReceiver};
pub use redirect::Redirect;
pub use reply::{Ended, Reply};
pub use request::Request;
pub use response::Response;
pub use router::Router;
#[cfg(feature = "sessions")]
pub use session_store::{MemoryStore, SessionData, SessionStore};
#[cfg(feature = "sessions")]
pub use sessions::{Session, SessionFull, Sessions};
pub use timeout::Timeout;
pub use virtual_hosts::VirtualHosts;
