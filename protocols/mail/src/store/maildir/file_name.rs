//! Names of message files: `BASE:2,FLAGS`. Pure.
//!
//! The base never changes. `,S=` in it is the size of the file, `,W=` that of the text with CRLFs, as Dovecot writes them. The flags are
//! letters in ASCII order: capitals for those of Maildir, small ones for keywords, by their order in the file of keywords. Capitals that
//! IMAP has no flag for (`P`, passed) are left where they are.

use crate::store::{SystemFlag, index::FlagBits};

/// The letters of the flags of IMAP.
const LETTERS: [(char, SystemFlag); 5] = [
    ('D', SystemFlag::Draft),
    ('F', SystemFlag::Flagged),
    ('R', SystemFlag::Answered),
    ('S', SystemFlag::Seen),
    ('T', SystemFlag::Deleted),
];

/// Longest name that a message is given: the limit of the file systems.
pub(crate) const NAME_LEN_MAX: usize = 255;

/// A name that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileName<'a> {
    pub(crate) base: &'a str,
    letters: &'a str,
}

impl<'a> FileName<'a> {
    /// `None` for what is no message: hidden files, and names that a list cannot hold.
    pub(crate) fn parse(name: &'a str) -> Option<Self> {
        if name.starts_with('.') || name.len() > NAME_LEN_MAX || name.contains(char::is_control) {
            return None;
        }
        let (base, info) = name.split_once(':').unwrap_or((name, ""));
        (!base.is_empty()).then_some(Self { base, letters: info.strip_prefix("2,").unwrap_or("") })
    }

    pub(crate) fn flags(self) -> FlagBits {
        flags(self.letters)
    }

    /// The name with other flags. Letters that are no flag of IMAP stay.
    pub(crate) fn with_flags(self, flags: FlagBits) -> String {
        let is_ours = |letter: &char| LETTERS.iter().any(|(ours, _)| ours == letter);
        let foreign = self.letters.chars().filter(char::is_ascii_uppercase);
        let mut letters: Vec<_> = foreign.filter(|letter| !is_ours(letter)).collect();
        letters.extend(flag_letters(flags));
        letters.sort_unstable();
        letters.dedup();
        let letters: String = letters.into_iter().collect();
        format!("{}:2,{letters}", self.base)
    }

    /// The size of the file, if the name says that it is also that of the text.
    pub(crate) fn size(self) -> Option<u64> {
        let field = |name| {
            let mut fields = self.base.split(',').skip(1);
            fields.find_map(|field| field.strip_prefix(name)?.parse::<u64>().ok())
        };
        field("S=").filter(|size| field("W=") == Some(*size))
    }

    /// The time at the front of the name, by which messages are in order.
    pub(crate) fn seconds(self) -> u64 {
        let end = self.base.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.base.len());
        self.base[..end].parse().unwrap_or(u64::MAX)
    }
}

/// The flags of letters.
pub(crate) fn flags(letters: &str) -> FlagBits {
    let mut flags = FlagBits::default();
    for letter in letters.bytes() {
        if let b'a'..=b'z' = letter {
            flags.keywords |= 1 << (letter - b'a');
        }
        for (ours, flag) in LETTERS {
            if ours == char::from(letter) {
                flags.system |= flag.bit();
            }
        }
    }
    flags
}

/// The letters of flags, in order.
pub(crate) fn flag_letters(flags: FlagBits) -> impl Iterator<Item = char> {
    let system = LETTERS.into_iter().filter(move |(_, flag)| flags.has(*flag));
    let keywords = (b'a'..=b'z').filter(move |letter| flags.keywords & (1 << (letter - b'a')) != 0);
    system.map(|(letter, _)| letter).chain(keywords.map(char::from))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_and_their_flags() {
        for (name, base, letters, size) in [
            ("1.a.b", "1.a.b", "", None),
            ("1.a.b:2,", "1.a.b", "", None),
            ("1.a,S=5,W=5:2,FSTab", "1.a,S=5,W=5", "FSTab", Some(5)),
            ("1.a,S=5,W=6:2,PS", "1.a,S=5,W=6", "S", None),
            ("1.a,W=5:2,S", "1.a,W=5", "S", None),
            ("1.a,S=-5,W=-5:1,S", "1.a,S=-5,W=-5", "", None),
            ("x:2,SzS!ä", "x", "Sz", None),
        ] {
            let parsed = FileName::parse(name).unwrap();
            let found: String = flag_letters(parsed.flags()).collect();
            assert_eq!((parsed.base, found.as_str(), parsed.size()), (base, letters, size));
        }
        for name in ["", ".", ".x", ":2,S", "a\nb", "a\0"] {
            assert_eq!(FileName::parse(name), None, "{name:?}");
        }
    }

    #[test]
    fn letters_that_are_not_ours_stay() {
        let name = FileName::parse("x:2,PSa").unwrap();
        assert_eq!(name.with_flags(flags("DF")), "x:2,DFP");
        assert_eq!(name.with_flags(flags("TSb")), "x:2,PSTb");
        assert_eq!(FileName::parse("x").unwrap().with_flags(flags("")), "x:2,");
    }

    #[test]
    fn messages_are_in_order_of_their_time() {
        let seconds = |name| FileName::parse(name).unwrap().seconds();
        assert_eq!(
            (seconds("12.a"), seconds("x"), seconds("99999999999999999999")),
            (12, u64::MAX, u64::MAX)
        );
    }

    proptest! {
        #[test]
        fn a_name_keeps_its_base(name in "\\PC{0,20}", letters in "[A-Za-z]{0,8}") {
            if let Some(parsed) = FileName::parse(&name) {
                let renamed = parsed.with_flags(flags(&letters));
                let again = FileName::parse(&renamed).unwrap();
                prop_assert_eq!((again.base, again.flags()), (parsed.base, flags(&letters)));
                let _ = (parsed.size(), parsed.seconds());
            }
        }
    }
}
