//! Servers in memory, and a handler that records what it is told. The clock stands still until a test moves it.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_http::{
    server::{HttpServer, Request},
    websocket::{
        CloseReason, OpenError, WebSocket, WebSocketClient, WebSocketConfig, WebSocketHandler,
        WebSocketUpgrade,
    },
};
use sinew_transports::{
    Address, Factory, ListeningPort, Peer, Protocol, Transport,
    endpoint::{ClientEndpoint, ServerEndpoint},
    reactor::{Deferred, Reactor},
};

/// Records what it is told, answers `echo …`, and keeps its handle.
#[derive(Clone, Default)]
pub(crate) struct Recorder {
    pub(crate) told: Rc<RefCell<Vec<String>>>,
    pub(crate) socket: Rc<RefCell<Option<WebSocket>>>,
    /// Sent by `opened`.
    pub(crate) greeting: Option<&'static str>,
}

impl Recorder {
    pub(crate) fn told(&self) -> Vec<String> {
        self.told.take()
    }

    pub(crate) fn socket(&self) -> WebSocket {
        self.socket.borrow().clone().expect("it is open")
    }

    fn tell(&self, event: impl Into<String>) {
        self.told.borrow_mut().push(event.into());
    }
}

impl WebSocketHandler for Recorder {
    fn opened(&mut self, socket: &WebSocket) {
        self.tell(format!("opened {}", socket.protocol().unwrap_or("-")));
        *self.socket.borrow_mut() = Some(socket.clone());
        if let Some(greeting) = self.greeting {
            socket.send_text(greeting);
        }
    }

    fn text(&mut self, socket: &WebSocket, text: &str) {
        if let Some(text) = text.strip_prefix("echo ") {
            socket.send_text(text);
        } else {
            self.tell(text);
        }
    }

    fn binary(&mut self, _: &WebSocket, data: &[u8]) {
        self.tell(format!("{} bytes", data.len()));
    }

    fn ping(&mut self, _: &WebSocket, data: &[u8]) {
        self.tell(format!("ping {}", data.escape_ascii()));
    }

    fn pong(&mut self, _: &WebSocket, data: &[u8]) {
        self.tell(format!("pong {}", data.escape_ascii()));
    }

    fn closed(&mut self, reason: &CloseReason) {
        self.tell(format!("closed {} {}", reason.code.number(), reason.text));
    }
}

pub(crate) fn listen(reactor: &Reactor, factory: impl Factory) -> ListeningPort<Address> {
    let endpoint: ServerEndpoint = "memory:server".parse().unwrap();
    endpoint.listen(reactor, factory).unwrap()
}

pub(crate) fn endpoint() -> ClientEndpoint {
    "memory:server".parse().unwrap()
}

pub(crate) fn client() -> WebSocketClient {
    WebSocketClient::new("ws://example.org/").unwrap()
}

/// A server and a client that are connected.
pub(crate) struct Ends {
    pub(crate) reactor: Reactor,
    pub(crate) server: Recorder,
    pub(crate) client: Recorder,
    _port: ListeningPort<Address>,
}

impl Ends {
    pub(crate) fn new(config: WebSocketConfig) -> Self {
        Self::with(config.clone(), config, Recorder::default())
    }

    pub(crate) fn with(
        of_server: WebSocketConfig,
        of_client: WebSocketConfig,
        server: Recorder,
    ) -> Self {
        crate::watchdog::watch_this_test();
        let reactor = Reactor::simulated(0);
        let handler = server.clone();
        let upgrade = WebSocketUpgrade::new(move |_: &Request| handler.clone())
            .config(of_server)
            .protocol("a");
        let port = listen(&reactor, HttpServer::new(upgrade));
        let recorder = Recorder::default();
        let opened = client().protocol("x").protocol("a").config(of_client).connect_to(
            &reactor,
            &endpoint(),
            recorder.clone(),
        );
        let ends = Self { reactor, server, client: recorder, _port: port };
        ends.settle();
        let socket = opened.take().expect("it is settled").expect("it is open");
        assert_eq!(socket, ends.client.socket());
        ends
    }

    pub(crate) fn settle(&self) {
        self.advance(Duration::ZERO);
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.reactor.advance(by).expect("the loop comes to rest");
    }
}

/// A server that sends these bytes when anything is received, and what it has received.
pub(crate) struct Scripted {
    pub(crate) answer: Vec<u8>,
    pub(crate) received: Rc<RefCell<Vec<u8>>>,
    /// It closes after its answer.
    pub(crate) closes: bool,
}

impl Protocol for Scripted {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.received.borrow_mut().extend_from_slice(data);
        transport.write(std::mem::take(&mut self.answer));
        if self.closes {
            transport.lose_connection();
        }
    }
}

/// Opens a connection to a server that answers so, and says what came of it.
pub(crate) fn open_scripted(
    answer: impl AsRef<[u8]>,
    closes: bool,
    after: Duration,
) -> (Result<WebSocket, OpenError>, Recorder, Vec<u8>) {
    crate::watchdog::watch_this_test();
    let reactor = Reactor::simulated(0);
    let received = Rc::new(RefCell::new(Vec::new()));
    let (answer, shared) = (answer.as_ref().to_owned(), Rc::clone(&received));
    let _port = listen(&reactor, move |_: &Peer| Scripted {
        answer: answer.clone(),
        received: Rc::clone(&shared),
        closes,
    });
    let recorder = Recorder::default();
    let opened: Deferred<_, _> = client().connect_to(&reactor, &endpoint(), recorder.clone());
    reactor.advance(after).unwrap();
    let result = opened.take().expect("it is settled");
    reactor.advance(Duration::from_secs(60)).unwrap();
    let received = received.take();
    (result, recorder, received)
}
