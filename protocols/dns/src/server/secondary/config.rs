//! Where a secondary zone comes from, and its limits: [`SecondaryConfig`].

use std::{path::PathBuf, time::Duration};

use crate::{client::NameServer, codec::tsig::TsigKey};

/// Servers, key, store and limits of a [`Secondary`](super::Secondary).
#[derive(Clone, Debug)]
#[must_use]
pub struct SecondaryConfig {
    pub(super) servers: Vec<NameServer>,
    pub(super) key: Option<TsigKey>,
    pub(super) store: Option<PathBuf>,
    pub(super) records_max: u64,
    pub(super) refresh_min: Duration,
    pub(super) refresh_max: Duration,
}

impl SecondaryConfig {
    /// The zone is received from the first of these servers that has a newer version.
    pub fn new(servers: impl IntoIterator<Item = NameServer>) -> Self {
        Self {
            servers: servers.into_iter().collect(),
            key: None,
            store: None,
            records_max: 10_000_000,
            refresh_min: Duration::from_secs(30),
            refresh_max: Duration::from_secs(86_400),
        }
    }

    /// Signs transfers, and requires that transfers and notifications are signed with the same key. A server must know the key as well
    /// ([`ServerConfig::key`](crate::server::ServerConfig::key)), for the notifications. Questions for the version are not signed.
    pub fn key(mut self, key: TsigKey) -> Self {
        self.key = Some(key);
        self
    }

    /// The folder where the zone is stored, so that it is served at once after a restart. A file is replaced as a whole, or not at all,
    /// also in a crash. Default: none.
    pub fn store(mut self, folder: impl Into<PathBuf>) -> Self {
        self.store = Some(folder.into());
        self
    }

    /// Maximum records of the zone. Default 10,000,000.
    pub fn records_max(mut self, records: u64) -> Self {
        self.records_max = records;
        self
    }

    /// Bounds of the times between two questions for the version, whatever the SOA record says. Default 30 s and a day.
    pub fn refresh_bounds(mut self, min: Duration, max: Duration) -> Self {
        self.refresh_min = min.max(Duration::from_secs(1));
        self.refresh_max = max.max(self.refresh_min);
        self
    }
}
