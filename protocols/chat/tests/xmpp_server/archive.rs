//! Archives as clients see them: what is archived, ids, pages, and who may read.

use sinew_chat::xmpp::server::{
    ServerConfig,
    archive::{ArchiveConfig, MemoryArchive},
};

use super::kit::{Client, Site, config};

const QUERY: &str = "urn:xmpp:mam:2";

fn with_archive() -> (ServerConfig, MemoryArchive) {
    let archive = MemoryArchive::new();
    (config().archive(ArchiveConfig::new(archive.clone())), archive)
}

fn chat(to: &str, body: &str) -> String {
    format!("<message to='{to}' type='chat'><body>{body}</body></message>")
}

/// What is in a question: fields of the form, and the set.
fn query(fields: &[(&str, &str)], set: &str) -> String {
    let mut form = String::new();
    for (name, value) in fields {
        form.push_str(&format!("<field var='{name}'><value>{value}</value></field>"));
    }
    if !form.is_empty() {
        form = format!(
            "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'>\
             <value>{QUERY}</value></field>{form}</x>"
        );
    }
    format!(
        "<iq type='set' id='q'><query xmlns='{QUERY}' queryid='f27'>{form}\
         <set xmlns='http://jabber.org/protocol/rsm'>{set}</set></query></iq>"
    )
}

/// What is between two texts, each time.
fn all_between<'a>(text: &'a str, begin: &str, end: &str) -> Vec<&'a str> {
    text.split(begin)
        .skip(1)
        .filter_map(|rest| rest.split_once(end).map(|(found, _)| found))
        .collect()
}

fn bodies(heard: &str) -> Vec<&str> {
    all_between(heard, "<body>", "</body>")
}

fn result_ids(heard: &str) -> Vec<&str> {
    all_between(heard, "<result xmlns='urn:xmpp:mam:2' id='", "'")
}

/// The bodies of an archive, the oldest first.
fn archived(client: &Client<'_>) -> Vec<String> {
    let heard = client.ask(&query(&[], "<max>50</max>"));
    assert!(heard.contains("complete='true'"), "{heard}");
    bodies(&heard).into_iter().map(str::to_owned).collect()
}

/// Ann has said ten things to Bob, one each second.
fn ten() -> (Site, MemoryArchive) {
    let (config, archive) = with_archive();
    let site = Site::new(config);
    let (ann, bob) = (site.online("ann", "desk"), site.online("bob", "desk"));
    for number in 0..10 {
        ann.say(&chat("bob@example.org", &number.to_string()));
        site.advance(1_000);
    }
    drop((ann, bob));
    assert_eq!((archive.messages_of("ann"), archive.messages_of("bob")), (10, 10));
    (site, archive)
}

#[test]
fn a_page_as_it_is_sent() {
    let (site, _) = ten();
    let ann = site.bind("ann", "other");
    let heard = ann.ask(&query(&[], "<max>1</max>"));
    let id = result_ids(&heard)[0];
    let stamp = all_between(&heard, "stamp='", "'")[0];
    assert_eq!(
        heard,
        format!(
            "<message from='ann@example.org' to='ann@example.org/other'>\
             <result xmlns='urn:xmpp:mam:2' id='{id}' queryid='f27'>\
             <forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='{stamp}'/>\
             <message xmlns='jabber:client' to='bob@example.org' type='chat' from='ann@example.org/desk'>\
             <body>0</body></message></forwarded></result></message>\
             <iq type='result' id='q' to='ann@example.org/other' from='ann@example.org'>\
             <fin xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'><first>{id}</first><last>{id}</last>\
             <count>10</count></set></fin></iq>"
        )
    );
}

#[test]
fn pages() {
    let (site, _) = ten();
    let ann = site.bind("ann", "other");
    let all = ann.ask(&query(&[], "<max>50</max>"));
    let ids: Vec<_> = result_ids(&all).into_iter().map(str::to_owned).collect();
    let stamps = all_between(&all, "stamp='", "'");
    assert_eq!(bodies(&all), ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    let (after, before) =
        (format!("<after>{}</after>", ids[3]), format!("<before>{}</before>", ids[3]));
    for (fields, set, expected, is_complete) in [
        (vec![], "<max>3</max>".to_owned(), "012", false),
        (vec![], format!("<max>3</max>{after}"), "456", false),
        (vec![], format!("<max>6</max>{after}"), "456789", true),
        (vec![], "<max>3</max><before/>".to_owned(), "789", false),
        (vec![], format!("<max>2</max>{before}"), "12", false),
        (vec![], format!("<max>3</max>{before}"), "012", true),
        (vec![], "<max>0</max>".to_owned(), "", false),
        (vec![("start", stamps[7])], String::new(), "789", true),
        (vec![("end", stamps[2])], String::new(), "012", true),
        (vec![("start", stamps[2]), ("end", stamps[4])], String::new(), "234", true),
        (vec![("start", stamps[2]), ("end", stamps[1])], String::new(), "", true),
        (
            vec![("start", stamps[2]), ("end", stamps[8])],
            format!("<max>2</max>{after}"),
            "45",
            false,
        ),
        (vec![("with", "bob@example.org")], "<max>2</max>".to_owned(), "01", false),
        (vec![("with", "bob@example.org/desk")], String::new(), "", true),
        (vec![("with", "carl@example.org")], String::new(), "", true),
    ] {
        let heard = ann.ask(&query(&fields, &set));
        assert_eq!(bodies(&heard).concat(), expected, "{fields:?} {set}");
        assert_eq!(
            heard.contains("<fin xmlns='urn:xmpp:mam:2' complete='true'>"),
            is_complete,
            "{heard}"
        );
    }
    // Bob sees with which of Ann's clients he has spoken.
    let bob = site.bind("bob", "other");
    for (with, expected) in
        [("ann@example.org", 10), ("ann@example.org/desk", 10), ("ann@example.org/d", 0)]
    {
        assert_eq!(bodies(&bob.ask(&query(&[("with", with)], ""))).len(), expected, "{with}");
    }
}

#[test]
fn questions_that_are_refused() {
    let (site, _) = ten();
    let ann = site.bind("ann", "other");
    let long = "x".repeat(257);
    for (text, condition) in [
        (query(&[], "<after>0000000000000001</after>"), "item-not-found"),
        (query(&[], "<before>what</before>"), "item-not-found"),
        (query(&[("start", "yesterday")], ""), "bad-request"),
        (query(&[("with", "@")], ""), "jid-malformed"),
        (query(&[("withtext", "1")], ""), "feature-not-implemented"),
        (query(&[], "").replace("queryid", "node='x' queryid"), "item-not-found"),
        (query(&[], "").replace("f27", &long), "bad-request"),
        (query(&[], "").replace("<iq", "<iq to='bob@example.org'"), "service-unavailable"),
        (query(&[], "").replace("<iq", "<iq to='example.org'"), "service-unavailable"),
        (query(&[], "").replace("<iq", "<iq to='nobody@example.org'"), "service-unavailable"),
        (
            format!("<iq type='set' id='p'><prefs xmlns='{QUERY}' default='roster'/></iq>"),
            "feature-not-implemented",
        ),
        (
            format!(
                "<iq type='set' id='p'><prefs xmlns='{QUERY}' default='always'><never><jid>a@b</jid></never></prefs></iq>"
            ),
            "feature-not-implemented",
        ),
        (format!("<iq type='set' id='p'><metadata xmlns='{QUERY}'/></iq>"), "service-unavailable"),
    ] {
        let heard = ann.ask(&text);
        assert!(
            heard.starts_with("<iq type='error'") && heard.contains(&format!("<{condition} ")),
            "{text} {heard}"
        );
    }
}

#[test]
fn what_can_be_asked_beside_pages() {
    let (site, _) = ten();
    let ann = site.bind("ann", "other");
    let heard = ann.ask("<iq type='get' id='d' to='ann@example.org'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>");
    for feature in ["urn:xmpp:mam:2", "urn:xmpp:sid:0"] {
        assert!(heard.contains(&format!("<feature var='{feature}'/>")), "{heard}");
    }
    let heard = ann.ask(&format!("<iq type='get' id='f'><query xmlns='{QUERY}'/></iq>"));
    for field in ["var='with'", "var='start'", "var='end'", "<value>urn:xmpp:mam:2</value>"] {
        assert!(heard.contains(field), "{heard}");
    }
    let all = ann.ask(&query(&[], ""));
    let (ids, stamps) = (result_ids(&all), all_between(&all, "stamp='", "'"));
    let heard = ann.ask(&format!("<iq type='get' id='m'><metadata xmlns='{QUERY}'/></iq>"));
    let (start, end) = (
        format!("<start id='{}' timestamp='{}'/>", ids[0], stamps[0]),
        format!("<end id='{}' timestamp='{}'/>", ids[9], stamps[9]),
    );
    assert!(heard.contains(&(start + &end)), "{heard}");
    let carl = site.bind("carl", "desk");
    let heard = carl.ask(&format!("<iq type='get' id='m'><metadata xmlns='{QUERY}'/></iq>"));
    assert!(heard.contains("<metadata xmlns='urn:xmpp:mam:2'/>"), "{heard}");
    for text in [
        format!("<iq type='get' id='p'><prefs xmlns='{QUERY}'/></iq>"),
        format!(
            "<iq type='set' id='p'><prefs xmlns='{QUERY}' default='always'><always/><never/></prefs></iq>"
        ),
    ] {
        let heard = ann.ask(&text);
        assert!(
            heard.contains(
                "<prefs xmlns='urn:xmpp:mam:2' default='always'><always/><never/></prefs>"
            ),
            "{heard}"
        );
    }
}

/// Without an archive nothing is said of one.
#[test]
fn none() {
    let site = Site::new(config());
    let (ann, bob) = (site.online("ann", "desk"), site.online("bob", "desk"));
    ann.say(&chat("bob@example.org", "a"));
    assert!(!bob.heard().contains("stanza-id"));
    assert!(ann.ask(&query(&[], "")).contains("<service-unavailable "));
    let heard = ann.ask("<iq type='get' id='d' to='ann@example.org'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>");
    assert!(!heard.contains("urn:xmpp:mam:2"), "{heard}");
}

/// The recipient learns the id that its own archive has, and nobody else's; what others have forged is gone.
#[test]
fn ids() {
    let (config, _) = with_archive();
    let site = Site::new(config);
    let (ann, bob) = (site.online("ann", "desk"), site.online("bob", "desk"));
    let carbon = site.online("ann", "phone");
    carbon.ask("<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
    bob.heard();
    let forged = |by: &str| format!("<stanza-id xmlns='urn:xmpp:sid:0' by='{by}' id='forged'/>");
    let body = format!(
        "a</body>{}{}{}<body>",
        forged("bob@example.org"),
        forged("ann@example.org"),
        forged("room@example.org")
    );
    ann.say(&chat("bob@example.org", &body));
    let heard = bob.heard();
    assert_eq!(heard.matches("id='forged'").count(), 1, "{heard}");
    let id = all_between(&heard, "by='bob@example.org' id='", "'")[0].to_owned();
    assert!(!heard.contains("by='ann@example.org'"), "{heard}");
    assert_eq!(result_ids(&bob.ask(&query(&[], ""))), [id]);
    // Her other client learns the id in her own archive.
    let copy = carbon.heard();
    let id = all_between(&copy, "by='ann@example.org' id='", "'")[0].to_owned();
    assert_eq!(result_ids(&carbon.ask(&query(&[], ""))), [id]);
    // Whatever the message is, and whether or not it is archived.
    for kind in ["headline", "chat", "normal"] {
        let text = format!(
            "<message to='bob@example.org/desk' type='{kind}'>{}<no-store xmlns='urn:xmpp:hints'/></message>",
            forged("bob@example.org")
        );
        ann.say(&text);
        let heard = bob.heard();
        assert!(heard.contains("<no-store") && !heard.contains("stanza-id"), "{heard}");
    }
}

#[test]
fn each_message_once() {
    let (config, archive) = with_archive();
    let site = Site::new(config);
    let (ann, phone) = (site.online("ann", "desk"), site.online("ann", "phone"));
    for client in [&ann, &phone] {
        client.ask("<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
    }
    // To several resources of one priority, with copies, to the own account, to one of its resources, without a recipient.
    let bob = site.online("bob", "desk");
    let pad = site.online("bob", "pad");
    pad.ask("<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
    for to in [
        "bob@example.org",
        "bob@example.org/desk",
        "bob@example.org/gone",
        "ann@example.org",
        "ann@example.org/phone",
    ] {
        ann.say(&chat(to, to));
    }
    ann.say("<message type='chat'><body>me</body></message>");
    let of_ann = [
        "bob@example.org",
        "bob@example.org/desk",
        "bob@example.org/gone",
        "ann@example.org",
        "ann@example.org/phone",
        "me",
    ];
    assert_eq!(archived(&ann), of_ann);
    assert_eq!(archived(&bob), of_ann[..3]);
    // What was archived is not archived by being read.
    assert_eq!((archive.messages_of("ann"), archive.messages_of("bob")), (6, 3));
}

/// A message that waits is archived when it is received; not again when it is delivered, nor if it is refused.
#[test]
fn messages_that_wait() {
    let (config, archive) = with_archive();
    let site = Site::new(config.offline_max(2));
    let ann = site.online("ann", "desk");
    for body in ["one", "two", "three"] {
        let heard = ann.ask(&chat("bob@example.org", body));
        assert_eq!(heard.contains("<service-unavailable "), body == "three", "{heard}");
        assert!(!heard.contains("by='bob@example.org'"), "{heard}");
    }
    assert_eq!(archive.messages_of("bob"), 2);
    let bob = site.bind("bob", "desk");
    let heard = bob.ask("<presence/>");
    assert_eq!(bodies(&heard), ["one", "two"]);
    let told: Vec<_> = all_between(&heard, "by='bob@example.org' id='", "'")
        .into_iter()
        .map(str::to_owned)
        .collect();
    let heard = bob.ask(&query(&[], ""));
    assert_eq!(
        (bodies(&heard), result_ids(&heard)),
        (vec!["one", "two"], told.iter().map(String::as_str).collect())
    );
    assert_eq!(archived(&ann), ["one", "two", "three"]);
}

/// The limit of bytes counts what is added to a message that waits.
#[test]
fn bytes_that_wait() {
    // The message as it is received has about 100 bytes, the stamp 75, and the id 90.
    for (max, is_refused) in [(0, true), (1, true), (200, true), (400, false)] {
        let (config, archive) = with_archive();
        let site = Site::new(config.offline_bytes_max(max));
        let ann = site.online("ann", "desk");
        let heard = ann.ask(&chat("bob@example.org", "a"));
        assert_eq!(heard.contains("<service-unavailable "), is_refused, "{max}");
        assert_eq!(archive.messages_of("bob"), usize::from(!is_refused), "{max}");
    }
}

/// A session that ends without having acknowledged a message: it waits for the next one with its id, and is in the archive once. What an
/// archive has sent to it does not wait.
#[test]
fn messages_that_are_not_acknowledged() {
    let (config, _) = with_archive();
    let site = Site::new(config);
    let ann = site.online("ann", "desk");
    let bob = site.online("bob", "desk");
    bob.ask("<enable xmlns='urn:xmpp:sm:3'/>");
    ann.say(&chat("bob@example.org", "a"));
    let first = all_between(&bob.heard(), "by='bob@example.org' id='", "'")[0].to_owned();
    assert_eq!(archived(&bob), ["a"]);
    bob.cut();
    let again = site.bind("bob", "phone");
    let heard = again.ask("<presence/>");
    assert_eq!(bodies(&heard), ["a"]);
    assert_eq!(all_between(&heard, "by='bob@example.org' id='", "'"), [first]);
    assert!(!heard.contains("<result "), "{heard}");
    assert_eq!(archived(&again), ["a"]);
}

/// What a blocked sender writes is refused, and not archived. What was archived before stays.
#[test]
fn a_blocked_sender() {
    let (config, _) = with_archive();
    let site = Site::new(config);
    let (ann, bob) = (site.online("ann", "desk"), site.online("bob", "desk"));
    ann.say(&chat("bob@example.org", "before"));
    bob.ask("<iq type='set' id='b'><block xmlns='urn:xmpp:blocking'><item jid='ann@example.org'/></block></iq>");
    assert!(ann.ask(&chat("bob@example.org", "after")).contains("<service-unavailable "));
    assert_eq!(archived(&bob), ["before"]);
    // Bob cannot write to her either.
    assert!(bob.ask(&chat("ann@example.org", "no")).contains("<not-acceptable "));
    assert_eq!(archived(&bob), ["before"]);
}

#[test]
fn the_limits_of_an_archive() {
    let archive = MemoryArchive::new();
    let limits = ArchiveConfig::new(archive.clone())
        .messages_max(3)
        .age_max(Some(std::time::Duration::from_secs(60)))
        .page_max(2);
    let site = Site::new(config().archive(limits));
    let (ann, _bob) = (site.online("ann", "desk"), site.online("bob", "desk"));
    for number in 0..5 {
        ann.say(&chat("bob@example.org", &number.to_string()));
    }
    let heard = ann.ask(&query(&[], "<max>50</max>"));
    assert_eq!(bodies(&heard), ["2", "3"]);
    assert!(heard.contains("<count>3</count>") && !heard.contains("complete="), "{heard}");
    let forgotten = result_ids(&heard)[0].to_owned();
    ann.say(&chat("bob@example.org", "5"));
    let heard = ann.ask(&query(&[], &format!("<after>{forgotten}</after>")));
    assert!(heard.contains("<item-not-found "), "{heard}");
    site.advance(30_000);
    ann.say(&chat("bob@example.org", "6"));
    // The server asks whether she is there.
    site.advance(20_000);
    ann.say(" ");
    site.advance(20_000);
    assert_eq!(archived(&ann), ["6"]);
}

/// A message that is too long is delivered, but not archived; a page has so many bytes.
#[test]
fn bytes() {
    let archive = MemoryArchive::new();
    let limits = ArchiveConfig::new(archive.clone()).bytes_max(40_000).page_bytes_max(4_096);
    let site = Site::new(config().archive(limits));
    let (ann, bob) = (site.online("ann", "desk"), site.online("bob", "desk"));
    ann.say(&chat("bob@example.org", &"x".repeat(11_000)));
    let heard = bob.heard();
    assert!(heard.len() > 11_000 && !heard.contains("stanza-id"));
    for number in 0..5 {
        ann.say(&chat("bob@example.org", &(number.to_string() + &"x".repeat(1_800))));
        bob.heard();
    }
    let heard = bob.ask(&query(&[], ""));
    let firsts: Vec<_> = bodies(&heard).into_iter().map(|body| &body[..1]).collect();
    assert_eq!(firsts, ["0", "1"]);
    assert!(!heard.contains("complete="));
    // One longer than a page is a page.
    ann.say(&chat("bob@example.org", &("5".to_owned() + &"x".repeat(9_000))));
    bob.heard();
    assert_eq!(bodies(&bob.ask(&query(&[], "<before/>"))).len(), 1);
}

/// A page does not end the session that has asked for it, however few stanzas may be unacknowledged.
#[test]
fn a_page_and_stream_management() {
    let (config, _) = with_archive();
    let site = Site::new(config.unacknowledged_max(20));
    let (ann, _bob) = (site.online("ann", "desk"), site.online("bob", "desk"));
    for number in 0..30 {
        ann.say(&chat("bob@example.org", &number.to_string()));
    }
    let phone = site.bind("ann", "phone");
    phone.ask("<enable xmlns='urn:xmpp:sm:3'/>");
    let mut heard = phone.ask(&query(&[], ""));
    let (mut read, mut pages) = (0, 0);
    while !phone.wire.is_closing() && !heard.contains("complete='true'") {
        assert!(heard.contains("<fin "), "{heard}");
        let last = all_between(&heard, "<last>", "</last>")[0].to_owned();
        read += bodies(&heard).len();
        pages += 1;
        phone.say(&format!("<a xmlns='urn:xmpp:sm:3' h='{}'/>", read + pages));
        heard = phone.ask(&query(&[], &format!("<after>{last}</after>")));
    }
    assert_eq!((read + bodies(&heard).len(), phone.wire.is_closing()), (30, false));
}

/// What no page could bring to a client is not archived.
#[test]
fn messages_that_fill_a_page() {
    let (config, archive) = with_archive();
    let site = Site::new(config.send_queue_max(20_000));
    let (ann, bob) = (site.online("ann", "desk"), site.online("bob", "desk"));
    for len in [9_000, 11_000, 19_500] {
        ann.say(&chat("bob@example.org", &"x".repeat(len)));
        assert!(bob.heard().contains("<body>xxx"), "{len}");
        site.advance(10_000);
    }
    assert_eq!((archive.messages_of("ann"), archive.messages_of("bob")), (1, 1));
    let heard = bob.ask(&query(&[], ""));
    assert_eq!(bodies(&heard)[0].len(), 9_000);
    assert!(heard.contains("complete='true'"), "{heard}");
}

/// A client that asks for many pages and does not read: what it is sent is bounded, and the questions of others are answered.
#[test]
fn a_client_that_does_not_read() {
    let (config, _) = with_archive();
    let site = Site::new(config.send_queue_max(100_000).unacknowledged_max(usize::MAX));
    let (ann, _bob) = (site.online("ann", "desk"), site.online("bob", "desk"));
    let long = "x".repeat(1_000);
    for _ in 0..40 {
        ann.say(&chat("bob@example.org", &long));
        site.advance(1_000);
    }
    let phone = site.bind("ann", "phone");
    phone.heard();
    phone.wire.set_capacity(0);
    for _ in 0..1_000 {
        phone.wire.receive_if_open(query(&[], "").as_bytes());
        site.advance(0);
        let waits = phone.wire.transport().queued();
        assert!(waits <= 100_000, "{waits}");
    }
    assert!(phone.wire.transport().queued() > 0 || phone.wire.is_closing());
    assert!(!bodies(&ann.ask(&query(&[], ""))).is_empty());
}

/// Two questions with the same id, of one client and of two: each is answered, to whom has asked.
#[test]
fn questions_with_the_same_id() {
    let (site, _) = ten();
    let (ann, phone) = (site.bind("ann", "other"), site.bind("ann", "phone"));
    ann.heard();
    phone.heard();
    let (one, two) = (query(&[], "<max>1</max>"), query(&[], "<max>2</max>"));
    for (client, text) in [(&ann, one.clone() + &two), (&phone, two.replace("f27", "f28"))] {
        client.wire.receive_if_open(text.as_bytes());
    }
    let heard = ann.heard();
    assert_eq!((bodies(&heard), heard.matches("id='q'").count()), (vec!["0", "0", "1"], 2));
    assert!(!heard.contains("f28"), "{heard}");
    let heard = phone.heard();
    assert_eq!((bodies(&heard), heard.matches("id='q'").count()), (vec!["0", "1"], 1));
    assert!(!heard.contains("f27"), "{heard}");
}
