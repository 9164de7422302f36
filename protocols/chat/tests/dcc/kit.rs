//! A server, two clients, and a folder for each of them.

use std::{cell::RefCell, env, fs, path::PathBuf, process, rc::Rc, time::Duration};

use sinew_chat::irc::{
    client::{DccConfig, DccOffer, IrcClient, IrcConfig, IrcHandler, Said},
    codec::Ctcp,
    server::{IrcServer, ServerConfig},
};
use sinew_transports::{ReactorTcp, reactor::Reactor};

/// Remembers offers, and all questions by CTCP.
#[derive(Clone, Default)]
struct Seen {
    offers: Rc<RefCell<Vec<DccOffer>>>,
    questions: Rc<RefCell<Vec<String>>>,
}

impl IrcHandler for Seen {
    fn dcc_offered(&mut self, _: &IrcClient, offer: &DccOffer) {
        self.offers.borrow_mut().push(offer.clone());
    }

    fn ctcp_query(&mut self, _: &IrcClient, _: &Said<'_>, ctcp: &Ctcp<'_>) {
        self.questions.borrow_mut().push(ctcp.text.to_string());
    }
}

#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) irc: IrcClient,
    pub(crate) reactor: Reactor,
    seen: Seen,
}

impl Client {
    async fn connect(reactor: &Reactor, nick: &str, port: u16, dcc: DccConfig) -> Self {
        let seen = Seen::default();
        let config = IrcConfig::new(nick).unwrap().rate(100, Duration::from_millis(1)).dcc(dcc);
        let irc = IrcClient::new(reactor, config, seen.clone());
        irc.connect(reactor, ("127.0.0.1", port)).await.unwrap();
        Self { irc, reactor: reactor.clone(), seen }
    }

    /// Waits for the next offer.
    pub(crate) async fn offered(&self) -> DccOffer {
        loop {
            if let Some(offer) = self.seen.offers.borrow_mut().pop() {
                return offer;
            }
            self.reactor.sleep(Duration::from_millis(2)).await;
        }
    }
}

impl Client {
    /// Waits until somebody has asked this.
    pub(crate) async fn asked(&self, question: &str) {
        while !self.seen.questions.borrow().iter().any(|asked| asked == question) {
            self.reactor.sleep(Duration::from_millis(2)).await;
        }
    }
}

/// Where the files of a test are. Deleted at its end.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("sinew-dcc-{}-{name}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// The names of all files, when everything that is to be deleted is.
    pub(crate) async fn settles_to(&self, reactor: &Reactor, expected: &[&str]) {
        loop {
            let entries = fs::read_dir(&self.0).unwrap();
            let mut names: Vec<_> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            if names == expected {
                return;
            }
            reactor.sleep(Duration::from_millis(2)).await;
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Rules under which everything can be tried on one machine.
pub(crate) fn local() -> DccConfig {
    DccConfig::default()
        .allow(["127.0.0.0/8".parse().unwrap()])
        .offer_timeout(Duration::from_secs(20))
        .idle_timeout(Duration::from_secs(20))
}

/// Bytes that are nowhere the same.
pub(crate) fn content(len: u32) -> Vec<u8> {
    (0..len).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// Runs a test with two clients, `ann` and `bob`.
pub(crate) fn meet<F: Future<Output = ()> + 'static>(
    ann: DccConfig,
    bob: DccConfig,
    test: impl FnOnce(Client, Client) -> F + 'static,
) {
    crate::watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let config = ServerConfig::new("irc.test").unwrap().flood(1_000, Duration::from_millis(1));
    let server = IrcServer::new(&reactor, config);
    let port = reactor.listen_tcp("127.0.0.1:0", server).unwrap().local().port();
    let handle = reactor.clone();
    let done = reactor.run_until(async move {
        let ann = Client::connect(&handle, "ann", port, ann).await;
        let bob = Client::connect(&handle, "bob", port, bob).await;
        handle.timeout(Duration::from_secs(40), test(ann, bob)).await
    });
    assert!(matches!(done, Ok(Ok(()))), "it takes too long");
}
