//! STARTTLS: what is verified, what is forgotten, and what is injected.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use sinew_mail::imap::client::{ClientConfig, ImapClient, ImapError, Security};
use sinew_protocols::basic::{LineHandler, LineReceiver, LineTransport};
use sinew_testkit::testing::task_test;
use sinew_transports::{
    Peer,
    endpoint::{ClientEndpoint, ServerEndpoint},
    tls::{Identity, TlsClientConfig, TlsServerConfig, TrustedRoots},
};

use super::script::config;

/// A server with a certificate for `mail.example`, and what trusts it.
fn certificates() -> (TlsServerConfig, TlsClientConfig) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let root = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["mail.example".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap().pem();
    let identity = Identity::from_pem(certificate, key.serialize_pem()).unwrap();
    let roots = TrustedRoots::from_pem(root).unwrap();
    (TlsServerConfig::new(identity), TlsClientConfig::new(roots))
}

/// Starts TLS when asked to, with something behind the answer.
struct Server {
    tls: TlsServerConfig,
    behind: &'static str,
    is_tls: bool,
}

impl LineHandler for Server {
    fn connection_made(&mut self, transport: &mut LineTransport<'_>) {
        transport.write("* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED PLAIN-ONLY] x\r\n");
    }

    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        match line {
            b"a1 STARTTLS" => {
                transport.write(&format!("a1 OK go\r\n{}", self.behind));
                let _ = transport.start_tls(&self.tls);
                self.is_tls = true;
            }
            b"a2 CAPABILITY" if self.is_tls => {
                transport.write("* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\na2 OK\r\n");
            }
            other => panic!("{}", other.escape_ascii()),
        }
    }
}

fn opened(client: ClientConfig, behind: &'static str) -> Result<String, ImapError> {
    crate::watchdog::watch_this_test();
    let (server, trusting) = certificates();
    task_test(move |reactor| async move {
        let at: ServerEndpoint = "memory:mail".parse().unwrap();
        let server = move |_: &Peer| {
            LineReceiver::new(Server { tls: server.clone(), behind, is_tls: false })
        };
        let port = at.listen(&reactor, server).unwrap();
        let to: ClientEndpoint = "memory:mail".parse().unwrap();
        let client = ImapClient::connect(&reactor, to, client.tls(trusting)).await;
        port.stop_listening();
        let client = client?;
        assert!(client.is_tls());
        Ok(client.capabilities().to_string())
    })
}

#[test]
fn capabilities_are_forgotten_after_starttls() {
    for security in [Security::Required, Security::IfOffered] {
        let client = config().security(security).server_name("mail.example");
        assert_eq!(opened(client, "").unwrap(), "IMAP4rev1 AUTH=PLAIN");
    }
}

#[test]
fn the_name_of_the_server_is_verified() {
    let client = config().security(Security::IfOffered);
    let error = opened(client.clone().server_name("other.example"), "").unwrap_err();
    assert!(matches!(error, ImapError::Tls { .. }), "{error:?}");
    let error = opened(client, "").unwrap_err();
    assert!(matches!(error, ImapError::NoServerName), "{error:?}");
}

/// A fragment, a line, and several of them.
#[test]
fn bytes_behind_starttls() {
    for behind in
        ["*", "* CAPABILITY", "* CAPABILITY EVIL\r\n", "* X\r\na2 OK [CAPABILITY EVIL]\r\n"]
    {
        let client = config().security(Security::Required).server_name("mail.example");
        let error = opened(client, behind).unwrap_err();
        assert!(matches!(error, ImapError::Tls { .. }), "{behind:?}: {error:?}");
    }
}
