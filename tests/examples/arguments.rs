//! Invalid command lines and unusable ports: one clear line on standard error, and the exit code for its kind.

use std::{
    collections::BTreeMap,
    net::{TcpListener, UdpSocket},
};

use super::{pages, process::Example};

/// The servers, with their required arguments.
const SERVERS: &[(&str, &[&str])] = &[
    ("echo_server", &[]),
    ("simple_logger", &[]),
    ("line_logger", &[]),
    ("upper_server", &[]),
    ("framed_echo", &["--codec", "line"]),
    ("portforward", &["--to", "127.0.0.1:9"]),
    ("wire_server", &[]),
    ("timers", &[]),
    ("background_work", &[]),
    ("async_client", &[]),
    ("custom_handler", &[]),
    ("udp_server", &[]),
    ("proxy_echo", &[]),
];

fn refuses(name: &str, args: &[&str], code: i32, part: &str) {
    let ended = Example::start(name, args).wait();
    let what = format!("{name} {args:?}: {ended:?}");
    assert_eq!(ended.code, Some(code), "{what}");
    assert!(ended.stdout.is_empty() && ended.stderr.len() == 1, "{what}");
    assert!(ended.stderr[0].starts_with("error: ") && ended.stderr[0].contains(part), "{what}");
}

#[test]
fn a_bad_argument() {
    for (name, needed) in SERVERS {
        let cases: &[(&[&str], &str)] = &[
            (&["--listen", "nowhere"], "'nowhere' for '--listen <"),
            (&["--listen", "127.0.0.1:65536"], "port 65536 is above 65535"),
            (&["--listen", "[fe80::1%lo]:99999"], "port 99999 is above 65535"),
            (&["--listen", ":99999"], "port 99999 is above 65535"),
            (&["--listen", "example.org"], "example.org has no port; write example.org:PORT"),
            (&["--listen", "::1:80"], "an IPv6 address must be in brackets before its port"),
            (&["--listen"], "--listen"),
            (&["--engine", "steam"], "unknown engine \"steam\"; available on this platform: mio"),
            (&["--nonsense"], "--nonsense"),
            (&["nonsense"], "nonsense"),
        ];
        for (args, part) in cases {
            refuses(name, &[*needed, args].concat(), 2, part);
        }
    }
    let cases: &[(&str, &[&str], &str)] = &[
        ("echo_client", &["--to", "nowhere"], "unknown kind of endpoint \"nowhere\"; there are "),
        (
            "echo_server",
            &["--listen", "tcp:80:backlog=much"],
            "\"much\" is not a number up to 65535, at column 16",
        ),
        ("connect", &["tcp:host:99999"], "port 99999 is above 65535"),
        ("connect", &["host:99999"], "port 99999 is above 65535"),
        ("connect", &["8123"], "the host is missing; write HOST:8123"),
        ("connect", &[], "<ENDPOINT>"),
        ("reconnect", &["--to", "nowhere"], "unknown kind of endpoint"),
        ("proxy_echo", &["--trust", "10.0.0.0/33"], "\"10.0.0.0/33\" is not a subnet"),
        ("echo_client", &["--engine", "steam"], "steam"),
        ("udp_client", &["--to", "nowhere"], "nowhere has no port; write nowhere:PORT"),
        (
            "udp_client",
            &["--to", "a:99999"],
            "\"a:99999\" is not host:port: port 99999 is above 65535",
        ),
        ("udp_client", &["--wait", "long"], "'long' for '--wait <MS>'"),
        ("multicast_chat", &["--group", "nobody"], "'nobody' for '--group <ADDR>'"),
        ("unix_echo", &["--listen", "unix:x:mode=999"], "\"999\" is not a file mode"),
        ("framed_echo", &[], "--codec <NAME>"),
        (
            "framed_echo",
            &["--codec", "morse"],
            "possible values: line, netstring, int8, int16, int32",
        ),
        ("framed_echo", &["--codec", "line", "--max", "many"], "'many' for '--max <N>'"),
        ("portforward", &[], "--to <ENDPOINT>"),
        (
            "portforward",
            &["--to", "::1:nine"],
            "in brackets before its port, as in [::1]:8000, at column 1",
        ),
        (
            "portforward",
            &["--to", "a:1", "--send-proxy", "v3"],
            "'v3' for '--send-proxy <VERSION>': \"v3\" is neither v1 nor v2",
        ),
        ("wire_server", &["--listen", "127.0.0.1:65500"], "no room"),
    ];
    for (name, args, part) in cases {
        refuses(name, args, 2, part);
    }
}

/// 70 KB, with terminal control sequences: printed on one line, shortened and escaped.
#[test]
fn echoed_arguments_are_shortened_and_escaped() {
    let long = "a".repeat(70_000);
    for (name, needed) in SERVERS {
        for value in [&*long, "a\u{1b}[2J", "\u{9b}31m:\u{7}", "a\nb\u{202e}c"] {
            let ended = Example::start(name, &[*needed, &["--listen", value]].concat()).wait();
            assert_eq!((ended.code, ended.stderr.len()), (Some(2), 1), "{name}: {ended:?}");
            let said = &ended.stderr[0];
            assert!(said.len() < 1500, "{name}: {} bytes", said.len());
            assert!(said.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{name}: {said:?}");
        }
    }
}

/// The help describes the example itself, without text shared by all examples.
#[test]
fn help_succeeds_and_is_specific_to_each_example() {
    let mut said = BTreeMap::new();
    for name in pages::built() {
        let ended = Example::start(&name, &["--help"]).wait();
        assert_eq!((ended.code, ended.stderr.len()), (Some(0), 0), "{name}: {ended:?}");
        assert!(ended.stdout.iter().any(|line| line.starts_with("Usage: ")), "{name}: {ended:?}");
        if let Some(other) = said.insert(ended.stdout[0].clone(), name.clone()) {
            panic!("{name} says that it is the same as {other}: {}", ended.stdout[0]);
        }
    }
}

#[test]
fn an_address_in_use() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    for (name, needed) in SERVERS {
        let mut taken = tcp.local_addr().unwrap();
        let mut listen = taken;
        match *name {
            "wire_server" => listen.set_port(taken.port() - 7),
            "custom_handler" | "udp_server" => {
                taken = udp.local_addr().unwrap();
                listen = taken;
            }
            _ => {}
        }
        let listen = listen.to_string();
        let args = [*needed, &["--listen", &listen]].concat();
        refuses(name, &args, 1, &format!("could not listen on {taken}: "));
    }
}
