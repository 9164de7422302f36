//! Clients and a server in a simulated network with faults (cuts, resets, pauses, kills): a client that keeps what it has fetched in a
//! durable place, and deletes it at the server, has in the end each message at least once and whole; a message is gone from the server
//! only if the client has it.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[path = "pop3_support/mod.rs"]
#[allow(dead_code, reason = "each test binary uses a part of this")]
mod pop3_support;

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use bytes::Bytes;
use sinew_auth::{ClientLogin, Mechanism};
use sinew_mail::pop3::{
    client::{ClientConfig, Pop3Client, Pop3Error, Security},
    codec::UniqueId,
};
use sinew_testkit::{
    sim::{Network, RandomFaults},
    testing::{seeds, simulate},
};
use sinew_transports::{ReactorTcp, reactor::Reactor};

use pop3_support::{Shared, mail};

/// How often a client looks for new mail.
const INTERVAL: Duration = Duration::from_secs(5);
/// How long there are faults; then there is time to fetch the rest.
const FAULTS: Duration = Duration::from_secs(120);
const ENDING: Duration = Duration::from_secs(300);

/// What survives the client: how often each message was stored, and the last text.
type Fetched = Rc<RefCell<BTreeMap<UniqueId, (usize, Vec<u8>)>>>;

fn text(number: u32) -> Bytes {
    let line = format!(".{number} {}\r\n", "x".repeat(number as usize % 70));
    format!("Subject: {number}\r\n\r\n{}", line.repeat(1 + (number as usize * 97) % 2_000)).into()
}

async fn fetch(reactor: Reactor, fetched: Fetched) -> Result<(), Pop3Error> {
    let login = ClientLogin::password("ann", "secret").allow_plaintext(true);
    // Keys of SCRAM would be derived by thousands of sessions.
    let login = login.mechanisms([Mechanism::Plain]);
    let config = ClientConfig::new().security(Security::None).login(login);
    let config =
        config.reply_timeout(Duration::from_secs(30)).silence_timeout(Duration::from_secs(30));
    let mut client = Pop3Client::connect(&reactor, "server:110", config).await?;
    let all = client.new_messages(|_| false).await?;
    let is_known = |id: &UniqueId| fetched.borrow().contains_key(id);
    let new: Vec<_> = all.iter().filter(|message| !is_known(&message.unique_id)).collect();
    let mut messages = client.retrieve_all(new.iter().map(|new| new.number));
    for new in &new {
        let Some(message) = messages.next().await? else { break };
        let text = message.collect(1 << 20).await?;
        let mut fetched = fetched.borrow_mut();
        let entry = fetched.entry(new.unique_id.clone()).or_default();
        *entry = (entry.0 + 1, text);
    }
    client.delete_all(all.iter().map(|message| message.number)).await?;
    client.quit().await
}

/// Returns how many messages were fetched before the faults have ended.
fn run(network: &Network, faults: Option<RandomFaults>) -> usize {
    let (server, client) = (network.host("server"), network.host("client"));
    // What is stored survives the server.
    let stored: Shared = mail(&[]);
    let (fetched, added) = (Fetched::default(), Rc::new(RefCell::new(0)));
    let (of_server, count) = (Rc::clone(&stored), Rc::clone(&added));
    server.boot(move |reactor| {
        let server = pop3_support::server(pop3_support::config(), &of_server);
        drop(reactor.listen_tcp("0.0.0.0:110", server).unwrap());
        let (stored, count, end) =
            (Rc::clone(&of_server), Rc::clone(&count), reactor.now() + FAULTS);
        reactor.call_every(Duration::from_secs(3), move |reactor| {
            if reactor.now() < end {
                *count.borrow_mut() += 1;
                let number = *count.borrow();
                let message = (format!("id{number}"), text(number));
                stored.borrow_mut().boxes.get_mut("ann").unwrap().push(message);
            }
        });
    });
    let of_client = Rc::clone(&fetched);
    client.boot(move |reactor| {
        let fetched = Rc::clone(&of_client);
        reactor.call_every(INTERVAL, move |reactor| {
            let fetching = fetch(reactor.clone(), Rc::clone(&fetched));
            reactor
                .spawn(async move {
                    if let Err(error) = fetching.await {
                        assert!(error.is_temporary(), "{error}");
                    }
                })
                .detach();
        });
    });
    network.set_random_faults(faults);
    network.run_for(FAULTS).unwrap();
    let early = fetched.borrow().len();
    network.set_random_faults(None);
    network.heal();
    network.run_for(ENDING).unwrap();
    let (fetched, added) = (fetched.borrow(), *added.borrow());
    for number in 1..=added {
        let id: UniqueId = format!("id{number}").parse().unwrap();
        let Some((_, found)) = fetched.get(&id) else { panic!("{number} was never fetched") };
        assert!(*found == text(number), "{number} is not what was stored");
    }
    assert!(fetched.values().all(|(times, _)| *times == 1), "known messages are not fetched again");
    assert!(stored.borrow().boxes["ann"].is_empty(), "all are deleted in the end");
    early
}

#[test]
fn without_faults_every_message_is_fetched_once() {
    watchdog::watch_this_test();
    simulate(0..3, |network| {
        let early = run(network, None);
        assert!(early >= 35, "{early} messages");
    });
}

#[test]
fn no_message_is_lost_under_faults() {
    watchdog::watch_this_test();
    let early = std::cell::Cell::new(0);
    simulate(seeds(0..20), |network| {
        let faults = RandomFaults::every(Duration::from_secs(3));
        let faults = faults.lasting(Duration::from_secs(10)).cuts().kills().pauses().resets();
        early.set(early.get() + run(network, Some(faults)));
    });
    // With a seed given there is one run.
    assert!(early.get() > 0, "the faults leave nothing");
}
