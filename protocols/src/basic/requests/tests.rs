//! Questions and answers on a connection in memory, by a clock that the test turns.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_testkit::testing::assert_clean;
use sinew_transports::{
    ConnectionLost, StreamConfig, Transport, WriteStatus,
    memory::{self, Wire},
    reactor::{Deferred, Failure, Reactor},
};

use super::*;
use crate::basic::{Line, LineHandler, LineReceiver, LineTransport, send_frame, send_line};

/// Answers are lines. A question says whether its answer is one, or all up to a dot.
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
    GivenUp(#[from] Failure),
}

#[derive(Default)]
struct Client {
    requests: Requests<Vec<String>, Answer, AskError>,
    list: Vec<String>,
}

impl LineHandler for Client {
    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        let line = String::from_utf8_lossy(line).into_owned();
        let unasked = match (self.requests.front(), line.strip_prefix('-')) {
            (_, Some(why)) => self.requests.failed(AskError::Refused(why.to_owned())).is_err(),
            (Some(Answer::List), None) if line != "." => {
                self.list.push(line);
                false
            }
            (Some(Answer::List), None) => {
                self.requests.answered(std::mem::take(&mut self.list)).is_err()
            }
            _ => self.requests.answered(vec![line]).is_err(),
        };
        if unasked {
            transport.fail("an answer to nothing");
        }
    }

    fn connection_lost(&mut self, _: &mut LineTransport<'_>, reason: &ConnectionLost) {
        self.requests.lost(reason);
    }
}

struct World {
    reactor: Reactor,
    wire: Wire,
    transport: Transport,
    requests: Requests<Vec<String>, Answer, AskError>,
}

impl World {
    fn new(requests: Requests<Vec<String>, Answer, AskError>) -> Self {
        let reactor = Reactor::simulated(0);
        let client = Client { requests: requests.clone(), list: Vec::new() };
        let (connection, wire) =
            memory::connect(&reactor, StreamConfig::default(), LineReceiver::new(client))
                .expect("there is room for one");
        let world = Self { reactor, wire, transport: connection.transport().clone(), requests };
        world.pass(0);
        world
    }

    fn ask(&self, question: &str, kind: Answer) -> Deferred<Vec<String>, AskError> {
        self.requests.ask(&self.transport, kind, |transport| Ok(send(transport, question)?))
    }

    fn pass(&self, seconds: u64) {
        self.reactor.advance(Duration::from_secs(seconds)).expect("it comes to rest");
    }

    fn answer(&self, lines: &str) {
        self.wire.receive(lines.as_bytes());
        self.pass(0);
    }

    fn sent(&self) -> Vec<u8> {
        self.pass(0);
        self.wire.sent()
    }

    fn end(self) {
        self.wire.close();
        self.pass(60);
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
fn answers_are_given_in_order() {
    let world = World::new(Requests::default());
    let asked =
        [("a", Answer::Line), ("list", Answer::List), ("b", Answer::Line), ("c", Answer::Line)]
            .map(|(question, kind)| world.ask(question, kind));
    assert_eq!(world.requests.len(), 4);
    assert_eq!(world.sent(), b"a\r\nlist\r\nb\r\nc\r\n");
    world.answer("A\r\none\r\ntwo\r\n.\r\n-not today\r\nC\r\n");
    let [a, list, b, c] = asked.map(|answer| answer.take());
    assert_eq!((a, c), (one("A"), one("C")));
    assert_eq!(list, Some(Ok(vec!["one".to_owned(), "two".to_owned()])));
    assert_eq!(b, Some(Err(AskError::Refused("not today".to_owned()))));
    assert!(world.requests.is_empty());
    world.end();
}

#[test]
fn an_answer_to_nothing_is_told() {
    let world = World::new(Requests::default());
    world.answer("hello\r\n");
    assert!(world.wire.is_closing());
    world.end();
    let requests = Requests::<u8>::default();
    assert_eq!(requests.answered(7), Err(7));
    assert_eq!(requests.failed(RequestError::IdInUse), Err(RequestError::IdInUse));
}

/// The answer that is late is not taken for that of the question behind.
#[test]
fn a_question_that_timed_out_keeps_its_place() {
    let world = World::new(Requests::default().timeout(Duration::from_secs(10)));
    let slow = world.ask("slow", Answer::Line);
    world.pass(5);
    let next = world.ask("next", Answer::Line);
    world.pass(5);
    assert_eq!((slow.take(), next.take()), (timed_out(10), None));
    assert_eq!((world.requests.len(), world.requests.front()), (2, Some(Answer::Line)));
    world.answer("SLOW\r\nNEXT\r\n");
    assert_eq!((slow.take(), next.take()), (None, one("NEXT")));
    assert!(world.requests.is_empty());
    world.end();
}

#[test]
fn a_question_that_was_cancelled_keeps_its_place() {
    let world = World::new(Requests::default());
    let (first, second) = (world.ask("first", Answer::List), world.ask("second", Answer::Line));
    first.cancel();
    assert_eq!(world.requests.front(), Some(Answer::List), "its answer has to be read");
    world.answer("x\r\n.\r\nSECOND\r\n");
    assert_eq!(first.take(), Some(Err(Failure::Cancelled.into())));
    assert_eq!(second.take(), one("SECOND"));
    world.end();
}

/// Each has its own time, and all have one timer, which is gone when nothing waits.
#[test]
fn times_of_all_kinds_share_a_timer() {
    let world = World::new(Requests::default().timeout(Duration::from_secs(10)));
    let within = |timeout: Option<Duration>| {
        world.requests.ask_within(&world.transport, timeout, Answer::Line, |t| Ok(send(t, "?")?))
    };
    let long = within(Some(Duration::from_secs(20)));
    let short = within(Some(Duration::from_secs(1)));
    let never = within(None);
    let usual = world.ask("?", Answer::Line);
    let timers = || world.reactor.leak_report().to_string();
    assert!(timers().contains("1 timer"), "{}", timers());
    world.pass(1);
    assert_eq!((short.take(), long.take(), usual.take()), (timed_out(1), None, None));
    world.pass(9);
    assert_eq!((usual.take(), long.take()), (timed_out(10), None));
    world.pass(10);
    assert_eq!((long.take(), never.take()), (timed_out(20), None));
    assert!(!timers().contains("timer"), "{}", timers());
    world.answer("1\r\n2\r\n3\r\n");
    assert_eq!(never.take(), one("3"));
    world.end();
}

#[test]
fn no_more_wait_than_may() {
    let world = World::new(Requests::default().outstanding_max(2).timeout(None));
    let asked = ["a", "b", "c"].map(|question| world.ask(question, Answer::Line));
    assert_eq!(world.sent(), b"a\r\nb\r\n", "what cannot be answered is not asked");
    assert_eq!(asked[2].take(), Some(Err(RequestError::TooMany { max: 2 }.into())));
    world.answer("A\r\n");
    assert_eq!(asked[0].take(), one("A"));
    let again = world.ask("c", Answer::Line);
    world.answer("B\r\nC\r\n");
    assert_eq!((asked[1].take(), again.take()), (one("B"), one("C")));
    world.end();
}

#[test]
fn a_question_that_cannot_be_sent_has_no_place() {
    let world = World::new(Requests::default());
    let bad = world.ask("two\nlines", Answer::Line);
    assert_eq!(bad.take(), Some(Err(RequestError::NotSent(EncodeError::DelimiterInside).into())));
    assert!(world.requests.is_empty());
    world.transport.lose_connection();
    let late = world.ask("late", Answer::Line).take();
    assert!(matches!(late, Some(Err(AskError::Request(RequestError::Lost(_))))), "{late:?}");
    assert!(world.requests.is_empty());
    world.end();
}

#[test]
fn the_end_of_the_connection_fails_all_for_its_reason() {
    let world = World::new(Requests::default());
    let asked = ["a", "b"].map(|question| world.ask(question, Answer::Line));
    world.wire.reset();
    world.pass(0);
    let lost = Some(Err(RequestError::Lost("reset by the peer".into()).into()));
    assert_eq!(asked.map(|answer| answer.take()), [lost.clone(), lost.clone()]);
    assert_eq!(world.ask("c", Answer::Line).take(), lost);
    assert_clean(&world.reactor);
}

/// With the reactor, whoever waited is gone: nobody is to look at an error, so there is none in the log.
#[test]
fn the_end_of_the_reactor_lets_go_of_all() {
    let (transport, _wire) = Transport::memory();
    let requests = Requests::<u8>::default();
    let answer = requests.ask(&transport, (), |transport| Ok(transport.write(b"?")));
    requests.lost(&ConnectionLost::Shutdown);
    assert_eq!(answer.take(), Some(Err(Failure::Abandoned.into())));
}

/// Who forgets to say that the connection is over leaves nobody waiting.
#[test]
fn nobody_left_to_answer_is_an_answer() {
    let (transport, _wire) = Transport::memory();
    let requests = Requests::<u8>::default();
    let answer = requests.ask(&transport, (), |transport| Ok(transport.write(b"?")));
    drop(requests);
    assert_eq!(answer.take(), Some(Err(Failure::Abandoned.into())));
    assert!(!transport.reactor().unwrap().leak_report().to_string().contains("timer"));
}

#[test]
fn answers_by_name_come_in_any_order() {
    let (transport, wire) = Transport::memory();
    let ten = Duration::from_secs(10);
    let requests = RequestsById::<u16, char>::default().timeout(ten).outstanding_max(3);
    let line = Line::default();
    let ask = |id: u16| {
        requests.ask(&transport, id, |transport| Ok(send_frame(transport, &line, id.to_string())?))
    };
    let pass =
        |seconds| transport.reactor().unwrap().advance(Duration::from_secs(seconds)).expect("rest");
    let [one, two, three] = [1, 2, 3].map(ask);
    assert_eq!(ask(2).take(), Some(Err(RequestError::TooMany { max: 3 })));
    assert_eq!(requests.answered(&3, 'c'), Ok(()));
    assert_eq!(ask(2).take(), Some(Err(RequestError::IdInUse)));
    assert_eq!(requests.answered(&1, 'a'), Ok(()));
    assert_eq!(requests.answered(&1, 'a'), Err('a'));
    assert_eq!((one.take(), three.take()), (Some(Ok('a')), Some(Ok('c'))));
    // It keeps its name for as long again, for the answer that is late.
    pass(10);
    assert_eq!(two.take(), Some(Err(RequestError::TimedOut { after: ten })));
    assert_eq!(ask(2).take(), Some(Err(RequestError::IdInUse)));
    assert!(requests.is_in_use(&2));
    pass(10);
    assert!(requests.is_empty());
    let again = ask(2);
    assert_eq!(requests.failed(&2, RequestError::Lost("gone".into())), Ok(()));
    assert_eq!(again.take(), Some(Err(RequestError::Lost("gone".into()))));
    let last = ask(4);
    last.cancel();
    assert_eq!(requests.answered(&4, 'x'), Ok(()), "nobody waits for it, and it was asked for");
    assert_eq!(wire.sent(), b"1\r\n2\r\n3\r\n2\r\n4\r\n");
    let end = ask(5);
    requests.lost(&ConnectionLost::Reset);
    assert_eq!(end.take(), Some(Err(RequestError::Lost("reset by the peer".into()))));
    pass(100);
    assert!(!transport.reactor().unwrap().leak_report().to_string().contains("timer"));
}

/// An answer that nobody waits for is dropped by the loop, not in the middle of a call.
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
    let answer = requests.ask(&transport, (), |transport| Ok(transport.write(b"?")));
    let reactor = transport.reactor().unwrap();
    reactor.advance(Duration::from_secs(1)).expect("rest");
    assert!(matches!(answer.take(), Some(Err(RequestError::TimedOut { .. }))));
    let log = Rc::new(RefCell::default());
    let borrowed = log.borrow_mut();
    assert!(requests.answered(Dropped(Rc::clone(&log))).is_ok());
    drop(borrowed);
    reactor.advance(Duration::ZERO).expect("rest");
    assert_eq!(*log.borrow(), ["dropped"]);
}
