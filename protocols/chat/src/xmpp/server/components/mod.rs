//! The port for components (XEP-0114): [`ComponentPort`] is a factory for it, and gives each component its domain at a server.
//!
//! A component of this or another implementation connects, names its domain, and proves that it knows the secret of it. From then on it
//! receives what is for the domain, and sends from it. The stream is not encrypted by this protocol: listen on the same machine only, or
//! with TLS.

mod component_port;
mod components_config;
mod connection;
mod slot;

pub use {
    component_port::ComponentPort, components_config::ComponentsConfig,
    connection::ComponentPortConnection,
};
