//! Slots for uploads without HTTP: what is granted, what is refused, and the tokens.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;
use sinew_chat::xmpp::{
    codec::{Element, StanzaCondition, StanzaError, ns},
    server::upload::{Grant, GrantError, UploadConfig, UploadKey, Uploads},
};

fn key() -> UploadKey {
    UploadKey::new("a key of many random bytes")
}

fn config() -> UploadConfig {
    UploadConfig::new("https://files.b/up/", key())
}

fn uploads(config: UploadConfig) -> Uploads {
    Uploads::new("upload.b".parse().unwrap(), config)
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_000_000_000)
}

fn iq(kind: &str, to: &str, payload: Element) -> Element {
    Element::new("iq", ns::CLIENT)
        .with_attribute("type", kind)
        .with_attribute("id", "1")
        .with_attribute("from", "ann@b/x")
        .with_attribute("to", to)
        .with_child(payload)
}

fn request(name: &str, size: &str, kind: &str) -> Element {
    let request = Element::new("request", ns::UPLOAD)
        .with_attribute("filename", name)
        .with_attribute("size", size)
        .with_attribute("content-type", kind);
    iq("get", "upload.b", request)
}

fn refused(uploads: &mut Uploads, stanza: Element) -> StanzaError {
    let answer = uploads.stanza_received(stanza, 7, now()).expect("it is answered");
    assert_eq!(answer.attribute("type"), Some("error"), "{answer:?}");
    StanzaError::of(&answer)
}

#[test]
fn a_slot() {
    let mut uploads = uploads(config());
    let answer =
        uploads.stanza_received(request("Kätzchen 1.png", "100", "image/png"), 0xabc, now());
    let answer = answer.unwrap();
    assert_eq!(
        (answer.attribute("type"), answer.attribute("to")),
        (Some("result"), Some("ann@b/x"))
    );
    let slot = answer.child("slot", ns::UPLOAD).unwrap();
    let (put, get) =
        (slot.child("put", ns::UPLOAD).unwrap(), slot.child("get", ns::UPLOAD).unwrap());
    let path = "/up/00000000000000000000000000000abc/K%C3%A4tzchen%201.png";
    assert_eq!(put.attribute("url"), Some(format!("https://files.b{path}").as_str()));
    assert_eq!(put.attribute("url"), get.attribute("url"));
    let header = put.child("header", ns::UPLOAD).unwrap();
    assert_eq!(header.attribute("name"), Some("Authorization"));
    let grant = key().verify(path, &header.text(), now() + Duration::from_secs(300)).unwrap();
    assert_eq!((grant.size, grant.content_type.as_deref()), (100, Some("image/png")));
    let late = key().verify(path, &header.text(), now() + Duration::from_secs(301));
    assert_eq!(late, Err(GrantError::Expired));
}

#[test]
fn what_is_refused() {
    let mut uploads = uploads(config().size_max(1_000).accept("image/*").accept("text/plain"));
    let long = "x".repeat(256);
    for (name, size, kind, expected) in [
        ("", "1", "image/png", StanzaCondition::BadRequest),
        ("..", "1", "image/png", StanzaCondition::BadRequest),
        ("a/b", "1", "image/png", StanzaCondition::BadRequest),
        ("a\\b", "1", "image/png", StanzaCondition::BadRequest),
        ("a\nb", "1", "image/png", StanzaCondition::BadRequest),
        (long.as_str(), "1", "image/png", StanzaCondition::BadRequest),
        ("a", "0", "image/png", StanzaCondition::BadRequest),
        ("a", "-1", "image/png", StanzaCondition::BadRequest),
        ("a", "18446744073709551616", "image/png", StanzaCondition::BadRequest),
        ("a", "1", "image", StanzaCondition::BadRequest),
        ("a", "1", "image/\npng", StanzaCondition::BadRequest),
        ("a", "1", "application/pdf", StanzaCondition::NotAcceptable),
        ("a", "1", "text/plainer", StanzaCondition::NotAcceptable),
        ("a", "1", "", StanzaCondition::NotAcceptable),
    ] {
        let error = refused(&mut uploads, request(name, size, kind));
        assert_eq!(error.condition, expected, "{name} {size} {kind}");
    }
    let accepted =
        uploads.stanza_received(request("a", "1", "Text/Plain; charset=utf-8"), 7, now());
    assert_eq!(accepted.unwrap().attribute("type"), Some("result"));
    let error = refused(&mut uploads, request("a", "1001", "image/png"));
    let max = error.application.unwrap();
    assert_eq!(max.child("max-file-size", ns::UPLOAD).map(Element::text).as_deref(), Some("1000"));
    let stranger = request("a", "1", "image/png").with_attribute("from", "component.b");
    assert_eq!(refused(&mut uploads, stranger).condition, StanzaCondition::Forbidden);
}

#[test]
fn the_share_of_a_day() {
    let mut uploads = uploads(config().bytes_per_day(250).accounts_max(1));
    let mut ask = |from: &str, size: &str, after: u64| {
        let stanza = request("a", size, "").with_attribute("from", from);
        let answer =
            uploads.stanza_received(stanza, 7, now() + Duration::from_secs(after)).unwrap();
        answer.attribute("type") == Some("result")
    };
    assert!(ask("ann@b/x", "200", 0));
    assert!(!ask("ann@b/y", "51", 10), "it is one account");
    assert!(ask("ann@b/y", "50", 20));
    assert!(!ask("bob@b/x", "1", 86_399), "another account is counted already");
    assert!(ask("bob@b/x", "1", 86_400), "the day of the other is over");
}

/// However small they are.
#[test]
fn the_files_of_a_day() {
    let mut uploads = uploads(config().files_per_day(2));
    let mut ask = |after: u64| {
        let now = now() + Duration::from_secs(after);
        let answer = uploads.stanza_received(request("a", "1", ""), 7, now).unwrap();
        answer.attribute("type") == Some("result")
    };
    assert_eq!([0, 1, 2, 86_399, 86_400].map(&mut ask), [true, true, false, false, true]);
}

#[test]
fn what_the_service_says_of_itself() {
    let mut uploads = uploads(config());
    let ask = |space: &str, name: &str| iq("get", "upload.b", Element::new(name, space));
    let answer = uploads.stanza_received(ask(ns::DISCO_INFO, "query"), 7, now()).unwrap();
    let text = answer.encode(ns::CLIENT).unwrap();
    assert!(text.contains("<identity category='store' type='file' name='Uploads'/>"), "{text}");
    assert!(text.contains("<field var='max-file-size'><value>10485760</value></field>"), "{text}");
    for (space, name) in [(ns::DISCO_ITEMS, "query"), (ns::PING, "ping")] {
        let answer = uploads.stanza_received(ask(space, name), 7, now()).unwrap();
        assert_eq!(answer.attribute("type"), Some("result"));
    }
    for stanza in [
        ask("urn:x", "x"),
        iq("set", "upload.b", Element::new("ping", ns::PING)),
        iq("get", "x@upload.b", Element::new("ping", ns::PING)),
    ] {
        assert_eq!(refused(&mut uploads, stanza).condition, StanzaCondition::ServiceUnavailable);
    }
    let error = ask("urn:x", "x").with_attribute("type", "error");
    assert_eq!(uploads.stanza_received(error, 7, now()), None);
}

#[test]
fn tokens_that_are_none() {
    let grant = Grant::new(1, None, now());
    let token = key().sign("/a", &grant);
    assert_eq!(key().verify("/a", &format!("bearer {token}"), now()), Ok(grant.clone()));
    for header in [
        "",
        "Bearer",
        "Basic x.y",
        "Bearer x",
        "Bearer x.!",
        &format!("Bearer {}", "x".repeat(3_000)),
    ] {
        assert_eq!(key().verify("/a", header, now()), Err(GrantError::Malformed), "{header}");
    }
    let other = UploadKey::new("another key").sign("/a", &grant);
    for header in
        [format!("Bearer {other}"), format!("Bearer 2{token}"), "Bearer 1.2.3.AAAA".to_owned()]
    {
        assert_eq!(key().verify("/a", &header, now()), Err(GrantError::Signature), "{header}");
    }
}

proptest! {
    #[test]
    fn a_token_is_of_one_path_and_one_grant(path in "/[a-z/]{0,20}", other in "/[a-z/]{0,20}", size: u64, kind in "[a-z]{1,9}/[a-z]{1,9}", at in 0..300_usize, byte in b'0'..=b'9') {
        let grant = Grant::new(size, Some(&kind), now());
        let token = key().sign(&path, &grant);
        let header = format!("Bearer {token}");
        prop_assert_eq!(key().verify(&path, &header, now()), Ok(grant.clone()));
        if other != path {
            prop_assert_eq!(key().verify(&other, &header, now()), Err(GrantError::Signature));
        }
        let mut changed = token.clone().into_bytes();
        let at = at % changed.len();
        if changed[at] != byte {
            changed[at] = byte;
            let changed = format!("Bearer {}", String::from_utf8(changed).unwrap());
            prop_assert!(key().verify(&path, &changed, now()).is_err());
        }
    }

    #[test]
    fn any_header_is_no_panic(header in ".{0,100}") {
        let _ = key().verify("/a", &header, now());
        let _ = key().verify("/a", &format!("Bearer {header}"), now());
    }
}
