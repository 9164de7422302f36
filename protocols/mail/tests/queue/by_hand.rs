//! What a person does with a queue: look, hold, release, delete, try now, stop.

use std::time::Duration;

use sinew_mail::{
    queue::QueueError,
    smtp::{codec::Reply, server::Outcome},
};

use super::world::{World, envelope};

#[test]
fn messages_are_listed_in_their_order() {
    let world = World::new();
    world.next.kill();
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(world.submit(envelope(&[&format!("bob{number}@example.org")])));
    }
    let queue = world.queue();
    let found = |after, max| -> Vec<_> {
        queue.list(after, max).into_iter().map(|message| message.id).collect()
    };
    assert_eq!(found(None, 2), ids[..2]);
    assert_eq!(found(Some(&ids[1]), 9), ids[2..]);
    let first = queue.message(&ids[0]).unwrap();
    assert_eq!((first.len, first.recipients.len(), first.is_held), (21, 1, false));
    assert!(first.next.is_some() && first.recipients[0].1.status().is_some());
}

#[test]
fn a_message_is_held_over_a_restart_until_it_is_released() {
    let world = World::new();
    world.next.kill();
    let id = world.submit(envelope(&["bob@example.org"]));
    let holding = world.queue().hold(&id);
    world.minutes(1);
    assert!(matches!(holding.take(), Some(Ok(()))));
    world.next.restart();
    world.restart();
    world.minutes(24 * 60);
    assert!(world.received().is_empty() && world.queue().message(&id).unwrap().is_held);
    assert!(!world.queue().retry_now(&id));
    let releasing = world.queue().release(&id);
    world.minutes(1);
    assert!(matches!(releasing.take(), Some(Ok(()))));
    assert_eq!((world.received().len(), world.queue().message(&id).is_none()), (1, true));
    let gone = world.queue().hold(&id);
    assert!(matches!(gone.take(), Some(Err(QueueError::NoMessage(_)))));
}

#[test]
fn a_message_is_tried_now_although_its_host_was_down() {
    let world = World::new();
    world.next.kill();
    let id = world.submit(envelope(&["bob@example.org"]));
    world.submit(envelope(&["carol@example.org"]));
    world.next.restart();
    world.run(Duration::from_secs(5));
    assert!(world.received().is_empty());
    assert!(world.queue().retry_now(&id));
    world.run(Duration::from_secs(5));
    assert_eq!(world.received().len(), 2, "the other goes as soon as the host is known to be up");
}

#[test]
fn a_message_that_is_deleted_in_an_attempt_is_gone() {
    let world = World::new();
    world.notes.borrow_mut().later = vec!["finish"];
    let id = world.submit(envelope(&["bob@example.org"]));
    assert!(world.queue().message(&id).unwrap().is_active);
    let deleting = world.queue().delete(&id);
    world.run(Duration::from_secs(1));
    assert!(matches!(deleting.take(), Some(Ok(()))));
    for finish in world.notes.borrow_mut().open_finish.drain(..) {
        finish.resolve(Outcome::All(Reply::ok()));
    }
    world.run(Duration::from_secs(1));
    assert_eq!((world.queue().stats().messages, world.queue().stats().active), (0, 0));
    assert_eq!(world.files.names_left(), 0);
}

#[test]
fn a_queue_that_stops_lets_attempts_end_for_a_while() {
    for answers in [true, false] {
        let world = World::new();
        world.notes.borrow_mut().later = vec!["finish"];
        let id = world.submit(envelope(&["bob@example.org"]));
        let queue = world.queue();
        let stopping = queue.stop();
        world.run(Duration::from_secs(1));
        assert!(!stopping.is_settled());
        if answers {
            for finish in world.notes.borrow_mut().open_finish.drain(..) {
                finish.resolve(Outcome::All(Reply::ok()));
            }
        }
        world.run(Duration::from_secs(40));
        assert!(matches!(stopping.take(), Some(Ok(()))), "{answers}");
        assert_eq!(queue.message(&id).is_none(), answers);
    }
}

#[test]
fn a_spool_is_opened_once() {
    use sinew_mail::queue::{Agents, Queue, Spool};
    let world = World::new();
    let spool = Spool::on(world.files.clone());
    let second =
        Queue::open(&world.relay.reactor(), spool, super::world::config(), Agents::default());
    world.run(Duration::from_secs(1));
    assert!(matches!(second.take(), Some(Err(QueueError::InUse))));
}
