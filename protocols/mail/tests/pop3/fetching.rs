//! `fetch`: what is new is taken once, and deleted only if it was kept.

use std::{cell::RefCell, collections::BTreeMap, error::Error, rc::Rc};

use bytes::Bytes;
use sinew_auth::ClientLogin;
use sinew_mail::pop3::{
    client::{
        AfterFetch, ClientConfig, FetchError, FetchHandler, FetchSink, Fetched, NewMessage,
        Pop3Error, Security, fetch,
    },
    codec::UniqueId,
};
use sinew_testkit::testing::task_test;
use sinew_transports::{
    endpoint::{ClientEndpoint, ServerEndpoint},
    reactor::{Deferred, Reactor},
};

use crate::pop3_support::{Shared, config, ids, mail, server};

/// What is kept, by unique id; a message with this id is refused.
#[derive(Clone, Default)]
struct Keeper {
    kept: Rc<RefCell<BTreeMap<String, Vec<u8>>>>,
    refused: Option<&'static str>,
    dropped: Rc<RefCell<usize>>,
}

impl FetchHandler for Keeper {
    fn has(&mut self, id: &UniqueId) -> bool {
        self.kept.borrow().contains_key(id.as_str())
    }

    fn begin(&mut self, reactor: &Reactor, message: &NewMessage) -> Box<dyn FetchSink> {
        let (id, keeper) = (message.unique_id.to_string(), self.clone());
        Box::new(Kept { reactor: reactor.clone(), id, keeper, text: Some(Vec::new()) })
    }
}

struct Kept {
    reactor: Reactor,
    id: String,
    keeper: Keeper,
    text: Option<Vec<u8>>,
}

impl FetchSink for Kept {
    fn write(&mut self, piece: Bytes) -> Deferred<(), Box<dyn Error>> {
        self.text.as_mut().unwrap().extend_from_slice(&piece);
        Deferred::ready_on(&self.reactor, ())
    }

    fn finish(mut self: Box<Self>) -> Deferred<(), Box<dyn Error>> {
        if self.keeper.refused == Some(self.id.as_str()) {
            return Deferred::failed_on(&self.reactor, "the disk is full".into());
        }
        let text = self.text.take().unwrap();
        self.keeper.kept.borrow_mut().insert(self.id.clone(), text);
        Deferred::ready_on(&self.reactor, ())
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        *self.keeper.dropped.borrow_mut() += usize::from(self.text.is_some());
    }
}

/// Fetches from a server of this mail.
fn fetched(mail: &Shared, keeper: &Keeper, after: AfterFetch) -> Result<Fetched, FetchError> {
    crate::watchdog::watch_this_test();
    let (server, keeper) = (server(config(), mail), keeper.clone());
    task_test(move |reactor| async move {
        let at: ServerEndpoint = "memory:pop".parse().unwrap();
        let port = at.listen(&reactor, server).unwrap();
        let from: ClientEndpoint = "memory:pop".parse().unwrap();
        let login = ClientLogin::password("ann", "secret").allow_plaintext(true);
        let config = ClientConfig::new().security(Security::None).login(login);
        let result = fetch(&reactor, from, config, after, keeper).await;
        port.stop_listening();
        result
    })
}

#[test]
fn what_is_new_is_taken_once_and_deleted_when_it_is_kept() {
    let shared = mail(&["A: 1\r\n\r\n.one\r\n", "A: 2\r\n\r\n"]);
    let keeper = Keeper::default();
    let first = fetched(&shared, &keeper, AfterFetch::Keep).unwrap();
    assert_eq!((first.new.len(), first.on_server.len()), (2, 2));
    assert_eq!(keeper.kept.borrow()["id1"], b"A: 1\r\n\r\n.one\r\n");
    let again = fetched(&shared, &keeper, AfterFetch::Keep).unwrap();
    assert_eq!((again.new.len(), again.on_server.len()), (0, 2));
    shared
        .borrow_mut()
        .boxes
        .get_mut("ann")
        .unwrap()
        .push(("id3".to_owned(), "A: 3\r\n\r\n".into()));
    let last = fetched(&shared, &keeper, AfterFetch::Delete).unwrap();
    assert_eq!((last.new.len(), last.on_server.len()), (1, 0));
    assert!(ids(&shared).is_empty() && keeper.kept.borrow().len() == 3);
}

#[test]
fn nothing_is_deleted_if_a_message_is_not_kept() {
    let shared = mail(&["A: 1\r\n\r\n", "A: 2\r\n\r\n"]);
    let keeper = Keeper { refused: Some("id2"), ..Keeper::default() };
    let error = fetched(&shared, &keeper, AfterFetch::Delete).unwrap_err();
    assert!(matches!(&error, FetchError::NotKept { unique_id, .. } if unique_id.as_str() == "id2"));
    assert_eq!((ids(&shared).len(), *keeper.dropped.borrow()), (2, 1));
    // What was kept before is not fetched again.
    let keeper = Keeper { refused: None, ..keeper };
    let rest = fetched(&shared, &keeper, AfterFetch::Delete).unwrap();
    assert_eq!(rest.new.iter().map(|new| new.unique_id.as_str()).collect::<Vec<_>>(), ["id2"]);
    assert!(ids(&shared).is_empty());
}

#[test]
fn a_session_that_fails_is_an_error() {
    let shared = mail(&[]);
    shared.borrow_mut().boxes.clear();
    let error = fetched(&shared, &Keeper::default(), AfterFetch::Keep).unwrap_err();
    assert!(matches!(error, FetchError::Session(Pop3Error::Refused { .. })), "{error}");
}
