//! IRC: what is read is written as one line and read as the same; whatever a server sends, a client sends only messages; and whatever a
//! client sends, a server sends only messages, and forgets the client when it is gone.

use std::time::Duration;

use sinew::{
    auth::{Authenticator, AuthenticatorConfig, ClientLogin, Users},
    chat::irc::{
        client::{DccConfig, IrcClient, IrcConfig, IrcHandler},
        codec::{
            Ctcp, Dcc, DccPart, IrcLine, Isupport, Message, MessageBuf, ModeChange, ModeKinds,
            assemble, mask_matches, parse_formatting, parse_time, safe_file_name, split_text,
            strip_formatting,
        },
        server::{IrcServer, ServerConfig},
    },
    protocols::basic::{Decoded, Decoder},
    reactor::Reactor,
    transports::{Factory, Peer, StreamConfig, memory},
};

use super::{input::Input, pieces::pieces};

/// A stream of lines, whole and in pieces; each line is a message that can be written again.
pub(crate) fn message(data: &mut Input<'_>) {
    let lens = data.piece_lens(64);
    let stream = data.rest();
    let whole = lines(stream, &[stream.len().max(1)]);
    assert_eq!(whole, lines(stream, &lens));
    for (line, is_too_long) in whole {
        assert!(!line.iter().any(|byte| matches!(byte, b'\r' | b'\n')));
        if let Ok(message) = Message::parse(&line)
            && !is_too_long
        {
            written_again(&message);
        }
    }
}

fn lines(stream: &[u8], lens: &[usize]) -> Vec<(Vec<u8>, bool)> {
    let mut decoder = IrcLine::new(32, 64);
    let (mut found, mut pending) = (Vec::new(), Vec::new());
    for mut piece in pieces(stream, lens) {
        while !piece.is_empty() {
            let Ok(Decoded::Frame { consumed, payload }) = decoder.decode(piece) else {
                pending.extend_from_slice(piece);
                break;
            };
            pending.extend_from_slice(&piece[..consumed]);
            if !payload.is_empty() {
                found.push((pending[payload].to_vec(), decoder.is_too_long()));
            }
            pending.clear();
            piece = &piece[consumed..];
        }
        assert!(pending.len() <= 32 + 64 + 1, "an unfinished line is bounded");
    }
    found
}

fn written_again(message: &Message<'_>) {
    let build = || {
        let mut built = MessageBuf::new(message.command())?;
        for (key, value) in message.tags() {
            built = built.tag(&String::from_utf8_lossy(key), value)?;
        }
        let Some((last, front)) = message.params().split_last() else { return built.encode() };
        front.iter().try_fold(built, MessageBuf::param)?.text(last)?.encode()
    };
    let Ok(line) = build() else { return };
    let line = line.strip_suffix(b"\r\n").expect("it ends in CRLF");
    let again = Message::parse(line).expect("it was built");
    assert_eq!((again.command(), again.params()), (message.command(), message.params()));
    assert!(again.tags().eq(message.tags()));
    let _ = (message.source(), message.tag("time").map(|time| parse_time(&time)));
}

/// Letters of modes and their arguments; and masks.
pub(crate) fn modes(data: &mut Input<'_>) {
    let letters = data.few_bytes();
    let rest = data.bytes(512);
    let arguments: Vec<&[u8]> = rest.split(|byte| *byte == b' ').collect();
    let kinds = ModeKinds::default();
    let (changes, errors) = kinds.parse_known(letters, &arguments);
    assert!(changes.len() + errors.len() <= letters.len());
    assert_eq!(kinds.parse(letters, &arguments).is_ok(), errors.is_empty());
    if let Ok(built) =
        MessageBuf::new("MODE").and_then(|message| ModeChange::add_all(&changes, message))
        && let Ok(line) = built.encode()
        && !changes.is_empty()
    {
        let line = line.strip_suffix(b"\r\n").expect("it ends in CRLF");
        let message = Message::parse(line).expect("it was built");
        let (again, _) = kinds.parse_known(message.params()[0], &message.params()[1..]);
        // A list that is asked for takes no argument away only if none follows it.
        if changes.iter().all(|change| change.argument.is_some() || !kinds.is_list(change.mode)) {
            assert_eq!(again, changes);
        }
    }
    let _ = mask_matches(Default::default(), letters, rest);
}

/// Messages of DCC, and the file names in them.
pub(crate) fn dcc(data: &mut Input<'_>) {
    let text = data.rest();
    let Ok(dcc) = Dcc::parse(text) else { return };
    if let Ok(encoded) = dcc.encode() {
        assert!(Ctcp::encode("DCC", &encoded).is_ok(), "it can be sent");
        assert_eq!(Dcc::parse(&encoded), Ok(dcc));
    }
    let (Dcc::Send { name, .. } | Dcc::Resume(DccPart { name, .. })) = dcc else { return };
    let Some(safe) = safe_file_name(&name) else { return };
    let path = std::path::Path::new(&safe);
    assert_eq!(path.file_name().and_then(|name| name.to_str()), Some(safe.as_str()));
    assert!(safe.len() <= 200 && !safe.starts_with('.') && !safe.chars().any(char::is_control));
    assert_eq!(safe_file_name(safe.as_bytes()), Some(safe));
}

/// Formatted texts, CTCP, and texts that are split.
pub(crate) fn formatting(data: &mut Input<'_>) {
    let max = usize::from(data.byte()) + 16;
    let text = data.bytes(2_048);
    let spans = parse_formatting(text);
    let plain: Vec<u8> = spans.iter().flat_map(|span| span.text.clone()).collect();
    assert_eq!(plain, strip_formatting(text));
    if let Ok(assembled) = assemble(&spans) {
        assert_eq!(parse_formatting(&assembled), spans);
    }
    let pieces = split_text(text, max);
    assert!(pieces.iter().all(|piece| piece.len() <= max));
    if let Some(ctcp) = Ctcp::parse(text)
        && let Ok(encoded) = Ctcp::encode(&ctcp.command.to_str_lossy(), &ctcp.text)
    {
        assert_eq!(Ctcp::parse(&encoded).map(|again| again.text), Some(ctcp.text));
    }
}

/// Lines of 005.
pub(crate) fn isupport(data: &mut Input<'_>) {
    let mut isupport = Isupport::default();
    let text = data.bytes(4_096);
    for line in text.split(|byte| *byte == b'\n') {
        let line = [b"005 bot ", line, b" :are supported"].concat();
        if let Ok(message) = Message::parse(&line) {
            isupport.update(&message);
        }
    }
    assert!(isupport.iter().count() <= 512);
    let target = text.get(..8).unwrap_or_default();
    let _ = (isupport.modes_max(), isupport.status_channel(target), isupport.network());
    let _ = isupport.modes().parse_known(target, &[target]);
}

struct Nothing;

impl IrcHandler for Nothing {}

/// A client, and what a server sends, cut into pieces.
pub(crate) fn client(data: &mut Input<'_>) {
    let lens = data.piece_lens(64);
    let has_login = data.byte().is_multiple_of(2);
    let stream = data.bytes(4 * 1_024);
    let reactor = Reactor::simulated(0);
    let mut config = IrcConfig::new("bot").expect("a nick").dcc(DccConfig::default());
    if has_login {
        config = config.login(ClientLogin::password("ann", "secret").allow_plaintext(true));
    }
    let irc = IrcClient::new(&reactor, config, Nothing);
    let connection = irc.clone().build_protocol(&Peer::Memory).expect("it is offline");
    let made = memory::connect(&reactor, StreamConfig::default(), connection);
    let (_connection, wire) = made.expect("room for one");
    for piece in pieces(stream, &lens) {
        wire.receive_if_open(piece);
        reactor.advance(Duration::from_millis(20)).expect("the loop becomes idle");
    }
    assert!(
        !has_login
            || !irc.is_online()
            || irc.is_logged_in()
            || stream.windows(3).any(|part| part == b"901")
    );
    let sent = wire.sent();
    for line in sent.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r\n").expect("lines end in CRLF");
        assert!(line.len() <= 510);
        Message::parse(line).expect("it is a message");
    }
}

/// A server with a member in a channel, and what another client sends, cut into pieces.
pub(crate) fn server(data: &mut Input<'_>) {
    let lens = data.piece_lens(64);
    let is_welcomed = data.byte().is_multiple_of(2);
    let stream = data.bytes(4 * 1_024);
    let reactor = Reactor::simulated(0);
    let rules = AuthenticatorConfig::default().allow_plaintext(true);
    let users = Authenticator::with(Users::new().user("ann", "secret"), rules);
    let config =
        ServerConfig::new("irc.test").expect("a name").flood(100, Duration::from_millis(1));
    let config = config.accounts(users.clone()).operators(users).send_queue_max(100_000);
    let server = IrcServer::new(&reactor, config);
    let connect = || {
        let made = memory::connect(&reactor, StreamConfig::default(), server.connection());
        made.expect("room for two")
    };
    let ((_member, member), (_connection, wire)) = (connect(), connect());
    member.receive(b"CAP REQ :server-time message-tags extended-join\r\nNICK member\r\nUSER m 0 * :m\r\nCAP END\r\nJOIN #a\r\n");
    if is_welcomed {
        wire.receive(b"NICK ann\r\nUSER ann 0 * :x\r\nJOIN #a\r\n");
    }
    for piece in pieces(stream, &lens) {
        wire.receive_if_open(piece);
        reactor.advance(Duration::from_millis(20)).expect("the loop becomes idle");
    }
    wire.reset_if_open();
    // Also of a connection that waits for a login.
    reactor.advance(Duration::from_secs(60)).expect("the loop becomes idle");
    for sent in [wire.sent(), member.sent()] {
        for line in sent.split_inclusive(|byte| *byte == b'\n') {
            // A client that is gone may have received a part of the last one.
            let Some(line) = line.strip_suffix(b"\r\n") else { continue };
            assert!(line.len() <= 510 + 8_191);
            Message::parse(line).expect("it is a message");
        }
    }
    let report = server.report();
    assert!(report.connections <= 1, "{report:?}");
}
