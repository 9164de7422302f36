//! TLS combined with other wrappers: recordings, and file-descriptor passing over a Unix socket.

use std::{cell::Cell, rc::Rc, time::Duration};

use sinew::{
    prelude::*,
    testing::{Recording, tap},
};

use crate::support::{certs, sockets::any_port};

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

/// Sends one request, and closes after the answer.
struct Asker(Rc<Cell<bool>>);

impl Protocol for Asker {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(b"in the clear");
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        assert_eq!(data, b"in the clear");
        transport.lose_connection();
    }

    fn connection_lost(&mut self, transport: &Transport, _: &ConnectionLost) {
        self.0.set(true);
        transport.reactor().unwrap().stop().unwrap();
    }
}

fn engines() -> impl Iterator<Item = Reactor> {
    let engines = Engine::ALL.iter().filter(|engine| engine.check().is_ok());
    engines.map(|engine| {
        crate::support::watchdog::watch_this_test();
        let reactor = Reactor::builder().engine(*engine).build().unwrap();
        reactor.call_later(Duration::from_secs(20), |_| panic!("it takes too long"));
        reactor
    })
}

/// The recording is above TLS: it contains plaintext.
#[test]
fn a_recording_contains_plaintext() {
    for reactor in engines() {
        let recording = Recording::new();
        let factory = tap(|_: &Peer| Echo, &recording);
        let port = reactor.listen_tls(any_port(), &certs::server(), factory).unwrap();
        let is_over = Rc::new(Cell::new(false));
        let tells = is_over.clone();
        let factory = tap(move |_: &Peer| Asker(tells.clone()), &recording);
        reactor.connect_tls(port.local(), &certs::client(), factory).detach();
        reactor.run().unwrap();
        assert!(is_over.get());
        let mut text = Vec::new();
        recording.write_to(&mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text.matches("in the clear").count(), 4, "{text}");
    }
}

#[cfg(unix)]
mod over_unix {
    use std::fs::File;

    use sinew::transports::UnixListenConfig;

    use super::*;
    use crate::support::sockets::free_path;

    /// Sends a descriptor, then a word over TLS.
    struct Giver;

    impl Protocol for Giver {
        fn connection_made(&mut self, transport: &Transport) {
            transport.send_descriptor(File::open("/dev/null").unwrap()).unwrap();
            transport.write(b"take it");
            transport.start_tls(&certs::server()).unwrap();
            transport.write(b"secret");
        }

        fn data_received(&mut self, _: &Transport, _: &[u8]) {}
    }

    struct Taker(Rc<Cell<bool>>);

    impl Protocol for Taker {
        fn data_received(&mut self, transport: &Transport, data: &[u8]) {
            if transport.tls_info().is_none() {
                assert_eq!(data, b"take it");
                assert!(transport.take_descriptor().is_some());
                transport.start_tls(certs::client().to("localhost").unwrap()).unwrap();
            } else {
                assert_eq!(data, b"secret");
                let null = File::open("/dev/null").unwrap();
                assert!(transport.send_descriptor(null).is_err(), "TLS carries bytes only");
                self.0.set(true);
                transport.lose_connection();
            }
        }

        fn connection_lost(&mut self, transport: &Transport, _: &ConnectionLost) {
            transport.reactor().unwrap().stop().unwrap();
        }
    }

    #[test]
    fn a_descriptor_is_sent_before_tls_starts() {
        for reactor in engines() {
            let path = free_path();
            let config = UnixListenConfig::default();
            let _port = reactor.listen_unix_with(&path, config, |_: &Peer| Giver).unwrap();
            let was_told = Rc::new(Cell::new(false));
            let tells = was_told.clone();
            let stream = StreamConfig::default().receive_descriptors(4);
            let config = ConnectConfig::default().stream(stream);
            let factory = move |_: &Peer| Taker(tells.clone());
            reactor.connect_unix_with(&path, config, factory).detach();
            reactor.run().unwrap();
            assert!(was_told.get());
        }
    }
}
