//! Parser of `WWW-Authenticate` and `Proxy-Authenticate` (RFC 9110 11.6.1): [`Challenge`], [`challenges`].

use std::borrow::Cow;

use super::fields::{is_token, split_outside_quotes, unquoted};

/// Most challenges of a field that are parsed. Further ones are ignored.
const CHALLENGES_MAX: usize = 16;

/// Most parameters of a challenge that are parsed. Further ones are ignored.
const PARAMETERS_MAX: usize = 32;

/// An authentication challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Challenge<'a> {
    /// The scheme, such as `Digest`.
    pub scheme: &'a str,
    /// The token after the scheme, if there is one, as with `Negotiate`.
    pub token: Option<&'a str>,
    /// Parameters: names, and unquoted values.
    pub parameters: Vec<(&'a str, Cow<'a, str>)>,
}

impl Challenge<'_> {
    /// Whether it has this scheme, case-insensitively.
    #[must_use]
    pub fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// The first parameter with this name, case-insensitively.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let mut named =
            self.parameters.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| &**value)
    }
}

/// The challenges of a field. Malformed ones are skipped.
///
/// # Examples
///
/// ```
/// use sinew_http::codec::challenges;
///
/// let found = challenges(r#"Digest realm="a, \"b\"", qop="auth", nonce=x, Basic realm="c""#);
/// assert_eq!(found.len(), 2);
/// assert!(found[0].is("digest") && found[0].parameter("Realm") == Some("a, \"b\""));
/// assert_eq!(found[1].parameter("realm"), Some("c"));
/// ```
#[must_use]
pub fn challenges(value: &str) -> Vec<Challenge<'_>> {
    let mut found: Vec<Challenge<'_>> = Vec::new();
    // Commas separate challenges as well as parameters: a parameter has an equals sign after its first word.
    for element in split_outside_quotes(value, b',').map(str::trim) {
        let len = element.bytes().take_while(|byte| is_token(*byte)).count();
        let (word, rest) = element.split_at(len);
        if word.is_empty() {
            continue;
        }
        let is_parameter = rest.trim_start().starts_with('=');
        let parameter = match is_parameter {
            true => parameter(element),
            false if found.len() >= CHALLENGES_MAX => break,
            false => {
                if !(rest.is_empty() || rest.starts_with([' ', '\t'])) {
                    continue;
                }
                let rest = rest.trim();
                let parameter = parameter(rest);
                let token = (parameter.is_none() && !rest.is_empty()).then_some(rest);
                found.push(Challenge { scheme: word, token, parameters: Vec::new() });
                parameter
            }
        };
        if let (Some(parameter), Some(challenge)) = (parameter, found.last_mut())
            && challenge.parameters.len() < PARAMETERS_MAX
        {
            challenge.parameters.push(parameter);
        }
    }
    found
}

/// `name=value` or `name="value"`, with whitespace around the equals sign, as some servers send it.
fn parameter(text: &str) -> Option<(&str, Cow<'_, str>)> {
    let (name, value) = text.split_once('=')?;
    let (name, value) = (name.trim_end(), value.trim());
    if name.is_empty() || !name.bytes().all(is_token) {
        return None;
    }
    let value = match value.strip_prefix('"') {
        Some(quoted) => unquoted(quoted.strip_suffix('"')?),
        // An unquoted value is a token; one that ends with equals signs is a `token68`.
        None if value.is_empty() || value.starts_with('=') => return None,
        None => Cow::Borrowed(value),
    };
    Some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Challenges as text: scheme, token, parameters.
    fn shown(value: &str) -> Vec<String> {
        let show = |challenge: &Challenge<'_>| {
            let token = challenge.token.map(|token| format!(" {token}")).unwrap_or_default();
            let parameters: Vec<_> = challenge
                .parameters
                .iter()
                .map(|(name, value)| format!(" {name}=<{value}>"))
                .collect();
            format!("{}{token}{}", challenge.scheme, parameters.concat())
        };
        challenges(value).iter().map(show).collect()
    }

    #[test]
    fn lists_of_challenges() {
        let cases: [(&str, &[&str]); 12] = [
            ("Basic realm=\"a\"", &["Basic realm=<a>"]),
            ("Basic realm=a, charset=\"UTF-8\"", &["Basic realm=<a> charset=<UTF-8>"]),
            (
                "Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\", Basic realm=\"simple\"",
                &[
                    "Newauth realm=<apps> type=<1> title=<Login to \"apps\">",
                    "Basic realm=<simple>",
                ],
            ),
            ("Negotiate", &["Negotiate"]),
            ("Negotiate, NTLM,Basic realm = \"a\"", &["Negotiate", "NTLM", "Basic realm=<a>"]),
            ("Negotiate YWJj=", &["Negotiate YWJj="]),
            ("Negotiate YWJjZA==, Basic realm=x", &["Negotiate YWJjZA==", "Basic realm=<x>"]),
            (",, Basic , realm=\"a\",,", &["Basic realm=<a>"]),
            ("realm=\"nobody's\"", &[]),
            ("Basic realm=\"never closed", &["Basic realm=\"never closed"]),
            ("", &[]),
            ("(Basic) realm=a", &[]),
        ];
        for (value, expected) in cases {
            assert_eq!(shown(value), expected, "{value}");
        }
    }

    #[test]
    fn there_are_never_too_many() {
        assert_eq!(challenges(&"Basic a=b, ".repeat(100)).len(), CHALLENGES_MAX);
        let many = format!("Digest {}", "a=b, ".repeat(100));
        assert_eq!(challenges(&many)[0].parameters.len(), PARAMETERS_MAX);
    }
}
