//! What is delivered when, and by how many connections.

use std::time::Duration;

use sinew_mail::queue::{DeliveryStage, QueueConfig};

use super::world::{World, config, envelope, relay, route};

#[test]
fn recipients_of_a_destination_are_one_transaction_and_connections_are_kept() {
    let world = World::new();
    for number in 0..5 {
        world.submit(envelope(&[&format!("bob{number}@example.org"), "carol@example.com"]));
    }
    world.run(Duration::from_secs(60));
    assert_eq!(world.received().len(), 5);
    assert_eq!(world.received()[0].to, ["bob0@example.org", "carol@example.com"]);
    assert_eq!(world.received()[0].text, "Subject: x\r\n\r\nHello\r\n");
    let stats = world.queue().stats();
    assert_eq!((stats.messages, stats.bytes, stats.delivered, stats.attempts), (0, 0, 10, 5));
    assert_eq!(world.notes.borrow().connections, 1, "one connection for all");
}

#[test]
fn without_a_smart_host_each_domain_is_a_destination() {
    let world = World::with(config(), || {
        relay().no_smart_host().route("example.org", "next:25", None).route(
            "Other.example",
            "next:25",
            None,
        )
    });
    world.submit(envelope(&[
        "a@example.org",
        "b@other.example",
        "c@EXAMPLE.org",
        "d@nowhere.example",
    ]));
    let mut routes = world.routes();
    routes.sort();
    let expected = [
        route("ann@example.net", "a@example.org c@EXAMPLE.org"),
        route("ann@example.net", "b@other.example"),
    ];
    assert_eq!(routes, expected);
    let left = world.queue().list(None, 10);
    let stages: Vec<_> = left[0].recipients.iter().map(|(_, progress)| progress.stage()).collect();
    let (done, pending) = (DeliveryStage::RelayedWithoutReports, DeliveryStage::Pending);
    // The server of the tests offers DSN.
    assert_eq!(stages.len(), 4);
    assert!(stages[..3].iter().all(|stage| *stage == DeliveryStage::Relayed || *stage == done));
    assert_eq!(stages[3], pending);
}

#[test]
fn a_recipient_that_is_refused_for_now_is_tried_again_and_the_others_are_not() {
    let world = World::new();
    let id = world.submit(envelope(&["bob@example.org", "later@example.org"]));
    assert_eq!(world.routes(), [route("ann@example.net", "bob@example.org")]);
    let tries = |world: &World| world.queue().message(&id).unwrap().recipients[1].1.tries();
    let mut seen = vec![tries(&world)];
    for _ in 0..48 {
        world.minutes(10);
        seen.push(tries(&world));
    }
    // After 15, 30, 60, 120 minutes, and then 4 hours, a tenth more at most.
    let mut at: Vec<_> = (2..=5).map(|tries| seen.iter().position(|seen| *seen >= tries)).collect();
    at.dedup();
    for (at, minutes) in at.iter().zip([15, 45, 105, 225]) {
        let at = at.expect("it was tried") * 10;
        assert!((minutes..=minutes * 11 / 10 + 10).contains(&at), "{at} {minutes}: {seen:?}");
    }
    world.restart();
    assert_eq!(tries(&world), *seen.last().unwrap(), "the schedule survives a restart");
    assert_eq!(world.received().len(), 1, "bob has it once");
}

#[test]
fn a_host_that_is_down_is_not_asked_for_each_message() {
    let world = World::new();
    world.next.kill();
    for number in 0..100 {
        world.submit(envelope(&[&format!("bob{number}@example.org")]));
    }
    world.minutes(60);
    let stats = world.queue().stats();
    assert_eq!(stats.messages, 100);
    assert!(stats.attempts < 12, "{} attempts", stats.attempts);
    assert_eq!(world.queue().destinations_down()[0].0, "smtp:the smart host");
    world.next.restart();
    // Four hours, and a tenth more.
    world.minutes(270);
    assert_eq!((world.received().len(), world.queue().stats().messages), (100, 0));
}

#[test]
fn a_host_that_wants_nothing_now_is_left_alone() {
    let world = World::new();
    for number in 0..30 {
        world.submit(envelope(&[&format!("away{number}@example.org")]));
    }
    world.minutes(10);
    let stats = world.queue().stats();
    assert_eq!((stats.messages, stats.destinations_down), (30, 1));
    assert!(stats.attempts < 10, "{} attempts", stats.attempts);
}

#[test]
fn few_attempts_go_on_at_once() {
    let world = World::with(config().deliveries_max_each(3), relay);
    world.notes.borrow_mut().later = vec!["finish"];
    for number in 0..10 {
        world.submit(envelope(&[&format!("bob{number}@example.org")]));
    }
    assert_eq!((world.received().len(), world.queue().stats().active), (3, 3));
    // The server would give up after five minutes.
    world.minutes(4);
    let open: Vec<_> = world.notes.borrow_mut().open_finish.drain(..).collect();
    for finish in open {
        finish
            .resolve(sinew_mail::smtp::server::Outcome::All(sinew_mail::smtp::codec::Reply::ok()));
    }
    world.run(Duration::from_secs(5));
    assert_eq!(world.received().len(), 6);
}

#[test]
fn many_recipients_are_several_transactions() {
    let world = World::with(config().recipients_max_each(2), relay);
    let to: Vec<_> = (0..5).map(|number| format!("bob{number}@example.org")).collect();
    world.submit(envelope(&to.iter().map(String::as_str).collect::<Vec<_>>()));
    let found: Vec<_> = world.received().into_iter().map(|mail| mail.to.len()).collect();
    assert_eq!(found, [2, 2, 1]);
}

/// Those who are put off wait for their time, and do not keep others behind them from their turn.
#[test]
fn recipients_who_are_put_off_do_not_keep_back_those_behind_them() {
    let world = World::with(config().recipients_max_each(2), relay);
    let to: Vec<_> = (0..5).map(|number| format!("later{number}@example.org")).collect();
    let mut to: Vec<_> = to.iter().map(String::as_str).collect();
    to.push("bob@example.org");
    let id = world.submit(envelope(&to));
    world.run(Duration::from_secs(60));
    assert_eq!(world.routes(), [route("ann@example.net", "bob@example.org")]);
    assert_eq!(world.queue().stats().attempts, 3);
    let tries = |world: &World| -> Vec<u32> {
        let message = world.queue().message(&id).unwrap();
        message.recipients.iter().map(|(_, progress)| progress.tries()).collect()
    };
    assert_eq!(tries(&world), [1; 6]);
    world.queue().retry_now(&id);
    world.run(Duration::from_secs(60));
    assert_eq!(tries(&world), [2, 2, 2, 2, 2, 1], "all are tried now");
    world.minutes(60);
    assert_eq!(tries(&world), [3, 3, 3, 3, 3, 1], "after half an hour");
}

/// A destination whose attempts fail together was not reached once, not as often as there were attempts.
#[test]
fn a_busy_destination_that_fails_once_is_tried_again_soon() {
    let world = World::new();
    for number in 0..5 {
        world.queue().submit(envelope(&[&format!("away{number}@example.org")]), "x").detach();
    }
    world.run(Duration::from_secs(5));
    let down = world.queue().destinations_down();
    assert_eq!((world.queue().stats().attempts, down[0].1), (5, 1));
}

/// The password for the smart host is not for a host that the domain of a recipient names.
#[test]
fn a_login_is_not_for_hosts_that_a_recipient_names() {
    use sinew_auth::ClientLogin;
    use sinew_mail::smtp::client::{ClientConfig, Security};
    let world = World::with(config(), || {
        // The next host offers no AUTH, so that an attempt to log in would fail.
        let login = ClientLogin::password("relay", "secret").allow_plaintext(true);
        let config = ClientConfig::new("relay.example").unwrap().security(Security::None);
        let relay = sinew_mail::queue::Relay::new(config.login(login));
        relay.smart_host("next:25").no_smart_host().allow(["10.0.0.0/8".parse().unwrap()])
    });
    world.submit(envelope(&["bob@next"]));
    assert_eq!(world.routes(), [route("ann@example.net", "bob@next")]);
}

#[test]
fn a_message_that_expires_while_its_host_is_down_is_returned() {
    let config = || -> QueueConfig {
        let day = Duration::from_secs(24 * 3600);
        config().expiry(2 * day).delay_warning(Duration::from_secs(4 * 3600))
    };
    // Reports go elsewhere.
    let world =
        World::with(config(), || relay().no_smart_host().route("example.net", "next:25", None));
    for number in 0..20 {
        world.submit(envelope(&[&format!("bob{number}@down.example")]));
    }
    world.minutes(5 * 60);
    let subjects = |word: &str| {
        let mails = world.received();
        mails.iter().filter(|mail| mail.text.contains(&format!("Subject: Mail {word}"))).count()
    };
    assert_eq!((subjects("is delayed"), subjects("could not")), (20, 0), "each is told once");
    world.minutes(48 * 60);
    assert_eq!((subjects("is delayed"), subjects("could not")), (20, 20));
    assert_eq!(world.queue().stats().messages, 0);
    assert_eq!(world.files.names_left(), 0);
}
