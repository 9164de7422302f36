//! Tests of the methods of a socket, under their Python names.

use std::{
    env, fs,
    io::{self, ErrorKind, Read, Write},
    net::Shutdown,
    process,
    time::Duration,
};

use sinew_socketserver::*;

use crate::{serving, tcp_client, udp_client};

/// Runs the client's command, by the methods of the socket.
struct Calls;

impl BaseRequestHandler for Calls {
    fn handle(&mut self, cx: &mut Context) -> HandlerResult {
        let socket = &cx.request;
        assert_eq!(socket.getpeername()?, cx.client_address);
        assert_eq!(socket.getsockname()?, cx.server.server_address());
        assert_eq!(socket.gettimeout()?, None);
        match &*socket.recv(100)? {
            b"timeouts" => timeouts(socket)?,
            b"sendfile" => sendfile(socket)?,
            b"shutdown" => {
                assert_eq!(socket.send(b"the")?, 3);
                socket.sendall(b" end")?;
                socket.shutdown(Shutdown::Write)?;
                // The sending side is shut down, the receiving side is not.
                assert_eq!(socket.send(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
                let mut buffer = [0; 10];
                assert_eq!(socket.recv_into(&mut buffer)?, 3);
                assert_eq!(&buffer[..3], b"yes");
                assert_eq!(socket.recv(10)?, b"");
            }
            other => panic!("{}?", other.escape_ascii()),
        }
        Ok(())
    }
}

fn timeouts(socket: &Socket) -> io::Result<()> {
    let short = Some(Duration::from_millis(20));
    socket.settimeout(short)?;
    assert!(socket.gettimeout()? >= short);
    assert_eq!(socket.recv(1).unwrap_err().kind(), ErrorKind::TimedOut);
    assert_eq!(socket.recvfrom(1).unwrap_err().kind(), ErrorKind::TimedOut);
    // The peer reads nothing.
    assert_eq!(socket.sendall(&vec![b'x'; 64 << 20]).unwrap_err().kind(), ErrorKind::TimedOut);
    // A timeout of zero is non-blocking mode, reported as `WouldBlock`, as in Python.
    socket.settimeout(Some(Duration::ZERO))?;
    assert_eq!(socket.gettimeout()?, Some(Duration::ZERO));
    assert_eq!(socket.recv(1).unwrap_err().kind(), ErrorKind::WouldBlock);
    socket.settimeout(None)?;
    assert_eq!(socket.gettimeout()?, None);
    Ok(())
}

fn sendfile(socket: &Socket) -> io::Result<()> {
    let path = env::temp_dir().join(format!("sinew-sendfile-{}", process::id()));
    let content: Vec<u8> = (0..200_000_u32).map(|n| n.to_be_bytes()[3]).collect();
    fs::write(&path, &content)?;
    let file = fs::File::open(&path)?;
    assert_eq!(socket.sendfile(&file, 0, None)?, 200_000);
    assert_eq!(socket.sendfile(&file, 1000, Some(256))?, 256);
    assert_eq!(socket.sendfile(&file, 199_999, Some(256))?, 1);
    assert_eq!(socket.sendfile(&file, 300_000, None)?, 0);
    // sendfile(2) does not support files of /proc.
    #[cfg(target_os = "linux")]
    assert!(socket.sendfile(&fs::File::open("/proc/self/status")?, 0, Some(5))? == 5);
    fs::remove_file(&path)
}

#[test]
fn reads_and_writes_time_out() {
    let server = TcpServer::bind("127.0.0.1:0", || Calls).unwrap();
    serving(server, |server| {
        let mut client = tcp_client(server)?;
        client.write_all(b"timeouts")?;
        // Reads only when the handler is done, so that the handler's calls do time out.
        while server.active_requests() > 0 || client.peek(&mut [0])? == 0 {
            std::thread::yield_now();
        }
        client.read_to_end(&mut Vec::new())
    });
}

#[test]
fn files_are_sent_whole_or_in_part() {
    let server = ThreadingTcpServer::bind("127.0.0.1:0", || Calls).unwrap();
    let received = serving(server, |server| {
        let mut client = tcp_client(server)?;
        client.write_all(b"sendfile")?;
        let mut received = Vec::new();
        client.read_to_end(&mut received)?;
        Ok(received)
    });
    let content: Vec<u8> = (0..200_000_u32).map(|n| n.to_be_bytes()[3]).collect();
    let parts = [&content[..], &content[1000..1256], &content[199_999..]].concat();
    assert!(received.starts_with(&parts));
    assert_eq!(
        &received[parts.len()..],
        if cfg!(target_os = "linux") { &b"Name:"[..] } else { b"" }
    );
}

#[test]
fn one_direction_can_be_shut_down() {
    let server = TcpServer::bind("127.0.0.1:0", || Calls).unwrap();
    serving(server, |server| {
        let mut client = tcp_client(server)?;
        client.write_all(b"shutdown")?;
        let mut said = String::new();
        client.read_to_string(&mut said)?;
        assert_eq!(said, "the end");
        client.write_all(b"yes")?;
        client.shutdown(Shutdown::Write)
    });
}

/// Closing a socket with unread input would reset the connection, and discard what the client has not received yet.
#[test]
fn a_reply_survives_unread_input() {
    const REPLY_LEN: usize = 150_000;

    struct NeverReads;
    impl BaseRequestHandler for NeverReads {
        fn handle(&mut self, cx: &mut Context) -> HandlerResult {
            let socket = socket2::SockRef::from(&cx.request);
            socket.set_send_buffer_size(2 * REPLY_LEN)?;
            let mut seen = [std::mem::MaybeUninit::uninit(); 1000];
            while socket.peek(&mut seen)? < 1000 {}
            Ok(cx.request.sendall(&[b'x'; REPLY_LEN])?)
        }
    }
    let server = TcpServer::bind("127.0.0.1:0", || NeverReads).unwrap();
    serving(server, |server| {
        let client = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
        client.set_recv_buffer_size(4096)?;
        client.set_read_timeout(Some(crate::TEST_TIMEOUT))?;
        client.connect(&server.server_address().inet().unwrap().into())?;
        (&client).write_all(&[b'y'; 1000])?;
        // The first bytes arrive while the handler runs; the rest is in the kernel when the handler is done.
        client.peek(&mut [std::mem::MaybeUninit::uninit()])?;
        while server.active_requests() > 0 {
            std::thread::yield_now();
        }
        let mut said = Vec::new();
        (&client).read_to_end(&mut said)?;
        assert_eq!(said.len(), REPLY_LEN);
        Ok(())
    });
}

#[test]
fn a_datagram_can_be_answered_twice() {
    struct Twice;
    impl BaseRequestHandler<Datagram> for Twice {
        fn handle(&mut self, cx: &mut Context<Datagram>) -> HandlerResult {
            let Packet { data, socket, truncated, .. } = &cx.request;
            assert!(!truncated && socket.getpeername().is_err());
            for _ in 0..2 {
                assert_eq!(socket.sendto(data, &cx.client_address)?, data.len());
            }
            Ok(())
        }
    }
    let server = ThreadingUdpServer::bind("127.0.0.1:0", || Twice).unwrap();
    serving(server, |server| {
        let client = udp_client(server)?;
        client.send(b"hello")?;
        for _ in 0..2 {
            let mut said = [0; 10];
            let len = client.recv(&mut said)?;
            assert_eq!(&said[..len], b"hello");
        }
        Ok(())
    });
}

/// Clients of Unix sockets mostly have no name; that is reported, and they cannot be answered.
#[cfg(target_os = "linux")]
#[test]
fn unix_clients_with_and_without_a_name() {
    use std::{os::unix::net::UnixDatagram, path::Path};

    struct Who;
    impl DatagramRequestHandler for Who {
        fn handle(&mut self, cx: &mut DatagramContext) -> HandlerResult {
            let known = Path::new("\0sinew-known");
            if cx.client_address.path() == Some(Path::new("")) {
                // Replies to the named client instead of the unnamed one.
                cx.socket.sendto(format!("{}", cx.client_address).as_bytes(), &known.into())?;
                let error = cx.socket.sendto(b"", &cx.client_address).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidInput);
            } else {
                assert_eq!(cx.client_address.path(), Some(known));
                write!(cx.wfile, "{}", cx.client_address)?;
            }
            Ok(())
        }
    }
    let name = format!("\0sinew-server-{}", process::id());
    let server = ThreadingUnixDatagramServer::bind(&name, || Who).unwrap();
    serving(server, |server| {
        use std::os::{linux::net::SocketAddrExt, unix::net::SocketAddr};
        let address = SocketAddr::from_abstract_name(&name[1..])?;
        assert_eq!(server.server_address().to_string(), name.replace('\0', "@"));
        let known = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name("sinew-known")?)?;
        known.set_read_timeout(Some(crate::TEST_TIMEOUT))?;
        let mut said = [0; 100];
        for (client, expected) in [(&known, "@sinew-known"), (&UnixDatagram::unbound()?, "unnamed")]
        {
            client.send_to_addr(b"who am I?", &address)?;
            let len = known.recv(&mut said)?;
            assert_eq!(std::str::from_utf8(&said[..len]).unwrap(), expected);
        }
        Ok(())
    });
}

/// The client's socket is connected, so it receives only from the address that it has sent to, as a resolver's does.
#[cfg(target_os = "linux")]
#[test]
fn a_udp_server_replies_from_the_address_that_was_used() {
    use std::net::{IpAddr, UdpSocket};

    /// Replies by `wfile`.
    struct ByFile;
    impl DatagramRequestHandler for ByFile {
        fn handle(&mut self, cx: &mut DatagramContext) -> HandlerResult {
            let info = cx.request.info.expect("it is UDP, on Linux");
            Ok(write!(cx.wfile, "{}", info.to.to_canonical())?)
        }
    }
    /// Replies by the socket.
    struct BySocket;
    impl BaseRequestHandler<Datagram> for BySocket {
        fn handle(&mut self, cx: &mut Context<Datagram>) -> HandlerResult {
            let info = cx.request.info.expect("it is UDP, on Linux");
            let answer = info.to.to_canonical().to_string();
            cx.request.socket.sendto(answer.as_bytes(), &cx.client_address)?;
            Ok(())
        }
    }

    fn check<H, M>(server: Server<Udp, H, M>, is_v6: bool) {
        serving(server, |server| {
            let addresses = ["127.0.0.1", "127.0.0.2", "127.0.0.3"].into_iter();
            for to in addresses.chain(is_v6.then_some("::1")) {
                let to: IpAddr = to.parse().unwrap();
                let client = UdpSocket::bind(if to.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" })?;
                client.set_read_timeout(Some(crate::TEST_TIMEOUT))?;
                client.connect((to, server.server_address().port().unwrap()))?;
                client.send(b"who are you?")?;
                let mut said = [0; 100];
                // The wait may be interrupted, for instance by an io_uring that this thread has opened and closed.
                let len = loop {
                    match client.recv(&mut said) {
                        Err(error) if error.kind() == ErrorKind::Interrupted => {}
                        received => break received?,
                    }
                };
                assert_eq!(std::str::from_utf8(&said[..len]).unwrap(), to.to_string());
            }
            Ok(())
        });
    }
    for engine in sinew_reactor::Engine::available() {
        for (at, is_v6) in [("0.0.0.0:0", false), ("[::]:0", true)] {
            let in_place = ServerConfig::default().engine(engine);
            check(UdpServer::bind_with(at, || ByFile, in_place.clone()).unwrap(), is_v6);
            check(UdpServer::bind_with(at, || BySocket, in_place).unwrap(), is_v6);
            let threading = ServerConfig::default().engine(engine);
            check(ThreadingUdpServer::bind_with(at, || ByFile, threading).unwrap(), is_v6);
        }
    }
}
