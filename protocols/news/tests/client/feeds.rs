//! Feeders: streams, servers without streams, articles that are to come later, peers that fail.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_news::{
    nntp::{
        client::{FeedConfig, FeedStats, Feeder, NewsClient, Offered},
        codec::ArticleLimits,
        server::{Access, NewsServer, Refusal, ServerConfig, Session, Verdict},
    },
    store::{Locator, MemoryStore, NewsStore},
};
use sinew_protocols::basic::{LineReceiver, Word};
use sinew_testkit::testing::task_test;
use sinew_transports::{AsyncStream, Peer, reactor::Reactor};

use super::play::{at, config};
use crate::support::{self, id, new_article};

async fn put(store: &MemoryStore, reactor: &Reactor, number: usize, groups: &[&str]) {
    let new = new_article(&format!("<{number}@a>"), groups, "x\r\n", reactor.wall_clock());
    assert!(store.store(reactor, new).await.unwrap().is_some());
}

async fn has(store: &MemoryStore, reactor: &Reactor, number: usize) -> bool {
    let locator = Locator::Id(id(&format!("<{number}@a>")));
    store.find(reactor, &locator).await.unwrap().is_some()
}

/// Feeds 120 articles; returns what was done, once the peer has them.
fn fed(
    window: usize,
    access: Access,
    feed: impl FnOnce(FeedConfig) -> FeedConfig + 'static,
) -> FeedStats {
    crate::watchdog::watch_this_test();
    task_test(move |reactor: Reactor| async move {
        let (ours, theirs) = (MemoryStore::new(), support::store(reactor.wall_clock()));
        for name in ["a.open", "b.secret"] {
            let new = sinew_news::store::NewGroup::new(support::group(name));
            ours.create_group(new, reactor.wall_clock()).unwrap();
        }
        for number in 0..120 {
            let group = if number % 10 == 0 { "b.secret" } else { "a.open" };
            put(&ours, &reactor, number, &[group]).await;
        }
        put(&theirs, &reactor, 7, &["a.open"]).await;
        let (listen, to) = at("peer");
        let server =
            NewsServer::new(support::config(), theirs.clone(), move |_: &Session| access.clone());
        let port = listen.listen(&reactor, server).unwrap();
        let groups = "*,!b.*".parse().unwrap();
        let config = FeedConfig::new("peer", to).client(config()).window(window).groups(groups);
        let feeder = Feeder::start(&reactor, ours.clone(), feed(config));
        reactor.sleep(Duration::from_secs(60)).await;
        put(&ours, &reactor, 120, &["b.secret"]).await;
        put(&ours, &reactor, 121, &["a.open"]).await;
        feeder.wake();
        reactor.sleep(Duration::from_secs(20)).await;
        let stats = feeder.stats();
        if stats.failures == 0 && stats.not_wanted == 1 {
            for number in 0..122 {
                assert_eq!(has(&theirs, &reactor, number).await, number % 10 != 0, "{number}");
            }
            assert_eq!(ours.position(&reactor, "peer").await.unwrap(), 122);
        }
        drop(feeder);
        port.stop_listening();
        stats
    })
}

#[test]
fn every_article_arrives_once() {
    for window in [1, 7, 50, 1_000] {
        let stats = fed(window, Access::none().feeding(), |feed| feed);
        assert_eq!((stats.taken, stats.not_wanted, stats.failures), (108, 1, 0), "{window}");
    }
}

#[cfg(feature = "compression")]
#[test]
fn every_article_arrives_once_compressed() {
    let stats = fed(50, Access::none().feeding(), |feed| feed.client(config().compress(true)));
    assert_eq!((stats.taken, stats.not_wanted, stats.failures), (108, 1, 0));
}

#[test]
fn articles_that_have_come_by_the_peer_are_not_sent_to_it() {
    let stats =
        fed(50, Access::none().feeding(), |feed| feed.path_identity(Word::from_static("OTHER")));
    assert_eq!((stats.taken, stats.not_wanted, stats.failures), (0, 109, 0));
}

#[test]
fn a_peer_that_does_not_take_articles_is_asked_less_and_less() {
    let stats = fed(50, Access::read(), |feed| feed.retry(Duration::from_secs(1)));
    assert_eq!((stats.taken, stats.position), (0, 0));
    assert!((5..12).contains(&stats.failures), "{stats:?}");
}

/// An article is to be offered again, and meanwhile the peer has gone: what is due does not shorten the pauses between attempts.
#[test]
fn a_peer_that_has_gone_is_asked_less_and_less_although_something_is_due() {
    crate::watchdog::watch_this_test();
    let stats = task_test(|reactor: Reactor| async move {
        let (ours, theirs) =
            (support::store(reactor.wall_clock()), support::store(reactor.wall_clock()));
        put(&ours, &reactor, 1, &["a.open"]).await;
        let (listen, to) = at("gone");
        let server =
            NewsServer::new(support::config(), theirs, |_: &Session| Access::none().feeding());
        let port = listen.listen(&reactor, server).unwrap();
        // Somebody else is sending it.
        let mut other = AsyncStream::connect(&reactor, to.clone()).await.unwrap();
        other.write_all(b"IHAVE <1@a>\r\n").await.unwrap();
        reactor.sleep(Duration::from_secs(1)).await;
        let feeder =
            Feeder::start(&reactor, ours.clone(), FeedConfig::new("gone", to).client(config()));
        reactor.sleep(Duration::from_secs(10)).await;
        assert_eq!((feeder.stats().later, feeder.stats().failures), (1, 0));
        port.stop_listening();
        drop(other);
        reactor.sleep(Duration::from_secs(600)).await;
        feeder.stats()
    });
    assert!((4..9).contains(&stats.failures), "{stats:?}");
}

/// The peer does not want the article at first: it is offered again, and those behind it are not held up.
#[test]
fn an_article_may_be_wanted_later() {
    crate::watchdog::watch_this_test();
    struct Later(Rc<RefCell<usize>>);
    impl sinew_news::nntp::server::NewsHandler for Later {
        fn access(&self, _: &Session) -> Access {
            Access::none().feeding()
        }

        fn relayed(&self, _: &Session, article: &sinew_news::nntp::codec::Article) -> Verdict {
            let mut left = self.0.borrow_mut();
            if *left > 0 && article.message_id() == Ok(id("<2@a>")) {
                *left -= 1;
                return Verdict::refuse(Refusal::try_later());
            }
            Verdict::accept()
        }
    }
    let stats = task_test(|reactor: Reactor| async move {
        let (ours, theirs) =
            (support::store(reactor.wall_clock()), support::store(reactor.wall_clock()));
        for number in 0..5 {
            put(&ours, &reactor, number, &["a.open"]).await;
        }
        let (listen, to) = at("later");
        let server =
            NewsServer::new(support::config(), theirs.clone(), Later(Rc::new(RefCell::new(3))));
        let port = listen.listen(&reactor, server).unwrap();
        let feeder =
            Feeder::start(&reactor, ours.clone(), FeedConfig::new("later", to).client(config()));
        reactor.sleep(Duration::from_secs(300)).await;
        for number in 0..5 {
            assert!(has(&theirs, &reactor, number).await, "{number}");
        }
        assert_eq!(ours.position(&reactor, "later").await.unwrap(), 5);
        let stats = feeder.stats();
        drop(feeder);
        port.stop_listening();
        stats
    });
    // In a stream the peer can only hang up: what it had taken before, it has then.
    assert_eq!((stats.failures, stats.position), (3, 5), "{stats:?}");
}

/// What a server has added to the head of an article does not make it too long for its feeds.
#[test]
fn an_article_of_the_greatest_length_is_fed() {
    crate::watchdog::watch_this_test();
    let stats = task_test(|reactor: Reactor| async move {
        let limits = ArticleLimits::default().bytes_max(2_000);
        let (ours, theirs) =
            (support::store(reactor.wall_clock()), support::store(reactor.wall_clock()));
        let head = support::text("<1@a>", "a.open", "", reactor.wall_clock());
        let body = "x".repeat(1_998 - head.len()) + "\r\n";
        let (listen, to) = at("first");
        let config_of_server = support::config().article_limits(limits);
        let first =
            NewsServer::new(config_of_server, ours.clone(), |_: &Session| Access::none().feeding());
        let port = listen.listen(&reactor, first).unwrap();
        let mut client = NewsClient::connect(&reactor, to, config()).await.unwrap();
        let text = support::text("<1@a>", "a.open", &body, reactor.wall_clock());
        assert_eq!(text.len(), 2_000);
        let taken = client.take_this(&id("<1@a>"), text).await.unwrap();
        assert_eq!(taken, Offered::Taken);
        client.quit().await;
        let (listen, to) = at("second");
        let server = NewsServer::new(
            ServerConfig::new("other.example").unwrap(),
            theirs.clone(),
            |_: &Session| Access::none().feeding(),
        );
        let second = listen.listen(&reactor, server).unwrap();
        let feed = FeedConfig::new("second", to).client(config().article_limits(limits));
        let feeder = Feeder::start(&reactor, ours.clone(), feed);
        reactor.sleep(Duration::from_secs(10)).await;
        let stats = feeder.stats();
        drop(feeder);
        port.stop_listening();
        second.stop_listening();
        stats
    });
    assert_eq!((stats.taken, stats.failures), (1, 0), "{stats:?}");
}

/// Feeds some articles to a server that follows a script.
fn fed_to(script: super::play::Script, articles: usize) -> FeedStats {
    use super::play::Scripted;
    crate::watchdog::watch_this_test();
    task_test(move |reactor: Reactor| async move {
        let ours = support::store(reactor.wall_clock());
        for number in 1..=articles {
            put(&ours, &reactor, number, &["a.open"]).await;
        }
        let (listen, to) = at("scripted");
        let server = move |_: &Peer| LineReceiver::new(Scripted::new(script, "200 hello\r\n"));
        let port = listen.listen(&reactor, server).unwrap();
        // Far less than they have: they were taken before.
        let limits = ArticleLimits::default().bytes_max(50);
        let feed = FeedConfig::new("scripted", to).client(config().article_limits(limits));
        let feeder = Feeder::start(&reactor, ours.clone(), feed);
        reactor.sleep(Duration::from_secs(10)).await;
        port.stop_listening();
        feeder.stats()
    })
}

/// A peer that does not stream, and one that takes an identifier for none, which does not hold up the articles behind.
#[test]
fn articles_that_a_peer_cannot_name() {
    let stats = fed_to(
        &[
            ("CAPABILITIES", "101 yes\r\nVERSION 2\r\nIHAVE\r\n.\r\n"),
            ("IHAVE <1@a>", "501 what?\r\n"),
            ("IHAVE <2@a>", "335 go on\r\n"),
            (".", "235 thanks\r\n"),
            ("QUIT", "205 bye\r\n!"),
        ],
        2,
    );
    assert_eq!((stats.taken, stats.rejected, stats.failures), (1, 1, 0), "{stats:?}");
    let stats = fed_to(
        &[
            ("CAPABILITIES", "101 yes\r\nVERSION 2\r\nSTREAMING\r\n.\r\n"),
            ("MODE STREAM", "203 yes\r\n"),
            ("CHECK <1@a>", "501 what?\r\n"),
            ("CHECK <2@a>", "438 <2@a>\r\n"),
            ("QUIT", "205 bye\r\n!"),
        ],
        2,
    );
    assert_eq!((stats.not_wanted, stats.rejected, stats.failures), (1, 1, 0), "{stats:?}");
}
