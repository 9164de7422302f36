//! Credentials that do not count any more: sessions end, and logins that are on their way are not finished.

use sinew_chat::xmpp::codec::StreamCondition;

use super::kit::{HEADER, Site, auth, bind, config};

#[test]
fn all_sessions_of_an_account_end() {
    let site = Site::new(config());
    let (desk, phone) = (site.online("bob", "desk"), site.bind("bob", "phone"));
    let ann = site.online("ann", "desk");
    let enabled = phone.ask("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    let token = enabled.split("id='").nth(1).and_then(|rest| rest.split('\'').next()).unwrap();
    phone.say("<presence/>");
    phone.cut();
    ann.say("<message to='bob@example.org/phone' type='chat'><body>waits</body></message>");
    desk.heard();
    let ended = site.server.end_sessions(&site.reactor, "bob", StreamCondition::Reset);
    assert_eq!(ended, 2);
    site.advance(0);
    let last = desk.heard();
    assert!(last.contains("<reset ") && last.ends_with("</stream:stream>"), "{last}");
    assert!(desk.wire.is_closing());
    assert_eq!(site.server.report().sessions, 1);
    assert_eq!(
        ann.ask("<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>")
            .matches("id='1'")
            .count(),
        1
    );
    // With the new password, there is nothing to resume, and nothing is lost.
    let again = site.log_in("bob");
    let refused = again.ask(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{token}' h='0'/>"));
    assert!(refused.contains("<item-not-found "), "{refused}");
    again.say(&bind("desk"));
    assert!(again.ask("<presence/>").contains("<body>waits</body>"));
    assert_eq!(site.server.end_sessions(&site.reactor, "nobody", StreamCondition::Reset), 0);
}

#[test]
fn logins_that_are_on_their_way() {
    let site = Site::new(config());
    let end = |account: &str| {
        site.server.end_sessions(&site.reactor, account, StreamCondition::NotAuthorized)
    };
    // Behind the login, to bind and to resume.
    for text in [bind("desk"), "<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>".to_owned()] {
        let bob = site.log_in("bob");
        assert_eq!(end("bob"), 0);
        let refused = bob.ask(&text);
        assert!(refused.contains("<reset ") && refused.ends_with("</stream:stream>"), "{refused}");
    }
    // One that begins afterwards is finished.
    let bob = site.connect();
    bob.say(HEADER);
    end("bob");
    bob.say(&auth("bob", "secret"));
    bob.say(HEADER);
    assert!(bob.ask(&bind("desk")).contains("<jid>bob@example.org/desk</jid>"));
}
