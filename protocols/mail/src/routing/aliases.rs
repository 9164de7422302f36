//! A file of aliases, as `aliases(5)` of sendmail and Postfix: [`Aliases`]. Pure; the files that it includes are read by who has asked.
//!
//! ```text
//! # A comment.
//! postmaster: ann
//! staff:      ann, bob@example.net,
//!             "carol lee"@example.org
//! owner-staff: ann
//! info@example.org: \bob
//! @example.net: ann
//! filter:     "|/usr/bin/filter --strict, --all"
//! ```
//!
//! A line that begins with a space continues the one before. A name without a domain counts in every local domain, one with a domain
//! there alone, and first. Names are compared without regard to the case of ASCII. `@example.net` is the catch-all of a domain, as in
//! `virtual(5)` of Postfix: for addresses there that are neither an alias nor a user.

use std::{collections::BTreeMap, fmt};

use super::target::{Target, TargetError, TargetRules, parse_targets, split, unquoted};
use crate::smtp::codec::Address;

/// What is read of a file of aliases.
///
/// | limit | value | when exceeded |
/// |---|---|---|
/// | names, with the catch-alls | 100,000 | [`AliasError`] |
/// | targets of a name, with those of included files | 10,000 | the same |
/// | bytes of a file | 16 MiB | the same |
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Aliases {
    names: BTreeMap<Box<str>, Vec<Target>>,
    /// By domain.
    catch_alls: BTreeMap<Box<str>, Vec<Target>>,
}

/// Why a file of aliases cannot be used: nothing of it is.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AliasError {
    /// The line has no name and a colon at its front.
    #[error("line {line}: not `name: targets`")]
    Syntax {
        /// Its number.
        line: usize,
    },
    /// A name is there twice.
    #[error("line {line}: a name that is there already")]
    Twice {
        /// Its number.
        line: usize,
    },
    /// A target is wrong.
    #[error("line {line}")]
    Target {
        /// Its number.
        line: usize,
        /// What is wrong.
        source: TargetError,
    },
    /// A limit.
    #[error("line {line}: there are more than {max} {what}")]
    TooMany {
        /// Its number.
        line: usize,
        /// Of what.
        what: &'static str,
        /// The limit.
        max: usize,
    },
    /// An included file cannot be read.
    #[error("the included file {path}: {why}")]
    Include {
        /// Its path.
        path: String,
        /// The reason.
        why: String,
    },
}

sinew_transports::reactor::error_debug!(AliasError);

/// Most names.
const NAMES_MAX: usize = 100_000;
/// Most targets of a name.
pub(super) const TARGETS_MAX: usize = 10_000;
/// Most bytes of a file.
pub(super) const FILE_MAX: usize = 16 << 20;

impl Aliases {
    /// Reads the text of a file.
    ///
    /// # Errors
    ///
    /// [`AliasError`]: the first line that is wrong.
    ///
    /// # Examples
    ///
    /// ```
    /// use sinew_mail::routing::{Aliases, Target, TargetRules};
    ///
    /// let aliases = Aliases::parse("staff: ann, bob@example.net\n", TargetRules::default())?;
    /// assert_eq!(aliases.find("Staff", "example.org").map(<[Target]>::len), Some(2));
    /// assert!(Aliases::parse("root: |rm -rf /\n", TargetRules::default()).is_err());
    /// # Ok::<(), sinew_mail::routing::AliasError>(())
    /// ```
    pub fn parse(text: &str, rules: TargetRules) -> Result<Self, AliasError> {
        let mut aliases = Self::default();
        for (line, entry) in entries(text)? {
            let (name, targets) = entry_of(&entry).ok_or(AliasError::Syntax { line })?;
            let items = split(targets).and_then(|items| {
                items.iter().map(|item| Target::parse(item, rules)).collect::<Result<Vec<_>, _>>()
            });
            let targets = items.map_err(|source| AliasError::Target { line, source })?;
            if targets.len() > TARGETS_MAX {
                return Err(AliasError::TooMany { line, what: "targets", max: TARGETS_MAX });
            }
            if aliases.len() == NAMES_MAX {
                return Err(AliasError::TooMany { line, what: "names", max: NAMES_MAX });
            }
            let before = match name {
                EntryName::Alias(name) => aliases.names.insert(name.into(), targets),
                EntryName::CatchAll(domain) => aliases.catch_alls.insert(domain.into(), targets),
            };
            if before.is_some() {
                return Err(AliasError::Twice { line });
            }
        }
        Ok(aliases)
    }

    /// The same with the targets that included files have. `read` reads one; it may block. What is included may include nothing itself.
    ///
    /// # Errors
    ///
    /// [`AliasError`]: a file cannot be read, or has something wrong in it.
    pub fn including(
        mut self,
        rules: TargetRules,
        read: impl Fn(&str) -> std::io::Result<String>,
    ) -> Result<Self, AliasError> {
        let rules = rules.includes(false);
        for targets in self.names.values_mut().chain(self.catch_alls.values_mut()) {
            let mut all = Vec::with_capacity(targets.len());
            for target in targets.drain(..) {
                let Target::Include(path) = target else {
                    all.push(target);
                    continue;
                };
                let failed = |why: String| AliasError::Include { path: path.clone(), why };
                let text = read(&path).map_err(|error| failed(error.to_string()))?;
                let room = TARGETS_MAX.saturating_sub(all.len());
                let included = parse_targets(&text, rules, room);
                all.extend(included.map_err(|error| failed(error.to_string()))?);
            }
            *targets = all;
        }
        Ok(self)
    }

    /// Where mail for a name in a domain goes; `None` if it is not an alias.
    #[must_use]
    pub fn find(&self, local: &str, domain: &str) -> Option<&[Target]> {
        let (local, domain) = (local.to_ascii_lowercase(), domain.to_ascii_lowercase());
        let with_domain = self.names.get(format!("{local}@{domain}").as_str());
        // `"info@a.example"@b.example` is not `info@a.example`.
        let without = || self.names.get(local.as_str()).filter(|_| !local.contains('@'));
        with_domain.or_else(without).map(Vec::as_slice)
    }

    /// Where mail for a domain goes that is for no alias and no user (`@domain: targets`); `None` if the file does not say.
    #[must_use]
    pub fn catch_all(&self, domain: &str) -> Option<&[Target]> {
        self.catch_alls.get(domain.to_ascii_lowercase().as_str()).map(Vec::as_slice)
    }

    /// The domains with a [catch-all](Self::catch_all), in order, in lower case.
    pub fn catch_all_domains(&self) -> impl Iterator<Item = &str> {
        self.catch_alls.keys().map(|domain| &**domain)
    }

    /// How many names there are, with the catch-alls.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len() + self.catch_alls.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The entries, with the numbers of their first lines: continuation lines are joined, comments and empty lines left out.
fn entries(text: &str) -> Result<Vec<(usize, String)>, AliasError> {
    let mut entries: Vec<(usize, String)> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let content = line.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        match entries.last_mut().filter(|_| line.starts_with([' ', '\t'])) {
            Some((_, entry)) => {
                entry.push(' ');
                entry.push_str(content);
            }
            None if line.starts_with([' ', '\t']) => {
                return Err(AliasError::Syntax { line: at + 1 });
            }
            None => entries.push((at + 1, content.to_owned())),
        }
    }
    Ok(entries)
}

/// What an entry is for, in lower case.
enum EntryName {
    Alias(String),
    /// The domain.
    CatchAll(String),
}

/// What an entry is for, and the text of the targets.
fn entry_of(entry: &str) -> Option<(EntryName, &str)> {
    let mut is_quoted = false;
    let colon = entry.char_indices().find(|(_, char)| {
        is_quoted ^= *char == '"';
        *char == ':' && !is_quoted
    });
    let (name, targets) = entry.split_at(colon?.0);
    let name = name.trim();
    if let Some(domain) = name.strip_prefix('@') {
        // As the domain of an address, so that it can be one.
        let address = format!("postmaster@{domain}").parse::<Address>().ok()?;
        return Some((EntryName::CatchAll(address.domain().to_ascii_lowercase()), &targets[1..]));
    }
    let name = match name.parse::<Address>() {
        // `postmaster` alone has no domain.
        Ok(address) if !address.domain().is_empty() => {
            format!("{}@{}", unquoted(address.local()), address.domain())
        }
        _ => unquoted(format!("{name}@localhost").parse::<Address>().ok()?.local()),
    };
    Some((EntryName::Alias(name.to_ascii_lowercase()), &targets[1..]))
}

impl fmt::Debug for Aliases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aliases").field("names", &self.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Aliases, AliasError> {
        Aliases::parse(text, TargetRules::default().includes(true))
    }

    #[test]
    fn a_file_is_read() {
        let aliases = parse(
            "# comment\n\nPostmaster: ann\nstaff : ann ,\n\t bob@example.net,\n   # no\n  carol\n\
             info@example.org:x\r\ninfo: y\n\"of one\"@Example.org: z\n\"a@b\"@example.org: w\n\"two words\": ann\nempty:\n",
        )
        .unwrap();
        let found = |local, domain| {
            let targets = aliases.find(local, domain)?;
            Some(targets.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(found("POSTMASTER", "a.example"), Some("ann".into()));
        assert_eq!(found("staff", "a.example"), Some("ann bob@example.net carol".into()));
        assert_eq!(found("info", "Example.ORG"), Some("x".into()));
        assert_eq!(found("info", "other.example"), Some("y".into()));
        assert_eq!(found("two words", "a.example"), Some("ann".into()));
        assert_eq!(found("of one", "example.org"), Some("z".into()));
        assert_eq!(found("of one", "other.example"), None);
        assert_eq!(found("a@b", "example.org"), Some("w".into()));
        // A local part with an `@` is not an address of another domain.
        assert_eq!(found("info@example.org", "other.example"), None);
        assert_eq!(found("empty", "a.example"), Some(String::new()));
        assert_eq!(found("ann", "a.example"), None);
    }

    #[test]
    fn a_domain_has_a_catch_all() {
        let aliases =
            parse("@Example.ORG: ann,\n  bob@example.net\nann: carol\n@other.example:\n\"@quoted.example\": ann\n").unwrap();
        let of = |domain| aliases.catch_all(domain).map(<[Target]>::len);
        assert_eq!(
            (of("example.org"), of("EXAMPLE.org"), of("other.example")),
            (Some(2), Some(2), Some(0))
        );
        assert_eq!((of("quoted.example"), of(""), of("@example.org")), (None, None, None));
        assert_eq!(
            aliases.catch_all_domains().collect::<Vec<_>>(),
            ["example.org", "other.example"]
        );
        // It is the name of nobody.
        assert_eq!(aliases.find("bob", "example.org"), None);
        assert_eq!(aliases.find("@example.org", "other.example"), None);
        assert_eq!((aliases.find("", "example.org"), aliases.len()), (None, 4));
    }

    #[test]
    fn the_line_that_is_wrong_is_named() {
        for (text, line) in [
            ("a: b\nno colon\n", 2),
            (" a: b\n", 1),
            ("a: b\n\nA: c\n", 3),
            ("a: b c\n", 1),
            ("a b: c\n", 1),
            (": c\n", 1),
            ("a: b,\n c,\n |d\n", 1),
            ("a: \"b\n", 1),
            ("a: b\n@: c\n", 2),
            ("@a b: c\n", 1),
            ("@a@b: c\n", 1),
            ("@a: b\n@A: c\n", 2),
            ("@a: @b\n", 1),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("line {line}")), "{text:?}: {error}");
        }
    }

    #[test]
    fn included_files_are_lists_and_include_nothing() {
        let read = |path: &str| match path {
            "/list" => Ok("# members\nann\nbob@example.net, carol\n".to_owned()),
            "/nested" => Ok(":include:/list\n".to_owned()),
            _ => Err(std::io::ErrorKind::NotFound.into()),
        };
        let including =
            |text| parse(text).unwrap().including(TargetRules::default().includes(true), read);
        let aliases = including("a: x, :include:/list\n@b: :include:/list\n").unwrap();
        assert_eq!(aliases.catch_all("b").map(<[Target]>::len), Some(3));
        assert_eq!(aliases.find("a", "b").map(<[Target]>::len), Some(4));
        for text in ["a: :include:/missing\n", "a: :include:/nested\n"] {
            assert!(matches!(including(text), Err(AliasError::Include { .. })), "{text}");
        }
    }
}
