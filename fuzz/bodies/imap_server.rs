//! IMAP: the parts that are found in a message are inside of each other, whatever the pieces; and whatever a client sends, a server
//! answers in lines, each command with its tag at most once, and tells sequence numbers that its mailbox has.

use std::{rc::Rc, time::Duration};

use sinew::{
    auth::{Authenticator, AuthenticatorConfig, Users},
    mail::{
        imap::{
            codec::Section,
            message::{Content, Part, Scanner, find_section},
            server::{ImapServer, ServerConfig},
        },
        store::{MailboxName, MemoryStore, NewMessage, Store},
    },
    reactor::Reactor,
    transports::{StreamConfig, memory},
};

use super::{input::Input, pieces::pieces};

/// A message in pieces, and then whole.
pub(crate) fn message(data: &mut Input<'_>) {
    let lens = data.piece_lens(16);
    let text = data.rest();
    let mut scanner = Scanner::new();
    for piece in pieces(text, &lens) {
        scanner.push(piece);
    }
    let (part, envelope) = scanner.finish_with_envelope();
    let mut whole = Scanner::new();
    whole.push(text);
    assert_eq!(whole.finish(), part, "pieces do not matter");
    assert_eq!(part.body.end, text.len() as u64);
    check(&part, 0, text.len() as u64);
    let (mut written, mut again) = (Vec::new(), Vec::new());
    part.write_structure(&mut written, true);
    part.write_structure(&mut again, false);
    envelope.write(&mut again);
    assert!(written.starts_with(b"(") && written.ends_with(b")"));
    for path in [vec![1], vec![1, 1], vec![2, 1, 3], vec![7]] {
        let found = find_section(&Section::part(path), &part);
        assert!(
            found.is_none_or(|range| range.start <= range.end && range.end <= text.len() as u64)
        );
    }
}

fn check(part: &Part, start: u64, end: u64) {
    assert!(start <= part.header.start && part.header.start <= part.header.end);
    assert!(
        part.header.end <= part.body.start
            && part.body.start <= part.body.end
            && part.body.end <= end
    );
    match &part.content {
        Content::Single => {}
        Content::Multipart(parts) => {
            let mut start = part.body.start;
            for inner in parts {
                check(inner, start, part.body.end);
                start = inner.body.end;
            }
        }
        Content::Message { message, .. } => check(message, part.body.start, part.body.end),
        other => panic!("another kind: {other:?}"),
    }
}

/// A server with a mailbox of two messages, and what a client sends after its login, cut into pieces.
pub(crate) fn session(data: &mut Input<'_>) {
    let lens = data.piece_lens(64);
    let stream = data.bytes(4 * 1024);
    let reactor = Reactor::simulated(0);
    let store = MemoryStore::default();
    store.create_account("ann").expect("a name");
    fill(&reactor, &store);
    let config = AuthenticatorConfig::default().allow_plaintext(true);
    let users = Authenticator::with(Users::new().user("ann", "secret"), config);
    let config = ServerConfig::new(users, Rc::new(store)).append_max(1_000).line_max(1_000);
    let made =
        memory::connect(&reactor, StreamConfig::default(), ImapServer::new(config).connection());
    let (_connection, wire) = made.expect("room for one");
    wire.receive_if_open(b"a LOGIN ann secret\r\nb SELECT INBOX\r\n");
    reactor.advance(Duration::ZERO).expect("the loop becomes idle");
    let begun = wire.sent().len();
    for piece in pieces(stream, &lens) {
        wire.receive_if_open(piece);
        reactor.advance(Duration::ZERO).expect("the loop becomes idle");
    }
    let sent = wire.sent();
    assert!(sent.is_empty() || sent.ends_with(b"\r\n"), "an answer ends in the middle of a line");
    let answers = &sent[begun.min(sent.len())..];
    let commands = stream.iter().filter(|byte| **byte == b'\n').count();
    let tagged =
        answers.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"zz OK ")).count();
    assert!(tagged <= commands, "more answers than commands");
}

fn fill(reactor: &Reactor, store: &MemoryStore) {
    let account = store.account(reactor, "ann");
    let filling = reactor.spawn(async move {
        let account = account.await.expect("it was made");
        let nested = "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\n1\r\n--a\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\n2\r\n--a--\r\n";
        for text in ["Subject: one\r\n\r\ntext\r\n", nested] {
            let append = account.deliver(&MailboxName::inbox(), NewMessage::new()).await;
            let mut append = append.expect("there is room");
            append.write(text.into()).await.expect("there is room");
            let _ = append.finish().await.expect("there is room");
        }
    });
    reactor.advance(Duration::ZERO).expect("the loop becomes idle");
    filling.take().expect("a store in memory is not late").expect("it does not panic");
}
