//! Characters as XML writes them: references in both directions, and line ends (XML 1.0 2.11, 3.3.3, 4.6).

use super::{XmlError, xml_chars::is_char};

/// Where text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Between tags.
    Content,
    /// In a section of CDATA, which has no references.
    Section,
    /// In the value of an attribute, where white space is a space.
    Value,
}

/// Reads text.
pub(super) fn decode(bytes: &[u8], place: Place) -> Result<String, XmlError> {
    let text = std::str::from_utf8(bytes).map_err(|_| XmlError::NotUtf8)?;
    if place == Place::Content && text.contains("]]>") {
        return Err(XmlError::malformed("`]]>` in text"));
    }
    let mut decoded = String::with_capacity(text.len());
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '&' if place != Place::Section => {
                let rest = &text[at + 1..];
                // The longest is `&#x10FFFF;`, or one with zeros before it.
                let len = rest.bytes().take(16).position(|byte| byte == b';');
                let len = len.ok_or(XmlError::malformed("a reference without its end"))?;
                decoded.push(referred(&rest[..len])?);
                // All of it is ASCII.
                while chars.next_if(|(next, _)| *next <= at + 1 + len).is_some() {}
            }
            '\r' => {
                chars.next_if(|(_, next)| *next == '\n');
                decoded.push(if place == Place::Value { ' ' } else { '\n' });
            }
            '\t' | '\n' if place == Place::Value => decoded.push(' '),
            c if is_char(c) => decoded.push(c),
            _ => return Err(XmlError::malformed("a character that XML does not have")),
        }
    }
    Ok(decoded)
}

fn referred(name: &str) -> Result<char, XmlError> {
    let number = match name {
        "lt" => return Ok('<'),
        "gt" => return Ok('>'),
        "amp" => return Ok('&'),
        "apos" => return Ok('\''),
        "quot" => return Ok('"'),
        name => name.strip_prefix('#').ok_or(XmlError::Restricted { what: "an entity" })?,
    };
    let (digits, radix) = number.strip_prefix('x').map_or((number, 10), |digits| (digits, 16));
    let is_number = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
    let number = is_number.then(|| u32::from_str_radix(digits, radix).ok()).flatten();
    let c = number.and_then(char::from_u32).filter(|c| is_char(*c));
    c.ok_or(XmlError::malformed("a reference to no character"))
}

/// Writes text so that it is read as the same. Returns whether XML can hold it.
pub(super) fn encode(out: &mut String, text: &str, place: Place) -> bool {
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\'' => out.push_str("&apos;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#xD;"),
            '\n' if place == Place::Value => out.push_str("&#xA;"),
            '\t' if place == Place::Value => out.push_str("&#x9;"),
            c if is_char(c) => out.push(c),
            _ => return false,
        }
    }
    true
}
