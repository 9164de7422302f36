//! A folder for a test, and calls of a store that wait.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use sinew_news::{
    nntp::codec::{OverviewLine, Range},
    store::{GroupStatus, Locator, NewGroup, NewsStore, Spool, SpoolConfig, StoreError},
};
use sinew_transports::reactor::{Deferred, Reactor};

use crate::support::{group, id, new_article};

/// A folder that is removed at the end.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("sinew-news-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn open(&self) -> Result<Spool, StoreError> {
        Spool::open(&self.0, SpoolConfig::default().sync(false))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}

pub(crate) fn wait<T: 'static>(reactor: &Reactor, deferred: Deferred<T, StoreError>) -> T {
    reactor.run_until(deferred).expect("it runs").expect("the store works")
}

/// Creates `a.one` and `a.two`.
pub(crate) fn create_groups(spool: &Spool, reactor: &Reactor) {
    for (name, status) in [("a.one", GroupStatus::Open), ("a.two", GroupStatus::Moderated)] {
        let new = NewGroup::new(group(name)).status(status).description("A group").unwrap();
        spool.create_group(new, reactor.wall_clock()).unwrap();
    }
}

pub(crate) fn put(
    store: &impl NewsStore,
    reactor: &Reactor,
    of: &str,
    groups: &[&str],
    body: &str,
) -> bool {
    let new = new_article(of, groups, body, reactor.wall_clock());
    wait(reactor, store.store(reactor, new)).is_some()
}

pub(crate) fn overview(store: &impl NewsStore, reactor: &Reactor, name: &str) -> Vec<OverviewLine> {
    wait(reactor, store.overview(reactor, &group(name), Range::all(), 1_000))
}

/// The whole text of an article.
pub(crate) fn read(store: &impl NewsStore, reactor: &Reactor, of: &str) -> Option<Vec<u8>> {
    let mut open = wait(reactor, store.open(reactor, &Locator::Id(id(of))))?;
    let mut text = Vec::new();
    loop {
        let piece = wait(reactor, open.text.read(reactor));
        if piece.is_empty() {
            return Some(text);
        }
        text.extend_from_slice(&piece);
    }
}
