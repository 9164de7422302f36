//! The files of a resolver, resolv.conf and hosts, and whether they have changed: [`Files`]. Their formats are in `settings.rs` and
//! `hosts.rs`; what a change does to the resolver is in `reload.rs`.

use std::{
    cell::{Cell, RefCell},
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use super::{DnsConfig, hosts::HostsTable, settings::Settings};

/// How often it is checked whether a file has changed.
const CHECK_EVERY: Duration = Duration::from_secs(5);

/// Longest file that is read on the event loop's thread.
const READ_HERE_MAX: u64 = 64 << 10;

/// Of longer files, the beginning is read.
const FILE_LEN_MAX: u64 = 16 << 20;

/// The files, and what they were when they were read.
#[derive(Debug)]
pub(super) struct Files {
    resolv_conf: Option<Watched>,
    hosts: Option<Watched>,
    /// Of lookups of names in the code.
    hosts_text: String,
    checked_at: Cell<Instant>,
}

#[derive(Debug)]
struct Watched {
    path: PathBuf,
    stamp: RefCell<Option<Stamp>>,
}

/// What tells one version of a file from another.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
}

impl Watched {
    fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), stamp: RefCell::default() }
    }

    /// Whether it has changed, and how long it is now. A file that is gone keeps its old content.
    fn changed(&self) -> Option<u64> {
        let meta = fs::metadata(&self.path).ok()?;
        let now = Stamp { modified: meta.modified().ok(), len: meta.len() };
        let mut stamp = self.stamp.borrow_mut();
        if stamp.as_ref() == Some(&now) {
            return None;
        }
        *stamp = Some(now);
        Some(meta.len())
    }
}

impl Files {
    pub(super) fn new(config: &DnsConfig, now: Instant) -> Self {
        Self {
            resolv_conf: config.resolv_conf.as_deref().map(Watched::new),
            hosts: config.hosts.as_deref().map(Watched::new),
            hosts_text: config.hosts_text.clone(),
            checked_at: Cell::new(now),
        }
    }

    /// The names in the code and in the hosts file, read for the first time.
    pub(super) fn first_hosts(&self) -> HostsTable {
        let mut table = HostsTable::default();
        table.read(self.hosts_text.as_bytes());
        if let Some(file) = &self.hosts
            && file.changed().is_some()
            && let Some(text) = read(&file.path)
        {
            table.read(&text);
        }
        table
    }

    /// What resolv.conf says, read for the first time. `None` if it is not used.
    pub(super) fn first_settings(&self) -> Option<Settings> {
        let file = self.resolv_conf.as_ref()?;
        // Without the file, the server on this machine is asked, as by glibc.
        let text = file.changed().and_then(|_| read(&file.path)).unwrap_or_default();
        Some(Settings::parse(&text))
    }

    /// Whether it is time to check again. If so, the next time is later.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let is_due = now.saturating_duration_since(self.checked_at.get()) >= CHECK_EVERY;
        if is_due {
            self.checked_at.set(now);
        }
        is_due
    }

    /// What resolv.conf says, if it has changed.
    pub(super) fn changed_settings(&self) -> Option<Settings> {
        let file = self.resolv_conf.as_ref().filter(|file| file.changed().is_some())?;
        let text = read(&file.path)?;
        tracing::info!(file = %file.path.display(), "the configuration has changed");
        Some(Settings::parse(&text))
    }

    /// The hosts file, if it has changed.
    pub(super) fn changed_hosts(&self) -> Option<ChangedHosts> {
        let file = self.hosts.as_ref()?;
        let len = file.changed()?;
        Some(ChangedHosts { path: file.path.clone(), before: self.hosts_text.clone(), len })
    }
}

/// A hosts file that is to be read, on this thread or on another.
pub(super) struct ChangedHosts {
    path: PathBuf,
    /// Of lookups of names in the code.
    before: String,
    len: u64,
}

impl ChangedHosts {
    /// Whether it can be read on the event loop's thread.
    pub(super) fn is_small(&self) -> bool {
        self.len <= READ_HERE_MAX
    }

    /// The names in the code and in the file. `None` if it cannot be read.
    pub(super) fn read(self) -> Option<HostsTable> {
        let mut table = HostsTable::default();
        table.read(self.before.as_bytes());
        table.read(&read(&self.path)?);
        Some(table)
    }
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let read = || -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        File::open(path)?.take(FILE_LEN_MAX).read_to_end(&mut text)?;
        Ok(text)
    };
    read()
        .inspect_err(
            |error| tracing::warn!(file = %path.display(), %error, "the file cannot be read"),
        )
        .ok()
}
