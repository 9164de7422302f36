//! Zone transfers, from a server that sends what a test wants.

use std::{cell::RefCell, net::Ipv4Addr, rc::Rc, time::Duration};

use sinew_dns::{
    client::{DnsResolver, NameServer, TransferConfig, TransferError, TransferEvent},
    codec::{
        Message, Name, OpCode, RData, Record, RecordType, ResponseCode, encode,
        rdata::SOA,
        tsig::{TsigAlgorithm, TsigError, TsigKey},
    },
    testing::{Asked, Reaction, TestServer},
};

use crate::support::{World, asking};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn soa(serial: u32) -> Record {
    let soa = SOA::new(name("ns.example."), name("me.example."), serial, 2, 3, 4, 5);
    Record::from_rdata(name("example."), 60, RData::SOA(soa))
}

fn a(last: u8) -> Record {
    Record::from_rdata(name("a.example."), 60, RData::A(Ipv4Addr::new(192, 0, 2, last).into()))
}

/// A message of a transfer; only the first has the question.
fn message(asked: &Asked, at: usize, records: &[Record]) -> Vec<u8> {
    let mut message = Message::response(asked.query.metadata.id, OpCode::Query);
    if at == 0 {
        message.add_queries(asked.query.queries.iter().cloned());
    }
    message.add_answers(records.to_vec());
    encode(&message, 65_535).unwrap()
}

/// A server that sends these records, so many in a message.
fn sending(records: Vec<Record>, in_a_message: usize) -> TestServer {
    TestServer::new().react(move |asked| {
        let chunks = records.chunks(in_a_message).enumerate();
        Reaction::Raw(chunks.map(|(at, records)| message(asked, at, records)).collect())
    })
}

type Received = Result<Vec<TransferEvent>, TransferError>;

/// All events of a transfer, or why it failed.
fn transfer(world: &World, server: &TestServer, config: TransferConfig) -> Received {
    let host = world.server("primary", server);
    let resolver = world.resolver(asking(&[&host]));
    let received = Rc::<RefCell<Option<Received>>>::default();
    let of_task = received.clone();
    world
        .reactor()
        .spawn(async move {
            let all = all(&resolver, &NameServer::new((host.addr(), 53)), config).await;
            of_task.replace(Some(all));
        })
        .detach();
    world.network.run_until(Duration::from_secs(100), || received.borrow().is_some()).unwrap();
    received.take().unwrap()
}

async fn all(resolver: &DnsResolver, server: &NameServer, config: TransferConfig) -> Received {
    let mut transfer = resolver.transfer(server, "example", config).await?;
    let mut events = Vec::new();
    while let Some(event) = transfer.next().await? {
        events.push(event);
    }
    Ok(events)
}

#[test]
fn a_whole_zone() {
    for in_a_message in [1, 3, 100] {
        let world = World::new(1);
        let mut records: Vec<_> = (0..200).map(a).collect();
        records.insert(0, soa(7));
        records.push(soa(7));
        let server = sending(records, in_a_message);
        let events = transfer(&world, &server, TransferConfig::default()).unwrap();
        assert_eq!(events.len(), 202);
        assert!(matches!(&events[0], TransferEvent::Whole { soa } if soa.serial == 7));
        assert_eq!(events[1], TransferEvent::Added(Box::new(a(0))));
        assert_eq!(events[201], TransferEvent::End { serial: 7 });
        assert_eq!(server.asked()[0].record_type(), RecordType::AXFR);
        world.pass(1);
        assert_eq!(world.client.descriptors(), 0);
    }
}

#[test]
fn only_what_has_changed() {
    let world = World::new(2);
    let server = sending(vec![soa(3), soa(1), a(1), soa(3), a(2), soa(3)], 4);
    let events = transfer(&world, &server, TransferConfig::default().since(1)).unwrap();
    assert_eq!(events[0], TransferEvent::Changes { from: 1 });
    assert_eq!(events[1], TransferEvent::Removed(Box::new(a(1))));
    assert_eq!(events[3], TransferEvent::Added(Box::new(a(2))));
    assert_eq!(events.len(), 5);
    let asked = &server.asked()[0];
    assert_eq!(asked.record_type(), RecordType::IXFR);
    assert!(matches!(&asked.query.authorities[0].data, RData::SOA(soa) if soa.serial == 1));
    let events =
        transfer(&World::new(3), &sending(vec![soa(3)], 1), TransferConfig::default().since(3));
    assert_eq!(events.unwrap(), [TransferEvent::Unchanged, TransferEvent::End { serial: 3 }]);
}

#[test]
fn transfers_that_fail() {
    let fails = |seed, server: TestServer, config| {
        transfer(&World::new(seed), &server, config).unwrap_err()
    };
    let usual = TransferConfig::default;
    let refusing = TestServer::new().react(|_| Reaction::Code(ResponseCode::Refused));
    let error = fails(4, refusing, usual());
    assert!(matches!(error, TransferError::Refused(ResponseCode::Refused)), "{error}");
    let error = fails(5, sending(vec![soa(7), a(1)], 1), usual());
    assert!(matches!(error, TransferError::TimedOut { .. }), "{error}");
    let cut = TestServer::new().react(|asked| {
        Reaction::All(vec![
            Reaction::Raw(vec![message(asked, 0, &[soa(7), a(1)])]),
            Reaction::Close,
        ])
    });
    let error = fails(6, cut, usual());
    assert!(matches!(error, TransferError::Connection(_)), "{error}");
    let error = fails(7, sending(vec![soa(7), a(1), a(2), soa(7)], 2), usual().records_max(3));
    assert!(matches!(error, TransferError::TooManyRecords { max: 3 }), "{error}");
    let error = fails(8, sending(vec![soa(7), a(1), a(2), soa(7)], 2), usual().bytes_max(100));
    assert!(matches!(error, TransferError::TooManyBytes { max: 100 }), "{error}");
    let error = fails(9, sending(vec![a(1), soa(7)], 2), usual());
    assert!(matches!(error, TransferError::Order(_)), "{error}");
    let mut outside = a(1);
    outside.name = name("other.");
    let error = fails(10, sending(vec![soa(7), outside, soa(7)], 3), usual());
    assert!(matches!(error, TransferError::OutOfZone { .. }), "{error}");
    let another = TestServer::new().react(|asked| {
        let mut bytes = message(asked, 0, &[soa(7), soa(7)]);
        bytes[0] ^= 1;
        Reaction::Raw(vec![bytes])
    });
    let error = fails(11, another, usual());
    assert!(matches!(error, TransferError::Mismatch(_)), "{error}");
}

fn key() -> TsigKey {
    TsigKey::new(name("key."), TsigAlgorithm::HmacSha256, b"a secret of both")
}

/// Seconds since 1970, on the clock of the simulation.
fn now(world: &World) -> u64 {
    world.reactor().wall_clock().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn signed_transfers() {
    let signed = |of: TsigKey| {
        let world = World::new(12);
        let now = now(&world);
        let server = TestServer::new().react(move |asked| {
            let mac = key().verify(&asked.bytes, None, now).expect("the query is signed");
            let bytes = message(asked, 0, &[soa(7), a(1), soa(7)]);
            Reaction::Raw(vec![of.sign(&bytes, now, Some(&mac)).unwrap().bytes])
        });
        transfer(&world, &server, TransferConfig::default().key(key()))
    };
    assert_eq!(signed(key()).unwrap().len(), 3);
    let other = TsigKey::new(name("key."), TsigAlgorithm::HmacSha256, b"another secret");
    let error = signed(other).unwrap_err();
    assert!(matches!(error, TransferError::Signature(TsigError::BadSignature)), "{error}");
    let unsigned = sending(vec![soa(7), a(1), soa(7)], 3);
    let error =
        transfer(&World::new(13), &unsigned, TransferConfig::default().key(key())).unwrap_err();
    assert!(matches!(error, TransferError::Signature(TsigError::Missing)), "{error}");
}
