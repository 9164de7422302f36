//! STARTTLS: what is verified, what is forgotten, and what is injected.

use std::{cell::RefCell, rc::Rc};

use data_encoding::BASE64;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use sinew_auth::{Authenticator, ClientLogin, Mechanism, ScramHash, Users};
use sinew_mail::smtp::{
    client::{ClientConfig, Security, SmtpClient, SmtpError, Stage},
    server::ServerConfig,
};
use sinew_protocols::basic::{LineHandler, LineReceiver, LineTransport};
use sinew_testkit::testing::task_test;
use sinew_transports::{
    AsyncStream, Peer, ReactorTcp,
    endpoint::{ClientEndpoint, ServerEndpoint, TcpClient, TlsClient},
    reactor::Reactor,
    tls::{Identity, ReactorTls, TlsClientConfig, TlsServerConfig, TrustedRoots},
};

use super::script::{Script, config, envelope, send};
use crate::support::{self, Client, Notes, Shared};

/// A server with a certificate for `mail.example`, and what trusts it.
fn certificates() -> (TlsServerConfig, TlsClientConfig) {
    certificates_for("mail.example")
}

fn certificates_for(name: &str) -> (TlsServerConfig, TlsClientConfig) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let root = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap().pem();
    let identity = Identity::from_pem(certificate, key.serialize_pem()).unwrap();
    let roots = TrustedRoots::from_pem(root).unwrap();
    (TlsServerConfig::new(identity), TlsClientConfig::new(roots))
}

/// Sends a message; returns whether that was over TLS.
fn sent(server: ServerConfig, client: ClientConfig) -> Result<bool, SmtpError> {
    crate::watchdog::watch_this_test();
    task_test(move |reactor| async move {
        let notes: Shared = Rc::new(RefCell::new(Notes::default()));
        let at: ServerEndpoint = "memory:mail".parse().unwrap();
        let port = at.listen(&reactor, support::server(server, &notes)).unwrap();
        let to: ClientEndpoint = "memory:mail".parse().unwrap();
        let sending = async {
            let mut client = SmtpClient::connect(&reactor, to, client).await?;
            assert!(client.is_tls() && !client.capabilities().has_starttls());
            client.send(&envelope(&["bob"]), "x").await?.complete()?;
            let is_tls = client.is_tls();
            client.quit().await;
            Ok(is_tls)
        };
        let result = sending.await;
        port.stop_listening();
        result
    })
}

#[test]
fn the_message_goes_over_tls() {
    let (server, client) = certificates();
    let server = support::config().starttls(server).tls_required(true);
    let client = config().tls(client).server_name("mail.example");
    assert!(sent(server.clone(), client.clone().security(Security::Required)).unwrap());
    assert!(sent(server.clone(), client.clone().security(Security::IfOffered)).unwrap());
    // The certificate of somebody else.
    let wrong = client.clone().security(Security::IfOffered).server_name("other.example");
    assert!(matches!(sent(server, wrong), Err(SmtpError::Tls { .. })));
}

/// By default the certificate must be that of the host of the endpoint.
#[test]
fn the_name_of_the_server_is_that_of_the_host() {
    crate::watchdog::watch_this_test();
    for (name, is_right) in [("127.0.0.1", true), ("mail.example", false)] {
        let (server, client) = certificates_for(name);
        let reactor = Reactor::new().unwrap();
        let limits = support::config().starttls(server).tls_required(true);
        let server = support::server(limits, &Shared::default());
        let port = reactor.listen_tcp("127.0.0.1:0", server).unwrap();
        let (to, handle) = (port.local(), reactor.clone());
        let client = config().tls(client).security(Security::Required);
        let sent = reactor.run_until(async move {
            let mut client = SmtpClient::connect(&handle, to, client).await?;
            assert!(client.is_tls());
            client.send(&envelope(&["bob"]), "x").await?.complete()
        });
        match sent.unwrap() {
            Ok(delivery) => assert!(is_right && delivery.is_complete()),
            Err(error) => {
                assert!(!is_right && matches!(error, SmtpError::Tls { .. }), "{name}: {error}");
            }
        }
    }
    let (server, client) = certificates();
    let error = sent(
        support::config().starttls(server),
        config().tls(client).security(Security::IfOffered),
    );
    assert!(matches!(error, Err(SmtpError::NoServerName)), "{error:?}");
}

/// On port 465 there is no STARTTLS: the port is one of TLS, and so is the endpoint of the client.
#[test]
fn tls_from_the_start() {
    crate::watchdog::watch_this_test();
    let (server, client) = certificates();
    let reactor = Reactor::new().unwrap();
    let notes = Shared::default();
    let limits = support::config().tls_required(true).received_line(true);
    let port = reactor.listen_tls("127.0.0.1:0", &server, support::server(limits, &notes)).unwrap();
    let client = client.server_name("mail.example").unwrap();
    let to = ClientEndpoint::new(TlsClient::new(TcpClient::new(port.local()), client));
    let handle = reactor.clone();
    let sent = reactor.run_until(async move {
        let mut client =
            SmtpClient::connect(&handle, to, config().security(Security::Required)).await?;
        assert!(client.is_tls() && !client.capabilities().has_starttls());
        client.send(&envelope(&["bob"]), "x").await?.complete()
    });
    assert!(sent.unwrap().unwrap().is_complete());
    assert!(notes.borrow().mails[0].text.contains("with ESMTPS\r\n"));
}

/// As `openssl req -x509` makes it: the error says what is wrong in words.
#[test]
fn the_certificate_of_an_authority_is_none_of_a_server() {
    let mut params = CertificateParams::new(vec!["mail.example".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    let roots = TrustedRoots::from_pem(certificate.clone()).unwrap();
    let identity = Identity::from_pem(certificate, key.serialize_pem()).unwrap();
    let client = config().tls(TlsClientConfig::new(roots)).server_name("mail.example");
    let server = support::config().starttls(TlsServerConfig::new(identity));
    let error = sent(server, client.security(Security::Required)).unwrap_err().to_string();
    assert!(error.contains("it is the certificate of an authority (CA:TRUE)"), "{error}");
    assert!(!error.contains("CaUsedAsEndEntity"), "{error}");
}

#[test]
fn a_server_that_requires_tls_takes_no_mail_before() {
    let (tls, _) = certificates();
    let client = Client::new(support::config().starttls(tls).tls_required(true));
    client.received();
    let hello = client.say("EHLO a\r\n");
    assert!(hello.contains("STARTTLS"), "{hello}");
    assert_eq!(client.codes("MAIL FROM:<>\r\n"), [530]);
}

/// A login without TLS, which SCRAM makes possible, would be a dead end: neither MAIL nor STARTTLS is allowed behind it.
#[test]
fn a_server_that_requires_tls_takes_no_login_before() {
    let (tls, client_tls) = certificates();
    let users = Authenticator::new(Users::new().user("ann", "secret"));
    let server = support::config().starttls(tls).tls_required(true);
    let server = server.auth(users).auth_required(true);
    let client = Client::new(server.clone());
    client.received();
    let hello = client.say("EHLO a\r\n");
    assert!(hello.contains("STARTTLS") && !hello.contains("AUTH"), "{hello}");
    let first = BASE64.encode(b"n,,n=ann,r=fyko");
    for login in [format!("AUTH SCRAM-SHA-256 {first}\r\n"), "AUTH PLAIN\r\n".to_owned()] {
        assert_eq!(client.say(login), "530 5.7.0 Say STARTTLS first\r\n");
    }
    assert_eq!(client.codes("STARTTLS\r\n"), [220]);
    // Over TLS it is offered, and leads to a message.
    let login = ClientLogin::password("ann", "secret");
    let login = login.mechanisms([Mechanism::Scram(ScramHash::Sha256)]);
    let client = config().tls(client_tls).server_name("mail.example").login(login);
    assert!(sent(server, client.security(Security::Required)).unwrap());
}

#[test]
fn what_was_said_before_tls_is_forgotten() {
    crate::watchdog::watch_this_test();
    let (server, client) = certificates();
    task_test(move |reactor| async move {
        let notes = Shared::default();
        let at: ServerEndpoint = "memory:mail".parse().unwrap();
        let server = support::server(support::config().starttls(server), &notes);
        let port = at.listen(&reactor, server).unwrap();
        let to: ClientEndpoint = "memory:mail".parse().unwrap();
        let mut stream = AsyncStream::connect(&reactor, to).await.unwrap();
        assert!(reply(&mut stream).await.starts_with("220"));
        stream.write_all(b"EHLO a\r\n").await.unwrap();
        assert!(reply(&mut stream).await.contains("STARTTLS"));
        stream.write_all(b"STARTTLS\r\n").await.unwrap();
        assert!(reply(&mut stream).await.starts_with("220"));
        stream.start_tls(client.to("mail.example").unwrap()).await.unwrap();
        stream.write_all(b"MAIL FROM:<>\r\n").await.unwrap();
        assert!(reply(&mut stream).await.starts_with("503"), "EHLO is forgotten");
        stream.write_all(b"EHLO a\r\n").await.unwrap();
        assert!(!reply(&mut stream).await.contains("STARTTLS"), "it is on");
        port.stop_listening();
    });
}

/// What the server says next, in one piece.
async fn reply(stream: &mut AsyncStream) -> String {
    let received = stream.fill_buf().await.unwrap().to_vec();
    stream.consume(received.len());
    String::from_utf8(received).unwrap()
}

#[test]
fn commands_behind_starttls_are_dropped() {
    let (tls, _) = certificates();
    for behind in [
        "E",
        "EHLO b",
        "EHLO b\r\n",
        "EHLO b\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nBDAT 0 LAST\r\n",
    ] {
        let client = Client::new(support::config().starttls(tls.clone()));
        client.received();
        client.say("EHLO a\r\n");
        let replies = client.say(format!("STARTTLS\r\n{behind}"));
        assert!(
            replies.starts_with("220 ") && replies.matches("\r\n").count() == 1,
            "{behind:?}: {replies:?}"
        );
        assert!(client.is_closed(), "{behind:?}");
        assert!(client.mails().is_empty());
    }
}

/// Replies to STARTTLS, with more plaintext behind it if somebody on the path injects some, and then does TLS.
struct Injected {
    tls: TlsServerConfig,
    plaintext: &'static str,
}

impl LineHandler for Injected {
    fn connection_made(&mut self, transport: &mut LineTransport<'_>) {
        transport.write("220 mail.example\r\n");
    }

    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        match line {
            b"STARTTLS" => {
                transport.write(format!("220 go on\r\n{}", self.plaintext));
                transport.start_tls(&self.tls).unwrap();
            }
            _ if transport.is_tls() => drop(transport.write("250-mail.example\r\n250 SIZE 77\r\n")),
            _ => drop(transport.write("250-mail.example\r\n250 STARTTLS\r\n")),
        }
    }
}

#[test]
fn replies_behind_that_to_starttls_are_dropped() {
    crate::watchdog::watch_this_test();
    let (server, client) = certificates();
    for plaintext in [
        "",
        "2",
        "250 evil\r\n",
        "250-evil\r\n250 SIZE 666\r\n",
        "250-evil\r\n250 AUTH PLAIN\r\n250 ok\r\n250 ok\r\n354 go on\r\n250 ok\r\n",
    ] {
        let (tls, client) = (server.clone(), client.clone());
        task_test(move |reactor| async move {
            let at: ServerEndpoint = "memory:mail".parse().unwrap();
            let injected =
                move |_: &Peer| LineReceiver::new(Injected { tls: tls.clone(), plaintext });
            let port = at.listen(&reactor, injected).unwrap();
            let to: ClientEndpoint = "memory:mail".parse().unwrap();
            let client = config().tls(client).server_name("mail.example");
            let client = client.security(Security::Required);
            match SmtpClient::connect(&reactor, to, client).await {
                Ok(client) => {
                    let capabilities = client.capabilities();
                    assert!(client.is_tls() && plaintext.is_empty(), "{plaintext:?}");
                    assert_eq!(capabilities.size_max(), Some(77), "that is said over TLS");
                }
                Err(error) => {
                    let is_of_tls = matches!(error, SmtpError::Tls { .. });
                    assert!(is_of_tls && !plaintext.is_empty(), "{plaintext:?}: {error}");
                }
            }
            port.stop_listening();
        });
    }
}

#[test]
fn a_server_that_refuses_starttls() {
    let script: Script = &[
        ("EHLO client.example", "250-mail.example\r\n250 STARTTLS\r\n"),
        ("STARTTLS", "454 4.7.0 not now\r\n"),
    ];
    let (_, tls) = certificates();
    let client = config().tls(tls).server_name("mail.example").security(Security::Required);
    let error = send("220 mail.example\r\n", script, client, &["a"], "x").unwrap_err();
    assert!(matches!(error, SmtpError::Refused { stage: Stage::StartTls, .. }), "{error}");
}
