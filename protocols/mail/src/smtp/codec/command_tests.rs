//! Commands: what is read, what is written, and what is refused.

use proptest::prelude::*;

use super::*;
use crate::smtp::codec::{Body, Notify, Return};

fn word(text: &str) -> Word {
    Word::try_from(text).unwrap()
}

#[test]
fn commands_are_read_and_written_alike() {
    let ann: Address = "ann@example.org".parse().unwrap();
    let sender = Sender::new(Some(ann.clone()));
    let everything = sender.clone().with_size(7).with_body(Body::EightBitMime).with_utf8();
    let everything = everything.with_return(Return::Headers).with_envelope_id("a+b");
    let recipient = Recipient::new(ann).with_notify(Notify::SUCCESS.and(Notify::DELAY));
    let recipient = recipient.with_original(word("rfc822"), "bob@example.org");
    for (line, command) in [
        ("HELO a", Command::Helo(word("a"))),
        ("EHLO [192.0.2.1]", Command::Ehlo(word("[192.0.2.1]"))),
        ("LHLO a", Command::Lhlo(word("a"))),
        ("MAIL FROM:<>", Command::Mail(Sender::new(None))),
        ("MAIL FROM:<ann@example.org>", Command::Mail(sender)),
        (
            "MAIL FROM:<ann@example.org> SIZE=7 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=a+2Bb",
            Command::Mail(everything),
        ),
        (
            "RCPT TO:<ann@example.org> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;bob@example.org",
            Command::Rcpt(recipient),
        ),
        ("RCPT TO:<postmaster>", Command::Rcpt(Recipient::new("postmaster".parse().unwrap()))),
        ("DATA", Command::Data),
        ("BDAT 0", Command::Bdat { len: 0, is_last: false }),
        ("BDAT 86 LAST", Command::Bdat { len: 86, is_last: true }),
        ("RSET", Command::Rset),
        ("NOOP", Command::Noop),
        ("QUIT", Command::Quit),
        ("HELP", Command::Help),
        ("VRFY ann lee", Command::Vrfy(Text::from_static("ann lee"))),
        ("EXPN all", Command::Expn(Text::from_static("all"))),
        ("STARTTLS", Command::StartTls),
        ("AUTH PLAIN", Command::Auth { mechanism: word("PLAIN"), initial: None }),
        ("AUTH PLAIN =", Command::Auth { mechanism: word("PLAIN"), initial: Some(word("=")) }),
    ] {
        assert_eq!(Command::parse(line.as_bytes()), Ok(command.clone()), "{line}");
        assert_eq!(command.to_string(), line);
    }
}

#[test]
fn what_clients_are_known_to_write_is_read() {
    let ann = || Some("ann@example.org".parse().unwrap());
    for line in [
        "mail from:<ann@example.org>",
        "MAIL FROM: <ann@example.org>",
        "MAIL FROM:<ann@example.org>  ",
        "MAIL FROM:<@a.example,@b.example:ann@example.org>",
        "MAIL FROM:<ann@example.org> BODY=7bit",
    ] {
        assert_eq!(
            Command::parse(line.as_bytes()),
            Ok(Command::Mail(Sender::new(ann()))),
            "{line}"
        );
    }
    assert_eq!(Command::parse(b"NOOP anything at all"), Ok(Command::Noop));
    let quoted = Command::parse(b"RCPT TO:<\"a> b\\\"\"@example.org>");
    let address = "\"a> b\\\"\"@example.org".parse().unwrap();
    assert_eq!(quoted, Ok(Command::Rcpt(Recipient::new(address))));
}

#[test]
fn other_lines_are_refused() {
    for (line, code) in [
        (&b""[..], 500),
        (b"HALLO", 500),
        (b"MAILFROM:<a@b.c>", 500),
        (b"EHLO", 501),
        (b"EHLO two words", 501),
        (b"EHLO a\0b", 500),
        (b"EHLO a\x1bb", 500),
        (b"EHLO \xff", 500),
        (b"MAIL", 501),
        (b"MAIL FROM:ann@example.org", 501),
        (b"MAIL FROM:<ann@example.org", 501),
        (b"MAIL FROM:<ann@example.org>SIZE=1", 501),
        (b"MAIL TO:<ann@example.org>", 501),
        (b"MAIL FROM:<postmaster>", 501),
        (b"MAIL FROM:<ann>", 501),
        (b"MAIL FROM:<@a.example>", 501),
        (b"MAIL FROM:<ann@example.org> SIZE", 501),
        (b"MAIL FROM:<ann@example.org> SIZE=", 501),
        (b"MAIL FROM:<ann@example.org> SIZE=-1", 501),
        (b"MAIL FROM:<ann@example.org> SIZE=1 SIZE=2", 501),
        (b"MAIL FROM:<ann@example.org> BODY=BINARYMIME", 501),
        (b"MAIL FROM:<ann@example.org> SMTPUTF8=1", 501),
        (b"MAIL FROM:<ann@example.org> RET=ALL", 501),
        (b"MAIL FROM:<ann@example.org> ENVID=a=b", 501),
        (b"MAIL FROM:<ann@example.org> ENVID=a+0D+0ARSET", 501),
        (b"MAIL FROM:<ann@example.org> AUTH=a+0Ab@example.org", 501),
        (b"MAIL FROM:<ann@example.org> AUTH=two+20words@example.org", 501),
        (b"MAIL FROM:<ann@example.org> AUTH=", 501),
        (b"MAIL FROM:<ann@example.org> XYZ", 555),
        (b"RCPT TO:<>", 501),
        (b"RCPT TO:<ann@example.org> NOTIFY=NEVER,SUCCESS", 501),
        (b"RCPT TO:<ann@example.org> NOTIFY=", 501),
        (b"RCPT TO:<ann@example.org> ORCPT=ann", 501),
        (b"RCPT TO:<ann@example.org> ORCPT=rfc822;ann+0D+0A", 501),
        (b"RCPT TO:<ann@example.org> SIZE=1", 555),
        (b"DATA now", 501),
        (b"BDAT", 501),
        (b"BDAT +1", 501),
        (b"BDAT 1 LAST 1", 501),
        (b"BDAT 99999999999999999999", 501),
        (b"STARTTLS now", 501),
        (b"AUTH", 501),
        (b"AUTH PLAIN a b", 501),
        (b"VRFY", 501),
    ] {
        let error = Command::parse(line).expect_err(&line.escape_ascii().to_string());
        assert_eq!(error.reply().code(), code, "{}: {error}", line.escape_ascii());
    }
    let huge = Command::parse(b"MAIL FROM:<a@b.c> SIZE=99999999999999999999").unwrap();
    assert!(matches!(huge, Command::Mail(sender) if sender.size() == Some(u64::MAX)));
}

#[test]
fn who_has_submitted_a_message() {
    for (xtext, by) in [("<>", "<>"), ("ann+2Blist@example.org", "ann+list@example.org")] {
        let mail = Command::parse(format!("MAIL FROM:<> AUTH={xtext}").as_bytes()).unwrap();
        let Command::Mail(sender) = mail else { panic!("{mail}") };
        assert_eq!(sender.authenticated_as(), Some(by));
    }
}

proptest! {
    /// Whatever is read is one line when it is written, and is read as the same.
    #[test]
    fn what_is_read_can_be_written(line in "(MAIL FROM:|RCPT TO:|EHLO |VRFY |AUTH |BDAT )?[ -~äß\r\n\t]{0,40}") {
        if let Ok(command) = Command::parse(line.as_bytes()) {
            let written = command.to_string();
            prop_assert!(!written.contains(['\r', '\n', '\0']));
            prop_assert_eq!(Command::parse(written.as_bytes()), Ok(command));
        }
    }

    #[test]
    fn no_bytes_make_it_panic(line: Vec<u8>) {
        let _ = Command::parse(&line).map_err(|error| error.reply());
    }
}
