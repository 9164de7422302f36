//! Files by DCC with ends that send or take a byte now and then: in a simulated network, whose time passes at once.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

use std::{
    cell::{Cell, RefCell},
    env, fs,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    process,
    rc::Rc,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use sinew_chat::irc::{
    client::{DccConfig, DccError, DccOffer, Existing, IrcClient, IrcConfig, IrcHandler},
    server::{IrcServer, ServerConfig},
};
use sinew_testkit::{sim::Network, testing::simulate};
use sinew_transports::{AsyncListener, AsyncStream, ReactorTcp, RetryConfig, reactor::Reactor};

/// Longer than any transfer here may take.
const TIME: Duration = Duration::from_secs(7_200);

type Outcome<T> = Rc<RefCell<Option<(Duration, Result<T, DccError>)>>>;

#[derive(Default, Clone)]
struct Offers(Rc<RefCell<Vec<DccOffer>>>);

impl IrcHandler for Offers {
    fn dcc_offered(&mut self, _: &IrcClient, offer: &DccOffer) {
        self.0.borrow_mut().push(offer.clone());
    }
}

/// A network with a server.
fn with_server(network: &Network) {
    network.host("server").boot(|reactor| {
        let config = ServerConfig::new("irc.test").unwrap();
        drop(reactor.listen_tcp("0.0.0.0:6667", IrcServer::new(reactor, config)).unwrap());
    });
}

/// A client that is online, and what it was offered.
async fn client(reactor: &Reactor, nick: &str) -> (IrcClient, Offers) {
    let offers = Offers::default();
    let dcc = DccConfig::default().allow(["0.0.0.0/0".parse().unwrap()]).match_host(false);
    let config = IrcConfig::new(nick).unwrap().dcc(dcc);
    let irc = IrcClient::new(reactor, config, offers.clone());
    let endpoint = "tcp:server:6667".parse::<sinew_transports::endpoint::ClientEndpoint>();
    irc.keep_connected(reactor, endpoint.unwrap(), RetryConfig::default());
    while irc.when_signed_on().await.is_err() {}
    (irc, offers)
}

async fn offered(reactor: &Reactor, offers: &Offers) -> DccOffer {
    loop {
        if let Some(offer) = offers.0.borrow_mut().pop() {
            return offer;
        }
        reactor.sleep(Duration::from_millis(100)).await;
    }
}

/// Tells somebody of a file, until a client of that name is there to be told.
async fn announce(reactor: &Reactor, irc: &IrcClient, port: SocketAddr, size: u64) {
    let IpAddr::V4(ip) = port.ip() else { unreachable!("hosts have addresses of IPv4") };
    loop {
        let whois = irc.whois("bob").await;
        if whois.is_ok() {
            break;
        }
        reactor.sleep(Duration::from_secs(5)).await;
    }
    let text = format!("SEND a {} {} {size}", u32::from(ip), port.port());
    irc.ctcp_query("bob", "DCC", text).unwrap();
}

/// A folder of its own for each transfer, since tests run beside each other.
fn folder() -> PathBuf {
    static FOLDERS: AtomicUsize = AtomicUsize::new(0);
    let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
    let path = env::temp_dir().join(format!("sinew-pace-{}-{number}", process::id()));
    fs::create_dir_all(&path).unwrap();
    path
}

/// Somebody sends `bytes` of a file every `every`. Returns what became of it, and after how long.
fn receive(
    network: &Network,
    size: u64,
    bytes: usize,
    every: Duration,
) -> (Duration, Result<PathBuf, DccError>) {
    with_server(network);
    let ann = network.host("ann");
    let at = ann.addr();
    ann.boot(move |reactor| {
        let handle = reactor.clone();
        reactor
            .spawn(async move {
                let (irc, _) = client(&handle, "ann").await;
                let mut port = AsyncListener::bind(&handle, SocketAddr::new(at, 5_000)).unwrap();
                announce(&handle, &irc, SocketAddr::new(at, 5_000), size).await;
                let mut stream = port.accept().await.unwrap();
                let mut left = size;
                while left > 0 {
                    let len = left.min(bytes as u64);
                    left -= len;
                    if stream.write_all(&vec![b'x'; len as usize]).await.is_err() {
                        return;
                    }
                    handle.sleep(every).await;
                }
                let mut acks = [0; 64];
                while matches!(stream.read(&mut acks).await, Ok(1..)) {}
            })
            .detach();
    });
    let outcome: Outcome<PathBuf> = Rc::default();
    let (place, to) = (Rc::clone(&outcome), folder());
    let of_bob = to.clone();
    network.host("bob").boot(move |reactor| {
        let (handle, place, to) = (reactor.clone(), Rc::clone(&place), of_bob.clone());
        reactor
            .spawn(async move {
                let (irc, offers) = client(&handle, "bob").await;
                let offer = offered(&handle, &offers).await;
                let start = handle.now();
                let received = irc.receive_file(&offer, &to, Existing::Keep).await;
                place.replace(Some((handle.now() - start, received)));
            })
            .detach();
    });
    network.run_for(TIME).unwrap();
    let _ = fs::remove_dir_all(to);
    outcome.take().expect("it has ended")
}

#[test]
fn a_sender_that_drips_is_too_slow() {
    watchdog::watch_this_test();
    simulate(0..3, |network| {
        // Never silent for long, and for ever at it.
        let (after, received) = receive(network, 1_000_000, 100, Duration::from_secs(5));
        assert!(matches!(received, Err(DccError::TooSlow { bytes: 1.., .. })), "{received:?}");
        assert!((60..62).contains(&after.as_secs()), "{after:?}");
    });
}

#[test]
fn a_slow_sender_is_not_too_slow() {
    watchdog::watch_this_test();
    simulate(0..3, |network| {
        // 2 KiB a second, in pieces with long pauses between them.
        let (after, received) = receive(network, 1_000_000, 100_000, Duration::from_secs(50));
        assert!(received.is_ok(), "{received:?}");
        assert!(after > Duration::from_secs(400), "{after:?}");
    });
}

/// Bob offers a file, and ann takes it as `take` says.
fn send<F: Future<Output = ()> + 'static>(
    network: &Network,
    size: usize,
    take: impl Fn(Reactor, AsyncStream) -> F + 'static,
) -> (Duration, Result<(), DccError>) {
    with_server(network);
    let taken = Rc::new(take);
    network.host("ann").boot(move |reactor| {
        let (handle, take) = (reactor.clone(), Rc::clone(&taken));
        reactor
            .spawn(async move {
                let (_irc, offers) = client(&handle, "ann").await;
                let at = offered(&handle, &offers).await.address().unwrap();
                let stream = AsyncStream::connect(&handle, at).await.unwrap();
                take(handle.clone(), stream).await;
            })
            .detach();
    });
    let folder = folder();
    let path = folder.join("a");
    fs::write(&path, vec![b'x'; size]).unwrap();
    let outcome: Outcome<()> = Rc::default();
    let place = Rc::clone(&outcome);
    network.host("bob").boot(move |reactor| {
        let (handle, place, path) = (reactor.clone(), Rc::clone(&place), path.clone());
        reactor
            .spawn(async move {
                let (irc, _) = client(&handle, "bob").await;
                while irc.whois("ann").await.is_err() {
                    handle.sleep(Duration::from_secs(5)).await;
                }
                let start = handle.now();
                let sent = irc.offer_file("ann", &path).await;
                place.replace(Some((handle.now() - start, sent)));
            })
            .detach();
    });
    network.run_for(TIME).unwrap();
    let _ = fs::remove_dir_all(folder);
    outcome.take().expect("it has ended")
}

#[test]
fn a_receiver_that_drips_is_too_slow() {
    watchdog::watch_this_test();
    simulate(0..3, |network| {
        // It reads a little and acknowledges that, or reads nothing more and says again and again that it has little.
        for reads in [100, 0] {
            let network = Network::new(network.seed());
            let (after, sent) = send(&network, 5_000_000, move |reactor, mut stream| async move {
                let (mut piece, mut done) = (vec![0; 100], 0_u32);
                loop {
                    if reads > 0 || done == 0 {
                        let Ok(len @ 1..) = stream.read(&mut piece).await else { return };
                        done += len as u32;
                    }
                    if stream.write_all(&done.to_be_bytes()).await.is_err() {
                        return;
                    }
                    reactor.sleep(Duration::from_secs(5)).await;
                }
            });
            assert!(matches!(sent, Err(DccError::TooSlow { .. })), "{sent:?}");
            // What the networks hold of it is taken at once; after that it does not go on.
            assert!(after < Duration::from_secs(200), "{after:?}");
        }
    });
}

#[test]
fn a_receiver_that_reads_fast_need_not_acknowledge() {
    watchdog::watch_this_test();
    simulate(0..3, |network| {
        let read = Rc::new(Cell::new(0));
        let of_ann = Rc::clone(&read);
        let (_, sent) = send(network, 1_000_000, move |reactor, mut stream| {
            let read = Rc::clone(&of_ann);
            async move {
                let mut piece = vec![0; 10_000];
                while read.get() < 1_000_000_u32 {
                    let Ok(len @ 1..) = stream.read(&mut piece).await else { return };
                    read.set(read.get() + len as u32);
                    reactor.sleep(Duration::from_secs(2)).await;
                }
                // Only when it has all.
                stream.write_all(&read.get().to_be_bytes()).await.unwrap();
                while matches!(stream.read(&mut piece).await, Ok(1..)) {}
            }
        });
        assert!(sent.is_ok(), "{sent:?}, {} bytes", read.get());
    });
}
