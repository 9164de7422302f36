//! The addresses of a header field or of an argument: [`addresses`] finds them in a list of mailboxes and groups (RFC 5322 3.4).
//! Pure. Whether each is an address is checked by whom they are given to.

use std::{iter::Peekable, str::Chars};

/// The addresses of a list, as they are written, without names, comments and routes. The names of groups are left out, their members are
/// not.
pub(super) fn addresses(list: &str) -> Result<Vec<String>, &'static str> {
    let mut scan = Scan { rest: list.chars().peekable(), found: Vec::new() };
    while scan.rest.peek().is_some() {
        scan.mailbox()?;
    }
    Ok(scan.found)
}

struct Scan<'a> {
    rest: Peekable<Chars<'a>>,
    found: Vec<String>,
}

impl Scan<'_> {
    /// Up to a comma, the end of a group, or the end.
    fn mailbox(&mut self) -> Result<(), &'static str> {
        let (mut plain, mut angle) = (String::new(), None);
        while let Some(char) = self.rest.next() {
            match char {
                ',' | ';' => break,
                // The name of a group.
                ':' => plain.clear(),
                '<' if angle.is_some() => return Err("two addresses without a comma"),
                '<' => angle = Some(self.angle()?),
                char => self.part(char, &mut plain)?,
            }
        }
        match angle {
            Some(address) => self.found.push(address),
            None if plain.trim().is_empty() => {}
            None => self.found.push(joined(&plain)),
        }
        Ok(())
    }

    /// Behind `<`, up to `>`.
    fn angle(&mut self) -> Result<String, &'static str> {
        let mut address = String::new();
        while let Some(char) = self.rest.next() {
            match char {
                '>' => return Ok(joined(&address)),
                // RFC 5322 4.4: a route, which is ignored.
                ':' if address.trim_start().starts_with('@') => address.clear(),
                char => self.part(char, &mut address)?,
            }
        }
        Err("< is not closed")
    }

    /// A character, or what it begins: a comment, which is left out, a quoted string, an address in brackets.
    fn part(&mut self, char: char, out: &mut String) -> Result<(), &'static str> {
        match char {
            '(' => {
                out.push(' ');
                return self.comment();
            }
            '"' => return self.up_to('"', char, out).ok_or("a quote is not closed"),
            '[' => return self.up_to(']', char, out).ok_or("a bracket is not closed"),
            char if char.is_whitespace() => out.push(' '),
            char => out.push(char),
        }
        Ok(())
    }

    fn up_to(&mut self, end: char, start: char, out: &mut String) -> Option<()> {
        out.push(start);
        loop {
            let char = self.rest.next()?;
            out.push(char);
            match char {
                '\\' => out.push(self.rest.next()?),
                char if char == end => return Some(()),
                _ => {}
            }
        }
    }

    /// Comments may hold comments: they are counted.
    fn comment(&mut self) -> Result<(), &'static str> {
        let mut open = 1_usize;
        while open > 0 {
            match self.rest.next() {
                Some('\\') => drop(self.rest.next()),
                Some('(') => open += 1,
                Some(')') => open -= 1,
                Some(_) => {}
                None => return Err("a comment is not closed"),
            }
        }
        Ok(())
    }
}

/// Without the spaces around it, and around dots and `@` outside of quotes (RFC 5322 4.4). Other spaces stay, and are no part of an address.
fn joined(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut is_quoted, mut is_escaped) = (false, false);
    for char in text.trim().chars() {
        let is_space = char == ' ' && !is_quoted;
        if !is_quoted && matches!(char, '.' | '@') {
            out.truncate(out.trim_end_matches(' ').len());
        }
        if !(is_space && out.ends_with(['.', '@', ' '])) {
            out.push(char);
        }
        match char {
            '"' if !is_escaped => is_quoted = !is_quoted,
            '\\' if is_quoted && !is_escaped => {
                is_escaped = true;
                continue;
            }
            _ => {}
        }
        is_escaped = false;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            (" , ,", &[]),
            ("bob@example.org", &["bob@example.org"]),
            ("bob", &["bob"]),
            ("a@x, b@x ,c@x", &["a@x", "b@x", "c@x"]),
            ("Bob <bob@example.org>", &["bob@example.org"]),
            ("\"Smith, Bob <x@y>\" <bob@example.org>, a@x", &["bob@example.org", "a@x"]),
            ("bob@example.org (Bob, (the \\) builder))", &["bob@example.org"]),
            ("root (Cron Daemon)", &["root"]),
            ("\"ann, lee\"@example.org", &["\"ann, lee\"@example.org"]),
            ("\"a\\\"b . c\"@x", &["\"a\\\"b . c\"@x"]),
            ("friends: a@x, Bob <b@x>; c@x", &["a@x", "b@x", "c@x"]),
            ("undisclosed-recipients:;", &[]),
            ("<@one,@two:bob@example.org>", &["bob@example.org"]),
            ("bob@[IPv6:::1], <ann@[192.0.2.1]>", &["bob@[IPv6:::1]", "ann@[192.0.2.1]"]),
            ("bob . smith @ example\r\n .org", &["bob.smith@example.org"]),
            ("=?utf-8?q?J=C3=BCrgen?= <j@x>", &["j@x"]),
            ("two words", &["two words"]),
            ("<>", &[""]),
            ("ann@x\r\n\t, bob@x", &["ann@x", "bob@x"]),
        ];
        for (list, expected) in cases {
            assert_eq!(addresses(list).unwrap(), *expected, "{list:?}");
        }
        for list in ["\"a", "(a", "<a", "a@[1", "\"a\\", "<a> <b>", "((a)", "(\\"] {
            assert!(addresses(list).is_err(), "{list:?}");
        }
        assert!(addresses(&"(".repeat(1_000_000)).is_err());
    }
}
