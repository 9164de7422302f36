//! Articles of other servers: IHAVE, CHECK and TAKETHIS.

use sinew_news::nntp::server::{Access, Session};

use crate::support::{Client, config, text};

fn article(client: &Client, id: &str, groups: &str) -> String {
    format!("{}.\r\n", text(id, groups, "x\r\n", client.reactor.wall_clock()))
}

#[test]
fn ihave() {
    let client = Client::new();
    assert_eq!(client.codes("IHAVE <1@a>\r\n")[1..], [335]);
    assert_eq!(client.codes(article(&client, "<1@a>", "a.open")), [235]);
    assert_eq!(client.codes("IHAVE <1@a>\r\n"), [435]);
    let path = client.say("HDR Path <1@a>\r\n");
    assert!(path.contains("0 news.example!.SEEN!other!not-for-mail\r\n"), "{path}");
    // What is not wanted is not sent a second time.
    client.say("IHAVE <2@a>\r\n");
    let refused = client.say(article(&client, "<2@a>", "no.such"));
    assert_eq!(refused, "437 None of the groups is known here\r\n");
    assert_eq!(client.codes("IHAVE <2@a>\r\n"), [435]);
    // Another article than the one that was offered does not count as either.
    client.say("IHAVE <3@a>\r\n");
    assert_eq!(client.codes(article(&client, "<4@a>", "a.open")), [437]);
    assert_eq!(client.codes("CHECK <3@a>\r\nCHECK <4@a>\r\n"), [238, 238]);
    // A moderated group takes what is approved.
    client.say("IHAVE <5@a>\r\n");
    assert_eq!(client.codes(article(&client, "<5@a>", "a.moderated")), [437]);
    client.say("IHAVE <6@a>\r\n");
    let approved = format!("Approved: mod\r\n{}", article(&client, "<6@a>", "a.moderated"));
    assert_eq!(client.codes(approved), [235]);
}

#[test]
fn a_stream() {
    let client = Client::new();
    let stream = format!(
        "MODE STREAM\r\nCHECK <1@a>\r\nTAKETHIS <1@a>\r\n{}TAKETHIS <1@a>\r\n{}CHECK <1@a>\r\nTAKETHIS <2@a>\r\nno head\r\n.\r\nCHECK <2@a>\r\nDATE\r\n",
        article(&client, "<1@a>", "a.open"),
        article(&client, "<1@a>", "a.open"),
    );
    assert_eq!(client.codes(stream)[1..], [203, 238, 239, 439, 438, 439, 438, 111]);
    assert!(client.say("CHECK <1@a>\r\n").ends_with("438 <1@a>\r\n"));
}

#[test]
fn an_article_behind_takethis_is_read_in_any_case() {
    let client = Client::new();
    let codes = client.codes("TAKETHIS\r\nQUIT\r\n.\r\nTAKETHIS <a b>\r\nQUIT\r\n.\r\nDATE\r\n");
    assert_eq!(codes[1..], [501, 501, 111]);
    // Blanks in front make no difference.
    let codes =
        client.codes(" \tTAKETHIS\t<a b>\r\nQUIT\r\n.\r\n  takethis\r\nQUIT\r\n.\r\nDATE\r\n");
    assert_eq!(codes, [501, 501, 111]);
    let client = Client::with(config(), |_: &Session| Access::read());
    assert_eq!(client.codes("TAKETHIS <1@a>\r\nQUIT\r\n.\r\nDATE\r\n")[1..], [502, 111]);
    for command in ["IHAVE <1@a>", "CHECK <1@a>", "MODE STREAM"] {
        assert_eq!(client.codes(format!("{command}\r\n")), [502], "{command}");
    }
    assert_eq!(client.codes("POST\r\n"), [440]);
}

#[test]
fn two_servers_offer_the_same() {
    let (client, message) = (Client::new(), "<1@a>");
    let other = client.another();
    client.say(format!("IHAVE {message}\r\n"));
    assert_eq!(other.codes(format!("IHAVE {message}\r\nCHECK {message}\r\n"))[1..], [436, 431]);
    // One that sends it at once has sent it.
    let third = client.another();
    assert_eq!(third.codes(""), [200]);
    let other_message = "<2@a>";
    other.say(format!("IHAVE {other_message}\r\n"));
    let sent = format!("TAKETHIS {other_message}\r\n{}", article(&third, other_message, "a.open"));
    assert_eq!(third.codes(sent), [239]);
    assert_eq!(other.codes(article(&other, other_message, "a.open")), [437]);
    // One that goes away has sent nothing.
    drop(client.say("Path: x\r\n"));
    client.wire.reset_if_open();
    client.advance(std::time::Duration::ZERO);
    assert_eq!(other.codes(format!("IHAVE {message}\r\n")), [335]);
    assert_eq!(other.codes(article(&other, message, "a.open")), [235]);
}
