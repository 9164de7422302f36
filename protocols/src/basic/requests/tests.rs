//! Requests and answers over an in-memory connection, with a simulated clock.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_testkit::testing::assert_clean;
use sinew_transports::{
    ConnectionLost, StreamConfig, Transport, WriteStatus,
    memory::{self, Wire},
    reactor::{Deferred, Failure, Reactor},
};

use super::*;
use crate::basic::{Line, LineHandler, LineReceiver, LineTransport, send_frame, send_line};

/// Answers are lines. A request determines whether its answer is one line or a list that ends in a dot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Line,
    List,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum AskError {
    #[error("refused: {0}")]
    Refused(String),
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    Abandoned(#[from] Failure),
}

#[derive(Default)]
struct Client {
    requests: Requests<Vec<String>, Answer, AskError>,
    list: Vec<String>,
}

impl LineHandler for Client {
    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        let line = String::from_utf8_lossy(line).into_owned();
        let unsolicited = match (self.requests.front(), line.strip_prefix('-')) {
            (_, Some(why)) => self.requests.failed(AskError::Refused(why.to_owned())).is_err(),
            (Some(Answer::List), None) if line != "." => {
                self.list.push(line);
                false
            }
            (Some(Answer::List), None) => {
                self.requests.resolve(std::mem::take(&mut self.list)).is_err()
            }
            _ => self.requests.resolve(vec![line]).is_err(),
        };
        if unsolicited {
            transport.fail("unsolicited answer");
        }
    }

    fn connection_lost(&mut self, _: &mut LineTransport<'_>, reason: &ConnectionLost) {
        self.requests.connection_lost(reason);
    }
}

struct Fixture {
    reactor: Reactor,
    wire: Wire,
    transport: Transport,
    requests: Requests<Vec<String>, Answer, AskError>,
}

impl Fixture {
    fn new(requests: Requests<Vec<String>, Answer, AskError>) -> Self {
        let reactor = Reactor::simulated(0);
        let client = Client { requests: requests.clone(), list: Vec::new() };
        let (connection, wire) =
            memory::connect(&reactor, StreamConfig::default(), LineReceiver::new(client))
                .expect("the connection limit is not reached");
        let fixture = Self { reactor, wire, transport: connection.transport().clone(), requests };
        fixture.advance(0);
        fixture
    }

    fn ask(&self, request: &str, kind: Answer) -> Deferred<Vec<String>, AskError> {
        self.requests.send(&self.transport, kind, |transport| Ok(send(transport, request)?))
    }

    fn advance(&self, seconds: u64) {
        self.reactor.advance(Duration::from_secs(seconds)).expect("the simulation settles");
    }

    fn answer(&self, lines: &str) {
        self.wire.receive(lines.as_bytes());
        self.advance(0);
    }

    fn sent(&self) -> Vec<u8> {
        self.advance(0);
        self.wire.sent()
    }

    fn end(self) {
        self.wire.close();
        self.advance(60);
        assert_eq!(self.requests.len(), 0);
        assert_clean(&self.reactor);
    }
}

fn send(transport: &Transport, line: &str) -> Result<WriteStatus, RequestError> {
    Ok(send_line(transport, line)?)
}

fn one(line: &str) -> Option<Result<Vec<String>, AskError>> {
    Some(Ok(vec![line.to_owned()]))
}

fn timed_out(seconds: u64) -> Option<Result<Vec<String>, AskError>> {
    Some(Err(RequestError::TimedOut { after: Duration::from_secs(seconds) }.into()))
}

#[test]
fn answers_are_matched_in_order() {
    let fixture = Fixture::new(Requests::default());
    let asked =
        [("a", Answer::Line), ("list", Answer::List), ("b", Answer::Line), ("c", Answer::Line)]
            .map(|(request, kind)| fixture.ask(request, kind));
    assert_eq!(fixture.requests.len(), 4);
    assert_eq!(fixture.sent(), b"a\r\nlist\r\nb\r\nc\r\n");
    fixture.answer("A\r\none\r\ntwo\r\n.\r\n-not today\r\nC\r\n");
    let [a, list, b, c] = asked.map(|answer| answer.take());
    assert_eq!((a, c), (one("A"), one("C")));
    assert_eq!(list, Some(Ok(vec!["one".to_owned(), "two".to_owned()])));
    assert_eq!(b, Some(Err(AskError::Refused("not today".to_owned()))));
    assert!(fixture.requests.is_empty());
    fixture.end();
}

#[test]
fn an_unsolicited_answer_is_reported() {
    let fixture = Fixture::new(Requests::default());
    fixture.answer("hello\r\n");
    assert!(fixture.wire.is_closing());
    fixture.end();
    let requests = Requests::<u8>::default();
    assert_eq!(requests.resolve(7), Err(7));
    assert_eq!(requests.failed(RequestError::IdInUse), Err(RequestError::IdInUse));
}

/// A late answer is not matched to the next request.
#[test]
fn a_request_that_timed_out_keeps_its_place() {
    let fixture = Fixture::new(Requests::default().timeout(Duration::from_secs(10)));
    let slow = fixture.ask("slow", Answer::Line);
    fixture.advance(5);
    let next = fixture.ask("next", Answer::Line);
    fixture.advance(5);
    assert_eq!((slow.take(), next.take()), (timed_out(10), None));
    assert_eq!((fixture.requests.len(), fixture.requests.front()), (2, Some(Answer::Line)));
    fixture.answer("SLOW\r\nNEXT\r\n");
    assert_eq!((slow.take(), next.take()), (None, one("NEXT")));
    assert!(fixture.requests.is_empty());
    fixture.end();
}

#[test]
fn a_cancelled_request_keeps_its_place() {
    let fixture = Fixture::new(Requests::default());
    let (first, second) = (fixture.ask("first", Answer::List), fixture.ask("second", Answer::Line));
    first.cancel();
    assert_eq!(fixture.requests.front(), Some(Answer::List), "its answer still has to be read");
    fixture.answer("x\r\n.\r\nSECOND\r\n");
    assert_eq!(first.take(), Some(Err(Failure::Cancelled.into())));
    assert_eq!(second.take(), one("SECOND"));
    fixture.end();
}

/// Each request has its own timeout, but all share one timer, which is cancelled when none is outstanding.
#[test]
fn all_timeouts_share_one_timer() {
    let fixture = Fixture::new(Requests::default().timeout(Duration::from_secs(10)));
    let within = |timeout: Option<Duration>| {
        fixture
            .requests
            .send_within(&fixture.transport, timeout, Answer::Line, |t| Ok(send(t, "?")?))
    };
    let long = within(Some(Duration::from_secs(20)));
    let short = within(Some(Duration::from_secs(1)));
    let never = within(None);
    let usual = fixture.ask("?", Answer::Line);
    let timers = || fixture.reactor.leak_report().to_string();
    assert!(timers().contains("1 timer"), "{}", timers());
    fixture.advance(1);
    assert_eq!((short.take(), long.take(), usual.take()), (timed_out(1), None, None));
    fixture.advance(9);
    assert_eq!((usual.take(), long.take()), (timed_out(10), None));
    fixture.advance(10);
    assert_eq!((long.take(), never.take()), (timed_out(20), None));
    assert!(!timers().contains("timer"), "{}", timers());
    fixture.answer("1\r\n2\r\n3\r\n");
    assert_eq!(never.take(), one("3"));
    fixture.end();
}

#[test]
fn outstanding_requests_are_limited() {
    let fixture = Fixture::new(Requests::default().outstanding_max(2).timeout(None));
    let asked = ["a", "b", "c"].map(|request| fixture.ask(request, Answer::Line));
    assert_eq!(fixture.sent(), b"a\r\nb\r\n", "a refused request is not sent");
    assert_eq!(asked[2].take(), Some(Err(RequestError::TooMany { max: 2 }.into())));
    fixture.answer("A\r\n");
    assert_eq!(asked[0].take(), one("A"));
    let again = fixture.ask("c", Answer::Line);
    fixture.answer("B\r\nC\r\n");
    assert_eq!((asked[1].take(), again.take()), (one("B"), one("C")));
    fixture.end();
}

#[test]
fn a_request_that_cannot_be_sent_takes_no_slot() {
    let fixture = Fixture::new(Requests::default());
    let bad = fixture.ask("two\nlines", Answer::Line);
    assert_eq!(bad.take(), Some(Err(RequestError::NotSent(EncodeError::DelimiterInside).into())));
    assert!(fixture.requests.is_empty());
    fixture.transport.lose_connection();
    let late = fixture.ask("late", Answer::Line).take();
    assert!(matches!(late, Some(Err(AskError::Request(RequestError::Lost(_))))), "{late:?}");
    assert!(fixture.requests.is_empty());
    fixture.end();
}

#[test]
fn the_end_of_the_connection_fails_all_requests_with_its_reason() {
    let fixture = Fixture::new(Requests::default());
    let asked = ["a", "b"].map(|request| fixture.ask(request, Answer::Line));
    fixture.wire.reset();
    fixture.advance(0);
    let lost = Some(Err(RequestError::Lost("reset by the peer".into()).into()));
    assert_eq!(asked.map(|answer| answer.take()), [lost.clone(), lost.clone()]);
    assert_eq!(fixture.ask("c", Answer::Line).take(), lost);
    assert_clean(&fixture.reactor);
}

/// On shutdown of the reactor no error is logged as unhandled, since the receivers are gone, too.
#[test]
fn shutdown_of_the_reactor_abandons_all_requests() {
    let (transport, _wire) = Transport::memory();
    let requests = Requests::<u8>::default();
    let answer = requests.send(&transport, (), |transport| Ok(transport.write(b"?")));
    requests.connection_lost(&ConnectionLost::Shutdown);
    assert_eq!(answer.take(), Some(Err(Failure::Abandoned.into())));
}

/// Requests are abandoned even if the protocol forgets to call `lost`.
#[test]
fn dropping_all_handles_abandons_the_requests() {
    let (transport, _wire) = Transport::memory();
    let requests = Requests::<u8>::default();
    let answer = requests.send(&transport, (), |transport| Ok(transport.write(b"?")));
    drop(requests);
    assert_eq!(answer.take(), Some(Err(Failure::Abandoned.into())));
    assert!(!transport.reactor().unwrap().leak_report().to_string().contains("timer"));
}

#[test]
fn answers_by_id_come_in_any_order() {
    let (transport, wire) = Transport::memory();
    let ten = Duration::from_secs(10);
    let requests = RequestsById::<u16, char>::default().timeout(ten).outstanding_max(3);
    let line = Line::default();
    let ask = |id: u16| {
        requests.send(&transport, id, |transport| Ok(send_frame(transport, &line, id.to_string())?))
    };
    let advance =
        |seconds| transport.reactor().unwrap().advance(Duration::from_secs(seconds)).expect("rest");
    let [one, two, three] = [1, 2, 3].map(ask);
    assert_eq!(ask(2).take(), Some(Err(RequestError::TooMany { max: 3 })));
    assert_eq!(requests.resolve(&3, 'c'), Ok(()));
    assert_eq!(ask(2).take(), Some(Err(RequestError::IdInUse)));
    assert_eq!(requests.resolve(&1, 'a'), Ok(()));
    assert_eq!(requests.resolve(&1, 'a'), Err('a'));
    assert_eq!((one.take(), three.take()), (Some(Ok('a')), Some(Ok('c'))));
    // A timed-out request keeps its identifier for its timeout once more, for a late answer.
    advance(10);
    assert_eq!(two.take(), Some(Err(RequestError::TimedOut { after: ten })));
    assert_eq!(ask(2).take(), Some(Err(RequestError::IdInUse)));
    assert!(requests.is_in_use(&2));
    advance(10);
    assert!(requests.is_empty());
    let again = ask(2);
    assert_eq!(requests.failed(&2, RequestError::Lost("gone".into())), Ok(()));
    assert_eq!(again.take(), Some(Err(RequestError::Lost("gone".into()))));
    let last = ask(4);
    last.cancel();
    assert_eq!(
        requests.resolve(&4, 'x'),
        Ok(()),
        "the answer of a cancelled request is accepted and dropped"
    );
    assert_eq!(wire.sent(), b"1\r\n2\r\n3\r\n2\r\n4\r\n");
    let end = ask(5);
    requests.connection_lost(&ConnectionLost::Reset);
    assert_eq!(end.take(), Some(Err(RequestError::Lost("reset by the peer".into()))));
    advance(100);
    assert!(!transport.reactor().unwrap().leak_report().to_string().contains("timer"));
}

/// A late answer is dropped by the event loop, not inside the call.
#[test]
fn late_answers_are_dropped_by_the_loop() {
    struct Dropped(Rc<RefCell<Vec<&'static str>>>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.borrow_mut().push("dropped");
        }
    }
    let (transport, _wire) = Transport::memory();
    let requests = Requests::<Dropped>::default().timeout(Duration::from_secs(1));
    let answer = requests.send(&transport, (), |transport| Ok(transport.write(b"?")));
    let reactor = transport.reactor().unwrap();
    reactor.advance(Duration::from_secs(1)).expect("rest");
    assert!(matches!(answer.take(), Some(Err(RequestError::TimedOut { .. }))));
    let log = Rc::new(RefCell::default());
    let borrowed = log.borrow_mut();
    assert!(requests.resolve(Dropped(Rc::clone(&log))).is_ok());
    drop(borrowed);
    reactor.advance(Duration::ZERO).expect("rest");
    assert_eq!(*log.borrow(), ["dropped"]);
}
