//! POP3: what is read can be written as one line and is read as the same; whatever a client sends, a server answers with responses, and
//! deletes only what was marked before a whole QUIT; whatever a server sends, a client comes to an end, and takes only whole texts for
//! messages.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew::{
    auth::{Authenticator, AuthenticatorConfig, FailureLimiter, Identity, Mechanism, Users},
    bytes::Bytes,
    mail::pop3::{
        client::{ClientConfig, Pop3Client, Pop3Error, Security},
        codec::{Capabilities, Command, Listed, Status, Timestamp, UniqueId},
        server::{Maildrop, MaildropError, Pop3Server, ServerConfig},
    },
    protocols::basic::{DotStuffed, Unstuffed},
    reactor::{Deferred, Reactor},
    transports::{
        Peer, Protocol, StreamConfig, Transport,
        endpoint::{ClientEndpoint, ServerEndpoint},
        memory,
    },
};

use super::{input::Input, pieces::pieces};

pub(crate) fn command(data: &mut Input<'_>) {
    let Ok(command) = Command::parse(data.rest()) else { return };
    let line = command.to_string();
    assert!(!line.contains(['\r', '\n', '\0']), "{line:?}");
    if !matches!(command, Command::Pass(_)) {
        let again = Command::parse(line.as_bytes()).expect("it was written");
        assert_eq!(again.to_string(), line);
    }
}

pub(crate) fn response(data: &mut Input<'_>) {
    let line = data.rest();
    if let Ok(status) = Status::parse(line) {
        let written = status.to_string();
        assert!(!written.contains(['\r', '\n', '\0']), "{written:?}");
        // Bytes that are not UTF-8 were replaced.
        if str::from_utf8(line).is_ok() {
            assert_eq!(Status::parse(written.as_bytes()), Ok(status), "{written:?}");
        }
    }
    let mut capabilities = Capabilities::default();
    capabilities.add(line);
    assert!(capabilities.sasl().len() <= 64);
    if let Ok(listed) = Listed::size(line) {
        let written = format!("{} {}", listed.number, listed.value);
        assert_eq!(Listed::size(written.as_bytes()), Ok(listed));
    }
    if let Ok(listed) = Listed::unique_id(line) {
        let written = format!("{} {}", listed.number, listed.value);
        assert!(!written.contains(char::is_control) && listed.value.as_str().len() <= 70);
        assert_eq!(Listed::unique_id(written.as_bytes()), Ok(listed));
    }
    if let Some(timestamp) = str::from_utf8(line).ok().and_then(Timestamp::find) {
        assert!(!timestamp.to_string().contains(char::is_control));
    }
}

const MESSAGES: [&str; 2] = ["Subject: a\r\n\r\n.one\r\n", "Subject: b\r\n\r\ntwo\r\nthree"];

/// What is deleted, once.
type Deleted = Rc<RefCell<Option<Vec<usize>>>>;

struct Mail(Deleted);

impl Maildrop for Mail {
    fn message_count(&self) -> usize {
        MESSAGES.len()
    }

    fn size(&self, message: usize) -> u64 {
        MESSAGES[message].len() as u64
    }

    fn unique_id(&self, message: usize) -> UniqueId {
        format!("id{message}").parse().expect("a unique id")
    }

    fn read(
        &self,
        reactor: &Reactor,
        message: usize,
        offset: u64,
        len: usize,
    ) -> Deferred<Bytes, MaildropError> {
        let text = MESSAGES[message].as_bytes();
        let from = usize::try_from(offset).map_or(text.len(), |from| from.min(text.len()));
        // In pieces, as a slow store would.
        let piece = &text[from..text.len().min(from + len.min(7))];
        Deferred::ready_on(reactor, Bytes::from_static(piece))
    }

    fn finish(&self, reactor: &Reactor, deleted: &[usize]) -> Deferred<(), MaildropError> {
        let before = self.0.replace(Some(deleted.to_vec()));
        assert_eq!(before, None, "a session ends once");
        Deferred::ready_on(reactor, ())
    }
}

/// A server, and what a client sends, cut into pieces.
pub(crate) fn session(data: &mut Input<'_>) {
    let lens = data.piece_lens(64);
    let stream = data.bytes(4 * 1024);
    let (reactor, deleted) = (Reactor::simulated(0), Deleted::default());
    let of_handler = Rc::clone(&deleted);
    let open = move |reactor: &Reactor,
                     _: &Transport,
                     _: &Identity|
          -> Deferred<Rc<dyn Maildrop>, MaildropError> {
        Deferred::ready_on(reactor, Rc::new(Mail(Rc::clone(&of_handler))))
    };
    let users = AuthenticatorConfig::default().allow_plaintext(true).limiter(FailureLimiter::off());
    let users = users.mechanisms([Mechanism::Plain, Mechanism::Login]);
    let users = Authenticator::with(Users::new().user("ann", "secret"), users);
    let config = ServerConfig::new("mail.example", users).expect("a name").line_max(100);
    let server = Pop3Server::new(config, open);
    let made = memory::connect(&reactor, StreamConfig::default(), server.connection());
    let (_connection, wire) = made.expect("room for one");
    for piece in pieces(stream, &lens) {
        wire.receive_if_open(piece);
        reactor.advance(Duration::ZERO).expect("the loop becomes idle");
    }
    let sent = wire.sent();
    for line in sent.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r\n").expect("lines end in CRLF");
        assert!(!line.contains(&b'\r'), "{}", line.escape_ascii());
    }
    let count = |word: &[u8]| {
        stream.windows(word.len()).filter(|part| part.eq_ignore_ascii_case(word)).count()
    };
    if let Some(deleted) = deleted.take() {
        assert!(count(b"QUIT") > 0 && deleted.len() <= count(b"DELE"), "{deleted:?}");
        assert!(deleted.is_sorted() && deleted.iter().all(|index| *index < MESSAGES.len()));
    }
}

/// Says all that a server has to say as soon as there is a connection, and closes it.
struct Speaker(Rc<[Vec<u8>]>);

impl Protocol for Speaker {
    fn connection_made(&mut self, transport: &Transport) {
        for piece in self.0.iter() {
            transport.write(piece);
        }
        transport.close_write();
    }

    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

/// A client, and what a server says.
pub(crate) fn client(data: &mut Input<'_>) {
    let lens = data.piece_lens(64);
    let stream = data.bytes(4 * 1024);
    let reactor = Reactor::simulated(0);
    let said: Rc<[Vec<u8>]> = pieces(stream, &lens).map(<[u8]>::to_vec).collect();
    let at: ServerEndpoint = "memory:fuzz".parse().expect("an endpoint");
    let port = at.listen(&reactor, move |_: &Peer| Speaker(Rc::clone(&said)));
    let _port = port.expect("it is free");
    let to: ClientEndpoint = "memory:fuzz".parse().expect("an endpoint");
    let handle = reactor.clone();
    let texts = Rc::<RefCell<Vec<Vec<u8>>>>::default();
    let of_task = Rc::clone(&texts);
    let is_over = Rc::new(RefCell::new(false));
    let end = Rc::clone(&is_over);
    let task = reactor.spawn(async move {
        let ended = converse(handle, to, of_task).await;
        *end.borrow_mut() = true;
        if let Err(error) = ended {
            let _ = (error.to_string(), error.is_temporary());
        }
    });
    for _ in 0..100 {
        reactor.advance(Duration::from_secs(60)).expect("the loop becomes idle");
    }
    assert!(*is_over.borrow(), "the client waits for ever");
    drop(task);
    // Each text was ended by a line of one dot.
    let ends = stream.windows(2).filter(|part| part == b".\n" || part == b".\r").count();
    assert!(texts.borrow().len() <= ends);
    for text in texts.borrow().iter() {
        check_text(stream, text);
    }
}

/// It is one of the texts in the stream.
fn check_text(stream: &[u8], text: &[u8]) {
    let starts = stream.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    let is_there = starts.map(|(at, _)| &stream[at + 1..]).any(|mut rest| {
        let (mut decoder, mut found) = (DotStuffed::lenient(), Vec::new());
        loop {
            match decoder.decode(&mut rest) {
                Ok(Unstuffed::Text(piece)) => found.extend_from_slice(piece),
                Ok(Unstuffed::End) => return found == text,
                _ => return false,
            }
        }
    });
    assert!(is_there, "{}", text.escape_ascii());
}

async fn converse(
    reactor: Reactor,
    to: ClientEndpoint,
    texts: Rc<RefCell<Vec<Vec<u8>>>>,
) -> Result<(), Pop3Error> {
    let config = ClientConfig::new().security(Security::None);
    let mut client = Pop3Client::connect(&reactor, to, config).await?;
    client.stat().await?;
    let new = client.new_messages(|_| false).await?;
    let mut messages = client.retrieve_all(new.iter().map(|new| new.number));
    while let Some(message) = messages.next().await? {
        let text = message.collect(10_000).await?;
        texts.borrow_mut().push(text);
    }
    client.delete_all(new.iter().map(|new| new.number)).await?;
    client.quit().await
}
