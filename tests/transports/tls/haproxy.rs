//! Interoperability with haproxy: PROXY protocol headers in both directions, with and without TLS. Skipped if it is
//! not installed.

use std::{
    cell::RefCell,
    env, fs,
    net::{SocketAddr, TcpListener},
    os::fd::OwnedFd,
    path::PathBuf,
    process::{self, Child, Command, Stdio},
    rc::Rc,
};

use sinew::{
    prelude::*,
    transports::{
        endpoint::ClientEndpoint,
        proxy::{ProxyConfig, ProxyHeader, ProxyVersion, tlv},
    },
};

use crate::support::{
    Echo, Link, Sink, Watchdog, World,
    certs::{self, localhost},
    sockets::any_port,
};

/// A haproxy on a socket of the test, which it inherits as descriptor 3. Its folder is removed on drop.
struct Haproxy {
    child: Child,
    folder: PathBuf,
    addr: SocketAddr,
}

impl Haproxy {
    /// `None` if it is not installed. `proxies` is the part of its configuration after the defaults.
    fn start(name: &str, proxies: &str) -> Option<Self> {
        if Command::new("haproxy").arg("-v").stdout(Stdio::null()).status().is_err() {
            eprintln!("skipped: haproxy is not installed");
            return None;
        }
        let folder = env::temp_dir().join(format!("sinew-haproxy-{name}-{}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        let certificate = localhost();
        fs::write(
            folder.join("both.pem"),
            format!("{}{}", certificate.certificate, certificate.key),
        )
        .unwrap();
        let config = format!(
            "defaults\n mode http\n timeout client 10s\n timeout server 10s\n timeout connect 10s\n{proxies}\n"
        );
        fs::write(folder.join("haproxy.cfg"), config).unwrap();
        let listener = TcpListener::bind(any_port()).unwrap();
        let addr = listener.local_addr().unwrap();
        let child = Command::new("sh")
            .args(["-c", "exec 3<&0 </dev/null; exec haproxy -db -q -f haproxy.cfg"])
            .current_dir(&folder)
            .stdin(OwnedFd::from(listener))
            .spawn()
            .unwrap();
        Some(Self { child, folder, addr })
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Asks a frontend for its view of the client: the last line of its answer, with the connection's own address.
fn ask(world: &World, endpoint: &str, header: Option<ProxyHeader>) -> (String, SocketAddr) {
    let endpoint: ClientEndpoint = endpoint.parse().unwrap();
    let config = ConnectConfig::default().proxy_header(header);
    let connecting = endpoint.connect_with(world.reactor(), config, world.watched(|| Sink));
    world.until("the connection", || connecting.is_settled());
    let connection = connecting.take().unwrap().unwrap();
    let local = connection.transport().local().unwrap();
    connection.transport().write(b"GET / HTTP/1.0\r\n\r\n");
    let trace = world.traces.last();
    world.until("the answer", || trace.is_lost());
    let answer = String::from_utf8(trace.data()).unwrap();
    (answer.rsplit("\r\n").next().unwrap().trim_end().to_owned(), local)
}

const TELLS: &str = r#"http-request return status 200 content-type text/plain lf-string "%[src] %[src_port] %[dst] %[dst_port] '%[fc_pp_authority]' '%[fc_pp_unique_id]'\n""#;

#[test]
fn haproxy_accepts_our_headers() {
    let _dog = Watchdog::new("haproxy");
    let plain = format!("frontend plain\n bind fd@3 accept-proxy\n {TELLS}");
    let secured = format!("frontend secured\n bind fd@3 accept-proxy ssl crt both.pem\n {TELLS}");
    for (name, config, is_tls) in [("plain", plain, false), ("secured", secured, true)] {
        let Some(haproxy) = Haproxy::start(name, &config) else { return };
        let world = World::new(Engine::Mio, Link::TlsAccepted);
        let (ip, port) = (haproxy.addr.ip(), haproxy.addr.port());
        let endpoint = if is_tls {
            format!("tls:{ip}:{port}:insecure_without_verification=yes")
        } else {
            format!("tcp:{ip}:{port}")
        };
        for version in [ProxyVersion::V1, ProxyVersion::V2] {
            let header = ProxyHeader::new(version);
            let v4 = header
                .clone()
                .addresses("192.0.2.1:56324".parse().unwrap(), "198.51.100.2:443".parse().unwrap());
            let v6 = header
                .clone()
                .addresses("[2001:db8::1]:7".parse().unwrap(), "[2001:db8::2]:8".parse().unwrap());
            let callbacks =
                v4.clone().authority("www.example").unwrap().unique_id(b"a-17").unwrap();
            let (full_backlog, empty) = ("'www.example' 'a-17'", "'' ''");
            let said = if version == ProxyVersion::V2 { full_backlog } else { empty };
            let cases = [
                (v4.clone(), format!("192.0.2.1 56324 198.51.100.2 443 {empty}")),
                (v4.checksum(), format!("192.0.2.1 56324 198.51.100.2 443 {empty}")),
                (v6, format!("2001:db8::1 7 2001:db8::2 8 {empty}")),
                (callbacks.checksum(), format!("192.0.2.1 56324 198.51.100.2 443 {said}")),
            ];
            for (header, expected) in cases {
                assert_eq!(ask(&world, &endpoint, Some(header)).0, expected, "{name}, {version}");
            }
            // Its own ends, whether explicit in the header or implied (LOCAL).
            for header in [header.clone(), header.local()] {
                let (answer, local) = ask(&world, &endpoint, Some(header));
                let expected = format!("{} {} {ip} {port} {empty}", local.ip(), local.port());
                assert_eq!(answer, expected, "{name}, {version}");
            }
            let (answer, local) = ask(&world, &format!("{endpoint}:sendProxy={version}"), None);
            assert_eq!(answer, format!("{} {} {ip} {port} {empty}", local.ip(), local.port()));
        }
        world.end();
    }
}

/// The other direction: `send-proxy` and its options.
#[test]
fn haproxys_headers_are_accepted() {
    let _dog = Watchdog::new("haproxy");
    let world = World::new(Engine::Mio, Link::TlsAccepted);
    for options in
        ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options ssl,unique-id,crc32c"]
    {
        let peers = Rc::<RefCell<Vec<Peer>>>::default();
        let kept = peers.clone();
        let config = ListenConfig::default().proxy(ProxyConfig::default());
        let factory = move |peer: &Peer| {
            kept.borrow_mut().push(peer.clone());
            Echo
        };
        let port = world.reactor().listen_tcp_with(any_port(), config, factory).unwrap();
        let proxies = format!(
            "frontend front\n mode tcp\n bind fd@3 ssl crt both.pem\n unique-id-format a-%[src_port]\n \
             default_backend back\nbackend back\n mode tcp\n server s {} {options}",
            port.local()
        );
        let Some(haproxy) = Haproxy::start("back", &proxies) else { return };
        let config = ConnectConfig::default();
        let connecting = world.reactor().connect_tls_with(
            haproxy.addr,
            config,
            &certs::client(),
            world.watched(|| Sink),
        );
        world.until("the connection", || connecting.is_settled() && peers.borrow().len() == 1);
        let connection = connecting.take().unwrap().unwrap();
        let peer = peers.borrow_mut().pop().unwrap();
        let (proxied, local) = (peer.proxied().unwrap(), connection.transport().local().unwrap());
        assert_eq!(proxied.source(), Some(local), "{options}");
        assert_eq!(proxied.destination(), Some(haproxy.addr));
        if options.contains("ssl") {
            let ssl = proxied.ssl().unwrap();
            assert_eq!((ssl.is_tls(), ssl.is_verified()), (true, false));
            assert_eq!(ssl.told_version(), Some("TLSv1.3"));
            assert_eq!(proxied.tlv(tlv::UNIQUE_ID), Some(format!("a-{}", local.port()).as_bytes()));
            assert!(proxied.tlv(tlv::CRC32C).is_some());
        }
        connection.transport().abort();
        world.until("the end", || world.traces.all().iter().all(|trace| trace.is_lost()));
        port.stop_listening();
    }
    world.end();
}
