//! What is said in TOC: commands of clients as [`Words`], lines of servers as [`Line`]. Pure.

use std::fmt::Write;

/// Longest text of a message, in bytes.
pub const TEXT_MAX: usize = 1_024;

/// Most words of a command.
const WORDS_MAX: usize = 512;

/// A command of a client: words, of which those with spaces are quoted.
///
/// # Examples
///
/// ```
/// use sinew_chat::historical::toc::Words;
///
/// let words = Words::parse(br#"toc_send_im bob "Hello, \"Bob\".""#).expect("it is well-formed");
/// assert_eq!(words.iter().collect::<Vec<_>>(), ["toc_send_im", "bob", "Hello, \"Bob\"."]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words(Vec<String>);

impl Words {
    /// Begins a command.
    pub(super) fn new(command: &str) -> Self {
        Self(vec![command.to_owned()])
    }

    /// Appends a word.
    pub(super) fn with(mut self, word: impl Into<String>) -> Self {
        self.0.push(word.into());
        self
    }

    /// The words in these bytes, without the NUL at the end. `None` if a quote is not closed, a NUL is inside, or there are more than 512.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (mut chars, mut words) = (text.chars().peekable(), Vec::new());
        loop {
            while chars.next_if_eq(&' ').is_some() {}
            let Some(first) = chars.peek() else { break };
            if words.len() == WORDS_MAX {
                return None;
            }
            let is_quoted = *first == '"';
            if is_quoted {
                chars.next();
            }
            let mut word = String::new();
            loop {
                match chars.next() {
                    Some('\0') => return None,
                    Some('\\') => word.push(chars.next().filter(|char| *char != '\0')?),
                    Some('"') if is_quoted => break,
                    Some(' ') if !is_quoted => break,
                    Some(char) => word.push(char),
                    None if is_quoted => return None,
                    None => break,
                }
            }
            words.push(word);
        }
        Some(Self(words))
    }

    /// The bytes of the command, with the NUL at its end. A NUL within a word becomes a space.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = String::new();
        for (at, word) in self.0.iter().enumerate() {
            let is_plain = !word.is_empty()
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"_.-:/".contains(&byte));
            if at > 0 {
                out.push(' ');
            }
            if is_plain {
                out.push_str(word);
                continue;
            }
            out.push('"');
            for char in word.chars() {
                match char {
                    '\0' => out.push(' '),
                    '\\' | '{' | '}' | '(' | ')' | '[' | ']' | '$' | '"' => {
                        out.push('\\');
                        out.push(char);
                    }
                    char => out.push(char),
                }
            }
            out.push('"');
        }
        out.push('\0');
        out.into_bytes()
    }

    /// The words, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The command: the first word.
    pub(super) fn command(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    pub(super) fn argument(&self, at: usize) -> Option<&str> {
        self.0.get(at + 1).map(String::as_str)
    }

    pub(super) fn arguments(&self) -> impl Iterator<Item = &str> {
        self.iter().skip(1)
    }
}

/// A line of a server: fields between colons, of which the last may hold colons.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Line {
    /// `SIGN_ON`: the login was right.
    SignOn,
    /// `CONFIG`: the configuration that the server keeps.
    Config(String),
    /// `NICK`: the name of the user.
    Nick(String),
    /// `IM_IN`: a message.
    Message {
        /// Who has sent it.
        from: String,
        /// Whether it was sent automatically.
        is_automatic: bool,
        /// Its text.
        text: String,
    },
    /// `UPDATE_BUDDY`: a buddy is signed on, or has signed off.
    Buddy {
        /// Its name.
        name: String,
        /// Whether it is signed on.
        is_online: bool,
        /// When it has signed on, in seconds since 1970.
        signed_on: u32,
        /// Whether it is away.
        is_away: bool,
    },
    /// `ERROR`: a number, and what it is about.
    Error {
        /// The number.
        code: u16,
        /// For some numbers a name.
        about: String,
    },
    /// Any other.
    Other(String),
}

impl Line {
    /// The line in these bytes; NULs at their end are allowed.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Self {
        let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let bytes = &bytes[..end];
        let text = String::from_utf8_lossy(bytes).into_owned();
        Self::known(&text).unwrap_or(Self::Other(text))
    }

    fn known(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        Some(match kind {
            "SIGN_ON" => Self::SignOn,
            "CONFIG" => Self::Config(rest.to_owned()),
            "NICK" => Self::Nick(rest.to_owned()),
            "IM_IN" => {
                let mut fields = rest.splitn(3, ':');
                let (from, automatic) = (fields.next()?.to_owned(), fields.next()?);
                let text = fields.next()?.to_owned();
                Self::Message { from, is_automatic: automatic == "T", text }
            }
            "UPDATE_BUDDY" => {
                let mut fields = rest.split(':');
                let (name, online) = (fields.next()?.to_owned(), fields.next()?);
                let (_, signed_on, _) = (fields.next()?, fields.next()?, fields.next()?);
                let class = fields.next()?;
                let is_away = class.as_bytes().get(2) == Some(&b'U');
                let signed_on = signed_on.parse().ok()?;
                Self::Buddy { name, is_online: online == "T", signed_on, is_away }
            }
            "ERROR" => {
                let (code, about) = rest.split_once(':').unwrap_or((rest, ""));
                Self::Error { code: code.parse().ok()?, about: about.to_owned() }
            }
            _ => return None,
        })
    }

    /// The bytes of the line, which has no end but that of its frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let flag = |is: bool| if is { 'T' } else { 'F' };
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = match self {
            Self::SignOn => write!(out, "SIGN_ON:TOC1.0"),
            Self::Config(config) => write!(out, "CONFIG:{config}"),
            Self::Nick(name) => write!(out, "NICK:{name}"),
            Self::Message { from, is_automatic, text } => {
                write!(out, "IM_IN:{from}:{}:{text}", flag(*is_automatic))
            }
            Self::Buddy { name, is_online, signed_on, is_away } => {
                let class = if *is_away { " OU" } else { " O " };
                write!(out, "UPDATE_BUDDY:{name}:{}:0:{signed_on}:0:{class}", flag(*is_online))
            }
            Self::Error { code, about } if about.is_empty() => write!(out, "ERROR:{code}"),
            Self::Error { code, about } => write!(out, "ERROR:{code}:{about}"),
            Self::Other(text) => write!(out, "{text}"),
        };
        out.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn commands_are_split_into_words() {
        let cases: [(&[u8], &[&str]); 6] = [
            (b"toc_init_done", &["toc_init_done"]),
            (b"  a  b ", &["a", "b"]),
            (br#"a "" "b c""#, &["a", "", "b c"]),
            (br#"a "\"\\\{""#, &["a", r#""\{"#]),
            (b"a b\"c", &["a", "b\"c"]),
            (b"", &[]),
        ];
        for (bytes, words) in cases {
            assert_eq!(Words::parse(bytes).unwrap().iter().collect::<Vec<_>>(), words);
        }
        for bad in [&b"a \"b"[..], b"a\0b", b"a\\"] {
            assert_eq!(Words::parse(bad), None);
        }
        assert_eq!(Words::parse(&b"a ".repeat(WORDS_MAX + 1)), None);
    }

    #[test]
    fn lines_survive() {
        let name = || "Ann".to_owned();
        for line in [
            Line::SignOn,
            Line::Config("m 1\n".to_owned()),
            Line::Nick(name()),
            Line::Message { from: name(), is_automatic: true, text: "a:b:c".to_owned() },
            Line::Buddy { name: name(), is_online: true, signed_on: 7, is_away: true },
            Line::Error { code: 901, about: name() },
            Line::Error { code: 980, about: String::new() },
            Line::Other("PAUSE".to_owned()),
        ] {
            assert_eq!(Line::parse(&line.encode()), line);
        }
        for bad in ["IM_IN:a", "UPDATE_BUDDY:a:T", "ERROR:x", ""] {
            assert_eq!(Line::parse(bad.as_bytes()), Line::Other(bad.to_owned()));
        }
    }

    proptest! {
        #[test]
        fn words_survive(words in prop::collection::vec("[^\0]{0,20}", 1..6)) {
            let command = words[1..].iter().fold(Words::new(&words[0]), |all, word| all.with(word));
            let bytes = command.encode();
            let (last, text) = bytes.split_last().unwrap();
            prop_assert_eq!(*last, 0);
            prop_assert_eq!(Words::parse(text), Some(command));
        }

        #[test]
        fn no_input_panics(bytes: Vec<u8>) {
            let _ = Words::parse(&bytes);
            let line = Line::parse(&bytes);
            prop_assert_eq!(Line::parse(&line.encode()), line);
        }
    }
}
