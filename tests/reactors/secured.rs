//! TLS on several reactors: the certificates are shared, reloaded once, and sessions resumed on any of them.

use std::{collections::BTreeMap, net::TcpStream, sync::Arc};

use rustls::{ClientConfig, ClientConnection, HandshakeKind, StreamOwned, pki_types::ServerName};
use sinew::transports::{
    endpoint::{ServerEndpoint, TcpServer, TlsServer},
    reactors::{Distribution, Reactors, ReactorsHandle},
};

use super::kit::{Client, actors, only_address, quiet};
use crate::certs;

type Secured = StreamOwned<ClientConnection, TcpStream>;

fn connect(handle: &ReactorsHandle, config: &Arc<ClientConfig>) -> Client<Secured> {
    let name = ServerName::try_from("localhost").expect("a name");
    let session = ClientConnection::new(config.clone(), name).expect("a session");
    Client(StreamOwned::new(session, Client::at(only_address(handle)).0))
}

fn in_turn(endpoint: ServerEndpoint) -> Reactors {
    quiet(2).distribution(Distribution::RoundRobin).listen(endpoint, actors)
}

/// The certificate that the server has sent.
fn certificate(client: &Client<Secured>) -> Vec<u8> {
    client.0.conn.peer_certificates().expect("it has one")[0].to_vec()
}

#[test]
fn certificates_are_reloaded_once_for_all() {
    let tls = certs::server();
    let at = TcpServer::new("127.0.0.1:0");
    let endpoint = ServerEndpoint::new(TlsServer::new(at, tls.clone()));
    let reactors = in_turn(endpoint).start().expect("they start");
    // Without resumption, so that each connection shows the certificate of now.
    let mut config = certs::remote_client_config(None);
    config.resumption = rustls::client::Resumption::disabled();
    let config = Arc::new(config);
    let two = || {
        let mut clients = [(); 2].map(|()| connect(&reactors, &config));
        assert_eq!(clients.each_mut().map(Client::shard), [0, 1]);
        clients.each_ref().map(certificate)
    };
    let before = two();
    assert_eq!(before[0], before[1]);
    let next = certs::authority().issue(&["localhost"]);
    tls.reload([next.identity()]).expect("there is one");
    let after = two();
    assert_eq!(after[0], after[1]);
    assert_ne!(before[0], after[0]);
}

/// From a string, with the kernel's distribution.
#[test]
fn an_endpoint_string_with_tls() {
    let folder = std::env::temp_dir().join(format!("sinew-reactors-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&cert, &certs::localhost().certificate).expect("a file");
    std::fs::write(&key, &certs::localhost().key).expect("a file");
    let text = format!("tls:0:interface=127.0.0.1:cert={}:key={}", cert.display(), key.display());
    let endpoint: ServerEndpoint = text.parse().expect("an endpoint");
    let reactors = quiet(2).listen(endpoint.clone(), actors).start().expect("they start");
    // Without resumption, so that each connection shows the certificate of now.
    let mut config = certs::remote_client_config(None);
    config.resumption = rustls::client::Resumption::disabled();
    let config = Arc::new(config);
    // What both reactors show.
    let shown = || {
        let mut seen = BTreeMap::new();
        for n in 0.. {
            let mut client = connect(&reactors, &config);
            let shard = client.shard();
            seen.insert(shard, certificate(&client));
            if seen.len() == 2 {
                break;
            }
            assert!(n < 500, "only {:?}", seen.keys());
        }
        seen
    };
    let before = shown();
    assert_eq!(before[&0], before[&1]);

    // Renewed, read once, and used by all. Then a renewal that went wrong.
    let next = certs::authority().issue(&["localhost"]);
    std::fs::write(&cert, &next.certificate).expect("a file");
    std::fs::write(&key, &next.key).expect("a file");
    endpoint.reload().expect("both files are good");
    let after = shown();
    assert_eq!(after[&0], after[&1]);
    assert_ne!(after[&0], before[&0]);
    std::fs::write(&key, &certs::localhost().key).expect("a file");
    let refused = endpoint.reload().expect_err("the key is of another certificate");
    assert!(refused.to_string().contains("key"), "{refused}");
    assert_eq!(shown(), after);
    std::fs::remove_dir_all(&folder).expect("it is there");
}

#[test]
fn a_session_is_resumed_on_another_reactor() {
    let at = TcpServer::new("127.0.0.1:0");
    let endpoint = ServerEndpoint::new(TlsServer::new(at, certs::server()));
    let reactors = in_turn(endpoint).start().expect("they start");
    let config = Arc::new(certs::remote_client_config(None));
    let mut kinds = Vec::new();
    for expected in [0, 1, 0] {
        let mut client = connect(&reactors, &config);
        assert_eq!(client.shard(), expected);
        kinds.push(client.0.conn.handshake_kind());
    }
    let (full, resumed) = (Some(HandshakeKind::Full), Some(HandshakeKind::Resumed));
    assert_eq!(kinds, [full, resumed, resumed]);
}

#[test]
fn a_connection_with_tls_cannot_move() {
    let at = TcpServer::new("127.0.0.1:0");
    let endpoint = ServerEndpoint::new(TlsServer::new(at, certs::server()));
    let reactors = in_turn(endpoint).start().expect("they start");
    let mut client = connect(&reactors, &Arc::new(certs::remote_client_config(None)));
    client.send("1?");
    assert_eq!(client.line(), "a connection with TLS cannot move to another reactor");
    assert_eq!(client.take(1), "0", "it stays and works");
}
