//! A server of HTTP/1.1: [`HttpServer`] builds an [`HttpConnection`] for each client, which calls a [`Handler`] for each request.

mod answer;
mod answering;
mod body;
mod body_writer;
mod config;
mod connection;
mod exchange;
mod handler;
mod http_server;
mod incoming;
mod reply;
mod request;
mod response;
mod sending;
mod shared;
mod unread;

pub use body::{Body, BodySource, BodyWaker, Produced};
pub use body_writer::BodyWriter;
pub use config::ServerConfig;
pub use connection::HttpConnection;
pub use handler::{Handler, answer, answer_async};
pub use http_server::HttpServer;
pub use incoming::{BodyControl, BodyReceiver};
pub use reply::{Ended, Reply};
pub use request::Request;
pub use response::Response;
