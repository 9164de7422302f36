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
