//! CONDSTORE and QRESYNC (RFC 7162).

use super::support::World;

/// The number of the last change that a client was told.
fn highest(world: &World) -> u64 {
    let status = world.client().say("a STATUS INBOX (HIGHESTMODSEQ)\r\n");
    let number = status.split("HIGHESTMODSEQ ").nth(1).and_then(|rest| rest.split(')').next());
    number.and_then(|number| number.parse().ok()).expect("a number")
}

fn validity(world: &World) -> u64 {
    let status = world.client().say("a STATUS INBOX (UIDVALIDITY)\r\n");
    let number = status.split("UIDVALIDITY ").nth(1).and_then(|rest| rest.split(')').next());
    number.and_then(|number| number.parse().ok()).expect("a number")
}

#[test]
fn only_what_has_changed_is_fetched() {
    let world = World::with_messages(3);
    let client = world.selected();
    let before = highest(&world);
    client.dialogue(&format!(
        r"
        C: a STORE 2 (UNCHANGEDSINCE {before}) +FLAGS (\Flagged)
        S: * 2 FETCH (MODSEQ ({after}) FLAGS (\Recent \Flagged))
        S: a OK Done
        C: b FETCH 1:3 (FLAGS) (CHANGEDSINCE {before})
        S: * 2 FETCH (FLAGS (\Recent \Flagged) MODSEQ ({after}))
        S: b OK Done
        C: c STORE 1:3 (UNCHANGEDSINCE {before}) +FLAGS.SILENT (\Seen)
        S: * 1 FETCH (MODSEQ ({last}))
        S: * 3 FETCH (MODSEQ ({last}))
        S: c OK [MODIFIED 2] Some had changed
        C: d SEARCH MODSEQ {last}
        S: * SEARCH 1 3 (MODSEQ {last})
        S: d OK Done
        C: e UID STORE 2 (UNCHANGEDSINCE 0) FLAGS ()
        S: e OK [MODIFIED 2] Some had changed
        ",
        after = before + 1,
        last = before + 2,
    ));
}

#[test]
fn a_quick_resynchronization() {
    let world = World::with_messages(5);
    let (before, validity) = (highest(&world), validity(&world));
    let other = world.selected();
    other.dialogue(
        r"
        C: a STORE 2,4 +FLAGS.SILENT (\Deleted)
        S: a OK Done
        C: b EXPUNGE
        S: * 2 EXPUNGE
        S: * 3 EXPUNGE
        S: b OK Done
        C: c STORE 3 +FLAGS.SILENT (\Seen)
        S: c OK Done
        ",
    );
    let after = highest(&world);
    let client = world.client();
    client.dialogue(&format!(
        "C: a SELECT INBOX (QRESYNC ({validity} {before}))\nS: a BAD Enable QRESYNC first"
    ));
    client.dialogue("C: b ENABLE QRESYNC\nS: * ENABLED QRESYNC\nS: b OK Done");
    let answer = client.say(format!("c SELECT INBOX (QRESYNC ({validity} {before} 1:4))\r\n"));
    assert!(
        answer.ends_with("* VANISHED (EARLIER) 2,4\r\nc OK [READ-WRITE] Selected\r\n"),
        "{answer}"
    );
    let answer = client.say(format!("d SELECT INBOX (QRESYNC ({validity} {before}))\r\n"));
    assert!(answer.starts_with("* OK [CLOSED] Closed\r\n"), "{answer}");
    let end = format!(
        "* VANISHED (EARLIER) 2,4\r\n* 3 FETCH (UID 5 MODSEQ ({after}) FLAGS (\\Seen))\r\nd OK [READ-WRITE] Selected\r\n"
    );
    assert!(answer.ends_with(&end), "{answer}");
    // Another mailbox, as the validity says: nothing is told.
    let answer = client.say(format!("e SELECT INBOX (QRESYNC ({} {before}))\r\n", validity + 1));
    assert!(!answer.contains("VANISHED") && !answer.contains("FETCH"), "{answer}");
    // From now on, VANISHED in place of EXPUNGE.
    client.dialogue(&format!(
        r"
        C: f STORE 1 +FLAGS.SILENT (\Deleted)
        S: * 1 FETCH (UID 1 MODSEQ ({}))
        S: f OK Done
        C: g EXPUNGE
        S: * VANISHED 1
        S: g OK [HIGHESTMODSEQ {}] Done
        C: h UID FETCH 1:5 (FLAGS) (CHANGEDSINCE {before} VANISHED)
        S: * VANISHED (EARLIER) 1:2,4
        S: * 2 FETCH (UID 5 FLAGS (\Seen) MODSEQ ({after}))
        S: h OK Done
        ",
        after + 1,
        after + 2,
    ));
}

/// The number that CLOSE tells is one up to which the client knows all.
#[test]
fn close_tells_no_number_beyond_what_was_told() {
    let world = World::with_messages(3);
    let (ann, eve) = (world.client(), world.selected());
    ann.say("a ENABLE QRESYNC\r\nb SELECT INBOX\r\nc STORE 1 +FLAGS.SILENT (\\Deleted)\r\n");
    let told = highest(&world);
    eve.say("a STORE 2 +FLAGS (\\Flagged)\r\n");
    ann.dialogue(&format!("C: d CLOSE\nS: d OK [HIGHESTMODSEQ {told}] Done"));
    let answer = ann.say(format!("e SELECT INBOX (QRESYNC ({} {told}))\r\n", validity(&world)));
    assert!(answer.contains("* VANISHED (EARLIER) 1\r\n* 1 FETCH (UID 2 MODSEQ ("), "{answer}");
}

/// A silent STORE does not hide what another client has changed of the same message.
#[test]
fn silence_is_about_own_changes() {
    let world = World::with_messages(1);
    let (ann, eve) = (world.selected(), world.selected());
    eve.say("a STORE 1 +FLAGS (\\Flagged)\r\n");
    ann.dialogue(
        r"
        C: a STORE 1 +FLAGS.SILENT (\Seen)
        S: * 1 FETCH (FLAGS (\Recent \Flagged))
        S: a OK Done
        C: b NOOP
        S: b OK Done
        ",
    );
}

/// A message that has a number still goes once, with the response that changes the numbers.
#[test]
fn what_has_a_number_did_not_vanish_earlier() {
    let world = World::with_messages(3);
    let before = highest(&world);
    let (ann, eve) = (world.client(), world.selected());
    ann.say("a ENABLE QRESYNC\r\nb SELECT INBOX\r\n");
    eve.say("a STORE 2 +FLAGS.SILENT (\\Deleted)\r\nb EXPUNGE\r\n");
    ann.dialogue(&format!(
        r"
        C: c UID FETCH 1:3 (UID) (CHANGEDSINCE {before} VANISHED)
        S: * VANISHED 2
        S: c OK Done
        "
    ));
}

/// RFC 7162 3.2: flags that change are told with their number, also by reading.
#[test]
fn reading_tells_the_number_of_the_change() {
    let world = World::with_messages(2);
    let client = world.selected();
    let before = highest(&world);
    client.dialogue(&format!(
        r"
        C: a FETCH 2 (MODSEQ)
        S: * 2 FETCH (MODSEQ ({before}))
        S: a OK Done
        C: b FETCH 1 BODY[HEADER.FIELDS (X)]
        S: * 1 FETCH (FLAGS (\Recent \Seen) MODSEQ ({}) BODY[HEADER.FIELDS (X)] {{2}}
        S:
        S: )
        S: b OK Done
        ",
        before + 1,
    ));
}
