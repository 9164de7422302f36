//! Items that accounts publish.

use super::kit::{Site, config};

fn publish(node: &str, id: &str, options: &str) -> String {
    format!(
        "<iq type='set' id='p'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='{node}'>\
         <item id='{id}'><x xmlns='urn:x'>{id}</x></item></publish>{options}</pubsub></iq>"
    )
}

fn options(fields: &[(&str, &str)]) -> String {
    let fields: String = fields
        .iter()
        .map(|(name, value)| format!("<field var='pubsub#{name}'><value>{value}</value></field>"))
        .collect();
    format!(
        "<publish-options><x xmlns='jabber:x:data' type='submit'>{fields}</x></publish-options>"
    )
}

fn items(node: &str) -> String {
    format!(
        "<iq type='get' id='g' to='ann@example.org'><pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='{node}'/></pubsub></iq>"
    )
}

#[test]
fn friends_are_told() {
    let site = Site::new(config());
    site.make_friends();
    let (ann, bob, carl) =
        (site.online("ann", "desk"), site.online("bob", "desk"), site.online("carl", "desk"));
    ann.heard();
    bob.heard();
    let heard = ann.ask(&publish("urn:n", "1", ""));
    assert!(heard.contains("<publish node='urn:n'><item id='1'/></publish>"), "{heard}");
    let event = "<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='urn:n'><item id='1'><x xmlns='urn:x'>1</x></item></items></event>";
    let told = bob.heard();
    assert!(
        told.contains(event)
            && told.contains("from='ann@example.org'")
            && told.contains("type='headline'"),
        "{told}"
    );
    assert!(heard.contains(event));
    assert_eq!(carl.heard(), "");
    // Who comes later has the last item.
    let phone = site.bind("bob", "phone");
    assert!(phone.ask("<presence/>").contains(event));
    // One item is kept, unless more are wanted.
    ann.ask(&publish("urn:n", "2", ""));
    let read = bob.ask(&items("urn:n"));
    assert!(read.contains("id='2'") && !read.contains("id='1'"), "{read}");
    ann.ask(&publish("urn:n", "3", &options(&[("max_items", "2")])));
    let read = bob.ask(&items("urn:n"));
    assert!(read.contains("id='2'") && read.contains("id='3'"), "{read}");
    // Taken back.
    let retract = "<iq type='set' id='r'><pubsub xmlns='http://jabber.org/protocol/pubsub'><retract node='urn:n'><item id='3'/></retract></pubsub></iq>";
    assert!(ann.ask(retract).contains("type='result'"));
    assert!(bob.heard().contains("<retract id='3'/>"));
    assert!(ann.ask(retract).contains("<item-not-found "));
    let delete = "<iq type='set' id='d'><pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><delete node='urn:n'/></pubsub></iq>";
    assert!(ann.ask(delete).contains("type='result'"));
    assert!(bob.heard().contains("<delete node='urn:n'/>"));
    assert!(bob.ask(&items("urn:n")).contains("<item-not-found "));
}

#[test]
fn who_may_read() {
    let site = Site::new(config());
    site.make_friends();
    let (ann, bob, carl) =
        (site.online("ann", "desk"), site.online("bob", "desk"), site.online("carl", "desk"));
    for (model, for_bob, for_carl) in
        [("open", true, true), ("presence", true, false), ("whitelist", false, false)]
    {
        assert!(
            ann.ask(&publish(model, "1", &options(&[("access_model", model)])))
                .contains("type='result'")
        );
        bob.heard();
        assert_eq!(bob.ask(&items(model)).contains("id='1'"), for_bob, "{model}");
        assert_eq!(carl.ask(&items(model)).contains("id='1'"), for_carl, "{model}");
        assert!(ann.ask(&items(model)).contains("id='1'"));
    }
    let refused = ann.ask(&publish("x", "1", &options(&[("access_model", "roster")])));
    assert!(refused.contains("<not-acceptable "), "{refused}");
    // What was for friends can be made private.
    ann.ask(&publish("presence", "2", &options(&[("access_model", "whitelist")])));
    assert_eq!(bob.heard(), "");
    assert!(bob.ask(&items("presence")).contains("<item-not-found "));
    let nodes = "<iq type='get' id='n' to='ann@example.org'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>";
    let (own, others) = (ann.ask(nodes), bob.ask(nodes));
    assert!(own.contains("node='whitelist'") && own.contains("node='open'"), "{own}");
    assert!(!others.contains("node='whitelist'") && others.contains("node='open'"), "{others}");
    // Nobody publishes for another.
    let refused =
        bob.ask(&publish("open", "2", "").replace("id='p'", "id='p' to='ann@example.org'"));
    assert!(refused.contains("<service-unavailable "), "{refused}");
}

#[test]
fn bounds() {
    let site = Site::new(config().nodes_max(2, 2).node_bytes_max(400));
    let ann = site.online("ann", "desk");
    let many = options(&[("max_items", "max")]);
    for number in 0..5 {
        assert!(ann.ask(&publish("a", &number.to_string(), &many)).contains("type='result'"));
    }
    let read = ann.ask(&items("a"));
    assert_eq!(read.matches("<item ").count(), 2, "{read}");
    assert!(ann.ask(&publish("b", "1", "")).contains("type='result'"));
    assert!(ann.ask(&publish("c", "1", "")).contains("<resource-constraint "));
    let heard = ann.ask(&publish("b", &"x".repeat(200), ""));
    assert!(heard.contains("<resource-constraint "), "{heard}");
    assert!(ann.ask(&items("b")).contains("id='1'"));
}
