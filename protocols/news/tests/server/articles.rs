//! Articles and their overview as they are sent.

use std::time::Duration;

use sinew_news::nntp::server::{Access, Session};

use crate::support::{Client, config};

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

#[test]
fn groups_that_a_client_may_not_read_do_not_exist_for_it() {
    let client = Client::greeted();
    client.put("<1@a>", &["a.open", "b.secret", "a.closed"], "one\r\n");
    client.put("<2@a>", &["b.secret"], "two\r\n");
    client.put("<3@a>", &["a.open"], "three\r\n");
    client.say("GROUP a.open\r\n");
    let xref = "Xref: news.example a.open:1 a.closed:1";
    for command in ["ARTICLE 1", "HEAD 1", "ARTICLE <1@a>", "HEAD <1@a>", "OVER 1", "OVER <1@a>"] {
        let said = client.say(format!("{command}\r\n"));
        assert_eq!(said.lines().filter(|line| line.contains(xref)).count(), 1, "{said}");
        // The author's field stays.
        assert_eq!(said.contains("b.secret"), !command.starts_with("OVER"), "{said}");
        assert!(!said.contains("b.secret:"), "{said}");
    }
    for command in ["HDR Xref 1", "HDR xref <1@a>", "XHDR Xref 1"] {
        let said = client.say(format!("{command}\r\n"));
        assert!(said.contains(" news.example a.open:1 a.closed:1\r\n"), "{said}");
    }
    // The length is that of the article as it is sent.
    let sent = client.say("ARTICLE 1\r\n").len() - "220 1 <1@a>\r\n.\r\n".len();
    let expect = format!("225 Fields follow\r\n1 {sent}\r\n.\r\n");
    assert_eq!(client.say("HDR :bytes 1\r\n"), expect);
    for part in ["ARTICLE", "HEAD", "BODY", "STAT", "OVER", "HDR Xref", "HDR Subject"] {
        for id in ["<2@a>", "<none@a>"] {
            let said = client.say(format!("{part} {id}\r\n"));
            assert_eq!(said, "430 No article with that message-id\r\n", "{part} {id}");
        }
    }
    for command in ["GROUP b.secret", "GROUP b.none", "LISTGROUP b.secret", "LISTGROUP b.none"] {
        let said = client.say(format!("{command}\r\n"));
        assert_eq!(said, "411 There is no such group\r\n", "{command}");
    }
    for command in ["LIST", "LIST COUNTS", "LIST ACTIVE.TIMES", "LIST NEWSGROUPS", "LIST ACTIVE *"]
    {
        assert!(!client.say(format!("{command}\r\n")).contains("b."), "{command}");
    }
    assert!(!client.say("NEWGROUPS 19700101 000000\r\n").contains("b."));
    assert!(!client.say("NEWNEWS b.* 19700101 000000\r\n").contains('<'));
    assert!(!client.say("NEWNEWS * 19700101 000000\r\n").contains("<2@a>"));
}

#[test]
fn who_may_read_all_groups_sees_them_in_the_xref() {
    let client = Client::with(config(), |_: &Session| Access::read());
    client.put("<1@a>", &["a.open", "b.secret"], "one\r\n");
    for command in ["ARTICLE <1@a>", "HEAD <1@a>", "OVER <1@a>", "HDR Xref <1@a>"] {
        let said = client.say(format!("{command}\r\n"));
        assert!(said.contains("news.example a.open:1 b.secret:1\r\n"), "{said}");
    }
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
