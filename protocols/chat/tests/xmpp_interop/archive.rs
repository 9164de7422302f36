//! The archive of Prosody, as the client of this crate reads it: of an account, and of a room.

use std::{cell::RefCell, fs, rc::Rc};

use sinew_chat::xmpp::{
    client::{RequestError, XmppClient, XmppConfig},
    codec::{ArchiveQuery, Jid, Message},
};
use sinew_transports::{reactor::Reactor, tls::TlsClientConfig};

use super::{
    prosody::prosody_of,
    talk::{Noting, connected, told},
};

/// How many messages Ann sends.
const SENT: usize = 25;

fn client(
    reactor: &Reactor,
    tls: &TlsClientConfig,
    user: &str,
) -> (XmppClient, super::talk::Notes) {
    let notes = Rc::new(RefCell::new(Vec::new()));
    let jid: Jid = format!("{user}@localhost/desk").parse().unwrap();
    let config = XmppConfig::new(jid, format!("secret of {user}").as_str()).tls(tls.clone());
    (XmppClient::new(reactor, config, Noting(Rc::clone(&notes))), notes)
}

async fn read(
    xmpp: &XmppClient,
    of: Option<&Jid>,
    query: ArchiveQuery,
) -> Result<Vec<String>, RequestError> {
    let reader = match of {
        Some(of) => xmpp.read_archive_of(of.clone(), query),
        None => xmpp.read_archive(query),
    };
    let mut found = Vec::new();
    while let Some(page) = reader.next_page().await? {
        assert!(page.messages.len() <= 10);
        found.extend(page.messages.iter().filter_map(|archived| archived.message.body()));
    }
    Ok(found)
}

async fn archives(
    reactor: Reactor,
    port: u16,
    tls: TlsClientConfig,
) -> Result<(), Box<dyn std::error::Error>> {
    let ((ann, ann_notes), (bob, bob_notes)) =
        (client(&reactor, &tls, "ann"), client(&reactor, &tls, "bob"));
    connected(&reactor, &ann, port).await?;
    connected(&reactor, &bob, port).await?;
    let jid: Jid = "bob@localhost".parse()?;
    let expected: Vec<_> = (0..SENT).map(|number| format!("{number} < & \u{e4}")).collect();
    for body in &expected {
        ann.send_message(Message::chat(jid.clone()).with_body(body.as_str()))?;
    }
    told(&reactor, &bob_notes, &format!("message {}", expected[SENT - 1])).await;
    let query = || ArchiveQuery::new().max(10);
    assert_eq!(read(&ann, None, query().with(jid)).await?, expected);
    assert_eq!(read(&bob, None, query()).await?, expected);
    let page = bob.archive(&query().last()).await?;
    assert_eq!((page.messages.len(), page.is_complete), (10, false));
    let (third, ends) = (&page.messages[2], (&page.messages[0].id, &page.messages[9].id));
    assert_eq!((page.first.as_ref(), page.last.as_ref()), (Some(ends.0), Some(ends.1)));
    assert_eq!(read(&bob, None, query().after(third.id.as_str())).await?, expected[SENT - 7..]);
    let time = third.time.expect("there is a stamp");
    assert!(read(&bob, None, query().start(time)).await?.ends_with(&expected[SENT - 7..]));
    let nobody: Jid = "carl@localhost".parse()?;
    assert_eq!(read(&bob, None, query().with(nobody)).await?, [""; 0]);
    match bob.archive(&query().after("unknown")).await {
        Err(RequestError::Refused(error)) => assert_eq!(error.to_string(), "item-not-found"),
        other => panic!("{other:?}"),
    }
    let room: Jid = "club@rooms.localhost".parse()?;
    ann.join(&room, "Ann", None).await?;
    for body in &expected[..12] {
        ann.say(&room, body.as_str())?;
    }
    told(&reactor, &ann_notes, &format!("room {}", expected[11])).await;
    assert_eq!(read(&ann, Some(&room), query()).await?, expected[..12]);
    ann.quit();
    bob.quit();
    ann.when_offline().await?;
    bob.when_offline().await?;
    Ok(())
}

#[test]
fn the_archive_of_prosody() {
    crate::watchdog::watch_this_test();
    let modules = ["mam"];
    let rooms = "modules_enabled = { \"muc_mam\" }\nmuc_log_by_default = true\n";
    let Some(prosody) = prosody_of("archive", None, &modules, rooms) else { return };
    let reactor = Reactor::new().unwrap();
    let archives = archives(reactor.clone(), prosody.port, prosody.tls.clone());
    let result = reactor.run_until(archives);
    if let Err(error) = result.unwrap() {
        panic!("{error:?}\n{}", fs::read_to_string(prosody.folder.join("log")).unwrap_or_default());
    }
}
