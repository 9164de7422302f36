//! The same program on several reactors, as services.

use std::{cell::RefCell, process, time::Duration};

use sinew_application::{
    ServerService, Service, ShardedApplication, StartError, StopError, handover::Handover,
};
use sinew_reactor::{Deferred, Reactor};
use sinew_transports::{
    DatagramConfig, Peer,
    reactors::{Reactors, Shard},
};

use super::child::{Echo, say, upgrade_on_signal};

/// The servers of a reactor.
#[derive(Default)]
struct Servers(RefCell<Vec<ServerService>>);

/// Datagrams and signals, on the first reactor; and says where the servers are.
struct First {
    handover: Handover,
    folder: String,
    udp: RefCell<String>,
}

impl Service for First {
    fn privileged_start(&self, reactor: &Reactor) -> Result<(), StartError> {
        let any = ([127, 0, 0, 1], 0).into();
        let config = DatagramConfig::default();
        let udp = self.handover.listen_udp(reactor, "udp", any, config, Echo);
        self.udp.replace(udp.map_err(StartError::other)?.local().to_string());
        Ok(())
    }

    fn start(&self, reactor: &Reactor) -> Result<(), StartError> {
        upgrade_on_signal(reactor, &self.handover, self.folder.clone());
        let servers = reactor.local::<Servers>();
        let servers = servers.0.borrow();
        let addr = |server: &ServerService| server.ports()[0].local().socket_addr().unwrap();
        let (echo, udp, chat) = (addr(&servers[0]), self.udp.take(), addr(&servers[1]));
        self.handover.ready(reactor).then(move |_, serves| {
            serves.unwrap();
            say(&format!("serving {} {echo} {udp} {chat}", process::id()));
        });
        Ok(())
    }

    fn stop(&self, reactor: &Reactor) -> Deferred<(), StopError> {
        Deferred::ready_on(reactor, ())
    }
}

pub(super) fn main(shards: usize, folder: String) {
    let handover = Handover::inherit().unwrap();
    let server = |endpoint: String, name: &'static str| {
        let handover = handover.clone();
        move |shard: &Shard| {
            let endpoint = endpoint.parse().map_err(StartError::other)?;
            let server = ServerService::new(endpoint, |_: &Peer| Echo)
                .drain(Duration::from_secs(100))
                .handover(&handover, name);
            shard.local::<Servers>().0.borrow_mut().push(server.clone());
            Ok::<_, StartError>(server)
        }
    };
    let tcp = "tcp:0:interface=127.0.0.1:backlog=4096".to_owned();
    let first = (handover.clone(), folder.clone());
    let application = ShardedApplication::new()
        .server("echo", server(tcp.clone(), "echo"))
        .once("chat", server(tcp, "chat"))
        .server("unix", server(format!("unix:{folder}/echo.sock"), "unix"))
        .once("first", move |_: &Shard| {
            let (handover, folder) = first.clone();
            Ok::<_, StartError>(First { handover, folder, udp: RefCell::default() })
        });
    let builder = |_| Reactor::builder().shutdown_max(Duration::from_secs(100));
    application.run(Reactors::new(shards).reactor(builder)).unwrap();
    say(&format!("gone {}", process::id()));
    process::exit(0);
}
