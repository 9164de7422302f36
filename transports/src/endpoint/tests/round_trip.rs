//! Property tests: the `Display` text of an endpoint parses to the same endpoint, for every kind.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6},
    time::Duration,
};

use proptest::prelude::*;

use super::*;
use crate::{
    ListenConfig,
    names::literal::Literal,
    proxy::{ProxyConfig, ProxyVersion, Subnet},
};

fn ipv6() -> impl Strategy<Value = Ipv6Addr> {
    prop_oneof![
        any::<[u16; 8]>().prop_map(Ipv6Addr::from),
        any::<u16>().prop_map(|last| Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last)),
        Just(Ipv6Addr::LOCALHOST),
        Just(Ipv6Addr::UNSPECIFIED),
    ]
}

fn addr() -> impl Strategy<Value = SocketAddr> {
    let scope = prop_oneof![Just(0), 1_u32..40, any::<u32>()];
    prop_oneof![
        (any::<[u8; 4]>(), any::<u16>()).prop_map(SocketAddr::from),
        (ipv6(), any::<u16>(), scope)
            .prop_map(|(ip, port, scope)| SocketAddrV6::new(ip, port, 0, scope).into()),
    ]
}

/// An address, a link-local address with an interface name, or a name.
fn destination() -> impl Strategy<Value = Destination> {
    prop_oneof![
        addr().prop_map(Destination::Addr),
        (ipv6(), "[a-z][a-z0-9._-]{0,14}", any::<u16>()).prop_map(|(ip, interface, port)| (
            format!("{ip}%{interface}"),
            port
        )
            .into()),
        ("[a-z][a-z0-9.-]{0,20}", any::<u16>()).prop_map(|(host, port)| (host, port).into()),
        // Invalid names are printed, too.
        ("\\PC{1,20}", any::<u16>()).prop_map(|(host, port)| (host, port).into()),
    ]
}

fn time() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (0_u64..100_000).prop_map(Duration::from_millis),
        (any::<u64>(), 0_u32..1_000_000_000).prop_map(|(secs, nanos)| Duration::new(secs, nanos)),
    ]
}

fn version() -> impl Strategy<Value = ProxyVersion> {
    prop_oneof![Just(ProxyVersion::V1), Just(ProxyVersion::V2)]
}

/// Options, in any order.
fn options(all: &[&'static str]) -> impl Strategy<Value = String> + use<> {
    prop::sample::subsequence(all.to_vec(), 0..=all.len())
        .prop_shuffle()
        .prop_map(|some| some.iter().map(|option| format!(":{option}")).collect())
}

const STREAM: [&str; 2] = ["nodelay=no", "keepalive=1.25"];

fn tcp_client() -> impl Strategy<Value = TcpClient> {
    let (bind, times) = (prop::option::of(addr()), prop::option::of(time()));
    (destination(), bind, times, prop::option::of(version())).prop_map(
        |(to, bind, time, version)| {
            let client = TcpClient::new(to);
            let client = bind.into_iter().fold(client, TcpClient::bind);
            let client = time.into_iter().fold(client, TcpClient::timeout);
            version.into_iter().fold(client, TcpClient::send_proxy)
        },
    )
}

/// Servers made in code, or parsed.
fn servers() -> impl Strategy<Value = ServerEndpoint> {
    let read = |text: String| text.parse().unwrap_or_else(|error| panic!("{error}"));
    let server_options = ["backlog=7", "reuseport=yes", STREAM[0], STREAM[1]];
    let plain = prop_oneof![
        destination().prop_map(|at| ServerEndpoint::new(TcpServer::new(at))),
        (any::<u16>(), options(&server_options))
            .prop_map(move |(port, options)| read(format!("tcp:{port}{options}"))),
        (addr(), options(&server_options), prop::bool::ANY).prop_map(move |(addr, options, v6)| {
            let interface = quote(&Literal::Addr(addr).to_string()).into_owned();
            match addr.is_ipv4() {
                true => read(format!("tcp:{}:interface={interface}{options}", addr.port())),
                false => {
                    read(format!("tcp6:{}:interface={interface}:v6only={v6}{options}", addr.port()))
                }
            }
        }),
        addr().prop_map(move |addr| read(addr.to_string())),
        "\\PC{1,20}".prop_map(|name| ServerEndpoint::new(Memory::new(name))),
        #[cfg(unix)]
        unix_addr().prop_map(|at| ServerEndpoint::new(UnixServer::new(at).mode(0o660))),
        #[cfg(unix)]
        (unix_addr(), options(&["mode=600", "backlog=7", "lockfile=no"])).prop_map(
            move |(at, options)| { read(format!("unix:{}{options}", quote(&unix_value(&at)))) }
        ),
        #[cfg(unix)]
        "\\PC{1,20}".prop_map(|name| ServerEndpoint::new(Systemd::name(name))),
        #[cfg(unix)]
        (0..4096_usize).prop_map(|at| ServerEndpoint::new(Systemd::index(at))),
        #[cfg(unix)]
        any::<u16>().prop_map(|fd| ServerEndpoint::new(Descriptor::new(fd.into()))),
        #[cfg(unix)]
        Just(ServerEndpoint::new(Stdio)),
    ]
    .boxed();
    let subnet = (any::<[u8; 4]>(), ipv6(), prop::bool::ANY, 0_u8..=32);
    let subnet = subnet.prop_map(|(v4, v6, is_v4, bits)| {
        let ip = if is_v4 { IpAddr::from(v4) } else { v6.into() };
        Subnet::new(ip, bits).expect("32 bits are not too many for either")
    });
    let trusted = prop::option::of(prop::collection::vec(subnet, 0..3));
    let behind =
        (plain.clone(), trusted, prop::option::of(time()), prop::option::of(any::<usize>()));
    let behind = behind.prop_map(|(inner, trusted, time, max)| {
        let config = ProxyConfig::default();
        let config = trusted.into_iter().fold(config, ProxyConfig::trust);
        let config = time.into_iter().fold(config, ProxyConfig::timeout);
        let config = max.into_iter().fold(config, ProxyConfig::header_len_max);
        ServerEndpoint::new(Proxy::new(inner, config))
    });
    prop_oneof![3 => plain, 1 => behind]
}

fn clients() -> impl Strategy<Value = ClientEndpoint> {
    let client_options = ["timeout=0.5", "sendProxy=v1", STREAM[0], STREAM[1]];
    let everywhere = prop_oneof![
        tcp_client().prop_map(ClientEndpoint::new),
        destination().prop_map(ClientEndpoint::from),
        addr().prop_map(|addr| read_client(addr.to_string())),
        (addr(), options(&client_options)).prop_map(|(addr, options)| {
            let host = quote(&Literal::Addr(addr).to_string()).into_owned();
            read_client(format!("tcp:{host}:{}{options}", addr.port()))
        }),
        "\\PC{1,20}".prop_map(|name| ClientEndpoint::new(Memory::new(name))),
    ];
    #[cfg(unix)]
    let everywhere = prop_oneof![everywhere, unix_clients()];
    #[cfg(feature = "tls")]
    let everywhere = prop_oneof![5 => everywhere, 1 => tls_clients()];
    everywhere
}

fn read_client(text: String) -> ClientEndpoint {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

#[cfg(unix)]
fn unix_clients() -> impl Strategy<Value = ClientEndpoint> {
    let stderr = vec![ProcessStderr::Inherit, ProcessStderr::Log, ProcessStderr::Drop];
    let arguments = prop::collection::vec("\\PC{0,20}", 0..4);
    prop_oneof![
        (unix_addr(), time(), version()).prop_map(|(to, time, version)| {
            ClientEndpoint::new(UnixClient::new(to).timeout(time).send_proxy(version))
        }),
        ("\\PC{1,20}", arguments, prop::sample::select(stderr)).prop_map(
            |(program, arguments, stderr)| {
                let client = ProcessClient::new(program).stderr(stderr);
                ClientEndpoint::new(arguments.into_iter().fold(client, ProcessClient::argument))
            }
        ),
        any::<u16>().prop_map(|fd| ClientEndpoint::new(Descriptor::new(fd.into()))),
        Just(ClientEndpoint::new(Stdio)),
    ]
}

#[cfg(feature = "tls")]
fn tls_clients() -> impl Strategy<Value = ClientEndpoint> {
    let keys = ["timeout=0.5", "sendProxy=v2", STREAM[0], "alpn=h2,http/1.1", r"server_name=\:\:1"];
    (addr(), options(&keys)).prop_map(|(addr, options)| {
        let host = quote(&Literal::Addr(addr).to_string()).into_owned();
        let secure = "insecure_without_verification=yes";
        read_client(format!("tls:{host}:{}:{secure}{options}", addr.port()))
    })
}

#[cfg(unix)]
fn unix_addr() -> impl Strategy<Value = crate::UnixAddr> {
    use crate::UnixAddr;
    prop_oneof![
        // Any character but NUL, which paths cannot contain.
        "[^\0]{1,30}".prop_map(UnixAddr::from),
        "@[a-z]{0,5}".prop_map(UnixAddr::from),
        prop::collection::vec(any::<u8>(), 0..30).prop_map(UnixAddr::Abstract),
    ]
}

proptest! {
    #[test]
    fn server_endpoints_round_trip(endpoint in servers()) {
        let printed = endpoint.to_string();
        let read = printed.parse::<ServerEndpoint>();
        prop_assert!(read.is_ok(), "{printed}: {}", read.unwrap_err());
        prop_assert_eq!(read.unwrap().to_string(), printed);
    }

    #[test]
    fn client_endpoints_round_trip(endpoint in clients()) {
        let printed = endpoint.to_string();
        let read = printed.parse::<ClientEndpoint>();
        prop_assert!(read.is_ok(), "{printed}: {}", read.unwrap_err());
        prop_assert_eq!(read.unwrap().to_string(), printed);
    }

    /// Scopes are kept, whichever type prints the address.
    #[test]
    fn addresses_round_trip(addr in addr(), to in destination()) {
        let endpoint = |text: String| text.parse::<ClientEndpoint>().unwrap().to_string();
        let expected = ClientEndpoint::from(addr).to_string();
        for printed in [
            addr.to_string(),
            Address::from(addr).to_string(),
            crate::Peer::Inet(addr).to_string(),
            Destination::from(addr).to_string(),
        ] {
            prop_assert_eq!(endpoint(printed.clone()), &*expected);
            prop_assert_eq!(Destination::from(printed), Destination::Addr(addr));
        }
        // Names that are printed unescaped.
        if let Destination::Name(host, _) = &to
            && (Literal::parse(host).is_some()
                || host.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)))
        {
            prop_assert_eq!(Destination::from(to.to_string()), to);
        }
    }

    #[cfg(unix)]
    #[test]
    fn unix_addresses_round_trip(addr in unix_addr()) {
        let printed = Address::from(addr.clone()).to_string();
        let read = printed.parse::<ClientEndpoint>().unwrap();
        prop_assert_eq!(&read.to_string(), &printed);
    }
}

/// The arguments of a string, which must have a kind.
fn arguments(text: &str) -> Arguments {
    Arguments::new(text, grammar::fields(text).unwrap()).unwrap()
}

proptest! {
    /// The parsed values are equal, not only their text.
    #[test]
    fn tcp_endpoints_keep_their_values(client in tcp_client(), at in destination()) {
        let mut printed = arguments(&client.to_string());
        let host = printed.require("host").unwrap();
        let read = tcp::parse_client(&host, &mut printed).unwrap();
        let config = |client: &TcpClient| client.configured(crate::ConnectConfig::default());
        let ((to, is), (expected, was)) = (config(&read), config(&client));
        prop_assert_eq!((to, is.bind, is.timeout), (expected, was.bind, was.timeout));
        prop_assert_eq!(is.proxy_header, was.proxy_header);

        let server = TcpServer::new(at);
        let mut printed = arguments(&server.to_string());
        let all = if printed.kind() == "tcp6" { Ipv6Addr::UNSPECIFIED.into() } else { IpAddr::from([0; 4]) };
        let (read, _) = tcp::parse_port(&mut printed, all).unwrap();
        let at = |server: &TcpServer| server.configured(ListenConfig::default()).0;
        // The unspecified address has no scope.
        let expected = match at(&server) {
            Destination::Addr(addr) if addr.ip().is_unspecified() => (addr.ip(), addr.port()).into(),
            other => other,
        };
        prop_assert_eq!(at(&read), expected);
    }
}
