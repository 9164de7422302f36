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

/// Another one opens a spool that was closed, though the first is still there: that one reads what it has, and changes nothing.
#[test]
fn a_closed_spool_is_free() {
    crate::watchdog::watch_this_test();
    let (folder, reactor) = (Folder::new(), Reactor::new().unwrap());
    let first = folder.open().unwrap();
    create_groups(&first, &reactor);
    let now = reactor.wall_clock();
    let put = |spool: &Spool, id: &str| {
        let stored = spool.store(&reactor, new_article(id, &["a.one"], "x\r\n", now));
        reactor.run_until(stored).unwrap()
    };
    put(&first, "<1@a>").unwrap();
    assert!(matches!(folder.open(), Err(StoreError::InUse { .. })));
    first.close();
    let second = folder.open().unwrap();
    assert!(matches!(put(&first, "<2@a>"), Err(StoreError::Closed)));
    put(&second, "<3@a>").unwrap();
    // What the first would have written lies where the second has written.
    assert!(matches!(put(&first, "<4@a>"), Err(StoreError::Closed)));
    let changes = [
        first.create_group(NewGroup::new(group("a.three")), now),
        first.set_status(&group("a.one"), GroupStatus::Closed),
        first.remove_group(&group("a.one")),
        first.expire(&[], now).map(drop),
        reactor.run_until(first.remember(&reactor, &id("<5@a>"))).unwrap(),
        reactor.run_until(first.set_position(&reactor, "peer", 1)).unwrap(),
    ];
    for (at, change) in changes.into_iter().enumerate() {
        assert!(matches!(change, Err(StoreError::Closed)), "{at}: {change:?}");
    }
    assert_eq!(first.group_info(&group("a.one")).unwrap().count, 1);
    let lines = wait(&reactor, first.overview(&reactor, &group("a.one"), Range::all(), 10));
    assert_eq!(lines.len(), 1);
    drop(first);
    assert!(matches!(folder.open(), Err(StoreError::InUse { .. })));
    drop(second);
    let third = folder.open().unwrap();
    let lines = wait(&reactor, third.overview(&reactor, &group("a.one"), Range::all(), 10));
    let ids: Vec<_> = lines.iter().map(OverviewLine::message_id).collect();
    assert_eq!(ids, [Some(id("<1@a>")), Some(id("<3@a>"))]);
}

/// Articles whose texts are gone, and whose lines too, do not end an overview before those behind them.
#[test]
fn lost_texts_do_not_end_an_overview() {
    crate::watchdog::watch_this_test();
    let (folder, reactor) = (Folder::new(), Reactor::new().unwrap());
    let spool = folder.open().unwrap();
    create_groups(&spool, &reactor);
    let now = reactor.wall_clock();
    for number in 1..=10 {
        let new = new_article(&format!("<{number}@a>"), &["a.one"], "x\r\n", now);
        wait(&reactor, spool.store(&reactor, new)).unwrap();
    }
    fs::remove_file(folder.0.join("overview/1")).unwrap();
    for sequence in 1..=9 {
        fs::remove_file(folder.0.join(format!("articles/000000/{sequence}"))).unwrap();
    }
    let lines = wait(&reactor, spool.overview(&reactor, &group("a.one"), Range::all(), 3));
    assert_eq!(lines.iter().map(OverviewLine::number).collect::<Vec<_>>(), [10]);
    let lines = wait(&reactor, spool.overview(&reactor, &group("a.one"), Range::between(1, 9), 3));
    assert!(lines.is_empty());
}
