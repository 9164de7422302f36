//! A slot for an upload, as a client asks for it.

use std::time::SystemTime;

use sinew_chat::xmpp::{
    codec::{Element, ns},
    server::{
        XmppServer,
        upload::{UploadConfig, UploadKey, UploadService},
    },
};

use crate::kit::{Site, config};

fn attribute<'a>(text: &'a str, before: &str) -> &'a str {
    let (_, rest) = text.split_once(before).expect(before);
    rest.split(['\'', '<']).next().unwrap()
}

#[test]
fn a_slot_of_the_server() {
    let key = UploadKey::new("a key of many random bytes");
    let site = Site::new(config());
    let uploads = UploadConfig::new("https://files.example.org/up", key.clone());
    let uploads = UploadService::new(&site.reactor, "upload.example.org".parse().unwrap(), uploads);
    let site = Site {
        server: sinew_chat::xmpp::server::XmppServer::new(
            &site.reactor,
            config().service("upload.example.org", uploads).unwrap(),
        ),
        ..site
    };
    let ann = site.online("ann", "desk");
    let request = "<iq type='get' id='1' to='upload.example.org'><request xmlns='urn:xmpp:http:upload:0' \
        filename='a b.png' size='7' content-type='image/png'/></iq>";
    let (one, other) = (ann.ask(request), ann.ask(request));
    assert!(one.starts_with("<iq type='result' id='1'"), "{one}");
    let (put, get) = (attribute(&one, "<put url='"), attribute(&one, "<get url='"));
    assert_eq!(put, get);
    assert_ne!(put, attribute(&other, "<put url='"), "each address is another one");
    let path = put.strip_prefix("https://files.example.org").unwrap();
    let header = attribute(&one, "<header name='Authorization'>");
    let grant = key.verify(path, header, site.reactor.wall_clock()).unwrap();
    assert_eq!(grant.size, 7);
    let later = SystemTime::now() + std::time::Duration::from_secs(1_000_000_000);
    assert!(key.verify(path, header, later).is_err());
    let items = ann.ask("<iq type='get' id='2' to='example.org'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>");
    assert!(items.contains("<item jid='upload.example.org' name='Uploads'/>"), "{items}");
}

/// A component has as many addresses as it likes: none of them has a share of the bytes of a day.
#[test]
fn slots_are_for_accounts_of_the_server() {
    let site = Site::new(config());
    let key = UploadKey::new("a key of many random bytes");
    let uploads = UploadConfig::new("https://files.example.org/up", key).accounts_max(1);
    let uploads = UploadService::new(&site.reactor, "upload.example.org".parse().unwrap(), uploads);
    let config = config().service("upload.example.org", uploads).unwrap();
    let site = Site { server: XmppServer::new(&site.reactor, config), ..site };
    let request = Element::new("request", ns::UPLOAD)
        .with_attribute("filename", "a")
        .with_attribute("size", "7");
    let ask = Element::new("iq", ns::CLIENT)
        .with_attribute("type", "get")
        .with_attribute("id", "1")
        .with_attribute("from", "bot@gateway.example.org")
        .with_attribute("to", "upload.example.org")
        .with_child(request);
    site.server.router().route(ask);
    site.advance(0);
    let ann = site.online("ann", "desk");
    let request = "<iq type='get' id='1' to='upload.example.org'><request xmlns='urn:xmpp:http:upload:0' \
        filename='a' size='7'/></iq>";
    let heard = ann.ask(request);
    assert!(heard.contains("<put url="), "{heard}");
}
