//! `dns_sinkhole`, in front of `dns_custom_server`.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use sinew::{
    dns::{
        client::{DnsConfig, DnsResolver, NameServer},
        codec::{Name, Question, RecordType, ResponseCode},
    },
    prelude::*,
};

use super::process::{Example, listening};

/// Asks for the address of a name: the code, and how many addresses there are.
fn ask(server: SocketAddr, name: Name) -> (ResponseCode, usize) {
    let reactor = Reactor::new().unwrap();
    let resolver = DnsResolver::new(&reactor, DnsConfig::default());
    let question = Question::new(name, RecordType::A);
    let message = resolver.query_server(&NameServer::new(server), question);
    let message = reactor.run_until(message).unwrap().unwrap();
    (message.metadata.response_code, message.answers.len())
}

fn get(addr: &str) -> String {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    page
}

#[test]
fn names_are_blocked_and_counted() {
    let list = std::env::temp_dir().join(format!("sinew-example-{}.list", std::process::id()));
    std::fs::write(&list, "# a list\n0.0.0.0 workstation7.example\nplain.test\n").unwrap();
    let inner = Example::serve("dns_custom_server", "best", &[]);
    let forward = inner.addr.to_string();
    let path = list.display().to_string();
    let example = Example::start(
        "dns_sinkhole",
        &[
            "--listen",
            "127.0.0.1:0",
            "--page",
            "tcp:0:interface=127.0.0.1",
            "--list",
            &path,
            "--forward",
            &forward,
            "--reload",
            "10",
        ],
    );
    assert_eq!(example.line(), format!("{path}: 2 names"));
    let page = example.line();
    let page = page.strip_prefix("page at http://").unwrap().trim_end_matches('/');
    let addr: SocketAddr = listening(&example.line()).parse().unwrap();

    let name = |text: &str| text.parse::<Name>().unwrap();
    let hostile = Name::from_labels([&b"<b>\"&"[..], b"plain", b"test"]).unwrap();
    let blocked = (ResponseCode::NXDomain, 0);
    for (asked, expected) in [
        (name("workstation1.example."), (ResponseCode::NoError, 1)),
        (name("workstation8.example."), (ResponseCode::NoError, 1)),
        (name("X.workstation7.example."), blocked),
        (name("workstation7.example."), blocked),
        (name("workstation7.example."), blocked),
        (hostile, blocked),
    ] {
        assert_eq!(ask(addr, asked.clone()), expected, "{asked}");
    }
    let shown = get(page);
    for part in [
        "6 questions, 4 of them blocked",
        "<tr><td>2<td>workstation7.example.\n",
        "<tr><td>1<td>x.workstation7.example.\n",
        "<tr><td>1<td>&lt;b&gt;\\&quot;&amp;.plain.test.\n",
        "<tr><td>6<td>127.0.0.1\n",
        "<tr><td>4<td>127.0.0.1\n",
    ] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }

    // Another list.
    std::fs::write(&list, "workstation8.example\n").unwrap();
    assert_eq!(example.line(), format!("{path}: 1 names"));
    assert_eq!(ask(addr, name("workstation8.example.")), blocked);
    assert_eq!(ask(addr, name("workstation7.example.")), (ResponseCode::NoError, 1));
    example.finish();
    inner.finish();
    let _ = std::fs::remove_file(&list);
}
