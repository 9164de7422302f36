//! A stub resolver and a client: [`DnsResolver`].

mod address_cache;
mod addresses;
mod answer;
pub(crate) mod ask_config;
pub(crate) mod asker;
mod cache;
mod config;
mod error;
mod exchange;
mod files;
pub(crate) mod flights;
mod hosts;
mod link;
mod lookup;
mod order;
mod records;
mod reload;
pub(crate) mod resolver;
mod search;
mod server;
pub(crate) mod servers;
mod settings;
mod shared;
mod slots;
pub(crate) mod special;
mod srv;
#[cfg(feature = "tls")]
mod srv_tls;
pub(crate) mod store;
mod transfer;
mod udp;
mod update;

pub use answer::Answer;
pub use config::DnsConfig;
pub use error::{LookupError, ServerError, ServerFailure};
pub use resolver::{DnsResolver, DnsStats};
pub use server::NameServer;
pub use settings::{SEARCH_MAX, SERVERS_MAX};
pub use srv::{SrvConnector, register};
#[cfg(feature = "tls")]
pub use srv_tls::SrvTlsConnector;
pub use transfer::{Transfer, TransferConfig, TransferError, TransferEvent, TransferReader};
pub use update::{Update, UpdateError};
