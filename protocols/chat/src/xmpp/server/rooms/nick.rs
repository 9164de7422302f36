//! When two nicks are taken for the same (RFC 8266, as far as it is about comparing): [`comparable`]. Pure.

use unicode_normalization::UnicodeNormalization;

/// What is compared of a nick: in lower case and in NFKC, without characters that are not seen, each run of spaces one space, and none at
/// the ends. Empty if nothing of it is seen.
pub(super) fn comparable(nick: &str) -> String {
    let seen = nick.nfkc().filter(|c| !is_unseen(*c)).flat_map(char::to_lowercase);
    // Lower case may have to be composed again.
    let folded: String = seen.nfkc().collect();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Characters that have no shape of their own: joiners, selectors, soft hyphens, tags.
const fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::comparable;

    #[test]
    fn what_is_compared() {
        for (nick, expected) in [
            ("Ann", "ann"),
            (" Ann  B ", "ann b"),
            ("A\u{200d}nn\u{fe0f}", "ann"),
            ("\u{ff21}nn", "ann"),
            ("e\u{301}", "\u{e9}"),
            ("\u{3a3}", "\u{3c3}"),
            ("\u{200b} \u{ad}", ""),
        ] {
            assert_eq!(comparable(nick), expected, "{nick:?}");
            assert_eq!(comparable(&comparable(nick)), expected, "{nick:?}");
        }
    }
}
