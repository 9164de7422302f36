//! STARTTLS: what is verified, what is forgotten, and what is injected.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use sinew_news::nntp::{
    client::{ClientConfig, NewsError, Security},
    server::ServerConfig,
};
use sinew_transports::tls::{Identity, TlsClientConfig, TlsServerConfig, TrustedRoots};

use super::play::{config, with_script, with_server};
use crate::support::{self, Client, Handler, group};

/// A server with a certificate for `news.example`, and what trusts it.
fn certificates() -> (TlsServerConfig, TlsClientConfig) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let root = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["news.example".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap().pem();
    let identity = Identity::from_pem(certificate, key.serialize_pem()).unwrap();
    let roots = TrustedRoots::from_pem(root).unwrap();
    (TlsServerConfig::new(identity), TlsClientConfig::new(roots))
}

/// Connects, and returns whether TLS is on.
fn connected(server: ServerConfig, client: ClientConfig) -> Result<bool, NewsError> {
    with_server(server, Handler::default(), client, |_, _, mut client| async move {
        client.group(&group("a.open")).await?;
        let is_tls = client.is_tls();
        assert_eq!(is_tls, !client.capabilities().has("STARTTLS"));
        client.quit().await;
        Ok(is_tls)
    })
}

#[test]
fn tls_is_started_as_the_client_wants() {
    let (tls, trust) = certificates();
    let server = support::config().starttls(tls);
    let client = config().tls(trust).server_name("news.example");
    assert!(connected(server.clone(), client.clone().security(Security::Required)).unwrap());
    assert!(connected(server.clone(), client.clone().security(Security::IfOffered)).unwrap());
    assert!(!connected(server.clone(), client.clone().security(Security::None)).unwrap());
    let wrong = client.clone().security(Security::IfOffered).server_name("other.example");
    assert!(matches!(connected(server.clone(), wrong), Err(NewsError::Tls { .. })));
    let nameless = config().security(Security::Required);
    assert!(matches!(connected(server, nameless), Err(NewsError::NoServerName)));
    let required = client.security(Security::Required);
    assert!(matches!(connected(support::config(), required), Err(NewsError::TlsNotOffered)));
}

/// A line, a burst and a fragment behind STARTTLS: none of it counts, and the connection is over.
#[test]
fn what_a_client_sends_behind_starttls_ends_the_connection() {
    for behind in ["GROUP a.open\r\n", "GROUP a.open\r\nQUIT\r\nDATE\r\n", "GRO", "\r\n", "\0"] {
        let (tls, _) = certificates();
        let client = Client::with(support::config().starttls(tls), Handler::default());
        let codes = client.codes(format!("STARTTLS\r\n{behind}"));
        assert_eq!(codes[..2], [200, 382], "{behind:?}");
        client.advance(std::time::Duration::from_secs(60));
        let after = client.wire.take(usize::MAX);
        assert!(!after.starts_with(b"211"), "{behind:?}");
        assert!(client.is_closed(), "{behind:?}");
    }
}

#[test]
fn what_a_server_sends_behind_starttls_ends_the_connection() {
    for answer in ["382 go\r\n101 injected\r\n.\r\n", "382 go\r\n2", "382 go\r\n\r\n"] {
        let script: super::play::Script = Box::leak(Box::new([
            ("CAPABILITIES", "101 yes\r\nVERSION 2\r\nREADER\r\nSTARTTLS\r\n.\r\n"),
            ("STARTTLS", answer),
        ]));
        let (_, trust) = certificates();
        let client = config().tls(trust).server_name("news.example").security(Security::Required);
        let done = with_script("200 hello\r\n", script, client, |_| async { Ok(()) });
        assert!(matches!(done, Err(NewsError::Tls { .. })), "{answer:?}: {done:?}");
    }
}

#[test]
fn what_was_said_before_tls_is_forgotten() {
    let (tls, _) = certificates();
    let client = Client::with(support::config().starttls(tls), Handler::default());
    assert!(client.say("CAPABILITIES\r\n").contains("\r\nSTARTTLS\r\n"));
    assert_eq!(client.codes("STARTTLS now\r\nSTARTTLS\r\n"), [501, 382]);
}
