//! Literals that are streamed, in both directions.

use std::{cell::RefCell, rc::Rc, time::Duration};

use bytes::Bytes;
use sinew_mail::imap::{
    client::{ConnectionEnd, FetchSink, ImapError, MessageSource, StreamedSection},
    codec::{Content, FetchCommand, FetchData, FetchItem, MailboxName, Section},
};
use sinew_transports::reactor::{Deferred, Promise, Reactor};

use super::script::{GREETING, Script, config, play, with};

#[derive(Default)]
struct Notes {
    log: Vec<String>,
    /// Given out with each piece, if there is a reactor.
    holds: Option<Reactor>,
    held: Vec<Promise<()>>,
}

struct Sink(Rc<RefCell<Notes>>);

impl FetchSink for Sink {
    fn section_begun(&mut self, section: &StreamedSection<'_>) -> bool {
        self.0.borrow_mut().log.push(format!("{:?} {}", section.uid(), section.len));
        section.len > 3
    }

    fn section_received(&mut self, piece: &[u8]) -> Option<Deferred<()>> {
        let mut notes = self.0.borrow_mut();
        notes.log.push(String::from_utf8_lossy(piece).into_owned());
        let reactor = notes.holds.clone()?;
        let (promise, deferred) = reactor.promise();
        notes.held.push(promise);
        Some(deferred)
    }

    fn section_ended(&mut self) {
        self.0.borrow_mut().log.push("end".to_owned());
    }

    fn fetched(&mut self, number: u32, items: Vec<FetchData>) {
        let kept = items.iter().filter_map(FetchData::content).filter_map(Content::kept).count();
        self.0.borrow_mut().log.push(format!("{number}: {} items, {kept} kept", items.len()));
    }
}

const SELECT: (&str, &str) = ("a1 SELECT INBOX", "* 2 EXISTS\r\na1 OK\r\n");

fn fetch() -> FetchCommand {
    let items = [FetchItem::Uid, FetchItem::peek(Section::all())];
    FetchCommand::new("1:2".parse().unwrap(), items)
}

#[test]
fn sections_are_streamed() {
    let script: Script = &[
        SELECT,
        (
            "a2 FETCH 1:2 (UID BODY.PEEK[])",
            concat!(
                "* 1 FETCH (UID 5 BODY[] {7}\r\nab\r\ncde)\r\n* 2 FETCH (BODY[] {2}\r\nxy UID 6)\r\n",
                "* 3 FETCH (ENVELOPE ({4}\r\ndate NIL NIL NIL NIL NIL NIL NIL NIL NIL))\r\na2 OK\r\n"
            ),
        ),
    ];
    with(script, |client, _| async move {
        client.select(MailboxName::inbox()).await?;
        let notes = Rc::<RefCell<Notes>>::default();
        client.fetch_into(fetch(), Sink(Rc::clone(&notes))).await?;
        let log = notes.take().log;
        let expected = [
            "Some(5) 7",
            "ab\r\ncde",
            "end",
            "1: 2 items, 0 kept",
            "None 2",
            "2: 2 items, 1 kept",
            "3: 1 items, 0 kept",
        ];
        assert_eq!(log, expected);
        Ok(())
    });
}

/// A sink that takes its time holds the server up, and is not a server that is silent.
#[test]
fn sinks_hold_the_server_up() {
    let script: Script = &[
        SELECT,
        ("a2 FETCH 1:2 (UID BODY.PEEK[])", "* 1 FETCH (UID 5 BODY[] {5}\r\nabcde)\r\na2 OK\r\n"),
    ];
    with(script, |client, reactor: Reactor| async move {
        client.select(MailboxName::inbox()).await?;
        let notes = Rc::<RefCell<Notes>>::default();
        notes.borrow_mut().holds = Some(reactor.clone());
        let fetching = client.fetch_into(fetch(), Sink(Rc::clone(&notes)));
        reactor.sleep(Duration::from_secs(600)).await;
        assert!(!fetching.is_settled());
        assert_eq!(notes.borrow().log, ["Some(5) 5", "abcde"]);
        let held = std::mem::take(&mut notes.borrow_mut().held);
        held.into_iter().for_each(|promise| promise.resolve(()));
        fetching.await?;
        assert_eq!(notes.borrow().log.len(), 4);
        Ok(())
    });
}

/// A sink whose deferred fails gets no more of the section, and the rest of the answer all the same.
#[test]
fn a_section_may_be_given_up() {
    let script: Script = &[
        SELECT,
        ("a2 FETCH 1:2 (UID BODY.PEEK[])", "* 1 FETCH (UID 5 BODY[] {5}\r\nabcde)\r\na2 OK\r\n"),
    ];
    with(script, |client, reactor: Reactor| async move {
        client.select(MailboxName::inbox()).await?;
        let notes = Rc::<RefCell<Notes>>::default();
        notes.borrow_mut().holds = Some(reactor.clone());
        let fetching = client.fetch_into(fetch(), Sink(Rc::clone(&notes)));
        reactor.sleep(Duration::from_secs(1)).await;
        drop(std::mem::take(&mut notes.borrow_mut().held));
        fetching.await?;
        assert_eq!(notes.borrow().log, ["Some(5) 5", "abcde", "1: 2 items, 0 kept"]);
        Ok(())
    });
}

fn pieces(pieces: &'static [&'static str]) -> MessageSource {
    let len = pieces.iter().map(|piece| piece.len() as u64).sum();
    let mut pieces = pieces.iter();
    MessageSource::stream(len, move |reactor| {
        let piece = pieces.next().map(|piece| Bytes::from_static(piece.as_bytes()));
        // It takes longer than a server may be silent.
        let (promise, deferred) = reactor.promise();
        reactor.call_later(Duration::from_secs(300), move |_| promise.resolve(piece));
        deferred
    })
}

#[test]
fn messages_are_read_as_they_are_sent() {
    let script: Script = &[
        ("a1 APPEND a {8}", "+ \r\n"),
        ("abc", ""),
        ("d", ""),
        ("", "a1 OK [APPENDUID 1 2] x\r\n"),
        // From a file, on a thread.
        ("a2 APPEND a {5}", "+ \r\n"),
        ("abc", ""),
        ("", "a2 OK\r\n"),
    ];
    with(script, |client, _| async move {
        let source = pieces(&["ab", "c\r\n", "d\r\n"]);
        assert_eq!(client.append("a".parse()?, source, [], None).await?, Some((1, 2)));
        let source = MessageSource::reader(5, &b"abc\r\n"[..]);
        assert_eq!(client.append("a".parse()?, source, [], None).await?, None);
        Ok(())
    });
}

/// The server waits for the rest of a message, so that nothing else can be said.
#[test]
fn a_message_of_another_length_ends_the_connection() {
    for source in
        [|| MessageSource::reader(9, &b"abc\r\n"[..]), || MessageSource::reader(3, &b"abc\r\n"[..])]
    {
        let script: Script = &[("*", "+ \r\n"), ("*", "")];
        let (result, _) = play(GREETING, script, config(), move |client, _| async move {
            let error = client.append("a".parse()?, source(), [], None).await.unwrap_err();
            assert!(matches!(error, ImapError::Source { .. }), "{error:?}");
            assert!(matches!(client.ended(), Some(ConnectionEnd::Source)));
            Ok(())
        });
        result.unwrap();
    }
}

/// With LITERAL+ nothing is waited for; a message that the server refuses meanwhile is sent to its end.
#[test]
fn literals_without_waiting() {
    let greeting = "* OK [CAPABILITY IMAP4rev1 LITERAL+] x\r\n";
    let script: Script = &[
        ("a1 APPEND a {5+}", "a1 NO [OVERQUOTA] full\r\n"),
        ("abc", ""),
        ("", ""),
        ("a2 NOOP", "a2 OK\r\n"),
    ];
    let (result, is_over) = play(greeting, script, config(), |client, _| async move {
        assert!(client.append("a".parse()?, "abc\r\n", [], None).await.is_err());
        client.noop().await
    });
    result.unwrap();
    assert!(is_over);
}
