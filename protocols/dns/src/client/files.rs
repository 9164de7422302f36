//! The files of a resolver, resolv.conf and hosts, and their reload: [`Files`]. Their formats are in `settings.rs` and `hosts.rs`.
//!
//! Whether they have changed is asked for with a lookup, at most every five seconds: one `stat(2)` for each. A small file that has changed
//! is read at once; a large one on a thread, and until that is done the old content is used.

use std::{
    cell::{Cell, RefCell},
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    rc::Rc,
    time::{Duration, Instant, SystemTime},
};

use sinew_transports::reactor::Reactor;

use super::{DnsConfig, hosts::HostsTable, settings::Settings, shared::Shared};

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
}

impl Shared {
    /// Reads all files for the first time.
    pub(super) fn read_files(&self, reactor: &Reactor) {
        let files = &self.files;
        let mut table = HostsTable::default();
        table.read(files.hosts_text.as_bytes());
        if let Some(file) = &files.hosts
            && file.changed().is_some()
            && let Some(text) = read(&file.path)
        {
            table.read(&text);
        }
        self.hosts.replace(Rc::new(table));
        if let Some(file) = &files.resolv_conf {
            // Without the file, the server on this machine is asked, as by glibc.
            let text = file.changed().and_then(|_| read(&file.path)).unwrap_or_default();
            self.set_settings(reactor, Settings::parse(&text));
        }
    }

    /// Reads what has changed.
    pub(super) fn refresh(self: &Rc<Self>, reactor: &Reactor) {
        let (files, now) = (&self.files, reactor.now());
        if now.saturating_duration_since(files.checked_at.get()) < CHECK_EVERY {
            return;
        }
        files.checked_at.set(now);
        if let Some(file) = &files.resolv_conf
            && file.changed().is_some()
            && let Some(text) = read(&file.path)
        {
            tracing::info!(file = %file.path.display(), "the configuration has changed");
            self.set_settings(reactor, Settings::parse(&text));
        }
        if let Some(file) = &files.hosts
            && let Some(len) = file.changed()
        {
            let (path, before) = (file.path.clone(), files.hosts_text.clone());
            let load = move || {
                let mut table = HostsTable::default();
                table.read(before.as_bytes());
                table.read(&read(&path)?);
                Some(table)
            };
            if len <= READ_HERE_MAX {
                self.set_hosts(load());
            } else {
                let weak = Rc::downgrade(self);
                reactor.defer_to_thread(load).then(move |_, table| {
                    if let (Some(shared), Ok(table)) = (weak.upgrade(), table) {
                        shared.set_hosts(table);
                    }
                });
            }
        }
    }

    fn set_settings(&self, reactor: &Reactor, file: Settings) {
        let settings = self.config.settings_over(file);
        if settings == **self.settings.borrow() {
            return;
        }
        self.servers.set(reactor, &settings.servers);
        self.settings.replace(Rc::new(settings));
        // Other servers may know other names.
        self.cache.borrow_mut().clear();
        self.addresses.borrow_mut().clear();
    }

    fn set_hosts(&self, table: Option<HostsTable>) {
        if let Some(table) = table {
            self.hosts.replace(Rc::new(table));
            self.addresses.borrow_mut().clear();
        }
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
