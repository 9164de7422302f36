//! A sender, a host with a queue, and the next host, in a simulated network with faults. The queue's files survive its process, and what
//! was not synced may be lost with it. No message that was accepted is lost; one arrives twice only where the reply to it was lost, or
//! the process ended before it could write down that it had arrived.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[path = "support/mod.rs"]
#[allow(dead_code, reason = "each test binary uses a part of this")]
mod support;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    time::Duration,
};

use sinew_mail::{
    queue::{
        Agents, Attempt, AttemptResult, DeliveryAgent, Fate, MemoryFiles, Queue, QueueConfig,
        QueuedEnvelope, QueuedRecipient, Relay, SMTP_AGENT, Spool,
    },
    smtp::{
        client::{ClientConfig, Envelope, Security, sendmail},
        codec::{Recipient, Reply},
        server::{MessageSink, Outcome, ServerConfig, Session, SmtpHandler, SmtpServer, Verdict},
    },
};
use sinew_testkit::{
    sim::{Network, RandomFaults},
    testing::{seeds, simulate},
};
use sinew_transports::{
    Peer, ReactorTcp,
    reactor::{Deferred, Reactor},
};

use support::{Notes, Shared};

/// How often a message is sent, and for how long; then what is open has time to end.
const INTERVAL: Duration = Duration::from_secs(2);
const SENDING: Duration = Duration::from_secs(90);
const ENDING: Duration = Duration::from_secs(1_800);
/// How often the next host says what it has stored: so long a reply may be lost.
const STORING: Duration = Duration::from_millis(1_500);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Accepted,
    Refused,
    Unknown,
}

/// What an attempt has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tried {
    /// The process ended meanwhile.
    Open,
    Relayed,
    NotTaken,
    /// The message was sent, and the reply to it was lost.
    Unknown,
}

/// What is known of all, from outside.
#[derive(Default)]
struct World {
    sent: RefCell<BTreeMap<u32, Sent>>,
    /// The attempts of each message, with the process that made them.
    tried: RefCell<BTreeMap<u32, Vec<(u32, Tried)>>>,
    process: Cell<u32>,
    left: Cell<usize>,
}

fn text(number: u32) -> String {
    let line = format!("{number} {}\r\n", "x".repeat(number as usize % 70));
    format!("Subject: {number}\r\n\r\n{}", line.repeat(1 + (number as usize * 97) % 1_500))
}

/// The relay, watched.
struct Watched {
    relay: Relay,
    world: Rc<World>,
}

impl DeliveryAgent for Watched {
    fn destination(&self, to: &QueuedRecipient) -> String {
        self.relay.destination(to)
    }

    fn deliver(&self, reactor: &Reactor, attempt: Attempt) -> Deferred<AttemptResult> {
        let number: u32 = attempt.recipients()[0].address().local()[4..].parse().unwrap();
        let process = self.world.process.get();
        let mut tried = self.world.tried.borrow_mut();
        let tries = tried.entry(number).or_default();
        assert!(
            tries.iter().all(|(by, tried)| *by != process || *tried != Tried::Relayed),
            "{number} is tried again by a process that knows that it has arrived"
        );
        let at = tries.len();
        tries.push((process, Tried::Open));
        drop(tried);
        let world = Rc::clone(&self.world);
        self.relay.deliver(reactor, attempt).map(move |result| {
            if let Ok(result) = &result {
                let is_unknown = |text: &str| {
                    text.contains("the message was to be replied to")
                        || text.contains("no reply to the message")
                };
                let tried = match &result.fates()[0] {
                    Fate::Relayed { .. } => Tried::Relayed,
                    Fate::Delayed(status) if is_unknown(status.text()) => Tried::Unknown,
                    Fate::Delayed(_) => Tried::NotTaken,
                    fate => panic!("{fate:?}"),
                };
                world.tried.borrow_mut().get_mut(&number).unwrap()[at].1 = tried;
            }
            result
        })
    }
}

/// Accepts all mail into the queue.
struct Handler(Queue);

impl SmtpHandler for Handler {
    fn rcpt(&mut self, _: &Session, _: &Recipient) -> Verdict {
        Verdict::accept()
    }

    fn data(&mut self, session: &Session) -> Verdict<Box<dyn MessageSink>> {
        let sender = session.sender().cloned().unwrap_or_default();
        let to = session.recipients().iter().cloned().map(QueuedRecipient::remote);
        let envelope = to.fold(QueuedEnvelope::new(sender), QueuedEnvelope::with);
        let sink = self.0.sink(envelope).map(|sink| Box::new(sink) as Box<dyn MessageSink>);
        sink.map_err(Reply::from).into()
    }
}

fn config() -> ClientConfig {
    let config = ClientConfig::new("host.example").unwrap().security(Security::None);
    config.command_timeout(Duration::from_secs(60))
}

fn send(reactor: &Reactor, world: &Rc<World>) {
    let mut sent = world.sent.borrow_mut();
    let number = u32::try_from(sent.len()).unwrap();
    sent.insert(number, Sent::Unknown);
    let to = format!("user{number}@example.org").parse().unwrap();
    let config = config().chunking(number % 2 == 1);
    let sending = sendmail(reactor, "relay:25", config, Envelope::new(None, [to]), text(number));
    let world = Rc::clone(world);
    sending.then(move |_, result| {
        let is = match result {
            Ok(delivery) if delivery.is_complete() => Sent::Accepted,
            Ok(_) => Sent::Refused,
            Err(error) if error.may_be_delivered() => Sent::Unknown,
            Err(_) => Sent::Refused,
        };
        world.sent.borrow_mut().insert(number, is);
    });
}

fn boot_relay(reactor: &Reactor, files: &MemoryFiles, world: &Rc<World>) {
    world.process.set(world.process.get() + 1);
    match reactor.random() % 3 {
        0 => files.lose_process(),
        _ => files.lose_power(|| reactor.random()),
    }
    let relay = Relay::new(config()).smart_host("next:25").bad_host_time(Duration::from_secs(5));
    let agents = Agents::default().with(SMTP_AGENT, Watched { relay, world: Rc::clone(world) });
    let config = QueueConfig::new("relay.example").unwrap();
    let config = config.retry_first(Duration::from_secs(5)).retry_max(Duration::from_secs(40));
    let opening = Queue::open(reactor, Spool::on(files.clone()), config, agents);
    let world = Rc::clone(world);
    opening.then(move |reactor, queue| {
        let queue = queue.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(queue.stats().damaged, 0);
        let of_server = queue.clone();
        let server =
            SmtpServer::new(ServerConfig::new("relay.example").unwrap(), move |_: &Peer| {
                Handler(of_server.clone())
            });
        drop(reactor.listen_tcp("0.0.0.0:25", server).unwrap());
        reactor
            .call_every(Duration::from_secs(60), move |_| world.left.set(queue.stats().messages));
    });
}

/// Returns how many messages were accepted, and how many arrived twice.
fn run(network: &Network, faults: Option<RandomFaults>) -> (usize, usize) {
    let (sender, relay, next) =
        (network.host("sender"), network.host("relay"), network.host("next"));
    let notes = Notes { later: vec!["finish"], ..Notes::default() };
    let notes: Shared = Rc::new(RefCell::new(notes));
    let (world, files) = (Rc::new(World::default()), MemoryFiles::default());
    let stored = Rc::clone(&notes);
    next.boot(move |reactor| {
        drop(
            reactor.listen_tcp("0.0.0.0:25", support::server(support::config(), &stored)).unwrap(),
        );
        let stored = Rc::clone(&stored);
        reactor.call_every(STORING, move |_| {
            for stored in stored.borrow_mut().open_finish.drain(..) {
                stored.resolve(Outcome::All(Reply::ok()));
            }
        });
    });
    let (of_relay, disk) = (Rc::clone(&world), files.clone());
    relay.boot(move |reactor| boot_relay(reactor, &disk, &of_relay));
    let of_sender = Rc::clone(&world);
    sender.boot(move |reactor| {
        let (world, end) = (Rc::clone(&of_sender), reactor.now() + SENDING);
        reactor.call_every(INTERVAL, move |reactor| {
            if reactor.now() < end {
                send(reactor, &world);
            }
        });
    });
    network.set_random_faults(faults);
    network.run_for(SENDING).unwrap();
    network.set_random_faults(None);
    network.heal();
    network.run_for(ENDING).unwrap();
    check(&world, &notes)
}

fn check(world: &World, notes: &Shared) -> (usize, usize) {
    let (notes, sent, tried) = (notes.borrow(), world.sent.borrow(), world.tried.borrow());
    assert_eq!(world.left.get(), 0, "the queue is empty at the end");
    let mut doubled = 0;
    for (&number, &is) in sent.iter() {
        let to = format!("user{number}@example.org");
        let stored: Vec<_> = notes.mails.iter().filter(|mail| mail.to.contains(&to)).collect();
        for mail in &stored {
            assert!(mail.text.ends_with(&text(number)), "{number} is not what was sent");
        }
        // Each attempt that may have ended without this host's knowledge may be a copy of its own.
        let tries = tried.get(&number).map(Vec::as_slice).unwrap_or_default();
        let last = world.process.get();
        let unknown = tries.iter().filter(|(by, tried)| match tried {
            Tried::Unknown | Tried::Open => true,
            // Another process has tried it since, or is the last.
            Tried::Relayed => *by != last && tries.iter().any(|(other, _)| other > by),
            Tried::NotTaken => false,
        });
        let unknown = unknown.count();
        let relayed = tries.iter().filter(|(_, tried)| *tried == Tried::Relayed).count();
        let least = usize::from(is == Sent::Accepted);
        assert!(relayed >= least, "{number} was accepted and is lost: {tries:?}");
        assert!(stored.len() >= relayed, "{number}: {tries:?}");
        assert!(stored.len() <= unknown + 1, "{number} arrived {} times: {tries:?}", stored.len());
        assert!(is != Sent::Refused || tries.is_empty(), "{number} was refused, and sent");
        doubled += usize::from(stored.len() > 1);
    }
    (sent.values().filter(|is| **is == Sent::Accepted).count(), doubled)
}

#[test]
fn without_faults_every_message_arrives_once() {
    watchdog::watch_this_test();
    simulate(0..3, |network| {
        let (accepted, doubled) = run(network, None);
        assert!(accepted >= 40, "{accepted} messages");
        assert_eq!(doubled, 0);
    });
}

#[test]
fn no_message_is_lost_while_connections_fail() {
    watchdog::watch_this_test();
    simulate(seeds(0..10), |network| {
        let faults = RandomFaults::every(Duration::from_secs(3));
        run(network, Some(faults.lasting(Duration::from_secs(10)).cuts().pauses().resets()));
    });
}

#[test]
fn no_message_is_lost_while_processes_end() {
    watchdog::watch_this_test();
    let (accepted, doubled) = (Cell::new(0), Cell::new(0));
    simulate(seeds(0..20), |network| {
        let faults = RandomFaults::every(Duration::from_secs(3));
        let faults = faults.lasting(Duration::from_secs(10)).cuts().kills().pauses().resets();
        let (these, twice) = run(network, Some(faults));
        accepted.set(accepted.get() + these);
        doubled.set(doubled.get() + twice);
    });
    eprintln!("{} messages were accepted, {} of them arrived twice", accepted.get(), doubled.get());
    // With a seed given there is one run.
    assert!(accepted.get() > 0, "the faults leave nothing");
}
