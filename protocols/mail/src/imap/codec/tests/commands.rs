//! Commands: what is read is written again, in one form; what is refused.

use super::super::{
    AppendCommand, Command, CommandBody, Content, Dialect, EncodeError, Literals, Message, Pause,
    SEARCH_DEPTH_MAX, SearchCommand, SearchKey,
};

fn parse(text: &str) -> Result<Command, String> {
    Command::parse(&Message::new(text), Dialect::default()).map_err(|error| error.to_string())
}

fn sent(command: &Command, dialect: Dialect) -> String {
    let encoded = command.encode(dialect).unwrap();
    String::from_utf8(encoded.into_bytes()).unwrap().strip_suffix("\r\n").unwrap().to_owned()
}

/// Commands with the form in which they are written, if it is another one.
#[test]
fn commands_are_read_and_written() {
    for (text, written) in [
        ("a CAPABILITY", ""),
        ("a noop", "a NOOP"),
        ("a LOGOUT", ""),
        ("a STARTTLS", ""),
        ("a AUTHENTICATE PLAIN", ""),
        ("a AUTHENTICATE PLAIN AGFubgBzZWNyZXQ=", ""),
        ("a AUTHENTICATE EXTERNAL =", ""),
        ("a LOGIN ann secret", ""),
        ("a LOGIN \"ann\" \"s \\\"e\\\\t\"", "a LOGIN ann \"s \\\"e\\\\t\""),
        ("a LOGIN {3}\r\nann \"\"", "a LOGIN ann \"\""),
        ("a LOGIN nil NIL", "a LOGIN \"nil\" \"NIL\""),
        ("a ENABLE CONDSTORE QRESYNC", ""),
        ("a ID NIL", ""),
        ("a ID (\"name\" \"x\" \"version\" NIL)", ""),
        ("a ID ()", ""),
        ("a NAMESPACE", ""),
        ("a SELECT inbox", "a SELECT INBOX"),
        ("a SELECT \"two words\" (CONDSTORE)", ""),
        ("a SELECT x (QRESYNC (67890007 20050715194045000 41,43:211,214:541))", ""),
        ("a SELECT x (CONDSTORE QRESYNC (1 2 1:9 (1,2 3,4)))", ""),
        ("a SELECT x (QRESYNC (1 2 (1,2 3,4)))", ""),
        ("a EXAMINE &AOQ-", ""),
        ("a CREATE x/", ""),
        ("a CREATE x (USE (\\Drafts \\Sent))", ""),
        ("a DELETE x", ""),
        ("a RENAME x y", ""),
        ("a SUBSCRIBE x]", ""),
        ("a UNSUBSCRIBE x", ""),
        ("a LIST \"\" *", ""),
        ("a LIST \"\" \"%\"", "a LIST \"\" %"),
        (
            "a LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (a b%) RETURN (CHILDREN STATUS (MESSAGES UNSEEN))",
            "",
        ),
        (
            "a LIST (SPECIAL-USE) \"\" * RETURN (SUBSCRIBED SPECIAL-USE)",
            "a LIST (SPECIAL-USE) \"\" (*) RETURN (SUBSCRIBED SPECIAL-USE)",
        ),
        ("a LSUB \"\" *", ""),
        ("a STATUS x (MESSAGES SIZE HIGHESTMODSEQ)", ""),
        ("a IDLE", ""),
        ("a CHECK", ""),
        ("a CLOSE", ""),
        ("a UNSELECT", ""),
        ("a EXPUNGE", ""),
        ("a UID EXPUNGE 3:7", ""),
        ("a uid fetch 1:* (flags uid)", "a UID FETCH 1:* (FLAGS UID)"),
        ("a FETCH 1 ALL", "a FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)"),
        ("a FETCH 1 FAST", "a FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE)"),
        ("a FETCH 1 full", "a FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY)"),
        (
            "a FETCH 1 (BODYSTRUCTURE BODY[] BODY.PEEK[1.2.MIME]<0.100> RFC822 RFC822.HEADER RFC822.TEXT)",
            "",
        ),
        ("a FETCH 1 BODY[HEADER.FIELDS (from to)]", ""),
        ("a FETCH 1 BODY.PEEK[3.HEADER.FIELDS.NOT (\"x y\")]", ""),
        ("a FETCH 1 (BINARY.PEEK[1]<5.6> BINARY[] BINARY.SIZE[2.3])", ""),
        ("a FETCH 1 FLAGS (CHANGEDSINCE 12345)", ""),
        ("a UID FETCH 1 FLAGS (CHANGEDSINCE 12345 VANISHED)", ""),
        ("a STORE 1 +FLAGS (\\Deleted $Junk)", ""),
        ("a STORE 1 -flags.silent \\seen", "a STORE 1 -FLAGS.SILENT (\\Seen)"),
        ("a UID STORE 1:3 (UNCHANGEDSINCE 7) FLAGS ()", ""),
        ("a COPY 1 x", ""),
        ("a UID MOVE 1,3 \"a b\"", ""),
        ("a COMPRESS DEFLATE", ""),
        ("a SEARCH ALL", ""),
        ("a SEARCH RETURN (MIN COUNT) CHARSET UTF-8 UNSEEN", ""),
        ("a UID SEARCH RETURN () NOT 1:5 OR FROM ann (TO bob SUBJECT \"x y\")", ""),
        ("a SEARCH (ALL)", "a SEARCH ALL"),
        ("a SEARCH ((SEEN DRAFT))", "a SEARCH SEEN DRAFT"),
        ("a SEARCH (SEEN DRAFT) NOT (ALL OLD)", ""),
        (
            "a SEARCH SINCE 1-Feb-2024 BEFORE \"3-Mar-2024\"",
            "a SEARCH SINCE 1-Feb-2024 BEFORE 3-Mar-2024",
        ),
        ("a SEARCH KEYWORD don't", ""),
        (
            "a SEARCH KEYWORD x UNKEYWORD y LARGER 5 SMALLER 6 UID 7 YOUNGER 8 OLDER 9 HEADER x \"\"",
            "",
        ),
        ("a SEARCH MODSEQ 5 MODSEQ \"/flags/\\\\draft\" all 620162338", ""),
    ] {
        let command = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let written = if written.is_empty() { text } else { written };
        let dialect = Dialect::default().literals(Literals::Plus);
        assert_eq!(sent(&command, dialect), written);
        assert_eq!(parse(written), Ok(command), "{written}");
    }
}

#[test]
fn other_lines_are_refused() {
    for text in [
        "",
        "a",
        "a ",
        "+ NOOP",
        "a+ NOOP",
        " a NOOP",
        "a  NOOP",
        "a NOOP ",
        "a NOOP x",
        "a UID",
        "a UID NOOP",
        "a UID EXPUNGE",
        "a XYZ",
        "a LOGIN ann",
        "a LOGIN ann secret more",
        "a LOGIN \"ann",
        "a LOGIN \"a\\nb\" x",
        "a LOGIN {3}\r\nan",
        "a LOGIN ~{3}\r\nann secret",
        "a SELECT",
        "a SELECT \"\"",
        "a SELECT x ()y",
        "a SELECT x (QRESYNC (0 1))",
        "a SELECT &",
        "a SELECT a*",
        "a FETCH 0 FLAGS",
        "a FETCH 1: FLAGS",
        "a FETCH 1 ()",
        "a FETCH 1 FLAGS UID",
        "a FETCH 1 BODY[MIME]",
        "a FETCH 1 BODY[0]",
        "a FETCH 1 BODY[1",
        "a FETCH 1 BODY[]<1.0>",
        "a FETCH 1 BODY[HEADER.FIELDS ()]",
        "a FETCH 1 FLAGS (CHANGEDSINCE 5 VANISHED)",
        "a FETCH 4294967296 FLAGS",
        "a STORE 1 FLAGS",
        "a SEARCH",
        "a SEARCH ()",
        "a SEARCH OR ALL",
        "a SEARCH SINCE 31-Feb-2024",
        "a LIST (RECURSIVEMATCH) \"\" *",
        "a LIST \"\" ()",
        "a STATUS x ()",
        "a AUTHENTICATE PLAIN ",
        "a ENABLE",
        "a APPEND x \"1-Jan-2024\" {1}\r\nx",
    ] {
        assert!(parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn fetch_items_without_parentheses() {
    assert!(parse("a FETCH 1 FLAGS UID").is_err());
    let command = parse("a FETCH 1 (FLAGS UID)").unwrap();
    assert_eq!(sent(&command, Dialect::default()), "a FETCH 1 (FLAGS UID)");
}

#[test]
fn search_nested_10000() {
    for text in [
        format!("a SEARCH {}ALL", "NOT ".repeat(10_000)),
        format!("a SEARCH {}ALL{}", "(".repeat(10_000), ")".repeat(10_000)),
        format!("a SEARCH {}{}", "OR ".repeat(10_000), "ALL ".repeat(10_001).trim_end()),
        format!("a SEARCH {}ALL", "OR ALL ".repeat(10_000)),
    ] {
        assert!(parse(&text).unwrap_err().contains("fewer nested search keys"));
    }
    let deepest = SEARCH_DEPTH_MAX - 1;
    assert!(parse(&format!("a SEARCH {}ALL", "NOT ".repeat(deepest))).is_ok());
    assert!(parse(&format!("a SEARCH {}ALL", "NOT ".repeat(deepest + 1))).is_err());
    // Nor is it sent.
    let key = (0..10_000).fold(SearchKey::All, |key, _| key.negated());
    let command = Command::new("a".parse().unwrap(), CommandBody::Search(SearchCommand::new(key)));
    let error = EncodeError::TooDeep { max: SEARCH_DEPTH_MAX };
    assert_eq!(command.encode(Dialect::default()), Err(error));
}

#[test]
fn values_cannot_break_out() {
    let evil = "x\r\nb DELETE INBOX\r\n";
    let login = |user: &str| CommandBody::Login {
        user: user.try_into().unwrap(),
        password: "\"".try_into().unwrap(),
    };
    let command = Command::new("a".parse().unwrap(), login(evil));
    let encoded = command.encode(Dialect::default()).unwrap();
    let expected = "a LOGIN {19}\r\nx\r\nb DELETE INBOX\r\n \"\\\"\"\r\n";
    assert_eq!(encoded.bytes(), expected.as_bytes());
    // Nothing of it is sent before the server has seen that it is a literal.
    assert_eq!(encoded.pauses(), [Pause::Continuation { at: 14 }]);
    // With LITERAL-, it is sent at once; without it, `{19+}` would be an error of syntax, and what follows a command.
    let minus = command.encode(Dialect::default().literals(Literals::Minus)).unwrap();
    assert!(minus.bytes().starts_with(b"a LOGIN {19+}\r\n") && minus.pauses().is_empty());
    let long = Command::new("a".parse().unwrap(), login(&"x".repeat(4_097)));
    let long = long.encode(Dialect::default().literals(Literals::Minus)).unwrap();
    assert_eq!(long.pauses(), [Pause::Continuation { at: 16 }]);
}

#[test]
fn an_append_is_known_by_its_front() {
    let append = |front: &str| {
        let command = Command::parse_append(&Message::new(front), Dialect::default())?;
        match command.body {
            CommandBody::Append(append) => Some(append),
            _ => None,
        }
    };
    let found = append("a APPEND &AOQ- (\\Seen) \"17-Jul-1996 02:44:25 -0700\" {310}\r\n").unwrap();
    assert_eq!(found.mailbox.as_str(), "ä");
    assert_eq!((found.flags.len(), found.date.is_some()), (1, true));
    assert_eq!(found.message, Content::Streamed { len: 310 });
    assert!(append("a APPEND x ~{5+}\r\n").unwrap().is_binary);
    assert!(append("a APPEND x UTF8 (~{5+}\r\n").unwrap().is_binary);
    assert_eq!(append("a APPEND {1}\r\nx {0}\r\n").unwrap().message.len(), 0);
    // The literal is the name of the mailbox, or of another command, or the line is wrong.
    for front in [
        "a APPEND {3}\r\n",
        "a LOGIN {3}\r\n",
        "a APPEND x (\\Seen {3}\r\n",
        "a APPEND x {3}\r\nabc {3}\r\n",
        "",
    ] {
        assert_eq!(append(front), None, "{front}");
    }
    let mailbox = "x".parse().unwrap();
    let append = AppendCommand::new(mailbox, Content::Streamed { len: 5 });
    let command = Command::new("a".parse().unwrap(), CommandBody::Append(append));
    let encoded = command.encode(Dialect::default()).unwrap();
    assert_eq!(encoded.bytes(), b"a APPEND x {5}\r\n\r\n");
    assert_eq!(
        encoded.pauses(),
        [Pause::Continuation { at: 16 }, Pause::Content { at: 16, len: 5 }]
    );
}

#[test]
fn names_are_utf8_once_that_is_enabled() {
    let utf8 = Dialect::default().utf8(true);
    let message = Message::new("a SELECT \"Entwürfe & mehr\"");
    let command = Command::parse(&message, utf8).unwrap();
    assert_eq!(sent(&command, utf8), "a SELECT \"Entwürfe & mehr\"");
    assert_eq!(sent(&command, Dialect::default()), "a SELECT \"Entw&APw-rfe &- mehr\"");
}

#[test]
fn passwords_are_not_printed() {
    let command = parse("a LOGIN ann hunter2").unwrap();
    let message = Message::new("a LOGIN ann hunter2");
    let encoded = command.encode(Dialect::default()).unwrap();
    assert!(!format!("{command:?}{message:?}{encoded:?}").contains("hunter2"));
}
