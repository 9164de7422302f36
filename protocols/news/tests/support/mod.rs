//! Stores with groups, articles, and a client in memory that sends bytes and collects responses.

use std::{
    cell::RefCell,
    rc::Rc,
    time::{Duration, SystemTime},
};

use sinew_news::{
    nntp::{
        codec::{Article, ArticleLimits, GroupName, MessageId, format_article_date},
        server::{
            Access, NewsConnection, NewsHandler, NewsServer, Refusal, ServerConfig, Session,
            Verdict,
        },
    },
    store::{GroupStatus, MemoryStore, NewArticle, NewGroup, NewsStore},
};
use sinew_protocols::basic::Word;
use sinew_transports::{
    Connection, StreamConfig, memory,
    memory::Wire,
    reactor::{Promise, Reactor},
};

pub(crate) fn group(name: &str) -> GroupName {
    name.parse().expect("a name")
}

pub(crate) fn id(text: &str) -> MessageId {
    text.parse().expect("an identifier")
}

/// An article as another server sends it, at this time.
pub(crate) fn text(id: &str, groups: &str, body: &str, now: SystemTime) -> String {
    let date = format_article_date(now);
    format!(
        "Path: other!not-for-mail\r\nFrom: ann@example.net\r\nNewsgroups: {groups}\r\nSubject: about {id}\r\nDate: {date}\r\nMessage-ID: {id}\r\n\r\n{body}"
    )
}

pub(crate) fn new_article(of: &str, groups: &[&str], body: &str, now: SystemTime) -> NewArticle {
    let text = text(of, &groups.join(","), body, now);
    let article = Article::new(text, &ArticleLimits::default()).expect("an article");
    let groups = groups.iter().map(|name| group(name)).collect();
    NewArticle::new(id(of), article, groups, &Word::from_static("news.example"))
}

/// A store with some groups: `a.open`, `a.closed`, `a.moderated`, `b.secret`.
pub(crate) fn store(now: SystemTime) -> MemoryStore {
    let store = MemoryStore::new();
    for (name, status) in [
        ("a.open", GroupStatus::Open),
        ("a.closed", GroupStatus::Closed),
        ("a.moderated", GroupStatus::Moderated),
        ("b.secret", GroupStatus::Open),
    ] {
        let new = NewGroup::new(group(name)).status(status).description("What it is").unwrap();
        store.create_group(new, now).unwrap();
    }
    store
}

/// What the handler of a server notes, and does.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) later: bool,
    pub(crate) open: Vec<Promise<(), Refusal>>,
    pub(crate) moderated: Vec<String>,
}

/// Everybody may read `a.*`, and post and feed; `ann` may read and approve everything.
#[derive(Clone, Default)]
pub(crate) struct Handler(pub(crate) Rc<RefCell<Notes>>);

impl NewsHandler for Handler {
    fn access(&self, session: &Session) -> Access {
        let all = "*".parse().unwrap();
        match session.identity() {
            Some(_) => Access::read_and_post().approving(all).feeding(),
            None => Access::none()
                .reading("a.*".parse().unwrap())
                .posting("a.*".parse().unwrap())
                .feeding(),
        }
    }

    fn posted(&self, session: &Session, article: &Article) -> Verdict {
        if article.field("Subject") == Some(b"spam") {
            return Verdict::refuse(Refusal::new("No spam").unwrap());
        }
        if !self.0.borrow().later {
            return Verdict::accept();
        }
        let (promise, deferred) = session.transport().reactor().unwrap().promise();
        self.0.borrow_mut().open.push(promise);
        Verdict::later(deferred)
    }

    fn moderated(&self, _: &Session, group: &GroupName, article: &Article) -> Verdict {
        let subject = String::from_utf8_lossy(article.field("Subject").unwrap_or_default());
        self.0.borrow_mut().moderated.push(format!("{group}: {subject}"));
        Verdict::accept()
    }
}

pub(crate) fn config() -> ServerConfig {
    ServerConfig::new("news.example").expect("a name")
}

pub(crate) struct Client {
    pub(crate) reactor: Reactor,
    pub(crate) store: MemoryStore,
    pub(crate) handler: Handler,
    pub(crate) server: NewsServer<MemoryStore>,
    pub(crate) wire: Wire,
    _connection: Connection<NewsConnection<MemoryStore>>,
}

impl Client {
    pub(crate) fn new() -> Self {
        Self::with(config(), Handler::default())
    }

    /// One whose greeting was read.
    pub(crate) fn greeted() -> Self {
        let client = Self::new();
        assert_eq!(client.codes(""), [200]);
        client
    }

    pub(crate) fn with(config: ServerConfig, handler: impl NewsHandler) -> Self {
        crate::watchdog::watch_this_test();
        let reactor = Reactor::simulated(0);
        let store = store(reactor.wall_clock());
        let server = NewsServer::new(config, store.clone(), handler);
        Self::of(reactor, store, Handler::default(), server)
    }

    pub(crate) fn with_handler(config: ServerConfig, handler: &Handler) -> Self {
        Self { handler: handler.clone(), ..Self::with(config, handler.clone()) }
    }

    fn of(
        reactor: Reactor,
        store: MemoryStore,
        handler: Handler,
        server: NewsServer<MemoryStore>,
    ) -> Self {
        let made = memory::connect(&reactor, StreamConfig::default(), server.connection());
        let (connection, wire) = made.expect("room for one");
        let client = Self { reactor, store, handler, server, wire, _connection: connection };
        client.advance(Duration::ZERO);
        client
    }

    /// Another client of the same server.
    pub(crate) fn another(&self) -> Self {
        Self::of(
            self.reactor.clone(),
            self.store.clone(),
            self.handler.clone(),
            self.server.clone(),
        )
    }

    /// Stores an article, as if it had come from another server.
    pub(crate) fn put(&self, id: &str, groups: &[&str], body: &str) {
        let new = new_article(id, groups, body, self.reactor.wall_clock());
        let stored = self.store.store(&self.reactor, new);
        self.advance(Duration::ZERO);
        assert!(matches!(stored.take(), Some(Ok(Some(_)))), "{id} was stored");
    }

    /// Sends, and returns the responses.
    pub(crate) fn say(&self, bytes: impl AsRef<[u8]>) -> String {
        self.wire.receive_if_open(bytes.as_ref());
        self.received()
    }

    /// The codes of the one-line responses to what is sent.
    pub(crate) fn codes(&self, bytes: impl AsRef<[u8]>) -> Vec<u16> {
        let said = self.say(bytes);
        said.lines()
            .map(|line| line.get(..3).and_then(|code| code.parse().ok()).unwrap_or(0))
            .collect()
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.reactor.advance(by).expect("the loop becomes idle");
    }

    /// What was received since the last call.
    pub(crate) fn received(&self) -> String {
        self.advance(Duration::ZERO);
        String::from_utf8(self.wire.take(usize::MAX)).expect("responses are text")
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.wire.is_closing()
    }
}
