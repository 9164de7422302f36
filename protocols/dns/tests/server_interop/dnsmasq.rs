//! dnsmasq between our forwarder and our authoritative server: it is the client of one, and the server of the other.

use std::net::SocketAddr;

use sinew_dns::{
    client::{DnsConfig, DnsResolver, NameServer},
    codec::{Message, Question, RecordType, ResponseCode},
    server::{DnsServer, Forward, Zones},
    zone::Zone,
};
use sinew_transports::reactor::Reactor;

use crate::{
    program::{Folder, Running, dnsmasq, free_address},
    watchdog,
};

/// Runs dnsmasq, which asks our server for all names of the zone.
fn start(folder: &Folder, addr: SocketAddr, authority: SocketAddr) -> Option<Running> {
    let mut command = dnsmasq(folder, addr)?;
    command.arg(format!("--server=/example/{}#{}", authority.ip(), authority.port()));
    Some(Running::start(&mut command, "started"))
}

/// The zone: its last record set is too long for a datagram, so that dnsmasq asks once more over TCP.
fn zone() -> Zone {
    let mut text = String::from(
        "$TTL 300\n@ SOA ns root 7 3600 600 86400 60\n@ NS ns\nns A 192.0.2.1\nns AAAA 2001:db8::1\n@ MX 10 ns\n\
         www CNAME ns\n*.wild TXT \"wild\"\n",
    );
    (0..60).for_each(|at| text += &format!("long TXT \"number {at:080}\"\n"));
    Zone::parse(text, &"example.".parse().unwrap()).unwrap()
}

#[test]
fn dnsmasq_between_our_servers() {
    watchdog::watch_this_test();
    let (folder, addr) = (Folder::new(), free_address());
    let reactor = Reactor::new().unwrap();
    let zones = Zones::new();
    zones.insert(zone());
    let any = || "127.0.0.1:0".parse().unwrap();
    let authority = DnsServer::new(zones);
    let at = authority.listen(&reactor, any()).unwrap();
    let Some(_running) = start(&folder, addr, at.local()) else { return };
    let upstream = DnsResolver::new(&reactor, DnsConfig::default().servers([addr]));
    let forwarder = DnsServer::new(Forward::new(upstream)).listen(&reactor, any()).unwrap();

    let server = NameServer::new(forwarder.local());
    let client = DnsResolver::new(&reactor, DnsConfig::default().servers([forwarder.local()]));
    // One run: the ports of a server end with it.
    let asking = async move {
        let mut answers = Vec::new();
        for (name, record_type) in [
            ("ns.example.", RecordType::A),
            ("ns.example.", RecordType::AAAA),
            ("example.", RecordType::MX),
            ("www.example.", RecordType::A),
            ("a.wild.example.", RecordType::TXT),
            ("long.example.", RecordType::TXT),
            ("none.example.", RecordType::A),
            ("www.example.", RecordType::MX),
            ("ns.example.", RecordType::A),
        ] {
            let question = Question::new(name.parse().unwrap(), record_type);
            answers.push(client.query_server(&server, question).await.unwrap());
        }
        answers
    };
    let answers: Vec<Message> = reactor.run_until(asking).unwrap();
    let told = |message: &Message| {
        let data = message.answers.iter().map(|record| record.data.to_string());
        (message.metadata.response_code, data.collect::<Vec<_>>())
    };
    let found = |data: &[&str]| {
        (ResponseCode::NoError, data.iter().map(|data| (*data).to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(told(&answers[0]), found(&["192.0.2.1"]));
    assert_eq!(told(&answers[1]), found(&["2001:db8::1"]));
    assert_eq!(told(&answers[2]), found(&["10 ns.example."]));
    assert_eq!(told(&answers[3]), found(&["ns.example.", "192.0.2.1"]));
    assert_eq!(told(&answers[4]), found(&["wild"]));
    assert_eq!(answers[5].answers.len(), 60);
    assert_eq!(told(&answers[6]), (ResponseCode::NXDomain, Vec::new()));
    assert_eq!(answers[7].metadata.response_code, ResponseCode::NoError);
    assert_eq!(told(&answers[8]), told(&answers[0]));
    let stats = authority.stats();
    assert!(stats.udp_messages >= 7 && stats.stream_messages >= 1, "{stats:?}");
    assert_eq!(stats.malformed, 0, "{stats:?}");
}
