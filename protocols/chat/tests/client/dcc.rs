//! Offers of DCC as messages: which are told, and which are not.

use sinew_chat::irc::client::{DccConfig, DccError};

use crate::support::{Script, config};

/// What the handler is told of offers.
fn offers(script: &Script, line: &str) -> Vec<String> {
    script.receive(&format!("{line}\n"));
    let notes = script.notes().into_iter();
    notes.filter_map(|note| note.strip_prefix("dcc_offered ").map(str::to_owned)).collect()
}

#[test]
fn offers_that_are_told_and_others() {
    let allowed = ["10.0.0.0/8".parse().unwrap()];
    let script = Script::online(config().dcc(DccConfig::default().allow(allowed)));
    let at = |text: &str| format!("ann {text}");
    for (name, from, offer, expected) in [
        (
            "a file",
            "ann!a@h",
            "SEND \"a b\" 134744072 5000 9",
            Some(at("Some(\"a b\") Some(9) Some(8.8.8.8:5000)")),
        ),
        (
            "dcc_path_traversal",
            "ann!a@h",
            "SEND ../../.ssh/authorized_keys 134744072 5000 9",
            Some(at("Some(\"authorized_keys\") Some(9) Some(8.8.8.8:5000)")),
        ),
        (
            "allowed",
            "ann!a@h",
            "SEND a 10.0.0.1 5000 9",
            Some(at("Some(\"a\") Some(9) Some(10.0.0.1:5000)")),
        ),
        ("passive", "ann!a@h", "SEND a 1 0 9 7", Some(at("Some(\"a\") Some(9) None"))),
        (
            "a conversation",
            "ann!a@h",
            "CHAT chat 134744072 5000",
            Some(at("None None Some(8.8.8.8:5000)")),
        ),
        (
            "its own address",
            "ann!a@8.8.8.8",
            "CHAT chat 134744072 5000",
            Some(at("None None Some(8.8.8.8:5000)")),
        ),
        ("another address", "ann!a@9.9.9.9", "CHAT chat 134744072 5000", None),
        ("loopback", "ann!a@h", "SEND a 2130706433 5000 9", None),
        ("loopback of IPv6", "ann!a@h", "SEND a ::1 5000 9", None),
        ("a mapped address", "ann!a@h", "SEND a ::ffff:127.0.0.1 5000 9", None),
        ("private", "ann!a@h", "SEND a 192.168.1.1 5000 9", None),
        ("link-local", "ann!a@h", "SEND a 169.254.169.254 5000 9", None),
        ("multicast", "ann!a@h", "SEND a 224.0.0.1 5000 9", None),
        ("a mail server", "ann!a@h", "SEND a 134744072 25 9", None),
        ("no size", "ann!a@h", "SEND a 134744072 5000", None),
        ("no name", "ann!a@h", "SEND .. 134744072 5000 9", None),
        ("an answer to nothing", "ann!a@h", "SEND a 134744072 5000 9 7", None),
        ("a resumption of nothing", "ann!a@h", "RESUME a 5000 9", None),
        ("an acceptance of nothing", "ann!a@h", "ACCEPT a 5000 9", None),
        ("nonsense", "ann!a@h", "SEND", None),
        ("an echo", "bot!b@h", "SEND a 134744072 5000 9", None),
    ] {
        script.sent();
        let line = format!(":{from} PRIVMSG bot :\x01DCC {offer}\x01");
        assert_eq!(offers(&script, &line), Vec::from_iter(expected), "{name}");
        // Nothing is accepted by itself.
        assert_eq!(script.sent(), "", "{name}");
    }
    // Not to a channel, and not by a notice.
    assert!(
        offers(&script, ":ann!a@h PRIVMSG #a :\x01DCC CHAT chat 134744072 5000\x01").is_empty()
    );
    assert!(
        offers(&script, ":ann!a@h NOTICE bot :\x01DCC CHAT chat 134744072 5000\x01").is_empty()
    );
}

#[test]
fn dcc_is_off_by_default() {
    let script = Script::online(config());
    let line = ":ann!a@h PRIVMSG bot :\x01DCC SEND a 134744072 5000 9\x01";
    assert!(offers(&script, line).is_empty());
    let offered = script.irc.offer_file("ann", file!());
    script.advance(0);
    assert!(matches!(offered.take(), Some(Err(DccError::Off))));
    assert!(!script.sent().contains("DCC"));
}
