//! Patterns for names of newsgroups: [`Wildmat`] (RFC 3977 4).

use std::{fmt, str::FromStr};

/// Longest list of patterns.
const LEN_MAX: usize = 4_096;

/// A list of patterns with `*` and `?`, of which the last that matches decides: `comp.*,!comp.os.*`.
///
/// Matching takes at most the product of the lengths of pattern and name, whatever they are.
///
/// # Examples
///
/// ```
/// use sinew_news::nntp::codec::Wildmat;
///
/// let some: Wildmat = "comp.*,!comp.os.*,comp.os.linux".parse()?;
/// assert!(some.matches("comp.lang.rust"));
/// assert!(!some.matches("comp.os.vms"));
/// assert!(some.matches("comp.os.linux"));
/// # Ok::<(), sinew_news::nntp::codec::WildmatError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Wildmat {
    text: Box<str>,
}

/// A text is no [`Wildmat`].
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a wildmat has patterns between commas, of at most 4,096 bytes together, without spaces, control characters and any of [\\]"
)]
#[non_exhaustive]
pub struct WildmatError;

sinew_transports::reactor::error_debug!(WildmatError);

impl Wildmat {
    /// `*`: every name.
    #[must_use]
    pub fn all() -> Self {
        Self { text: "*".into() }
    }

    /// `!*`: no name.
    #[must_use]
    pub fn none() -> Self {
        Self { text: "!*".into() }
    }

    /// The patterns.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the last pattern that matches this name is one without `!`.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let decides = |pattern: &&str| matches(pattern.strip_prefix('!').unwrap_or(pattern), name);
        self.text.rsplit(',').find(decides).is_some_and(|pattern| !pattern.starts_with('!'))
    }
}

/// Goes back to the last `*` only, which is enough: what an earlier one could match instead, the last can, too.
fn matches(pattern: &str, name: &str) -> bool {
    let (mut pattern, mut name) = (pattern.chars(), name.chars());
    let mut last_star = None;
    loop {
        let mut after = pattern.clone();
        match (after.next(), name.clone().next()) {
            (Some('*'), _) => {
                pattern = after;
                last_star = Some((pattern.clone(), name.clone()));
                continue;
            }
            (None, None) => return true,
            (Some(wanted), Some(found)) if wanted == '?' || wanted == found => {
                pattern = after;
                name.next();
                continue;
            }
            _ => {}
        }
        let Some((of_pattern, of_name)) = &mut last_star else { return false };
        if of_name.next().is_none() {
            return false;
        }
        (pattern, name) = (of_pattern.clone(), of_name.clone());
    }
}

impl FromStr for Wildmat {
    type Err = WildmatError;

    fn from_str(text: &str) -> Result<Self, WildmatError> {
        let is_plain =
            |char: char| !char.is_control() && !char.is_whitespace() && !"[\\]".contains(char);
        let is_pattern = |pattern: &str| {
            let pattern = pattern.strip_prefix('!').unwrap_or(pattern);
            !pattern.is_empty() && !pattern.contains('!') && pattern.chars().all(is_plain)
        };
        match text.len() <= LEN_MAX && text.split(',').all(is_pattern) {
            true => Ok(Self { text: text.into() }),
            false => Err(WildmatError),
        }
    }
}

impl fmt::Display for Wildmat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for Wildmat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wildmat({})", self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_pattern_that_matches_decides() {
        for (text, name, expect) in [
            ("*", "a.b", true),
            ("a.*", "a.b", true),
            ("a.*", "a", false),
            ("a.?", "a.b", true),
            ("a.?", "a.\u{e4}", true),
            ("a.?", "a.bc", false),
            ("*a*b*c", "xxaxxbxxc", true),
            ("*a*b*c", "xxaxxcxxb", false),
            ("a*,!*b", "a.b", false),
            ("!*b,a*", "a.b", true),
            ("!a", "b", false),
            ("a,b", "b", true),
            ("!*", "a", false),
        ] {
            assert_eq!(text.parse::<Wildmat>().unwrap().matches(name), expect, "{text} of {name}");
        }
        for text in ["", ",", "a,", "!", "a!b", "!!a", "a b", "[a]", "a\\*", "a\r\nb"] {
            assert!(text.parse::<Wildmat>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        let pattern = format!("{}b", "*a".repeat(2_000));
        assert!(!pattern.parse::<Wildmat>().unwrap().matches(&"a".repeat(460)));
    }

    /// By trying everything.
    fn slow(pattern: &[char], name: &[char]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some(('*', rest)), _) => (0..=name.len()).any(|at| slow(rest, &name[at..])),
            (Some((wanted, pattern)), Some((found, name))) => {
                (*wanted == '?' || wanted == found) && slow(pattern, name)
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn matching_is_what_trying_everything_finds(pattern in "[ab*?]{1,8}", name in "[ab]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            let wildmat: Wildmat = pattern.parse().unwrap();
            prop_assert_eq!(wildmat.matches(&name), slow(&chars(&pattern), &chars(&name)));
        }
    }
}
