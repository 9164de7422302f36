//! STARTTLS: what is verified, what is forgotten, and what is injected.

use std::{cell::RefCell, rc::Rc};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use sinew_auth::{ClientLogin, Mechanism};
use sinew_chat::xmpp::{
    client::{XmppClient, XmppConfig, XmppError, XmppHandler},
    codec::{StreamEvent, StreamParser, XmlLimits},
};
use sinew_testkit::testing::task_test;
use sinew_transports::{
    Peer, Protocol, Transport,
    endpoint::{ClientEndpoint, ServerEndpoint},
    tls::{Identity, TlsClientConfig, TlsServerConfig, TrustedRoots},
};

use crate::xmpp_support::{BOUND, HEADER, SUCCESS, Script, jid};

const STARTTLS: &str = "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>\
    <mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>SCRAM-SHA-256</mechanism></mechanisms></stream:features>";
const PROCEED: &str = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";

/// A certificate for that name, and what trusts it.
fn certificates(name: &str) -> (TlsServerConfig, TlsClientConfig) {
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

/// A server by script, which notes what it receives and whether that was over TLS.
struct Server {
    tls: TlsServerConfig,
    parser: StreamParser,
    notes: Rc<RefCell<Vec<String>>>,
    is_logged_in: bool,
    behind: &'static str,
    /// What is offered over TLS.
    offers: &'static str,
}

impl Server {
    fn fresh(&mut self) {
        self.parser = StreamParser::new(XmlLimits::default());
    }
}

impl Protocol for Server {
    fn data_received(&mut self, transport: &Transport, mut data: &[u8]) {
        while let Ok(Some(event)) = self.parser.next(&mut data) {
            let element = match event {
                StreamEvent::Opened(header) => {
                    let from = header.attribute("from").unwrap_or("nobody").to_owned();
                    self.notes.borrow_mut().push(format!("{from} {}", transport.is_tls()));
                    transport.write(HEADER);
                    transport.write(match (transport.is_tls(), self.is_logged_in) {
                        (false, _) => STARTTLS,
                        (true, false) => self.offers,
                        (true, true) => {
                            "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>"
                        }
                    });
                    continue;
                }
                StreamEvent::Stanza(element) => element,
                _ => return transport.lose_connection(),
            };
            let mechanism = element.attribute("mechanism").unwrap_or_default();
            let mut note = format!("{} {mechanism}", element.name());
            if mechanism.starts_with("SCRAM") {
                let first = data_encoding::BASE64.decode(element.text().as_bytes()).unwrap();
                note = format!("{note} {}", String::from_utf8(first).unwrap());
            }
            self.notes.borrow_mut().push(note);
            match element.name() {
                "starttls" => {
                    transport.write(format!("{PROCEED}{}", self.behind));
                    self.fresh();
                    return transport.start_tls(&self.tls).unwrap();
                }
                "auth" => {
                    transport.write(SUCCESS);
                    self.is_logged_in = true;
                    self.fresh();
                }
                _ => drop(transport.write(BOUND)),
            }
        }
    }
}

struct Nothing;

impl XmppHandler for Nothing {}

/// Logs in; returns what the server has seen.
fn log_in(
    tls: TlsServerConfig,
    client: XmppConfig,
    behind: &'static str,
) -> (Result<(), XmppError>, Vec<String>) {
    // Another mechanism than before TLS: that one is forgotten.
    log_in_where(tls, client, behind, crate::xmpp_support::MECHANISMS)
}

fn log_in_where(
    tls: TlsServerConfig,
    client: XmppConfig,
    behind: &'static str,
    offers: &'static str,
) -> (Result<(), XmppError>, Vec<String>) {
    crate::watchdog::watch_this_test();
    let notes = Rc::new(RefCell::new(Vec::new()));
    let of_server = Rc::clone(&notes);
    let result = task_test(move |reactor| async move {
        let at: ServerEndpoint = "memory:xmpp".parse().unwrap();
        let factory = move |_: &Peer| {
            let parser = StreamParser::new(XmlLimits::default());
            let (tls, notes) = (tls.clone(), Rc::clone(&of_server));
            Server { tls, parser, notes, is_logged_in: false, behind, offers }
        };
        let port = at.listen(&reactor, factory).unwrap();
        let to: ClientEndpoint = "memory:xmpp".parse().unwrap();
        let xmpp = XmppClient::new(&reactor, client, Nothing);
        let result = xmpp.connect(&reactor, to).await;
        xmpp.quit();
        port.stop_listening();
        result
    });
    (result, notes.take())
}

/// Any mechanism; a password in plaintext only over TLS.
fn config(tls: TlsClientConfig) -> XmppConfig {
    let login = ClientLogin::password("ann", "secret");
    let login =
        login.mechanisms([Mechanism::Plain, Mechanism::Scram(sinew_auth::ScramHash::Sha256)]);
    XmppConfig::with_login(jid("ann@example.org/desk"), login).tls(tls)
}

#[test]
fn features_before_and_after_tls() {
    let (server, client) = certificates("example.org");
    let (result, notes) = log_in(server, config(client), "");
    result.unwrap();
    // The address is not said in plaintext.
    let expected = [
        "nobody false",
        "starttls ",
        "ann@example.org true",
        "auth PLAIN",
        "ann@example.org true",
        "iq ",
    ];
    assert_eq!(notes[..6], expected);
}

#[test]
fn the_certificate_is_that_of_the_domain() {
    let (server, client) = certificates("xmpp.example.org");
    let (result, notes) = log_in(server.clone(), config(client.clone()), "");
    assert!(result.is_err());
    assert_eq!(notes, ["nobody false", "starttls "]);
    let named = client.server_name("xmpp.example.org").unwrap();
    log_in(server, config(named), "").0.unwrap();
}

#[test]
fn bytes_behind_proceed() {
    // In the same piece: they are refused before the handshake.
    for behind in [" ", "<", SUCCESS, "<stream:features/>"] {
        let (_, tls) = certificates("example.org");
        let script = Script::new(config(tls));
        script.receive(HEADER);
        script.receive(STARTTLS);
        assert!(script.sent().ends_with("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"));
        script.receive(&format!("{PROCEED}{behind}"));
        assert_eq!(
            script.failure(),
            "login_failed plaintext was received behind the XMPP server's agreement to TLS"
        );
    }
    // In another: they are no handshake.
    let (_, tls) = certificates("example.org");
    let script = Script::new(config(tls));
    script.receive(HEADER);
    script.receive(STARTTLS);
    script.receive(PROCEED);
    script.receive(SUCCESS);
    let failure = script.failure();
    assert!(failure.starts_with("login_failed") && !script.xmpp.is_online(), "{failure}");
    let (server, client) = certificates("example.org");
    assert!(log_in(server, config(client), SUCCESS).0.is_err());
}

#[test]
fn a_binding_that_both_have() {
    const PLUS: &str = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>SCRAM-SHA-256-PLUS</mechanism>\
        <mechanism>SCRAM-SHA-256</mechanism></mechanisms>";
    const UNBOUND: &str = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>SCRAM-SHA-256</mechanism></mechanisms>";
    const ONLY: &str = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>SCRAM-SHA-256-PLUS</mechanism></mechanisms>";
    const OURS: &str = "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'><channel-binding type='tls-exporter'/>\
        <channel-binding type='tls-server-end-point'/></sasl-channel-binding>";
    const OTHERS: &str = "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'><channel-binding type='tls-unique'/></sasl-channel-binding>";
    for (mechanisms, types, expected) in [
        (PLUS, OURS, "auth SCRAM-SHA-256-PLUS p=tls-server-end-point,,"),
        // ejabberd 23.01 has another binding and does not say which: a login that is bound to ours would fail.
        (PLUS, "", "auth SCRAM-SHA-256 n,,"),
        (PLUS, OTHERS, "auth SCRAM-SHA-256 n,,"),
        // It would be noticed if somebody had taken the bound ones away.
        (UNBOUND, "", "auth SCRAM-SHA-256 y,,"),
        (UNBOUND, OTHERS, "auth SCRAM-SHA-256 n,,"),
        // There is nothing else.
        (ONLY, "", "auth SCRAM-SHA-256-PLUS p=tls-server-end-point,,"),
    ] {
        let (server, client) = certificates("example.org");
        let login = ClientLogin::password("ann", "secret");
        let config = XmppConfig::with_login(jid("ann@example.org"), login).tls(client);
        let features = format!("<stream:features>{mechanisms}{types}</stream:features>");
        let (_, notes) = log_in_where(server, config, "", features.leak());
        let auth = notes.iter().find(|note| note.starts_with("auth")).unwrap();
        assert!(auth.starts_with(expected), "{auth} instead of {expected}");
    }
}
