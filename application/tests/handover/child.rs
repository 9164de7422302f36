//! The program that is replaced: echo servers on TCP, Unix and UDP, and a room to talk in. What its next version does wrong is read
//! from a file, so that the test can say it.

use std::{
    cell::RefCell,
    collections::HashMap,
    env, fs,
    io::{Read, Write},
    net::SocketAddr,
    os::unix::net::UnixStream,
    process::{self, Command},
    rc::Rc,
    time::Duration,
};

use sinew_application::handover::Handover;
use sinew_reactor::{Deferred, Engine, Phase, Reactor, Signal, inherited};
use sinew_transports::{
    ConnectionId, ConnectionLost, DatagramConfig, DatagramProtocol, DatagramTransport,
    ListenConfig, Peer, Protocol, Transport,
};

pub(super) struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }

    /// Long connections are finished by their clients.
    fn drain_requested(&mut self, _: &Transport) {}
}

impl DatagramProtocol for Echo {
    fn datagram_received(&mut self, transport: &DatagramTransport, data: &[u8], from: SocketAddr) {
        transport.send_to(data, from);
    }
}

type Members = Rc<RefCell<HashMap<ConnectionId, (String, Transport)>>>;

/// A member of the room: its first line is its name.
struct Member {
    members: Members,
    name: String,
    line: Vec<u8>,
}

impl Protocol for Member {
    fn connection_made(&mut self, transport: &Transport) {
        if !self.name.is_empty() {
            self.enter(transport);
        }
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        for byte in data {
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            let line = String::from_utf8(std::mem::take(&mut self.line)).unwrap();
            if self.name.is_empty() {
                self.name = line;
                self.enter(transport);
                transport.write(b"welcome\n");
            } else {
                let line = format!("{}: {line}\n", self.name);
                for (_, member) in self.members.borrow().values() {
                    member.write(&line);
                }
            }
        }
    }

    fn take_unread(&mut self, _: &Transport) -> bytes::Bytes {
        std::mem::take(&mut self.line).into()
    }

    fn saved_state(&self) -> Option<Vec<u8>> {
        (!self.name.is_empty()).then(|| self.name.clone().into_bytes())
    }

    fn connection_lost(&mut self, transport: &Transport, _: &ConnectionLost) {
        self.members.borrow_mut().remove(&transport.id());
    }
}

impl Member {
    fn new(members: &Members, name: &str) -> Self {
        Self { members: members.clone(), name: name.to_owned(), line: Vec::new() }
    }

    fn enter(&self, transport: &Transport) {
        let member = (self.name.clone(), transport.clone());
        self.members.borrow_mut().insert(transport.id(), member);
    }
}

pub(super) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n@{line}").unwrap();
    out.flush().unwrap();
}

/// What the version in the environment does wrong before it listens.
fn misbehave(version: &str) {
    match version {
        "crash" => process::abort(),
        "exit" => process::exit(3),
        // For a SIGKILL to come.
        "hang" => {
            let _handover = Handover::inherit().unwrap();
            loop {
                std::thread::park();
            }
        }
        "ignorant" => loop {
            std::thread::park();
        },
        "broken" => {
            let handover = Handover::inherit().unwrap();
            handover.failed(&"the configuration is broken");
            process::exit(1);
        }
        "garbage" | "crash_committing" | "crash_taken" | "crash_settled" => by_hand(version),
        _ => {}
    }
}

/// Speaks the protocol by hand, and crashes in the middle.
fn by_hand(version: &str) {
    let mut channel = UnixStream::from(inherited(3).unwrap());
    let mut offer = [0; 4096];
    // The descriptors are lost, which does not matter to a process that ends.
    assert!(channel.read(&mut offer).unwrap() > 0);
    if version == "garbage" {
        channel.write_all(b"garbage!garbage!").unwrap();
        loop {
            std::thread::park();
        }
    }
    // Ready, without a name.
    channel.write_all(b"SH\x01\x03\0\0\0\x04\0\0\0\0").unwrap();
    read_until(&mut channel, 4);
    if version != "crash_committing" {
        channel.write_all(b"SH\x01\x05\0\0\0\0").unwrap();
    }
    if version == "crash_settled" {
        read_until(&mut channel, 7);
    }
    process::abort();
}

/// Reads messages until one of this type.
fn read_until(channel: &mut UnixStream, wanted: u8) {
    loop {
        let mut head = [0; 8];
        channel.read_exact(&mut head).unwrap();
        let len = u32::from_be_bytes(head[4..].try_into().unwrap());
        channel.read_exact(&mut vec![0; len as usize]).unwrap();
        if head[3] == wanted {
            return;
        }
    }
}

pub(super) fn main() {
    let folder = env::var("SINEW_TEST_FOLDER").expect("only started by the tests");
    let version = fs::read_to_string(format!("{folder}/version")).unwrap();
    misbehave(&version);
    if let Some(shards) = version.strip_prefix("shards ") {
        return super::shards::main(shards.parse().unwrap(), folder);
    }
    let handover = Handover::inherit().unwrap();
    let engine =
        env::var("SINEW_TEST_ENGINE").map_or(Engine::default(), |name| name.parse().unwrap());
    let builder = Reactor::builder().engine(engine).shutdown_max(Duration::from_secs(100));
    let reactor = builder.build().unwrap();
    let config = ListenConfig::default().backlog(4096);
    let (name, at) = match version.strip_prefix("renamed ") {
        Some(port) => ("renamed", port),
        None => ("echo", "0"),
    };
    let at = format!("tcp:{at}:interface=127.0.0.1").parse().unwrap();
    let echo = handover
        .port(name)
        .config(config.clone())
        .listen_all(&reactor, &at, |_: &Peer| Echo)
        .unwrap();
    let unix = format!("unix:{folder}/echo.sock").parse().unwrap();
    let unix = handover
        .port("unix")
        .config(config.clone())
        .listen(&reactor, &unix, |_: &Peer| Echo)
        .unwrap();
    let udp = handover
        .listen_udp(&reactor, "udp", ([127, 0, 0, 1], 0).into(), DatagramConfig::default(), Echo)
        .unwrap();
    let entered = Members::default();
    let rebuilt = entered.clone();
    let chat = handover
        .port("chat")
        .config(config)
        .rebuild(move |state: &[u8], _: &Peer| {
            Some(Member::new(&rebuilt, str::from_utf8(state).ok()?))
        })
        .listen(&reactor, &"tcp:0:interface=127.0.0.1".parse().unwrap(), move |_: &Peer| {
            Member::new(&entered, "")
        });
    let chat = chat.unwrap();
    let pid = process::id();
    let places = (echo[0].local(), udp.local(), chat.local());
    let addrs = format!(
        "{} {} {}",
        places.0.socket_addr().unwrap(),
        places.1,
        places.2.socket_addr().unwrap()
    );
    upgrade_on_signal(&reactor, &handover, folder);
    let ports = [echo, vec![unix, chat]].concat();
    reactor.on(Phase::BeforeShutdown, move |reactor| {
        let drained: Vec<Deferred<()>> =
            ports.iter().map(|port| port.drain(Duration::from_secs(100))).collect();
        let (promise, done) = reactor.promise();
        let all = async move {
            for port in drained {
                let _ = port.await;
            }
            promise.resolve(());
        };
        reactor.spawn(all).detach();
        done
    });
    let ready = move |reactor: &Reactor| {
        handover.ready(reactor).then(move |_, serves| {
            serves.unwrap();
            say(&format!("serving {pid} {addrs}"));
        });
    };
    if version.starts_with("slow") {
        reactor
            .on_signal(Signal::USR1, {
                let mut ready = Some(ready);
                move |reactor| {
                    if let Some(ready) = ready.take() {
                        ready(reactor);
                    }
                }
            })
            .unwrap();
        reactor.on(Phase::AfterStartup, move |_| say(&format!("waiting {pid}")));
    } else {
        ready(&reactor);
    }
    reactor.run().unwrap();
    say(&format!("gone {pid}"));
    process::exit(0);
}

pub(super) fn upgrade_on_signal(reactor: &Reactor, handover: &Handover, folder: String) {
    let handover = handover.clone();
    let upgrade = move |reactor: &Reactor| {
        let version = fs::read_to_string(format!("{folder}/version")).unwrap();
        let command = match version.as_str() {
            "missing" => Command::new("/no/such/program"),
            _ => {
                let mut command = Command::new(env::current_exe().unwrap());
                command.args(env::args_os().skip(1));
                command
            }
        };
        let start_max = match version.as_str() {
            "hang" | "ignorant" => Duration::from_millis(500),
            _ => Duration::from_secs(60),
        };
        handover.upgrade_within(reactor, start_max, command).then(
            |reactor, upgraded| match upgraded {
                Ok(_) => reactor.stop().unwrap(),
                Err(error) => say(&format!("failed {error}")),
            },
        );
    };
    reactor.on_signal(Signal::USR2, upgrade).unwrap();
}
