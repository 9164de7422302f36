//! The file `maildirsize` of Maildir++ quotas: what may be used in the first line, and behind it lines whose sums are what is used. Pure.

/// Longest file that is read; one that is longer is made anew.
pub(crate) const FILE_LEN_MAX: usize = 5_120;

/// What may be used: `1000S,10C`. Zero or none is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Allowance {
    pub(crate) bytes: Option<u64>,
    pub(crate) messages: Option<u64>,
}

/// What the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) allowance: Allowance,
    pub(crate) bytes: u64,
    pub(crate) messages: u64,
    /// Lines with sums. More than one may be out of date.
    pub(crate) lines: usize,
}

impl Allowance {
    fn parse(line: &str) -> Option<Self> {
        let mut allowance = Self::default();
        for part in line.split(',').filter(|part| !part.is_empty()) {
            let (number, unit) = part.split_at_checked(part.len() - 1)?;
            let number = number.parse().ok()?;
            let number = (number > 0).then_some(number);
            match unit {
                "S" => allowance.bytes = number,
                "C" => allowance.messages = number,
                // Other limits are not ours.
                _ => {}
            }
        }
        Some(allowance)
    }

    fn format(self) -> String {
        let bytes = self.bytes.map(|bytes| format!("{bytes}S"));
        let messages = self.messages.map(|messages| format!("{messages}C"));
        bytes.into_iter().chain(messages).collect::<Vec<_>>().join(",")
    }
}

/// Reads the file. `None` if it is not to be believed: it is malformed, a line is cut off, or the sums are negative.
pub(crate) fn parse(text: &str) -> Option<Usage> {
    if text.len() > FILE_LEN_MAX || !text.ends_with('\n') {
        return None;
    }
    let mut lines = text.lines();
    let allowance = Allowance::parse(lines.next()?)?;
    let (mut bytes, mut messages, mut count) = (0i64, 0i64, 0);
    for line in lines {
        let mut numbers = line.split_ascii_whitespace();
        let mut number = || numbers.next()?.parse::<i64>().ok();
        bytes = bytes.checked_add(number()?)?;
        messages = messages.checked_add(number()?)?;
        count += 1;
    }
    let (bytes, messages) = (bytes.try_into().ok()?, messages.try_into().ok()?);
    Some(Usage { allowance, bytes, messages, lines: count })
}

/// A new file with what was counted.
pub(crate) fn format(allowance: Allowance, bytes: u64, messages: u64) -> String {
    format!("{}\n{}", allowance.format(), line(bytes.cast_signed(), messages.cast_signed()))
}

/// A line that adds to what is used.
pub(crate) fn line(bytes: i64, messages: i64) -> String {
    format!("{bytes} {messages}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_lines() {
        let usage = parse("1000S,10C\n500 2\n-100 -1\n    30     1\n").unwrap();
        let allowance = Allowance { bytes: Some(1000), messages: Some(10) };
        assert_eq!(usage, Usage { allowance, bytes: 430, messages: 2, lines: 3 });
        let text = format(allowance, 430, 2);
        assert_eq!(text, "1000S,10C\n430 2\n");
        assert_eq!(parse(&text).unwrap().bytes, 430);
        let none = parse("\n0 0\n").unwrap();
        assert_eq!(none.allowance, Allowance::default());
        assert_eq!(parse("0S,5C,7X\n").unwrap().allowance.messages, Some(5));
    }

    #[test]
    fn what_is_not_believed() {
        for text in [
            "",
            "1000S",
            "1000S\n5",
            "1000S\n5\n",
            "1000S\n5 x\n",
            "xS\n",
            "S\n",
            "ä\n",
            "1S\n-1 0\n",
            "1S\n9223372036854775807 0\n1 0\n",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
        assert_eq!(parse(&format!("1S\n{}", "1 1\n".repeat(2_000))), None);
    }
}
