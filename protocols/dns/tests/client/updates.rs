//! Updates and notifications.

use std::net::Ipv4Addr;

use sinew_dns::{
    client::{NameServer, ServerError, Update, UpdateError},
    codec::{
        DNSClass, Message, MessageLimits, Name, OpCode, RData, Record, RecordType, ResponseCode,
        encode, inspect,
        tsig::{TsigAlgorithm, TsigKey},
    },
    testing::{Reaction, TestServer},
};

use crate::support::{World, asking};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn a(last: u8) -> Record {
    Record::from_rdata(name("a.example."), 60, RData::A(Ipv4Addr::new(192, 0, 2, last).into()))
}

fn update() -> Update {
    Update::new("example")
        .unwrap()
        .require_name(name("a.example."))
        .require_no_records(name("b.example."), RecordType::MX)
        .require_record(a(1))
        .remove(a(1))
        .remove_name(name("b.example."))
        .insert(a(2))
}

#[test]
fn an_update() {
    let world = World::new(1);
    let server = TestServer::new();
    let host = world.server("primary", &server);
    let resolver = world.resolver(asking(&[]));
    let to = NameServer::new((host.addr(), 53));
    world.get(resolver.update(&to, update(), None)).unwrap();
    let asked = &server.asked()[0];
    assert!(inspect(&asked.bytes, &MessageLimits::update()).is_ok());
    let message = &asked.query;
    assert_eq!(message.metadata.op_code, OpCode::Update);
    assert_eq!((message.answers.len(), message.authorities.len()), (3, 3));
    let classes: Vec<_> =
        message.answers.iter().chain(&message.authorities).map(|it| it.dns_class).collect();
    use DNSClass::{ANY, IN, NONE};
    assert_eq!(classes, [ANY, NONE, IN, NONE, ANY, IN]);
    // Over TCP, if it is long.
    let long = (0..100).fold(update(), |update, last| update.insert(a(last)));
    world.get(resolver.update(&to, long, None)).unwrap();
    assert!(server.asked()[1].over_tcp);
}

#[test]
fn updates_that_are_refused() {
    let world = World::new(2);
    let server = TestServer::new().react(|_| Reaction::Code(ResponseCode::NXRRSet));
    let host = world.server("primary", &server);
    let resolver = world.resolver(asking(&[]));
    let error = world
        .get(resolver.update(&NameServer::new((host.addr(), 53)), update(), None))
        .unwrap_err();
    assert!(matches!(error, UpdateError::Refused(ResponseCode::NXRRSet)), "{error}");
    // It is not sent twice, since it may have been carried out.
    let silent = TestServer::new().react(|_| Reaction::Drop);
    let host = world.server("silent", &silent);
    let error = world
        .get(resolver.update(&NameServer::new((host.addr(), 53)), update(), None))
        .unwrap_err();
    assert!(
        matches!(error, UpdateError::Server { cause: ServerError::TimedOut(_), .. }),
        "{error}"
    );
    assert_eq!(silent.asked().len(), 1);
}

#[test]
fn a_notification_is_repeated_until_it_is_confirmed() {
    let world = World::new(3);
    let server = TestServer::new();
    let of_reaction = server.clone();
    let server =
        server.react(
            move |_| {
                if of_reaction.asked().len() < 3 { Reaction::Drop } else { Reaction::Usual }
            },
        );
    let host = world.server("secondary", &server);
    let resolver = world.resolver(asking(&[]));
    let soa = sinew_dns::codec::rdata::SOA::new(name("ns."), name("me."), 7, 1, 1, 1, 1);
    let to = NameServer::new((host.addr(), 53));
    world.get(resolver.notify(&to, "example", Some(soa), None)).unwrap();
    assert_eq!(server.asked().len(), 3);
    let message = &server.asked()[2].query;
    assert_eq!((message.metadata.op_code, message.answers.len()), (OpCode::Notify, 1));
    assert!(inspect(&server.asked()[2].bytes, &MessageLimits::notify()).is_ok());
}

#[test]
fn signed_updates() {
    let key = || TsigKey::new(name("key."), TsigAlgorithm::HmacSha512, b"a secret of both");
    let world = World::new(4);
    let now = world.reactor().wall_clock().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let server = TestServer::new().react(move |asked| {
        let Ok(mac) = key().verify(&asked.bytes, None, now) else {
            return Reaction::Code(ResponseCode::NotAuth);
        };
        let mut message = Message::response(asked.query.metadata.id, OpCode::Update);
        message.add_queries(asked.query.queries.iter().cloned());
        let bytes = encode(&message, 65_535).unwrap();
        Reaction::Raw(vec![key().sign(&bytes, now, Some(&mac)).unwrap().bytes])
    });
    let host = world.server("primary", &server);
    let resolver = world.resolver(asking(&[]));
    let to = NameServer::new((host.addr(), 53));
    world.get(resolver.update(&to, update(), Some(key()))).unwrap();
    let other = TsigKey::new(name("key."), TsigAlgorithm::HmacSha512, b"another");
    let error = world.get(resolver.update(&to, update(), Some(other))).unwrap_err();
    assert!(matches!(error, UpdateError::Signature(_)), "{error}");
    let error = world.get(resolver.update(&to, update(), None)).unwrap_err();
    assert!(matches!(error, UpdateError::Refused(ResponseCode::NotAuth)), "{error}");
}
