//! Two clients at Prosody: STARTTLS, SCRAM, rosters, messages with receipts and copies, rooms, questions, a session that is resumed.

use std::{
    cell::RefCell,
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    rc::Rc,
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use sinew_chat::xmpp::{
    client::{IqRequest, RequestError, XmppClient, XmppConfig, XmppError, XmppHandler},
    codec::{Element, Iq, Jid, Message, Presence, ns},
};
use sinew_transports::{
    ConnectionLost,
    reactor::Reactor,
    tls::{TlsClientConfig, TrustedRoots},
};

/// A folder, and the server in it. Both end with the test.
pub(super) struct Prosody {
    folder: PathBuf,
    child: Option<Child>,
    pub(super) port: u16,
    pub(super) tls: TlsClientConfig,
}

impl Drop for Prosody {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file());
    if found.is_none() {
        eprintln!("skipped: {name} is not installed");
    }
    found
}

/// A certificate for `localhost`, in files; what trusts it is returned.
fn certificates(folder: &Path) -> TlsClientConfig {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let root = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap().pem();
    fs::write(folder.join("localhost.crt"), certificate).unwrap();
    fs::write(folder.join("localhost.key"), key.serialize_pem()).unwrap();
    fs::set_permissions(folder.join("localhost.key"), fs::Permissions::from_mode(0o600)).unwrap();
    TlsClientConfig::new(TrustedRoots::from_pem(root).unwrap())
}

pub(super) fn prosody(name: &str) -> Option<Prosody> {
    let prosody = program("prosody")?;
    let folder = std::env::temp_dir().join(format!("sinew-xmpp-{}-{name}", std::process::id()));
    // The accounts are files: with their passwords, from which Prosody makes keys of SCRAM.
    let accounts = folder.join("data/localhost/accounts");
    fs::create_dir_all(&accounts).unwrap();
    for user in ["ann", "bob"] {
        let account = format!("return {{\n [\"password\"] = \"secret of {user}\";\n}};\n");
        fs::write(accounts.join(format!("{user}.dat")), account).unwrap();
    }
    let tls = certificates(&folder);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let base = folder.display();
    let config = format!(
        "run_as_root = true\ndaemonize = false\npidfile = \"{base}/pid\"\ndata_path = \"{base}/data\"\ncertificates = \"{base}\"\n\
         interfaces = {{ \"127.0.0.1\" }}\nc2s_ports = {{ {port} }}\nc2s_direct_tls_ports = {{}}\ns2s_ports = {{}}\nhttp_ports = {{}}\n\
         https_ports = {{}}\nproxy65_ports = {{}}\n\
         modules_enabled = {{ \"roster\", \"saslauth\", \"tls\", \"disco\", \"smacks\", \"carbons\", \"ping\", \"presence\", \"message\", \"iq\", \"c2s\" }}\n\
         modules_disabled = {{ \"s2s\" }}\nauthentication = \"internal_hashed\"\nc2s_require_encryption = true\n\
         log = {{ debug = \"{base}/log\" }}\nssl = {{ key = \"{base}/localhost.key\"; certificate = \"{base}/localhost.crt\" }}\n\
         VirtualHost \"localhost\"\nComponent \"rooms.localhost\" \"muc\"\n"
    );
    let path = folder.join("prosody.cfg.lua");
    fs::write(&path, config).unwrap();
    let mut command = Command::new(prosody);
    command.arg("--config").arg(&path).arg("-F");
    let child =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    Some(Prosody { folder, child: Some(child), port, tls })
}

type Notes = Rc<RefCell<Vec<String>>>;

struct Noting(Notes);

impl XmppHandler for Noting {
    fn online(&mut self, _: &XmppClient, is_resumed: bool) {
        self.0.borrow_mut().push(format!("online {is_resumed}"));
    }

    fn connection_lost(&mut self, _: &XmppClient, _: &ConnectionLost) {
        self.0.borrow_mut().push("lost".to_owned());
    }

    fn message_received(&mut self, _: &XmppClient, message: &Message) {
        self.0.borrow_mut().push(format!("message {}", message.body().unwrap_or_default()));
    }

    fn room_message(&mut self, _: &XmppClient, message: &Message) {
        if let Some(body) = message.body() {
            self.0.borrow_mut().push(format!("room {body}"));
        }
    }

    fn carbon_received(&mut self, _: &XmppClient, message: &Message, is_sent: bool) {
        self.0
            .borrow_mut()
            .push(format!("carbon {is_sent} {}", message.body().unwrap_or_default()));
    }

    fn receipt_received(&mut self, _: &XmppClient, _: &Jid, id: &str) {
        self.0.borrow_mut().push(format!("receipt {id}"));
    }

    fn presence_received(&mut self, _: &XmppClient, presence: &Presence) {
        let from = presence.from().map(Jid::to_string).unwrap_or_default();
        self.0.borrow_mut().push(format!("presence {from}"));
    }

    fn subscription_requested(&mut self, xmpp: &XmppClient, from: &Jid, _: &Presence) {
        xmpp.accept(from).unwrap();
        if xmpp.contact(from).is_none_or(|contact| !contact.is_asking) {
            xmpp.subscribe(from).unwrap();
        }
    }

    fn iq_received(&mut self, _: &XmppClient, request: IqRequest) {
        if request.payload().is_some_and(|payload| payload.is("sum", "urn:sums")) {
            request.result(Some(Element::new("sum", "urn:sums").with_text("3"))).unwrap();
        }
    }
}

fn client(reactor: &Reactor, prosody: &Prosody, user: &str, resource: &str) -> (XmppClient, Notes) {
    let notes = Notes::default();
    let jid: Jid = format!("{user}@localhost/{resource}").parse().unwrap();
    let config = XmppConfig::new(jid, format!("secret of {user}").as_str());
    let config = config.tls(prosody.tls.clone()).carbons(true);
    (XmppClient::new(reactor, config, Noting(Rc::clone(&notes))), notes)
}

/// Waits until somebody was told that.
async fn told(reactor: &Reactor, notes: &Notes, text: &str) {
    for _ in 0..2_000 {
        if notes.borrow().iter().any(|note| note == text) {
            return;
        }
        reactor.sleep(Duration::from_millis(5)).await;
    }
    panic!("{text} is not in {:?}", notes.borrow());
}

async fn connected(reactor: &Reactor, xmpp: &XmppClient, port: u16) -> Result<(), XmppError> {
    loop {
        match xmpp.connect(reactor, ("127.0.0.1", port)).await {
            // It does not listen yet.
            Err(XmppError::Connect(_)) => reactor.sleep(Duration::from_millis(20)).await,
            result => return result,
        }
    }
}

async fn talk(reactor: Reactor, prosody: Rc<Prosody>) -> Result<(), Box<dyn std::error::Error>> {
    let (ann, ann_notes) = client(&reactor, &prosody, "ann", "desk");
    let (phone, phone_notes) = client(&reactor, &prosody, "ann", "phone");
    let (bob, bob_notes) = client(&reactor, &prosody, "bob", "desk");
    for xmpp in [&ann, &phone, &bob] {
        connected(&reactor, xmpp, prosody.port).await?;
        assert!(xmpp.can_resume());
    }
    // Rosters, and who sees whom.
    ann.set_contact(&bob.jid(), Some("Bob <3"), &["Friends & Co"]).await?;
    ann.subscribe(&bob.jid())?;
    told(&reactor, &ann_notes, "presence bob@localhost/desk").await;
    told(&reactor, &bob_notes, "presence ann@localhost/desk").await;
    let contact = ann.contact(&bob.jid()).expect("he is in the roster");
    assert_eq!((contact.name.as_deref(), contact.groups.len()), (Some("Bob <3"), 1));
    // A message, its receipt, and its copies.
    let request = Element::new("request", ns::RECEIPTS);
    let id = ann.send_message(Message::chat(bob.jid()).with_body("1 < 2 & '\"").with(request))?;
    told(&reactor, &bob_notes, "message 1 < 2 & '\"").await;
    told(&reactor, &ann_notes, &format!("receipt {id}")).await;
    told(&reactor, &phone_notes, "carbon true 1 < 2 & '\"").await;
    // Questions.
    ann.ping("localhost".parse()?).await?;
    let info = ann.disco_info("localhost".parse()?).await?;
    assert!(info.children().any(|feature| feature.attribute("var") == Some(ns::PING)));
    let sum = ann.request(Iq::get(Element::new("sum", "urn:sums")).with_to(bob.jid())).await?;
    assert_eq!(sum.child("sum", "urn:sums").map(Element::text).as_deref(), Some("3"));
    let refused = ann.request(Iq::get(Element::new("x", "urn:x")).with_to(bob.jid())).await;
    assert!(matches!(refused, Err(RequestError::Refused(_))));
    // A room.
    let room: Jid = "club@rooms.localhost".parse()?;
    ann.join(&room, "ann", None).await?;
    // It is locked until its owner has accepted how it is configured.
    let owner = "http://jabber.org/protocol/muc#owner";
    let form = Element::new("x", "jabber:x:data").with_attribute("type", "submit");
    ann.request(Iq::set(Element::new("query", owner).with_child(form)).with_to(room.clone()))
        .await?;
    bob.join(&room, "bob", None).await?;
    bob.say(&room, "hello, room")?;
    told(&reactor, &ann_notes, "room hello, room").await;
    told(&reactor, &bob_notes, "room hello, room").await;
    // The connection breaks; what is said meanwhile arrives once the session is resumed.
    bob_notes.borrow_mut().clear();
    bob.abort();
    told(&reactor, &bob_notes, "lost").await;
    ann.send_message(Message::chat(bob.jid()).with_body("while you were away"))?;
    bob.send_message(Message::chat(ann.jid()).with_body("while I was away"))?;
    connected(&reactor, &bob, prosody.port).await?;
    told(&reactor, &bob_notes, "online true").await;
    told(&reactor, &bob_notes, "message while you were away").await;
    told(&reactor, &ann_notes, "message while I was away").await;
    for xmpp in [&ann, &phone, &bob] {
        xmpp.quit();
    }
    Ok(())
}

#[test]
fn two_clients_of_prosody() {
    crate::watchdog::watch_this_test();
    let Some(prosody) = prosody("talk").map(Rc::new) else { return };
    let reactor = Reactor::new().unwrap();
    let result = reactor.run_until(talk(reactor.clone(), Rc::clone(&prosody)));
    if let Err(error) = result.unwrap() {
        panic!("{error:?}\n{}", fs::read_to_string(prosody.folder.join("log")).unwrap_or_default());
    }
}

#[test]
fn a_wrong_password_at_prosody() {
    crate::watchdog::watch_this_test();
    let Some(prosody) = prosody("wrong") else { return };
    let reactor = Reactor::new().unwrap();
    let config =
        XmppConfig::new("ann@localhost".parse().unwrap(), "wrong").tls(prosody.tls.clone());
    let xmpp = XmppClient::new(&reactor, config, Noting(Notes::default()));
    let handle = reactor.clone();
    let port = prosody.port;
    let result = reactor.run_until(async move { connected(&handle, &xmpp, port).await }).unwrap();
    match result {
        Err(XmppError::LoginRefused { condition, .. }) => assert_eq!(condition, "not-authorized"),
        other => panic!("{other:?}"),
    }
}
