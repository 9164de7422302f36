//! How much memory a long message takes on its way through a queue: from a client into the spool on disk, and from there to the next
//! host. A test of its own, since it looks at the memory of the whole process.

#![cfg(target_os = "linux")]

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

use std::{cell::Cell, fs, io, rc::Rc};

use sinew_mail::{
    queue::{Agents, Queue, QueueConfig, Relay, SMTP_AGENT, Spool},
    routing::{Receiver, Router, RouterConfig, Rules, Target},
    smtp::{
        client::{ClientConfig, Envelope, MessageSource, Security, SmtpClient},
        codec::{MessageFacts, Recipient, Reply},
        server::{MessageSink, Outcome, ServerConfig, Session, SmtpHandler, SmtpServer, Verdict},
    },
};
use sinew_transports::{
    Peer, ReactorTcp,
    reactor::{Promise, Reactor},
};

const LINE: &str = "a line of a message that is very long, and has nothing to say at all.\r\n";
const LINES: usize = 250_000;
const LEN: usize = LINE.len() * LINES;
/// More than the connections, the pool and the pieces of a message take; far less than the message.
const GROWTH_MAX: usize = 8 << 20;

/// The most memory that the process has had, in bytes.
fn peak() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// A message that is made as it is read.
struct Made {
    facts: MessageFacts,
    left: usize,
}

impl MessageSource for Made {
    fn facts(&self) -> MessageFacts {
        self.facts
    }

    async fn next(&mut self) -> io::Result<Option<bytes::Bytes>> {
        let lines = self.left.min(500);
        self.left -= lines;
        Ok((lines > 0).then(|| LINE.repeat(lines).into()))
    }
}

/// The next host, which counts.
struct Counter {
    received: Rc<Cell<usize>>,
    done: Rc<Cell<Option<Promise<()>>>>,
}

impl SmtpHandler for Counter {
    fn rcpt(&mut self, _: &Session, _: &Recipient) -> Verdict {
        Verdict::accept()
    }

    fn data(&mut self, _: &Session) -> Verdict<Box<dyn MessageSink>> {
        let (received, done) = (Rc::clone(&self.received), Rc::clone(&self.done));
        Verdict::now(Box::new(Self { received, done }))
    }
}

impl MessageSink for Counter {
    fn write(&mut self, piece: &[u8]) -> Verdict {
        self.received.set(self.received.get() + piece.len());
        Verdict::accept()
    }

    fn finish(self: Box<Self>) -> Verdict<Outcome> {
        if let Some(done) = self.done.take() {
            done.resolve(());
        }
        Verdict::reply(Reply::ok())
    }
}

fn client() -> ClientConfig {
    ClientConfig::new("host.example").unwrap().security(Security::None)
}

#[test]
fn a_long_message_is_never_in_memory() {
    watchdog::watch_this_test();
    let folder = std::env::temp_dir().join(format!("sinew-queue-memory-{}", std::process::id()));
    let reactor = Reactor::new().unwrap();
    let (promise, done) = reactor.promise();
    let received = Rc::<Cell<usize>>::default();
    let place = Rc::new(Cell::new(Some(promise)));
    let server =
        || ServerConfig::new("mail.example").unwrap().received_line(false).size_max(1 << 30);
    let (count, of_next) = (Rc::clone(&received), Rc::clone(&place));
    let next = SmtpServer::new(server(), move |_: &Peer| Counter {
        received: Rc::clone(&count),
        done: Rc::clone(&of_next),
    });
    let next = reactor.listen_tcp("127.0.0.1:0", next).unwrap();
    let relay = Relay::new(client()).smart_host(next.local());
    let agents = Agents::default().with(SMTP_AGENT, relay);
    let (handle, spool) = (reactor.clone(), Spool::in_folder(&folder));
    let run = async move {
        let config = QueueConfig::new("mail.example").unwrap();
        let queue = Queue::open(&handle, spool, config, agents).await.unwrap();
        let router = Router::new(RouterConfig::new(Target::Name("ann".into())));
        let rules = Rules::exchanger().networks(["127.0.0.0/8".parse().unwrap()]);
        let receiver = Receiver::new(queue, router, rules);
        let relay = SmtpServer::new(server(), move |_: &Peer| receiver.handler());
        let port = handle.listen_tcp("127.0.0.1:0", relay).unwrap();
        let before = peak();
        let mut client = SmtpClient::connect(&handle, port.local(), client()).await.unwrap();
        let mut facts = MessageFacts::default();
        (0..LINES).for_each(|_| facts.feed(LINE.as_bytes()));
        let mut message = Made { facts, left: LINES };
        let envelope = Envelope::new(None, ["bob@example.org".parse().unwrap()]);
        let delivery = client.send_stream(&envelope, &mut message).await.unwrap();
        assert!(delivery.is_complete());
        done.await.unwrap();
        peak() - before
    };
    let growth = reactor.run_until(run).unwrap();
    assert_eq!(received.get(), LEN);
    assert!(growth < GROWTH_MAX, "{growth} bytes for a message of {LEN}");
    eprintln!("{growth} bytes more for a message of {LEN}");
    fs::remove_dir_all(folder).unwrap();
}
