//! The index against a model that remembers everything.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn uid(number: u32) -> Uid {
    Uid::new(number).unwrap()
}

fn index(expunged_max: usize) -> Index<()> {
    let limits = StoreLimits::default().expunged_max(expunged_max);
    Index::new(UidValidity::new(7).unwrap(), &limits)
}

fn added(number: u32, mod_seq: ModSeq) -> Change<()> {
    let flags = FlagBits::default();
    Change::Added(Entry {
        uid: uid(number),
        mod_seq,
        date: 0,
        size: 10,
        flags,
        is_recent: true,
        place: (),
    })
}

fn seen() -> FlagBits {
    FlagBits { system: SystemFlag::Seen.bit(), keywords: 0 }
}

#[test]
fn a_mailbox_that_forgets_says_so() {
    let mut index = index(2);
    let at = |number| ModSeq::new(number).unwrap();
    index.apply((1..=4).map(|number| added(number, at(2))));
    index.apply((1..=3).map(|n| Change::Expunged { uid: uid(n), mod_seq: at(2 + u64::from(n)) }));
    let since = |number| index.changes_since(at(number));
    assert_eq!(since(2).vanished, None);
    assert_eq!(since(3).vanished, Some(UidSet::parse("2:3", 9).unwrap()));
    assert_eq!(since(1).changed, [uid(4)]);
    assert!(since(5).is_empty());
}

#[test]
fn a_uid_is_not_used_again() {
    let mut index = index(9);
    index.apply([added(5, ModSeq::MIN.next()), added(5, ModSeq::MIN.next())]);
    index.apply([Change::Expunged { uid: uid(5), mod_seq: ModSeq::MIN.next() }]);
    index.apply([added(5, ModSeq::MIN.next()), added(4, ModSeq::MIN.next())]);
    assert_eq!((index.len(), index.next()), (0, uid(6)));
    // The last UID is given to none.
    index.apply([Change::Added(Entry { uid: Uid::MAX, ..entry(&added(1, ModSeq::MIN)) })]);
    assert_eq!(index.len(), 0);
}

fn entry(change: &Change<()>) -> Entry<()> {
    match change {
        Change::Added(entry) => entry.clone(),
        _ => unreachable!(),
    }
}

#[test]
fn dates_before_1970_and_far_away() {
    for seconds_ in [0, 1, -1, 1_700_000_000, -5_000_000_000] {
        assert_eq!(seconds(time(seconds_)), seconds_);
    }
    assert_eq!(seconds(SystemTime::UNIX_EPOCH - Duration::from_millis(1)), -1);
    let _ = (time(i64::MAX), time(i64::MIN));
}

#[derive(Clone, Debug)]
enum Step {
    Add,
    Flag(u32),
    Expunge(u32, u32),
    Claim,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Add),
        3 => (1u32..30).prop_map(Step::Flag),
        1 => (1u32..30, 0u32..4).prop_map(|(from, len)| Step::Expunge(from, from + len)),
        1 => Just(Step::Claim),
    ]
}

proptest! {
    #[test]
    fn changes_are_those_of_a_model(steps in prop::collection::vec(step(), 0..60), since in 1u64..60) {
        let mut index = index(1_000);
        // UID: last change, seen, recent; and the expunged ones.
        let mut model: BTreeMap<Uid, (ModSeq, bool, bool)> = BTreeMap::new();
        let mut gone: BTreeMap<Uid, ModSeq> = BTreeMap::new();
        for step in steps {
            let mod_seq = index.highest().next();
            match step {
                Step::Add => {
                    model.insert(index.next(), (mod_seq, false, true));
                    index.apply([added(index.next().get(), mod_seq)]);
                }
                Step::Flag(number) => {
                    let uids = UidSet::from(uid(number));
                    let add = FlagChange::Add(SystemFlag::Seen.into());
                    let (changes, done, modified) = index.flag_changes(&uids, &add, seen(), None);
                    prop_assert!(modified.is_empty());
                    prop_assert_eq!(done.contains(uid(number)), model.contains_key(&uid(number)));
                    for (uid, flags) in changes {
                        let recent = model[&uid].2;
                        model.insert(uid, (mod_seq, true, recent));
                        prop_assert_eq!(flags, seen());
                        index.apply([Change::Flags { uid, mod_seq, flags }]);
                    }
                }
                Step::Expunge(from, to) => {
                    let uids = UidSet::from(uid(from)..=uid(to));
                    let found = index.to_expunge(&uids, Expunge::All);
                    let found: Vec<_> = found.iter().map(|entry| entry.uid).collect();
                    for uid in &found {
                        prop_assert!(model.remove(uid).is_some());
                        gone.insert(*uid, mod_seq);
                    }
                    index.apply(found.into_iter().map(|uid| Change::Expunged { uid, mod_seq }));
                }
                Step::Claim => {
                    let recent = model.iter().filter(|(_, message)| message.2);
                    prop_assert_eq!(index.claim_recent(), recent.map(|(uid, _)| *uid).collect());
                    model.values_mut().for_each(|message| message.2 = false);
                }
            }
        }
        let status = index.status();
        prop_assert_eq!(status.messages as usize, model.len());
        prop_assert_eq!(status.unseen as usize, model.values().filter(|message| !message.1).count());
        prop_assert_eq!(status.recent as usize, model.values().filter(|message| message.2).count());
        prop_assert_eq!(status.size, 10 * model.len() as u64);
        prop_assert_eq!(index.uids(), model.keys().copied().collect::<Vec<_>>());
        let since = ModSeq::new(since).unwrap();
        let changes = index.changes_since(since);
        let changed = model.iter().filter(|(_, message)| message.0 > since).map(|(uid, _)| *uid);
        prop_assert_eq!(changes.changed, changed.collect::<Vec<_>>());
        let vanished = gone.iter().filter(|(_, at)| **at > since).map(|(uid, _)| *uid);
        prop_assert_eq!(changes.vanished, Some(vanished.collect()));
    }
}
