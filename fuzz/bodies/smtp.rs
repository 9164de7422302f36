//! SMTP: what is read can be written as one line and is read as the same; and whatever a client sends, a server replies with replies, and
//! stores only messages that were ended by a line of one dot, or by the last chunk.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew::{
    mail::smtp::{
        codec::{Address, Capabilities, Command, Completion, Recipient, Reply, ReplyDecoder},
        server::{MessageSink, ServerConfig, Session, SmtpHandler, SmtpServer, Verdict, collect},
    },
    reactor::Reactor,
    transports::{Peer, StreamConfig, memory},
};

use super::{input::Input, pieces::pieces};

/// The longest message that the server accepts.
const SIZE_MAX: u64 = 300;

pub(crate) fn command(data: &mut Input<'_>) {
    match Command::parse(data.rest()) {
        Ok(command) => {
            let line = command.to_string();
            assert!(!line.contains(['\r', '\n', '\0']), "{line:?}");
            assert_eq!(Command::parse(line.as_bytes()), Ok(command), "{line:?}");
        }
        Err(error) => assert!(error.reply().is_permanent()),
    }
}

pub(crate) fn address(data: &mut Input<'_>) {
    let Ok(text) = str::from_utf8(data.rest()) else { return };
    let Ok(address) = text.parse::<Address>() else { return };
    assert!(text.len() <= 254 && !text.contains(char::is_control), "{text:?}");
    let whole = match address.domain() {
        "" => address.local().to_owned(),
        domain => format!("{}@{domain}", address.local()),
    };
    assert_eq!((whole.as_str(), address.as_str()), (text, text));
    // It cannot break out of its place.
    let command = Command::Rcpt(Recipient::new(address));
    assert_eq!(Command::parse(command.to_string().as_bytes()), Ok(command));
}

pub(crate) fn reply(data: &mut Input<'_>) {
    let mut decoder = ReplyDecoder::default();
    let mut seen = Vec::new();
    for line in data.rest().split(|byte| *byte == b'\n') {
        seen.push(line);
        let Ok(decoded) = decoder.decode(line) else { return };
        let Some(reply) = decoded else { continue };
        check_reply(&reply, &seen);
        seen.clear();
    }
}

/// A reply has the code and the texts of its lines.
fn check_reply(reply: &Reply, lines: &[&[u8]]) {
    assert_eq!(reply.lines().len(), lines.len());
    for (text, line) in reply.lines().iter().zip(lines) {
        assert_eq!(line[..3], *reply.code().to_string().as_bytes());
        assert_eq!(line.get(4..).unwrap_or_default(), text.as_bytes());
    }
    let mut out = Vec::new();
    reply.encode(&mut out);
    let mut decoder = ReplyDecoder::default();
    let again = out
        .split(|byte| *byte == b'\n')
        .find_map(|line| decoder.decode(line.strip_suffix(b"\r")?).expect("it was encoded"));
    assert_eq!(again.as_ref(), Some(reply));
    let _ = (reply.to_string(), reply.enhanced(), Capabilities::from(reply));
}

/// The lengths of pieces, and a message whose header is completed.
pub(crate) fn completion(data: &mut Input<'_>) {
    const DATE: &[u8] = b"Date: Sun, 06 Nov 1994 08:49:37 +0000\r\n";
    const ID: &[u8] = b"Message-ID: <1@mail.example>\r\n";
    let lens = data.piece_lens(64);
    let message = data.bytes(4 * 1024);
    let completed = |message: &[u8], lens: &[usize]| {
        let now = std::time::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let mut completion = Completion::default().date(now);
        completion = completion.field("Message-ID", "<1@mail.example>");
        let mut out = Vec::new();
        pieces(message, lens).for_each(|piece| completion.feed(piece, &mut out));
        completion.end(&mut out);
        assert!(completion.is_over());
        out
    };
    let whole = completed(message, &[usize::MAX]);
    assert_eq!(completed(message, &lens), whole);
    assert_eq!(completed(message, &[1]), whole);
    assert_eq!(completed(&whole, &lens), whole, "nothing is missing any more");
    // Nothing is lost, and nothing else is added than the fields and an empty line.
    let added = whole.len() - message.len();
    let fields = [0, DATE.len(), ID.len(), DATE.len() + ID.len()];
    assert!(fields.iter().any(|len| (0..=2).any(|ends| len + 2 * ends == added)), "{added} bytes");
    let same = message.iter().zip(&whole).take_while(|(sent, passed)| sent == passed).count();
    assert!(whole.ends_with(&message[same..]));
}

/// A server, and what a client sends, cut into pieces.
pub(crate) fn session(data: &mut Input<'_>) {
    let lens = data.piece_lens(64);
    let stream = data.bytes(4 * 1024);
    let (reactor, messages) = (Reactor::simulated(0), Messages::default());
    let kept = Rc::clone(&messages);
    let config = ServerConfig::new("mail.example").expect("a name");
    let config = config.size_max(SIZE_MAX).received_line(false).line_max(100);
    let server = SmtpServer::new(config, move |_: &Peer| Handler(Rc::clone(&kept)));
    let connection = server.connection(&Peer::Memory);
    let made = memory::connect(&reactor, StreamConfig::default(), connection);
    let (_connection, wire) = made.expect("room for one");
    for piece in pieces(stream, &lens) {
        wire.receive_if_open(piece);
        reactor.advance(Duration::ZERO).expect("the loop becomes idle");
    }
    let mut decoder = ReplyDecoder::default();
    let sent = wire.sent();
    for line in sent.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r\n").expect("lines end in CRLF");
        decoder.decode(line).expect("a reply");
    }
    let count = |end: &[u8]| {
        stream.windows(end.len()).filter(|part| part.eq_ignore_ascii_case(end)).count()
    };
    assert!(messages.borrow().len() <= count(b"\r\n.\r\n") + count(b" last"));
    for message in messages.borrow().iter() {
        assert!(message.len() as u64 <= SIZE_MAX);
        let is_bare = |at: usize| match message[at] {
            b'\n' => at == 0 || message[at - 1] != b'\r',
            b'\r' => message.get(at + 1) != Some(&b'\n'),
            _ => false,
        };
        assert!(!(0..message.len()).any(is_bare), "{}", message.escape_ascii());
    }
}

type Messages = Rc<RefCell<Vec<Vec<u8>>>>;

struct Handler(Messages);

impl SmtpHandler for Handler {
    fn rcpt(&mut self, _: &Session, to: &Recipient) -> Verdict {
        if to.address().local() == "no" {
            return Verdict::refuse(Reply::no_such_mailbox());
        }
        Verdict::accept()
    }

    fn data(&mut self, _: &Session) -> Verdict<Box<dyn MessageSink>> {
        let messages = Rc::clone(&self.0);
        collect(move |message| {
            messages.borrow_mut().push(message);
            Verdict::reply(Reply::ok())
        })
    }
}
