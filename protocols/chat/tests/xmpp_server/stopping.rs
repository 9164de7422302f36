//! The end of a server: sessions end, and nothing that was accepted is lost.

use sinew_chat::xmpp::server::MemoryStore;

use super::kit::{HEADER, Site, auth, bind, config};

const ENABLE: &str = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>";

#[test]
fn messages_wait_for_the_next_server() {
    let store = MemoryStore::new();
    let with_store = || config().store(store.clone());
    let site = Site::new(with_store());
    site.make_friends();
    let ann = site.online("ann", "desk");
    let bob = site.bind("bob", "desk");
    bob.say(ENABLE);
    bob.say("<presence/>");
    bob.cut();
    let late = site.log_in("carl");
    ann.say("<message to='bob@example.org' type='chat'><body>not taken</body></message>");
    ann.heard();
    let stopped = site.server.stop(&site.reactor);
    site.advance(0);
    assert!(stopped.is_settled());
    // A second time it has nothing to do.
    let again = site.server.stop(&site.reactor);
    site.advance(0);
    assert!(again.is_settled());
    let end = ann.heard();
    assert!(end.contains("<system-shutdown") && end.ends_with("</stream:stream>"), "{end}");
    assert!(ann.wire.is_closing());
    assert_eq!((site.server.report().sessions, site.server.report().accounts_unsaved), (0, 0));
    // Nobody binds a resource any more, nor logs in.
    let refused = late.ask(&bind("desk"));
    assert!(refused.contains("<service-unavailable"), "{refused}");
    let dora = site.connect();
    dora.ask(HEADER);
    let refused = dora.ask(&auth("dora", "secret"));
    assert!(refused.contains("<temporary-auth-failure"), "{refused}");

    let next = Site::new(with_store());
    let bob = next.bind("bob", "desk");
    let heard = bob.ask("<presence/>");
    assert_eq!(heard.matches("<body>not taken</body>").count(), 1, "{heard}");
}
