//! The calls of a socket, by the names that they have in Python.

use std::{
    env, fs,
    io::{self, ErrorKind, Read, Write},
    net::Shutdown,
    process,
    time::Duration,
};

use sinew_socketserver::*;

use crate::{serving, tcp_client, udp_client};

/// Does what the client says, with the calls of the socket.
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
                // This way is closed, the other is not.
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
    // A peer that reads nothing.
    assert_eq!(socket.sendall(&vec![b'x'; 64 << 20]).unwrap_err().kind(), ErrorKind::TimedOut);
    // Zero does not wait, and says so, as in Python.
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
    // The kernel sends no files of /proc by itself.
    #[cfg(target_os = "linux")]
    assert!(socket.sendfile(&fs::File::open("/proc/self/status")?, 0, Some(5))? == 5);
    fs::remove_file(&path)
}

#[test]
fn timeouts_of_either_direction() {
    let server = TcpServer::bind("127.0.0.1:0", || Calls).unwrap();
    serving(server, |server| {
        let mut client = tcp_client(server)?;
        client.write_all(b"timeouts")?;
        // Reads only when the handler has done, so the handler's calls do time out.
        while server.active_requests() > 0 || client.peek(&mut [0])? == 0 {
            std::thread::yield_now();
        }
        client.read_to_end(&mut Vec::new())
    });
}

#[test]
fn files_are_sent_whole_or_in_part() {
    let server = ThreadingTcpServer::bind("127.0.0.1:0", || Calls).unwrap();
    let got = serving(server, |server| {
        let mut client = tcp_client(server)?;
        client.write_all(b"sendfile")?;
        let mut got = Vec::new();
        client.read_to_end(&mut got)?;
        Ok(got)
    });
    let content: Vec<u8> = (0..200_000_u32).map(|n| n.to_be_bytes()[3]).collect();
    let parts = [&content[..], &content[1000..1256], &content[199_999..]].concat();
    assert!(got.starts_with(&parts));
    assert_eq!(&got[parts.len()..], if cfg!(target_os = "linux") { &b"Name:"[..] } else { b"" });
}

#[test]
fn one_direction_can_be_ended() {
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

/// With input that nobody has read, a close would be a reset, and take back what the client has not got yet.
#[test]
fn an_answer_survives_input_that_was_not_read() {
    const ANSWER: usize = 150_000;

    struct Deaf;
    impl BaseRequestHandler for Deaf {
        fn handle(&mut self, cx: &mut Context) -> HandlerResult {
            let socket = socket2::SockRef::from(&cx.request);
            socket.set_send_buffer_size(2 * ANSWER)?;
            let mut seen = [std::mem::MaybeUninit::uninit(); 1000];
            while socket.peek(&mut seen)? < 1000 {}
            Ok(cx.request.sendall(&[b'x'; ANSWER])?)
        }
    }
    let server = TcpServer::bind("127.0.0.1:0", || Deaf).unwrap();
    serving(server, |server| {
        let client = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
        client.set_recv_buffer_size(4096)?;
        client.set_read_timeout(Some(crate::PATIENCE))?;
        client.connect(&server.server_address().inet().unwrap().into())?;
        (&client).write_all(&[b'y'; 1000])?;
        // The first of it is here when the handler runs, and the rest in the kernel when it does no more.
        client.peek(&mut [std::mem::MaybeUninit::uninit()])?;
        while server.active_requests() > 0 {
            std::thread::yield_now();
        }
        let mut said = Vec::new();
        (&client).read_to_end(&mut said)?;
        assert_eq!(said.len(), ANSWER);
        Ok(())
    });
}

#[test]
fn datagrams_by_hand() {
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

/// Clients of Unix sockets mostly have no name; that is said, and cannot be answered.
#[cfg(target_os = "linux")]
#[test]
fn unix_addresses_with_and_without_a_name() {
    use std::{os::unix::net::UnixDatagram, path::Path};

    struct Who;
    impl DatagramRequestHandler for Who {
        fn handle(&mut self, cx: &mut DatagramContext) -> HandlerResult {
            let known = Path::new("\0sinew-known");
            if cx.client_address.path() == Some(Path::new("")) {
                // On behalf of the one that has no name.
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
        known.set_read_timeout(Some(crate::PATIENCE))?;
        let mut said = [0; 100];
        for (client, wanted) in [(&known, "@sinew-known"), (&UnixDatagram::unbound()?, "unnamed")] {
            client.send_to_addr(b"who am I?", &address)?;
            let len = known.recv(&mut said)?;
            assert_eq!(std::str::from_utf8(&said[..len]).unwrap(), wanted);
        }
        Ok(())
    });
}

/// The client hears nobody but the one that it has asked, as a resolver does.
#[cfg(target_os = "linux")]
#[test]
fn a_udp_server_answers_from_the_address_that_was_asked() {
    use std::net::{IpAddr, UdpSocket};

    /// Answers by the file.
    struct Filed;
    impl DatagramRequestHandler for Filed {
        fn handle(&mut self, cx: &mut DatagramContext) -> HandlerResult {
            let info = cx.request.info.expect("it is UDP, on Linux");
            Ok(write!(cx.wfile, "{}", info.to.to_canonical())?)
        }
    }
    /// Answers by the socket, and sends something to somebody else besides.
    struct ByHand;
    impl BaseRequestHandler<Datagram> for ByHand {
        fn handle(&mut self, cx: &mut Context<Datagram>) -> HandlerResult {
            let info = cx.request.info.expect("it is UDP, on Linux");
            let answer = info.to.to_canonical().to_string();
            cx.request.socket.sendto(answer.as_bytes(), &cx.client_address)?;
            Ok(())
        }
    }

    fn asked<H, M>(server: Server<Udp, H, M>, is_v6: bool) {
        serving(server, |server| {
            let asked = ["127.0.0.1", "127.0.0.2", "127.0.0.3"].into_iter();
            for to in asked.chain(is_v6.then_some("::1")) {
                let to: IpAddr = to.parse().unwrap();
                let client = UdpSocket::bind(if to.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" })?;
                client.set_read_timeout(Some(crate::PATIENCE))?;
                client.connect((to, server.server_address().port().unwrap()))?;
                client.send(b"who are you?")?;
                let mut said = [0; 100];
                // A wait with a timeout may be cut short, as by a ring that this thread has opened and closed.
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
            asked(UdpServer::bind_with(at, || Filed, in_place.clone()).unwrap(), is_v6);
            asked(UdpServer::bind_with(at, || ByHand, in_place).unwrap(), is_v6);
            let threading = ServerConfig::default().engine(engine);
            asked(ThreadingUdpServer::bind_with(at, || Filed, threading).unwrap(), is_v6);
        }
    }
}
