//! From elements to XML: [`Element::encode`], the only way. All that XML cannot hold is an error, and all that has a meaning in XML is
//! escaped, so that nothing in a value can end it.

use std::fmt::Write as _;

use super::{
    Element, Node, ns,
    references::{Place, encode},
    xml_chars::is_name,
};

/// Most elements in each other that are written.
const DEPTH_MAX: usize = 128;

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
    #[error("elements are more than {DEPTH_MAX} deep in each other")]
    TooDeep,
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
        if self.height() > DEPTH_MAX {
            return Err(EncodeError::TooDeep);
        }
        let mut out = String::new();
        self.write(&mut out, within, max, true)?;
        bounded(&out, max)?;
        Ok(out)
    }

    /// The nodes of the outermost element are written once for all elements that share them.
    fn write(
        &self,
        out: &mut String,
        within: &str,
        max: usize,
        is_outermost: bool,
    ) -> Result<(), EncodeError> {
        bounded(out, max)?;
        if !is_name(self.name()) {
            return Err(EncodeError::Name);
        }
        // This prefix is always there, and its namespace cannot be the default one.
        let (prefix, within_this) = match self.ns() {
            ns::XML => ("xml:", within),
            own => ("", own),
        };
        let _ = write!(out, "<{prefix}{}", self.name());
        if within_this != within {
            declarable(within_this)?;
            value(out, "xmlns", within_this)?;
        }
        self.write_attributes(out, max)?;
        if self.nodes().is_empty() {
            out.push_str("/>");
            return Ok(());
        }
        out.push('>');
        // They depend on nothing but the namespace of the element, which clones have in common, unless it declares none.
        match self.written().filter(|_| is_outermost && prefix.is_empty()) {
            None => self.write_nodes(out, within_this, max)?,
            Some(written) => match written.get() {
                Some(text) => out.push_str(text),
                None => {
                    let start = out.len();
                    self.write_nodes(out, within_this, max)?;
                    written.get_or_init(|| out[start..].into());
                }
            },
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
