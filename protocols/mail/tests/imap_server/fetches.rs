//! FETCH and STORE: items, sections, flags.

use super::support::{MIXED, World};

#[test]
fn fetch_items_without_parentheses() {
    let world = World::with_messages(2);
    let client = world.selected();
    client.dialogue(
        r"
        C: a FETCH 1 RFC822.SIZE
        S: * 1 FETCH (RFC822.SIZE 22)
        S: a OK Done
        C: b FETCH 1 UID RFC822.SIZE
        S: b BAD…
        C: c FETCH 1:2 (UID)
        S: * 1 FETCH (UID 1)
        S: * 2 FETCH (UID 2)
        S: c OK Done
        C: d UID FETCH 2:* RFC822.SIZE
        S: * 2 FETCH (UID 2 RFC822.SIZE 22)
        S: d OK Done
        C: e UID FETCH 7:* RFC822.SIZE
        S: * 2 FETCH (UID 2 RFC822.SIZE 22)
        S: e OK Done
        C: f UID FETCH 7:9 RFC822.SIZE
        S: f OK Done
        C: g FETCH 3 UID
        S: g BAD There is no message with this number
        C: h FETCH 0 UID
        S: h BAD…
        ",
    );
}

#[test]
fn sections_and_structures() {
    let world = World::new();
    world.deliver("INBOX", MIXED);
    let client = world.selected();
    client.dialogue(
        r#"
        C: a FETCH 1 ENVELOPE
        S: * 1 FETCH (ENVELOPE ("Wed, 17 Jul 1996 02:23:25 -0700" "=?utf-8?q?Gr=C3=BC=C3=9Fe?=" (("Ann" NIL "ann" "example.org")) (("Ann" NIL "ann" "example.org")) (("Ann" NIL "ann" "example.org")) ((NIL NIL "bob" "example.net")) NIL NIL NIL "<1@example.org>"))
        S: a OK Done
        C: b FETCH 1 BODY
        S: * 1 FETCH (BODY (("text" "plain" ("charset" "utf-8") NIL NIL "quoted-printable" 30 1)("image" "png" NIL NIL NIL "base64" 12) "mixed"))
        S: b OK Done
        C: c FETCH 1 BODY.PEEK[1]
        S: * 1 FETCH (BODY[1] {30}
        S: Sch=C3=B6ne Gr=
        S: =C3=BC=C3=9Fe)
        S: c OK Done
        C: d FETCH 1 (BODY.PEEK[2.MIME] BODY.PEEK[HEADER.FIELDS (SUBJECT X)] BODY.PEEK[9] BODY.PEEK[2]<4.3>)
        S: * 1 FETCH (BODY[2.MIME] {62}
        S: Content-Type: image/png
        S: Content-Transfer-Encoding: base64
        S:
        S:  BODY[HEADER.FIELDS (SUBJECT X)] {40}
        S: Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=
        S:
        S:  BODY[9] NIL BODY[2]<4> {3}
        S: Rw0)
        S: d OK Done
        C: e FETCH 1 FLAGS
        S: * 1 FETCH (FLAGS (\Recent))
        S: e OK Done
        C: f FETCH 1 BODY[TEXT]<0.3>
        S: * 1 FETCH (FLAGS (\Recent \Seen) BODY[TEXT]<0> {3}
        S: --x)
        S: f OK Done
        C: g FETCH 1 (FLAGS RFC822.HEADER)
        S: * 1 FETCH (FLAGS (\Recent \Seen) RFC822.HEADER {…
        S: From: Ann <ann@example.org>
        S: To: bob@example.net
        S: Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=
        S: Date: Wed, 17 Jul 1996 02:23:25 -0700
        S: Message-ID: <1@example.org>
        S: MIME-Version: 1.0
        S: Content-Type: multipart/mixed; boundary=x
        S:
        S: )
        S: g OK Done
        C: h FETCH 1 BINARY[1]
        S: h BAD BINARY is not offered
        "#,
    );
    let whole = client.say("i FETCH 1 BODY[]\r\n");
    assert_eq!(
        whole,
        format!("* 1 FETCH (BODY[] {{{}}}\r\n{MIXED})\r\ni OK Done\r\n", MIXED.len())
    );
}

#[test]
fn a_message_of_many_pieces_is_whole() {
    let world = World::new();
    let text: String = (0..40_000).map(|number| format!("line {number}\r\n")).collect();
    let message = format!("Subject: long\r\n\r\n{text}");
    world.deliver("INBOX", &message);
    let client = world.selected();
    let answer = client.say("a FETCH 1 (BODY.PEEK[] BODYSTRUCTURE)\r\n");
    let head = format!("* 1 FETCH (BODY[] {{{}}}\r\n", message.len());
    assert!(answer.strip_prefix(&head).is_some_and(|rest| rest.starts_with(&message)));
    assert!(answer.contains(&format!("\"7bit\" {} 40000 NIL", text.len())));
}

/// A part in pieces, as programs on slow lines read it; another command in between.
#[test]
fn parts_in_pieces() {
    let world = World::new();
    world.deliver("INBOX", MIXED);
    world.deliver("INBOX", "Subject: x\r\n\r\nother\r\n");
    let client = world.selected();
    client.dialogue(
        r"
        C: a FETCH 1 BODY.PEEK[2]<0.4>
        S: * 1 FETCH (BODY[2]<0> {4}
        S: iVBO)
        S: a OK Done
        C: b FETCH 1 BODY.PEEK[2]<4.4>
        S: * 1 FETCH (BODY[2]<4> {4}
        S: Rw0K)
        S: b OK Done
        C: c FETCH 2 BODY.PEEK[1]<0.4>
        S: * 2 FETCH (BODY[1]<0> {4}
        S: othe)
        S: c OK Done
        C: d NOOP
        S: d OK Done
        C: e FETCH 1 BODY.PEEK[2]<8.9>
        S: * 1 FETCH (BODY[2]<8> {4}
        S: Ggo=)
        S: e OK Done
        ",
    );
}

/// A literal has no NUL, and its length stays.
#[test]
fn nul_in_a_message() {
    let world = World::new();
    world.deliver("INBOX", "Subject: a\0b\r\n\r\nx\0y\r\n");
    let client = world.selected();
    client.wire.receive_if_open(b"a FETCH 1 (BODY.PEEK[TEXT] ENVELOPE)\r\n");
    let answer = client.received();
    assert!(
        !answer.contains(char::from(0)) && answer.starts_with("* 1 FETCH (BODY[TEXT] {5}\r\nx"),
        "{answer}"
    );
}

#[test]
fn flags_are_stored() {
    let world = World::with_messages(2);
    let client = world.selected();
    client.dialogue(
        r"
        C: a STORE 1:2 FLAGS (\Answered $Forwarded)
        S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft $Forwarded)
        S: * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft $Forwarded \*)] These stay
        S: * 1 FETCH (FLAGS (\Recent \Answered $Forwarded))
        S: * 2 FETCH (FLAGS (\Recent \Answered $Forwarded))
        S: a OK Done
        C: b UID STORE 2 -FLAGS.SILENT \Answered
        S: b OK Done
        C: c UID STORE 2 -FLAGS $Forwarded
        S: * 2 FETCH (UID 2 FLAGS (\Recent))
        S: c OK Done
        C: d STORE 1 +FLAGS (\Recent \Unknown)
        S: * 1 FETCH (FLAGS (\Recent \Answered $Forwarded))
        S: d OK Done
        ",
    );
}
