//! What outlives the server, and stores that fail.

use std::{
    cell::{Cell, RefCell},
    env, fs,
    path::PathBuf,
    process,
    rc::Rc,
};

use sinew_chat::xmpp::server::{AccountData, FolderStore, MemoryStore, Store, StoreError};
use sinew_transports::reactor::{Deferred, Reactor};

use super::kit::{HEADER, Site, auth, config};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        Self(env::temp_dir().join(format!("sinew-xmpp-store-{}-{name}", process::id())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Until everything is on the disk. Threads have a clock of their own.
fn settle(site: &Site) {
    let flushed = site.server.flushed(&site.reactor);
    for _ in 0..1_000 {
        site.advance(1);
        if flushed.is_settled() {
            return;
        }
        std::thread::yield_now();
    }
    panic!("the accounts were not saved");
}

#[test]
fn accounts_outlive_the_server() {
    let folder = Folder::new("accounts");
    let with_folder = || config().store(FolderStore::new(&folder.0));
    {
        let site = Site::new(with_folder());
        site.make_friends();
        let ann = site.online("ann", "desk");
        ann.ask(
            "<iq type='set' id='1'><vCard xmlns='vcard-temp'><FN>Ann &amp; co</FN></vCard></iq>",
        );
        ann.say("<message to='bob@example.org' type='chat'><body> 1 &lt; 2\n</body></message>");
        ann.say("<presence to='carl@example.org' type='subscribe'/>");
        settle(&site);
    }
    let mut names: Vec<_> = fs::read_dir(&folder.0)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["ann.xml", "bob.xml", "carl.xml"]);
    let site = Site::new(with_folder());
    let bob = site.bind("bob", "desk");
    let heard = bob.ask("<presence/>");
    assert!(heard.contains("<body> 1 &lt; 2\n</body>"), "{heard}");
    let roster = bob.ask("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    assert!(roster.contains("<item jid='ann@example.org' subscription='both'/>"), "{roster}");
    let vcard =
        bob.ask("<iq type='get' id='v' to='ann@example.org'><vCard xmlns='vcard-temp'/></iq>");
    let vcard = wait(&site, &bob, vcard, "</vCard>");
    assert!(vcard.contains("Ann &amp; co"), "{vcard}");
    let carl = site.bind("carl", "desk");
    let heard = carl.ask("<presence/>");
    assert!(heard.contains("type='subscribe'"), "{heard}");
}

fn wait(site: &Site, client: &super::kit::Client<'_>, mut heard: String, end: &str) -> String {
    for _ in 0..1_000 {
        if heard.contains(end) {
            return heard;
        }
        site.advance(1);
        std::thread::yield_now();
        heard.push_str(&client.heard());
    }
    panic!("{heard}")
}

/// Names that no file should have.
#[test]
fn names_of_files() {
    let folder = Folder::new("names");
    let reactor = Reactor::new().unwrap();
    let store = FolderStore::new(&folder.0);
    let long = "x".repeat(1_000);
    let names = ["con", "lpt1", "../a", "a.b", "..", "con\u{e9}", "A", &long, "plain-1_x"];
    for name in names {
        let saved = store.save(&reactor, name, &AccountData::default());
        reactor.run_until(saved).unwrap().unwrap();
        let loaded = store.load(&reactor, name);
        assert_eq!(reactor.run_until(loaded).unwrap().unwrap(), Some(AccountData::default()));
    }
    let files: Vec<_> =
        fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files.len(), names.len());
    assert!(files.iter().all(|name| name.len() <= 69), "{files:?}");
    assert!(!files.iter().any(|name| name == "con.xml" || name == "lpt1.xml"), "{files:?}");
    let missing = store.load(&reactor, "nobody");
    assert_eq!(reactor.run_until(missing).unwrap().unwrap(), None);
}

/// What is damaged is not taken for an empty account, nor overwritten.
#[test]
fn a_damaged_file() {
    let folder = Folder::new("damaged");
    fs::create_dir_all(&folder.0).unwrap();
    fs::write(folder.0.join("ann.xml"), "<account").unwrap();
    let site = Site::new(config().store(FolderStore::new(&folder.0)));
    let client = site.connect();
    client.ask(HEADER);
    let heard = client.ask(&auth("ann", "secret"));
    let heard = wait(&site, &client, heard, "</failure>");
    assert!(heard.contains("<temporary-auth-failure/>"), "{heard}");
    let bob = site.log_in("bob");
    bob.say(&super::kit::bind("desk"));
    bob.heard();
    bob.say("<message to='ann@example.org' type='chat'><body>a</body></message>");
    let heard = wait(&site, &bob, String::new(), "</message>");
    assert!(heard.contains("<internal-server-error "), "{heard}");
    assert_eq!(fs::read_to_string(folder.0.join("ann.xml")).unwrap(), "<account");
}

/// Fails, or panics, as often as it is told.
#[derive(Clone, Default)]
struct Failing {
    inner: MemoryStore,
    failures: Rc<Cell<usize>>,
    panics: Rc<Cell<bool>>,
    running: Rc<RefCell<Vec<String>>>,
}

impl Store for Failing {
    fn load(&self, reactor: &Reactor, account: &str) -> Deferred<Option<AccountData>, StoreError> {
        assert!(!self.panics.get(), "a store panics");
        self.inner.load(reactor, account)
    }

    fn save(
        &self,
        reactor: &Reactor,
        account: &str,
        data: &AccountData,
    ) -> Deferred<(), StoreError> {
        assert!(!self.running.borrow().contains(&account.to_owned()), "one at a time");
        if self.failures.get() > 0 {
            self.failures.set(self.failures.get() - 1);
            assert!(!self.panics.get(), "a store panics");
            return Deferred::failed_on(reactor, StoreError::Other("no space".into()));
        }
        self.running.borrow_mut().push(account.to_owned());
        let (running, account) = (Rc::clone(&self.running), account.to_owned());
        self.inner.save(reactor, &account.clone(), data).map(move |saved| {
            running.borrow_mut().retain(|known| *known != account);
            saved
        })
    }
}

#[test]
fn a_store_that_fails_is_asked_again() {
    let store = Failing::default();
    store.failures.set(2);
    let site = Site::new(config().store(store.clone()));
    let ann = site.online("ann", "desk");
    ann.ask("<iq type='set' id='1'><vCard xmlns='vcard-temp'><FN>Ann</FN></vCard></iq>");
    assert_eq!((store.inner.len(), site.server.report().accounts_unsaved), (0, 1));
    site.advance(5_000);
    assert_eq!((store.inner.len(), site.server.report().accounts_unsaved), (1, 0));
}

#[test]
fn a_store_that_panics() {
    let store = Failing::default();
    let site = Site::new(config().store(store.clone()));
    let ann = site.online("ann", "desk");
    site.advance(1);
    store.panics.set(true);
    let heard = ann.ask("<message to='bob@example.org'><body>a</body></message>");
    assert!(heard.contains("<internal-server-error "), "{heard}");
    let client = site.connect();
    client.ask(HEADER);
    assert!(client.ask(&auth("carl", "secret")).contains("<temporary-auth-failure/>"));
    // Also while it saves: the session goes on, and it is asked again.
    store.failures.set(1);
    let vcard = "<iq type='set' id='1'><vCard xmlns='vcard-temp'><FN>Ann</FN></vCard></iq>";
    assert!(ann.ask(vcard).contains("<internal-server-error "));
    assert_eq!(site.server.report().accounts_unsaved, 1);
    // Who waits until all is saved has it tried at once, and is told also if that fails.
    store.failures.set(1);
    for unsaved in [1, 0] {
        let flushed = site.server.flushed(&site.reactor);
        assert!(!flushed.is_settled());
        site.advance(10);
        assert!(flushed.is_settled());
        assert_eq!(site.server.report().accounts_unsaved, unsaved);
    }
    site.advance(2_000);
    // Nothing is left of it.
    store.panics.set(false);
    assert_eq!(ann.ask("<message to='bob@example.org'><body>b</body></message>"), "");
    assert!(client.ask(&auth("carl", "secret")).contains("<success"));
}
