//! Every step of a spool fails once, by a kill and by a loss of power; what was acknowledged is there, once, as it was.

use std::collections::BTreeMap;

use super::*;
use crate::{
    queue::{DeliveryStage, QueuedRecipient},
    smtp::codec::{Recipient, Sender},
};

/// What the caller of a spool knows: `None` where a step has failed, after which both are right.
type Known = BTreeMap<MessageId, Vec<Option<StateRecord>>>;

fn id(text: &str) -> MessageId {
    text.parse().unwrap()
}

fn record(text: &str) -> EnvelopeRecord {
    let to = |name: &str| Recipient::new(format!("{name}@example.org").parse().unwrap());
    let envelope =
        QueuedEnvelope::new(Sender::new(Some(format!("{text}@example.net").parse().unwrap())))
            .with(QueuedRecipient::remote(to("bob")))
            .with(QueuedRecipient::remote(to("carol")));
    EnvelopeRecord { arrived: 1_000, envelope }
}

fn text(id: &str) -> Vec<u8> {
    format!("Subject: {id}\r\n\r\n{}", format!("line of {id}\r\n").repeat(9)).into_bytes()
}

fn accept(spool: &Spool, name: &str, known: &mut Known) -> Option<Stored> {
    let write = || -> Result<Stored, DraftError> {
        let mut draft = spool.begin(&id(name), &record(name))?;
        for piece in text(name).chunks(50) {
            draft.append(piece)?;
        }
        draft.commit()
    };
    let fresh = StateRecord::fresh(&record(name).envelope, 1_000);
    let stored = write().ok();
    let mut may = vec![Some(fresh)];
    if stored.is_none() {
        may.push(None);
    }
    known.insert(id(name), may);
    stored
}

fn save(spool: &Spool, name: &str, tries: u32, known: &mut Known) -> bool {
    let Some(may) = known.get_mut(&id(name)) else { return false };
    let mut state = StateRecord::fresh(&record(name).envelope, 1_000);
    state.progress[0].tries = tries;
    state.progress[0].stage = DeliveryStage::Delivered;
    let is_saved = spool.save(&id(name), &state).is_ok();
    if is_saved {
        may.clear();
    }
    may.push(Some(state));
    is_saved
}

fn remove(spool: &Spool, name: &str, known: &mut Known) -> bool {
    let Some(may) = known.get_mut(&id(name)) else { return false };
    let is_removed = spool.remove(&id(name)).is_ok();
    if is_removed {
        may.clear();
    }
    may.push(None);
    is_removed
}

/// Does all that a queue does, until a step fails.
fn work(spool: &Spool, known: &mut Known) -> Option<()> {
    accept(spool, "a", known)?;
    accept(spool, "b", known)?;
    save(spool, "a", 1, known).then_some(())?;
    remove(spool, "b", known).then_some(())?;
    save(spool, "a", 2, known).then_some(())?;
    accept(spool, "c", known)?;
    remove(spool, "a", known).then_some(())?;
    accept(spool, "d", known)?;
    Some(())
}

fn check(files: &MemoryFiles, known: &Known, what: &str) {
    let spool = Spool::on(files.clone());
    let recovered = spool.recover().unwrap();
    assert_eq!(recovered.damaged, [], "{what}");
    let found: BTreeMap<_, _> = recovered
        .messages
        .into_iter()
        .map(|(stored, state)| (stored.id.clone(), (stored, state)))
        .collect();
    for (id, may) in known {
        let state = found.get(id).map(|(_, state)| state.clone());
        assert!(may.contains(&state), "{what}: {id} is {state:?}, not {may:?}");
        let Some((stored, _)) = found.get(id) else { continue };
        assert_eq!(stored.envelope, record(id.as_str()).envelope, "{what}");
        let (mut reader, mut read) = (spool.open(stored).unwrap(), Vec::new());
        while let Some(piece) = reader.next(7).unwrap() {
            read.extend(piece);
        }
        assert_eq!(read, text(id.as_str()), "{what}");
    }
    assert!(found.keys().all(|id| known.contains_key(id)), "{what}");
    // Nothing else is left, and a second start finds the same.
    let names = files.names().unwrap();
    let states = names.iter().filter(|name| name.ends_with(".state"));
    assert!(states.clone().all(|name| found.contains_key(&parse(name).unwrap().0)), "{names:?}");
    assert_eq!(names.len(), found.len() + states.count(), "{what}: {names:?}");
    assert_eq!(spool.recover().unwrap().messages.len(), found.len(), "{what}");
}

#[test]
fn what_was_acknowledged_survives_a_failure_at_every_step() {
    let whole = MemoryFiles::default();
    assert_eq!(work(&Spool::on(whole.clone()), &mut Known::new()), Some(()));
    for step in 0..=whole.steps() {
        for seed in 0..40_u64 {
            let files = MemoryFiles::default();
            files.fail_after(step);
            let mut known = Known::new();
            let is_done = work(&Spool::on(files.clone()), &mut known).is_some();
            assert_eq!(is_done, step == whole.steps());
            let mut random = seed;
            match seed {
                0 => files.lose_process(),
                _ => files.lose_power(|| {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed);
                    random >> 33
                }),
            }
            check(&files, &known, &format!("step {step}, seed {seed}"));
        }
    }
}

#[test]
fn a_message_that_is_not_whole_is_put_aside() {
    let files = MemoryFiles::default();
    let spool = Spool::on(files.clone());
    accept(&spool, "a", &mut Known::new()).unwrap();
    let mut file = files.open("a.mail").unwrap();
    let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
    file.read_at(0, &mut bytes).unwrap();
    for len in 0..bytes.len() {
        let files = MemoryFiles::default();
        files.create("a.mail").unwrap().append(&bytes[..len]).unwrap();
        files.create("b.tmp").unwrap().append(&bytes[..len]).unwrap();
        let recovered = Spool::on(files.clone()).recover().unwrap();
        assert_eq!((recovered.messages.len(), recovered.damaged), (0, vec![id("a")]), "{len}");
        assert_eq!(files.names().unwrap(), ["a.damaged"]);
    }
}

#[test]
fn a_message_that_was_changed_is_not_read_to_its_end() {
    let files = MemoryFiles::default();
    let spool = Spool::on(files.clone());
    let stored = accept(&spool, "a", &mut Known::new()).unwrap();
    let mut file = files.open("a.mail").unwrap();
    let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
    file.read_at(0, &mut bytes).unwrap();
    bytes[usize::try_from(stored.offset).unwrap() + 20] ^= 1;
    files.remove("a.mail").unwrap();
    files.create("a.mail").unwrap().append(&bytes).unwrap();
    let mut reader = spool.open(&stored).unwrap();
    let read = std::iter::from_fn(|| reader.next(64).transpose()).collect::<Vec<_>>();
    let (last, before) = read.split_last().unwrap();
    assert!(last.is_err() && before.iter().all(Result::is_ok) && before.len() == 1, "{read:?}");
}

#[test]
fn a_damaged_state_holds_its_message() {
    let files = MemoryFiles::default();
    let spool = Spool::on(files.clone());
    accept(&spool, "a", &mut Known::new()).unwrap();
    files.create("a.state").unwrap().append(b"sinew-state 1 0 0\n").unwrap();
    let recovered = spool.recover().unwrap();
    assert!(recovered.messages[0].1.is_held);
}

#[test]
fn a_message_with_bare_line_ends_is_refused_and_leaves_nothing() {
    let files = MemoryFiles::default();
    let spool = Spool::on(files.clone());
    for text in ["a\nb\r\n", "a\rb\r\n", "a\r"] {
        let mut draft = spool.begin(&id("a"), &record("a")).unwrap();
        let written = draft.append(text.as_bytes());
        let committed = written.and_then(|()| draft.commit().map(drop));
        assert!(matches!(committed, Err(DraftError::BareLineEnd)), "{text:?}");
        assert_eq!(files.names().unwrap(), [""; 0]);
    }
    let mut draft = spool.begin(&id("a"), &record("a")).unwrap();
    draft.append(b"no end").unwrap();
    assert_eq!(draft.commit().unwrap().trailer.facts.len(), 8, "its last line is ended");
}

#[cfg(unix)]
#[test]
fn a_folder_belongs_to_one_spool() {
    let path = std::env::temp_dir().join(format!("sinew-spool-{}", std::process::id()));
    let spool = Spool::in_folder(path.join("deep"));
    let lock = spool.take().unwrap();
    let other = Spool::in_folder(path.join("deep"));
    assert_eq!(other.take().err().map(|error| error.kind()), Some(io::ErrorKind::WouldBlock));
    let mut known = Known::new();
    work(&spool, &mut known).unwrap();
    drop(lock);
    let _lock = other.take().unwrap();
    assert_eq!(other.recover().unwrap().messages.len(), 2);
    std::fs::remove_dir_all(path).unwrap();
}
