//! A WebSocket that is used by `await`: [`WebSocketStream`].

use std::{
    cell::RefCell,
    collections::VecDeque,
    fmt,
    future::poll_fn,
    mem,
    rc::Rc,
    task::{Poll, Waker},
};

use super::{CloseCode, CloseReason, PreparedMessage, SendStatus, WebSocket, WebSocketHandler};

/// Received messages that wait for `recv`, in bytes, above which nothing more is received.
const WAITING_MAX: usize = 64 * 1024;

/// A message that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReceivedMessage {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
}

/// A message that was not sent, since the connection is closing or closed.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the WebSocket is closed")]
#[non_exhaustive]
pub struct SendError {}

sinew_transports::reactor::error_debug!(SendError);

/// A WebSocket for async code, at either end: from [`WebSocketClient::open`](super::WebSocketClient::open), or from
/// [`pair`](Self::pair).
///
/// Both calls are cancel safe: a message that `recv` would have returned is returned by the next call, and a `send` that is dropped
/// before it is ready has sent nothing. Dropping the stream closes the connection with [`CloseCode::GOING_AWAY`].
///
/// # Examples
///
/// A server that sends back what it receives:
///
/// ```
/// use sinew_http::{
///     server::{HttpServer, Request},
///     websocket::{ReceivedMessage, WebSocketStream, WebSocketUpgrade},
/// };
///
/// async fn echo(stream: WebSocketStream) {
///     while let Some(message) = stream.recv().await {
///         if stream.send(message).await.is_err() {
///             break;
///         }
///     }
/// }
///
/// let server = HttpServer::new(WebSocketUpgrade::new(|request: &Request| {
///     let (handler, stream) = WebSocketStream::pair();
///     request.reactor().spawn(echo(stream)).detach();
///     handler
/// }));
/// ```
#[must_use = "dropping it closes the connection"]
pub struct WebSocketStream {
    shared: Rc<RefCell<State>>,
}

/// The handler of a [`WebSocketStream`].
#[must_use]
pub struct StreamHandler {
    shared: Rc<RefCell<State>>,
}

#[derive(Default)]
struct State {
    socket: Option<WebSocket>,
    messages: VecDeque<ReceivedMessage>,
    waiting: usize,
    is_paused: bool,
    /// The stream was dropped.
    is_abandoned: bool,
    is_full: bool,
    closed: Option<CloseReason>,
    receiver: Option<Waker>,
    senders: Vec<Waker>,
}

impl WebSocketStream {
    /// A handler, and the stream of the connection that it is used for. Messages are received as a whole, so the connection must not
    /// deliver them [by piece](super::WebSocketConfig::by_piece).
    pub fn pair() -> (StreamHandler, Self) {
        let shared = Rc::default();
        (StreamHandler { shared: Rc::clone(&shared) }, Self { shared })
    }

    /// The next message. `None` once the connection is closed and all messages have been received; [`closed`](Self::closed) has the
    /// reason.
    ///
    /// While more than 64 KiB of messages wait here, nothing more is received from the peer.
    pub async fn recv(&self) -> Option<ReceivedMessage> {
        poll_fn(|context| {
            let mut state = self.shared.borrow_mut();
            if let Some(message) = state.messages.pop_front() {
                state.waiting -= message.len();
                state.resume_if_low();
                return Poll::Ready(Some(message));
            }
            if state.closed.is_some() {
                return Poll::Ready(None);
            }
            let old = state.receiver.replace(context.waker().clone());
            drop(state);
            drop(old);
            Poll::Pending
        })
        .await
    }

    /// Sends a message, once those that were sent before leave room for it.
    ///
    /// # Errors
    ///
    /// [`SendError`] if the connection is closing or closed.
    pub async fn send(&self, message: impl Into<ReceivedMessage>) -> Result<(), SendError> {
        let message = message.into();
        self.send_with(|socket| match &message {
            ReceivedMessage::Text(text) => socket.send_text(text),
            ReceivedMessage::Binary(data) => socket.send_binary(data),
        })
        .await
    }

    /// Sends a prepared message, likewise.
    ///
    /// # Errors
    ///
    /// [`SendError`] if the connection is closing or closed.
    pub async fn send_prepared(&self, message: &PreparedMessage) -> Result<(), SendError> {
        self.send_with(|socket| socket.send(message)).await
    }

    async fn send_with(&self, send: impl Fn(&WebSocket) -> SendStatus) -> Result<(), SendError> {
        poll_fn(|context| {
            let mut state = self.shared.borrow_mut();
            if state.closed.is_some() {
                return Poll::Ready(Err(SendError {}));
            }
            if state.is_full || state.socket.is_none() {
                let waker = context.waker().clone();
                if !state.senders.iter().any(|known| known.will_wake(&waker)) {
                    state.senders.push(waker);
                }
                return Poll::Pending;
            }
            let Some(socket) = state.socket.clone() else { return Poll::Pending };
            drop(state);
            let status = send(&socket);
            self.shared.borrow_mut().is_full |= status == SendStatus::Full;
            let is_sent = status != SendStatus::Closed;
            Poll::Ready(if is_sent { Ok(()) } else { Err(SendError {}) })
        })
        .await
    }

    /// Closes, as [`WebSocket::close`] does. Messages that were received are still there; those that arrive later are dropped.
    pub fn close(&self, reason: impl Into<CloseReason>) {
        let socket = self.shared.borrow().socket.clone();
        if let Some(socket) = socket {
            socket.close(reason);
        }
    }

    /// The handle of the connection. `None` before it is open.
    #[must_use]
    pub fn socket(&self) -> Option<WebSocket> {
        self.shared.borrow().socket.clone()
    }

    /// Why the connection is closed, once it is.
    #[must_use]
    pub fn closed(&self) -> Option<CloseReason> {
        self.shared.borrow().closed.clone()
    }
}

impl State {
    fn receive(&mut self, message: ReceivedMessage) -> Option<Waker> {
        if self.is_abandoned {
            return None;
        }
        self.waiting += message.len();
        self.messages.push_back(message);
        if self.waiting > WAITING_MAX && !self.is_paused {
            self.is_paused = true;
            if let Some(socket) = &self.socket {
                socket.pause_reading();
            }
        }
        self.receiver.take()
    }

    fn resume_if_low(&mut self) {
        if self.is_paused && self.waiting <= WAITING_MAX / 2 {
            self.is_paused = false;
            if let Some(socket) = &self.socket {
                socket.resume_reading();
            }
        }
    }
}

impl StreamHandler {
    fn receive(&self, message: ReceivedMessage) {
        let waker = self.shared.borrow_mut().receive(message);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn set_full(&self, is_full: bool) {
        let mut state = self.shared.borrow_mut();
        state.is_full = is_full;
        let senders = if is_full { Vec::new() } else { mem::take(&mut state.senders) };
        drop(state);
        senders.into_iter().for_each(Waker::wake);
    }
}

impl WebSocketHandler for StreamHandler {
    fn opened(&mut self, socket: &WebSocket) {
        let is_abandoned = self.shared.borrow().is_abandoned;
        if is_abandoned {
            return socket.close(CloseCode::GOING_AWAY);
        }
        self.shared.borrow_mut().socket = Some(socket.clone());
        self.set_full(false);
    }

    fn text(&mut self, _: &WebSocket, text: &str) {
        self.receive(ReceivedMessage::Text(text.to_owned()));
    }

    fn binary(&mut self, _: &WebSocket, data: &[u8]) {
        self.receive(ReceivedMessage::Binary(data.to_owned()));
    }

    fn full(&mut self, _: &WebSocket) {
        self.set_full(true);
    }

    fn writable(&mut self, _: &WebSocket) {
        self.set_full(false);
    }

    fn closed(&mut self, reason: &CloseReason) {
        let mut state = self.shared.borrow_mut();
        state.closed = Some(reason.clone());
        let (receiver, senders) = (state.receiver.take(), mem::take(&mut state.senders));
        drop(state);
        receiver.into_iter().chain(senders).for_each(Waker::wake);
    }
}

impl Drop for StreamHandler {
    /// It was never used, or its connection is over.
    fn drop(&mut self) {
        let is_told = self.shared.borrow().closed.is_some();
        if !is_told {
            self.closed(&CloseReason::new(CloseCode::ABNORMAL, "the connection was not opened"));
        }
    }
}

impl Drop for WebSocketStream {
    fn drop(&mut self) {
        let mut state = self.shared.borrow_mut();
        state.is_abandoned = true;
        let messages = mem::take(&mut state.messages);
        let socket = state.socket.clone();
        drop(state);
        drop(messages);
        if let Some(socket) = socket {
            socket.close(CloseCode::GOING_AWAY);
        }
    }
}

impl ReceivedMessage {
    /// The length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(data) => data.len(),
        }
    }

    /// Whether it is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<String> for ReceivedMessage {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for ReceivedMessage {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Vec<u8>> for ReceivedMessage {
    fn from(data: Vec<u8>) -> Self {
        Self::Binary(data)
    }
}

impl From<&[u8]> for ReceivedMessage {
    fn from(data: &[u8]) -> Self {
        Self::Binary(data.to_owned())
    }
}

impl fmt::Debug for WebSocketStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.borrow();
        f.debug_struct("WebSocketStream")
            .field("socket", &state.socket)
            .field("waiting", &state.messages.len())
            .field("closed", &state.closed)
            .finish()
    }
}

impl fmt::Debug for StreamHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamHandler").finish_non_exhaustive()
    }
}
