//! What a client makes of servers: every way in which opening may fail, and URLs over real sockets.

use std::{cell::Cell, error::Error, rc::Rc, time::Duration};

use sinew_http::{
    FieldError, StatusCode,
    server::{HttpServer, Request, Router},
    websocket::{
        HandshakeError, OpenError, ReceivedMessage, WebSocketClient, WebSocketStream,
        WebSocketUpgrade,
    },
};
use sinew_transports::{
    ClientService, Peer, Protocol, ReactorTcp, RetryConfig, Transport,
    reactor::{Failure, Reactor},
};

use crate::ends::{Recorder, client, endpoint, listen, open_scripted};

#[test]
fn responses_that_refuse() {
    let cases = [
        (
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            "the server answered with 404 Not Found",
        ),
        (
            "HTTP/1.1 301 Moved\r\nLocation: ws://b/\r\n\r\n",
            "the server answered with 301 Moved Permanently, to \"ws://b/\"",
        ),
        (
            "HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
            "the server did not answer the key of the handshake",
        ),
        ("SSH-2.0-x\r\n", "the server's answer is not HTTP: malformed head: first line"),
    ];
    for (answer, expected) in cases {
        let (result, recorder, request) = open_scripted(answer, false, Duration::ZERO);
        let error = result.unwrap_err();
        assert!(matches!(error, OpenError::Handshake(_)));
        assert_eq!(error.to_string(), expected);
        assert_eq!(recorder.told(), Vec::<String>::new(), "the handler was never used");
        assert!(request.starts_with(b"GET / HTTP/1.1\r\nHost: example.org\r\n"));
    }
    let (result, ..) = open_scripted("HTTP/1.1 403 Forbidden\r\n\r\n", false, Duration::ZERO);
    let status = StatusCode::FORBIDDEN;
    assert!(
        matches!(result, Err(OpenError::Handshake(HandshakeError::Status { status: s })) if s == status)
    );
}

#[test]
fn servers_that_do_not_answer() {
    let (result, ..) = open_scripted("", false, Duration::from_secs(10));
    assert!(matches!(result, Err(OpenError::TimedOut { after }) if after.as_secs() == 10));
    let (result, ..) = open_scripted("HTTP/1.1 101 X\r\n", true, Duration::ZERO);
    let error = result.unwrap_err();
    assert!(matches!(error, OpenError::Lost { .. }), "{error}");
    // Nobody listens.
    let reactor = Reactor::simulated(0);
    let opened = client().connect_to(&reactor, &endpoint(), Recorder::default());
    reactor.advance(Duration::ZERO).unwrap();
    assert!(matches!(opened.take(), Some(Err(OpenError::Connect(_)))));
}

#[test]
fn what_cannot_be_sent() {
    let reactor = Reactor::simulated(0);
    for name in ["", "a b", "a,b", "\u{e4}"] {
        let opened = client().protocol(name).connect_to(&reactor, &endpoint(), Recorder::default());
        assert!(matches!(opened.take(), Some(Err(OpenError::Subprotocol { .. }))), "{name:?}");
    }
    let reserved =
        |name: &str| matches!(client().field(name, "x"), Err(FieldError::Reserved { .. }));
    assert!(reserved("Host") && reserved("sec-websocket-key") && reserved("Upgrade"));
    assert!(matches!(client().field("X-A", "a\r\nb"), Err(FieldError::Value { .. })));
    assert!(client().field("Authorization", "Bearer x").is_ok());
}

/// Tells when its connection is lost.
struct Lost(Rc<Cell<bool>>);

impl Protocol for Lost {
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}

    fn connection_lost(&mut self, _: &Transport, _: &sinew_transports::ConnectionLost) {
        self.0.set(true);
    }
}

#[test]
fn cancelled_while_it_opens() {
    let reactor = Reactor::simulated(0);
    let lost = Rc::new(Cell::new(false));
    let shared = Rc::clone(&lost);
    let _port = listen(&reactor, move |_: &Peer| Lost(Rc::clone(&shared)));
    // While the server does not answer, and before anything is connected.
    for advance in [true, false] {
        lost.set(false);
        let opened = client().connect_to(&reactor, &endpoint(), Recorder::default());
        if advance {
            reactor.advance(Duration::from_secs(1)).unwrap();
        }
        opened.cancel();
        reactor.advance(Duration::ZERO).unwrap();
        assert!(matches!(opened.take(), Some(Err(OpenError::Failed(Failure::Cancelled)))));
        reactor.advance(Duration::from_secs(1)).unwrap();
        assert!(lost.get() || !advance);
        // The same by a drop.
        let opened = client().connect_to(&reactor, &endpoint(), Recorder::default());
        reactor.advance(Duration::from_secs(1)).unwrap();
        lost.set(false);
        drop(opened);
        reactor.advance(Duration::ZERO).unwrap();
        assert!(lost.get());
    }
}

#[test]
fn a_service_connects_again() {
    let reactor = Reactor::simulated(0);
    let server = Recorder::default();
    let handler = server.clone();
    let upgrade = WebSocketUpgrade::new(move |_: &Request| handler.clone());
    let _port = listen(&reactor, HttpServer::new(upgrade));
    let recorder = Recorder::default();
    let handler = recorder.clone();
    let factory = client().factory(move |_: &Peer| handler.clone()).unwrap();
    let service = ClientService::with(&reactor, endpoint(), RetryConfig::default(), factory);
    service.start();
    reactor.advance(Duration::from_secs(1)).unwrap();
    assert_eq!(recorder.told(), ["opened -"]);
    recorder.socket().close(sinew_http::websocket::CloseCode::NORMAL);
    reactor.advance(Duration::from_secs(60)).unwrap();
    assert_eq!(recorder.told()[..2], ["closed 1000 ", "opened -"]);
    service.stop().detach();
    reactor.advance(Duration::from_secs(60)).unwrap();
}

async fn echo(stream: WebSocketStream) {
    while let Some(message) = stream.recv().await {
        if stream.send(message).await.is_err() {
            break;
        }
    }
}

fn echo_server() -> HttpServer {
    let upgrade = WebSocketUpgrade::new(|request: &Request| {
        let (handler, stream) = WebSocketStream::pair();
        request.reactor().spawn(echo(stream)).detach();
        handler
    });
    HttpServer::new(Router::new().get("/echo", upgrade))
}

/// Sends and receives over a real socket.
async fn try_out(reactor: Reactor, client: WebSocketClient) -> Result<(), Box<dyn Error>> {
    let stream = client.open(&reactor).await?;
    for message in ["hello".into(), ReceivedMessage::Binary(vec![7; 200_000])] {
        stream.send(message.clone()).await?;
        assert_eq!(stream.recv().await, Some(message));
    }
    stream.close(sinew_http::websocket::CloseCode::NORMAL);
    assert_eq!(stream.recv().await, None);
    assert_eq!(stream.closed().unwrap().code.number(), 1_000);
    Ok(())
}

#[test]
fn by_tcp() {
    crate::watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let port = reactor.listen_tcp("127.0.0.1:0", echo_server()).unwrap();
    let client = move |path: &str| {
        WebSocketClient::new(&format!("ws://localhost:{}{path}", port.local().port())).unwrap()
    };
    let handle = reactor.clone();
    let both = async move {
        try_out(handle.clone(), client("/echo")).await.unwrap();
        client("/").open(&handle).await.unwrap_err().to_string()
    };
    assert_eq!(reactor.run_until(both).unwrap(), "the server answered with 404 Not Found");
}

#[cfg(unix)]
#[test]
fn by_a_unix_socket() {
    use sinew_transports::ReactorUnix;
    crate::watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let path = std::env::temp_dir().join(format!("sinew-ws-{}.sock", std::process::id()));
    let _port = reactor.listen_unix(&*path, echo_server()).unwrap();
    let client = WebSocketClient::new(&format!("ws+unix:{}:/echo", path.display())).unwrap();
    reactor.run_until(try_out(reactor.clone(), client)).unwrap().unwrap();
}

#[cfg(feature = "tls")]
#[test]
fn by_tls() {
    use sinew_transports::tls::{
        Identity, ReactorTls, TlsClientConfig, TlsServerConfig, TrustedRoots,
    };
    crate::watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let pem = made.cert.pem();
    let identity = Identity::from_pem(&pem, &made.signing_key.serialize_pem()).unwrap();
    let port =
        reactor.listen_tls("127.0.0.1:0", &TlsServerConfig::new(identity), echo_server()).unwrap();
    let roots = TrustedRoots::from_pem(&pem).unwrap();
    let url = format!("wss://localhost:{}/echo", port.local().port());
    let client = WebSocketClient::new(&url).unwrap();
    let trusting = client.clone().tls(TlsClientConfig::new(roots));
    let handle = reactor.clone();
    let both = async move {
        try_out(handle.clone(), trusting).await.unwrap();
        // The roots of the system do not include this certificate.
        client.open(&handle).await.unwrap_err()
    };
    let refused = reactor.run_until(both).unwrap();
    assert!(matches!(refused, OpenError::Connect(_) | OpenError::Unsupported { .. }), "{refused}");
}

/// What the server sends right behind its response is not lost.
#[test]
fn bytes_after_the_handshake() {
    let reactor = Reactor::simulated(0);
    let upgrade = WebSocketUpgrade::new(|_: &Request| Recorder {
        greeting: Some("welcome"),
        ..Recorder::default()
    });
    let _port = listen(&reactor, HttpServer::new(upgrade));
    let recorder = Recorder::default();
    let opened = client().connect_to(&reactor, &endpoint(), recorder.clone());
    reactor.advance(Duration::ZERO).unwrap();
    assert!(opened.take().unwrap().is_ok());
    assert_eq!(recorder.told(), ["opened -", "welcome"]);
}
