//! What senders are told.

use std::time::Duration;

use sinew_mail::{
    queue::{QueuedEnvelope, QueuedRecipient},
    smtp::codec::{Notify, Return, Sender},
};
use sinew_protocols::basic::Word;

use super::world::{World, envelope, route, to};

#[test]
fn a_refused_recipient_is_reported_once_to_the_sender() {
    let world = World::new();
    world.submit(envelope(&["bob@example.org", "nobody@example.org", "nothere@example.com"]));
    world.run(Duration::from_secs(10));
    let expected = [route("ann@example.net", "bob@example.org"), route("", "ann@example.net")];
    assert_eq!(world.routes(), expected);
    let report = world.received().pop().unwrap().text;
    for expected in [
        "Subject: Mail could not be delivered\r\n",
        "Final-Recipient: rfc822; nobody@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; next\r\n",
        "Diagnostic-Code: smtp; 550 5.1.1 No such mailbox here\r\n",
        "Final-Recipient: rfc822; nothere@example.com\r\n",
        "Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\nHello\r\n",
    ] {
        assert!(report.contains(expected), "{expected}\n{report}");
    }
    assert!(!report.contains("bob@example.org"));
    assert_eq!((world.queue().stats().messages, world.queue().stats().reports), (0, 1));
}

#[test]
fn a_report_that_cannot_be_delivered_is_not_reported() {
    let world = World::new();
    let sender = Sender::new(Some("nosuchsender@example.net".parse().unwrap()));
    let envelope =
        QueuedEnvelope::new(sender).with(QueuedRecipient::remote(to("nobody@example.org")));
    world.submit(envelope);
    world.minutes(30);
    assert_eq!((world.received().len(), world.queue().stats().messages), (0, 0));
    let stats = world.queue().stats();
    assert_eq!((stats.reports, stats.failed), (1, 2));
}

#[test]
fn notify_ret_and_envid_are_honoured() {
    let world = World::new();
    let sender = Sender::new(Some("ann@example.net".parse().unwrap()));
    let sender = sender.with_return(Return::Headers).with_envelope_id("id+1");
    let envelope = QueuedEnvelope::new(sender)
        .with(QueuedRecipient::remote(to("nobody@example.org").with_notify(Notify::NEVER)))
        .with(QueuedRecipient::remote(
            to("nothere@example.org")
                .with_notify(Notify::FAILURE)
                .with_original(Word::from_static("rfc822"), "first@example.org"),
        ))
        .with(QueuedRecipient::expanded(to("list@example.org").with_notify(Notify::SUCCESS)));
    world.submit(envelope);
    world.run(Duration::from_secs(10));
    let reports = world.received();
    assert_eq!(reports.len(), 2);
    let all = reports.iter().map(|mail| mail.text.as_str()).collect::<String>();
    for expected in [
        "Original-Envelope-Id: id+1\r\n",
        "Original-Recipient: rfc822;first@example.org\r\nFinal-Recipient: rfc822; nothere@example.org\r\nAction: failed\r\n",
        "Final-Recipient: rfc822; list@example.org\r\nAction: expanded\r\nStatus: 2.0.0\r\n",
        "Content-Type: text/rfc822-headers\r\n\r\nSubject: x\r\n\r\n--",
    ] {
        assert!(all.contains(expected), "{expected}\n{all}");
    }
    assert!(!all.contains("nobody@") && !all.contains("Hello"), "{all}");
}

#[test]
fn the_next_host_is_told_what_reports_are_wanted() {
    // The server of the tests offers DSN: it is responsible for reports of success.
    let world = World::new();
    let notify = to("bob@example.org").with_notify(Notify::SUCCESS.and(Notify::FAILURE));
    let sender = Sender::new(Some("ann@example.net".parse().unwrap()));
    world.submit(QueuedEnvelope::new(sender).with(QueuedRecipient::remote(notify)));
    world.run(Duration::from_secs(10));
    assert_eq!(world.routes(), [route("ann@example.net", "bob@example.org")]);
}

#[test]
fn an_owner_receives_the_reports_about_a_list() {
    let world = World::new();
    let owner = Sender::new(Some("owner@example.net".parse().unwrap()));
    let envelope = envelope(&["bob@example.org"])
        .with(QueuedRecipient::remote(to("nobody@example.org")).with_sender(owner.clone()))
        .with(QueuedRecipient::remote(to("carol@example.org")).with_sender(owner));
    world.submit(envelope);
    world.run(Duration::from_secs(10));
    let mut routes = world.routes();
    routes.sort();
    let expected = [
        route("", "owner@example.net"),
        route("ann@example.net", "bob@example.org"),
        route("owner@example.net", "carol@example.org"),
    ];
    assert_eq!(routes, expected);
}

#[test]
fn a_report_is_made_once_wherever_the_process_ends() {
    // Each step of the disk after the message was accepted, up to the end.
    let steps = |world: &World| world.files.steps();
    let whole = World::new();
    let before = steps(&whole);
    whole.submit(envelope(&["nobody@example.org"]));
    whole.run(Duration::from_secs(10));
    let all = steps(&whole) - before;
    assert!(all > 10, "{all}");
    for step in 0..=all {
        let world = World::new();
        world.files.fail_after(step);
        let accepted =
            world.try_submit(envelope(&["nobody@example.org"]), "Subject: x\n\nx\n").is_ok();
        world.run(Duration::from_secs(10));
        world.restart();
        world.minutes(10);
        let reports = world.received().len();
        let expected = if accepted { 1..=1 } else { 0..=1 };
        // A report that has arrived, and whose removal has failed, arrives again: that of any message would.
        let last_of_report = accepted && step + 3 >= all;
        assert!(
            expected.contains(&reports) || last_of_report && reports == 2,
            "step {step} of {all}: {reports} reports"
        );
        assert_eq!(world.queue().stats().messages, 0, "step {step}");
    }
}
