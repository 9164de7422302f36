//! Fixture: a scenario runs on every engine, over every kind of connection.

use std::{future::Future, path::PathBuf};

#[cfg(unix)]
use sinew::transports::endpoint::{UnixClient, UnixServer};
use sinew::{
    prelude::*,
    transports::{
        AsyncListener, AsyncStream,
        endpoint::{
            ClientEndpoint, Memory, ServerEndpoint, TcpClient, TcpServer, TlsClient, TlsServer,
        },
    },
};

use crate::{certs, watchdog::Watchdog};

/// A kind of connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Tcp,
    Tls,
    #[cfg(unix)]
    Unix,
    Memory,
}

impl Kind {
    pub(crate) const ALL: &[Self] = &[
        Self::Tcp,
        Self::Tls,
        #[cfg(unix)]
        Self::Unix,
        Self::Memory,
    ];

    /// Whether an abort shows as a reset at the other end.
    pub(crate) fn shows_resets(self) -> bool {
        #[cfg(unix)]
        return self != Self::Unix;
        #[cfg(not(unix))]
        true
    }
}

/// A scenario's server, and where its clients connect.
pub(crate) struct Place {
    pub(crate) kind: Kind,
    pub(crate) reactor: Reactor,
    pub(crate) listener: AsyncListener,
    pub(crate) to: ClientEndpoint,
    _file: Option<SocketFile>,
}

struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(unix)]
fn free_path() -> PathBuf {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("sinew-async-{}-{number}.sock", std::process::id()))
}

impl Place {
    fn new(reactor: &Reactor, kind: Kind) -> Self {
        let any = || TcpServer::new("127.0.0.1:0");
        #[allow(unused_mut, reason = "set on Unix")]
        let mut file = None;
        let at = match kind {
            Kind::Tcp => ServerEndpoint::new(any()),
            Kind::Tls => ServerEndpoint::new(TlsServer::new(any(), certs::server())),
            #[cfg(unix)]
            Kind::Unix => {
                let path = free_path();
                file = Some(SocketFile(path.clone()));
                ServerEndpoint::new(UnixServer::new(path))
            }
            Kind::Memory => ServerEndpoint::new(Memory::new("place")),
        };
        let listener = AsyncListener::bind(reactor, at).expect("a port");
        let addr = || listener.local().socket_addr().expect("a TCP port");
        let to = match kind {
            Kind::Tcp => ClientEndpoint::new(TcpClient::new(addr())),
            Kind::Tls => {
                ClientEndpoint::new(TlsClient::new(TcpClient::new(addr()), certs::client()))
            }
            #[cfg(unix)]
            Kind::Unix => ClientEndpoint::new(UnixClient::new(
                file.as_ref().expect("it was made above").0.clone(),
            )),
            Kind::Memory => ClientEndpoint::new(Memory::new("place")),
        };
        Self { kind, reactor: reactor.clone(), listener, to, _file: file }
    }

    /// A new connection: the server's end and the client's.
    pub(crate) async fn pair(&mut self) -> (AsyncStream, AsyncStream) {
        let client = AsyncStream::connect(&self.reactor, self.to.clone()).await.expect("a client");
        let server = self.listener.accept().await.expect("the port is open");
        (server, client)
    }
}

/// Runs a scenario on every engine over every kind of connection. All connections must be closed soon after it.
pub(crate) fn everywhere<F: Future<Output = ()> + 'static>(
    name: &str,
    scenario: impl Fn(Place) -> F + Copy + 'static,
) {
    for engine in Engine::available() {
        for &kind in Kind::ALL {
            run(name, engine, kind, scenario);
        }
    }
}

pub(crate) fn run<F: Future<Output = ()> + 'static>(
    name: &str,
    engine: Engine,
    kind: Kind,
    scenario: impl Fn(Place) -> F + 'static,
) {
    let what = format!("{name} on {engine} over {kind:?}");
    let _watchdog = Watchdog::new(what.clone());
    let reactor = Reactor::builder().engine(engine).build().expect("a reactor");
    let place = Place::new(&reactor, kind);
    let handle = reactor.clone();
    let ran = reactor.run_until(async move {
        scenario(place).await;
        while handle.stats().connections > 0 {
            handle.sleep(std::time::Duration::from_millis(1)).await;
        }
    });
    ran.unwrap_or_else(|error| panic!("{what}: {error}"));
}

/// Bytes without a pattern that a shift would preserve.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    (0..len as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// Sends back what it receives until the input ends.
pub(crate) async fn echo(mut stream: AsyncStream) -> std::io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let len = stream.read(&mut buffer).await?;
        if len == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..len]).await?;
    }
}
