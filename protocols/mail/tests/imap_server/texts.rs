//! SEARCH in headers and texts.

use std::time::Duration;

use super::support::{MIXED, World};

#[test]
fn texts_are_found_decoded() {
    let world = World::new();
    world.deliver("INBOX", MIXED);
    world.deliver("INBOX", "Subject: other\r\nX-Note: caf\u{e9}\r\n\r\nNothing here\r\n");
    world.deliver("INBOX", &format!("Content-Type: message/rfc822\r\n\r\n{MIXED}"));
    let client = world.selected();
    let cases = [
        ("SUBJECT \"gr\u{fc}\u{df}e\"", "1"),
        ("FROM ANN@example.org", "1"),
        ("TO bob", "1"),
        ("CC bob", ""),
        ("HEADER X-Note \"\"", "2"),
        ("HEADER x-note \"CAF\u{c9}\"", "2"),
        ("BODY \"sch\u{f6}ne gr\u{fc}\u{df}e\"", "1 3"),
        ("BODY iVBOR", ""),
        ("BODY Message-ID", "3"),
        ("TEXT \"gr\u{fc}\u{df}e\"", "1 3"),
        ("TEXT bob@example.net", "1 3"),
        ("TEXT image/png", "1 3"),
        ("BODY nothing TEXT other", "2"),
        ("OR BODY nothing SUBJECT \"gr\u{fc}\u{df}e\"", "1 2"),
        ("NOT TEXT e", ""),
        ("BODY \"\"", "1 2 3"),
    ];
    for (key, found) in cases {
        let space = if found.is_empty() { "" } else { " " };
        let answer = client.say(format!("a SEARCH CHARSET UTF-8 {key}\r\n"));
        assert_eq!(answer, format!("* SEARCH{space}{found}\r\na OK Done\r\n"), "{key}");
    }
    let latin = b"a SEARCH CHARSET ISO-8859-1 SUBJECT {4+}\r\n\x67\x72\xfc\xdf\r\n";
    assert_eq!(client.say(latin), "* SEARCH 1\r\na OK Done\r\n");
}

#[test]
fn too_many_texts() {
    let world = World::with_messages(1);
    let client = world.selected();
    for key in ["SUBJECT a", "NOT SENTON 1-Jan-2000"] {
        let answer = client.say(format!("a SEARCH {}ALL\r\n", format!("{key} ").repeat(51)));
        assert_eq!(answer, "a NO [LIMIT] There are too many texts to search for\r\n");
    }
}

/// A search for texts in a large mailbox takes its turns, and has a limit.
#[test]
fn a_search_ends_by_its_limit() {
    let world = World::with(|config| config.search_timeout(Duration::ZERO));
    world.deliver("INBOX", &"x\r\n".repeat(200_000));
    let client = world.selected();
    let answer = client.say("a SEARCH BODY y\r\n");
    client.advance(Duration::from_secs(1));
    assert_eq!(answer + &client.received(), "a NO [LIMIT] The search took too long\r\n");
}

/// Thousands of fields are searched in one go.
#[test]
fn a_header_of_many_fields() {
    let world = World::new();
    world.deliver("INBOX", &format!("{}Last: end\r\n\r\n", "A:\r\n".repeat(15_000)));
    let client = world.selected();
    let absent = "x".repeat(50_000);
    assert_eq!(client.say(format!("a SEARCH TEXT {absent}\r\n")), "* SEARCH\r\na OK Done\r\n");
    assert_eq!(client.say("b SEARCH TEXT \"a: last: end\"\r\n"), "* SEARCH\r\nb OK Done\r\n");
    assert_eq!(client.say("c SEARCH TEXT \"LAST: end\"\r\n"), "* SEARCH 1\r\nc OK Done\r\n");
}
