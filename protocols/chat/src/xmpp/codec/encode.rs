//! From elements to XML: [`Element::encode`], the only way. All that XML cannot hold is an error, and all that has a meaning in XML is
//! escaped, so that nothing in a value can end it.

use std::fmt::Write as _;

use bytes::Bytes;

use super::{
    Element, Node,
    encoded::Encoded,
    ns,
    references::{Place, encode},
    xml_chars::is_name,
    xml_limits::DEPTH,
};

/// Most elements in each other that are written: by a server, which puts others around what it was sent, and to files.
const DEPTH_MAX: usize = 128;

/// Shorter nodes are copied: below this, a queue of output copies them too.
const SHARED_MIN: usize = 4 * 1_024;

/// Why an element cannot be written as XML.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A name is none.
    #[error("an element or an attribute has a name that XML does not have")]
    Name,
    /// A namespace that elements and attributes cannot have.
    #[error("an element or an attribute has a namespace that cannot be declared")]
    Namespace,
    /// A text or a value has a character that XML does not have, such as NUL.
    #[error("a text or a value has a character that XML does not have")]
    Character,
    /// Elements are too deep in each other.
    #[error("elements are more than {max} deep in each other")]
    TooDeep {
        /// The limit.
        max: usize,
    },
    /// It is longer than is allowed here: [`Element::encode_at_most`].
    #[error("an element has more than {max} bytes")]
    TooLong {
        /// How many bytes were written when that was found.
        len: usize,
        /// The limit.
        max: usize,
    },
}

sinew_transports::reactor::error_debug!(EncodeError);

impl Element {
    /// The element as XML, to be written where this namespace is the default one: `jabber:client` in the stream of a client.
    ///
    /// # Errors
    ///
    /// [`EncodeError`].
    pub fn encode(&self, within: &str) -> Result<String, EncodeError> {
        self.encode_at_most(within, usize::MAX)
    }

    /// The same, of at most this many bytes. An element that was received may be many times as long when it is written, since prefixes
    /// are not kept: a long namespace is then said again and again.
    ///
    /// # Errors
    ///
    /// [`EncodeError`].
    pub fn encode_at_most(&self, within: &str, max: usize) -> Result<String, EncodeError> {
        self.at_most_deep(DEPTH_MAX)?;
        let mut out = String::new();
        self.write(&mut out, within, max, true)?;
        bounded(&out, max)?;
        Ok(out)
    }

    /// The same, for a server, which takes no deeper elements than ours does by default.
    pub(in crate::xmpp) fn encode_for_server(
        &self,
        within: &str,
        max: usize,
    ) -> Result<String, EncodeError> {
        // The stream is around it.
        self.at_most_deep(DEPTH - 1)?;
        self.encode_at_most(within, max)
    }

    const fn at_most_deep(&self, max: usize) -> Result<(), EncodeError> {
        match self.height() > max {
            true => Err(EncodeError::TooDeep { max }),
            false => Ok(()),
        }
    }

    /// The same, with what it shares with clones of it in one piece of memory, if that is long.
    pub(in crate::xmpp) fn encode_shared(
        &self,
        within: &str,
        max: usize,
    ) -> Result<Encoded, EncodeError> {
        self.at_most_deep(DEPTH_MAX)?;
        let (mut start, mut shared, mut end) = (String::new(), Bytes::new(), String::new());
        self.write_start(&mut start, within, max)?;
        match self.written_nodes(max)? {
            Some(nodes) if nodes.len() >= SHARED_MIN => {
                start.push('>');
                shared = nodes;
                let _ = write!(end, "</{}>", self.name());
            }
            _ => self.write_rest(&mut start, within, max, true)?,
        }
        match start.len() + shared.len() + end.len() {
            len if len > max => Err(EncodeError::TooLong { len, max }),
            _ => Ok(Encoded { start, shared, end }),
        }
    }

    /// The nodes as XML, written once for all elements that share them; none if no other element has them. They depend on nothing but the
    /// namespace of the element, which clones have in common, unless it declares none.
    fn written_nodes(&self, max: usize) -> Result<Option<Bytes>, EncodeError> {
        let is_shared = !self.nodes().is_empty() && self.ns() != ns::XML;
        let Some(written) = self.written().filter(|_| is_shared) else { return Ok(None) };
        if let Some(nodes) = written.get() {
            return Ok(Some(nodes.clone()));
        }
        let mut out = String::new();
        self.write_nodes(&mut out, self.ns(), max)?;
        bounded(&out, max)?;
        Ok(Some(written.get_or_init(|| out.into_boxed_str().into_boxed_bytes().into()).clone()))
    }

    fn write(
        &self,
        out: &mut String,
        within: &str,
        max: usize,
        is_outermost: bool,
    ) -> Result<(), EncodeError> {
        self.write_start(out, within, max)?;
        self.write_rest(out, within, max, is_outermost)
    }

    /// The start without its end: `<a b='c'`.
    fn write_start(&self, out: &mut String, within: &str, max: usize) -> Result<(), EncodeError> {
        bounded(out, max)?;
        if !is_name(self.name()) {
            return Err(EncodeError::Name);
        }
        let (prefix, within_this) = self.place(within);
        let _ = write!(out, "<{prefix}{}", self.name());
        if within_this != within {
            declarable(within_this)?;
            value(out, "xmlns", within_this)?;
        }
        self.write_attributes(out, max)
    }

    /// The prefix, and what is the default namespace within.
    fn place<'a>(&'a self, within: &'a str) -> (&'static str, &'a str) {
        match self.ns() {
            // This prefix is always there, and its namespace cannot be the default one.
            ns::XML => ("xml:", within),
            own => ("", own),
        }
    }

    fn write_rest(
        &self,
        out: &mut String,
        within: &str,
        max: usize,
        is_outermost: bool,
    ) -> Result<(), EncodeError> {
        if self.nodes().is_empty() {
            out.push_str("/>");
            return Ok(());
        }
        out.push('>');
        let (prefix, within_this) = self.place(within);
        let nodes = if is_outermost { self.written_nodes(max)? } else { None };
        match nodes.as_deref().map(std::str::from_utf8) {
            Some(Ok(nodes)) => out.push_str(nodes),
            _ => self.write_nodes(out, within_this, max)?,
        }
        let _ = write!(out, "</{prefix}{}>", self.name());
        Ok(())
    }

    fn write_nodes(&self, out: &mut String, within: &str, max: usize) -> Result<(), EncodeError> {
        for node in self.nodes() {
            match node {
                Node::Element(child) => child.write(out, within, max, false)?,
                Node::Text(text) => {
                    if !encode(out, text, Place::Content) {
                        return Err(EncodeError::Character);
                    }
                }
            }
        }
        Ok(())
    }

    fn write_attributes(&self, out: &mut String, max: usize) -> Result<(), EncodeError> {
        for (at, attribute) in self.attributes().iter().enumerate() {
            bounded(out, max)?;
            let name = &*attribute.name;
            match attribute.ns.as_deref() {
                _ if !is_name(name) => return Err(EncodeError::Name),
                None if name == "xmlns" => return Err(EncodeError::Name),
                None => value(out, name, &attribute.value)?,
                Some(ns::XML) => value(out, &format!("xml:{name}"), &attribute.value)?,
                Some("") => return Err(EncodeError::Namespace),
                Some(of) => {
                    declarable(of)?;
                    let mut before = self.attributes()[..at].iter();
                    let declared = before.position(|known| known.ns.as_deref() == Some(of));
                    let number = declared.unwrap_or(at);
                    if declared.is_none() {
                        value(out, &format!("xmlns:a{number}"), of)?;
                    }
                    value(out, &format!("a{number}:{name}"), &attribute.value)?;
                }
            }
        }
        Ok(())
    }
}

const fn bounded(out: &str, max: usize) -> Result<(), EncodeError> {
    match out.len() {
        len if len > max => Err(EncodeError::TooLong { len, max }),
        _ => Ok(()),
    }
}

fn declarable(ns: &str) -> Result<(), EncodeError> {
    match ns {
        ns::XML | ns::XMLNS => Err(EncodeError::Namespace),
        _ => Ok(()),
    }
}

fn value(out: &mut String, name: &str, value: &str) -> Result<(), EncodeError> {
    let _ = write!(out, " {name}='");
    if !encode(out, value, Place::Value) {
        return Err(EncodeError::Character);
    }
    out.push('\'');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xmpp::codec::{StreamEvent, StreamParser, XmlLimits};

    fn read(text: &str) -> Element {
        let mut parser = StreamParser::new(XmlLimits::default());
        let mut header: &[u8] = b"<s xmlns='jabber:client'>";
        assert!(matches!(parser.next(&mut header), Ok(Some(StreamEvent::Opened(_)))));
        match parser.next(&mut text.as_bytes()) {
            Ok(Some(StreamEvent::Stanza(element))) => element,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn clones_are_written_as_they_are() {
        let message = read("<message><body>a</body></message>");
        let mut other = message.clone().with_attribute("to", "b");
        let text = |element: &Element| element.encode("jabber:client").unwrap();
        for _ in 0..2 {
            assert_eq!(text(&message), "<message><body>a</body></message>");
            assert_eq!(text(&other), "<message to='b'><body>a</body></message>");
            assert_eq!(
                message.encode("urn:x").unwrap(),
                "<message xmlns='jabber:client'><body>a</body></message>"
            );
            assert!(message.encode_at_most("jabber:client", 20).is_err());
        }
        other.push(Element::new("thread", "jabber:client"));
        assert_eq!(text(&other), "<message to='b'><body>a</body><thread/></message>");
        assert_eq!(text(&message), "<message><body>a</body></message>");
        // Alone again, and changed.
        let mut alone = message.clone();
        assert_eq!(text(&alone), text(&message));
        drop(message);
        alone.remove_children("body", "jabber:client");
        assert_eq!(text(&alone), "<message/>");
        let mut moved = other.clone();
        assert_eq!(text(&moved), text(&other));
        moved.move_to_ns("jabber:client", &"urn:x".into());
        assert_eq!(text(&moved), "<message xmlns='urn:x' to='b'><body>a</body><thread/></message>");
        assert_eq!(text(&other), "<message to='b'><body>a</body><thread/></message>");
    }

    #[test]
    fn clones_share_what_is_long() {
        let message = read(&format!("<message><body>{}</body></message>", "a".repeat(10_000)));
        let copies: Vec<_> = ["b", "c", "d"]
            .iter()
            .map(|to| message.clone().with_attribute("to", *to))
            .map(|copy| (copy.encode(ns::CLIENT).unwrap(), copy.encode_shared(ns::CLIENT, 20_000)))
            .map(|(text, encoded)| (text, encoded.unwrap()))
            .collect();
        let first = copies[0].1.parts().1.as_ptr();
        for (text, encoded) in &copies {
            let (start, shared, end) = encoded.parts();
            let whole = [start.as_bytes(), shared, end.as_bytes()].concat();
            assert_eq!((whole.as_slice(), encoded.len()), (text.as_bytes(), text.len()));
            assert!(shared.len() > 10_000 && shared.as_ptr() == first, "one piece of memory");
        }
        let len = copies[0].0.len();
        let copy = message.clone().with_attribute("to", "b");
        assert!(copy.encode_shared(ns::CLIENT, len).is_ok());
        assert!(matches!(
            copy.encode_shared(ns::CLIENT, len - 1),
            Err(EncodeError::TooLong { max, .. }) if max == len - 1
        ));
        // Alone, short, or empty.
        for text in ["<message><body>b</body></message>", "<message/>"] {
            let short = read(text);
            let _clone = short.clone();
            assert_eq!(
                short.encode_shared(ns::CLIENT, 100).unwrap().parts(),
                (text, &Bytes::new(), "")
            );
        }
    }

    #[test]
    fn what_was_read_can_be_written() {
        for (text, written) in [
            ("<a xmlns='urn:a'><xml:b><c/></xml:b></a>", None),
            ("<xml:b xmlns='urn:a'><c/></xml:b>", Some("<xml:b><c xmlns='urn:a'/></xml:b>")),
            (
                "<a xmlns:p='urn:p' xmlns:q='urn:q' p:x='1' q:x='2' p:y='3' xml:lang='en' x='4'/>",
                Some(
                    "<a xmlns:a0='urn:p' a0:x='1' xmlns:a1='urn:q' a1:x='2' a0:y='3' xml:lang='en' x='4'/>",
                ),
            ),
        ] {
            let element = read(text);
            let again = element.encode(ns::CLIENT).unwrap();
            assert_eq!(again, written.unwrap_or(text));
            assert_eq!(read(&again), element);
        }
    }

    #[test]
    fn short_when_read_and_long_when_written() {
        let space = "x".repeat(8_000);
        let children = "<p:c/>".repeat(16_000);
        let element = read(&format!("<a xmlns:p='{space}'>{children}</a>"));
        match element.encode_at_most(ns::CLIENT, 262_144) {
            Err(EncodeError::TooLong { len, max: 262_144 }) => assert!(len < 280_000, "{len}"),
            other => panic!("{:?}", other.map(|text| text.len())),
        }
        let small = read("<a><b/></a>");
        assert_eq!(small.encode_at_most(ns::CLIENT, 11).unwrap().len(), 11);
        assert!(small.encode_at_most(ns::CLIENT, 10).is_err());
    }
}
