//! POST: what is added, what is refused, moderated groups, verdicts that come later.

use std::time::Duration;

use sinew_news::nntp::server::Refusal;

use crate::support::{Client, Handler, config};

const HEAD: &str = "From: ann@example.net\r\nSubject: hello\r\n";

fn post(client: &Client, article: &str) -> String {
    assert!(client.say("POST\r\n").contains("340 "));
    client.say(format!("{article}\r\n.\r\n"))
}

#[test]
fn what_is_posted_can_be_read() {
    let client = Client::new();
    let article = format!("{HEAD}Newsgroups: a.open,a.not.here\r\n\r\n..dot");
    assert_eq!(post(&client, &article), "240 The article was posted\r\n");
    client.say("GROUP a.open\r\n");
    let read = client.say("ARTICLE 1\r\n");
    assert!(read.contains("\r\nPath: news.example!.POSTED!not-for-mail\r\n"), "{read}");
    assert!(
        read.contains("\r\nMessage-ID: <") && read.contains("@news.example>\r\nInjection-Date: "),
        "{read}"
    );
    assert!(read.contains("\r\nInjection-Info: news.example\r\n"), "{read}");
    assert!(read.ends_with("\r\n\r\n..dot\r\n.\r\n"), "{read}");
}

#[test]
fn what_is_not_posted() {
    let client = Client::new();
    client.put("<1@a>", &["a.open"], "x\r\n");
    for (article, expect) in [
        ("Subject: x\r\nNewsgroups: a.open\r\n\r\nx".to_owned(), "441 the field From is missing"),
        (format!("{HEAD}Newsgroups: a.none\r\n\r\nx"), "441 None of the groups is known here"),
        // Nothing says that only one of them is here.
        (format!("{HEAD}Newsgroups: b.secret\r\n\r\nx"), "441 You may not post to b.secret"),
        (format!("{HEAD}Newsgroups: b.nosuch\r\n\r\nx"), "441 You may not post to b.nosuch"),
        (format!("{HEAD}Newsgroups: a.open,b.secret\r\n\r\nx"), "441 You may not post to b.secret"),
        (format!("{HEAD}Newsgroups: a.open,b.nosuch\r\n\r\nx"), "441 You may not post to b.nosuch"),
        (
            format!("{HEAD}Newsgroups: a.open,b.nosuch\r\nApproved: me\r\n\r\nx"),
            "441 You may not approve articles for a.open",
        ),
        (format!("{HEAD}Newsgroups: a.open,a.closed\r\n\r\nx"), "441 Nobody may post to a.closed"),
        (
            format!("{HEAD}Newsgroups: a.open\r\nApproved: me\r\n\r\nx"),
            "441 You may not approve articles for a.open",
        ),
        (
            format!("{HEAD}Newsgroups: a.open\r\nMessage-ID: <1@a>\r\n\r\nx"),
            "441 There is an article with this message-id already",
        ),
        ("From: a\r\nSubject: spam\r\nNewsgroups: a.open\r\n\r\nx".to_owned(), "441 No spam"),
        ("no head".to_owned(), "441 line 1 of the head is not a field"),
        (
            format!("{HEAD}Newsgroups: a.open\r\n\r\n{}", "x".repeat(1_000_000)),
            "441 The article has more than 1000000 bytes",
        ),
    ] {
        assert_eq!(post(&client, &article), format!("{expect}\r\n"));
    }
    assert_eq!(client.codes("GROUP a.open\r\nSTAT 2\r\n"), [211, 423]);
}

#[test]
fn an_article_for_a_moderated_group_goes_to_its_moderator() {
    let handler = Handler::default();
    let client = Client::with_handler(config(), &handler);
    let article = format!("{HEAD}Newsgroups: a.open,a.moderated\r\n\r\nx");
    assert_eq!(post(&client, &article), "240 The article was sent to the moderator\r\n");
    assert_eq!(handler.0.borrow().moderated, ["a.moderated: hello"]);
    assert_eq!(client.codes("GROUP a.moderated\r\n"), [211]);
    assert_eq!(client.codes("STAT 1\r\n"), [423]);
}

#[test]
fn a_verdict_may_come_later() {
    for (verdict, expect) in [
        (Some(Ok(())), "240 The article was posted\r\n111 "),
        (Some(Err(Refusal::new("No").unwrap())), "441 No\r\n111 "),
        (None, "441 Not now, try again later\r\n111 "),
    ] {
        let handler = Handler::default();
        handler.0.borrow_mut().later = true;
        let client = Client::with_handler(config(), &handler);
        let article =
            format!("{HEAD}Newsgroups: a.open\r\nMessage-ID: <1@a>\r\n\r\nx\r\n.\r\nDATE");
        client.say("POST\r\n");
        assert_eq!(client.say(format!("{article}\r\n")), "", "nothing is said before");
        assert_eq!(client.another().codes("CHECK <1@a>\r\n")[1..], [431], "it may still be stored");
        let open = handler.0.borrow_mut().open.remove(0);
        match verdict {
            Some(verdict) => open.settle(verdict),
            None => client.advance(Duration::from_secs(5 * 60)),
        }
        let said = client.received();
        assert!(said.starts_with(expect), "{said}");
    }
}
