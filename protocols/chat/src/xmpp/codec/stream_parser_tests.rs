//! The parser with what XMPP forbids, with what costs much, and in pieces.

use proptest::prelude::*;

use super::{Element, Node, StreamCondition, StreamEvent, StreamParser, XmlError, XmlLimits, ns};

const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
                      xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";

fn parse(pieces: &[&[u8]]) -> Result<Vec<StreamEvent>, XmlError> {
    let mut parser = StreamParser::new(XmlLimits::default());
    let mut events = Vec::new();
    for mut piece in pieces.iter().copied() {
        while let Some(event) = parser.next(&mut piece)? {
            events.push(event);
        }
    }
    Ok(events)
}

/// What a stanza is read as, within a stream.
fn stanza(text: impl AsRef<[u8]>) -> Result<Element, XmlError> {
    let events = parse(&[HEADER.as_bytes(), text.as_ref()])?;
    match events.as_slice() {
        [StreamEvent::Opened(_), StreamEvent::Stanza(stanza)] => Ok(stanza.clone()),
        other => panic!("{other:?}"),
    }
}

fn condition(text: impl AsRef<[u8]>) -> StreamCondition {
    parse(&[HEADER.as_bytes(), text.as_ref()]).unwrap_err().condition()
}

#[test]
fn a_session_in_every_split() {
    let session = format!(
        "{HEADER}\n <message to=\"a@b\"\tid='1' ><body>h\u{e9}llo &amp; &#x1F600;<![CDATA[<&>]]></body ></message> \r\n<a:x \
         xmlns:a='urn:a' a:b='&lt;&#9;'><y/><a:y/>\n</a:x></stream:stream>junk"
    );
    let whole = parse(&[session.as_bytes()]).unwrap();
    let message = Element::new("message", ns::CLIENT)
        .with_attribute("to", "a@b")
        .with_attribute("id", "1")
        .with_child(Element::new("body", ns::CLIENT).with_text("h\u{e9}llo & \u{1f600}<&>"));
    assert_eq!(whole[1], StreamEvent::Stanza(message));
    let StreamEvent::Stanza(x) = &whole[2] else { panic!("{whole:?}") };
    assert!(x.is("x", "urn:a") && x.attribute("b").is_none());
    assert_eq!(
        (x.attributes()[0].ns.as_deref(), &*x.attributes()[0].value),
        (Some("urn:a"), "<\t")
    );
    assert!(x.child("y", ns::CLIENT).is_some() && x.child("y", "urn:a").is_some());
    assert_eq!(whole[3], StreamEvent::Closed);
    assert_eq!(whole.len(), 4);
    for at in 0..session.len() {
        let (front, back) = session.as_bytes().split_at(at);
        assert_eq!(parse(&[front, back]).as_ref(), Ok(&whole), "{at}");
    }
    let bytes: Vec<&[u8]> = session.as_bytes().chunks(1).collect();
    assert_eq!(parse(&bytes), Ok(whole));
}

#[test]
fn utf8_split() {
    let text = "<a>\u{e9}\u{20ac}\u{1f600}</a>".as_bytes();
    for at in 0..text.len() {
        let (front, back) = text.split_at(at);
        let events = parse(&[HEADER.as_bytes(), front, back]).unwrap();
        let StreamEvent::Stanza(a) = &events[1] else { panic!() };
        assert_eq!(a.text(), "\u{e9}\u{20ac}\u{1f600}");
    }
    for bad in [
        &b"<a>\xff</a>"[..],
        b"<a>\xe2\x82</a>",
        b"<a b='\xc0\x80'/>",
        b"<\xff/>",
        b"<a>\xed\xa0\x80</a>",
    ] {
        assert_eq!(parse(&[HEADER.as_bytes(), bad]), Err(XmlError::NotUtf8));
    }
}

#[test]
fn depth_10000_costs_nothing() {
    // The limit is what makes it cheap: nothing behind it is looked at.
    let deep = "<a>".repeat(10_000);
    let mut parser = StreamParser::new(XmlLimits::default());
    let mut data = HEADER.as_bytes();
    parser.next(&mut data).unwrap();
    let mut data = deep.as_bytes();
    assert_eq!(parser.next(&mut data), Err(XmlError::TooDeep { max: 64 }));
    assert_eq!(deep.len() - data.len(), 64 * 3);
    // At the limit, in one stanza after the other.
    let most = format!("{}{}", "<a>".repeat(63), "</a>".repeat(63));
    let stanzas = most.repeat(100);
    assert_eq!(parse(&[HEADER.as_bytes(), stanzas.as_bytes()]).unwrap().len(), 101);
    // However deep it may be configured, elements can be dropped.
    let mut parser =
        StreamParser::new(XmlLimits::default().depth_max(usize::MAX).stanza_max(usize::MAX));
    let mut data = deep.as_bytes();
    let last = loop {
        match parser.next(&mut data) {
            Ok(Some(_)) => {}
            last => break last,
        }
    };
    assert_eq!(last, Err(XmlError::TooDeep { max: 128 }));
}

#[test]
fn attribute_bomb() {
    let attributes = |count: usize| -> String {
        let all: String = (0..count).map(|number| format!(" a{number}=''")).collect();
        format!("<a{all}/>")
    };
    assert_eq!(stanza(attributes(128)).unwrap().attributes().len(), 128);
    let max = 128;
    let bomb = attributes(20_000);
    assert_eq!(stanza(&bomb), Err(XmlError::TooManyAttributes { max }));
    let declared: String = (0..129).map(|number| format!(" xmlns:a{number}='urn:a'")).collect();
    assert_eq!(stanza(format!("<a{declared}/>")), Err(XmlError::TooManyAttributes { max }));
    let value = format!("<a b='{}'/>", "x".repeat(8_193));
    assert_eq!(stanza(value), Err(XmlError::ValueTooLong { max: 8_192 }));
    let name = format!("<{}/>", "x".repeat(8_193));
    assert_eq!(stanza(name), Err(XmlError::ValueTooLong { max: 8_192 }));
    let elements = format!("<a>{}</a>", "<b/>".repeat(20_000));
    assert_eq!(stanza(elements), Err(XmlError::TooManyElements { max: 16_384 }));
}

#[test]
fn open_tag_never_closed() {
    for (front, filler) in [
        ("<a b='", "x"),
        ("<a ", " "),
        ("<", "a"),
        ("<a>", "x"),
        ("<a><![CDATA[", "]"),
        ("<a>", "<b></b>"),
        ("</", "a"),
    ] {
        let mut parser =
            StreamParser::new(XmlLimits::default().stanza_max(1_000).elements_max(usize::MAX));
        let mut data = HEADER.as_bytes();
        parser.next(&mut data).unwrap();
        let long = format!("{front}{}", filler.repeat(2_000));
        let mut taken = 0;
        let error = loop {
            let mut data = &long.as_bytes()[taken..=taken];
            taken += 1;
            if let Err(error) = parser.next(&mut data) {
                break error;
            }
        };
        assert_eq!((error, taken), (XmlError::StanzaTooLong { max: 1_000 }, 1_001), "{front}");
    }
    // White space between stanzas is free, and kept nowhere.
    let mut parser = StreamParser::new(XmlLimits::default().stanza_max(200));
    let mut data = HEADER.as_bytes();
    parser.next(&mut data).unwrap();
    let spaces = " \n".repeat(10_000);
    assert_eq!(parser.next(&mut spaces.as_bytes()), Ok(None));
    assert!(parser.is_between_stanzas());
}

#[test]
fn dtd() {
    assert_eq!(condition("<!DOCTYPE a [<!ENTITY x 'y'>]>"), StreamCondition::RestrictedXml);
    assert_eq!(condition("<a><!DOCTYPE"), StreamCondition::RestrictedXml);
    let before = parse(&[b"<?xml version='1.0'?><!DOCTYPE a>"]);
    assert_eq!(before.unwrap_err().condition(), StreamCondition::RestrictedXml);
    assert_eq!(condition("<a><!ENTITY"), StreamCondition::NotWellFormed);
}

#[test]
fn entity() {
    for bad in ["<a>&x;</a>", "<a b='&nbsp;'/>", "<a>&LT;</a>"] {
        assert_eq!(condition(bad), StreamCondition::RestrictedXml, "{bad}");
    }
    for bad in [
        "<a>&#0;</a>",
        "<a>&#xFFFE;</a>",
        "<a>&#xD800;</a>",
        "<a>&#99999999999;</a>",
        "<a>&#;</a>",
        "<a>&#x;</a>",
        "<a>&#+65;</a>",
        "<a>& </a>",
        "<a>&</a>",
        "<a>&lt</a>",
        "<a b='&#12;'/>",
    ] {
        assert_eq!(condition(bad), StreamCondition::NotWellFormed, "{bad}");
    }
    let all = stanza("<a b='&lt;&gt;&amp;&apos;&quot;'>&lt;&gt;&amp;&apos;&quot;&#65;&#x0042;</a>")
        .unwrap();
    assert_eq!((all.attribute("b"), all.text().as_str()), (Some("<>&'\""), "<>&'\"AB"));
}

#[test]
fn comment() {
    for bad in ["<!-- x -->", "<a><!-- x --></a>", "<a><?php x ?></a>", "<?x?>", "<a><!-"] {
        assert_eq!(condition(bad), StreamCondition::RestrictedXml, "{bad}");
    }
}

#[test]
fn second_xml_declaration() {
    for bad in ["<?xml version='1.0'?>", "<a><?xml version='1.0'?>"] {
        assert_eq!(condition(bad), StreamCondition::RestrictedXml, "{bad}");
    }
    let declared = |declaration: &str| {
        parse(&[format!("{declaration}<stream:stream xmlns:stream='x'>").as_bytes()])
            .map(|events| events.len())
    };
    assert_eq!(declared("<?xml version=\"1.0\" encoding=\"utf-8\" standalone='yes'?>\n"), Ok(1));
    assert_eq!(declared(""), Ok(1));
    assert_eq!(declared(" "), Ok(1));
    assert_eq!(
        declared("<?xml version='1.0' encoding='UTF-16'?>"),
        Err(XmlError::UnsupportedEncoding)
    );
    for bad in [" <?xml version='1.0'?>", "<?php ?>", "<?xml version='1.0'?><?xml version='1.0'?>"]
    {
        assert_eq!(declared(bad).unwrap_err().condition(), StreamCondition::RestrictedXml, "{bad}");
    }
    for bad in ["<?xml version='2.0'?>", "<?xml a='b'?>", "<??>", "\u{feff}", "x"] {
        assert_eq!(declared(bad).unwrap_err().condition(), StreamCondition::NotWellFormed, "{bad}");
    }
}

#[test]
fn namespace_redeclared_in_child() {
    let text = "<p:a xmlns:p='urn:1'><p:b xmlns:p='urn:2' p:x='1'><p:c/></p:b><p:d/><e xmlns=''/><e xmlns='urn:3'><f/></e></p:a>";
    let a = stanza(text).unwrap();
    let b = a.child("b", "urn:2").unwrap();
    assert!(b.child("c", "urn:2").is_some());
    assert!(a.is("a", "urn:1") && a.child("d", "urn:1").is_some() && a.child("e", "").is_some());
    assert!(a.child("e", "urn:3").unwrap().child("f", "urn:3").is_some());
    assert_eq!(condition("<p:a/>"), StreamCondition::BadNamespacePrefix);
    assert_eq!(condition("<a p:b=''/>"), StreamCondition::BadNamespacePrefix);
    // A declaration ends with its element.
    assert_eq!(condition("<a><b xmlns:p='urn:1'/><p:c/></a>"), StreamCondition::BadNamespacePrefix);
    // Ends are compared as they are written.
    assert_eq!(condition("<p:a xmlns:p='u' xmlns:q='u'></q:a>"), StreamCondition::NotWellFormed);
    for bad in [
        "<a xmlns:xml='urn:x'/>",
        "<a xmlns:xmlns='urn:x'/>",
        "<a xmlns:p='http://www.w3.org/2000/xmlns/'/>",
        "<a xmlns='http://www.w3.org/XML/1998/namespace'/>",
        "<a xmlns:p=''/>",
        "<a xmlns:p='u' xmlns:p='v'/>",
        "<a xmlns:p='u' xmlns:q='u' p:b='' q:b=''/>",
    ] {
        assert_eq!(condition(bad), StreamCondition::NotWellFormed, "{bad}");
    }
    assert_eq!(stanza("<a xml:lang='de'/>").unwrap().lang(), Some("de"));
}

#[test]
fn not_well_formed() {
    for bad in [
        "text",
        "<a></b>",
        "<a b='1' b='2'/>",
        "<a b=1/>",
        "<a b/>",
        "<a b='1'c='2'/>",
        "<a b='<'/>",
        "<a ='1'/>",
        "<1a/>",
        "<a:/>",
        "<:a/>",
        "<a:b:c xmlns:a='u'/>",
        "<>",
        "< a/>",
        "<a/ >",
        "</>",
        "<a>]]></a>",
        "<a>\u{1}</a>",
        "<a>\0</a>",
        "<a b='\u{b}'/>",
        "<![CDATA[x]]>",
        "<a><![cdata[x]]></a>",
        "<a></a b='c'>",
    ] {
        assert_eq!(condition(bad), StreamCondition::NotWellFormed, "{bad}");
    }
    assert!(matches!(parse(&[b"<a/>"]), Err(XmlError::NotWellFormed { .. })));
    // Nothing is read after an error, nor after the end.
    let mut parser = StreamParser::new(XmlLimits::default());
    let mut data: &[u8] = b"<a></b><c/>";
    while let Ok(Some(_)) = parser.next(&mut data) {}
    let mut data: &[u8] = b"<a>";
    assert!(parser.next(&mut data).is_err() && data.is_empty());
    assert_eq!(stanza("<a>\r\n\r\t</a>").unwrap().text(), "\n\n\t");
    assert_eq!(stanza("<a b='\r\n\r\t'/>").unwrap().attribute("b"), Some("   "));
}

#[test]
fn what_cannot_be_written() {
    let a = || Element::new("a", ns::CLIENT);
    for bad in [
        Element::new("a b", ns::CLIENT),
        Element::new("a><b", ns::CLIENT),
        Element::new("", ns::CLIENT),
        Element::new("x:a", ns::CLIENT),
        Element::new("a", "http://www.w3.org/2000/xmlns/"),
        a().with_attribute("b='' c", ""),
        a().with_attribute("xmlns", "urn:x"),
        a().with_attribute("b", "\0"),
        a().with_text("\u{1b}"),
        a().with_text("\u{ffff}"),
        Element::new("a", "urn:\0"),
    ] {
        assert!(bad.encode(ns::CLIENT).is_err(), "{bad:?}");
    }
    let deep = (0..200).fold(a(), |inner, _| a().with_child(inner));
    assert_eq!(deep.encode(ns::CLIENT), Err(super::EncodeError::TooDeep { max: 128 }));
    let text = "</a><iq type='set'/>]]>&amp;\r\n\t\"'";
    let escaped = a().with_attribute("b", text).with_text(text);
    assert_eq!(stanza(escaped.encode(ns::CLIENT).unwrap()), Ok(escaped));
}

fn elements() -> impl Strategy<Value = Element> {
    let name = prop::sample::select(vec!["a", "b", "query", "\u{e9}-1._"]);
    let space = prop::sample::select(vec![ns::CLIENT, "urn:a", "urn:'<&\u{e9}", ""]);
    let text = "[ -~\t\r\n\u{e9}\u{1f600}]{0,12}";
    let attribute =
        (prop::option::of(Just("xml")), prop::sample::select(vec!["id", "to", "lang"]), text);
    let leaf = (name, space, prop::collection::vec(attribute, 0..3)).prop_map(
        |(name, space, attributes)| {
            attributes.into_iter().fold(
                Element::new(name, space),
                |element, (prefix, name, value)| match prefix {
                    Some(_) => element.with_lang(value),
                    None => element.with_attribute(name, value),
                },
            )
        },
    );
    leaf.prop_recursive(4, 32, 4, move |inner| {
        let node = prop_oneof![inner.clone().prop_map(Node::Element), text.prop_map(Node::Text)];
        (inner, prop::collection::vec(node, 0..4)).prop_map(|(element, nodes)| {
            nodes.into_iter().fold(element, |element, node| match node {
                Node::Element(child) => element.with_child(child),
                Node::Text(text) => element.with_text(text),
            })
        })
    })
}

proptest! {
    #[test]
    fn an_element_is_read_as_it_is_written(element in elements(), at in 0..500_usize) {
        let text = element.encode(ns::CLIENT).unwrap();
        let (front, back) = text.as_bytes().split_at(at.min(text.len()));
        let events = parse(&[HEADER.as_bytes(), front, back]).unwrap();
        prop_assert_eq!(&events[1..], &[StreamEvent::Stanza(element)]);
    }

    #[test]
    fn what_is_read_can_be_written(text in "[<>/a='\" :xmlns&;\\[\\]!CDAT]{0,60}") {
        if let Ok(events) = parse(&[HEADER.as_bytes(), text.as_bytes()]) {
            for event in events {
                if let StreamEvent::Stanza(element) = event {
                    let written = element.encode(ns::CLIENT).unwrap();
                    prop_assert_eq!(stanza(written), Ok(element));
                }
            }
        }
    }
}
