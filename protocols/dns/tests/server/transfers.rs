//! Zones and changes sent by a server, received by the client of this crate.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_dns::{
    client::{DnsConfig, DnsResolver, NameServer, TransferConfig, TransferEvent},
    codec::{
        RecordType,
        tsig::{TsigAlgorithm, TsigKey},
    },
    server::{Acl, DnsServer, ServerConfig, TransferAccess, Zones},
    zone::text_of,
};

use crate::{
    serving::{Raw, frame, name, serve, zone},
    support::World,
    watchdog,
};

const SMALL: &str =
    "$TTL 60\n@ SOA ns root 1 3600 600 86400 30\n@ NS ns\nns A 192.0.2.1\nold TXT \"one\"\n";

fn open(zones: &Zones) {
    zones.allow_transfers(TransferAccess::new(Acl::everybody()));
}

/// The events of a transfer as text.
fn transfer(
    world: &World,
    server: &NameServer,
    config: TransferConfig,
) -> Result<Vec<String>, String> {
    let resolver =
        DnsResolver::new(&world.reactor(), DnsConfig::default().servers([server.addr()]));
    let (events, server) = (Rc::<RefCell<Vec<String>>>::default(), server.clone());
    let of_task = events.clone();
    let task = world.reactor().spawn(async move {
        let mut transfer = resolver.transfer(&server, "example", config).await?;
        while let Some(event) = transfer.next().await? {
            let line = match event {
                TransferEvent::Added(record) => format!("+ {}", text_of(&record).unwrap()),
                TransferEvent::Removed(record) => format!("- {}", text_of(&record).unwrap()),
                TransferEvent::Unchanged => "unchanged".to_owned(),
                TransferEvent::Whole { soa } => format!("whole {}", soa.serial),
                TransferEvent::Changes { from } => format!("from {from}"),
                TransferEvent::To { soa } => format!("to {}", soa.serial),
                TransferEvent::End { serial } => format!("end {serial}"),
                other => format!("{other:?}"),
            };
            of_task.borrow_mut().push(line);
        }
        Ok::<_, sinew_dns::client::TransferError>(())
    });
    world.network.run_until(Duration::from_secs(600), || task.is_done()).unwrap();
    match task.take().unwrap().unwrap() {
        Ok(()) => Ok(events.take()),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn whole_zone_signed_in_many_messages() {
    watchdog::watch_this_test();
    let world = World::new(1);
    let key = || TsigKey::new(name("key."), TsigAlgorithm::HmacSha256, "secret");
    let mut text = SMALL.to_owned();
    (0..5000).for_each(|at| text += &format!("h{at} A 192.0.{}.{}\n", at / 256, at % 256));
    let (_host, at) = serve(&world, "server", move |_| {
        let zones = Zones::new();
        zones.insert(zone(&text));
        zones.allow_transfers(TransferAccess::new(Acl::everybody()).key(name("key.")));
        DnsServer::with_config(zones, ServerConfig::default().key(key()))
    });
    let server = NameServer::new(at);
    let events = transfer(&world, &server, TransferConfig::default().key(key())).unwrap();
    assert_eq!(events.len(), 5000 + 3 + 2);
    assert_eq!((&*events[0], events.last().map(String::as_str)), ("whole 1", Some("end 1")));
    assert!(transfer(&world, &server, TransferConfig::default()).is_err(), "without the key");
    let wrong = TsigKey::new(name("key."), TsigAlgorithm::HmacSha256, "wrong");
    assert!(transfer(&world, &server, TransferConfig::default().key(wrong)).is_err());
}

#[test]
fn changes_by_the_journal() {
    watchdog::watch_this_test();
    let world = World::new(2);
    let zones = Rc::<RefCell<Option<Zones>>>::default();
    let of_boot = zones.clone();
    let (_host, at) = serve(&world, "server", move |_| {
        let zones = Zones::new();
        open(&zones);
        zones.journal(2);
        zones.insert(zone(SMALL));
        of_boot.replace(Some(zones.clone()));
        DnsServer::new(zones)
    });
    let zones = zones.borrow().clone().unwrap();
    let server = NameServer::new(at);
    let since =
        |serial| transfer(&world, &server, TransferConfig::default().since(serial)).unwrap();
    assert_eq!(since(1), ["unchanged", "end 1"]);
    zones.insert(zone(&SMALL.replace(" 1 3600", " 2 3600").replace("one", "two")));
    let step = [
        "from 1",
        "- old.example. 60 IN TXT \"one\"",
        "to 2",
        "+ old.example. 60 IN TXT \"two\"",
        "end 2",
    ];
    assert_eq!(since(1), step);
    zones.insert(zone(&SMALL.replace(" 1 3600", " 3 3600").replace("old TXT", "new TXT")));
    let events = since(1);
    assert_eq!(events[..4], step[..4]);
    assert_eq!(events.last().map(String::as_str), Some("end 3"));
    // A version that the journal does not have: the whole zone.
    assert_eq!(since(0)[0], "whole 3");
    zones.insert(zone(&SMALL.replace(" 1 3600", " 4 3600")));
    assert_eq!(since(1)[0], "whole 4", "only two versions are kept");
    // A version that is not newer breaks the journal.
    zones.insert(zone(&SMALL.replace(" 1 3600", " 4 3600").replace("one", "four")));
    assert_eq!(since(3)[0], "whole 4");
}

#[test]
fn axfr_10_mb_to_a_slow_reader() {
    watchdog::watch_this_test();
    let world = World::new(3);
    let mut text = SMALL.to_owned();
    let long = "x".repeat(250);
    (0..36_000).for_each(|at| text += &format!("h{at} TXT \"{long}\"\n"));
    let (_host, at) = serve(&world, "server", move |_| {
        let zones = Zones::new();
        zones.insert(zone(&text));
        open(&zones);
        DnsServer::new(zones)
    });
    let raw = Raw::connect(&world, at);
    raw.transport().pause_reading();
    raw.write(&frame(1, "example.", RecordType::AXFR));
    world.pass(5);
    // Some of it every five seconds: it goes on.
    for _ in 0..4 {
        raw.transport().resume_reading();
        world.network.run_for(Duration::from_millis(20)).unwrap();
        raw.transport().pause_reading();
        world.pass(5);
        assert!(!raw.is_lost());
    }
    raw.transport().resume_reading();
    let done = |raw: &Raw| raw.received_len() > 9_500_000;
    world.network.run_until(Duration::from_secs(60), || done(&raw)).unwrap();
    world.pass(1);
    let messages = raw.messages();
    let records: usize = messages.iter().map(|message| message.answers.len()).sum();
    assert_eq!(records, 36_000 + 3 + 2);

    // A client that reads nothing at all is closed.
    let stuck = Raw::connect(&world, at);
    stuck.transport().pause_reading();
    stuck.write(&frame(1, "example.", RecordType::AXFR));
    world.pass(60);
    stuck.transport().resume_reading();
    world.pass(5);
    assert!(stuck.is_lost() && stuck.received_len() < 9_500_000);
}
