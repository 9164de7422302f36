//! Lists of groups and of new articles.

use std::time::Duration;

use crate::support::Client;

#[test]
fn lists() {
    let client = Client::greeted();
    client.put("<1@a>", &["a.open", "a.closed"], "one\r\n");
    client.put("<2@a>", &["b.secret"], "two\r\n");
    client.advance(Duration::from_secs(100));
    client.put("<3@a>", &["a.open"], "three\r\n");
    for (command, expect) in [
        (
            "LIST",
            "215 List follows\r\na.closed 1 1 n\r\na.moderated 0 1 m\r\na.open 2 1 y\r\n.\r\n",
        ),
        ("LIST ACTIVE *.open", "215 List follows\r\na.open 2 1 y\r\n.\r\n"),
        ("LIST ACTIVE b.*", "215 List follows\r\n.\r\n"),
        ("LIST COUNTS a.open", "215 List follows\r\na.open 2 1 2 y\r\n.\r\n"),
        ("LIST NEWSGROUPS a.open", "215 List follows\r\na.open\tWhat it is\r\n.\r\n"),
        ("LIST HEADERS", "215 Fields for HDR\r\n:\r\n:bytes\r\n:lines\r\n.\r\n"),
        (
            "LIST OVERVIEW.FMT",
            "215 Fields of the overview\r\nSubject:\r\nFrom:\r\nDate:\r\nMessage-ID:\r\nReferences:\r\nBytes:\r\nLines:\r\nXref:full\r\n.\r\n",
        ),
        ("NEWNEWS * 19700101 000000 GMT", "230 New articles follow\r\n<1@a>\r\n<3@a>\r\n.\r\n"),
        ("NEWNEWS *.closed 19700101 000000", "230 New articles follow\r\n<1@a>\r\n.\r\n"),
        ("NEWGROUPS 99991231 000000 GMT", "231 New groups follow\r\n.\r\n"),
        ("LISTGROUP a.open 2-", "211 2 1 2 a.open list follows\r\n2\r\n.\r\n"),
    ] {
        assert_eq!(client.say(format!("{command}\r\n")), expect, "{command}");
    }
    let times = client.say("LIST ACTIVE.TIMES a.open\r\n");
    assert!(
        times.starts_with("215 List follows\r\na.open ") && times.contains(" local\r\n"),
        "{times}"
    );
    let date = client.say("DATE\r\n");
    let now = format!("{} {}", &date[4..12], &date[12..18]);
    assert_eq!(
        client.say(format!("NEWNEWS * {now}\r\n")),
        "230 New articles follow\r\n<3@a>\r\n.\r\n"
    );
}

#[test]
fn lists_of_many_groups_and_numbers_are_whole() {
    let client = Client::greeted();
    for at in 0..1_200 {
        let name = format!("a.many.{at:04}").parse().unwrap();
        let group = sinew_news::store::NewGroup::new(name);
        client.store.create_group(group, client.reactor.wall_clock()).unwrap();
        client.put(&format!("<{at}@a>"), &["a.open"], "x\r\n");
    }
    assert_eq!(client.say("LIST ACTIVE a.many.*\r\n").lines().count(), 1_202);
    assert_eq!(client.say("LISTGROUP a.open\r\n").lines().count(), 1_202);
    assert_eq!(client.say("NEWNEWS * 19700101 000000\r\n").lines().count(), 1_202);
}
