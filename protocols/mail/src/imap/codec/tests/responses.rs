//! Responses: what is read is written again; what servers send against the grammar; what is refused.

use super::super::{
    BodyStructure, Code, Content, Data, Dialect, FetchData, Message, PartKind, Response, Status,
    StatusText,
};

fn parse(text: &str) -> Result<Response, String> {
    let response = Response::parse(&Message::new(text), Dialect::default());
    response.map_err(|error| error.to_string())
}

fn sent(response: &Response) -> String {
    let encoded = response.encode(Dialect::default()).unwrap();
    String::from_utf8(encoded.into_bytes()).unwrap().strip_suffix("\r\n").unwrap().to_owned()
}

/// Responses with the form in which they are written, if it is another one.
#[test]
fn responses_are_read_and_written() {
    for (text, written) in [
        ("* OK ready", ""),
        ("* OK [CAPABILITY IMAP4rev1 IDLE] ready", ""),
        ("* PREAUTH hello", ""),
        ("* BYE", "* BYE "),
        ("* ok [alert] [not a code] x", "* OK [ALERT] [not a code] x"),
        ("* OK  [not a code] x", ""),
        ("a1 OK [READ-WRITE] done", ""),
        ("a1 NO [BADCHARSET (US-ASCII UTF-8)] what?", ""),
        ("a1 NO [BADCHARSET] what?", ""),
        ("a1 BAD [DON'T] what?", ""),
        ("a1 BAD [XYZ more] what?", "a1 BAD [XYZ] what?"),
        ("* OK [UIDNEXT x] odd", "* OK [UIDNEXT] odd"),
        ("* OK [PERMANENTFLAGS (\\Deleted \\*)] limited", ""),
        ("a OK [APPENDUID 38505 3955] done", ""),
        ("a OK [COPYUID 38505 304,319:320 3956:3958] done", ""),
        ("a OK [MODIFIED 7,9] failed", ""),
        ("* OK [HIGHESTMODSEQ 715194045007]", "* OK [HIGHESTMODSEQ 715194045007] "),
        ("+ ", ""),
        ("+", "+ "),
        ("+ idling", ""),
        ("* CAPABILITY IMAP4rev1 AUTH=PLAIN ", "* CAPABILITY IMAP4rev1 AUTH=PLAIN"),
        ("* ENABLED CONDSTORE QRESYNC", ""),
        ("* ENABLED", ""),
        ("* LIST (\\HasNoChildren \\Sent \\X) \"/\" \"Sent Mail\"", ""),
        ("* LIST () NIL INBOX", ""),
        ("* LIST (\\NonExistent) \"/\" a (\"CHILDINFO\" (\"SUBSCRIBED\") \"OLDNAME\" (b))", ""),
        ("* LIST () \"\\\\\" x (\"X\" (1 (2 \"3\")))", "* LIST () \"\\\\\" x"),
        ("* LSUB () \".\" x", ""),
        ("* NAMESPACE ((\"\" \"/\")) NIL ((\"Public/\" \"/\")(\"x\" NIL))", ""),
        ("* NAMESPACE ((\"\" \"/\" \"X\" (\"y\"))) NIL NIL", "* NAMESPACE ((\"\" \"/\")) NIL NIL"),
        ("* STATUS x (MESSAGES 3 UNSEEN 0)", ""),
        ("* STATUS x (MESSAGES 3 XYZ (1) APPENDLIMIT NIL)", "* STATUS x (MESSAGES 3)"),
        ("* FLAGS (\\Seen $Junk)", ""),
        ("* 23 EXISTS", ""),
        ("* 0 recent", "* 0 RECENT"),
        ("* 5 EXPUNGE ", "* 5 EXPUNGE"),
        ("* VANISHED (EARLIER) 300:310,405", ""),
        ("* VANISHED 1", ""),
        ("* SEARCH", ""),
        ("* SEARCH ", "* SEARCH"),
        ("* SEARCH 2 5 (MODSEQ 917162500)", ""),
        ("* ESEARCH (TAG \"a1\") UID MIN 2 MAX 9 ALL 2,4:9 COUNT 3 MODSEQ 5", ""),
        ("* ESEARCH", ""),
        ("* ID NIL", ""),
        ("* ID (\"name\" \"x\")", ""),
        ("* XYZ (whatever", "* XYZ"),
        ("* 4 XYZ (x", "* 4 XYZ"),
        ("* 12 FETCH (UID 7 FLAGS (\\Seen) MODSEQ (5) RFC822.SIZE 4286)", ""),
        ("* 1 FETCH (INTERNALDATE \"17-Jul-1996 02:44:25 -0700\")", ""),
        ("* 1 FETCH (BODY[] {3}\r\na\nb BODY[1.MIME]<5> {1}\r\nx BODY[2] NIL)", ""),
        (
            "* 1 FETCH (BODY[HEADER.FIELDS (From)] \"x\")",
            "* 1 FETCH (BODY[HEADER.FIELDS (From)] {1}\r\nx)",
        ),
        ("* 1 FETCH (BINARY[1] ~{3}\r\na\0b BINARY.SIZE[1] 3)", ""),
        ("* 1 FETCH (RFC822.HEADER {0}\r\n RFC822 NIL)", ""),
        ("* 1 FETCH (X-GM-LABELS (\"\\\\Inbox\" x (y)) UID 5)", "* 1 FETCH (UID 5)"),
        ("* 1 FETCH ( UID 5  FLAGS ( ) )", "* 1 FETCH (UID 5 FLAGS ())"),
    ] {
        let response = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let written = if written.is_empty() { text } else { written };
        assert_eq!(sent(&response), written, "{text}");
        let again = parse(written).unwrap();
        assert_eq!(sent(&again), written);
    }
}

#[test]
fn other_lines_are_refused() {
    for text in [
        "",
        "*",
        "* ",
        "a1 BYE x",
        "a1 PREAUTH x",
        "a1 EXISTS",
        "* 0 EXPUNGE",
        "* 0 FETCH ()",
        "* 1 FETCH",
        "* 1 FETCH (UID 0)",
        "* 1 FETCH (UID 1",
        "* 1 FETCH (BODY[] {5}\r\nabc)",
        "* 1 FETCH (FLAGS (\\Seen)) x",
        "* 4294967296 EXISTS",
        "* SEARCH 1 x",
        "* VANISHED 0",
        "* LIST () \"/\"",
        "* NAMESPACE (",
        "* STATUS x (MESSAGES)",
    ] {
        assert!(parse(text).is_err(), "{text:?}");
    }
}

const ENVELOPE: &str = concat!(
    "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev2 WG mtg summary\" ",
    "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) NIL NIL ",
    "((NIL NIL \"imap\" \"cac.washington.edu\")(NIL NIL \"group\" NIL)(NIL NIL NIL NIL)) NIL NIL NIL ",
    "\"<B27397-0100000@cac.washington.edu>\")"
);

#[test]
fn envelopes_and_structures_are_read_and_written() {
    let text_part = "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 2279 48)";
    let image = "(\"IMAGE\" \"PNG\" NIL \"<x>\" \"a picture\" \"BASE64\" 9000 NIL (\"INLINE\" (\"FILENAME\" \"x.png\")) NIL NIL)";
    let mixed = format!(
        "({text_part}{image} \"MIXED\" (\"BOUNDARY\" \"=_x\") NIL (\"en\" \"de\") \"http://x/\")"
    );
    let message =
        format!("(\"MESSAGE\" \"RFC822\" NIL NIL NIL \"8BIT\" 99 {ENVELOPE} {text_part} 5)");
    let nested = format!("({message}{mixed} \"MIXED\")");
    for item in [
        format!("ENVELOPE {ENVELOPE}"),
        format!("BODY {text_part}"),
        format!("BODYSTRUCTURE {mixed}"),
        format!("BODYSTRUCTURE {nested}"),
    ] {
        let text = format!("* 1 FETCH ({item})");
        let response = parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(sent(&response), text);
    }
    let Ok(Response::Data(Data::Fetch { items, .. })) =
        parse(&format!("* 1 FETCH (BODY {nested})"))
    else {
        panic!("a FETCH");
    };
    let [FetchData::Body(body)] = items.as_slice() else { panic!("a structure") };
    let subtype = |path: &[u32]| match body.part_of_message(path)? {
        BodyStructure::Single(single) => Some(single.subtype.clone()),
        BodyStructure::Multi(multi) => Some(multi.subtype.clone()),
    };
    for (path, expected) in [
        (&[][..], Some("MIXED")),
        (&[1], Some("RFC822")),
        (&[1, 1], Some("PLAIN")),
        (&[1, 2], None),
        (&[2, 2], Some("PNG")),
        (&[2, 3], None),
        (&[0], None),
        (&[2, 2, 1], None),
    ] {
        assert_eq!(subtype(path).as_deref(), expected.map(str::as_bytes), "{path:?}");
    }
}

/// What servers send that is not in the grammar, and has one meaning.
#[test]
fn structures_against_the_grammar() {
    for text in [
        // No lines, no subtype, no encoding, a negative length.
        "(\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 5)",
        "(\"TEXT\" NIL NIL NIL NIL NIL -1 1)",
        "(\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 5)",
        // A disposition without parameters, a language without a list.
        "(\"APPLICATION\" \"PDF\" (\"NAME\" NIL) NIL NIL \"BASE64\" 5 NIL \"ATTACHMENT\" \"en\" NIL \"more\" (1 (2)))",
        "((\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 5 1) (\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 5 1) \"MIXED\" NIL )",
    ] {
        assert!(parse(&format!("* 1 FETCH (BODYSTRUCTURE {text})")).is_ok(), "{text}");
    }
    let Ok(Response::Data(Data::Fetch { items, .. })) =
        parse("* 1 FETCH (BODY (\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 99999999999 1))")
    else {
        panic!("a FETCH");
    };
    let [FetchData::Body(BodyStructure::Single(part))] = items.as_slice() else { panic!("a part") };
    assert_eq!((part.size, &part.kind), (u32::MAX, &PartKind::Text { lines: 1 }));
}

#[test]
fn nesting_is_bounded() {
    for text in [
        format!("* 1 FETCH (BODYSTRUCTURE {})", "(".repeat(100_000)),
        format!("* 1 FETCH (X {}", "(".repeat(100_000)),
        format!("* LIST () \"/\" x (x {}", "(".repeat(100_000)),
    ] {
        assert!(parse(&text).unwrap_err().contains("fewer nested"), "{}", &text[..30]);
    }
}

#[test]
fn a_fetch_is_known_by_its_front() {
    let front = |text: &str| Response::parse_fetch(&Message::new(text), Dialect::default());
    let (number, items) = front("* 12 FETCH (UID 7 BODY[] {310}\r\n").unwrap();
    assert_eq!((number, items.len()), (12, 2));
    assert_eq!(items[1].content(), Some(&Content::Streamed { len: 310 }));
    assert!(front("* 1 FETCH (BODY[1] {3}\r\nabc BODY[2] {4}\r\n").is_some());
    for text in [
        // A literal in an envelope, in a structure, of another response.
        "* 1 FETCH (ENVELOPE (\"x\" {4}\r\n",
        "* 1 FETCH (BODY (\"TEXT\" {4}\r\n",
        "* LIST () \"/\" {4}\r\n",
        "* 1 FETCH (XYZ {4}\r\n",
        "* 1 FETCH (UID 5)",
        "",
    ] {
        assert_eq!(front(text), None, "{text}");
    }
}

#[test]
fn a_status_is_shown_without_control_characters() {
    let Ok(Response::Status(status)) = parse("* NO [ALERT] \x1b[31mred") else {
        panic!("a status")
    };
    assert_eq!(status.to_string(), "NO [ALERT] \\u{1b}[31mred");
    let text = "[UIDVALIDITY 1] x".try_into().unwrap();
    let status = StatusText::new(Status::Ok, None, text);
    // What a program says cannot become a code.
    let text = sent(&Response::Status(status.clone()));
    let Ok(Response::Status(again)) = parse(&text) else { panic!("a status") };
    assert_eq!(again, status);
    assert!(matches!(
        parse("* OK [UIDVALIDITY 1] x"),
        Ok(Response::Status(StatusText { code: Some(Code::UidValidity(1)), .. }))
    ));
}

/// Names that a server sends in a form of its own can be sent back.
#[test]
fn names_against_the_grammar_are_kept() {
    for name in ["a&b", "&AOR-", "x\\y"] {
        let Ok(Response::Data(Data::List(entry))) =
            parse(&format!("* LIST () \"/\" \"{}\"", name.replace('\\', "\\\\")))
        else {
            panic!("a mailbox");
        };
        let line = sent(&Response::Data(Data::List(entry)));
        assert!(line.ends_with(name) || line.contains(&name.replace('\\', "\\\\")), "{line}");
    }
    let message = Message::new(b"* LIST () \"/\" \"Entw\xfcrfe\"".to_vec());
    let Ok(Response::Data(Data::List(entry))) = Response::parse(&message, Dialect::default())
    else {
        panic!("a mailbox");
    };
    assert_eq!(entry.name.as_str(), "Entw\u{fffd}rfe");
    let encoded = Response::Data(Data::List(entry)).encode(Dialect::default()).unwrap();
    assert_eq!(encoded.bytes(), b"* LIST () \"/\" {8}\r\nEntw\xfcrfe\r\n");
}
