//! Two components of one Prosody, which send to each other through it; and one with a wrong secret.

use std::{
    cell::RefCell,
    fs,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    rc::Rc,
    time::Duration,
};

use sinew_chat::xmpp::{
    client::RequestError,
    codec::{Element, Iq, Jid, Message, Presence, PresenceKind, StreamCondition, ns},
    component::{ComponentConfig, ComponentError, ComponentHandler, IqRequest, XmppComponent},
};
use sinew_transports::reactor::Reactor;

use super::prosody::program;

/// A folder, and the server in it. Both end with the test.
struct Server {
    folder: PathBuf,
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn server(name: &str) -> Option<Server> {
    let prosody = program("prosody")?;
    let folder = std::env::temp_dir().join(format!("sinew-xmpp-{}-{name}", std::process::id()));
    fs::create_dir_all(folder.join("data")).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let base = folder.display();
    let config = format!(
        "run_as_root = true\ndaemonize = false\npidfile = \"{base}/pid\"\ndata_path = \"{base}/data\"\n\
         interfaces = {{ \"127.0.0.1\" }}\ncomponent_ports = {{ {port} }}\ncomponent_interfaces = {{ \"127.0.0.1\" }}\n\
         c2s_ports = {{}}\nc2s_direct_tls_ports = {{}}\ns2s_ports = {{}}\nhttp_ports = {{}}\nhttps_ports = {{}}\nproxy65_ports = {{}}\n\
         modules_enabled = {{ \"disco\", \"ping\" }}\nmodules_disabled = {{ \"s2s\", \"c2s\", \"tls\" }}\n\
         log = {{ debug = \"{base}/log\" }}\nVirtualHost \"localhost\"\n\
         Component \"echo.localhost\"\n component_secret = \"secret of echo\"\n\
         Component \"ask.localhost\"\n component_secret = \"secret of ask\"\n"
    );
    let path = folder.join("prosody.cfg.lua");
    fs::write(&path, config).unwrap();
    let mut command = Command::new(prosody);
    command.arg("--config").arg(&path).arg("-F");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().unwrap();
    Some(Server { folder, child, port })
}

type Notes = Rc<RefCell<Vec<String>>>;

/// Notes what it is told; says back what is said; adds.
struct Echo(Notes);

impl ComponentHandler for Echo {
    fn message_received(&mut self, xmpp: &XmppComponent, message: &Message) {
        let (from, to) = (message.from().unwrap().clone(), message.to().unwrap().clone());
        let body = message.body().unwrap_or_default();
        self.0.borrow_mut().push(format!("message {from} {body}"));
        if to.domain() == "echo.localhost" {
            xmpp.send(Message::chat(from).with_from(to).with_body(body)).unwrap();
        }
    }

    fn presence_received(&mut self, _: &XmppComponent, presence: &Presence) {
        let from = presence.from().unwrap();
        self.0.borrow_mut().push(format!("presence {from}"));
    }

    fn iq_received(&mut self, _: &XmppComponent, request: IqRequest) {
        if request.payload().is_some_and(|payload| payload.is("sum", "urn:sums")) {
            request.result(Some(Element::new("sum", "urn:sums").with_text("3"))).unwrap();
        }
    }
}

fn component(reactor: &Reactor, name: &str, secret: &str) -> (XmppComponent, Notes) {
    let notes = Notes::default();
    let config = ComponentConfig::new(format!("{name}.localhost").parse().unwrap(), secret);
    (XmppComponent::new(reactor, config, Echo(Rc::clone(&notes))), notes)
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

async fn connected(
    reactor: &Reactor,
    xmpp: &XmppComponent,
    port: u16,
) -> Result<(), ComponentError> {
    loop {
        match xmpp.connect(reactor, ("127.0.0.1", port)).await {
            // It does not listen yet.
            Err(ComponentError::Connect(_)) => reactor.sleep(Duration::from_millis(20)).await,
            result => return result,
        }
    }
}

async fn talk(reactor: Reactor, port: u16) -> Result<(), Box<dyn std::error::Error>> {
    let (echo, echo_notes) = component(&reactor, "echo", "secret of echo");
    let (ask, ask_notes) = component(&reactor, "ask", "secret of ask");
    connected(&reactor, &echo, port).await?;
    connected(&reactor, &ask, port).await?;
    let (bot, me): (Jid, Jid) = ("bot@echo.localhost/x".parse()?, "me@ask.localhost".parse()?);
    ask.send(Message::chat(bot.clone()).with_from(me.clone()).with_body("1 < 2 & '\""))?;
    told(&reactor, &echo_notes, "message me@ask.localhost 1 < 2 & '\"").await;
    told(&reactor, &ask_notes, "message bot@echo.localhost/x 1 < 2 & '\"").await;
    ask.send(Presence::directed(PresenceKind::Subscribe, bot.clone()))?;
    told(&reactor, &echo_notes, "presence ask.localhost").await;
    let sum = ask.request(Iq::get(Element::new("sum", "urn:sums")).with_to(bot.clone())).await?;
    assert_eq!(sum.child("sum", "urn:sums").map(Element::text).as_deref(), Some("3"));
    let refused = ask.request(Iq::get(Element::new("x", "urn:x")).with_to(bot)).await;
    assert!(matches!(refused, Err(RequestError::Refused(_))));
    // The server gives a component what it sends to itself.
    ask.request(Iq::get(Element::new("ping", ns::PING)).with_to(ask.domain())).await?;
    let info = Iq::get(Element::new("query", ns::DISCO_INFO)).with_to(echo.domain());
    let info = ask.request(info).await?;
    let query = info.child("query", ns::DISCO_INFO).unwrap();
    assert!(query.children().any(|feature| feature.attribute("var") == Some(ns::PING)));
    // Its place is taken as long as it is there.
    let (second, _) = component(&reactor, "ask", "secret of ask");
    match second.connect(&reactor, ("127.0.0.1", port)).await {
        Err(ComponentError::Stream(error)) => {
            assert_eq!(error.condition, StreamCondition::Conflict);
        }
        other => panic!("{other:?}"),
    }
    echo.quit();
    ask.quit();
    Ok(())
}

#[test]
fn two_components_of_prosody() {
    crate::watchdog::watch_this_test();
    let Some(server) = server("components") else { return };
    let reactor = Reactor::new().unwrap();
    let result = reactor.run_until(talk(reactor.clone(), server.port));
    if let Err(error) = result.unwrap() {
        panic!("{error:?}\n{}", fs::read_to_string(server.folder.join("log")).unwrap_or_default());
    }
}

#[test]
fn a_wrong_secret_at_prosody() {
    crate::watchdog::watch_this_test();
    let Some(server) = server("wrong-secret") else { return };
    let reactor = Reactor::new().unwrap();
    let (xmpp, _) = component(&reactor, "echo", "secret of ask");
    let (handle, port) = (reactor.clone(), server.port);
    match reactor.run_until(async move { connected(&handle, &xmpp, port).await }).unwrap() {
        Err(ComponentError::Stream(error)) => {
            assert_eq!(error.condition, StreamCondition::NotAuthorized);
        }
        other => panic!("{other:?}"),
    }
}
