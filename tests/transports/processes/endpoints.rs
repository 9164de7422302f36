//! Programs as endpoints, started for a connection.

use std::{cell::RefCell, io, rc::Rc};

use sinew::{
    prelude::*,
    transports::{
        SpawnError,
        endpoint::{ClientEndpoint, ProcessClient},
    },
};

use super::kit::{Fixture, on_every_engine};

/// Sends data, half-closes, and keeps the answer.
#[derive(Clone, Default)]
struct Asks(Rc<RefCell<(Vec<u8>, Option<String>)>>);

impl Asks {
    fn is_over(&self) -> bool {
        self.0.borrow().1.is_some()
    }
}

impl Protocol for Asks {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(b"hello");
        transport.close_write();
    }

    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.0.borrow_mut().0.extend_from_slice(data);
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        self.0.borrow_mut().1 = Some(reason.to_string());
    }
}

/// The result of connecting.
fn connect(
    fixture: &Fixture,
    to: &ClientEndpoint,
    factory: impl Factory<Protocol = Asks>,
) -> Result<Connection<Asks>, ConnectError> {
    let connecting = to.connect(&fixture.reactor, factory);
    fixture.until(|| connecting.is_settled());
    connecting.take().expect("it is settled").map(OwnedConnection::detach)
}

/// Waits until nothing of the children is left.
fn clear(fixture: &Fixture) {
    fixture.until(|| fixture.reactor.leak_report().is_empty());
}

#[test]
fn each_connection_starts_a_program() {
    on_every_engine("programs", |fixture| {
        let to: ClientEndpoint = "process:cat".parse().unwrap();
        let asks = [Asks::default(), Asks::default()];
        for one in &asks {
            let built = one.clone();
            let connection = connect(fixture, &to, move |peer: &Peer| {
                assert_eq!(*peer, Peer::Pipe);
                built.clone()
            });
            // The protocol's type is known, although the endpoint is type-erased. On a busy machine the program may
            // have ended by now, and the protocol with it.
            assert!(connection.unwrap().with(|_, _| ()).is_some() || one.is_over());
        }
        fixture.until(|| asks.iter().all(Asks::is_over));
        for one in asks {
            assert_eq!(*one.0.borrow(), (b"hello".to_vec(), Some("closed by the peer".into())));
        }
        clear(fixture);
    });
}

#[test]
fn a_program_that_cannot_be_started_is_an_error_and_builds_nothing() {
    on_every_engine("no programs", |fixture| {
        let never = |_: &Peer| -> Asks { panic!("there is nobody to build it for") };
        let result = connect(fixture, &ClientEndpoint::new(ProcessClient::new("/no/such")), never);
        assert!(
            matches!(&result, Err(ConnectError::Spawn(SpawnError::NotFound { program })) if program == "/no/such"),
            "{result:?}"
        );
        let result = connect(fixture, &ClientEndpoint::new(ProcessClient::new("/dev/null")), never);
        match result {
            Err(ConnectError::Spawn(SpawnError::NotExecutable { source, .. })) => {
                assert_eq!(source.kind(), io::ErrorKind::PermissionDenied);
            }
            other => panic!("{other:?}"),
        }
    });
}

/// The program gets EOF on its input, and exits.
#[test]
fn a_program_for_which_no_protocol_is_built_ends() {
    struct Refuses;
    impl Factory for Refuses {
        type Protocol = Asks;
        fn build_protocol(&mut self, _: &Peer) -> Option<Asks> {
            None
        }
    }
    on_every_engine("refused programs", |fixture| {
        let result = connect(fixture, &"process:cat:stderr=log".parse().unwrap(), Refuses);
        assert!(matches!(result, Err(ConnectError::NoProtocol(Peer::Pipe))), "{result:?}");
        clear(fixture);
    });
}

#[test]
fn cancelling_in_time_starts_no_program() {
    on_every_engine("cancelled programs", |fixture| {
        let never = |_: &Peer| -> Asks { panic!("there is nobody to build it for") };
        let connecting =
            ClientEndpoint::new(ProcessClient::new("cat")).connect(&fixture.reactor, never);
        connecting.cancel();
        fixture.until(|| connecting.is_settled());
        assert!(matches!(connecting.take(), Some(Err(ConnectError::GivenUp(_)))));
        clear(fixture);
    });
}

/// The program writes more than its pipes hold before it reads.
#[test]
fn a_program_may_write_before_it_reads() {
    on_every_engine("much both ways", |fixture| {
        let asks = Asks::default();
        let to = ProcessClient::new("sh").argument("-c").argument("head -c 1000000 /dev/zero; cat");
        let one = asks.clone();
        let connection = connect(fixture, &ClientEndpoint::new(to), move |_: &Peer| one.clone());
        drop(connection.unwrap());
        fixture.until(|| asks.is_over());
        assert_eq!(asks.0.borrow().0.len(), 1_000_005);
        clear(fixture);
    });
}
