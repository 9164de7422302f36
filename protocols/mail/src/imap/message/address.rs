//! Addresses of a header field (RFC 5322 3.4), as ENVELOPE tells them: undecoded, with groups. Pure; reads anything.

use super::quoting::write_nstring;

/// Most addresses that are told of one field, and of a header. The others are left out.
pub(super) const ADDRESSES_MAX: usize = 10_000;

/// An address, or the beginning or end of a group (RFC 3501 7.4.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Address {
    /// The name that is shown.
    pub name: Option<Vec<u8>>,
    /// The route of old mail, `@a,@b`.
    pub route: Option<Vec<u8>>,
    /// What is before the `@`; the name of a group, at its beginning; `None` at its end.
    pub mailbox: Option<Vec<u8>>,
    /// What is behind the `@`; `None` at the beginning and end of a group.
    pub host: Option<Vec<u8>>,
}

impl Address {
    /// The addresses of a field.
    #[must_use]
    pub fn parse_list(text: &[u8]) -> Vec<Self> {
        Parser { rest: text, addresses: Vec::new(), is_in_group: false, is_behind_blank: false }
            .parse()
    }

    /// Writes it as ENVELOPE does: `("name" NIL "mailbox" "host")`.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(b'(');
        write_nstring(out, self.name.as_deref());
        out.push(b' ');
        write_nstring(out, self.route.as_deref());
        out.push(b' ');
        write_nstring(out, self.mailbox.as_deref());
        out.push(b' ');
        write_nstring(out, self.host.as_deref());
        out.push(b')');
    }
}

struct Parser<'a> {
    rest: &'a [u8],
    addresses: Vec<Address>,
    is_in_group: bool,
    /// Whether a blank was before the last token.
    is_behind_blank: bool,
}

/// A piece of a field.
enum Token {
    /// An atom, or a run of characters that nothing else matches.
    Word(Vec<u8>),
    /// A quoted string, without its quotes.
    Quoted(Vec<u8>),
    Comment(Vec<u8>),
    Special(u8),
}

/// What was read since the last address.
#[derive(Default)]
struct Pending {
    /// Words before `<`, or those of an address without angle brackets.
    words: Vec<Vec<u8>>,
    /// The domain, once there was an `@`.
    domain: Option<Vec<u8>>,
    comment: Option<Vec<u8>>,
    /// Whether the next word belongs to the last one without a blank: behind a dot.
    is_joined: bool,
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.words.is_empty() && self.domain.is_none()
    }

    fn push(&mut self, word: &[u8], is_behind_blank: bool) {
        match (&mut self.domain, self.words.last_mut()) {
            (Some(domain), _) => domain.extend_from_slice(word),
            (None, Some(last)) if self.is_joined && !is_behind_blank => {
                last.extend_from_slice(word)
            }
            (None, _) => self.words.push(word.to_vec()),
        }
        self.is_joined = false;
    }

    fn dot(&mut self) {
        match &mut self.domain {
            Some(domain) => domain.push(b'.'),
            None => {
                match self.words.last_mut() {
                    Some(last) => last.push(b'.'),
                    None => self.words.push(b".".to_vec()),
                }
                self.is_joined = true;
            }
        }
    }
}

impl Parser<'_> {
    fn parse(mut self) -> Vec<Address> {
        let mut pending = Pending::default();
        while let Some(token) = self.token() {
            if self.addresses.len() >= ADDRESSES_MAX {
                return self.addresses;
            }
            match token {
                Token::Word(word) | Token::Quoted(word) => {
                    pending.push(&word, self.is_behind_blank)
                }
                Token::Comment(comment) => pending.comment = Some(comment),
                Token::Special(b'.') => pending.dot(),
                Token::Special(b'@') => {
                    pending.domain.get_or_insert_default();
                }
                Token::Special(b'<') => self.angle(std::mem::take(&mut pending)),
                Token::Special(b':') if !self.is_in_group => {
                    let name = pending.words.join(&b' ');
                    pending = Pending::default();
                    self.is_in_group = true;
                    self.addresses.push(Address { mailbox: Some(name), ..Address::default() });
                }
                Token::Special(b';') if self.is_in_group => {
                    self.bare(std::mem::take(&mut pending));
                    self.is_in_group = false;
                    self.addresses.push(Address::default());
                }
                Token::Special(b',' | b';') => self.bare(std::mem::take(&mut pending)),
                Token::Special(_) => {}
            }
        }
        self.bare(pending);
        if self.is_in_group {
            self.addresses.push(Address::default());
        }
        self.addresses
    }

    /// An address without angle brackets; its name is in a comment (RFC 5322 3.4, the old form).
    fn bare(&mut self, pending: Pending) {
        if pending.is_empty() {
            return;
        }
        let local = match pending.domain {
            // "a b@c" is malformed: all before the `@` belongs to the mailbox.
            Some(_) => pending.words.concat(),
            None => pending.words.join(&b' '),
        };
        self.addresses.push(Address {
            name: pending.comment,
            route: None,
            mailbox: Some(local),
            host: Some(pending.domain.unwrap_or_default()),
        });
    }

    /// `name <@route:mailbox@host>`, behind its `<`.
    fn angle(&mut self, before: Pending) {
        let mut address = Pending::default();
        let mut route = None;
        loop {
            match self.token() {
                None | Some(Token::Special(b'>')) => break,
                Some(Token::Word(word) | Token::Quoted(word)) => {
                    address.push(&word, self.is_behind_blank)
                }
                Some(Token::Special(b'.')) => address.dot(),
                Some(Token::Special(b'@')) => {
                    address.domain.get_or_insert_default();
                }
                Some(Token::Special(b',')) if address.words.is_empty() => {
                    let domain = address.domain.take().unwrap_or_default();
                    add_to_route(&mut route, &domain);
                }
                Some(Token::Special(b':')) if address.words.is_empty() => {
                    let domain = address.domain.take().unwrap_or_default();
                    add_to_route(&mut route, &domain);
                }
                // The bracket is not closed: the next address begins.
                Some(Token::Special(b',')) => break,
                Some(_) => {}
            }
        }
        let mut words = before.words;
        words.extend(before.domain);
        let name = if words.is_empty() { before.comment } else { Some(words.join(&b' ')) };
        self.addresses.push(Address {
            name,
            route,
            mailbox: Some(address.words.concat()),
            host: Some(address.domain.unwrap_or_default()),
        });
    }

    fn token(&mut self) -> Option<Token> {
        let text = self.rest.trim_ascii_start();
        self.is_behind_blank = text.len() < self.rest.len();
        self.rest = text;
        let (&first, rest) = self.rest.split_first()?;
        match first {
            b'"' => {
                let (text, rest) = delimited(rest, b'"');
                self.rest = rest;
                Some(Token::Quoted(text))
            }
            b'(' => {
                let (text, rest) = comment(rest);
                self.rest = rest;
                Some(Token::Comment(text))
            }
            b'[' => {
                let (mut text, rest) = delimited(rest, b']');
                self.rest = rest;
                text.insert(0, b'[');
                text.push(b']');
                Some(Token::Word(text))
            }
            first if is_special(first) => {
                self.rest = rest;
                Some(Token::Special(first))
            }
            _ => {
                let len = self
                    .rest
                    .iter()
                    .position(|&byte| is_special(byte) || byte.is_ascii_whitespace());
                let (word, rest) = self.rest.split_at(len.unwrap_or(self.rest.len()));
                self.rest = rest;
                Some(Token::Word(word.to_vec()))
            }
        }
    }
}

fn is_special(byte: u8) -> bool {
    matches!(
        byte,
        b'(' | b')' | b'<' | b'>' | b'[' | b']' | b':' | b';' | b'@' | b'\\' | b',' | b'.' | b'"'
    )
}

fn add_to_route(route: &mut Option<Vec<u8>>, domain: &[u8]) {
    let route = route.get_or_insert_default();
    if !route.is_empty() {
        route.push(b',');
    }
    route.push(b'@');
    route.extend_from_slice(domain);
}

/// What comes before `end`, without the backslashes of quoted pairs, and what comes behind it.
pub(super) fn delimited(text: &[u8], end: u8) -> (Vec<u8>, &[u8]) {
    let mut out = Vec::new();
    let mut bytes = text.iter().enumerate();
    while let Some((at, &byte)) = bytes.next() {
        match byte {
            b'\\' => out.extend(bytes.next().map(|(_, &byte)| byte)),
            byte if byte == end => return (out, &text[at + 1..]),
            byte => out.push(byte),
        }
    }
    (out, &[])
}

/// The text of a comment behind its bracket, with the comments inside of it, and what comes behind it.
pub(super) fn comment(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut out = Vec::new();
    let mut depth = 1_usize;
    let mut bytes = text.iter().enumerate();
    while let Some((at, &byte)) = bytes.next() {
        match byte {
            b'\\' => {
                out.extend(bytes.next().map(|(_, &byte)| byte));
                continue;
            }
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return (out, &text[at + 1..]);
        }
        out.push(byte);
    }
    (out, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &[u8]) -> String {
        let mut out = Vec::new();
        for address in Address::parse_list(text) {
            address.write(&mut out);
        }
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn addresses_of_all_forms() {
        let cases: &[(&str, &str)] = &[
            ("", ""),
            (",, ,", ""),
            ("a@b", r#"(NIL NIL "a" "b")"#),
            ("a.b@c.d, e@f", r#"(NIL NIL "a.b" "c.d")(NIL NIL "e" "f")"#),
            ("Ann B. Cee <a@b>", r#"("Ann B. Cee" NIL "a" "b")"#),
            (r#""Cee, \"A\"" <a@b>"#, r#"("Cee, \"A\"" NIL "a" "b")"#),
            ("a@b (Ann (x) Cee)", r#"("Ann (x) Cee" NIL "a" "b")"#),
            ("(c) a (d) @ (e) b (f)", r#"("f" NIL "a" "b")"#),
            ("<@x,@y:a@b>", r#"(NIL "@x,@y" "a" "b")"#),
            ("=?utf-8?q?J=C3=B6rg?= <a@b>", r#"("=?utf-8?q?J=C3=B6rg?=" NIL "a" "b")"#),
            (
                "team: a@b, C <c@d>;",
                r#"(NIL NIL "team" NIL)(NIL NIL "a" "b")("C" NIL "c" "d")(NIL NIL NIL NIL)"#,
            ),
            (
                "undisclosed-recipients:;",
                r#"(NIL NIL "undisclosed-recipients" NIL)(NIL NIL NIL NIL)"#,
            ),
            ("g: a@b", r#"(NIL NIL "g" NIL)(NIL NIL "a" "b")(NIL NIL NIL NIL)"#),
            ("root", r#"(NIL NIL "root" "")"#),
            ("<>", r#"(NIL NIL "" "")"#),
            ("a@[127.0.0.1]", r#"(NIL NIL "a" "[127.0.0.1]")"#),
            ("\"a b\"@c", r#"(NIL NIL "a b" "c")"#),
            ("X <a@b, c@d", r#"("X" NIL "a" "b")(NIL NIL "c" "d")"#),
            ("a@b; c@d", r#"(NIL NIL "a" "b")(NIL NIL "c" "d")"#),
            ("\"unclosed", r#"(NIL NIL "unclosed" "")"#),
            ("(unclosed", ""),
            ("a\\", r#"(NIL NIL "a" "")"#),
        ];
        for (text, expected) in cases {
            assert_eq!(written(text.as_bytes()), *expected, "{text}");
        }
    }
}
