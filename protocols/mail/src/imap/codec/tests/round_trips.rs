//! Properties: whatever is made of checked values and written is read as the same, in both directions and dialects.

use bytes::Bytes;
use proptest::prelude::*;
use sinew_protocols::basic::Text;

use super::super::*;

fn dialect() -> impl Strategy<Value = Dialect> {
    let literals =
        prop::sample::select(&[Literals::Synchronizing, Literals::Minus, Literals::Plus][..]);
    (any::<bool>(), literals)
        .prop_map(|(utf8, literals)| Dialect::default().utf8(utf8).literals(literals))
}

/// Bytes with a liking for those that matter.
fn bytes() -> impl Strategy<Value = Bytes> {
    let part = prop::sample::select(
        &["a", "NIL", "\"", "\\", "\r\n", " ", "(", ")", "]", "{3}", "ä", "*", "\t"][..],
    );
    prop_oneof![
        prop::collection::vec(part, 0..6).prop_map(|parts| parts.concat().into()),
        prop::collection::vec(1..=u8::MAX, 0..12).prop_map(Bytes::from),
    ]
}

fn astring() -> impl Strategy<Value = AString> {
    bytes().prop_map(|bytes| AString::try_from(bytes).unwrap())
}

fn mailbox() -> impl Strategy<Value = MailboxName> {
    "[a-zA-Z&äß台😀/.\" \\\\*%(){}+-]{1,8}".prop_map(|name| name.parse().unwrap())
}

fn flag() -> impl Strategy<Value = Flag> {
    prop::sample::select(&["\\Seen", "\\Deleted", "\\Draft", "\\Forwarded", "$Junk", "x"][..])
        .prop_map(|flag| flag.parse().unwrap())
}

fn set() -> impl Strategy<Value = SequenceSet> {
    let number =
        prop_oneof![Just("*".to_owned()), (1..=u32::MAX).prop_map(|number| number.to_string())];
    let range = (number.clone(), number).prop_map(|(from, to)| format!("{from}:{to}"));
    prop::collection::vec(range, 1..4).prop_map(|ranges| ranges.join(",").parse().unwrap())
}

fn key() -> impl Strategy<Value = SearchKey> {
    let leaf = prop_oneof![
        Just(SearchKey::All),
        Just(SearchKey::Unseen),
        set().prop_map(SearchKey::Sequence),
        set().prop_map(SearchKey::Uid),
        astring().prop_map(SearchKey::Subject),
        (astring(), astring()).prop_map(|(field, text)| SearchKey::Header(field, text)),
        (0..2_900_000_i64).prop_map(|days| SearchKey::Since(Date::from_days(days))),
        any::<u32>().prop_map(|len| SearchKey::Larger(len.into())),
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(SearchKey::And),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| one.or(other)),
            inner.prop_map(SearchKey::negated),
        ]
    })
}

fn section() -> impl Strategy<Value = Section> {
    let text = prop_oneof![
        Just(None),
        Just(Some(SectionText::Header)),
        Just(Some(SectionText::Text)),
        prop::collection::vec(astring(), 1..3)
            .prop_map(|fields| Some(SectionText::HeaderFields(fields))),
    ];
    (prop::collection::vec(1..9_u32, 0..4), text).prop_map(|(part, text)| Section { part, text })
}

fn body() -> impl Strategy<Value = CommandBody> {
    let partial = prop::option::of((any::<u32>(), 1..=u32::MAX));
    let section = (section(), any::<bool>(), partial)
        .prop_map(|(section, is_peek, partial)| FetchItem::Section { section, is_peek, partial });
    let item = prop_oneof![Just(FetchItem::Flags), Just(FetchItem::Envelope), section];
    prop_oneof![
        (astring(), astring()).prop_map(|(user, password)| CommandBody::Login { user, password }),
        mailbox().prop_map(|mailbox| CommandBody::Select(SelectCommand::new(mailbox))),
        (mailbox(), mailbox()).prop_map(|(from, to)| CommandBody::Rename { from, to }),
        (set(), prop::collection::vec(item, 1..4), any::<bool>()).prop_map(
            |(set, items, is_uid)| {
                let mut fetch = FetchCommand::new(set, items);
                fetch.is_uid = is_uid;
                CommandBody::Fetch(fetch)
            }
        ),
        (set(), prop::collection::vec(flag(), 0..4)).prop_map(|(set, flags)| CommandBody::Store(
            StoreCommand::new(set, StoreAction::Add, flags)
        )),
        (key(), prop::option::of(astring())).prop_map(|(key, charset)| {
            // A list at the top is written without parentheses.
            CommandBody::Search(SearchCommand { charset, ..SearchCommand::new(key) })
        }),
        (mailbox(), prop::collection::vec(flag(), 0..3), bytes(), any::<i32>()).prop_map(
            |(mailbox, flags, message, date)| {
                let mut append = AppendCommand::new(mailbox, Content::Kept(message));
                (append.flags, append.date) = (flags, Some(DateTime::from_unix(date.into())));
                CommandBody::Append(append)
            }
        ),
        prop::collection::vec((astring(), prop::option::of(astring())), 0..4)
            .prop_map(|fields| CommandBody::Id(Some(fields))),
    ]
}

fn nstring() -> impl Strategy<Value = Option<Bytes>> {
    prop::option::of(bytes())
}

fn envelope() -> impl Strategy<Value = MessageEnvelope> {
    let address = (nstring(), nstring(), nstring())
        .prop_map(|(name, mailbox, host)| MessageAddress { name, route: None, mailbox, host });
    (nstring(), nstring(), prop::collection::vec(address, 0..3), nstring()).prop_map(
        |(date, subject, from, message_id)| MessageEnvelope {
            date,
            subject,
            to: from.clone(),
            from,
            message_id,
            ..MessageEnvelope::default()
        },
    )
}

fn structure() -> impl Strategy<Value = BodyStructure> {
    let parameters = || prop::collection::vec((bytes(), bytes()), 0..3);
    let rest = (
        prop::option::of((bytes(), parameters())),
        prop::collection::vec(bytes(), 0..2),
        nstring(),
    )
        .prop_map(|(disposition, language, location)| PartExtension {
            disposition,
            language,
            location,
        });
    let extension = (nstring(), rest).prop_map(|(md5, rest)| SingleExtension { md5, rest });
    let leaf = (parameters(), nstring(), any::<u32>(), prop::option::of(extension)).prop_map(
        |(parameters, id, size, extension)| {
            let (media_type, subtype) = (Bytes::from_static(b"TEXT"), Bytes::from_static(b"x"));
            let kind = PartKind::Text { lines: size / 2 };
            let encoding = Bytes::from_static(b"8BIT");
            let part = SinglePart {
                media_type,
                subtype,
                parameters,
                id,
                encoding,
                size,
                kind,
                extension,
                ..SinglePart::default()
            };
            BodyStructure::Single(Box::new(part))
        },
    );
    leaf.prop_recursive(3, 8, 3, move |inner| {
        let message = (inner.clone(), envelope()).prop_map(|(body, envelope)| {
            let kind = PartKind::Message { envelope: Box::new(envelope), body, lines: 3 };
            let (media_type, subtype) =
                (Bytes::from_static(b"message"), Bytes::from_static(b"rfc822"));
            let part = SinglePart {
                media_type,
                subtype,
                encoding: Bytes::from_static(b"7BIT"),
                kind,
                ..SinglePart::default()
            };
            BodyStructure::Single(Box::new(part))
        });
        let multi = prop::collection::vec(inner, 1..3).prop_map(|parts| {
            BodyStructure::Multi(Box::new(MultiPart {
                parts,
                subtype: Bytes::from_static(b"MIXED"),
                extension: None,
            }))
        });
        prop_oneof![message, multi]
    })
}

fn data() -> impl Strategy<Value = Data> {
    let item = prop_oneof![
        (1..=u32::MAX).prop_map(FetchData::Uid),
        prop::collection::vec(flag(), 0..3).prop_map(FetchData::Flags),
        envelope().prop_map(|envelope| FetchData::Envelope(Box::new(envelope))),
        structure().prop_map(FetchData::BodyStructure),
        (section(), prop::option::of(any::<u32>()), nstring()).prop_map(
            |(section, origin, content)| {
                FetchData::Section { section, origin, content: content.map(Content::Kept) }
            }
        ),
    ];
    let status = (mailbox(), any::<u32>()).prop_map(|(mailbox, count)| {
        Data::Status(mailbox, vec![(StatusItem::Messages, count.into())])
    });
    prop_oneof![
        (1..=u32::MAX, prop::collection::vec(item, 0..4))
            .prop_map(|(number, items)| Data::Fetch { number, items }),
        mailbox().prop_map(|name| Data::List(
            ListEntry::new(name, Some('/')).with([ListAttribute::Sent])
        )),
        status,
        set().prop_map(|uids| Data::Vanished { is_earlier: true, uids }),
        (prop::collection::vec(1..=u32::MAX, 0..5), prop::option::of(0..i64::MAX.unsigned_abs()))
            .prop_map(|(numbers, modseq)| Data::Search { numbers, modseq }),
        (mailbox(), prop::option::of(mailbox()), astring()).prop_map(|(name, old_name, info)| {
            let mut entry = ListEntry::new(name, None);
            (entry.old_name, entry.child_info) = (old_name, vec![info]);
            Data::List(entry)
        }),
    ]
}

/// What a peer receives: one message.
fn received(mut decoder: MessageDecoder, bytes: &[u8]) -> Message {
    let mut input = bytes;
    loop {
        match decoder.decode(&mut input).expect("no error of framing") {
            Event::Literal(_) => decoder.keep(),
            Event::Message(message) => {
                assert!(input.is_empty(), "a second message: {}", input.escape_ascii());
                return message;
            }
            other => panic!("{other:?}"),
        }
    }
}

proptest! {
    #[test]
    fn commands_are_read_as_they_were_written(body in body(), dialect in dialect()) {
        let command = Command::new("a1".parse().unwrap(), body);
        let encoded = command.encode(dialect).unwrap();
        let message = received(MessageDecoder::of_commands(100_000), encoded.bytes());
        let again = Command::parse(&message, dialect);
        prop_assert_eq!(again.as_ref(), Ok(&command), "{}", encoded.bytes().escape_ascii());
    }

    #[test]
    fn responses_are_read_as_they_were_written(data in data(), dialect in dialect()) {
        let response = Response::Data(data);
        let encoded = response.encode(dialect).unwrap();
        let message = received(MessageDecoder::of_responses(100_000), encoded.bytes());
        let again = Response::parse(&message, dialect);
        prop_assert_eq!(again.as_ref(), Ok(&response), "{}", encoded.bytes().escape_ascii());
    }

    #[test]
    fn statuses_are_read_as_they_were_written(text in "[\\[\\] a{}5ä]{0,12}", has_code: bool) {
        let code = has_code.then_some(Code::Plain(PlainCode::Alert));
        let text = Text::try_from(text).unwrap();
        let status = StatusText::new(Status::No, code, text);
        let response = Response::Done { tag: "a1".parse().unwrap(), status };
        let encoded = response.encode(Dialect::default()).unwrap();
        let message = received(MessageDecoder::of_responses(100_000), encoded.bytes());
        prop_assert_eq!(Response::parse(&message, Dialect::default()), Ok(response));
    }

    /// No input makes a parser panic, and what is accepted can be written and read again.
    #[test]
    fn whatever_is_accepted_can_be_written(
        words in prop::collection::vec(
            prop::sample::select(&[
                "a ", "UID ", "FETCH ", "SEARCH ", "1:* ", "(", ")", "BODY[", "]", "FLAGS", " ", "{1}\r\nx", "\"x\"", "NIL", "NOT ",
                "OR ", "ALL", "* ", "5 ", "LIST ", "STATUS ", "x", "BODYSTRUCTURE ", "ENVELOPE ", "\\Seen", "OK ", "[", "+",
            ][..]),
            0..20,
        ),
    ) {
        let message = Message::new(words.concat());
        if let Ok(command) = Command::parse(&message, Dialect::default()) {
            let encoded = command.encode(Dialect::default()).unwrap();
            prop_assert_eq!(Command::parse(&encoded.message(), Dialect::default()), Ok(command));
        }
        if let Ok(response) = Response::parse(&message, Dialect::default()) {
            let encoded = response.encode(Dialect::default()).unwrap();
            let again = Response::parse(&encoded.message(), Dialect::default());
            prop_assert!(again.is_ok(), "{}", encoded.bytes().escape_ascii());
        }
        let _ = Command::parse_append(&message, Dialect::default());
        let _ = Response::parse_fetch(&message, Dialect::default());
    }
}
