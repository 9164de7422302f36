//! What waits for clients that do not read or do not acknowledge: the bound of its sum.

use std::time::Duration;

use sinew_chat::xmpp::server::ServerConfig;

use super::kit::{Client, Site, config};

const ENABLE: &str = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>";
const TOTAL: usize = 200_000;

/// With a rate that no client reaches.
fn of_total(bytes: usize) -> ServerConfig {
    config().unread_total_max(bytes).rate(1_000_000, Duration::from_millis(1))
}

fn message(to: &str, kind: &str, len: usize) -> String {
    let body = "x".repeat(len);
    format!("<message to='{to}@example.org' type='{kind}'><body>{body}</body></message>")
}

fn unread(site: &Site) -> usize {
    site.server.report().bytes_unread
}

fn sessions(site: &Site) -> usize {
    site.server.report().sessions
}

/// Each of eight has less than a client alone may have.
#[test]
fn nobody_reads() {
    let site = Site::new(of_total(TOTAL));
    let ann = site.online("ann", "desk");
    let resources: Vec<String> = (0..8).map(|number| format!("r{number}")).collect();
    let bobs: Vec<_> = resources.iter().map(|resource| site.online("bob", resource)).collect();
    let reader = site.online("carl", "desk");
    for bob in &bobs {
        bob.heard();
        bob.wire.set_capacity(0);
    }
    let (mut most, mut before) = (0, sessions(&site));
    for _ in 0..100 {
        ann.say(&message("bob", "headline", 10_000));
        ann.say(&message("carl", "headline", 10_000));
        assert!(reader.heard().contains("<body>"));
        most = most.max(unread(&site));
        assert!(sessions(&site) <= before);
        before = sessions(&site);
    }
    assert!((TOTAL / 2..=TOTAL).contains(&most), "{most}");
    // All that did not read have ended in the end, and nobody else has.
    assert_eq!(sessions(&site), 2 + bobs.iter().filter(|bob| !bob.wire.is_closing()).count());
    assert!(bobs.iter().any(|bob| bob.wire.is_closing()));
    assert!(!reader.wire.is_closing() && !ann.wire.is_closing());
}

/// Those that have little waiting go on, and it is not the last who pays.
#[test]
fn the_longest_queue_ends() {
    let site = Site::new(of_total(TOTAL));
    let ann = site.online("ann", "desk");
    let (slow, slower) = (site.online("bob", "desk"), site.online("carl", "desk"));
    for client in [&slow, &slower] {
        client.heard();
        client.wire.set_capacity(0);
    }
    ann.say(&message("carl", "headline", 150_000));
    for _ in 0..6 {
        ann.say(&message("bob", "headline", 10_000));
    }
    assert!(slower.wire.is_closing() && !slow.wire.is_closing());
    assert_eq!(sessions(&site), 2);
    assert!((60_000..100_000).contains(&unread(&site)), "{}", unread(&site));
}

/// A client that reads and does not acknowledge is told.
#[test]
fn acknowledged_by_nobody() {
    let site = Site::new(of_total(TOTAL));
    let ann = site.online("ann", "desk");
    let bob = site.online("bob", "desk");
    bob.ask(ENABLE);
    let mut heard = String::new();
    for _ in 0..30 {
        ann.say(&message("bob", "headline", 10_000));
        heard = bob.heard();
        assert!(unread(&site) <= TOTAL);
        if bob.wire.is_closing() {
            break;
        }
    }
    assert!(
        heard.ends_with("</stream:stream>") && heard.contains("<resource-constraint "),
        "{heard}"
    );
    assert_eq!((sessions(&site), unread(&site)), (1, 0));
}

/// A session without a connection counts. What it has not received waits for the account then.
#[test]
fn sessions_that_wait_to_be_resumed() {
    let site = Site::new(of_total(TOTAL));
    let ann = site.online("ann", "desk");
    let bob = site.online("bob", "desk");
    bob.ask(ENABLE);
    bob.cut();
    assert_eq!(site.server.report().sessions_waiting, 1);
    for number in 0..25 {
        ann.say(&message("bob", "chat", 10_000));
        assert!(unread(&site) <= TOTAL, "{number}");
    }
    let report = site.server.report();
    assert_eq!((report.sessions, report.sessions_waiting), (1, 0));
    // Half of it may be messages for accounts without clients.
    assert!((TOTAL / 4..=TOTAL / 2).contains(&unread(&site)), "{}", unread(&site));
    let refused = ann.heard().matches("<service-unavailable ").count();
    let again = site.bind("bob", "desk");
    let arrived = all_of(&again, "<presence/>").matches("<body>").count();
    assert_eq!(refused + arrived, 25, "none is lost in silence");
}

fn all_of(client: &Client<'_>, text: &str) -> String {
    let mut all = client.ask(text);
    loop {
        let more = client.heard();
        if more.is_empty() {
            return all;
        }
        all.push_str(&more);
    }
}

/// Messages for accounts without clients are in memory as far as there is room: others are in the store alone.
#[test]
fn accounts_without_clients() {
    let site = Site::new(of_total(60_000));
    let ann = site.online("ann", "desk");
    for _ in 0..2 {
        for name in ["bob", "carl", "dora"] {
            ann.say(&message(name, "chat", 10_000));
            assert!(unread(&site) <= 31_000, "{}", unread(&site));
        }
    }
    assert_eq!(ann.heard(), "", "nothing is refused");
    for name in ["bob", "carl", "dora"] {
        let client = site.bind(name, "desk");
        assert_eq!(all_of(&client, "<presence/>").matches("<body>").count(), 2, "{name}");
        client.end();
    }
    assert_eq!(unread(&site), 0);
}
