//! SEARCH by what the mailbox knows.

use sinew_mail::store::{Flags, SystemFlag};

use super::support::World;

#[test]
fn keys_and_what_they_find() {
    let world = World::with_messages(2);
    world.deliver_with(
        "INBOX",
        "Subject: a\r\nDate: 1 Feb 2020 10:00 +0000\r\n\r\nlonger text\r\n",
        Flags::from(SystemFlag::Seen),
    );
    world.deliver_with(
        "INBOX",
        "",
        Flags::from(SystemFlag::Flagged).with_keyword("$Junk".parse().unwrap()),
    );
    let client = world.selected();
    let cases = [
        ("ALL", "1 2 3 4"),
        ("2:3", "2 3"),
        ("4:9", "4"),
        ("UID 1,3", "1 3"),
        ("UID 3:*", "3 4"),
        ("SEEN", "3"),
        ("UNSEEN NOT FLAGGED", "1 2"),
        ("OR SEEN FLAGGED", "3 4"),
        ("(SEEN FLAGGED)", ""),
        ("NOT (1 2)", "1 2 3 4"),
        ("KEYWORD $junk", "4"),
        ("UNKEYWORD $Junk", "1 2 3"),
        ("KEYWORD Unknown", ""),
        ("LARGER 22", "3"),
        ("SMALLER 22", "4"),
        ("NEW", "1 2 4"),
        ("OLD", ""),
        ("SINCE 1-Jan-1970", "1 2 3 4"),
        ("SENTON 1-Feb-2020", "3"),
        ("SENTBEFORE 1-Feb-2020", ""),
        ("SENTSINCE 31-Jan-2020", "3"),
        ("YOUNGER 100", "1 2 3 4"),
        ("OLDER 100", ""),
        ("UNDELETED UNANSWERED UNDRAFT UNFLAGGED RECENT", "1 2 3"),
    ];
    for (key, found) in cases {
        let space = if found.is_empty() { "" } else { " " };
        assert_eq!(
            client.say(format!("a SEARCH {key}\r\n")),
            format!("* SEARCH{space}{found}\r\na OK Done\r\n"),
            "{key}"
        );
    }
}

#[test]
fn extended_results() {
    let world = World::with_messages(5);
    let client = world.selected();
    client.dialogue(
        r#"
        C: a SEARCH RETURN (MIN MAX COUNT) 2:4
        S: * ESEARCH (TAG "a") MIN 2 MAX 4 COUNT 3
        S: a OK Done
        C: b UID SEARCH RETURN () 1,3:5
        S: * ESEARCH (TAG "b") UID ALL 1,3:5
        S: b OK Done
        C: c SEARCH RETURN (ALL) SEEN
        S: * ESEARCH (TAG "c")
        S: c OK Done
        C: d SEARCH CHARSET X-NONE ALL
        S: d NO [BADCHARSET (UTF-8 US-ASCII ISO-8859-1)] This charset is not known
        "#,
    );
}

/// Each set is kept as it was sent, however many messages it means.
#[test]
fn many_sets_in_a_mailbox_with_gaps() {
    let world = World::with_messages(9);
    let client = world.selected();
    client.say("a STORE 2,4,6,8 +FLAGS.SILENT (\\Deleted)\r\nb EXPUNGE\r\n");
    let all = "1:* UID 1:* NOT 3,9,1,3:2 ".repeat(1_000);
    assert_eq!(client.say(format!("c SEARCH {all}ALL\r\n")), "* SEARCH 4 5\r\nc OK Done\r\n");
    assert_eq!(client.say("d SEARCH UID 2:5,9:*,12\r\n"), "* SEARCH 2 3 5\r\nd OK Done\r\n");
    assert_eq!(client.say("e SEARCH *\r\n"), "* SEARCH 5\r\ne OK Done\r\n");
}

/// RFC 3501 6.4.4: bytes that are no text of the charset are an error of the client, and not a search that finds nothing.
#[test]
fn a_text_that_is_not_of_its_charset() {
    let world = World::with_messages(1);
    let client = world.selected();
    for (charset, text, answer) in [
        ("CHARSET UTF-8 ", &b"gr\xc3\xbcn"[..], "a OK"),
        ("CHARSET UTF-8 ", b"gr\xfcn", "a BAD A text is not of the charset\r\n"),
        ("", b"gr\xfcn", "a BAD A text is not of the charset\r\n"),
        ("CHARSET US-ASCII ", b"gr\xfcn", "a BAD A text is not of the charset\r\n"),
        ("CHARSET ISO-8859-1 ", b"gr\xfcn", "a OK"),
        ("CHARSET Shift_JIS ", b"\x81", "a BAD A text is not of the charset\r\n"),
    ] {
        for key in ["SUBJECT", "BODY", "NOT OR SEEN TEXT", "HEADER X-A"] {
            let mut command =
                format!("a SEARCH {charset}{key} {{{}+}}\r\n", text.len()).into_bytes();
            command.extend_from_slice(text);
            command.extend_from_slice(b"\r\n");
            let said = client.say(&command);
            let last = said.lines().last().unwrap_or_default().to_owned() + "\r\n";
            assert!(last.starts_with(answer), "{charset}{key} {text:?}: {said}");
        }
    }
}
