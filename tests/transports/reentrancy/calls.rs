//! Every public call that does not end anything, one after another, with guarded user code in every argument.

use std::{cell::Cell, error::Error, fmt, fs::File, io, rc::Rc, time::Duration};

use bytes::Bytes;
use sinew::{
    prelude::*,
    reactor::{Failure, Handler, Interest, Ready, RunError, Token},
    transports::{
        RelayError,
        endpoint::{ClientEndpoint, ProcessClient},
        memory,
        tls::ReactorTls,
    },
};

use super::detector::{Guest, enter, look_in};
use crate::support::certs;

const LONG: Duration = Duration::from_secs(1000);

/// An error that is guarded user code.
#[derive(Debug)]
pub(crate) struct Complaint(#[allow(dead_code, reason = "its drop is what counts")] Guest);

impl Complaint {
    pub(crate) fn new() -> Self {
        Self(Guest("the drop of an error"))
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a complaint")
    }
}

impl Error for Complaint {}

/// A guarded producer, called this many times.
pub(crate) struct Feeder {
    left: usize,
    _guest: Guest,
}

impl Feeder {
    pub(crate) fn new(pieces: usize) -> Self {
        Self { left: pieces, _guest: Guest("the drop of a producer") }
    }
}

impl Producer for Feeder {
    fn produce(&mut self, transport: &Transport) -> Production {
        enter("a producer", || {
            transport.write(b"fed");
            transport.resume_producing();
            self.left -= 1;
            if self.left == 0 { Production::Done } else { Production::Waiting }
        })
        .unwrap_or(Production::Done)
    }
}

/// A guarded protocol that does nothing.
pub(crate) struct Quiet(#[allow(dead_code, reason = "its drop is what counts")] Guest);

impl Quiet {
    pub(crate) fn new() -> Self {
        Self(Guest("the drop of a protocol"))
    }
}

impl Protocol for Quiet {
    fn connection_made(&mut self, _: &Transport) {
        look_in("connection_made of another");
    }

    fn data_received(&mut self, _: &Transport, _: &[u8]) {}

    fn connection_lost(&mut self, _: &Transport, _: &ConnectionLost) {
        look_in("connection_lost of another");
    }
}

/// A guarded factory.
pub(crate) struct Builder(#[allow(dead_code, reason = "its drop is what counts")] Guest);

impl Builder {
    pub(crate) fn new() -> Self {
        Self(Guest("the drop of a factory"))
    }
}

impl Factory for Builder {
    type Protocol = Quiet;

    fn build_protocol(&mut self, _: &Peer) -> Option<Quiet> {
        enter("build_protocol of another", Quiet::new)
    }

    fn started(&mut self) {
        look_in("started of another");
    }

    fn stopped(&mut self) {
        look_in("stopped of another");
    }
}

pub(crate) fn ask_transport(transport: &Transport) {
    transport.write(b"a");
    transport.write_vectored(&[b"b", b"c"]);
    transport.write_bytes(Bytes::from_static(b"d"));
    transport.write_bytes(Bytes::from_owner(Large(Guest("the drop of an owner of bytes"))));
    transport.stream(Feeder::new(2));
    transport.resume_producing();
    let file = File::open("/dev/null").expect("it is always there");
    transport.send_file(file, ..0).expect("it can be positioned");
    let (id, peer, local) = (transport.id(), transport.peer(), transport.local());
    let known = (transport.queued(), transport.is_closing(), transport.is_reading());
    let clone = transport.clone();
    assert_eq!(transport.relay(&clone).err(), Some(RelayError::SameConnection));
    assert_eq!(transport.relayed(), None);
    assert!(clone == *transport && clone.id() == id);
    let text = format!("{transport:?} {id:?} {peer} {local:?} {known:?}");
    assert!(text.contains("Transport"));
    transport.pause_reading();
    transport.resume_reading();
    transport.hold_reading(Duration::from_millis(1));
    transport.hold_reading(Duration::ZERO);
    transport.yield_turn();
    transport.set_auto_pause(false);
    transport.set_auto_pause(true);
    if let Some(timer) = transport.call_later(Duration::ZERO) {
        transport.cancel_timer(timer);
    }
    transport.call_later(LONG);
    transport.set_idle_timeout(LONG);
    transport.set_idle_timeout(None);
    let _ = (transport.set_no_delay(true), transport.set_keepalive(LONG));
}

struct Large(#[allow(dead_code, reason = "its drop is what counts")] Guest);

impl AsRef<[u8]> for Large {
    fn as_ref(&self) -> &[u8] {
        &[b'e'; 10_000]
    }
}

pub(crate) fn ask_port(port: &ListeningPort) {
    let known = (port.local(), port.connections(), port.clone());
    assert!(!format!("{port:?} {known:?}").is_empty());
    port.pause();
    port.resume();
    port.when_closed().then(|_, _| look_in("a callback of the end of a port"));
}

pub(crate) fn ask_reactor(reactor: &Reactor) {
    assert!(matches!(reactor.run(), Err(RunError::AlreadyRunning)));
    assert!(matches!(reactor.turn(None), Err(RunError::AlreadyRunning)));
    assert!(matches!(reactor.run_until(async {}), Err(RunError::AlreadyRunning)));
    let _ = (reactor.engine(), reactor.is_edge_triggered(), reactor.is_running(), reactor.now());
    let _ = (reactor.wall_clock(), reactor.stats(), reactor.meter(), reactor.local::<Cell<u8>>());
    assert!(reactor.downgrade().upgrade().is_some());
    ask_for_calls(reactor);
    ask_for_values(reactor);
    ask_for_handlers(reactor);
    ask_for_connections(reactor);
}

fn ask_for_calls(reactor: &Reactor) {
    let guest = Guest("the drop of a call");
    reactor.call_soon(move |_| {
        look_in("a call");
        drop(guest);
    });
    let remote = reactor.remote();
    remote.call(|_| look_in("a call from a thread")).expect("it runs");
    let late = reactor.call_later(LONG, with("a late call"));
    let soon = reactor.call_later(Duration::ZERO, with("an early call"));
    assert!(late.reset(LONG) && late.delay(LONG) && late.is_active() && late.due().is_some());
    assert!(late.cancel() && soon.is_active());
    let mut with_guest = Some(Guest("the drop of a looping call"));
    let series = reactor.call_every(Duration::from_millis(1), move |_| {
        look_in("a looping call");
        with_guest.take();
    });
    assert!(series.is_active() && series.skipped() == 0);
    assert!(reactor.call_every(LONG, |_| ()).stop());
    reactor.on(Phase::DuringShutdown, |_| look_in("a trigger"));
    reactor.defer_drop(Guest("the drop of what was let go of"));
}

fn with(name: &'static str) -> impl FnOnce(&Reactor) {
    let guest = Guest("the drop of a delayed call");
    move |_| {
        look_in(name);
        drop(guest);
    }
}

fn ask_for_values(reactor: &Reactor) {
    let (promise, deferred) = reactor.promise::<Guest, Failure>();
    promise.on_cancel(|_| look_in("a canceller"));
    deferred.then(|_, _| look_in("a callback of a deferred"));
    assert!(promise.is_pending());
    promise.resolve(Guest("the drop of a value"));
    let (promise, deferred) = reactor.promise::<(), Failure>();
    let guest = Guest("the drop of a canceller");
    promise.on_cancel(move |_| drop(guest));
    deferred.cancel();
    assert!(deferred.is_settled() && deferred.take().is_some());
    let (promise, deferred) = reactor.promise::<(), Failure>();
    deferred.then(|_, _| look_in("a callback of what was abandoned"));
    drop(promise);
    let job = reactor.defer_to_thread(|| 1);
    job.then(|_, _| look_in("a callback of a job"));
    let guest = Guest("the drop of a future");
    let task = reactor.spawn(async move {
        look_in("a task");
        drop(guest);
    });
    task.then(|_, _| look_in("a callback of a task"));
    let guest = Guest("the drop of a cancelled future");
    let sleep = reactor.sleep(LONG);
    let task = reactor.spawn(async move {
        sleep.await;
        drop(guest);
    });
    assert!(!task.is_done());
    task.cancel();
    reactor.spawn(reactor.timeout(Duration::ZERO, std::future::pending::<()>())).detach();
}

struct Ear(#[allow(dead_code, reason = "its drop is what counts")] Guest);

impl Handler for Ear {
    fn ready(self: Rc<Self>, _: &Reactor, _: Ready) {
        look_in("a handler");
    }

    fn rescheduled(self: Rc<Self>, _: &Reactor) {
        look_in("a handler, again");
    }
}

fn ask_for_handlers(reactor: &Reactor) {
    let (reader, _writer) = io::pipe().expect("a pipe");
    let ear = Rc::new(Ear(Guest("the drop of a handler")));
    let registration =
        reactor.register(&mut &reader, Interest::READ, ear).expect("it can be watched");
    registration.set_interest(Interest::NONE);
    let token: Option<Token> = registration.token();
    reactor.reschedule(token.expect("it is registered"));
    drop(registration);
    let token = reactor.reserve().expect("there is room");
    reactor.bind(token, Rc::new(Ear(Guest("the drop of a first handler"))));
    reactor.bind(token, Rc::new(Ear(Guest("the drop of a second handler"))));
    reactor.reschedule(token);
    reactor.flush_later(token);
    let key = reactor.arm_timer(token, LONG);
    assert!(reactor.disarm_timer(key));
    reactor.broadcast(Rc::new(Guest("the drop of a message")));
    reactor.deregister(token, false);
}

fn ask_for_connections(reactor: &Reactor) {
    let factory = SharedFactory::new(Builder::new());
    assert!(!format!("{factory:?}").is_empty());
    let port = reactor.listen_tcp("127.0.0.1:0", factory.clone()).expect("a free port");
    assert!(reactor.listen_tcp(port.local(), Builder::new()).is_err(), "the port is taken");
    assert!(reactor.listen_tcp("no address", Builder::new()).is_err());
    let connecting = reactor.connect_tcp(port.local(), factory);
    assert!(!connecting.is_settled() && connecting.take().is_none());
    connecting.then(|_, connection| {
        enter("a callback of connecting", || drop(connection));
    });
    let cancelled = reactor.connect_tcp(port.local(), Builder::new());
    cancelled.cancel();
    let secure = reactor.listen_tls("127.0.0.1:0", &certs::server(), Builder::new());
    let secure = secure.expect("a free port");
    let connecting = reactor.connect_tls(secure.local(), &certs::client(), Builder::new());
    connecting.then(|_, connection| {
        enter("a callback of connecting with TLS", || drop(connection));
    });
    reactor.connect_tls(secure.local(), &certs::client(), Builder::new()).cancel();
    let program = ClientEndpoint::new(ProcessClient::new("true"));
    program.connect(reactor, Builder::new()).then(|_, connection| {
        enter("a callback of connecting to a program", || drop(connection));
    });
    ClientEndpoint::new(ProcessClient::new("/no/such")).connect(reactor, Builder::new()).detach();
    secure.stop_listening();
    let config = StreamConfig::default();
    let (connection, wire) = memory::connect(reactor, config, Quiet::new()).expect("there is room");
    wire.receive(b"x");
    wire.close();
    wire.set_capacity(10);
    let _ = (wire.sent(), wire.sent_len(), wire.is_closing(), wire.is_ended(), wire.was_reset());
    ask_connection(&connection);
    #[cfg(unix)]
    ask_for_adoption(reactor);
    let (transport, wire) = Transport::memory();
    transport.write(b"by itself");
    assert_eq!(wire.sent(), b"by itself");
    port.stop_listening();
}

#[cfg(unix)]
fn ask_for_adoption(reactor: &Reactor) {
    use std::os::unix::net::{UnixListener, UnixStream};
    let (near, remote) = UnixStream::pair().expect("a pair of sockets");
    let connection = reactor.adopt_stream(near, Quiet::new()).expect("it is connected");
    ask_connection(&connection);
    drop(remote);
    let file = File::open("/dev/null").expect("it is always there");
    let error = reactor.adopt_stream(file, Quiet::new()).expect_err("it is no socket");
    let file = error.into_descriptor().expect("it is given back");
    let config = ListenConfig::default();
    assert!(reactor.adopt_port(file, config.clone(), Builder::new()).is_err());
    let path = std::env::temp_dir().join(format!(
        "sinew-adopted-{}-{:?}.sock",
        std::process::id(),
        std::thread::current().id()
    ));
    let listener = UnixListener::bind(&path).expect("a free path");
    std::fs::remove_file(path).expect("it is there");
    let port = reactor.adopt_port(listener, config, Builder::new()).expect("it listens");
    port.stop_listening();
}

fn ask_connection<P: Protocol>(connection: &Connection<P>) {
    // The one exception: the closure passed to `with` runs immediately.
    let at_once = connection.with(|_, transport| transport.write(b"with"));
    assert!(at_once.is_some());
    let guest = Guest("the drop of a call to a protocol");
    connection.call(move |_, _| {
        look_in("a call to a protocol");
        drop(guest);
    });
    assert!(!format!("{:?}", connection.clone().transport()).is_empty());
    connection.transport().lose_connection();
    connection.transport().abort();
}
