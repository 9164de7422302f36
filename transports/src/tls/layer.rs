//! TLS layer between a socket and a stream: [`Tls`]. Output is encrypted when it is sent, and counts as sent when all of its
//! ciphertext is. Input is decrypted when the stream reads. An idle connection owns no buffer; only a partial input record or
//! unsent ciphertext is kept between calls.

mod byte_stream;
mod pending;

use std::{
    cell::{Cell, RefCell},
    io::{self, IoSlice},
    mem,
    rc::Rc,
    time::Duration,
};

use sinew_reactor::{Completion, Reactor, SHORT_WRITE_FILLS, TimerKey, Token};

use pending::{End, Pending, Unsent};

use super::{
    TlsInfo,
    handshake_limiter::{HandshakeLimiter, Permit},
    session::{OutBuffer, Session},
};
use crate::{
    ConnectionLost, TlsError,
    buffers::READ_BUFFER,
    disconnect::LayerError,
    stream::{
        layer::{Layer, Received, Source, Step, WhenReady, driver::LayerContext},
        socket::Socket,
    },
};

/// Plaintext encrypted per write: as much as one read takes.
const CHUNK_LEN: usize = READ_BUFFER;

/// Maximum length of an incomplete input: the longest handshake message, in records, and one further read.
const TAIL_MAX: usize = 2 * READ_BUFFER + 32 * 1024;

/// The layer of one connection. State of the handshake is boxed and freed when it is done, as are buffers that are empty.
pub(super) struct Tls {
    socket: Socket,
    session: RefCell<Box<dyn Session>>,
    scratch: Rc<Scratch>,
    token: Token,
    /// The engine receives input as completions.
    completes: bool,
    /// close_notify has been queued.
    close_notify_queued: Cell<bool>,
    /// The layer failed: input is discarded, and only clear-text output and unsent ciphertext are sent.
    is_failed: Cell<bool>,
    pending: Pending,
    /// State of the handshake; `None` when it is done.
    handshake: RefCell<Option<Box<Handshake>>>,
}

/// Scratch buffers shared by all connections of a reactor. Used only within a call. They never shrink, since clearing memory
/// costs more than writing to it.
#[derive(Default)]
struct Scratch {
    incoming: RefCell<Vec<u8>>,
    outgoing: RefCell<Vec<u8>>,
}

struct Handshake {
    /// Bytes still to be sent in the clear before the handshake starts (STARTTLS).
    clear: usize,
    is_started: bool,
    /// The first input, if it was received before the handshake began.
    received: Vec<u8>,
    timeout: Duration,
    deadline: Option<TimerKey>,
    limiter: Rc<HandshakeLimiter>,
    per_turn: usize,
    permit: Option<Permit>,
    when_ready: Option<WhenReady>,
    is_draining: bool,
}

/// Result of one read.
enum Fetched {
    /// The buffer holds this many bytes, the earlier partial record included.
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
            received,
            when_ready,
        } = context;
        let handshake = Handshake {
            clear,
            is_started: false,
            received,
            timeout,
            deadline: Some(reactor.arm_timer(token, timeout)),
            limiter: reactor.local(),
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
            close_notify_queued: Cell::new(false),
            is_failed: Cell::new(false),
            pending: Pending::default(),
            handshake: RefCell::new(Some(Box::new(handshake))),
        }
    }

    fn handshake_pending(&self) -> bool {
        self.handshake.borrow().is_some()
    }

    // ---- input ----

    /// Copies the partial record into `incoming`, without removing it, and returns its length.
    fn copy_tail(&self, incoming: &mut Vec<u8>) -> usize {
        let copied = self.pending.read(|pending| {
            let tail = &pending.tail;
            if incoming.len() < tail.len() {
                incoming.resize(tail.len(), 0);
            }
            incoming[..tail.len()].copy_from_slice(tail);
            tail.len()
        });
        copied.unwrap_or(0)
    }

    /// Copies the partial record into `incoming`, and appends one read. The partial record is not removed.
    fn fetch(&self, reactor: &Reactor, incoming: &mut Vec<u8>) -> io::Result<Fetched> {
        let start = self.copy_tail(incoming);
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

    /// Processes the complete records in `incoming`, keeps the rest, and queues the response.
    fn process(&self, incoming: &mut [u8], plain: &mut Vec<u8>) -> Result<(), TlsError> {
        let mut outgoing = self.scratch.outgoing.borrow_mut();
        let mut out = OutBuffer::new(&mut outgoing);
        let mut session = self.session.borrow_mut();
        let used = session.process(incoming, plain, &mut out);
        if !out.bytes().is_empty() {
            self.pending.push_unsent(out.bytes());
        }
        let used = used?;
        let left = if session.has_peer_closed() { &[][..] } else { &incoming[used..] };
        if left.len() > TAIL_MAX {
            return Err(TlsError::ProtocolViolation("a handshake message is too long".to_owned()));
        }
        self.keep(left);
        Ok(())
    }

    fn keep(&self, left: &[u8]) {
        if left.is_empty() {
            self.pending.update_if_any(|pending| pending.tail = Vec::new());
        } else {
            self.pending.update(|pending| {
                pending.tail.clear();
                pending.tail.extend_from_slice(left);
            });
        }
    }

    // ---- output ----

    /// Writes unsent ciphertext; `false` if the socket accepted only a part. After an error the rest is discarded.
    fn flush(&self) -> io::Result<bool> {
        let flushed = self.pending.update_if_any(|pending| {
            let unsent = &mut pending.unsent;
            let flushed = self.write_unsent(unsent);
            if !matches!(flushed, Ok(false)) {
                unsent.bytes = Vec::new();
                unsent.sent = 0;
            }
            flushed
        });
        flushed.unwrap_or(Ok(true))
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

    /// Writes data queued before `start_tls`, unencrypted.
    fn write_clear(&self, slices: &[IoSlice<'_>], clear: usize) -> io::Result<usize> {
        let Some(first) = slices.iter().find(|slice| !slice.is_empty()) else { return Ok(0) };
        let sent = self.socket.write(&first[..first.len().min(clear)])?;
        self.sent_clear(sent);
        Ok(sent)
    }

    fn sent_clear(&self, sent: usize) {
        if let Some(handshake) = &mut *self.handshake.borrow_mut() {
            handshake.clear -= sent;
        }
    }

    /// Encrypts up to [`CHUNK_LEN`] bytes from offset `from` of the slices, and returns how many.
    fn encrypt(
        &self,
        slices: &[IoSlice<'_>],
        from: usize,
        out: &mut OutBuffer<'_>,
    ) -> Result<usize, LayerError> {
        self.pending.with_tail(|tail| self.encrypt_after(tail, slices, from, out))
    }

    /// The same. `tail` is the rest of the input.
    fn encrypt_after(
        &self,
        tail: &mut [u8],
        slices: &[IoSlice<'_>],
        mut from: usize,
        out: &mut OutBuffer<'_>,
    ) -> Result<usize, LayerError> {
        let mut session = self.session.borrow_mut();
        let mut len = 0;
        for slice in slices {
            if from >= slice.len() {
                from -= slice.len();
                continue;
            }
            let part = &slice[from..];
            let part = &part[..part.len().min(CHUNK_LEN - len)];
            session.encrypt(tail, part, out).map_err(LayerError::Tls)?;
            from = 0;
            len += part.len();
            if len == CHUNK_LEN {
                break;
            }
        }
        Ok(len)
    }

    /// Encrypts and writes one chunk. Returns its length, and `false` if a part of the ciphertext is unsent.
    fn write_chunk(&self, slices: &[IoSlice<'_>], from: usize) -> io::Result<(usize, bool)> {
        let mut outgoing = self.scratch.outgoing.borrow_mut();
        let mut out = OutBuffer::new(&mut outgoing);
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
        self.pending.push_unsent(&offered[sent..]);
        self.pending.set_covered(len);
        Ok((len, false))
    }

    /// Sends close_notify, unless the handshake is not done.
    fn send_close_notify(&self) -> io::Result<()> {
        let can_notify = !self.handshake_pending() && !self.is_failed.get();
        if can_notify && !self.close_notify_queued.replace(true) {
            let mut outgoing = self.scratch.outgoing.borrow_mut();
            let mut out = OutBuffer::new(&mut outgoing);
            // A failed session has sent an alert already.
            let notified = self
                .pending
                .with_tail(|tail| self.session.borrow_mut().close_notify(tail, &mut out));
            if notified.is_ok() {
                self.pending.push_unsent(out.bytes());
            }
        }
        if self.flush()? { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
    }

    // ---- the handshake ----

    /// Asks the handshake limiter for a step.
    fn acquire_permit(&self, reactor: &Reactor) -> bool {
        let mut handshake = self.handshake.borrow_mut();
        let Some(handshake) = &mut *handshake else { return true };
        let permit = handshake.permit.take();
        let acquired = handshake.limiter.acquire(reactor, self.token, handshake.per_turn, permit);
        handshake.permit = acquired.err();
        handshake.permit.is_none()
    }

    fn awaits_permit(&self) -> bool {
        self.handshake.borrow().as_ref().is_some_and(|handshake| handshake.permit.is_some())
    }

    /// Reads and processes handshake messages. `None` if nothing was to be read.
    fn advance(&self, reactor: &Reactor, may_read: bool) -> io::Result<Option<Source>> {
        let has_received = self.keep_received();
        let awaited_permit = self.awaits_permit();
        if !has_received && !awaited_permit && !may_read {
            return Ok(None);
        }
        let mut incoming = self.scratch.incoming.borrow_mut();
        let (len, source) = if has_received || awaited_permit {
            (self.copy_tail(&mut incoming), Source::Open)
        } else {
            match self.fetch(reactor, &mut incoming)? {
                Fetched::Bytes(len, source) => (len, source),
                Fetched::Nothing => return Ok(Some(Source::Blocked)),
                Fetched::End => return Err(LayerError::Tls(TlsError::Closed).into()),
            }
        };
        if !self.acquire_permit(reactor) {
            self.keep(&incoming[..len]);
            return Ok(Some(Source::NotOurTurn));
        }
        let mut plaintext = self.pending.take_plaintext();
        let processed = self.process(&mut incoming[..len], &mut plaintext);
        self.pending.set_plaintext(plaintext);
        processed.map_err(LayerError::Tls)?;
        Ok(Some(source))
    }

    /// Makes the input that was received before the handshake began the partial record. Whether there was any.
    fn keep_received(&self) -> bool {
        let mut handshake = self.handshake.borrow_mut();
        let received = handshake
            .as_mut()
            .map(|handshake| mem::take(&mut handshake.received))
            .unwrap_or_default();
        if !received.is_empty() {
            self.keep(&received);
        }
        !received.is_empty()
    }

    /// Starts the handshake: a client queues its ClientHello.
    fn start_handshake(&self) -> Result<(), TlsError> {
        let starts = self
            .handshake
            .borrow_mut()
            .as_mut()
            .is_some_and(|handshake| !mem::replace(&mut handshake.is_started, true));
        if starts { self.process(&mut [], &mut Vec::new()) } else { Ok(()) }
    }

    /// Whether unsent ciphertext consists of handshake or alert records only, which the stream's queue does not account for.
    fn has_unsent_control(&self) -> bool {
        self.pending.has_unsent() && self.pending.covered() == 0
    }

    /// Reads once and discards the bytes.
    fn discard_input(&self, reactor: &Reactor) -> io::Result<Received> {
        Ok(match self.fetch(reactor, &mut self.scratch.incoming.borrow_mut())? {
            Fetched::Bytes(_, source) => Received { source, has_ended: false },
            Fetched::Nothing => Received { source: Source::Blocked, has_ended: false },
            Fetched::End => Received { source: Source::Blocked, has_ended: true },
        })
    }

    /// Reports the end of the input.
    fn report_end(&self, end: End) -> io::Result<Received> {
        match end {
            End::Closed => Ok(Received { source: Source::Blocked, has_ended: true }),
            End::Failed(error) => Err(LayerError::Tls(error).into()),
        }
    }
}

impl Layer for Tls {
    fn handshake(&self, reactor: &Reactor, may_read: bool) -> io::Result<Step> {
        self.start_handshake().map_err(LayerError::Tls)?;
        let source = self.advance(reactor, may_read)?;
        if self.plaintext_len() > 0 {
            return Ok(Step { is_ready: false, source, is_sent: Ok(true) });
        }
        let is_sent = self.flush();
        let is_ready = matches!(is_sent, Ok(true)) && !self.session.borrow().is_handshaking();
        if is_ready && self.session.borrow().has_peer_closed() {
            self.pending.set_end(End::Closed);
        }
        Ok(Step { is_ready, source, is_sent })
    }

    fn give_up(&self) {
        self.is_failed.set(true);
        self.pending.drop_input();
    }

    fn plaintext_len(&self) -> usize {
        self.handshake.borrow().as_ref().map_or(0, |handshake| handshake.clear)
    }

    fn receive(&self, reactor: &Reactor, plain: &mut Vec<u8>) -> io::Result<Received> {
        if self.is_failed.get() {
            return self.discard_input(reactor);
        }
        let plaintext = self.pending.take_plaintext();
        if !plaintext.is_empty() {
            plain.extend_from_slice(&plaintext);
            return Ok(Received { source: Source::Open, has_ended: false });
        }
        if let Some(end) = self.pending.take_end() {
            return self.report_end(end);
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
        if self.has_unsent_control() && !matches!(end, Some(End::Failed(_))) {
            // If the socket is full, it is sent before the next output. An alert is sent with the end of the output.
            let _ = self.flush();
        }
        match end {
            None => Ok(Received { source, has_ended: false }),
            Some(end) if plain.is_empty() => self.report_end(end),
            Some(end) => {
                self.pending.set_end(end);
                Ok(Received { source: Source::Open, has_ended: false })
            }
        }
    }

    fn take_when_ready(&self) -> Option<WhenReady> {
        self.handshake.borrow_mut().as_mut()?.when_ready.take()
    }

    fn take_deadline(&self) -> Option<TimerKey> {
        self.handshake.borrow_mut().as_mut()?.deadline.take()
    }

    fn timeout_reason(&self, key: TimerKey) -> Option<ConnectionLost> {
        let handshake = self.handshake.borrow();
        let handshake = handshake.as_ref().filter(|handshake| handshake.deadline == Some(key))?;
        Some(ConnectionLost::Tls(TlsError::TimedOut { after: handshake.timeout }))
    }

    fn remember_drain(&self) {
        if let Some(handshake) = &mut *self.handshake.borrow_mut() {
            handshake.is_draining = true;
        }
    }

    fn finish_handshake(&self) -> bool {
        self.handshake.take().is_some_and(|handshake| handshake.is_draining)
    }

    fn tls_info(&self) -> Option<TlsInfo> {
        if self.handshake_pending() { None } else { Some(self.session.borrow().info()) }
    }
}
