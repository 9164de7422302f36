//! A login that is bound to a connection over TLS.

use std::{cell::RefCell, rc::Rc};

use sinew_auth::{Authenticator, Channel, ClientLogin, Mechanism};
use sinew_transports::{
    Peer, Protocol, Transport,
    reactor::Reactor,
    tls::{Identity, ReactorTls, TlsClientConfig, TlsServerConfig, TrustedRoots},
};

use super::support::{Login, config, users};

/// Stores what is known of its connection.
struct Seen(Rc<RefCell<Vec<Channel>>>);

impl Protocol for Seen {
    fn connection_made(&mut self, transport: &Transport) {
        self.0.borrow_mut().push(Channel::of(transport));
    }
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

#[test]
fn both_ends_of_a_connection_know_the_same() {
    crate::watchdog::watch_this_test();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let identity = Identity::from_pem(made.cert.pem(), made.signing_key.serialize_pem()).unwrap();
    let roots = TrustedRoots::from_pem(made.cert.pem()).unwrap();
    let client = TlsClientConfig::new(roots).server_name("localhost").unwrap();

    let reactor = Reactor::new().unwrap();
    let (ours, theirs) = (Rc::<RefCell<Vec<_>>>::default(), Rc::<RefCell<Vec<_>>>::default());
    let seen = Rc::clone(&theirs);
    let server = TlsServerConfig::new(identity);
    let port =
        reactor.listen_tls("127.0.0.1:0", &server, move |_: &Peer| Seen(seen.clone())).unwrap();
    let seen = Rc::clone(&ours);
    let connected = reactor.connect_tls(port.local(), &client, move |_: &Peer| Seen(seen.clone()));
    let _connection = reactor.run_until(connected).unwrap().unwrap();
    while theirs.borrow().is_empty() || ours.borrow().is_empty() {
        reactor.turn(None).unwrap();
    }
    let (ours, theirs) = (ours.borrow()[0].clone(), theirs.borrow()[0].clone());
    assert!(ours.is_encrypted() && theirs.is_encrypted());

    let users = Authenticator::with(users(), config());
    let offered = users.mechanisms(&theirs);
    assert_eq!(offered[0].name(), "SCRAM-SHA-256-PLUS");
    let names: Vec<_> = offered.into_iter().map(Mechanism::name).collect();
    let login = ClientLogin::password("ann", "secret");
    let chosen = login.choose(&names, &ours).unwrap();
    let first = String::from_utf8(chosen.initial().unwrap().unwrap()).unwrap();
    assert!(first.starts_with("p=tls-server-end-point,,n=ann,r="), "{first}");
    assert_eq!(Login::new(&users, theirs).run(&login, &names, &ours, true).unwrap().name(), "ann");
}
