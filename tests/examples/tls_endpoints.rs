//! `echo_server --listen` and `connect` on TLS endpoints.

use sinew::transports::endpoint::quote;

use super::{
    process::{Example, listening},
    tls_echo::{Folder, client, echoes},
};
use crate::ENGINES;

/// Self-signed certificates for this machine.
fn papers(name: &str) -> (Folder, String) {
    let folder = Folder::new(name);
    drop(Example::serve("tls_echo", "mio", &["--self-signed", &folder.path("")]));
    let quoted = quote(&folder.path("")).into_owned();
    (folder, quoted)
}

fn serve(listen: &str) -> (Example, u16) {
    let mut server = Example::start("echo_server", &["--listen", listen]);
    server.addr = listening(&server.line()).parse().unwrap();
    let port = server.addr.port();
    (server, port)
}

#[test]
fn both_ends() {
    let (_folder, at) = papers("endpoints-both");
    let (server, port) = serve(&format!(
        "tls:0:interface=127.0.0.1:cert={at}cert.pem:key={at}key.pem:alpn=echo,x/1"
    ));
    for engine in ENGINES {
        let to = format!("tls:localhost:{port}:ca={at}cert.pem:alpn=x/1:timeout=30");
        let mut client = Example::start("connect", &[&to, "--engine", engine]);
        client.input(b"hello\n");
        assert_eq!(client.line(), "hello");
        let ended = client.wait();
        assert_eq!((ended.code, ended.stderr.len()), (Some(0), 0), "{ended:?}");
    }
    let cases = [
        (
            format!("tls:127.0.0.1:{port}:ca={at}cert.pem:server_name=elsewhere"),
            "not valid for name",
        ),
        (format!("tls:localhost:{port}:ca={at}cert.pem:alpn=y"), "no application protocol"),
    ];
    for (to, told) in cases {
        let ended = Example::start("connect", &[&to]).wait();
        assert_eq!(ended.code, Some(1), "{to}");
        assert!(ended.stderr[0].contains(told), "{ended:?}");
    }
    let to =
        format!("tls:127.0.0.1:{port}:server_name=elsewhere:insecure_without_verification=yes");
    let mut client = Example::start("connect", &[&to]);
    client.input(b"anybody\n");
    assert_eq!(client.line(), "anybody");
    drop(client);
    server.finish();
}

#[test]
fn clients_present_certificates() {
    let (_folder, at) = papers("endpoints-clients");
    let (server, port) = serve(&format!(
        "tls:0:interface=127.0.0.1:cert={at}cert.pem:key={at}key.pem:client_ca={at}cert.pem"
    ));
    let to = format!("tls:localhost:{port}:ca={at}cert.pem");
    let ended = Example::start("connect", &[&to]).wait();
    assert_eq!(
        (ended.code, &*ended.stderr),
        (Some(1), &["error: TLS: the peer sent an alert: certificate required".into()][..])
    );
    let mut client =
        Example::start("connect", &[&format!("{to}:cert={at}cert.pem:key={at}key.pem")]);
    client.input(b"hello\n");
    assert_eq!(client.line(), "hello");
    drop(client);
    server.finish();
}

/// First the header in plaintext, then the handshake, then the protocol, whose peer is the client of the proxy.
#[test]
fn behind_a_proxy() {
    let (folder, at) = papers("endpoints-proxy");
    let tls = format!("tls:0:interface=127.0.0.1:cert={at}cert.pem:key={at}key.pem");
    let (server, port) = serve(&format!("proxy:{tls}"));
    // A client that starts with the handshake.
    let ended =
        Example::start("connect", &[&format!("tls:localhost:{port}:ca={at}cert.pem")]).wait();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let mut peer = server.connect();
    peer.send("PROXY TCP4 192.0.2.1 198.51.100.2 7 443\r\n");
    let mut client = client(&peer, &folder.0.join("cert.pem"));
    echoes(&mut client);
    drop((client, peer));
    server.finish();

    let (server, port) = serve(&format!("proxy:{tls}:trust=192.0.2.0/24"));
    server.connect().expect_end();
    assert_eq!(server.addr.port(), port);
    server.finish();
}
