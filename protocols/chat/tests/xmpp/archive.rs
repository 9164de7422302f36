//! Archives as a server sends them, or somebody in its name.

use sinew_chat::xmpp::{
    client::{ArchivePage, RequestError},
    codec::{ArchiveQuery, XmlLimits},
};
use sinew_transports::reactor::Deferred;

use crate::xmpp_support::{Script, config, jid};

fn online() -> Script {
    let script = Script::online_simply(
        config().xml(XmlLimits::default().stanza_max(2 << 20).value_max(2 << 20)),
    );
    script.sent();
    script
}

fn result(from: &str, query: &str, id: &str, body: &str) -> String {
    format!(
        "<message from='{from}'><result xmlns='urn:xmpp:mam:2' queryid='{query}' id='{id}'>\
         <forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='2026-01-01T00:00:00Z'/>\
         <message xmlns='jabber:client' from='bob@example.org/x' type='chat'><body>{body}</body></message>\
         </forwarded></result></message>"
    )
}

fn fin(query: &str, attributes: &str, set: &str) -> String {
    format!(
        "<iq type='result' id='{query}'><fin xmlns='urn:xmpp:mam:2'{attributes}>\
         <set xmlns='http://jabber.org/protocol/rsm'>{set}</set></fin></iq>"
    )
}

fn bodies(page: &ArchivePage) -> Vec<String> {
    page.messages.iter().map(|archived| archived.message.body().unwrap()).collect()
}

fn error(page: &Deferred<ArchivePage, RequestError>) -> String {
    page.take().unwrap().unwrap_err().to_string()
}

#[test]
fn a_page() {
    let script = online();
    let page = script.xmpp.archive(&ArchiveQuery::new().after("a").max(2));
    assert_eq!(
        script.sent(),
        "<iq type='set' id='s2'><query xmlns='urn:xmpp:mam:2' queryid='s1'>\
         <set xmlns='http://jabber.org/protocol/rsm'><max>2</max><after>a</after></set></query></iq>"
    );
    script.receive(&result("ann@example.org", "s1", "b", "one"));
    script.receive(&result("ann@example.org", "s1", "c", "two"));
    assert!(!page.is_settled());
    script.receive(&fin("s2", "", "<first>b</first><last>c</last><count>7</count>"));
    let page = page.take().unwrap().unwrap();
    assert_eq!(
        (bodies(&page), page.is_complete, page.count),
        (vec!["one".to_owned(), "two".to_owned()], false, Some(7))
    );
    assert_eq!((page.first.as_deref(), page.last.as_deref()), (Some("b"), Some("c")));
    assert!(page.messages[0].time.is_some() && page.messages[0].id == "b");
    assert_eq!(script.notes(), [""; 0], "they are not news");
}

/// Only the archive that was asked is believed, and nothing that looks like a message of an archive is told to anybody.
#[test]
fn messages_of_strangers() {
    for (of, own) in
        [(None, "ann@example.org"), (Some("room@rooms.example.org"), "room@rooms.example.org")]
    {
        let script = online();
        let query = ArchiveQuery::new();
        let page = match of {
            Some(of) => script.xmpp.archive_of(jid(of), &query),
            None => script.xmpp.archive(&query),
        };
        for from in [
            "eve@example.org",
            "ann@example.org/other",
            "room@rooms.example.org/eve",
            "rooms.example.org",
        ] {
            script.receive(&result(from, "s1", "x", "forged"));
        }
        script.receive(&result(own, "s0", "x", "of another question"));
        script.receive(&result(own, "s1", "y", "real"));
        let from = of.map(|of| format!(" from='{of}'")).unwrap_or_default();
        script.receive(&fin("s2", " complete='true'", "").replace("<iq", &format!("<iq{from}")));
        // Too late.
        script.receive(&result(own, "s1", "z", "late"));
        let page = page.take().unwrap().unwrap();
        assert_eq!((bodies(&page), page.is_complete), (vec!["real".to_owned()], true));
        assert_eq!((page.first.as_deref(), page.last.as_deref()), (Some("y"), Some("y")));
        assert_eq!(script.notes(), [""; 0]);
    }
}

#[test]
fn answers_that_are_none() {
    let script = online();
    let page = script.xmpp.archive(&ArchiveQuery::new().max(1));
    for id in ["a", "b"] {
        script.receive(&result("ann@example.org", "s1", id, "more than was asked"));
    }
    script.receive(&fin("s2", "", ""));
    assert!(error(&page).starts_with("a page of the archive has more than 1 messages"));
    let page = script.xmpp.archive(&ArchiveQuery::new());
    script.receive("<iq type='result' id='s4'/>");
    assert_eq!(error(&page), "the answer cannot be used: a page of an archive has no end");
    let page = script.xmpp.archive(&ArchiveQuery::new());
    script.receive(
        "<iq type='error' id='s6'><error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
    );
    assert_eq!(error(&page), "refused: item-not-found");
    // What is no message is left out.
    let page = script.xmpp.archive(&ArchiveQuery::new());
    script.receive("<message from='ann@example.org'><result xmlns='urn:xmpp:mam:2' queryid='s7' id='x'/></message>");
    script.receive(&fin("s8", " complete='1'", ""));
    assert_eq!(bodies(&page.take().unwrap().unwrap()), [""; 0]);
}

/// All pages that are being received have 8 MiB together, and those that nobody waits for any more none.
#[test]
fn bytes() {
    let script = online();
    let long = "x".repeat(1_000_000);
    let ask = |messages: usize| {
        let page = script.xmpp.archive(&ArchiveQuery::new());
        let sent = script.sent();
        let id = |before: &str| {
            sent.split(before).nth(1).unwrap().split('\'').next().unwrap().to_owned()
        };
        for number in 0..messages {
            let result = result("ann@example.org", &id("queryid='"), &number.to_string(), &long);
            script.receive(&result);
        }
        (page, id(" id='"))
    };
    let (given_up, _) = ask(8);
    drop(given_up);
    for (messages, is_read) in [(8, true), (9, false), (8, true)] {
        let (page, id) = ask(messages);
        script.receive(&fin(&id, "", ""));
        match page.take().unwrap() {
            Ok(page) => assert_eq!((page.messages.len(), is_read), (8, true)),
            Err(RequestError::PageTooLong { .. }) => assert!(!is_read),
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// A reader asks for a page when it is wanted, and stops at an archive that would never end.
#[test]
fn a_reader() {
    let script = online();
    let reader = script.xmpp.read_archive(ArchiveQuery::new());
    assert_eq!(script.sent(), "");
    let page = reader.next_page();
    assert!(script.sent().contains("<max>50</max></set>"));
    let second = reader.next_page();
    assert_eq!(
        second.take().unwrap().unwrap_err().to_string(),
        "1 questions wait for their answers already"
    );
    script.receive(&result("ann@example.org", "s1", "a", "one"));
    script.receive(&fin("s2", "", "<last>a</last>"));
    assert_eq!(bodies(&page.take().unwrap().unwrap().unwrap()), ["one"]);
    assert_eq!(script.sent(), "", "the next page is not wanted yet");
    // One that is given up is asked for again.
    drop(reader.next_page());
    assert!(script.sent().contains("<after>a</after>"));
    let page = reader.next_page();
    assert!(script.sent().contains("<after>a</after>"));
    script.receive(&result("ann@example.org", "s5", "a", "one"));
    script.receive(&fin("s6", "", "<last>a</last>"));
    let error = page.take().unwrap().unwrap_err().to_string();
    assert_eq!(
        error,
        "the answer cannot be used: an archive that is not complete has no next page"
    );
    let page = reader.next_page();
    script.receive(&fin("s8", "", ""));
    assert!(matches!(page.take().unwrap(), Err(RequestError::BadAnswer { .. })));
    let page = reader.next_page();
    script.receive(&fin("s10", " complete='true'", ""));
    assert!(page.take().unwrap().unwrap().unwrap().messages.is_empty());
    script.sent();
    assert_eq!(reader.next_page().take().unwrap().unwrap(), None);
    assert_eq!(script.sent(), "");
}

/// The session ends while a page is awaited.
#[test]
fn lost() {
    let script = online();
    let page = script.xmpp.archive(&ArchiveQuery::new());
    script.receive(&result("ann@example.org", "s1", "a", "one"));
    script.cut();
    script.advance(0);
    assert!(matches!(page.take().unwrap(), Err(RequestError::Lost)));
}
