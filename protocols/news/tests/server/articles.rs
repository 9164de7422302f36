//! Articles and their overview as they are sent.

use std::time::Duration;

use crate::support::Client;

#[test]
fn parts_of_an_article() {
    let client = Client::greeted();
    client.put("<1@a>", &["a.open"], ".dot\r\n..\r\nlast\r\n");
    let article = client.say("ARTICLE <1@a>\r\n");
    let (head, body) = article.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("220 0 <1@a>\r\nXref: news.example a.open:1\r\nPath: "), "{head}");
    assert_eq!(body, "..dot\r\n...\r\nlast\r\n.\r\n");
    client.say("GROUP a.open\r\n");
    assert_eq!(client.say("BODY 1\r\n"), "222 1 <1@a>\r\n..dot\r\n...\r\nlast\r\n.\r\n");
    let only_head = client.say("HEAD\r\n");
    assert_eq!(only_head, format!("221 1{}\r\n.\r\n", &head[5..]));
}

#[test]
fn overview_and_fields() {
    let client = Client::greeted();
    client.put("<1@a>", &["a.open", "a.closed"], "one\r\n");
    client.put("<2@a>", &["a.open"], "one\r\ntwo\r\n");
    client.say("GROUP a.open\r\n");
    let over = client.say("OVER 1-\r\n");
    let lines: Vec<_> = over.lines().collect();
    assert_eq!((lines.len(), lines[0], lines[3]), (4, "224 Overview follows", "."));
    let fields: Vec<_> = lines[1].split('\t').collect();
    assert_eq!(fields[..3], ["1", "about <1@a>", "ann@example.net"]);
    assert_eq!(fields[4..6], ["<1@a>", ""]);
    let len = client.say("ARTICLE 1\r\n").len() - "220 1 <1@a>\r\n.\r\n".len();
    assert_eq!(fields[6..], [&len.to_string(), "1", "Xref: news.example a.open:1 a.closed:1"]);
    for (command, expect) in [
        ("HDR :lines 1-", "225 Fields follow\r\n1 1\r\n2 2\r\n.\r\n"),
        ("HDR subject 2", "225 Fields follow\r\n2 about <2@a>\r\n.\r\n"),
        ("HDR Xref 2", "225 Fields follow\r\n2 news.example a.open:2\r\n.\r\n"),
        ("HDR Newsgroups <1@a>", "225 Fields follow\r\n0 a.open,a.closed\r\n.\r\n"),
        ("XHDR Path <1@a>", "221 Fields follow\r\n<1@a> other!not-for-mail\r\n.\r\n"),
        ("HDR X-None 1-", "225 Fields follow\r\n1 \r\n2 \r\n.\r\n"),
        ("OVER 2-1", "423 No articles in that range\r\n"),
    ] {
        assert_eq!(client.say(format!("{command}\r\n")), expect, "{command}");
    }
    assert!(client.say("OVER <2@a>\r\n").contains("\r\n0\tabout <2@a>\t"));
}

/// A client that takes nothing: what is not taken is not produced.
#[test]
fn a_long_overview_waits_for_the_client() {
    let client = Client::greeted();
    for at in 0..2_000 {
        client.put(&format!("<{at}@a>"), &["a.open"], "x\r\n");
    }
    client.say("GROUP a.open\r\n");
    client.wire.set_capacity(4 * 1024);
    client.wire.receive_if_open(b"OVER 1-\r\nDATE\r\n");
    client.advance(Duration::from_secs(1));
    let queued = client.wire.transport().queued();
    client.wire.set_capacity(usize::MAX);
    let mut all = String::new();
    loop {
        let some = client.received();
        if some.is_empty() {
            break;
        }
        all += &some;
    }
    assert_eq!(all.lines().count(), 2_003);
    assert!(all.lines().last().unwrap().starts_with("111 "), "the next command comes after it");
    assert!(queued < all.len() / 2, "{queued} of {} bytes are queued", all.len());
}
