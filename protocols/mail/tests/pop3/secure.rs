//! STLS: what is verified, what is forgotten, and what is injected.

use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use sinew_auth::{ClientLogin, Users};
use sinew_mail::pop3::{
    client::{ClientConfig, Pop3Client, Pop3Error, Security, Stage},
    server::ServerConfig,
};
use sinew_protocols::basic::{LineHandler, LineReceiver, LineTransport};
use sinew_testkit::testing::task_test;
use sinew_transports::{
    AsyncStream, Peer,
    endpoint::{ClientEndpoint, ServerEndpoint},
    tls::{Identity, TlsClientConfig, TlsServerConfig, TrustedRoots},
};

use crate::pop3_support::{Client, config, mail, server};

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

/// Logs in, and returns whether that was over TLS.
fn log_in(server_config: ServerConfig, client: ClientConfig) -> Result<bool, Pop3Error> {
    crate::watchdog::watch_this_test();
    let server = server(server_config, &mail(&["x"]));
    task_test(move |reactor| async move {
        let at: ServerEndpoint = "memory:pop".parse().unwrap();
        let port = at.listen(&reactor, server).unwrap();
        let to: ClientEndpoint = "memory:pop".parse().unwrap();
        let client = client.login(ClientLogin::password("ann", "secret"));
        let result = async {
            let mut client = Pop3Client::connect(&reactor, to, client).await?;
            assert_eq!(client.stat().await?.messages, 1);
            let is_tls = client.is_tls();
            assert!(!is_tls || !client.capabilities().has_stls());
            client.quit().await.map(|()| is_tls)
        };
        let result = result.await;
        port.stop_listening();
        result
    })
}

#[test]
fn the_login_goes_over_tls() {
    let (tls, client) = certificates();
    // By default no password is taken without TLS.
    let users = Users::new().user("ann", "secret");
    let server = ServerConfig::new("mail.example", users).unwrap().stls(tls).tls_required(true);
    let client = ClientConfig::new().tls(client).server_name("mail.example");
    assert!(log_in(server.clone(), client.clone()).unwrap());
    assert!(log_in(server.clone(), client.clone().security(Security::IfOffered)).unwrap());
    // Without an offer.
    let plain = client.clone().security(Security::IfOffered);
    assert!(!log_in(config(), plain).unwrap());
    assert!(matches!(log_in(config(), client.clone()), Err(Pop3Error::TlsNotOffered)));
    // The certificate of somebody else, and none that is known.
    let wrong = client.clone().server_name("other.example").security(Security::IfOffered);
    assert!(matches!(log_in(server.clone(), wrong), Err(Pop3Error::Tls { .. })));
    let (_, other) = certificates();
    assert!(matches!(
        log_in(server.clone(), ClientConfig::new().tls(other)),
        Err(Pop3Error::NoServerName)
    ));
    assert!(
        log_in(server, client.security(Security::None)).is_err(),
        "there is nothing to log in with"
    );
}

/// What was said before TLS does not count after it.
#[test]
fn what_was_said_before_tls_is_forgotten() {
    crate::watchdog::watch_this_test();
    let (tls, client) = certificates();
    let server = server(config().stls(tls), &mail(&["x"]));
    task_test(move |reactor| async move {
        let at: ServerEndpoint = "memory:pop".parse().unwrap();
        let port = at.listen(&reactor, server).unwrap();
        let to: ClientEndpoint = "memory:pop".parse().unwrap();
        let mut stream = AsyncStream::connect(&reactor, to).await.unwrap();
        assert!(response(&mut stream).await.starts_with("+OK"));
        stream.write_all(b"CAPA\r\n").await.unwrap();
        assert!(response(&mut stream).await.contains("\r\nSTLS\r\n"));
        stream.write_all(b"USER ann\r\n").await.unwrap();
        assert!(response(&mut stream).await.starts_with("+OK"));
        stream.write_all(b"STLS\r\n").await.unwrap();
        assert!(response(&mut stream).await.starts_with("+OK"));
        stream.start_tls(client.to("mail.example").unwrap()).await.unwrap();
        stream.write_all(b"PASS secret\r\n").await.unwrap();
        assert_eq!(response(&mut stream).await, "-ERR Say USER first\r\n");
        stream.write_all(b"STLS\r\n").await.unwrap();
        assert_eq!(response(&mut stream).await, "-ERR STLS is not offered\r\n", "it is on");
        stream.write_all(b"CAPA\r\n").await.unwrap();
        assert!(!response(&mut stream).await.contains("STLS"));
        port.stop_listening();
    });
}

/// What the server says next, in one piece.
async fn response(stream: &mut AsyncStream) -> String {
    let received = stream.fill_buf().await.unwrap().to_vec();
    stream.consume(received.len());
    String::from_utf8(received).unwrap()
}

#[test]
fn bytes_behind_starttls() {
    let (tls, _) = certificates();
    for behind in ["C", "CAPA", "CAPA\r\n", "USER ann\r\nPASS secret\r\nDELE 1\r\nQUIT\r\n"] {
        let client = Client::new(config().stls(tls.clone()), &mail(&["x"]));
        let response = client.say(format!("STLS\r\n{behind}"));
        assert_eq!(response, "+OK Begin TLS\r\n", "{behind:?}");
        assert!(client.is_closed(), "{behind:?}");
        assert_eq!(client.mail.borrow().finished, 0);
    }
}

#[test]
fn a_handshake_that_does_not_come_ends_the_session() {
    let (tls, _) = certificates();
    // Longer than that of the login.
    let tls = tls.handshake_timeout(Duration::from_secs(300));
    let client = Client::new(config().stls(tls), &mail(&["x"]));
    client.advance(Duration::from_secs(50));
    assert_eq!(client.say("STLS\r\n"), "+OK Begin TLS\r\n");
    client.advance(Duration::from_secs(11));
    assert!(client.is_closed() && client.received().is_empty());
}

/// Answers STLS, with more plaintext behind it if somebody on the path injects some, and then does TLS.
struct Injected {
    tls: TlsServerConfig,
    plaintext: &'static str,
}

impl LineHandler for Injected {
    fn connection_made(&mut self, transport: &mut LineTransport<'_>) {
        transport.write("+OK\r\n");
    }

    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        match line {
            b"STLS" => {
                transport.write(format!("+OK go on\r\n{}", self.plaintext));
                transport.start_tls(&self.tls).unwrap();
            }
            _ if transport.is_tls() => drop(transport.write("+OK\r\nUIDL\r\n.\r\n")),
            _ => drop(transport.write("+OK\r\nSTLS\r\nTOP\r\n.\r\n")),
        }
    }
}

#[test]
fn bytes_behind_starttls_of_a_server() {
    crate::watchdog::watch_this_test();
    let (server, client) = certificates();
    for plaintext in
        ["", "+", "+OK evil\r\n", "+OK\r\nTOP\r\n.\r\n", "+OK\r\nSASL PLAIN\r\n.\r\n+OK\r\n+OK\r\n"]
    {
        let (tls, client) = (server.clone(), client.clone());
        task_test(move |reactor| async move {
            let at: ServerEndpoint = "memory:pop".parse().unwrap();
            let injected =
                move |_: &Peer| LineReceiver::new(Injected { tls: tls.clone(), plaintext });
            let port = at.listen(&reactor, injected).unwrap();
            let to: ClientEndpoint = "memory:pop".parse().unwrap();
            let client = ClientConfig::new().tls(client).server_name("mail.example");
            match Pop3Client::connect(&reactor, to, client).await {
                Ok(client) => {
                    let capabilities = client.capabilities();
                    assert!(client.is_tls() && plaintext.is_empty(), "{plaintext:?}");
                    assert!(
                        capabilities.has_uidl() && !capabilities.has_top(),
                        "those of TLS only"
                    );
                }
                Err(error) => {
                    let is_of_tls = matches!(error, Pop3Error::Tls { .. });
                    assert!(is_of_tls && !plaintext.is_empty(), "{plaintext:?}: {error}");
                }
            }
            port.stop_listening();
        });
    }
}

/// Refuses STLS.
struct Refusing;

impl LineHandler for Refusing {
    fn connection_made(&mut self, transport: &mut LineTransport<'_>) {
        transport.write("+OK\r\n");
    }

    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        match line {
            b"CAPA" => drop(transport.write("+OK\r\nSTLS\r\n.\r\n")),
            b"STLS" => drop(transport.write("-ERR not now\r\n")),
            _ => panic!("{}", line.escape_ascii()),
        }
    }
}

#[test]
fn a_server_that_refuses_stls() {
    crate::watchdog::watch_this_test();
    let (_, tls) = certificates();
    task_test(move |reactor| async move {
        let at: ServerEndpoint = "memory:pop".parse().unwrap();
        let port = at.listen(&reactor, |_: &Peer| LineReceiver::new(Refusing)).unwrap();
        let to: ClientEndpoint = "memory:pop".parse().unwrap();
        let client = ClientConfig::new().tls(tls).server_name("mail.example");
        let error = Pop3Client::connect(&reactor, to, client).await.unwrap_err();
        assert!(matches!(error, Pop3Error::Refused { stage: Stage::StartTls, .. }), "{error}");
        port.stop_listening();
    });
}
