//! The field `Sec-WebSocket-Extensions` (RFC 6455 9.1).

use crate::codec::{is_token, split_outside_quotes};

/// An extension that is offered or accepted, with its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::websocket) struct Extension {
    pub(super) name: String,
    pub(super) params: Vec<(String, Option<String>)>,
}

/// The extensions of a head, in order; `None` if they do not follow the grammar. `elements` are those of all fields of the name.
pub(in crate::websocket) fn extensions<'a>(
    elements: impl Iterator<Item = &'a str>,
) -> Option<Vec<Extension>> {
    elements.map(extension).collect()
}

fn extension(element: &str) -> Option<Extension> {
    let mut parts = split_outside_quotes(element, b';').map(str::trim);
    let name = parts.next().filter(|name| is_name(name))?.to_owned();
    let params = parts.map(|part| match part.split_once('=') {
        None => is_name(part).then(|| (part.to_owned(), None)),
        Some((name, value)) => {
            let (name, value) = (name.trim(), unquote(value.trim())?);
            // A quoted value has to be a token, too (RFC 6455 9.1).
            (is_name(name) && is_name(&value)).then(|| (name.to_owned(), Some(value)))
        }
    });
    Some(Extension { name, params: params.collect::<Option<_>>()? })
}

fn unquote(value: &str) -> Option<String> {
    let Some(inner) = value.strip_prefix('"') else { return Some(value.to_owned()) };
    let mut plain = String::new();
    let mut rest = inner.strip_suffix('"')?.chars();
    while let Some(char) = rest.next() {
        match char {
            '\\' => plain.push(rest.next()?),
            '"' => return None,
            char => plain.push(char),
        }
    }
    Some(plain)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::list;

    #[test]
    fn what_follows_the_grammar() {
        let parse = |value| {
            extensions(list(value)).map(|found| {
                found
                    .iter()
                    .map(|extension| {
                        let params = extension.params.iter().map(|(name, value)| match value {
                            Some(value) => format!(" {name}={value}"),
                            None => format!(" {name}"),
                        });
                        extension.name.clone() + &params.collect::<String>()
                    })
                    .collect::<Vec<_>>()
                    .join(", ")
            })
        };
        let cases = [
            ("", Some("")),
            ("a", Some("a")),
            ("a;b ; c=1;d=\"2\" , e;f=\"\\3\"", Some("a b c=1 d=2, e f=3")),
            ("a;", None),
            ("a b", None),
            (";a", None),
            ("a;b=", None),
            ("a;b=\"c", None),
            ("a;b=\"c,d\"", None),
            ("a;b=\"\"", None),
            ("a;b=\"c\\\"", None),
            ("a;=b", None),
        ];
        for (value, expected) in cases {
            assert_eq!(parse(value).as_deref(), expected, "{value}");
        }
    }
}
