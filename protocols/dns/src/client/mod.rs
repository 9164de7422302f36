//! A stub resolver and a client: [`DnsResolver`].

mod address_cache;
mod addresses;
mod answer;
mod cache;
mod config;
mod error;
mod exchange;
mod files;
mod flights;
mod hosts;
mod link;
mod lookup;
mod order;
mod records;
mod reload;
mod resolver;
mod search;
mod server;
mod servers;
mod settings;
mod shared;
mod slots;
mod special;
mod srv;
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
pub use transfer::{Transfer, TransferConfig, TransferError, TransferEvent, TransferReader};
pub use update::{Update, UpdateError};
