//! Archives that outlive the server, that fail, and that are slow.

use std::{
    cell::{Cell, RefCell},
    env, fs,
    path::PathBuf,
    process,
    rc::Rc,
    sync::Arc,
};

use sinew_chat::xmpp::server::{
    ServerConfig, StoreError,
    archive::{
        ArchiveConfig, ArchiveId, ArchiveLimits, ArchiveStore, FolderArchive, MemoryArchive,
        StoredMessage, StoredPage, StoredQuery,
    },
};
use sinew_transports::reactor::{Deferred, Promise, Reactor};

use super::kit::{Client, Site, config};

const QUERY: &str = "<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'/></iq>";

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        Self(env::temp_dir().join(format!("sinew-xmpp-archive-{}-{name}", process::id())))
    }

    fn config(&self) -> ServerConfig {
        config().archive(ArchiveConfig::new(FolderArchive::new(&self.0)))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn chat(to: &str, body: &str) -> String {
    format!("<message to='{to}' type='chat'><body>{body}</body></message>")
}

/// Asks for an archive that is read on another thread.
fn archived(site: &Site, client: &Client<'_>) -> String {
    client.heard();
    client.say(QUERY);
    let mut heard = String::new();
    for _ in 0..10_000 {
        heard.push_str(&client.heard());
        if heard.contains("id='q'") {
            return heard;
        }
        site.advance(1);
        std::thread::yield_now();
    }
    panic!("{heard}")
}

#[test]
fn archives_outlive_the_server() {
    let folder = Folder::new("outlive");
    for round in 0..3 {
        let site = Site::new(folder.config());
        let (ann, bob) = (site.online("ann", "desk"), site.online("bob", "desk"));
        ann.say(&chat("bob@example.org", &format!("round {round}")));
        ann.say(&chat("carl@example.org", &format!("for later {round}")));
        let heard = archived(&site, &bob);
        assert_eq!(heard.matches("<body>round ").count(), round + 1, "{heard}");
        let stopped = site.server.stop(&site.reactor);
        for _ in 0..10_000 {
            if stopped.is_settled() {
                break;
            }
            site.advance(1);
            std::thread::yield_now();
        }
        assert!(stopped.is_settled());
        assert_eq!(site.server.report().archives_unwritten, 0);
    }
    let mut names: Vec<_> = fs::read_dir(&folder.0)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["ann.archive", "bob.archive", "carl.archive"]);
}

/// More archives than files are open, in a real reactor; and the names of files.
#[test]
fn many_archives() {
    let folder = Folder::new("many");
    let reactor = Reactor::new().unwrap();
    let store = FolderArchive::new(&folder.0);
    let limits = ArchiveLimits::new(10, 100_000);
    let message = |id| {
        let message = sinew_chat::xmpp::codec::Element::new("message", "jabber:client");
        StoredMessage::new(ArchiveId(id), "bob@example.org".parse().unwrap(), message)
    };
    let mut names: Vec<String> = (0..50).map(|number| format!("user-{number}")).collect();
    names.extend(["con", "../a", "a.b", "A"].map(str::to_owned));
    for round in 0..3u64 {
        for name in &names {
            let appended = store.append(&reactor, name, Arc::from([message(round)]), limits);
            reactor.run_until(appended).unwrap().unwrap();
        }
    }
    for name in &names {
        let span = reactor.run_until(store.span(&reactor, name, limits)).unwrap().unwrap();
        assert_eq!(span, Some((ArchiveId(0), ArchiveId(2))), "{name}");
    }
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), names.len());
    // What is too old goes, also if nobody asks for it.
    for (oldest, kept) in [(1, names.len()), (3, 0), (3, 0)] {
        let swept = store.sweep(&reactor, limits.from(ArchiveId(oldest)));
        assert_eq!(reactor.run_until(swept).unwrap().unwrap(), kept);
    }
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 0);
    let span = reactor.run_until(store.span(&reactor, &names[0], limits)).unwrap().unwrap();
    assert_eq!(span, None);
    let appended = store.append(&reactor, &names[0], Arc::from([message(9)]), limits);
    reactor.run_until(appended).unwrap().unwrap();
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1);
    // After its end no sweep looks at anything.
    reactor.run_until(store.end_sweep(&reactor)).unwrap().unwrap();
    let swept = store.sweep(&reactor, limits.from(ArchiveId(10)));
    assert_eq!(reactor.run_until(swept).unwrap().unwrap(), 0);
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1);
}

type Held = Vec<Promise<(), StoreError>>;

/// Fails, panics, or does not answer, as it is told.
#[derive(Clone, Default)]
struct Failing {
    inner: MemoryArchive,
    failures: Rc<Cell<usize>>,
    panics: Rc<Cell<bool>>,
    /// Answers that wait, if there are to be none.
    held: Rc<RefCell<Option<Held>>>,
    running: Rc<Cell<usize>>,
}

impl Failing {
    fn fail(&self, reactor: &Reactor) -> Option<Deferred<(), StoreError>> {
        let left = self.failures.get().checked_sub(1)?;
        self.failures.set(left);
        assert!(!self.panics.get(), "an archive panics");
        Some(Deferred::failed_on(reactor, StoreError::Other("no space".into())))
    }
}

impl ArchiveStore for Failing {
    fn append(
        &self,
        reactor: &Reactor,
        archive: &str,
        messages: Arc<[StoredMessage]>,
        limits: ArchiveLimits,
    ) -> Deferred<(), StoreError> {
        if let Some(failed) = self.fail(reactor) {
            return failed;
        }
        let appended = self.inner.append(reactor, archive, messages, limits);
        if let Some(held) = &mut *self.held.borrow_mut() {
            self.running.set(self.running.get() + 1);
            let (promise, later) = reactor.promise();
            held.push(promise);
            appended.detach();
            return later;
        }
        appended
    }

    fn page(
        &self,
        reactor: &Reactor,
        archive: &str,
        query: StoredQuery,
        limits: ArchiveLimits,
    ) -> Deferred<Option<StoredPage>, StoreError> {
        match self.fail(reactor) {
            Some(failed) => failed.map(|failed| failed.map(|()| None)),
            None => self.inner.page(reactor, archive, query, limits),
        }
    }

    fn span(
        &self,
        reactor: &Reactor,
        archive: &str,
        limits: ArchiveLimits,
    ) -> Deferred<Option<(ArchiveId, ArchiveId)>, StoreError> {
        self.inner.span(reactor, archive, limits)
    }
}

fn failing() -> (Site, Failing) {
    let store = Failing::default();
    (Site::new(config().archive(ArchiveConfig::new(store.clone()))), store)
}

/// A message that could not be written is written later, in its order, and the client is not kept waiting.
#[test]
fn an_archive_that_fails_is_asked_again() {
    for panics in [false, true] {
        let (site, store) = failing();
        let (ann, bob) = (site.online("ann", "desk"), site.online("bob", "desk"));
        store.panics.set(panics);
        store.failures.set(3);
        ann.say(&chat("bob@example.org", "one"));
        assert!(bob.heard().contains("<body>one</body>"));
        ann.say(&chat("bob@example.org", "two"));
        assert_eq!(
            (store.inner.messages_of("bob"), site.server.report().archives_unwritten),
            (0, 2)
        );
        site.advance(10_000);
        assert_eq!((store.inner.messages_of("bob"), store.inner.messages_of("ann")), (2, 2));
        assert_eq!(site.server.report().archives_unwritten, 0);
        let heard = bob.ask(QUERY);
        assert!(heard.find("<body>one<").unwrap() < heard.find("<body>two<").unwrap(), "{heard}");
        // A question that fails is answered.
        store.failures.set(1);
        assert!(bob.ask(QUERY).contains("<internal-server-error "));
        assert!(bob.ask(QUERY).contains("<fin "));
    }
}

/// Who waits until all is stored has it tried at once, and does not wait for ever.
#[test]
fn flushed() {
    let (site, store) = failing();
    let (ann, _bob) = (site.online("ann", "desk"), site.online("bob", "desk"));
    site.advance(10);
    store.failures.set(3);
    ann.say(&chat("bob@example.org", "one"));
    for unwritten in [1, 0] {
        let flushed = site.server.flushed(&site.reactor);
        site.advance(0);
        assert!(flushed.is_settled());
        assert_eq!(site.server.report().archives_unwritten, unwritten);
    }
}

/// While an archive is slow, a bounded number of questions wait, and each is answered.
#[test]
fn an_archive_that_is_slow() {
    let (site, store) = failing();
    let (ann, bob) = (site.online("ann", "desk"), site.online("bob", "desk"));
    site.advance(10);
    store.held.replace(Some(Vec::new()));
    ann.say(&chat("bob@example.org", "one"));
    ann.say(&chat("bob@example.org", "two"));
    // One call at a time for an archive.
    assert_eq!(store.running.get(), 2);
    bob.heard();
    bob.say(&QUERY.repeat(10));
    let heard = bob.heard();
    assert_eq!(heard.matches("<resource-constraint ").count(), 2, "{heard}");
    assert!(!heard.contains("<fin "), "{heard}");
    let flushed = site.server.flushed(&site.reactor);
    site.advance(1_000);
    assert!(!flushed.is_settled());
    for promise in store.held.take().unwrap() {
        promise.resolve(());
    }
    site.advance(10);
    let heard = bob.heard();
    assert_eq!(
        (heard.matches("<fin ").count(), heard.matches("<body>two<").count()),
        (8, 8),
        "{heard}"
    );
    assert!(flushed.is_settled());
}

/// More than memory should hold waits for an archive that is slow: the rest is delivered without an id, and not archived.
#[test]
fn more_than_can_wait() {
    let (site, store) = failing();
    let (ann, bob) = (site.online("ann", "desk"), site.online("bob", "desk"));
    store.held.replace(Some(Vec::new()));
    let long = "x".repeat(200_000);
    let (mut with_id, mut without) = (0, 0);
    for _ in 0..60 {
        ann.say(&chat("bob@example.org", &long));
        // Long messages count as several.
        site.advance(2_000);
        let heard = bob.heard();
        assert!(heard.contains("</body>"));
        match heard.contains("by='bob@example.org'") {
            true => with_id += 1,
            false => without += 1,
        }
        ann.say(" ");
        bob.say(" ");
    }
    // 16 MiB for both archives.
    assert_eq!((with_id, without), (41, 19));
    for promise in store.held.take().unwrap() {
        promise.resolve(());
    }
    site.advance(10);
    assert_eq!(store.inner.messages_of("bob"), with_id);
    ann.say(&chat("bob@example.org", "again"));
    assert!(bob.heard().contains("by='bob@example.org'"));
}
