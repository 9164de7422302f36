//! What is between `<` and `>`: [`StartTag`], its name and attributes as they are written. Pure.

use super::{
    XmlError, XmlLimits,
    references::{Place, decode},
    xml_chars::{is_name, is_space},
};

/// A name as it is written: a prefix, which may be empty, and the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct QName<'a> {
    pub(super) prefix: &'a str,
    pub(super) local: &'a str,
}

#[derive(Debug)]
pub(super) struct StartTag<'a> {
    pub(super) name: QName<'a>,
    pub(super) attributes: Vec<(QName<'a>, String)>,
    /// `<a/>`
    pub(super) is_empty: bool,
}

impl<'a> StartTag<'a> {
    pub(super) fn parse(tag: &'a [u8], limits: &XmlLimits) -> Result<Self, XmlError> {
        let (tag, is_empty) = tag.strip_suffix(b"/").map_or((tag, false), |tag| (tag, true));
        let len = tag.iter().position(|byte| is_space(*byte)).unwrap_or(tag.len());
        let (name, mut rest) = tag.split_at(len);
        let name = q_name(name, limits)?;
        let mut attributes = Vec::new();
        loop {
            let trimmed = skip_spaces(rest);
            if trimmed.is_empty() {
                return Ok(Self { name, attributes, is_empty });
            }
            if trimmed.len() == rest.len() {
                return Err(XmlError::malformed("no space before an attribute"));
            }
            if attributes.len() >= limits.attributes_max {
                return Err(XmlError::TooManyAttributes { max: limits.attributes_max });
            }
            let attribute;
            (attribute, rest) = one_attribute(trimmed, limits)?;
            attributes.push(attribute);
        }
    }
}

/// The name of `</a>`.
pub(super) fn end_name(tag: &[u8]) -> &[u8] {
    let spaces = tag.iter().rev().take_while(|byte| is_space(**byte)).count();
    &tag[..tag.len() - spaces]
}

type Attribute<'a> = (QName<'a>, String);

fn one_attribute<'a>(
    bytes: &'a [u8],
    limits: &XmlLimits,
) -> Result<(Attribute<'a>, &'a [u8]), XmlError> {
    let malformed = XmlError::malformed("an attribute without a value");
    let is_end = |byte: &u8| *byte == b'=' || is_space(*byte);
    let len = bytes.iter().position(is_end).ok_or(malformed.clone())?;
    let name = q_name(&bytes[..len], limits)?;
    let rest = skip_spaces(&bytes[len..]);
    let rest = skip_spaces(rest.strip_prefix(b"=").ok_or(malformed.clone())?);
    let (quote, rest) = rest.split_first().ok_or(malformed.clone())?;
    if !matches!(quote, b'\'' | b'"') {
        return Err(XmlError::malformed("a value without quotation marks"));
    }
    let len = memchr::memchr(*quote, rest).ok_or(malformed)?;
    if len > limits.value_max {
        return Err(XmlError::ValueTooLong { max: limits.value_max });
    }
    let value = decode(&rest[..len], Place::Value)?;
    Ok(((name, value), &rest[len + 1..]))
}

fn q_name<'a>(name: &'a [u8], limits: &XmlLimits) -> Result<QName<'a>, XmlError> {
    if name.len() > limits.value_max {
        return Err(XmlError::ValueTooLong { max: limits.value_max });
    }
    let name = std::str::from_utf8(name).map_err(|_| XmlError::NotUtf8)?;
    let (prefix, local) = match name.split_once(':') {
        Some((prefix, local)) if is_name(prefix) => (prefix, local),
        Some(_) => return Err(XmlError::malformed("a name that is none")),
        None => ("", name),
    };
    match is_name(local) {
        true => Ok(QName { prefix, local }),
        false => Err(XmlError::malformed("a name that is none")),
    }
}

fn skip_spaces(bytes: &[u8]) -> &[u8] {
    let spaces = bytes.iter().take_while(|byte| is_space(**byte)).count();
    &bytes[spaces..]
}
