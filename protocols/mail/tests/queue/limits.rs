//! What is refused.

use sinew_mail::{
    queue::{QueueError, QueuedEnvelope, QueuedRecipient},
    smtp::codec::{Reply, Sender},
};
use sinew_protocols::basic::Word;

use super::world::{World, config, envelope, relay, to};

#[test]
fn limits_have_their_replies() {
    let config = config().messages_max(2).recipients_max(5).bytes_max(2_000).size_max(500);
    let world = World::with(config, relay);
    world.next.kill();
    let submit = |recipients: &[&str], len: usize| {
        let result = world.try_submit(envelope(recipients), &"x".repeat(len));
        result.map_err(|error| Reply::from(error).code())
    };
    assert_eq!(submit(&["a@b.example"], 600), Err(552));
    assert!(submit(&["a@b.example"; 3], 450).is_ok());
    assert_eq!(submit(&["a@b.example"; 3], 1), Err(452), "recipients");
    assert!(submit(&["a@b.example"], 450).is_ok());
    assert_eq!(submit(&["a@b.example"], 1), Err(452), "messages");
    let first = world.queue().list(None, 1)[0].id.clone();
    drop(world.queue().delete(&first));
    world.minutes(1);
    assert!(submit(&["a@b.example"], 1).is_ok(), "there is room again");
    let ids: Vec<_> = world.queue().list(None, 9).into_iter().map(|message| message.id).collect();
    for id in ids {
        world.queue().delete(&id).detach();
    }
    world.minutes(1);
    assert_eq!((world.queue().stats().bytes, world.files.names_left()), (0, 0));
}

#[test]
fn bytes_are_bounded_with_those_that_are_being_received() {
    let world = World::with(config().bytes_max(1_000), relay);
    let mut sinks = Vec::new();
    for _ in 0..3 {
        sinks.push(world.queue().sink(envelope(&["a@b.example"])).unwrap());
    }
    use sinew_mail::smtp::server::MessageSink;
    let refused = |verdict| format!("{verdict:?}").contains("452");
    assert!(!refused(sinks[0].write(&[b'x'; 400])));
    assert!(!refused(sinks[1].write(&[b'x'; 400])));
    assert!(refused(sinks[2].write(&[b'x'; 400])));
    drop(sinks);
    let mut sink = world.queue().sink(envelope(&["a@b.example"])).unwrap();
    assert!(!refused(sink.write(&[b'x'; 900])), "what was dropped does not count");
}

#[test]
fn what_is_wrong_with_an_envelope_is_said() {
    let world = World::new();
    let sender = || Sender::new(Some("ann@example.net".parse().unwrap()));
    let none = world.try_submit(QueuedEnvelope::new(sender()), "x");
    assert!(matches!(none, Err(QueueError::NoRecipient)));
    let unknown = QueuedRecipient::new(to("bob@example.org"), Word::from_static("pigeon"));
    let unknown = world.try_submit(QueuedEnvelope::new(sender()).with(unknown), "x");
    assert!(matches!(unknown, Err(QueueError::NoAgent(name)) if name == "pigeon"));
    let odd = QueuedEnvelope::new(sender().with_envelope_id("a\r\nb"))
        .with(QueuedRecipient::remote(to("bob@example.org")));
    assert!(matches!(world.try_submit(odd, "x"), Err(QueueError::Envelope)));
    assert_eq!(world.files.names_left(), 0);
    let stopping = world.queue().stop();
    world.minutes(1);
    assert!(matches!(stopping.take(), Some(Ok(()))));
    assert!(matches!(world.try_submit(envelope(&["a@b.example"]), "x"), Err(QueueError::Stopped)));
}
