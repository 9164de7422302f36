//! IRC over WebSocket (IRCv3): [`IrcWebSocket`]. Each message of the WebSocket is one message of IRC, without its line end: text by the
//! subprotocol `text.ircv3.net`, and bytes of any encoding by `binary.ircv3.net`. The handshake is of `sinew-http`.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    fmt,
    net::{IpAddr, SocketAddr},
    rc::Rc,
    time::Duration,
};

use bytes::Bytes;
use memchr::memchr2;
use sinew_auth::Channel;
use sinew_http::{
    server::Request,
    websocket::{
        CloseCode, CloseReason, MessageLimits, Overflow, SendStatus, WebSocket, WebSocketConfig,
        WebSocketHandler, WebSocketUpgrade,
    },
};
use sinew_protocols::basic::{Decoded, Decoder};
use sinew_transports::{Peer, TimerId, reactor::Reactor};

use super::{
    IrcServer,
    session::{Line, Session},
    wire::{LineProducer, Wire},
};
use crate::irc::codec::IrcLine;

const TEXT: &str = "text.ircv3.net";
const BINARY: &str = "binary.ircv3.net";

/// Longest message of a WebSocket. More than a line may have, so that one that is somewhat too long gets a 417 and not an end.
const MESSAGE_BYTES_MAX: usize = 16 * 1_024;

/// What may wait in the WebSocket above `send_queue_max`, at which the server ends the connection by itself.
const QUEUE_SPARE: usize = 64 * 1_024;

/// Lines of a long list that are made at once.
const LINES: usize = 32;

/// A client of an [`IrcServer`] behind a WebSocket. Made by [`IrcServer::websocket`].
pub struct IrcWebSocket {
    session: Session,
    client: Client,
    /// There from the handshake on.
    wire: Option<SocketWire>,
}

/// What the request says of the client.
struct Client {
    ip: Option<IpAddr>,
    is_secure: bool,
    channel: Channel,
}

impl IrcServer {
    /// A handler of requests that upgrades them to WebSockets of this server, for a path of an HTTP server.
    ///
    /// Clients choose `text.ircv3.net` or `binary.ircv3.net` by their own order; those that name neither get text. What others have
    /// sent is made UTF-8 for clients with text: U+FFFD stands for each wrong byte. All limits are those of the
    /// [`ServerConfig`](super::ServerConfig); a message that is longer than 16 KiB ends the connection with 1009, and one with a line end
    /// inside with 1008. A client's address is that of [`Request::client_ip`], so that proxies are
    /// [trusted](sinew_http::server::TrustedProxies) or not as for all requests. Pages of other origins are refused unless they are
    /// [allowed](WebSocketUpgrade::origin). The server asks with PING of IRC whether a client is there, and not with that of WebSocket.
    ///
    /// # Examples
    ///
    /// ```
    /// use sinew_chat::irc::server::{IrcServer, ServerConfig};
    /// use sinew_http::server::{HttpServer, Router};
    /// use sinew_transports::{ReactorTcp, reactor::Reactor};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let reactor = Reactor::new()?;
    /// let server = IrcServer::new(&reactor, ServerConfig::new("irc.example.net")?);
    /// let upgrade = server.websocket().origin("https://chat.example.net");
    /// reactor.listen_tcp("127.0.0.1:0", HttpServer::new(Router::new().get("/", upgrade)))?;
    /// reactor.listen_tcp("127.0.0.1:0", server)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn websocket(&self) -> WebSocketUpgrade<impl Fn(&Request) -> IrcWebSocket + use<>> {
        let server = self.clone();
        let queue_max = self.limits(|config| config.send_queue_max).saturating_add(QUEUE_SPARE);
        let config = WebSocketConfig::default()
            .messages(MessageLimits::default().message_max(MESSAGE_BYTES_MAX))
            .ping_after(None)
            .queue_max(queue_max, Overflow::Disconnect);
        WebSocketUpgrade::new(move |request: &Request| IrcWebSocket {
            session: Session::new(server.clone()),
            client: Client::of(request),
            wire: None,
        })
        .config(config)
        .protocol(TEXT)
        .protocol(BINARY)
        .protocol_of_client()
    }
}

impl Client {
    fn of(request: &Request) -> Self {
        let (ip, is_secure) = (request.client_ip(), request.is_secure());
        let channel = Channel::new().encrypted(is_secure).service("irc");
        // A login is not bound to the certificate: a browser shows it to no page.
        let channel = match ip {
            Some(ip) => channel.peer(&Peer::Inet(SocketAddr::new(ip, 0))),
            None => channel,
        };
        Self { ip, is_secure, channel }
    }
}

impl IrcWebSocket {
    fn received(&mut self, socket: &WebSocket, message: &[u8]) {
        let Some(wire) = &self.wire else { return };
        let mut decoder = IrcLine::from_clients();
        match decoder.decode(message) {
            // One line without its end, or nothing.
            Ok(Decoded::Incomplete) => self.session.line(wire, Line::Whole(message)),
            Ok(_) if decoder.is_too_long() => self.session.line(wire, Line::TooLong),
            _ => {
                let line = message.strip_suffix(b"\n").unwrap_or(message);
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                if memchr2(b'\r', b'\n', line).is_none() {
                    return self.session.line(wire, Line::Whole(line));
                }
                let why = "a line end in a message";
                socket.close(CloseReason::new(CloseCode::POLICY, why));
                self.session.lost(wire, why);
            }
        }
    }
}

impl WebSocketHandler for IrcWebSocket {
    fn opened(&mut self, socket: &WebSocket) {
        let wire = SocketWire(Rc::new(Socket {
            socket: socket.clone(),
            is_binary: socket.protocol() == Some(BINARY),
            channel: self.client.channel.clone(),
            is_paused: Cell::new(false),
            lists: RefCell::default(),
            next_turn: Cell::new(None),
        }));
        self.session.begin(&wire, Box::new(wire.clone()), self.client.ip, self.client.is_secure);
        self.wire = Some(wire);
    }

    fn text(&mut self, socket: &WebSocket, text: &str) {
        self.received(socket, text.as_bytes());
    }

    fn binary(&mut self, socket: &WebSocket, data: &[u8]) {
        self.received(socket, data);
    }

    fn writable(&mut self, _: &WebSocket) {
        self.wire.iter().for_each(SocketWire::send_lists);
    }

    fn timer_fired(&mut self, _: &WebSocket, timer: TimerId) {
        let Some(wire) = &self.wire else { return };
        if wire.0.next_turn.get() == Some(timer) {
            wire.0.next_turn.set(None);
            wire.send_lists();
            return self.session.reading_resumed(wire);
        }
        self.session.timer_fired(wire, timer);
    }

    fn closed(&mut self, reason: &CloseReason) {
        let Some(wire) = self.wire.take() else { return };
        wire.drop_lists();
        // A text that is sent may be the client's own, which is shown as that of QUIT: it must not pass for one of the server.
        let text = match reason.text.as_str() {
            "" if reason.code == CloseCode::GOING_AWAY => "going away".to_owned(),
            "" => "Remote host closed the connection".to_owned(),
            text if reason.code == CloseCode::ABNORMAL => text.to_owned(),
            text => format!("Quit: {text}"),
        };
        self.session.lost(&wire, &text);
    }
}

impl fmt::Debug for IrcWebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IrcWebSocket").field("id", &self.session.id).finish_non_exhaustive()
    }
}

/// The WebSocket as the server sees it.
#[derive(Clone)]
struct SocketWire(Rc<Socket>);

struct Socket {
    socket: WebSocket,
    is_binary: bool,
    channel: Channel,
    is_paused: Cell<bool>,
    /// Long lists, of which lines are made as there is room for them.
    lists: RefCell<VecDeque<Box<dyn LineProducer>>>,
    /// Fires in the next turn of the loop, where producers and the session may be called.
    next_turn: Cell<Option<TimerId>>,
}

impl SocketWire {
    fn wake(&self) {
        if self.0.next_turn.get().is_none() {
            self.0.next_turn.set(self.0.socket.call_later(Duration::ZERO));
        }
    }

    fn send_lists(&self) {
        let front = || self.0.lists.borrow_mut().pop_front();
        for _ in 0..LINES {
            let Some(mut list) = front() else { return };
            let Some(line) = list.next_line() else { continue };
            let status = self.put(&line);
            self.0.lists.borrow_mut().push_front(list);
            match status {
                SendStatus::Ok => {}
                SendStatus::Full => return,
                _ => return self.drop_lists(),
            }
        }
        self.wake();
    }

    fn drop_lists(&self) {
        let lists = self.0.lists.take();
        drop(lists);
    }

    fn put(&self, line: &Bytes) -> SendStatus {
        let line = line.strip_suffix(b"\r\n").unwrap_or(line);
        if self.0.is_binary {
            self.0.socket.send_binary(line)
        } else {
            self.0.socket.send_text(&String::from_utf8_lossy(line))
        }
    }
}

impl Wire for SocketWire {
    fn send(&self, line: &Bytes) {
        self.put(line);
    }

    fn stream(&self, producer: Box<dyn LineProducer>) {
        self.0.lists.borrow_mut().push_back(producer);
        self.wake();
    }

    fn queued(&self) -> usize {
        self.0.socket.queued()
    }

    fn close(&self) {
        self.0.socket.close(CloseCode::NORMAL);
    }

    fn abort(&self) {
        let reason = CloseReason::new(CloseCode::POLICY, "messages were not received");
        self.0.socket.close_now(reason);
    }

    fn pause(&self) {
        self.0.is_paused.set(true);
        self.0.socket.pause_reading();
    }

    fn resume(&self) {
        self.0.is_paused.set(false);
        self.0.socket.resume_reading();
        self.wake();
    }

    fn is_reading(&self) -> bool {
        !self.0.is_paused.get()
    }

    fn channel(&self) -> Channel {
        self.0.channel.clone()
    }

    fn reactor(&self) -> Option<Reactor> {
        self.0.socket.reactor()
    }

    fn call_later(&self, after: Duration) -> Option<TimerId> {
        self.0.socket.call_later(after)
    }

    fn cancel_timer(&self, timer: TimerId) {
        self.0.socket.cancel_timer(timer);
    }
}
