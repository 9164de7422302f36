//! The list of UIDs: what is written is read, and what is not whole is noticed.

use proptest::prelude::*;

use super::*;
use crate::store::StoreLimits;

fn change() -> impl Strategy<Value = Change<Place>> {
    let uid = (1u32..50).prop_map(|uid| Uid::new(uid).unwrap());
    let mod_seq = (1u64..1_000).prop_map(|mod_seq| ModSeq::new(mod_seq).unwrap());
    let flags = "[DFRST]{0,3}[a-z]{0,3}".prop_map(|letters| file_name::flags(&letters));
    let base = "[ -9;-~\u{e9}]{1,12}";
    let what = (uid, mod_seq, flags, base, any::<i64>(), any::<u64>(), 0..3);
    what.prop_map(|(uid, mod_seq, flags, base, date, size, kind)| {
        let base = format!("1{base}");
        let place = Place::guess(&base, flags);
        match kind {
            0 => Change::Added(Entry { uid, mod_seq, date, size, flags, is_recent: false, place }),
            1 => Change::Flags { uid, mod_seq, flags },
            _ => Change::Expunged { uid, mod_seq },
        }
    })
}

proptest! {
    #[test]
    fn changes_are_read_as_they_were_written(changes in prop::collection::vec(change(), 0..12)) {
        let text = encode_changes(&changes);
        let lines = Lines::parse(text.as_bytes(), false).unwrap();
        prop_assert_eq!(&lines.changes, &changes);
        prop_assert_eq!((lines.torn, lines.header), (0, None));
        // Cut off anywhere, there are those before, and at most one that is torn.
        for len in 0..text.len() {
            let lines = Lines::parse(&text.as_bytes()[..len], false).unwrap();
            prop_assert_eq!(&lines.changes[..], &changes[..lines.changes.len()]);
            let at_end = len == 0 || text.as_bytes()[len - 1] == b'\n';
            prop_assert_eq!(lines.torn == 0, at_end);
        }
    }

    #[test]
    fn anything_is_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = (Lines::parse(&bytes, false), Lines::parse(&bytes, true));
    }
}

#[test]
fn a_whole_list_says_what_the_index_does() {
    let limits = StoreLimits::default().expunged_max(1);
    let mut index = Index::new(UidValidity::new(77).unwrap(), &limits);
    let at = |number| ModSeq::new(number).unwrap();
    let uid = |number| Uid::new(number).unwrap();
    let flags = FlagBits { system: 1, keywords: 2 };
    let added = |number: u32| {
        let place = Place::guess(&format!("{number}.x y"), flags);
        let (date, size) = (-5, 7);
        let (uid, mod_seq) = (uid(number), at(u64::from(number) + 1));
        Change::Added(Entry { uid, mod_seq, date, size, flags, is_recent: false, place })
    };
    index.apply((1..=4).map(added));
    index.apply([1, 4].map(|number| Change::Expunged { uid: uid(number), mod_seq: at(9) }));
    let text = encode(&index);
    let lines = Lines::parse(text.as_bytes(), true).unwrap();
    let header = lines.header.unwrap();
    assert_eq!((header.validity, header.next), (index.validity(), uid(5)));
    assert_eq!((header.highest, header.forgotten), (at(9), at(9)));
    let mut again = Index::new(header.validity, &limits);
    again.forget_before(header.forgotten);
    again.apply(lines.changes);
    again.loaded(header.next, header.highest);
    assert_eq!((again.entries(), again.next()), (index.entries(), index.next()));
    assert_eq!(encode(&again), text);
    assert_eq!(again.changes_since(at(3)), index.changes_since(at(3)));
}

/// Whenever the ends of a list tell what the next message needs to know, all of it says the same.
#[test]
fn the_ends_of_a_list_say_what_all_of_it_does() {
    let limits = StoreLimits::default();
    let mut index: Index<Place> = Index::new(UidValidity::new(7).unwrap(), &limits);
    let mut text = encode(&index);
    let mut told = 0;
    for number in 1..200u32 {
        let (uid, mod_seq) = (index.next(), index.highest().next());
        let old = Uid::new(number / 3 + 1).unwrap();
        let place = Place::guess(&format!("{number}.x"), FlagBits::default());
        let (date, size, flags) = (0, 1, FlagBits::default());
        let change = match number % 50 {
            0..20 => {
                Change::Added(Entry { uid, mod_seq, date, size, flags, is_recent: false, place })
            }
            20..35 => Change::Flags { uid: old, mod_seq, flags },
            _ => Change::Expunged { uid: old, mod_seq },
        };
        text.push_str(&encode_changes(std::slice::from_ref(&change)));
        index.apply([change]);
        if number == 120 {
            text = encode(&index);
        }
        for len in [60, 500, 100_000] {
            let (first, last) =
                (&text[..len.min(text.len())], &text[text.len().saturating_sub(len)..]);
            if let Some(end) = ListEnd::parse(first.as_bytes(), last.as_bytes()) {
                told += 1;
                let (validity, next, highest) = (index.validity(), index.next(), index.highest());
                assert_eq!(end, ListEnd { validity, next, highest });
            }
            let torn = &last[..last.len() - 1];
            assert_eq!(ListEnd::parse(first.as_bytes(), torn.as_bytes()), None);
        }
    }
    assert!(told > 200, "{told}");
}

#[test]
fn a_line_in_the_middle_that_is_wrong_is_damage() {
    let changes: Vec<_> = (1..=3)
        .map(|number| Change::Expunged { uid: Uid::new(number).unwrap(), mod_seq: ModSeq::MIN })
        .collect();
    let text = encode_changes(&changes);
    let second = text.find('\n').unwrap() + 12;
    let mut wrong = text.clone().into_bytes();
    wrong[second] ^= 1;
    assert_eq!(Lines::parse(&wrong, false), Err(Damaged));
    // No header, or one too many.
    assert_eq!(Lines::parse(text.as_bytes(), true), Err(Damaged));
    assert_eq!(Lines::parse(b"", true), Err(Damaged));
    let limits = StoreLimits::default();
    let index: Index<Place> = Index::new(UidValidity::new(1).unwrap(), &limits);
    let header = encode(&index);
    assert!(Lines::parse(header.as_bytes(), true).is_ok());
    assert_eq!(Lines::parse(header.as_bytes(), false), Err(Damaged));
    assert_eq!(Lines::parse(header.repeat(2).as_bytes(), true), Err(Damaged));
}
