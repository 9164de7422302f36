//! Clients that ask over memory streams and a simulated network: matching, losses, reconnecting, limits.

use std::{cell::RefCell, rc::Rc, time::Duration};

use bytes::Bytes;
use sinew_testkit::{
    sim::{Host, Network},
    testing::{assert_clean, task_test_on},
};
use sinew_transports::{
    ListeningPort, Peer, ReactorTcp, RetryConfig, Transport,
    endpoint::{ClientEndpoint, ServerEndpoint},
    reactor::{Deferred, Reactor},
};

use super::*;
use crate::basic::{Int16, Line, LineReceiver, LineTransport, Netstring, Text};

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

type Log = Rc<RefCell<Vec<String>>>;

/// A server that keeps what it receives; the test answers on its last connection.
#[derive(Clone, Default)]
struct Server {
    received: Log,
    connections: Rc<RefCell<Vec<Transport>>>,
}

impl crate::basic::LineHandler for Server {
    fn connection_made(&mut self, transport: &mut LineTransport<'_>) {
        self.connections.borrow_mut().push((**transport).clone());
    }

    fn line_received(&mut self, _: &mut LineTransport<'_>, line: &[u8]) {
        self.received.borrow_mut().push(String::from_utf8_lossy(line).into_owned());
    }
}

impl Server {
    fn last(&self) -> Transport {
        self.connections.borrow().last().expect("there is a connection").clone()
    }

    fn answer(&self, lines: &str) {
        self.last().write(lines);
    }

    fn received(&self) -> Vec<String> {
        self.received.take()
    }
}

struct Stage {
    network: Network,
    server_host: Host,
    host: Host,
    server: Server,
    port: RefCell<Option<ListeningPort>>,
}

impl Stage {
    fn new() -> Self {
        let network = Network::new(7);
        let (server_host, host) = (network.host("server"), network.host("client"));
        let stage = Self {
            network,
            server_host,
            host,
            server: Server::default(),
            port: RefCell::default(),
        };
        stage.listen();
        stage
    }

    fn listen(&self) {
        let server = self.server.clone();
        let factory = move |_: &Peer| LineReceiver::new(server.clone());
        let port = self.server_host.reactor().listen_tcp("0.0.0.0:7", factory).unwrap();
        self.port.replace(Some(port));
    }

    fn reactor(&self) -> Reactor {
        self.host.reactor()
    }

    fn run(&self, time: Duration) {
        self.network.run_for(time).unwrap();
    }

    /// Nothing is left once the client is gone.
    fn end(self) {
        self.run(secs(100));
        assert_clean(&self.host.reactor());
        assert_eq!(self.server_host.reactor().stats().connections, 0);
    }
}

fn endpoint() -> ClientEndpoint {
    "tcp:server:7".parse().unwrap()
}

fn config() -> RequestClientConfig<Line> {
    let retry = RetryConfig::default().jitter(0.0).reset_after(Duration::ZERO);
    RequestClient::in_order(Line::default()).retry(retry)
}

/// The result of a request; `None` if it is still outstanding.
fn result(answer: &Deferred<Bytes, RequestError>) -> Option<Result<String, RequestError>> {
    answer.take().map(|answer| answer.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()))
}

fn answered(text: &str) -> Option<Result<String, RequestError>> {
    Some(Ok(text.to_owned()))
}

#[test]
fn five_lines_make_a_client() {
    let stage = Stage::new();
    stage.port.take().unwrap().stop_listening();
    stage.server_host.reactor().listen_tcp("0.0.0.0:8", |_: &Peer| crate::wire::Echo).unwrap();
    task_test_on(&stage.network, &stage.host, |reactor| async move {
        let endpoint: ClientEndpoint = "tcp:server:8".parse().unwrap();
        let client = RequestClient::in_order(Line::default()).start(&reactor, endpoint);
        assert_eq!(client.ask("hello").await.unwrap(), "hello");
        assert!(client.is_connected());
        client.close().await.unwrap();
    });
    stage.end();
}

#[test]
fn answers_go_to_the_requests_in_order() {
    let stage = Stage::new();
    let client = config().start(&stage.reactor(), endpoint());
    stage.run(secs(1));
    let asked = ["one", "two", "three"].map(|question| client.ask(question));
    stage.run(secs(1));
    assert_eq!(stage.server.received(), ["one", "two", "three"], "without waiting for answers");
    stage.server.answer("1\r\n2\r\n");
    stage.run(secs(1));
    assert_eq!(asked.each_ref().map(result), [answered("1"), answered("2"), None]);
    drop((asked, client));
    stage.end();
}

#[test]
fn a_late_or_dropped_request_keeps_its_place() {
    let stage = Stage::new();
    let client = config().timeout(secs(5)).start(&stage.reactor(), endpoint());
    stage.run(secs(1));
    let late = client.ask("late");
    drop(client.ask("dropped"));
    let patient = client.ask_within(None, "patient");
    stage.run(secs(10));
    assert_eq!(result(&late), Some(Err(RequestError::TimedOut { after: secs(5) })));
    stage.server.answer("1\r\n2\r\n3\r\n");
    stage.run(secs(1));
    assert_eq!(result(&patient), answered("3"));
    drop(client);
    stage.end();
}

#[test]
fn answers_by_identifier_come_in_any_order() {
    let stage = Stage::new();
    let first = |frame: &[u8]| frame.first().copied().filter(u8::is_ascii_digit);
    let notes = Log::default();
    let log = notes.clone();
    let client = RequestClient::by_id(Line::default(), first)
        .on_unsolicited(move |note| log.borrow_mut().push(format!("{note:?}")))
        .start(&stage.reactor(), endpoint());
    let asked = [(b'1', "1?"), (b'2', "2?")].map(|(id, question)| client.ask_as(id, question));
    stage.run(secs(1));
    assert_eq!(result(&client.ask_as(b'1', "1!")), Some(Err(RequestError::IdInUse)));
    stage.server.answer("2b\r\nnews\r\n9z\r\n1a\r\n");
    stage.run(secs(1));
    assert_eq!(asked.each_ref().map(result), [answered("1a"), answered("2b")]);
    assert_eq!(notes.take(), ["b\"news\"", "b\"9z\""]);
    assert_eq!(stage.server.received(), ["1?", "2?"]);
    let late = client.ask_as_within(secs(1), b'3', "3?");
    stage.run(secs(2));
    assert_eq!(result(&late), Some(Err(RequestError::TimedOut { after: secs(1) })));
    drop(client);
    stage.end();
}

#[test]
fn an_answer_to_nothing_ends_the_connection() {
    let stage = Stage::new();
    let client = config().connect(&stage.reactor(), endpoint());
    stage.run(secs(1));
    let client = client.take().unwrap().unwrap();
    stage.server.answer("news\r\n");
    stage.run(secs(1));
    assert!(!client.is_connected());
    let Some(Err(RequestError::Lost(reason))) = result(&client.ask("hello")) else { panic!() };
    assert!(reason.contains("an answer to nothing that was asked"), "{reason}");
    stage.end();
}

#[test]
fn any_framing_will_do() {
    fn check<D: Codec>(codec: D) {
        let network = Network::new(7);
        let host = network.host("host");
        host.reactor().listen_tcp("0.0.0.0:7", |_: &Peer| crate::wire::Echo).unwrap();
        task_test_on(&network, &host, |reactor| async move {
            let endpoint: ClientEndpoint = "tcp:localhost:7".parse().unwrap();
            let client = RequestClient::in_order(codec).connect(&reactor, endpoint).await.unwrap();
            let (one, two) = (client.ask("one"), client.ask("two"));
            assert_eq!((&*one.await.unwrap(), &*two.await.unwrap()), (&b"one"[..], &b"two"[..]));
        });
    }
    check(Line::lf_or_crlf());
    check(Netstring::default());
    check(Int16::default());
}

#[test]
fn a_question_that_cannot_be_encoded_is_not_sent() {
    let stage = Stage::new();
    let client = config().start(&stage.reactor(), endpoint());
    // Before and after there is a connection.
    for _ in 0..2 {
        let bad = client.ask("two\r\nlines");
        let good = client.ask(Text::try_from("one line").unwrap());
        stage.run(secs(1));
        assert!(matches!(result(&bad), Some(Err(RequestError::NotSent(_)))));
        assert_eq!(stage.server.received(), ["one line"]);
        stage.server.answer("yes\r\n");
        stage.run(secs(1));
        assert_eq!(result(&good), answered("yes"));
    }
    drop(client);
    stage.end();
}

#[test]
fn a_lost_connection_is_made_anew_and_its_requests_fail() {
    let stage = Stage::new();
    let client = config().start(&stage.reactor(), endpoint());
    stage.run(secs(1));
    for _ in 0..3 {
        let asked = client.ask("before");
        stage.run(secs(1));
        stage.server.last().abort();
        stage.run(Duration::from_millis(100));
        assert!(matches!(result(&asked), Some(Err(RequestError::Lost(_)))));
        assert!(!client.is_connected());
        let asked = client.ask("after");
        stage.run(secs(10));
        stage.server.answer("yes\r\n");
        stage.run(secs(1));
        assert_eq!(result(&asked), answered("yes"));
        assert_eq!(stage.server.received(), ["before", "after"]);
    }
    drop(client);
    stage.end();
}

#[test]
fn requests_wait_for_a_connection_in_order_and_within_bounds() {
    let stage = Stage::new();
    stage.port.take().unwrap().stop_listening();
    let client = config().timeout(secs(20)).outstanding_max(4).start(&stage.reactor(), endpoint());
    stage.run(secs(1));
    let late = client.ask_within(secs(2), "late");
    drop(client.ask("dropped"));
    stage.run(secs(3));
    assert_eq!(result(&late), Some(Err(RequestError::TimedOut { after: secs(2) })));
    let asked = ["1", "2", "3", "4"].map(|question| client.ask(question));
    assert_eq!(result(&client.ask("5")), Some(Err(RequestError::TooMany { max: 4 })));
    stage.listen();
    stage.run(secs(10));
    assert_eq!(stage.server.received(), ["1", "2", "3", "4"]);
    // The timeout counts from the start, and 10 s of 20 are over.
    stage.run(secs(9));
    assert!(asked.iter().all(|asked| result(asked).is_none()));
    stage.run(secs(2));
    let late = Some(Err(RequestError::TimedOut { after: secs(20) }));
    assert!(asked.iter().all(|asked| result(asked) == late));
    drop(client);
    stage.end();
}

#[test]
fn a_service_that_gives_up_fails_what_waits() {
    let stage = Stage::new();
    stage.port.take().unwrap().stop_listening();
    let retry = RetryConfig::default().retries_max(1);
    let client = config().retry(retry).start(&stage.reactor(), endpoint());
    let asked = client.ask("hello");
    stage.run(secs(20));
    for asked in [asked, client.ask("too late")] {
        stage.run(secs(1));
        let Some(Err(RequestError::NotConnected(reason))) = result(&asked) else { panic!() };
        assert!(reason.contains("2 attempts in a row failed"), "{reason}");
    }
    drop(client);
    stage.end();
}

#[test]
fn dropping_the_last_clone_closes_the_connection() {
    for started in [true, false] {
        let stage = Stage::new();
        let client = match started {
            true => config().start(&stage.reactor(), endpoint()),
            false => {
                let connecting = config().connect(&stage.reactor(), endpoint());
                stage.run(secs(1));
                connecting.take().unwrap().unwrap()
            }
        };
        let clone = client.clone();
        stage.run(secs(1));
        drop(client);
        stage.run(secs(1));
        assert!(clone.is_connected());
        let asked = clone.ask("hello");
        drop(clone);
        stage.run(secs(1));
        assert!(matches!(result(&asked), Some(Err(RequestError::Lost(_)))));
        stage.end();
    }
}

#[test]
fn a_client_may_be_dropped_or_closed_before_it_has_connected() {
    let stage = Stage::new();
    let client = config().start(&stage.reactor(), endpoint());
    let asked = client.ask("hello");
    drop(client);
    stage.run(secs(1));
    assert!(matches!(
        result(&asked),
        Some(Err(RequestError::NotConnected(_) | RequestError::GivenUp(_)))
    ));
    drop(config().connect(&stage.reactor(), endpoint()));
    let client = config().start(&stage.reactor(), endpoint());
    client.close().detach();
    stage.run(secs(1));
    let asked = client.ask("hello");
    stage.run(secs(1));
    assert!(matches!(result(&asked), Some(Err(RequestError::NotConnected(_)))));
    stage.end();
}

#[test]
fn a_client_may_outlive_its_reactor() {
    for connected in [true, false] {
        let reactor = Reactor::simulated(0);
        let listening: ServerEndpoint = "memory:echo".parse().unwrap();
        let port =
            connected.then(|| listening.listen(&reactor, |_: &Peer| crate::wire::Echo).unwrap());
        let endpoint: ClientEndpoint = "memory:echo".parse().unwrap();
        let client = config().start(&reactor, endpoint);
        reactor.advance(secs(1)).unwrap();
        assert_eq!(client.is_connected(), connected);
        drop((port, reactor));
        let failed = result(&client.ask("hello")).unwrap().unwrap_err();
        assert!(matches!(failed, RequestError::GivenUp(_) | RequestError::Lost(_)), "{failed}");
        assert!(format!("{client:?} {:?}", config()).contains("connected: false"));
    }
}
