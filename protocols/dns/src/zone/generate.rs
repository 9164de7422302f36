//! `$GENERATE` of BIND: [`Generate`] makes the words of many records from a pattern, one after another.

use super::lex::Token;

/// A range, and the words of a record with `$` in them.
#[derive(Clone, Debug)]
pub(super) struct Generate<'a> {
    next: u64,
    stop: u64,
    step: u64,
    pattern: &'a [Token],
}

impl<'a> Generate<'a> {
    /// Reads what follows `$GENERATE`: `start-stop[/step]`, then a record.
    pub(super) fn parse(tokens: &'a [Token]) -> Result<Self, &'static str> {
        const RANGE: &str = "a range like 1-10 or 0-100/2 is expected, within 0 to 2147483647";
        let Some((range, pattern)) = tokens.split_first().filter(|(_, rest)| rest.len() >= 3)
        else {
            return Err("a range, a name, a type and data are expected");
        };
        let range = str::from_utf8(&range.text).map_err(|_| RANGE)?;
        let (range, step) = range.split_once('/').unwrap_or((range, "1"));
        let (start, stop) = range.split_once('-').ok_or(RANGE)?;
        let number = |text: &str| {
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let number = text.parse::<u64>().ok();
            number.filter(|it| is_number && *it <= 0x7fff_ffff).ok_or(RANGE)
        };
        let (next, stop, step) = (number(start)?, number(stop)?, number(step)?);
        if step == 0 || next > stop {
            return Err(RANGE);
        }
        let this = Self { next, stop, step, pattern };
        // A fault of the pattern is reported before anything is made of it.
        this.words(next).ok_or("the part in braces is expected to be like ${0,3,d}")?;
        Ok(this)
    }

    /// How many records it makes.
    pub(super) fn record_count(&self) -> usize {
        usize::try_from((self.stop - self.next) / self.step + 1).unwrap_or(usize::MAX)
    }

    fn words(&self, number: u64) -> Option<Vec<Token>> {
        let word = |token: &Token| {
            let text = substitute(&token.text, number)?;
            Some(Token { text, ..token.clone() })
        };
        self.pattern.iter().map(word).collect()
    }
}

impl Iterator for Generate<'_> {
    type Item = Vec<Token>;

    fn next(&mut self) -> Option<Vec<Token>> {
        if self.next > self.stop {
            return None;
        }
        let number = self.next;
        self.next += self.step;
        self.words(number)
    }
}

/// Replaces each `$` and `${offset,width,base}`. `\$` stays, and `$$` is a `$`.
fn substitute(text: &[u8], number: u64) -> Option<Vec<u8>> {
    let (mut out, mut at) = (Vec::with_capacity(text.len() + 8), 0);
    while let Some(&byte) = text.get(at) {
        at += 1;
        match (byte, text.get(at)) {
            (b'\\', Some(&next)) => {
                out.extend([b'\\', next]);
                at += 1;
            }
            (b'$', Some(b'$')) => {
                out.extend(b"\\$");
                at += 1;
            }
            (b'$', Some(b'{')) => {
                let len = text[at..].iter().position(|byte| *byte == b'}')?;
                let format = str::from_utf8(&text[at + 1..at + len]).ok()?;
                out.extend(formatted(format, number)?);
                at += len + 1;
            }
            (b'$', _) => out.extend(number.to_string().bytes()),
            _ => out.push(byte),
        }
    }
    Some(out)
}

/// Longest number by a width.
const WIDTH_MAX: usize = 63;

fn formatted(format: &str, number: u64) -> Option<Vec<u8>> {
    let mut parts = format.split(',');
    let offset: i64 = parts.next()?.parse().ok()?;
    let width: usize = parts.next().map_or(Some(0), |width| width.parse().ok())?;
    let base = parts.next().unwrap_or("d");
    let is_end = parts.next().is_none() && width <= WIDTH_MAX;
    let value = i64::try_from(number).ok()?.checked_add(offset)?;
    let value = u64::try_from(value).ok().filter(|_| is_end)?;
    let text = match base {
        "d" => format!("{value:0width$}"),
        "o" => format!("{value:0width$o}"),
        "x" => format!("{value:0width$x}"),
        "X" => format!("{value:0width$X}"),
        "n" | "N" => nibbles(value, width, base == "N"),
        _ => return None,
    };
    Some(text.into())
}

/// Hexadecimal digits from the last to the first, as labels: for `ip6.arpa`. The width counts the dots.
fn nibbles(value: u64, width: usize, is_upper: bool) -> String {
    let (mut rest, mut text) = (value, String::new());
    loop {
        let digit = char::from_digit((rest & 15) as u32, 16).unwrap_or('0');
        text.push(if is_upper { digit.to_ascii_uppercase() } else { digit });
        rest >>= 4;
        if rest == 0 && text.len() >= width {
            return text;
        }
        text.push('.');
        if rest == 0 && text.len() >= width {
            text.pop();
            return text;
        }
    }
}
