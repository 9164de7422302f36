//! kdig asks our server over TLS, and takes only a certificate for its name.

use std::process::Command;

use sinew_dns::{
    server::{DnsServer, Zones},
    zone::Zone,
};
use sinew_transports::{
    reactor::Reactor,
    tls::{Identity, ReactorTls, TlsServerConfig},
};

use crate::{
    program::{Folder, find},
    watchdog,
};

#[test]
fn kdig_over_tls_by_name() {
    watchdog::watch_this_test();
    let Some(kdig) = find("kdig") else { return };
    let folder = Folder::new();
    let made = rcgen::generate_simple_self_signed(vec!["dns.example".to_owned()]).unwrap();
    let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let ca = folder.write("cert.pem", &cert);
    let zones = Zones::new();
    let text = "@ 60 SOA ns root 1 1 1 1 1\nwww 60 A 192.0.2.1\n";
    zones.insert(Zone::parse(text, &"example.".parse().unwrap()).unwrap());
    let server = DnsServer::new(zones);
    let reactor = Reactor::new().unwrap();
    let config = TlsServerConfig::new(Identity::from_pem(&cert, &key).unwrap());
    let port = reactor.listen_tls("127.0.0.1:0", &config, server.clone()).unwrap();
    let ask = |name: &'static str| {
        let mut command = Command::new(&kdig);
        command
            .arg(format!("@{}", port.local().ip()))
            .arg(format!("-p{}", port.local().port()))
            .arg(format!("+tls-ca={}", ca.display()))
            .arg(format!("+tls-hostname={name}"))
            .args(["+tls", "+retry=0", "+time=5", "www.example", "A"]);
        reactor.defer_to_thread(move || command.output())
    };
    let (right, wrong) = (ask("dns.example"), ask("other.example"));
    // One run: the port of the server ends with it.
    let both = async move { (right.await.unwrap().unwrap(), wrong.await.unwrap().unwrap()) };
    let (right, wrong) = reactor.run_until(both).unwrap();
    let text = |output: &[u8]| String::from_utf8_lossy(output).into_owned();
    assert!(text(&right.stdout).contains("192.0.2.1"), "{right:?}");
    assert!(text(&right.stdout).contains("TLS session"), "{right:?}");
    assert!(!text(&wrong.stdout).contains("192.0.2.1"), "{wrong:?}");
    assert_eq!(server.stats().stream_messages, 1);
}
