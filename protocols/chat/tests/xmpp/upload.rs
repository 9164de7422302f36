//! Slots of uploads: who gives them, and what is believed of them.

use sinew_chat::xmpp::client::{RequestError, UploadError, UploadFile, UploadService, XmppConfig};

use crate::xmpp_support::{Script, config, jid};

const DISCO: &str = "http://jabber.org/protocol/disco";
const UPLOAD: &str = "urn:xmpp:http:upload:0";

fn online(config: XmppConfig) -> Script {
    let script = Script::online_simply(config);
    script.sent();
    script
}

#[test]
fn the_service_is_found() {
    let script = online(config());
    let found = script.xmpp.upload_service();
    assert!(
        script.sent().contains(&format!("to='example.org' id='s1'><query xmlns='{DISCO}#items'/>"))
    );
    script.receive(&format!(
        "<iq type='result' from='example.org' id='s1'><query xmlns='{DISCO}#items'><item jid='rooms.example.org'/>\
         <item jid='a b'/><item jid='files.example.org'/></query></iq>"
    ));
    let sent = script.sent();
    assert_eq!(sent.matches("<iq type='get'").count(), 3, "{sent}");
    let info = |from: &str, id: &str, inner: &str| {
        script.receive(&format!(
            "<iq type='result' from='{from}' id='{id}'><query xmlns='{DISCO}#info'>{inner}</query></iq>"
        ));
    };
    info("example.org", "s2", "<feature var='urn:xmpp:ping'/>");
    script.receive("<iq type='error' from='rooms.example.org' id='s3'><error type='cancel'/></iq>");
    // Not by somebody who was not asked.
    let feature = format!("<feature var='{UPLOAD}'/>");
    info("eve.example", "s4", &feature);
    assert!(!found.is_settled());
    let form = |kind: &str, size: &str| {
        format!(
            "<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE'><value>{kind}</value></field>\
             <field var='max-file-size'><value>{size}</value></field></x>"
        )
    };
    let forms = format!("{feature}{}{}", form("urn:other", "1"), form(UPLOAD, "5000"));
    info("files.example.org", "s4", &forms);
    let service = found.take().unwrap().unwrap();
    assert_eq!((service.jid, service.size_max), (jid("files.example.org"), Some(5_000)));
}

#[test]
fn there_is_no_service() {
    // Nobody says that it is one.
    let script = online(config());
    let found = script.xmpp.upload_service();
    script.receive("<iq type='error' from='example.org' id='s1'><error type='cancel'/></iq>");
    assert!(!found.is_settled());
    script.receive(&format!("<iq type='result' id='s2'><query xmlns='{DISCO}#info'/></iq>"));
    assert!(matches!(found.take(), Some(Err(UploadError::NoService))));
    // Nobody answers.
    let found = script.xmpp.upload_service();
    script.advance(30_001);
    assert!(matches!(found.take(), Some(Err(UploadError::Request(RequestError::TimedOut { .. })))));
    // Not any number is asked.
    let found = script.xmpp.upload_service();
    script.sent();
    let items = "<item jid='x.example.org'/>".repeat(500);
    script.receive(&format!(
        "<iq type='result' id='s4'><query xmlns='{DISCO}#items'>{items}</query></iq>"
    ));
    assert_eq!(script.sent().matches("<iq type='get'").count(), 33);
    script.advance(30_001);
    assert!(matches!(found.take(), Some(Err(UploadError::NoService))));
}

/// What becomes of an answer.
fn slot(config: XmppConfig, answer: &str) -> Result<(String, String), String> {
    let script = online(config);
    let file = UploadFile::new("a'b.png", 10).content_type("image/png");
    let slot = script.xmpp.upload_slot(&UploadService::new(jid("files.example.org")), &file);
    assert_eq!(
        script.sent(),
        format!(
            "<iq type='get' to='files.example.org' id='s1'><request xmlns='{UPLOAD}' filename='a&apos;b.png' size='10' \
             content-type='image/png'/></iq>"
        )
    );
    script.receive(&answer.replacen("<iq", "<iq from='files.example.org' id='s1'", 1));
    let slot = slot.take().unwrap().map_err(|error| error.to_string())?;
    let headers: Vec<_> =
        slot.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    assert!(!format!("{slot:?}").contains("secret"));
    Ok((format!("{} {}", slot.put, slot.get), headers.join("; ")))
}

fn answer(put: &str, get: &str, headers: &str) -> String {
    format!(
        "<iq type='result'><slot xmlns='{UPLOAD}'><put url='{put}'>{headers}</put><get url='{get}'/></slot></iq>"
    )
}

#[test]
fn what_is_believed_of_a_slot() {
    let good = "https://files.example.org/x?y=1&amp;z";
    let headers = "<header name='authorization'>Basic secret</header><header name='Host'>evil</header>\
                   <header name='Cookie'>a=b</header><header>x</header><header name='Content-Length'>0</header>";
    assert_eq!(
        slot(config(), &answer(good, "HTTPS://files.example.org", headers)).unwrap(),
        (
            "https://files.example.org/x?y=1&z HTTPS://files.example.org".to_owned(),
            "Authorization: Basic secret; Cookie: a=b".to_owned()
        )
    );
    for bad in [
        "http://files.example.org/x",
        "ftp://files.example.org/x",
        "file:///etc/passwd",
        "https:///x",
        "https://",
        "",
        "//files.example.org",
        "https://files.example.org/a b",
        "https://files.example.org/&#xD;&#xA;Host: x",
        "https://files.example.org/\u{e9}",
    ] {
        for answer in [answer(bad, good, ""), answer(good, bad, "")] {
            let told = slot(config(), &answer).unwrap_err();
            assert!(told.contains("an address that is none of HTTPS"), "{bad}: {told}");
        }
    }
    let plain = answer("http://127.0.0.1:80/x", "http://127.0.0.1:80/x", "");
    assert!(slot(config().uploads_without_tls(true), &plain).is_ok());
    for value in ["a&#xD;&#xA;Host: evil", "a&#xA;b"] {
        let headers = format!("<header name='Cookie'>{value}</header>");
        assert!(slot(config(), &answer(good, good, &headers)).unwrap_err().contains("one line"));
    }
    let many = "<header name='Cookie'>a</header>".repeat(17);
    assert!(slot(config(), &answer(good, good, &many)).unwrap_err().contains("too many"));
    assert!(slot(config(), "<iq type='result'/>").unwrap_err().contains("no slot"));
    let half = format!("<iq type='result'><slot xmlns='{UPLOAD}'><get url='{good}'/></slot></iq>");
    assert!(slot(config(), &half).unwrap_err().contains("without its addresses"));
}

#[test]
fn refusals() {
    let refused = |condition: &str, inner: &str| {
        let answer = format!(
            "<iq type='error'><error type='modify'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>{inner}</error></iq>"
        );
        slot(config(), &answer).unwrap_err()
    };
    let large = format!(
        "<file-too-large xmlns='{UPLOAD}'><max-file-size>5</max-file-size></file-too-large>"
    );
    let told = refused("not-acceptable", &large);
    assert_eq!(told, "the file has 10 bytes, and the service for uploads takes at most 5");
    let retry = format!("<retry xmlns='{UPLOAD}' stamp='2026-12-01T00:00:00Z'/>");
    assert!(refused("resource-constraint", &retry).ends_with("before 2026-12-01T00:00:00Z"));
    assert_eq!(refused("forbidden", ""), "refused: forbidden");
    // What the service has said of itself is not asked again.
    let script = online(config());
    let mut service = UploadService::new(jid("files.example.org"));
    service.size_max = Some(9);
    let slot = script.xmpp.upload_slot(&service, &UploadFile::new("a", 10));
    assert!(matches!(slot.take(), Some(Err(UploadError::TooLarge { size: 10, max: 9 }))));
    assert_eq!(script.sent(), "");
}
