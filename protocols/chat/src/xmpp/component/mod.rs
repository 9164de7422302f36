//! A component of a server (XEP-0114): [`XmppComponent`] is the handle, a [`ComponentHandler`] is told what happens.
//!
//! A component has a domain of its own, such as `echo.example.org`. It connects to a port of the server and proves that it knows a
//! secret; then the server gives it each stanza to its domain and to all addresses at it, and it may send from each of them. The stream
//! is not encrypted by this protocol: use the port on the same machine, or an endpoint with TLS.

mod component_connection;
mod config;
mod error;
mod handler;
mod link;
mod stanzas;
mod xmpp_component;

pub use super::iq_request::IqRequest;

pub use {
    component_connection::ComponentConnection, config::ComponentConfig, error::ComponentError,
    handler::ComponentHandler, xmpp_component::XmppComponent,
};
