//! Archives of XMPP: a file with any contents is opened, and what was mended once needs no mending; a stored message and a question are
//! read as they are written.

use std::{fs, sync::Arc};

use sinew::{
    chat::xmpp::{
        codec::{ArchiveQuery, Element, StreamEvent, StreamParser, XmlLimits, ns},
        server::archive::{
            ArchiveId, ArchiveLimits, ArchiveStore, FolderArchive, StoredMessage, StoredPage,
            StoredQuery,
        },
    },
    reactor::Reactor,
};

use super::input::Input;

pub(crate) fn check(data: &mut Input<'_>) {
    match data.byte() % 3 {
        0 => file(data.rest()),
        1 => message(data.rest()),
        _ => question(data.rest()),
    }
}

fn file(bytes: &[u8]) {
    let folder = std::env::temp_dir().join(format!("sinew-fuzz-archive-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("ann.archive"), bytes).expect("a file");
    let reactor = Reactor::new().expect("a reactor");
    if let Some(found) = page(&reactor, &folder) {
        let mended = fs::read(folder.join("ann.archive")).expect("a file");
        assert_eq!(page(&reactor, &folder).as_ref(), Some(&found));
        assert_eq!(fs::read(folder.join("ann.archive")).expect("a file"), mended);
        // The next message is behind those that are there.
        let store = FolderArchive::new(&folder);
        let new = StoredMessage::new(
            ArchiveId(u64::MAX),
            "bob@b".parse().expect("an address"),
            Element::new("message", ns::CLIENT),
        );
        let is_new = found.messages.iter().all(|known| known.id != new.id);
        let appended = store.append(&reactor, "ann", Arc::from([new.clone()]), limits());
        reactor.run_until(appended).expect("it runs").expect("it is appended");
        let mut expected = found.messages;
        expected.extend(is_new.then_some(new));
        assert_eq!(page(&reactor, &folder).map(|page| page.messages), Some(expected));
    }
    let _ = fs::remove_dir_all(&folder);
}

const fn limits() -> ArchiveLimits {
    ArchiveLimits::new(usize::MAX, u64::MAX)
}

/// All that a file has; `None` if it is not one, or if a message in it is none.
fn page(reactor: &Reactor, folder: &std::path::Path) -> Option<StoredPage> {
    let store = FolderArchive::new(folder);
    let mut query = StoredQuery::default();
    (query.max, query.bytes_max) = (usize::MAX, usize::MAX);
    let page = store.page(reactor, "ann", query, limits());
    reactor.run_until(page).expect("it runs").ok().flatten()
}

fn message(bytes: &[u8]) {
    if let Ok(message) = StoredMessage::decode(bytes) {
        let bytes = message.encode().expect("what was read can be written");
        assert_eq!(StoredMessage::decode(&bytes).expect("it was written"), message);
    }
}

fn question(mut text: &[u8]) {
    let mut parser = StreamParser::new(XmlLimits::default());
    let mut header: &[u8] = b"<s xmlns='urn:xmpp:mam:2'>";
    assert!(matches!(parser.next(&mut header), Ok(Some(StreamEvent::Opened(_)))));
    while let Ok(Some(StreamEvent::Stanza(element))) = parser.next(&mut text) {
        if let Ok(query) = ArchiveQuery::from_element(&element) {
            // Times are written in milliseconds.
            let once =
                ArchiveQuery::from_element(&query.to_element("q")).expect("it is a question");
            assert_eq!(ArchiveQuery::from_element(&once.to_element("q")), Ok(once));
        }
    }
}
