//! Tests of hooks: everything that can be overridden, in the order of the calls; and what happens if a hook fails.

use std::{
    io::{self, Read},
    net::{TcpListener, TcpStream},
    time::{Duration, Instant},
};

use sinew_socketserver::*;

use sinew_reactor::Engine;

use crate::{Log, serving, tcp_client};

/// Logs each call, does the default, and panics at `fails_at`.
struct Logged {
    log: Log,
    fails_at: &'static str,
}

impl Logged {
    fn say(&self, name: &str) {
        self.log.say(name);
        assert_ne!(self.fails_at, name, "the injected fault");
    }
}

impl Hooks for Logged {
    fn server_bind(&self, server: &BaseServer) -> io::Result<()> {
        self.say("server_bind");
        base::server_bind(server)
    }

    fn server_activate(&self, server: &BaseServer) -> io::Result<()> {
        self.say("server_activate");
        base::server_activate(server)
    }

    fn get_request(&self, server: &BaseServer) -> io::Result<(Request, Address)> {
        let got = base::get_request(server)?;
        self.say("get_request");
        Ok(got)
    }

    fn verify_request(&self, _: &BaseServer, _: &Request, _: &Address) -> bool {
        self.say("verify_request");
        self.fails_at != "verified"
    }

    fn process_request(
        &self,
        server: &BaseServer,
        request: &Request,
        from: &Address,
    ) -> Result<(), RequestError> {
        self.say("process_request");
        base::process_request(server, request, from)
    }

    fn finish_request(
        &self,
        server: &BaseServer,
        request: &Request,
        from: &Address,
    ) -> Result<(), RequestError> {
        self.say("finish_request");
        base::finish_request(server, request, from)
    }

    fn handle_error(&self, _: &BaseServer, _: &Request, _: &Address, _: &RequestError) {
        self.say("handle_error");
    }

    fn service_actions(&self, server: &BaseServer) {
        if self.fails_at == "service_actions" {
            self.log.say("service_actions");
            // If this ended the loop, no client would get an answer any more.
            panic!("the injected fault, on {}", server.server_address());
        }
    }

    fn shutdown_request(&self, server: &BaseServer, request: Request) {
        self.say("shutdown_request");
        base::shutdown_request(server, request);
    }

    fn close_request(&self, server: &BaseServer, request: Request) {
        self.say("close_request");
        base::close_request(server, request);
    }

    fn server_close(&self, server: &BaseServer) {
        self.say("server_close");
        base::server_close(server);
    }
}

struct Hello;

impl BaseRequestHandler for Hello {
    fn handle(&mut self, cx: &mut Context) -> HandlerResult {
        Ok(cx.request.sendall(b"hello")?)
    }
}

/// The answers to two clients, and the log of calls.
fn two_clients(fails_at: &'static str) -> ([String; 2], Vec<String>) {
    let log = Log::default();
    let config = ServerConfig::default().hooks(Logged { log: log.clone(), fails_at });
    let server = TcpServer::bind_with("127.0.0.1:0", || Hello, config).unwrap();
    assert_eq!(log.take(), ["server_bind", "server_activate"]);
    let said = serving(server, |server| {
        let mut said = [String::new(), String::new()];
        for said in &mut said {
            tcp_client(server)?.read_to_string(said)?;
        }
        Ok(said)
    });
    (said, log.take())
}

#[test]
fn hooks_are_called_in_order() {
    let (said, log) = two_clients("");
    assert_eq!(said, ["hello", "hello"]);
    let request = [
        "get_request",
        "verify_request",
        "process_request",
        "finish_request",
        "shutdown_request",
        "close_request",
    ];
    assert_eq!(log, [&request[..], &request, &["server_close"]].concat());
}

#[test]
fn a_rejected_request_is_shut_down() {
    let (said, log) = two_clients("verified");
    assert_eq!(said, ["", ""]);
    let request = ["get_request", "verify_request", "shutdown_request", "close_request"];
    assert_eq!(log, [&request[..], &request, &["server_close"]].concat());
}

/// In Python, some failures in the loop end the server.
#[test]
fn a_panic_in_a_hook_fails_only_its_request() {
    for (fails_at, request) in [
        ("get_request", &["get_request"][..]),
        (
            "verify_request",
            &["get_request", "verify_request", "handle_error", "shutdown_request", "close_request"],
        ),
        (
            "finish_request",
            &[
                "get_request",
                "verify_request",
                "process_request",
                "finish_request",
                "handle_error",
                "shutdown_request",
                "close_request",
            ],
        ),
    ] {
        let (said, log) = two_clients(fails_at);
        assert_eq!(said, ["", ""]);
        assert_eq!(log, [request, request, &["server_close"]].concat(), "{fails_at}");
    }
    let (said, log) = two_clients("service_actions");
    assert_eq!(said, ["hello", "hello"]);
    assert!(log.iter().any(|call| call == "service_actions"));
}

/// How long getting a request fails.
const FAILING_TIME: Duration = Duration::from_millis(250);

/// As without descriptors: the loop neither spins nor gives up.
#[test]
fn a_failing_accept_is_retried() {
    struct Failing(Log, Instant);
    impl Hooks for Failing {
        fn get_request(&self, server: &BaseServer) -> io::Result<(Request, Address)> {
            self.0.say("tried");
            if self.1.elapsed() < FAILING_TIME {
                return Err(io::Error::other("too many open files"));
            }
            base::get_request(server)
        }
    }
    for engine in Engine::available() {
        let log = Log::default();
        let config =
            ServerConfig::default().hooks(Failing(log.clone(), Instant::now())).engine(engine);
        let server = ThreadingTcpServer::bind_with("127.0.0.1:0", || Hello, config).unwrap();
        serving(server, |server| {
            let mut said = String::new();
            tcp_client(server)?.read_to_string(&mut said)?;
            assert_eq!(said, "hello");
            Ok(())
        });
        // A few failures, one success, and calls that found nothing; a spinning loop would have thousands.
        let tried = log.take().len();
        assert!((2..20).contains(&tried), "{engine:?}: {tried}");
    }
}

/// An error of one connection, or of a reply, does not delay the next; and no error spins, however often it recurs.
#[cfg(target_os = "linux")]
#[test]
fn errors_of_single_requests_are_skipped() {
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Fails `left` times with the same error, then does the default.
    struct FailsAtFirst {
        log: Log,
        errno: i32,
        left: AtomicUsize,
    }
    impl Hooks for FailsAtFirst {
        fn get_request(&self, server: &BaseServer) -> io::Result<(Request, Address)> {
            let got = base::get_request(server)?;
            self.log.say("tried");
            let is_left = |left: usize| left.checked_sub(1);
            if self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, is_left).is_ok() {
                return Err(io::Error::from_raw_os_error(self.errno));
            }
            Ok(got)
        }
    }
    // The requests before the last one are lost; that one is answered at once, or after a backoff.
    for (errno, rests) in [
        (libc::EPROTO, false),
        (libc::ENOPROTOOPT, false),
        (libc::EHOSTDOWN, false),
        (libc::ENONET, false),
        (libc::EOPNOTSUPP, false),
        (libc::ECONNABORTED, false),
        (libc::EACCES, true),
        (libc::EPERM, true),
        (libc::ENOMEM, true),
        (libc::EMFILE, true),
    ] {
        for engine in Engine::available() {
            let served = || {
                let log = Log::default();
                let hooks = FailsAtFirst { log: log.clone(), errno, left: AtomicUsize::new(3) };
                let config = ServerConfig::default().hooks(hooks).engine(engine);
                let server = TcpServer::bind_with("127.0.0.1:0", || Hello, config).unwrap();
                let start = Instant::now();
                serving(server, |server| {
                    let mut clients = Vec::new();
                    for _ in 0..4 {
                        clients.push(tcp_client(server)?);
                    }
                    let mut said = String::new();
                    clients[3].read_to_string(&mut said)?;
                    assert_eq!(said, "hello");
                    Ok(())
                });
                assert_eq!(log.take().len(), 4, "{errno} on {engine}");
                start.elapsed() >= Duration::from_millis(300)
            };
            // A busy machine may take as long as three backoffs for anything, but not each time.
            let rested = (0..10).all(|attempt| (rests && attempt > 0) || served());
            assert_eq!(rested, rests, "{errno} on {engine}");
        }
    }
}

/// Errors that never end, and errors that a datagram server gets about its replies.
#[cfg(target_os = "linux")]
#[test]
fn no_error_makes_the_loop_spin() {
    struct Fails(Log, i32);
    impl Hooks for Fails {
        fn get_request(&self, _: &BaseServer) -> io::Result<(Request, Address)> {
            self.0.say("tried");
            Err(io::Error::from_raw_os_error(self.1))
        }
    }
    struct Mute;
    impl BaseRequestHandler<Datagram> for Mute {
        fn handle(&mut self, _: &mut Context<Datagram>) -> HandlerResult {
            Ok(())
        }
    }
    for (errno, of_streams, of_datagrams) in [
        (libc::EACCES, 5, 5 * 256),
        (libc::EPERM, 5, 5 * 256),
        (libc::EPROTO, 5 * 256, 5 * 256),
        (libc::EINTR, 5 * 256, 5 * 256),
        (libc::EMFILE, 5, 5),
        (libc::EIO, 5, 5),
    ] {
        for (is_stream, max) in [(true, of_streams), (false, of_datagrams)] {
            let log = Log::default();
            let config = ServerConfig::default().hooks(Fails(log.clone(), errno));
            let config = config.timeout(Duration::from_millis(350));
            let waited = match is_stream {
                true => {
                    TcpServer::bind_with("127.0.0.1:0", || Hello, config).unwrap().handle_request()
                }
                false => {
                    UdpServer::bind_with("127.0.0.1:0", || Mute, config).unwrap().handle_request()
                }
            };
            assert_eq!(waited.unwrap(), Waited::TimedOut);
            let tried = log.take().len();
            assert!((2..=max).contains(&tried), "{errno}: {tried} times");
        }
    }
}

#[test]
fn a_failed_bind_leaves_no_socket() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let error = TcpServer::bind(address, || Hello).unwrap_err();
    assert!(error.to_string().starts_with(&format!("could not listen on {address}: ")), "{error}");
    assert_eq!(io::Error::from(error).kind(), io::ErrorKind::AddrInUse);

    struct Closed;
    impl Hooks for Closed {
        fn server_activate(&self, server: &BaseServer) -> io::Result<()> {
            base::server_activate(server)?;
            let address = server.server_address().inet().expect("it is TCP");
            Err(io::Error::other(address.port().to_string()))
        }
    }
    let config = ServerConfig::default().hooks(Closed);
    let error = TcpServer::bind_with("127.0.0.1:0", || Hello, config).unwrap_err();
    let BindError::Listen { source, .. } = error else { panic!("{error}") };
    let port: u16 = source.to_string().parse().unwrap();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

/// The options, as hooks and handlers see them.
#[test]
fn options_can_be_read() {
    let server = TcpServer::bind("127.0.0.1:0", || Hello).unwrap();
    assert_eq!(server.request_queue_size(), 1024);
    assert_eq!(server.allow_reuse_address(), cfg!(unix));
    assert_eq!((server.timeout(), server.max_packet_size()), (None, 8192));
    assert_eq!(server.address_family(), AddressFamily::Inet);
    let config = ServerConfig::default().request_queue_size(5).allow_reuse_address(false);
    let server = TcpServer::bind_with("[::1]:0", || Hello, config);
    if let Ok(server) = server {
        assert_eq!((server.request_queue_size(), server.allow_reuse_address()), (5, false));
        assert_eq!(server.address_family(), AddressFamily::Inet6);
    }
}

/// Two servers can share an address if both allow it.
#[cfg(target_os = "linux")]
#[test]
fn a_port_can_be_shared() {
    let config = || ServerConfig::default().allow_reuse_port(true);
    let first = TcpServer::bind_with("127.0.0.1:0", || Hello, config()).unwrap();
    let address = first.server_address().inet().unwrap();
    let second = TcpServer::bind_with(address, || Hello, config()).unwrap();
    assert_eq!(first.server_address(), second.server_address());
    assert!(TcpServer::bind(address, || Hello).is_err());
}
