//! Values: what they are made of, and what they are not.

use super::super::{AString, Atom, Capabilities, Flag, Literals, MailboxName, SequenceSet, Tag};

#[test]
fn values_are_checked() {
    for good in ["a", "A1", "x.y-z", "]"] {
        assert!(good.parse::<Tag>().is_ok(), "{good}");
    }
    for bad in ["", "+", "a+", "a b", "a\r", "\"a\"", "a{", "ä", "%", "*", "\\", "(", "\0"] {
        assert!(
            bad.parse::<Tag>().is_err()
                && (bad == "+" || bad == "a+" || bad.parse::<Atom>().is_err()),
            "{bad:?}"
        );
    }
    assert!("a\r\nb".parse::<AString>().is_ok() && "a\0".parse::<AString>().is_err());
    for bad in ["", "a\r\nb", "a\0", "a\tb", "\u{7f}"] {
        assert!(bad.parse::<MailboxName>().is_err(), "{bad:?}");
    }
    assert_eq!("InBoX".parse::<MailboxName>(), Ok(MailboxName::inbox()));
    assert!("Inbox/x".parse::<MailboxName>().is_ok_and(|name| !name.is_inbox()));
}

#[test]
fn flags_are_the_same_in_upper_and_lower_case() {
    assert_eq!("\\DELETED".parse(), Ok(Flag::Deleted));
    assert_eq!("\\Forwarded".parse::<Flag>().unwrap().to_string(), "\\Forwarded");
    assert_eq!("\\*".parse(), Ok(Flag::AnyKeyword));
    for bad in ["", "\\", "a b", "\\a b", "\\\\x", "a)"] {
        assert!(bad.parse::<Flag>().is_err(), "{bad}");
    }
}

#[test]
fn sets_of_numbers() {
    for bad in ["", "0", "1:", ":1", "1,", "a", "1:2:3", "4294967296", "1 2", "*:0"] {
        assert!(bad.parse::<SequenceSet>().is_err(), "{bad}");
    }
    let set: SequenceSet = "7:5,*,3:*".parse().unwrap();
    assert_eq!(set.ranges(9).collect::<Vec<_>>(), [(5, 7), (9, 9), (3, 9)]);
    assert_eq!(set.to_string(), "7:5,*,3:*");
    assert!(set.contains(6, 9) && !set.contains(2, 9));
    // RFC 9051: `*` may be less than the other end.
    assert_eq!("5:*".parse::<SequenceSet>().unwrap().ranges(3).collect::<Vec<_>>(), [(3, 5)]);
    let all: SequenceSet = "1:4294967295".parse().unwrap();
    assert_eq!(all.count(1), 4_294_967_295);
    assert_eq!(
        SequenceSet::of_sorted([u32::MAX - 1, u32::MAX]).unwrap().to_string(),
        "4294967294:4294967295"
    );
    assert_eq!(SequenceSet::of_sorted([]), None);
    assert_eq!(SequenceSet::of_sorted([0]), None);
}

#[test]
fn literals_by_capability() {
    let literals = |text: &str| text.parse::<Capabilities>().unwrap().literals();
    assert_eq!(literals("IMAP4rev1"), Literals::Synchronizing);
    assert_eq!(literals("IMAP4rev1 LITERAL-"), Literals::Minus);
    assert_eq!(literals("IMAP4rev2"), Literals::Minus);
    assert_eq!(literals("literal+ LITERAL-"), Literals::Plus);
    assert!(Literals::Minus.allow(4_096) && !Literals::Minus.allow(4_097));
}
