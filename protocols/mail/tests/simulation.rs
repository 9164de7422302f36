//! Clients and a server in a simulated network with faults (cuts, resets, pauses, kills): a message that is reported delivered is
//! stored, whole; one that is stored was reported delivered, or may have been; and every call is answered.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[path = "support/mod.rs"]
#[allow(dead_code, reason = "each test binary uses a part of this")]
mod support;

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use sinew_mail::smtp::{
    client::{ClientConfig, Envelope, Security, SmtpError, sendmail},
    codec::Reply,
    server::Outcome,
};
use sinew_testkit::{
    sim::{Network, RandomFaults},
    testing::{seeds, simulate},
};
use sinew_transports::{ReactorTcp, reactor::Reactor};

use support::{Notes, Shared};

/// How often a client sends a message.
const INTERVAL: Duration = Duration::from_secs(2);
/// How long messages are sent; then what is open has time to end.
const SENDING: Duration = Duration::from_secs(120);
const ENDING: Duration = Duration::from_secs(900);

/// How often the server says what it has stored: so long a message may be lost to its client.
const STORING: Duration = Duration::from_millis(1_500);

/// What became of a message, as its client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is being sent. A client that is killed never knows more.
    Open,
    Delivered,
    NotDelivered,
    Unknown,
}

type Fates = Rc<RefCell<BTreeMap<u32, Fate>>>;

fn text(number: u32) -> String {
    let line = format!("{number} {}\r\n", "x".repeat(number as usize % 70));
    format!("Subject: {number}\r\n\r\n{}", line.repeat(1 + (number as usize * 97) % 2_000))
}

/// Sends the next message, every other one in chunks.
fn send(reactor: &Reactor, fates: &Fates) {
    let mut open = fates.borrow_mut();
    let number = u32::try_from(open.len()).unwrap();
    open.insert(number, Fate::Open);
    let config = ClientConfig::new("client.example").unwrap().security(Security::None);
    let config = config.chunking(number % 2 == 1).command_timeout(Duration::from_secs(60));
    let to = [
        format!("user{number}@example.org").parse().unwrap(),
        "nobody@example.org".parse().unwrap(),
    ];
    let envelope = Envelope::new(None, to);
    let sending = sendmail(reactor, "server:25", config, envelope, text(number));
    let fates = Rc::clone(fates);
    sending.then(move |_, result| {
        let fate = match result {
            Ok(delivery) => {
                assert_eq!(delivery.replies().len(), 2, "each recipient has a reply");
                assert!(!delivery.replies()[1].is_delivered());
                match delivery.replies()[0].is_delivered() {
                    true => Fate::Delivered,
                    false => Fate::NotDelivered,
                }
            }
            Err(error) if error.may_be_delivered() => Fate::Unknown,
            Err(error) => {
                assert!(
                    error.is_temporary() || matches!(error, SmtpError::Refused { .. }),
                    "{error}"
                );
                Fate::NotDelivered
            }
        };
        fates.borrow_mut().insert(number, fate);
    });
}

/// Returns how many messages were delivered.
fn run(network: &Network, faults: Option<RandomFaults>) -> usize {
    let (server, client) = (network.host("server"), network.host("client"));
    // What is stored survives the server.
    let notes = Notes { later: vec!["finish"], ..Notes::default() };
    let notes: Shared = Rc::new(RefCell::new(notes));
    let fates = Fates::default();
    let stored = Rc::clone(&notes);
    server.boot(move |reactor| {
        let server = support::server(support::config(), &stored);
        drop(reactor.listen_tcp("0.0.0.0:25", server).unwrap());
        let stored = Rc::clone(&stored);
        reactor.call_every(STORING, move |_| {
            for stored in stored.borrow_mut().open_finish.drain(..) {
                stored.resolve(Outcome::All(Reply::ok()));
            }
        });
    });
    let of_client = Rc::clone(&fates);
    client.boot(move |reactor| {
        let (fates, end) = (Rc::clone(&of_client), reactor.now() + SENDING);
        reactor.call_every(INTERVAL, move |reactor| {
            if reactor.now() < end {
                send(reactor, &fates);
            }
        });
    });
    let has_kills = faults.is_some();
    network.set_random_faults(faults);
    network.run_for(SENDING).unwrap();
    network.set_random_faults(None);
    network.heal();
    network.run_for(ENDING).unwrap();
    let (notes, fates) = (notes.borrow(), fates.borrow());
    for (&number, &fate) in fates.iter() {
        let to = format!("user{number}@example.org");
        let stored: Vec<_> = notes.mails.iter().filter(|mail| mail.to.contains(&to)).collect();
        assert!(
            stored.iter().all(|mail| mail.text == text(number)),
            "{number} is not what was sent"
        );
        let may = match fate {
            Fate::Delivered => 1..=1,
            Fate::NotDelivered => 0..=0,
            Fate::Unknown => 0..=1,
            Fate::Open => {
                assert!(has_kills, "{number} was never answered");
                0..=1
            }
        };
        assert!(
            may.contains(&stored.len()),
            "{number} is {fate:?} and stored {} times",
            stored.len()
        );
    }
    fates.values().filter(|fate| **fate == Fate::Delivered).count()
}

#[test]
fn without_faults_every_message_is_delivered() {
    watchdog::watch_this_test();
    simulate(0..5, |network| {
        let delivered = run(network, None);
        assert!(delivered >= 58, "{delivered} messages");
    });
}

#[test]
fn no_message_is_lost_or_doubled_under_faults() {
    watchdog::watch_this_test();
    let delivered = std::cell::Cell::new(0);
    simulate(seeds(0..25), |network| {
        let faults = RandomFaults::every(Duration::from_secs(3));
        let faults = faults.lasting(Duration::from_secs(10)).cuts().kills().pauses().resets();
        delivered.set(delivered.get() + run(network, Some(faults)));
    });
    // With a seed given there is one run.
    assert!(delivered.get() > 0, "the faults leave nothing");
}
