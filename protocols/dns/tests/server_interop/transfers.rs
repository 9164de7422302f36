//! NSD as a secondary server of ours: it receives the zone, and serves it.

use std::{net::SocketAddr, process::Command, time::Duration};

use sinew_dns::{
    client::{DnsConfig, DnsResolver, NameServer, TransferConfig, TransferError, TransferEvent},
    codec::{Question, Record, RecordType},
    server::{Acl, DnsServer, TransferAccess, Zones},
    zone::Zone,
};
use sinew_transports::reactor::Reactor;

use crate::{
    program::{Folder, Running, find, free_address},
    watchdog,
};

const TEXT: &str = "$TTL 300\n@ SOA ns root 7 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\nMixed.Case TXT \"a b\"\n*.w MX 1 ns\n";

fn zone(text: &str) -> Zone {
    Zone::parse(text, &"example.".parse().unwrap()).unwrap()
}

fn secondary(folder: &Folder, addr: SocketAddr, primary: SocketAddr) -> Option<Running> {
    let program = find("nsd")?;
    let path = folder.path().display();
    let config = format!(
        "server:\n ip-address: 127.0.0.9@{port}\n server-count: 1\n username: \"\"\n chroot: \"\"\n zonesdir: \"{path}\"\n \
         pidfile: \"{path}/pid\"\n database: \"\"\n zonelistfile: \"{path}/list\"\n xfrdfile: \"{path}/xfrd\"\n xfrdir: \"{path}\"\n \
         verbosity: 2\n\
         remote-control:\n control-enable: no\n\
         zone:\n name: \"example\"\n zonefile: \"example.zone\"\n request-xfr: AXFR 127.0.0.1@{primary} NOKEY\n \
         allow-notify: 127.0.0.0/8 NOKEY\n provide-xfr: 127.0.0.0/8 NOKEY\n",
        port = addr.port(),
        primary = primary.port(),
    );
    let config = folder.write("nsd.conf", config);
    Some(Running::start(Command::new(program).arg("-d").arg("-c").arg(config), "nsd started"))
}

/// The records of the zone as a server transfers them.
async fn transferred(
    resolver: &DnsResolver,
    server: &NameServer,
) -> Result<Vec<Record>, TransferError> {
    let mut transfer = resolver.transfer(server, "example", TransferConfig::default()).await?;
    let mut records = Vec::new();
    while let Some(event) = transfer.next().await? {
        match event {
            TransferEvent::Added(record) => records.push(*record),
            TransferEvent::Whole { soa } => records.push(Record::from_rdata(
                "example.".parse().unwrap(),
                300,
                sinew_dns::codec::RData::SOA(*soa),
            )),
            _ => {}
        }
    }
    Ok(records)
}

#[test]
fn nsd_is_a_secondary_of_ours() {
    watchdog::watch_this_test();
    let zones = Zones::new();
    zones.insert(zone(TEXT));
    zones.allow_transfers(TransferAccess::new(Acl::loopback()));
    let reactor = Reactor::new().unwrap();
    let server = DnsServer::new(zones.clone());
    let primary = server.listen(&reactor, "127.0.0.1:0".parse().unwrap()).unwrap().local();
    let (folder, addr) = (Folder::new(), free_address());
    let Some(_running) = secondary(&folder, addr, primary) else { return };
    let resolver = DnsResolver::new(&reactor, DnsConfig::default().servers([addr]));
    let nsd = NameServer::new(addr);

    let handle = reactor.clone();
    let received = reactor.run_until(async move {
        for (text, serial) in
            [(TEXT.to_owned(), 7), (TEXT.replace(" 7 ", " 8 ") + "new A 192.0.2.8\n", 8)]
        {
            zones.insert(zone(&text));
            if serial > 7 {
                resolver.notify(&nsd, "example", None, None).await.unwrap();
            }
            // NSD has no event for a finished transfer: it is asked until it has the version.
            loop {
                let question = Question::new("example.".parse().unwrap(), RecordType::SOA);
                let answer = resolver.query_server(&nsd, question).await.unwrap();
                if answer
                    .answers
                    .first()
                    .is_some_and(|it| it.data.to_string().contains(&format!(" {serial} ")))
                {
                    break;
                }
                handle.sleep(Duration::from_millis(20)).await;
            }
            // NSD replaces the process that answers after a transfer, and with it go the connections of that process.
            let records = loop {
                match transferred(&resolver, &nsd).await {
                    Ok(records) => break records,
                    Err(_) => handle.sleep(Duration::from_millis(20)).await,
                }
            };
            let theirs = Zone::from_records(&"example.".parse().unwrap(), &records).unwrap();
            assert_eq!(theirs.to_string().to_lowercase(), zone(&text).to_string().to_lowercase());
        }
    });
    received.unwrap();
    assert_eq!(server.stats().transfers, 2);
}
