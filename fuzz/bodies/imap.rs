//! IMAP: where messages end does not depend on how they arrive; what is read can be written, and is read as the same; and whatever a
//! server sends, every command of a client is answered or fails.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew::{
    mail::imap::{
        client::{ClientConfig, FetchSink, ImapClient, ImapError, Security, StreamedSection},
        codec::{
            Command, DecodeError, Dialect, Event, FetchCommand, FetchItem, Message, MessageDecoder,
            Response, SearchKey, Section, SequenceSet,
        },
    },
    reactor::{Deferred, Reactor},
    transports::{
        Peer, Protocol, Transport,
        endpoint::{ClientEndpoint, ServerEndpoint},
    },
};

use super::{input::Input, pieces::pieces};

/// The longest text of a message.
const TEXT_MAX: usize = 200;
/// The longest literal that is kept.
const LITERAL_MAX: u64 = 100;

pub(crate) fn command(data: &mut Input<'_>) {
    let dialect = Dialect::default().utf8(data.byte() % 2 == 1);
    let lens = data.piece_lens(16);
    let stream = data.bytes(4 * 1024);
    let messages = decoded(MessageDecoder::of_commands(TEXT_MAX), stream, &lens);
    for message in &messages {
        let _ = (message.tag(), message.line());
        let _ = Command::parse_append(message, dialect);
        let Ok(command) = Command::parse(message, dialect) else { continue };
        let encoded = command.encode(dialect).expect("what was read can be written");
        assert_eq!(Command::parse(&encoded.message(), dialect).as_ref(), Ok(&command));
        // It cannot break out of its place.
        let whole = decoded(MessageDecoder::of_commands(usize::MAX / 2), encoded.bytes(), &[4096]);
        assert!(whole.len() <= 1, "{}", encoded.bytes().escape_ascii());
    }
}

pub(crate) fn response(data: &mut Input<'_>) {
    let dialect = Dialect::default().utf8(data.byte() % 2 == 1);
    let lens = data.piece_lens(16);
    let stream = data.bytes(4 * 1024);
    let messages = decoded(MessageDecoder::of_responses(TEXT_MAX), stream, &lens);
    for message in &messages {
        let _ = Response::parse_fetch(message, dialect);
        let Ok(response) = Response::parse(message, dialect) else { continue };
        let Ok(encoded) = response.encode(dialect) else { continue };
        let again = Response::parse(&encoded.message(), dialect);
        let again = again.expect("what was written can be read");
        let twice = again.encode(dialect).expect("what was read can be written");
        assert_eq!(twice, encoded);
    }
}

/// All messages of a stream, the same however it is cut. Literals are kept, streamed or refused by their lengths.
fn decoded(decoder: MessageDecoder, stream: &[u8], lens: &[usize]) -> Vec<Message> {
    let is_server = format!("{decoder:?}").contains("is_server: true");
    let max = decoder.text_max();
    let whole = events(decoder, [stream]);
    let again = match is_server {
        true => MessageDecoder::of_commands(max),
        false => MessageDecoder::of_responses(max),
    };
    let in_pieces = events(again, pieces(stream, lens));
    assert_eq!(whole, in_pieces);
    whole.0
}

type Found = (Vec<Message>, Vec<u8>, Option<DecodeError>);

/// The messages, the bytes of streamed literals, and the error.
fn events<'a>(mut decoder: MessageDecoder, stream: impl IntoIterator<Item = &'a [u8]>) -> Found {
    let (mut messages, mut streamed) = (Vec::new(), Vec::new());
    for mut piece in stream {
        loop {
            match decoder.decode(&mut piece) {
                Ok(Event::Incomplete) => break,
                Ok(Event::Literal(head)) if head.len % 3 == 0 && head.len <= LITERAL_MAX => {
                    decoder.keep()
                }
                Ok(Event::Literal(head)) if head.len % 3 == 1 => decoder.stream(),
                Ok(Event::Literal(_)) => decoder.refuse(),
                Ok(Event::Bytes(bytes)) => streamed.extend_from_slice(bytes),
                Ok(Event::Message(message)) => messages.push(message),
                Ok(_) => {}
                Err(error) => return (messages, streamed, Some(error)),
            }
            let kept = decoder.front().bytes().len();
            assert!(kept <= decoder.text_max().saturating_add(4 * 1024), "{kept} bytes");
        }
    }
    (messages, streamed, None)
}

/// A client, and what a server sends, cut into pieces.
pub(crate) fn client(data: &mut Input<'_>) {
    let lens = data.piece_lens(64);
    let stream = data.bytes(4 * 1024);
    let reactor = Reactor::simulated(0);
    let made = Rc::<RefCell<Option<Transport>>>::default();
    let of_server = Rc::clone(&made);
    let at: ServerEndpoint = "memory:imap".parse().expect("an endpoint");
    let server = move |_: &Peer| Server(Rc::clone(&of_server));
    let _port = at.listen(&reactor, server).expect("room for one");
    let task = reactor.spawn(session(reactor.clone()));
    let idle = || reactor.advance(Duration::ZERO).expect("the loop becomes idle");
    idle();
    for piece in pieces(stream, &lens) {
        let transport = made.borrow().clone();
        if let Some(transport) = transport {
            transport.write(piece);
        }
        idle();
    }
    // Long enough for every clock.
    for _ in 0..40 {
        reactor.advance(Duration::from_secs(60)).expect("the loop becomes idle");
    }
    let done = reactor.run_until(task).expect("it runs");
    let result = done.expect("nothing panics");
    if let Err(error) = result {
        let _ = (error.to_string(), error.is_temporary());
    }
}

/// One command after the other, and some at once.
async fn session(reactor: Reactor) -> Result<(), ImapError> {
    let minute = Duration::from_secs(60);
    let config = ClientConfig::default().security(Security::None).connect_timeout(minute);
    let config = config.silence_timeout(minute).command_timeout(minute).literal_max(LITERAL_MAX);
    let to: ClientEndpoint = "memory:imap".parse().expect("an endpoint");
    let client = ImapClient::connect(&reactor, to, config).await?;
    let handle = client.clone();
    client.on_event(move |_| drop(handle.selected()));
    let _ = client.select("INBOX".parse()?).await;
    let fetch = FetchCommand::new(SequenceSet::all(), [FetchItem::peek(Section::all())]);
    let fetching = client.fetch_into(fetch.clone().by_uid(), Sink);
    let listing = client.list("*".parse()?);
    let _ = (fetching.await, listing.await);
    let _ = client.fetch_with(fetch).await;
    let _ = client.search(SearchKey::subject("\u{fc}")?).await;
    let _ = client.append("x".parse()?, "Subject: x\r\n\r\n", [], None).await;
    if let Ok(idle) = client.idle() {
        reactor.sleep(minute).await;
        drop(idle);
    }
    client.on_event(|_| ());
    client.logout().await
}

struct Server(Rc<RefCell<Option<Transport>>>);

impl Protocol for Server {
    fn connection_made(&mut self, transport: &Transport) {
        self.0.replace(Some(transport.clone()));
    }

    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

struct Sink;

impl FetchSink for Sink {
    fn section_begun(&mut self, section: &StreamedSection<'_>) -> bool {
        section.len.is_multiple_of(2)
    }

    fn section_received(&mut self, _: &[u8]) -> Option<Deferred<()>> {
        None
    }
}
