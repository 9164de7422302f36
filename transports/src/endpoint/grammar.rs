//! The grammar of endpoint strings, as in Twisted: `kind:value:name=value`. Pure.
//!
//! A colon ends a field. The first equals sign of a field separates the name from the value; later ones belong to the value. A
//! backslash makes the next character, whichever it is, an ordinary one. Nothing is trimmed.
//!
//! One extension: a value that is an IPv6 address in brackets, `[::1]`, needs no backslashes.

use std::{borrow::Cow, ops::Range};

use super::error::{EndpointError, EndpointProblem};
use crate::names::literal::Literal;

/// A field between two colons, unescaped. Positions are counted in characters of the whole string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: Option<String>,
    pub(super) value: String,
    /// Position of the whole field, backslashes included.
    pub(super) place: Range<usize>,
    /// Position of the value.
    pub(super) value_at: usize,
}

impl Field {
    const fn new(at: usize) -> Self {
        Self { name: None, value: String::new(), place: at..at, value_at: at }
    }

    pub(super) const fn value_place(&self) -> Range<usize> {
        self.value_at..self.place.end
    }
}

/// Splits a string into fields, at least one.
pub(super) fn fields(text: &str) -> Result<Vec<Field>, EndpointError> {
    if text.is_empty() {
        return Err(EndpointError::new(text, 0..0, EndpointProblem::Empty));
    }
    let mut done = Vec::new();
    let mut field = Field::new(0);
    // Positions are counted in characters.
    let (mut at, mut rest) = (0, text.chars());
    loop {
        if at == field.value_at
            && let Some(literal) = in_brackets(rest.as_str())
        {
            field.value.push_str(literal);
            at += literal.len();
            rest = rest.as_str()[literal.len()..].chars();
            field.place.end = at;
        }
        let Some(character) = rest.next() else { break };
        field.place.end = at + 1;
        match character {
            ':' => {
                field.place.end = at;
                done.push(std::mem::replace(&mut field, Field::new(at + 1)));
            }
            '=' if field.name.is_none() => {
                field.name = Some(std::mem::take(&mut field.value));
                field.value_at = at + 1;
            }
            '\\' => {
                let Some(escaped) = rest.next() else {
                    let problem = EndpointProblem::LoneBackslash;
                    return Err(EndpointError::new(text, at..at + 1, problem));
                };
                at += 1;
                field.value.push(escaped);
                field.place.end = at + 1;
            }
            other => field.value.push(other),
        }
        at += 1;
    }
    done.push(field);
    Ok(done)
}

/// Longest address in brackets.
const IN_BRACKETS_LEN_MAX: usize = 128;

/// The IPv6 address in brackets at the front, if it fills the field. ASCII only.
fn in_brackets(rest: &str) -> Option<&str> {
    let inside = rest.strip_prefix('[')?;
    let len = inside.bytes().take(IN_BRACKETS_LEN_MAX).position(|byte| byte == b']')?;
    let (literal, after) = rest.split_at(len + 2);
    let is_all = after.is_empty() || after.starts_with(':');
    (is_all && Literal::parse(literal).is_some()).then_some(literal)
}

/// Escapes the special characters in a value of an endpoint string.
///
/// # Examples
///
/// ```
/// use sinew_transports::endpoint::quote;
///
/// assert_eq!(format!("tcp:8080:interface={}", quote("::1")), r"tcp:8080:interface=\:\:1");
/// ```
#[must_use]
pub fn quote(value: &str) -> Cow<'_, str> {
    let is_special = |character| matches!(character, ':' | '\\' | '=');
    if !value.contains(is_special) {
        return Cow::Borrowed(value);
    }
    let mut quoted = String::with_capacity(value.len() + 4);
    for character in value.chars() {
        if is_special(character) {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    Cow::Owned(quoted)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `name=value`, or the value alone, for each field.
    fn shown(text: &str) -> Vec<String> {
        let show = |field: Field| match field.name {
            Some(name) => format!("{name}={}", field.value),
            None => field.value,
        };
        fields(text).unwrap().into_iter().map(show).collect()
    }

    #[test]
    fn grammar_is_that_of_twisted() {
        let cases: &[(&str, &[&str])] = &[
            ("tcp:80", &["tcp", "80"]),
            ("a", &["a"]),
            (":", &["", ""]),
            ("a::b", &["a", "", "b"]),
            (r"a\:b:c", &["a:b", "c"]),
            (r"\x\\\:", &[r"x\:"]),
            ("tcp:80:interface=::1", &["tcp", "80", "interface=", "", "1"]),
            (r"tcp:80:interface=\:\:1", &["tcp", "80", "interface=::1"]),
            ("a:k=v=w", &["a", "k=v=w"]),
            (" a : b = c ", &[" a ", " b = c "]),
            // The extension.
            ("[::1]:80", &["[::1]", "80"]),
            ("tcp:[fe80::1%lo]:80", &["tcp", "[fe80::1%lo]", "80"]),
            ("tcp6:80:interface=[::1]", &["tcp6", "80", "interface=[::1]"]),
            ("process:[:::1]", &["process", "[", "", "", "1]"]),
            ("a[::1]:80", &["a[", "", "1]", "80"]),
            ("[::1]x:80", &["[", "", "1]x", "80"]),
            ("[::1]=80", &["[", "", "1]=80"]),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text), *expected, "{text:?}");
        }
        // An escaped equals sign does not separate.
        let field = &fields(r"a\=b").unwrap()[0];
        assert_eq!((field.name.as_deref(), &*field.value), (None, "a=b"));
    }

    #[test]
    fn positions_are_counted_in_characters() {
        let fields = fields(r"ä:n=v\:w::[::1]:x").unwrap();
        let places: Vec<_> = fields.iter().map(|field| field.place.clone()).collect();
        assert_eq!(places, [0..1, 2..8, 9..9, 10..15, 16..17]);
        assert_eq!(fields[1].value_place(), 4..8);
    }

    #[test]
    fn malformed_strings() {
        for (text, column) in [("", 1), ("a:\\", 3), ("\\", 1)] {
            assert_eq!(fields(text).unwrap_err().column(), column, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn quoted_values_parse_unchanged(values in prop::collection::vec("\\PC*", 1..5)) {
            let text = values.iter().map(|value| quote(value)).collect::<Vec<_>>().join(":");
            prop_assume!(!text.is_empty());
            let back: Vec<_> = fields(&text).unwrap().into_iter().map(|field| field.value).collect();
            prop_assert_eq!(back, values);
        }
    }
}
