//! Where an alias leads: [`Target`], and the lists of them in files of aliases and of forwarding. Pure.

use std::fmt;

use sinew_transports::reactor::Excerpt;

use crate::smtp::codec::Address;

/// Where mail for a name goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Target {
    /// A name in the same domain: of an alias, or of a user.
    Name(String),
    /// The mailbox of a user of this name, whatever aliases and forwarding say (`\name`).
    Mailbox(String),
    /// An address.
    Address(Address),
    /// The standard input of a command (`|command`).
    Program(String),
    /// The end of a file (`/file`).
    File(String),
    /// The targets that are listed in a file (`:include:/file`).
    Include(String),
}

/// What targets may be.
///
/// Default: names and addresses. The others read and write files and run programs with the rights of the server, for everyone who
/// can write the file that they are in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct TargetRules {
    programs: bool,
    files: bool,
    includes: bool,
}

/// Why a text is not a target, or not an allowed one.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{:?}: {why}", Excerpt::new(.text.as_bytes()))]
#[non_exhaustive]
pub struct TargetError {
    /// The text.
    pub text: String,
    /// What is wrong.
    pub why: &'static str,
}

sinew_transports::reactor::error_debug!(TargetError);

impl TargetRules {
    /// Allows `|command`.
    pub fn programs(mut self, allowed: bool) -> Self {
        self.programs = allowed;
        self
    }

    /// Allows `/file`.
    pub fn files(mut self, allowed: bool) -> Self {
        self.files = allowed;
        self
    }

    /// Allows `:include:/file`.
    pub fn includes(mut self, allowed: bool) -> Self {
        self.includes = allowed;
        self
    }
}

impl Target {
    /// Reads one target, without quotes around it.
    ///
    /// # Errors
    ///
    /// [`TargetError`]: it is none, or not allowed.
    pub fn parse(text: &str, rules: TargetRules) -> Result<Self, TargetError> {
        let wrong = |why| TargetError { text: text.to_owned(), why };
        if text.contains(char::is_control) {
            return Err(wrong("a control character"));
        }
        if let Some(command) = text.strip_prefix('|') {
            let command = command.trim();
            return match (rules.programs, command.is_empty()) {
                (false, _) => Err(wrong("programs are not allowed")),
                (_, true) => Err(wrong("a program without a command")),
                _ => Ok(Self::Program(command.to_owned())),
            };
        }
        if let Some(path) = text.strip_prefix(":include:") {
            let path = path.trim();
            return match (rules.includes, path.starts_with('/')) {
                (false, _) => Err(wrong("included files are not allowed")),
                (_, false) => Err(wrong("the path of an included file must begin with /")),
                _ => Ok(Self::Include(path.to_owned())),
            };
        }
        if text.starts_with('/') {
            return match rules.files {
                true => Ok(Self::File(text.to_owned())),
                false => Err(wrong("files are not allowed")),
            };
        }
        let (is_mailbox, name) = text.strip_prefix('\\').map_or((false, text), |name| (true, name));
        if !is_mailbox && name.contains('@') {
            return name.parse().map(Self::Address).map_err(|error| wrong(error.why));
        }
        // A name is a local part: with any domain it is an address.
        match format!("{name}@localhost").parse::<Address>() {
            Ok(_) if is_mailbox => Ok(Self::Mailbox(name.to_owned())),
            Ok(_) => Ok(Self::Name(name.to_owned())),
            Err(error) => Err(wrong(error.why)),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Mailbox(name) => write!(f, "\\{name}"),
            Self::Address(address) => write!(f, "{address}"),
            Self::Program(command) => write!(f, "|{command}"),
            Self::File(path) => f.write_str(path),
            Self::Include(path) => write!(f, ":include:{path}"),
        }
    }
}

/// Reads a list of targets, as it stands in a file of forwarding or in an included one: separated by commas and line ends, with comments
/// behind a `#` that begins a line, at most so many.
///
/// A target with commas or spaces stands in quotes: `"|filter -a, -b"`.
///
/// # Errors
///
/// [`TargetError`]: the first that is wrong.
pub fn parse_targets(
    text: &str,
    rules: TargetRules,
    max: usize,
) -> Result<Vec<Target>, TargetError> {
    let mut targets = Vec::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        for item in split(line)? {
            if targets.len() == max {
                return Err(TargetError { text: item, why: "too many targets" });
            }
            targets.push(Target::parse(&item, rules)?);
        }
    }
    Ok(targets)
}

/// The items of a list, which commas separate, without the quotes around them.
pub(super) fn split(line: &str) -> Result<Vec<String>, TargetError> {
    let mut items = Vec::new();
    let mut item = String::new();
    let (mut is_quoted, mut is_escaped) = (false, false);
    for char in line.chars() {
        match char {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => {
                items.push(std::mem::take(&mut item));
                continue;
            }
            _ => {}
        }
        item.push(char);
    }
    if is_quoted {
        return Err(TargetError { text: line.to_owned(), why: "a quote is not closed" });
    }
    items.push(item);
    let items = items.iter().map(|item| unquoted(item.trim()));
    Ok(items.filter(|item| !item.is_empty()).collect())
}

/// The text inside of quotes that are around all of it; else the text.
pub(super) fn unquoted(text: &str) -> String {
    let inside = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let Some(inside) = inside else { return text.to_owned() };
    let mut out = String::with_capacity(inside.len());
    let mut is_escaped = false;
    for char in inside.chars() {
        match char {
            '\\' if !is_escaped => is_escaped = true,
            // The quotes end within: they are a part of it, as in `"a"@b"c"`.
            '"' if !is_escaped => return text.to_owned(),
            char => {
                is_escaped = false;
                out.push(char);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: TargetRules = TargetRules { programs: true, files: true, includes: true };

    #[test]
    fn targets_are_told_apart() {
        let address = |text: &str| Target::Address(text.parse().unwrap());
        for (text, expected) in [
            ("ann", vec![Target::Name("ann".into())]),
            (
                "ann, \\bob,carol@example.org",
                vec![
                    Target::Name("ann".into()),
                    Target::Mailbox("bob".into()),
                    address("carol@example.org"),
                ],
            ),
            (
                "\"|a b, c \\\"d\\\"\", x",
                vec![Target::Program("a b, c \"d\"".into()), Target::Name("x".into())],
            ),
            ("|cat", vec![Target::Program("cat".into())]),
            ("/var/mail/x", vec![Target::File("/var/mail/x".into())]),
            (":include:/lists/a", vec![Target::Include("/lists/a".into())]),
            ("\"a b\"@example.org", vec![address("\"a b\"@example.org")]),
            ("# no\n  # no\n,, a ,\n\nb", vec![Target::Name("a".into()), Target::Name("b".into())]),
            ("", vec![]),
        ] {
            assert_eq!(parse_targets(text, ALL, 9), Ok(expected), "{text:?}");
        }
    }

    proptest! {
        /// What is read is shown in a form that is read as the same, and has no control character.
        #[test]
        fn any_text_is_read_without_harm(text in "[\\PC\n\t,\"|/:\\\\@#]{0,80}") {
            for target in parse_targets(&text, ALL, 50).into_iter().flatten() {
                let shown = target.to_string();
                prop_assert!(!shown.contains(char::is_control));
                prop_assert_eq!(Target::parse(&shown, ALL), Ok(target));
            }
        }
    }

    #[test]
    fn what_is_wrong_or_not_allowed_is_refused() {
        let none = TargetRules::default();
        for (text, rules, why) in [
            ("|cat", none, "programs are not allowed"),
            ("/etc/passwd", none, "files are not allowed"),
            (":include:/x", none, "included files are not allowed"),
            (":include:x", ALL, "the path of an included file must begin with /"),
            ("|", ALL, "a program without a command"),
            ("a b", ALL, "the part before @ has a character that must be in quotes"),
            ("a@b@c", ALL, "the part behind @ is not a domain"),
            ("\"a", ALL, "a quote is not closed"),
            ("a\u{7}", ALL, "a control character"),
            ("a,b,c,d", ALL, "too many targets"),
        ] {
            let error = parse_targets(text, rules, 3).unwrap_err();
            assert_eq!(error.why, why, "{text:?}");
        }
    }
}
