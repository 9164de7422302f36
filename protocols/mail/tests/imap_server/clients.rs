//! The client of this crate, in plaintext and compressed, with a store in memory.

use std::rc::Rc;

use sinew_auth::{Authenticator, AuthenticatorConfig, ClientLogin, Users};
use sinew_mail::{
    imap::{
        client::{ClientConfig, ImapClient, ImapError, Security, SyncState},
        codec::{FetchItem, Flag, MailboxName, SearchKey, Section, SequenceSet},
        server::{ImapServer, ServerConfig},
    },
    store::MemoryStore,
};
use sinew_testkit::testing::task_test;
use sinew_transports::{
    endpoint::{ClientEndpoint, ServerEndpoint},
    reactor::Reactor,
};

fn server() -> ImapServer {
    let store = MemoryStore::default();
    store.create_account("ann").unwrap();
    let config = AuthenticatorConfig::default().allow_plaintext(true);
    let users = Authenticator::with(Users::new().user("ann", "secret"), config);
    ImapServer::new(ServerConfig::new(users, Rc::new(store)))
}

async fn talk(reactor: Reactor, config: ClientConfig) -> Result<(), ImapError> {
    let to = || "memory:imap".parse::<ClientEndpoint>().unwrap();
    let client = ImapClient::connect(&reactor, to(), config.clone()).await?;
    let other = ImapClient::connect(&reactor, to(), config).await?;
    let text = format!("Subject: Gr\u{fc}\u{df}e\r\n\r\n{}", "line\r\n".repeat(50_000));
    for _ in 0..3 {
        client
            .append(MailboxName::inbox(), text.clone(), [Flag::keyword("$x").unwrap()], None)
            .await?;
    }
    let view = client.select(MailboxName::inbox()).await?;
    assert_eq!((view.exists, view.is_read_only), (3, false));
    let first = client.sync(MailboxName::inbox(), SyncState::new()).await?;
    let found = client.uid_search(SearchKey::subject("GR\u{dc}\u{df}E").unwrap()).await?;
    assert_eq!(found, [1, 2, 3]);
    let one = || SequenceSet::one(2).unwrap();
    let fetched = client
        .uid_fetch(one(), [FetchItem::peek(Section::all()), FetchItem::BodyStructure])
        .await?;
    let content =
        fetched[0].content().and_then(|content| content.kept()).expect("it was asked for");
    assert_eq!(content.len(), text.len());
    other.select(MailboxName::inbox()).await?;
    other.add_flags(one(), [Flag::Deleted]).await?;
    other.uid_expunge(one()).await?;
    client.noop().await?;
    assert_eq!(client.selected().map(|view| view.exists), Some(2));
    let second = client.sync(MailboxName::inbox(), first.state).await?;
    assert_eq!(second.vanished.iter().copied().collect::<Vec<_>>(), [2]);
    other.logout().await?;
    client.logout().await
}

fn with(config: ClientConfig) {
    crate::watchdog::watch_this_test();
    let config = config.security(Security::None).login(ClientLogin::password("ann", "secret"));
    task_test(move |reactor| async move {
        let at: ServerEndpoint = "memory:imap".parse().unwrap();
        let port = at.listen(&reactor, server()).unwrap();
        let result = talk(reactor, config).await;
        port.stop_listening();
        result
    })
    .unwrap();
}

#[test]
fn in_plaintext() {
    with(ClientConfig::default());
}

#[cfg(feature = "compression")]
#[test]
fn compressed() {
    with(ClientConfig::default().compression(true));
}
