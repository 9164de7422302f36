//! Messages to the service manager, received by one that the test plays.

#![cfg(unix)]

use std::{
    io,
    os::unix::net::{SocketAddr, UnixDatagram},
    time::Duration,
};

use sinew_application::{
    MultiService, Service,
    notify::{Notifier, NotifyService},
};
use sinew_reactor::Reactor;

#[path = "../../tests/support/watchdog.rs"]
mod watchdog;

struct Manager {
    socket: UnixDatagram,
    addr: SocketAddr,
}

impl Manager {
    /// Listens at a fresh path below the folder for temporary files.
    fn new(name: &str) -> Self {
        watchdog::watch_this_test();
        let folder = std::env::temp_dir();
        let path = folder.join(format!("sinew-notify-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self { addr: SocketAddr::from_pathname(&path).unwrap(), socket }
    }

    fn received(&self) -> Vec<String> {
        let mut messages = Vec::new();
        let mut buffer = vec![0; 10_000];
        loop {
            match self.socket.recv(&mut buffer) {
                Ok(bytes) => messages.push(String::from_utf8(buffer[..bytes].to_vec()).unwrap()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return messages,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        if let Some(path) = self.addr.as_pathname() {
            let _ = std::fs::remove_file(path);
        }
    }
}

#[test]
fn every_message_is_as_sd_notify_says() {
    let manager = Manager::new("messages");
    let notifier = Notifier::new(manager.addr.clone(), None).unwrap();
    let reactor = Reactor::simulated(1);
    reactor.advance(Duration::from_secs(2)).unwrap();
    notifier.ready().unwrap();
    notifier.reloading(&reactor).unwrap();
    notifier.status("halfway\nREADY=1").unwrap();
    notifier.main_pid(77).unwrap();
    notifier.alive().unwrap();
    notifier.stopping().unwrap();
    notifier.status(&"é".repeat(5_000)).unwrap();
    let received = manager.received();
    let expected = [
        "READY=1",
        "RELOADING=1\nMONOTONIC_USEC=2000000",
        "STATUS=halfway",
        "MAINPID=77",
        "WATCHDOG=1",
        "STOPPING=1",
    ];
    assert_eq!(received[..6], expected);
    assert_eq!(received[6].len(), 4095, "cut between two characters");
}

#[test]
fn service_says_ready_last_stopping_first_and_alive_in_between() {
    let manager = Manager::new("service");
    let reactor = Reactor::simulated(1);
    let services = MultiService::new();
    let notifier = Notifier::new(manager.addr.clone(), Duration::from_secs(10)).unwrap();
    services.add("notify", NotifyService::new(notifier)).unwrap();
    services.privileged_start(&reactor).unwrap();
    assert!(manager.received().is_empty());
    services.start(&reactor).unwrap();
    assert_eq!(manager.received(), ["READY=1"]);
    reactor.advance(Duration::from_secs(11)).unwrap();
    assert_eq!(manager.received(), ["WATCHDOG=1", "WATCHDOG=1"]);
    let stopped = services.stop(&reactor);
    assert_eq!(manager.received(), ["STOPPING=1"]);
    reactor.advance(Duration::from_secs(5)).unwrap();
    stopped.take().unwrap().unwrap();
    assert_eq!(manager.received(), ["WATCHDOG=1"], "while the others drain");
}

#[test]
fn manager_that_is_gone_or_does_not_read_stops_nothing() {
    let manager = Manager::new("gone");
    let notifier = Notifier::new(manager.addr.clone(), None).unwrap();
    // It does not read: the queue of its socket fills up.
    let full = (0..100_000).find_map(|_| notifier.alive().err()).expect("a queue has an end");
    assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    drop(manager);
    assert!(notifier.ready().is_err());
    let reactor = Reactor::simulated(1);
    NotifyService::new(notifier).start(&reactor).unwrap();
    NotifyService::default().start(&reactor).unwrap();
}
