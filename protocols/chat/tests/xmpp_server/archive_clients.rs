//! The client of this crate reads archives of the server, both in memory.

use sinew_auth::{ClientLogin, Mechanism};
use sinew_chat::xmpp::{
    client::{RequestError, Security, XmppClient, XmppConfig, XmppHandler},
    codec::{ArchiveQuery, Jid, Message},
    server::{
        XmppServer,
        archive::{ArchiveConfig, MemoryArchive},
    },
};
use sinew_testkit::testing::task_test;
use sinew_transports::{
    endpoint::{ClientEndpoint, ServerEndpoint},
    reactor::Reactor,
};

use super::kit::config;

struct Silent;

impl XmppHandler for Silent {}

fn client(reactor: &Reactor, user: &str) -> XmppClient {
    let login =
        ClientLogin::password(user, "secret").allow_plaintext(true).mechanisms([Mechanism::Plain]);
    let config = XmppConfig::with_login(format!("{user}@example.org/desk").parse().unwrap(), login);
    XmppClient::new(reactor, config.security(Security::None), Silent)
}

/// How many messages Ann sends.
const SENT: usize = 120;

async fn read(xmpp: &XmppClient, query: ArchiveQuery, max: usize) -> Vec<Vec<String>> {
    let reader = xmpp.read_archive(query).messages_max(max);
    let mut pages = Vec::new();
    while let Some(page) = reader.next_page().await.unwrap() {
        pages.push(page.messages.iter().filter_map(|archived| archived.message.body()).collect());
    }
    pages
}

#[test]
fn page_by_page() {
    crate::watchdog::watch_this_test();
    task_test(|reactor| async move {
        let archive = MemoryArchive::new();
        let config = config().archive(ArchiveConfig::new(archive.clone()));
        let server = XmppServer::new(&reactor, config);
        let at: ServerEndpoint = "memory:archive-clients".parse().unwrap();
        let port = at.listen(&reactor, server.clone()).unwrap();
        let to = || "memory:archive-clients".parse::<ClientEndpoint>().unwrap();
        let (ann, bob) = (client(&reactor, "ann"), client(&reactor, "bob"));
        ann.connect(&reactor, to()).await.unwrap();
        let jid: Jid = "bob@example.org".parse().unwrap();
        for number in 0..SENT {
            ann.send_message(Message::chat(jid.clone()).with_body(number.to_string())).unwrap();
        }
        ann.ping("example.org".parse().unwrap()).await.unwrap();
        server.flushed(&reactor).await.unwrap();
        // Those that could not wait are in the archive of Ann only.
        assert_eq!((archive.messages_of("ann"), archive.messages_of("bob")), (SENT, 100));
        bob.connect(&reactor, to()).await.unwrap();
        let names = |range: std::ops::Range<usize>| {
            range.map(|number| number.to_string()).collect::<Vec<_>>()
        };
        let pages = read(&ann, ArchiveQuery::new(), 1_000).await;
        assert_eq!(pages, [names(0..50), names(50..100), names(100..120)]);
        let pages = read(&ann, ArchiveQuery::new().last().max(50), 1_000).await;
        assert_eq!(pages, [names(70..120), names(20..70), names(0..20)]);
        let pages = read(&ann, ArchiveQuery::new().with(jid.clone()).max(30), 70).await;
        assert_eq!(pages, [names(0..30), names(30..60), names(60..70)]);
        // From the last message that was seen, which it has learned from the message itself.
        let last = bob.archive(&ArchiveQuery::new().last().max(3)).await.unwrap();
        let first = last.messages[0].clone();
        let pages = read(&bob, ArchiveQuery::new().after(first.id.as_str()), 1_000).await;
        assert_eq!(pages, [names(98..100)]);
        assert_eq!(first.message.from().unwrap().to_string(), "ann@example.org/desk");
        assert!(first.time.is_some());
        match bob.archive(&ArchiveQuery::new().after("0000000000000000")).await {
            Err(RequestError::Refused(error)) => assert_eq!(error.to_string(), "item-not-found"),
            other => panic!("{other:?}"),
        }
        match bob.archive_of("ann@example.org".parse().unwrap(), &ArchiveQuery::new()).await {
            Err(RequestError::Refused(error)) => {
                assert_eq!(error.to_string(), "service-unavailable")
            }
            other => panic!("{other:?}"),
        }
        ann.quit();
        bob.quit();
        ann.when_offline().await.unwrap();
        bob.when_offline().await.unwrap();
        port.stop_listening();
    });
}
