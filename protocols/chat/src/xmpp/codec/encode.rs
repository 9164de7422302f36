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
}

sinew_transports::reactor::error_debug!(EncodeError);

impl Element {
    /// The element as XML, to be written where this namespace is the default one: `jabber:client` in the stream of a client.
    ///
    /// # Errors
    ///
    /// [`EncodeError`].
    pub fn encode(&self, within: &str) -> Result<String, EncodeError> {
        if self.height() > DEPTH_MAX {
            return Err(EncodeError::TooDeep);
        }
        let mut out = String::new();
        self.write(&mut out, within)?;
        Ok(out)
    }

    fn write(&self, out: &mut String, within: &str) -> Result<(), EncodeError> {
        if !is_name(self.name()) {
            return Err(EncodeError::Name);
        }
        out.push('<');
        out.push_str(self.name());
        if self.ns() != within {
            declarable(self.ns())?;
            value(out, "xmlns", self.ns())?;
        }
        self.write_attributes(out)?;
        if self.nodes().is_empty() {
            out.push_str("/>");
            return Ok(());
        }
        out.push('>');
        for node in self.nodes() {
            match node {
                Node::Element(child) => child.write(out, self.ns())?,
                Node::Text(text) => {
                    if !encode(out, text, Place::Content) {
                        return Err(EncodeError::Character);
                    }
                }
            }
        }
        let _ = write!(out, "</{}>", self.name());
        Ok(())
    }

    fn write_attributes(&self, out: &mut String) -> Result<(), EncodeError> {
        for (number, attribute) in self.attributes().iter().enumerate() {
            let name = &*attribute.name;
            match attribute.ns.as_deref() {
                _ if !is_name(name) => return Err(EncodeError::Name),
                None if name == "xmlns" => return Err(EncodeError::Name),
                None => value(out, name, &attribute.value)?,
                Some(ns::XML) => value(out, &format!("xml:{name}"), &attribute.value)?,
                Some("") => return Err(EncodeError::Namespace),
                Some(of) => {
                    declarable(of)?;
                    value(out, &format!("xmlns:a{number}"), of)?;
                    value(out, &format!("a{number}:{name}"), &attribute.value)?;
                }
            }
        }
        Ok(())
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
