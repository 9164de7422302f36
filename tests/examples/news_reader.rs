//! Tests of the example `news_reader`: against a server in this process.

use sinew::{
    news::{
        nntp::{
            client::{ClientConfig, Security, post},
            server::{Access, NewsServer, ServerConfig, Session},
        },
        store::{MemoryStore, NewGroup},
    },
    prelude::*,
};

use super::process::Example;

/// What it prints.
async fn read(reactor: &Reactor, at: &str, args: &[&str]) -> (Option<i32>, Vec<String>) {
    let args: Vec<_> = [at].into_iter().chain(args.iter().copied()).map(str::to_owned).collect();
    let ended = reactor.defer_to_thread(move || {
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        Example::start("news_reader", &args).wait()
    });
    let ended = ended.await.unwrap();
    (ended.code, ended.stdout)
}

/// What happens while the server runs: it ends with the run of its reactor.
async fn check(reactor: Reactor, at: String) {
    let text =
        "From: a@b\nNewsgroups: misc.test\nMessage-ID: <1@a>\nSubject: hello\n\nHello, Bob.\n";
    let client = ClientConfig::default().security(Security::None);
    post(&reactor, at.as_str(), client, text).await.unwrap();
    let groups = read(&reactor, &at, &[]).await;
    assert_eq!(groups, (Some(0), vec!["misc.test 1-1".to_owned()]));
    let overview = read(&reactor, &at, &["misc.test"]).await;
    assert_eq!(overview, (Some(0), vec!["1 <1@a> hello".to_owned()]));
    let (code, article) = read(&reactor, &at, &["<1@a>"]).await;
    assert_eq!((code, article.last().map(String::as_str)), (Some(0), Some("Hello, Bob.")));
    assert_eq!(read(&reactor, &at, &["no.such"]).await.0, Some(1));
}

#[test]
fn groups_overview_and_articles() {
    let reactor = Reactor::new().unwrap();
    let store = MemoryStore::new();
    let group = NewGroup::new("misc.test".parse().unwrap());
    store.create_group(group, reactor.wall_clock()).unwrap();
    let config = ServerConfig::new("news.example").unwrap();
    let server = NewsServer::new(config, store, |_: &Session| Access::read_and_post());
    let port = reactor.listen_tcp("127.0.0.1:0", server).unwrap();
    let at = port.local().to_string();
    reactor.run_until(check(reactor.clone(), at)).unwrap();
}
