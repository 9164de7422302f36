//! TLS between a socket and a stream: [`Tls`]. What is written is encrypted when it is sent, and counts as sent when all of its
//! ciphertext is out; what comes is decrypted when it is wanted. Between two calls nothing is kept but half a record that came,
//! or what the socket did not take.

use std::{
    cell::{Cell, RefCell},
    io::{self, IoSlice},
    rc::Rc,
    time::Duration,
};

use sinew_reactor::{Completion, Reactor, SHORT_WRITE_FILLS, TimerKey, Token};

use super::{
    TlsInfo,
    handshake_limiter::{HandshakeLimiter, Permit},
    session::{Out, Session},
};
use crate::{
    ConnectionLost, TlsError,
    buffers::READ_BUFFER,
    disconnect::LayerError,
    stream::{
        layer::{Layer, LayerContext, Received, Source, Step, WhenReady},
        socket::Socket,
    },
};

/// How much is encrypted before it is written: what one read takes.
const PIECE: usize = READ_BUFFER;

/// The most that may wait to become whole: the longest message of a handshake that there is, in records, and what one read
/// has brought behind it.
const TAIL_MAX: usize = 2 * READ_BUFFER + 32 * 1024;

mod byte_stream;

/// See the head of this file.
pub(super) struct Tls {
    socket: Socket,
    session: RefCell<Box<dyn Session>>,
    scratch: Rc<Scratch>,
    token: Token,
    /// The engine receives for this stream.
    completes: bool,
    /// The last word was said.
    said_farewell: Cell<bool>,
    /// What comes is thrown away, and nothing goes out but what is in the clear and what is unsent.
    given_up: Cell<bool>,
    /// The front of a record that has not come whole.
    tail: RefCell<Vec<u8>>,
    /// What came with the end of the handshake.
    buffered_plaintext: Cell<Vec<u8>>,
    unsent: RefCell<Unsent>,
    /// What is to be told once all that came before it was delivered.
    end: Cell<Option<Box<End>>>,
    /// What only a handshake needs.
    opening: RefCell<Option<Box<Opening>>>,
}

/// What all connections of a reactor work in. Neither outlasts a call; both stay as long as they have become, for to clear memory
/// costs more than to write to it.
#[derive(Default)]
struct Scratch {
    incoming: RefCell<Vec<u8>>,
    outgoing: RefCell<Vec<u8>>,
}

/// Ciphertext that the socket has not taken.
#[derive(Default)]
struct Unsent {
    bytes: Vec<u8>,
    sent: usize,
    /// So much of the front of the stream's queue is in it.
    covers: usize,
}

enum End {
    Closed,
    Failed(TlsError),
}

struct Opening {
    /// So many bytes go out in the clear before the first word of the handshake.
    clear: usize,
    has_begun: bool,
    timeout: Duration,
    deadline: Option<TimerKey>,
    handshake_limiter: Rc<HandshakeLimiter>,
    per_turn: usize,
    permit: Option<Permit>,
    when_ready: Option<WhenReady>,
    is_draining: bool,
}

/// What a read has brought.
enum Fetched {
    /// The buffer holds so many bytes, those that were kept before included.
    Bytes(usize, Source),
    End,
    Nothing,
}

impl Tls {
    pub(super) fn new(
        session: Box<dyn Session>,
        (timeout, per_turn): (Duration, usize),
        socket: Socket,
        context: LayerContext<'_>,
    ) -> Self {
        let LayerContext {
            reactor,
            token,
            completion_mode: completes,
            plaintext_len: clear,
            when_ready,
        } = context;
        let opening = Opening {
            clear,
            has_begun: false,
            timeout,
            deadline: Some(reactor.arm_timer(token, timeout)),
            handshake_limiter: reactor.local(),
            per_turn,
            permit: None,
            when_ready,
            is_draining: false,
        };
        Self {
            socket,
            session: RefCell::new(session),
            scratch: reactor.local(),
            token,
            completes,
            said_farewell: Cell::new(false),
            given_up: Cell::new(false),
            tail: RefCell::default(),
            buffered_plaintext: Cell::default(),
            unsent: RefCell::default(),
            end: Cell::default(),
            opening: RefCell::new(Some(Box::new(opening))),
        }
    }

    fn is_opening(&self) -> bool {
        self.opening.borrow().is_some()
    }

    // ---- input ----

    /// Lays what was kept into `incoming`, and says how much that is. It stays kept.
    fn lay_tail(&self, incoming: &mut Vec<u8>) -> usize {
        let tail = self.tail.borrow();
        if incoming.len() < tail.len() {
            incoming.resize(tail.len(), 0);
        }
        incoming[..tail.len()].copy_from_slice(&tail);
        tail.len()
    }

    /// Lays what was kept into `incoming`, and what is read now behind it. What was kept stays kept.
    fn fetch(&self, reactor: &Reactor, incoming: &mut Vec<u8>) -> io::Result<Fetched> {
        let start = self.lay_tail(incoming);
        if incoming.len() < start + READ_BUFFER {
            incoming.resize(start + READ_BUFFER, 0);
        }
        if self.completes {
            return Ok(match reactor.take_completion(self.token) {
                Some(Completion::Received(bytes)) => {
                    self.socket.completed(Ok(&bytes));
                    let end = start + bytes.len();
                    if incoming.len() < end {
                        incoming.resize(end, 0);
                    }
                    incoming[start..end].copy_from_slice(&bytes);
                    Fetched::Bytes(end, Source::Blocked)
                }
                Some(Completion::End) => {
                    self.socket.completed(Ok(&[]));
                    Fetched::End
                }
                Some(Completion::Failed(error)) => {
                    self.socket.completed(Err(&error));
                    return Err(error);
                }
                _ => Fetched::Nothing,
            });
        }
        let room = &mut incoming[start..start + READ_BUFFER];
        match self.socket.read(room) {
            Ok(0) => Ok(Fetched::End),
            Ok(n) if n < READ_BUFFER => Ok(Fetched::Bytes(start + n, Source::Short)),
            Ok(n) => Ok(Fetched::Bytes(start + n, Source::Open)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Fetched::Nothing),
            Err(error) => Err(error),
        }
    }

    /// Takes what is whole from `incoming`, keeps the rest, and sends what follows from it as far as that goes at once.
    fn process(&self, incoming: &mut [u8], plain: &mut Vec<u8>) -> Result<(), TlsError> {
        let mut outgoing = self.scratch.outgoing.borrow_mut();
        let mut out = Out::new(&mut outgoing);
        let mut session = self.session.borrow_mut();
        let used = session.process(incoming, plain, &mut out);
        if !out.bytes().is_empty() {
            self.unsent.borrow_mut().bytes.extend_from_slice(out.bytes());
        }
        let used = used?;
        let left = if session.has_peer_closed() { &[][..] } else { &incoming[used..] };
        if left.len() > TAIL_MAX {
            return Err(TlsError::Misbehaved("a message is too long".to_owned()));
        }
        self.keep(left);
        Ok(())
    }

    fn keep(&self, left: &[u8]) {
        let mut tail = self.tail.borrow_mut();
        if left.is_empty() {
            *tail = Vec::new();
        } else {
            tail.clear();
            tail.extend_from_slice(left);
        }
    }

    // ---- output ----

    /// Writes what is left from before; `false` if the socket has no room for all of it. If that fails, it is not tried again.
    fn flush(&self) -> io::Result<bool> {
        let mut unsent = self.unsent.borrow_mut();
        let flushed = self.write_unsent(&mut unsent);
        if !matches!(flushed, Ok(false)) {
            unsent.bytes = Vec::new();
            unsent.sent = 0;
        }
        flushed
    }

    fn write_unsent(&self, unsent: &mut Unsent) -> io::Result<bool> {
        while unsent.sent < unsent.bytes.len() {
            let left = &unsent.bytes[unsent.sent..];
            let offered = left.len();
            match self.socket.write(left) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(sent) => {
                    unsent.sent += sent;
                    if sent < offered && SHORT_WRITE_FILLS {
                        return Ok(false);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// What was queued before there was TLS goes out as it is.
    fn write_clear(&self, slices: &[IoSlice<'_>], clear: usize) -> io::Result<usize> {
        let Some(first) = slices.iter().find(|slice| !slice.is_empty()) else { return Ok(0) };
        let sent = self.socket.write(&first[..first.len().min(clear)])?;
        self.sent_clear(sent);
        Ok(sent)
    }

    fn sent_clear(&self, sent: usize) {
        if let Some(opening) = &mut *self.opening.borrow_mut() {
            opening.clear -= sent;
        }
    }

    /// Encrypts a piece of what lies `from` bytes into the slices; says how long the piece is.
    fn encrypt(
        &self,
        slices: &[IoSlice<'_>],
        mut from: usize,
        out: &mut Out<'_>,
    ) -> Result<usize, LayerError> {
        let mut session = self.session.borrow_mut();
        let mut tail = self.tail.borrow_mut();
        let mut len = 0;
        for slice in slices {
            if from >= slice.len() {
                from -= slice.len();
                continue;
            }
            let part = &slice[from..];
            let part = &part[..part.len().min(PIECE - len)];
            session.encrypt(&mut tail, part, out).map_err(LayerError::Tls)?;
            from = 0;
            len += part.len();
            if len == PIECE {
                break;
            }
        }
        Ok(len)
    }

    /// Encrypts a piece and writes it. What the socket does not take is kept, and `false` is said with the length.
    fn write_piece(&self, slices: &[IoSlice<'_>], from: usize) -> io::Result<(usize, bool)> {
        let mut outgoing = self.scratch.outgoing.borrow_mut();
        let mut out = Out::new(&mut outgoing);
        let len = self.encrypt(slices, from, &mut out)?;
        let offered = out.bytes();
        if offered.is_empty() {
            return Ok((len, true));
        }
        let sent = match self.socket.write(offered) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(sent) => sent,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        if sent == offered.len() {
            return Ok((len, true));
        }
        let mut unsent = self.unsent.borrow_mut();
        unsent.bytes.extend_from_slice(&offered[sent..]);
        unsent.covers = len;
        Ok((len, false))
    }

    /// Tells the peer that this was all; before a handshake is done, there is no way to.
    fn send_close_notify(&self) -> io::Result<()> {
        let has_word = !self.is_opening() && !self.given_up.get();
        if has_word && !self.said_farewell.replace(true) {
            let mut outgoing = self.scratch.outgoing.borrow_mut();
            let mut out = Out::new(&mut outgoing);
            // A session that has failed has said so to its peer.
            if self.session.borrow_mut().close_notify(&mut self.tail.borrow_mut(), &mut out).is_ok()
            {
                self.unsent.borrow_mut().bytes.extend_from_slice(out.bytes());
            }
        }
        if self.flush()? { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
    }

    // ---- the handshake ----

    /// Whether it is this connection's turn to calculate.
    fn is_our_turn(&self, reactor: &Reactor) -> bool {
        let mut opening = self.opening.borrow_mut();
        let Some(opening) = &mut *opening else { return true };
        let permit = opening.permit.take();
        let passed = opening.handshake_limiter.pass(reactor, self.token, opening.per_turn, permit);
        opening.permit = passed.err();
        opening.permit.is_none()
    }

    fn is_waiting(&self) -> bool {
        self.opening.borrow().as_ref().is_some_and(|opening| opening.permit.is_some())
    }

    /// Reads for the handshake, and goes on with it. `None` if nothing was read, for nothing was to be.
    fn advance(&self, reactor: &Reactor, may_read: bool) -> io::Result<Option<Source>> {
        let was_waiting = self.is_waiting();
        if !was_waiting && !may_read {
            return Ok(None);
        }
        let mut incoming = self.scratch.incoming.borrow_mut();
        let (len, source) = if was_waiting {
            (self.lay_tail(&mut incoming), Source::Open)
        } else {
            match self.fetch(reactor, &mut incoming)? {
                Fetched::Bytes(len, source) => (len, source),
                Fetched::Nothing => return Ok(Some(Source::Blocked)),
                Fetched::End => return Err(LayerError::Tls(TlsError::Closed).into()),
            }
        };
        if !self.is_our_turn(reactor) {
            self.keep(&incoming[..len]);
            return Ok(Some(Source::NotOurTurn));
        }
        let mut buffered_plaintext = self.buffered_plaintext.take();
        let processed = self.process(&mut incoming[..len], &mut buffered_plaintext);
        self.buffered_plaintext.set(buffered_plaintext);
        processed.map_err(LayerError::Tls)?;
        Ok(Some(source))
    }

    /// Has a client say its first word.
    fn begin(&self) -> Result<(), TlsError> {
        let begins = self
            .opening
            .borrow_mut()
            .as_mut()
            .is_some_and(|opening| !std::mem::replace(&mut opening.has_begun, true));
        if begins { self.process(&mut [], &mut Vec::new()) } else { Ok(()) }
    }

    /// Whether something waits to be sent that the stream does not know of, and nothing that it does.
    fn has_word_unsent(&self) -> bool {
        let unsent = self.unsent.borrow();
        !unsent.bytes.is_empty() && unsent.covers == 0
    }

    /// One read of what nobody wants.
    fn throw_away(&self, reactor: &Reactor) -> io::Result<Received> {
        Ok(match self.fetch(reactor, &mut self.scratch.incoming.borrow_mut())? {
            Fetched::Bytes(_, source) => Received { source, has_ended: false },
            Fetched::Nothing => Received { source: Source::Blocked, has_ended: false },
            Fetched::End => Received { source: Source::Blocked, has_ended: true },
        })
    }

    /// What is told once all that was delivered is.
    fn outcome(&self, end: End) -> io::Result<Received> {
        match end {
            End::Closed => Ok(Received { source: Source::Blocked, has_ended: true }),
            End::Failed(error) => Err(LayerError::Tls(error).into()),
        }
    }
}

impl Layer for Tls {
    fn handshake(&self, reactor: &Reactor, may_read: bool) -> io::Result<Step> {
        self.begin().map_err(LayerError::Tls)?;
        let source = self.advance(reactor, may_read)?;
        if self.plaintext_len() > 0 {
            return Ok(Step { is_ready: false, source, is_sent: Ok(true) });
        }
        let is_sent = self.flush();
        let is_ready = matches!(is_sent, Ok(true)) && !self.session.borrow().is_handshaking();
        if is_ready && self.session.borrow().has_peer_closed() {
            self.end.set(Some(Box::new(End::Closed)));
        }
        Ok(Step { is_ready, source, is_sent })
    }

    fn give_up(&self) {
        self.given_up.set(true);
        *self.tail.borrow_mut() = Vec::new();
        self.buffered_plaintext.take();
        self.end.take();
    }

    fn plaintext_len(&self) -> usize {
        self.opening.borrow().as_ref().map_or(0, |opening| opening.clear)
    }

    fn receive(&self, reactor: &Reactor, plain: &mut Vec<u8>) -> io::Result<Received> {
        if self.given_up.get() {
            return self.throw_away(reactor);
        }
        let buffered_plaintext = self.buffered_plaintext.take();
        if !buffered_plaintext.is_empty() {
            plain.extend_from_slice(&buffered_plaintext);
            return Ok(Received { source: Source::Open, has_ended: false });
        }
        if let Some(end) = self.end.take() {
            return self.outcome(*end);
        }
        let mut incoming = self.scratch.incoming.borrow_mut();
        let (len, source) = match self.fetch(reactor, &mut incoming)? {
            Fetched::Bytes(len, source) => (len, source),
            Fetched::Nothing => {
                return Ok(Received { source: Source::Blocked, has_ended: false });
            }
            Fetched::End => return Err(LayerError::Truncated.into()),
        };
        let end = match self.process(&mut incoming[..len], plain) {
            Err(error) => Some(End::Failed(error)),
            Ok(()) => self.session.borrow().has_peer_closed().then_some(End::Closed),
        };
        if self.has_word_unsent() && !matches!(end, Some(End::Failed(_))) {
            // If it does not go now, it goes before whatever is sent next. An alert goes with the end of the output.
            let _ = self.flush();
        }
        match end {
            None => Ok(Received { source, has_ended: false }),
            Some(end) if plain.is_empty() => self.outcome(end),
            Some(end) => {
                self.end.set(Some(Box::new(end)));
                Ok(Received { source: Source::Open, has_ended: false })
            }
        }
    }

    fn take_when_ready(&self) -> Option<WhenReady> {
        self.opening.borrow_mut().as_mut()?.when_ready.take()
    }

    fn take_deadline(&self) -> Option<TimerKey> {
        self.opening.borrow_mut().as_mut()?.deadline.take()
    }

    fn timeout_reason(&self, key: TimerKey) -> Option<ConnectionLost> {
        let opening = self.opening.borrow();
        let opening = opening.as_ref().filter(|opening| opening.deadline == Some(key))?;
        Some(ConnectionLost::Tls(TlsError::TimedOut { after: opening.timeout }))
    }

    fn remember_drain(&self) {
        if let Some(opening) = &mut *self.opening.borrow_mut() {
            opening.is_draining = true;
        }
    }

    fn finish_handshake(&self) -> bool {
        self.opening.take().is_some_and(|opening| opening.is_draining)
    }

    fn tls_info(&self) -> Option<TlsInfo> {
        if self.is_opening() { None } else { Some(self.session.borrow().info()) }
    }
}
