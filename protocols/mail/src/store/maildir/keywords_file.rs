//! The file of keywords: a line `NUMBER KEYWORD` for each, by whose number it has its letter in file names. The format and the name are
//! those of Dovecot. Pure.

use crate::store::{Keyword, StoreLimits};

/// The keywords in the order of their letters. Lines that are not understood are left out, and letters without a keyword are given one
/// that nobody uses, so that the others keep theirs.
pub(crate) fn parse(text: &str) -> Vec<Keyword> {
    let mut found: Vec<Option<Keyword>> = Vec::new();
    for line in text.lines() {
        let Some((number, keyword)) = line.split_once(' ') else { continue };
        let (Ok(number), Ok(keyword)) = (number.parse::<usize>(), keyword.parse()) else {
            continue;
        };
        if number < StoreLimits::KEYWORDS_MAX {
            found.resize(found.len().max(number + 1), None);
            found[number] = Some(keyword);
        }
    }
    let with_gaps = found.into_iter().enumerate();
    with_gaps
        .filter_map(|(at, keyword)| keyword.or_else(|| format!("unknown-{at}").parse().ok()))
        .collect()
}

pub(crate) fn format(keywords: &[Keyword]) -> String {
    let lines = keywords.iter().enumerate().map(|(at, keyword)| format!("{at} {keyword}\n"));
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_keep_their_letters() {
        let read = |text: &str| parse(text).iter().map(Keyword::to_string).collect::<Vec<_>>();
        assert_eq!(read("0 $Forwarded\n1 Junk\n"), ["$Forwarded", "Junk"]);
        assert_eq!(
            read("2 c\nx y\n0 a b\n99 z\n18446744073709551616 q\n"),
            ["unknown-0", "unknown-1", "c"]
        );
        assert_eq!(read(""), [""; 0]);
        let keywords = parse("1 b\n0 a");
        assert_eq!(parse(&format(&keywords)), keywords);
    }
}
