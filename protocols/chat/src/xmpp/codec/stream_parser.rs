//! A stream as it arrives: [`StreamParser`].
//!
//! | | before the header | between stanzas | in a stanza | after the end |
//! |---|---|---|---|---|
//! | XML declaration | once, first of all | an error | an error | ignored |
//! | white space | ignored | ignored, costs nothing | text | ignored |
//! | text | an error | an error | text | ignored |
//! | CDATA | an error | an error | text | ignored |
//! | start of an element | the header | begins a stanza | a child | ignored |
//! | end of an element | an error | ends the stream | ends the innermost | ignored |
//! | comment, DTD, instruction, entity | an error | an error | an error | ignored |
//!
//! After an error, each call returns the same.

use super::{
    Attribute, Element, XmlError, XmlLimits,
    lexer::{Lexer, LexerError, Piece},
    namespaces::Namespaces,
    references::{Place, decode},
    start_tag::{StartTag, end_name},
};

/// What a stream has brought.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamEvent {
    /// The header: the root without its children.
    Opened(Element),
    /// An element below the root.
    Stanza(Element),
    /// The end of the root.
    Closed,
}

/// Finds the stanzas in a stream of XML, which may arrive in pieces of any size.
///
/// After TLS and after a login a new stream begins: use a new parser for it.
///
/// # Examples
///
/// ```
/// use sinew_chat::xmpp::codec::{StreamEvent, StreamParser, XmlLimits};
///
/// let mut parser = StreamParser::new(XmlLimits::default());
/// let mut data: &[u8] = b"<stream xmlns='urn:example'><message>Hel";
/// assert!(matches!(parser.next(&mut data)?, Some(StreamEvent::Opened(_))));
/// assert_eq!(parser.next(&mut data)?, None);
/// let mut data: &[u8] = b"lo</message>";
/// let Some(StreamEvent::Stanza(stanza)) = parser.next(&mut data)? else { unreachable!() };
/// assert_eq!(stanza.text(), "Hello");
/// # Ok::<(), sinew_chat::xmpp::codec::XmlError>(())
/// ```
#[derive(Debug)]
pub struct StreamParser {
    limits: XmlLimits,
    lexer: Lexer,
    namespaces: Namespaces,
    open: Vec<Open>,
    elements: usize,
    ended: Option<Result<(), XmlError>>,
}

/// An element whose end has not been received.
#[derive(Debug)]
struct Open {
    /// As it is written, for comparison with its end.
    written: Box<[u8]>,
    element: Element,
    declared: Vec<Box<str>>,
}

impl StreamParser {
    /// A parser before a stream.
    #[must_use]
    pub fn new(limits: XmlLimits) -> Self {
        Self {
            limits,
            lexer: Lexer::new(limits.stanza_max),
            namespaces: Namespaces::default(),
            open: Vec::new(),
            elements: 0,
            ended: None,
        }
    }

    /// Whether nothing of a stanza has been received.
    #[must_use]
    pub fn is_between_stanzas(&self) -> bool {
        self.open.len() <= 1 && self.lexer.is_idle()
    }

    /// The namespace of names without a prefix, as it is now: below the header, what the header has declared. Empty if there is none.
    #[must_use]
    pub fn default_ns(&self) -> &str {
        self.namespaces.default_ns()
    }

    /// Has other limits from the next stanza on, in a stream that does not begin again after its login, such as that of a component.
    pub fn set_limits(&mut self, limits: XmlLimits) {
        self.limits = limits;
        if self.open.len() <= 1 {
            self.begin_stanza();
        }
    }

    /// The next event, if all of it has been received. Takes what it uses from the front of the data: all of it, if there is none.
    ///
    /// # Errors
    ///
    /// [`XmlError`]. The stream is over: each other call returns the same.
    pub fn next(&mut self, data: &mut &[u8]) -> Result<Option<StreamEvent>, XmlError> {
        if let Some(end) = &self.ended {
            *data = &[];
            return end.clone().map(|()| None);
        }
        let result = self.step(data);
        if let Err(error) = &result {
            self.end(Err(error.clone()));
        }
        result
    }

    fn step(&mut self, data: &mut &[u8]) -> Result<Option<StreamEvent>, XmlError> {
        loop {
            let piece = match self.lexer.next(data, self.open.len() <= 1) {
                Ok(Some(piece)) => piece,
                Ok(None) => return Ok(None),
                Err(LexerError::Xml(error)) => return Err(error),
                Err(LexerError::Budget) => {
                    return Err(XmlError::StanzaTooLong { max: self.limits.stanza_max });
                }
            };
            let event = match piece {
                Piece::Declaration(declaration) => {
                    check_declaration(&declaration)?;
                    None
                }
                Piece::Text(text) => self.text(&text, Place::Content)?,
                Piece::Section(text) => self.text(&text, Place::Section)?,
                Piece::Tag(tag) => match tag.strip_prefix(b"/") {
                    Some(name) => self.end_tag(end_name(name))?,
                    None => self.start_tag(&tag)?,
                },
            };
            if event.is_some() {
                return Ok(event);
            }
        }
    }

    fn text(&mut self, text: &[u8], place: Place) -> Result<Option<StreamEvent>, XmlError> {
        let text = decode(text, place)?;
        if let Some(open) = self.open.last_mut() {
            open.element.push_text(text);
        }
        Ok(None)
    }

    fn start_tag(&mut self, tag: &[u8]) -> Result<Option<StreamEvent>, XmlError> {
        let limits = self.limits;
        if self.open.len() >= limits.depth_max {
            return Err(XmlError::TooDeep { max: limits.depth_max });
        }
        self.elements += 1;
        if self.elements > limits.elements_max {
            return Err(XmlError::TooManyElements { max: limits.elements_max });
        }
        let tag = StartTag::parse(tag, &limits)?;
        let declared = self.namespaces.enter(&tag)?;
        let mut element =
            Element::of(tag.name.local.into(), self.namespaces.of_element(tag.name.prefix)?);
        for (name, value) in &tag.attributes {
            if name.prefix == "xmlns" || (name.prefix.is_empty() && name.local == "xmlns") {
                continue;
            }
            let ns = self.namespaces.of_attribute(name.prefix)?;
            let value = value.clone();
            element.push_attribute(Attribute { ns, name: name.local.into(), value });
        }
        check_unique(&element)?;
        let written = written(&tag);
        let is_header = self.open.is_empty();
        let header = is_header.then(|| StreamEvent::Opened(element.clone()));
        self.open.push(Open { written, element, declared });
        if is_header {
            self.begin_stanza();
        }
        match (header, tag.is_empty) {
            (None, true) => self.close_innermost(),
            (Some(_), true) => Err(XmlError::malformed("a stream that ends in its header")),
            (header, false) => Ok(header),
        }
    }

    fn end_tag(&mut self, name: &[u8]) -> Result<Option<StreamEvent>, XmlError> {
        match self.open.last() {
            Some(open) if *open.written == *name => self.close_innermost(),
            _ => Err(XmlError::malformed("the end of an element that is not open")),
        }
    }

    fn close_innermost(&mut self) -> Result<Option<StreamEvent>, XmlError> {
        let Some(Open { element, declared, .. }) = self.open.pop() else { return Ok(None) };
        self.namespaces.leave(&declared);
        match self.open.as_mut_slice() {
            [] => {
                self.end(Ok(()));
                Ok(Some(StreamEvent::Closed))
            }
            [_] => {
                self.begin_stanza();
                Ok(Some(StreamEvent::Stanza(element)))
            }
            [.., parent] => {
                parent.element.push(element);
                Ok(None)
            }
        }
    }

    fn begin_stanza(&mut self) {
        self.elements = 0;
        self.lexer.renew(self.limits.stanza_max);
    }

    /// Keeps nothing but the result.
    fn end(&mut self, result: Result<(), XmlError>) {
        *self = Self::new(self.limits);
        self.ended = Some(result);
    }
}

fn written(tag: &StartTag<'_>) -> Box<[u8]> {
    let (prefix, local) = (tag.name.prefix, tag.name.local);
    match prefix {
        "" => local.as_bytes().into(),
        _ => [prefix, ":", local].concat().into_bytes().into(),
    }
}

/// No attribute twice, also not by two prefixes of one namespace.
fn check_unique(element: &Element) -> Result<(), XmlError> {
    let mut names: Vec<_> =
        element.attributes().iter().map(|known| (known.ns.as_deref(), &*known.name)).collect();
    names.sort_unstable();
    match names.windows(2).any(|pair| pair[0] == pair[1]) {
        true => Err(XmlError::malformed("an attribute twice")),
        false => Ok(()),
    }
}

/// `xml version='1.0' encoding='UTF-8'`, in which only the encoding matters.
fn check_declaration(declaration: &[u8]) -> Result<(), XmlError> {
    let limits = XmlLimits::default().attributes_max(3);
    let tag = StartTag::parse(declaration, &limits)?;
    if (tag.name.prefix, tag.name.local) != ("", "xml") {
        return Err(XmlError::Restricted { what: "a processing instruction" });
    }
    // XML 1.0 2.8: in this order, and the version always.
    let mut last = None;
    for (name, value) in &tag.attributes {
        let place = match (name.prefix, name.local, value.as_str()) {
            ("", "version", version) if version.starts_with("1.") => 0,
            ("", "encoding", encoding) if encoding.eq_ignore_ascii_case("UTF-8") => 1,
            ("", "encoding", _) => return Err(XmlError::UnsupportedEncoding),
            ("", "standalone", "yes" | "no") => 2,
            _ => return Err(XmlError::malformed("the XML declaration")),
        };
        if last.map_or(place != 0, |last| place <= last) {
            return Err(XmlError::malformed("the XML declaration"));
        }
        last = Some(place);
    }
    match last.is_some() && !tag.is_empty {
        true => Ok(()),
        false => Err(XmlError::malformed("the XML declaration")),
    }
}
