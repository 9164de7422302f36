//! STARTTLS, TLS from the start, and the channel bindings of logins.

use std::{cell::RefCell, rc::Rc};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256};
use sinew_auth::{ClientLogin, Mechanism, ScramHash, Users};
use sinew_chat::xmpp::{
    client::{Security, XmppClient, XmppConfig, XmppError, XmppHandler},
    server::{ServerConfig, XmppServer},
};
use sinew_testkit::testing::task_test;
use sinew_transports::{
    endpoint::{ClientEndpoint, ServerEndpoint, TcpClient, TcpServer, TlsClient, TlsServer},
    tls::{Identity, TlsClientConfig, TlsServerConfig, TrustedRoots},
};

use super::kit::{HEADER, Site, auth};

/// A certificate for `example.org`, and what trusts it.
fn certificates() -> (TlsServerConfig, TlsClientConfig) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let root = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let params = CertificateParams::new(vec!["example.org".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap().pem();
    let identity = Identity::from_pem(certificate, key.serialize_pem()).unwrap();
    let roots = TrustedRoots::from_pem(root).unwrap();
    (TlsServerConfig::new(identity), TlsClientConfig::new(roots))
}

fn users() -> Users {
    Users::new().user("ann", "secret").user("bob", "secret")
}

struct Nothing;

impl XmppHandler for Nothing {}

/// Logs in with that mechanism.
fn log_in(mechanism: Mechanism, has_starttls: bool) -> Result<(), XmppError> {
    crate::watchdog::watch_this_test();
    task_test(move |reactor| async move {
        let (server_tls, client_tls) = certificates();
        let mut config = ServerConfig::new("example.org", users()).unwrap();
        if has_starttls {
            config = config.starttls(server_tls);
        }
        let server = XmppServer::new(&reactor, config);
        let at: ServerEndpoint = "memory:xmpp-server".parse().unwrap();
        let port = at.listen(&reactor, server.clone()).unwrap();
        let login = ClientLogin::password("ann", "secret").mechanisms([mechanism]);
        let jid = "ann@example.org/desk".parse().unwrap();
        let config = XmppConfig::with_login(jid, login).tls(client_tls);
        let xmpp = XmppClient::new(&reactor, config, Nothing);
        let to: ClientEndpoint = "memory:xmpp-server".parse().unwrap();
        let result = xmpp.connect(&reactor, to).await;
        let sessions = usize::from(result.is_ok());
        assert_eq!(server.report().sessions, sessions);
        xmpp.quit();
        port.stop_listening();
        result
    })
}

#[test]
fn features_before_and_after_tls() {
    for mechanism in [
        Mechanism::Plain,
        Mechanism::Scram(ScramHash::Sha1),
        Mechanism::Scram(ScramHash::Sha256),
        Mechanism::ScramPlus(ScramHash::Sha256),
    ] {
        log_in(mechanism, true).unwrap();
    }
    let refused = log_in(Mechanism::Plain, false);
    assert!(refused.is_err());
}

#[test]
fn no_login_before_tls() {
    let (tls, _) = certificates();
    let site = Site::new(ServerConfig::new("example.org", users()).unwrap().starttls(tls));
    let client = site.connect();
    let heard = client.ask(HEADER);
    assert!(
        heard.contains("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"),
        "{heard}"
    );
    assert!(!heard.contains("mechanism"), "{heard}");
    let heard = client.ask(&auth("ann", "secret"));
    assert!(heard.contains("<encryption-required/>"), "{heard}");
}

/// RFC 6120 5.4.3.3: what comes behind `<starttls/>` in plaintext counts for nothing.
#[test]
fn bytes_behind_starttls() {
    for behind in ["<", "<auth", HEADER] {
        let (tls, _) = certificates();
        let site = Site::new(ServerConfig::new("example.org", users()).unwrap().starttls(tls));
        let client = site.connect();
        client.ask(HEADER);
        let heard =
            client.ask(&format!("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>{behind}"));
        assert_eq!(heard, "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", "{behind}");
        assert!(client.wire.transport().is_starting_tls());
    }
}

/// A client that has offered nothing but rubbish in place of a handshake is gone.
#[test]
fn rubbish_in_place_of_a_handshake() {
    let (tls, _) = certificates();
    let site = Site::new(ServerConfig::new("example.org", users()).unwrap().starttls(tls));
    let client = site.connect();
    client.ask(HEADER);
    client.ask("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    client.wire.receive(HEADER);
    site.advance(10_000);
    assert_eq!(site.server.report().connections, 0);
}

/// TLS that the endpoint has: nothing of it is offered, and plain logins are.
#[test]
fn tls_from_the_start() {
    crate::watchdog::watch_this_test();
    let notes = Rc::new(RefCell::new(None));
    let of_task = Rc::clone(&notes);
    task_test(move |reactor| async move {
        let (server_tls, client_tls) = certificates();
        let server = XmppServer::new(&reactor, ServerConfig::new("example.org", users()).unwrap());
        let at = TlsServer::new(TcpServer::new("0.0.0.0:5223"), server_tls);
        let port = ServerEndpoint::new(at).listen(&reactor, server.clone()).unwrap();
        let login = ClientLogin::password("ann", "secret").mechanisms([Mechanism::Plain]);
        let config = XmppConfig::with_login("ann@example.org/desk".parse().unwrap(), login);
        let xmpp = XmppClient::new(&reactor, config.security(Security::Required), Nothing);
        let tls = client_tls.server_name("example.org").unwrap();
        let to = ClientEndpoint::new(TlsClient::new(TcpClient::new(("test", 5223)), tls));
        *of_task.borrow_mut() =
            Some(xmpp.connect(&reactor, to).await.map_err(|error| error.to_string()));
        xmpp.quit();
        port.stop_listening();
    });
    assert_eq!(notes.take(), Some(Ok(())));
}
