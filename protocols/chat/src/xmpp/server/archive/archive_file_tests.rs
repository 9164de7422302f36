//! Tests of `archive_file.rs`: cuts at every byte, damage, limits, and files that become shorter.

use std::{
    env, fs,
    io::Write as _,
    path::{Path, PathBuf},
    process,
    time::{Duration, SystemTime},
};

use super::{
    ArchiveId, ArchiveLimits, StoredMessage, StoredPage, StoredQuery, archive_file::ArchiveFile,
};
use crate::xmpp::{
    codec::{Element, ns},
    server::StoreError,
};

const ALL: ArchiveLimits = ArchiveLimits::new(usize::MAX, u64::MAX);

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("sinew-archive-{}-{name}", process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("ann.archive")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn message(id: u64, body: &str) -> StoredMessage {
    let body = Element::new("body", ns::CLIENT).with_text(body);
    let message =
        Element::new("message", ns::CLIENT).with_attribute("type", "chat").with_child(body);
    StoredMessage::new(ArchiveId(id), "bob@example.org".parse().unwrap(), message)
}

fn messages(ids: std::ops::Range<u64>) -> Vec<StoredMessage> {
    ids.map(|id| message(id, &format!("number {id}"))).collect()
}

fn page(file: &mut ArchiveFile, limits: ArchiveLimits) -> StoredPage {
    let query = StoredQuery { max: usize::MAX, bytes_max: usize::MAX, ..StoredQuery::default() };
    file.page(&query, limits).unwrap().unwrap()
}

fn open(path: &Path) -> Result<ArchiveFile, StoreError> {
    ArchiveFile::open(path).map(|file| file.expect("the file is there"))
}

/// A process may be killed, and a disk may be full, at any byte: at most the last message is lost, and all goes on.
#[test]
fn a_cut_at_every_byte() {
    let folder = Folder::new("cuts");
    let path = folder.file();
    let mut ends = vec![0];
    let mut file = ArchiveFile::open_or_make(&path).unwrap();
    ends.push(fs::metadata(&path).unwrap().len());
    for message in messages(1..4) {
        file.append(&[message], ALL).unwrap();
        ends.push(fs::metadata(&path).unwrap().len());
    }
    drop(file);
    let whole = fs::read(&path).unwrap();
    for cut in 0..=whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let kept = ends[2..].iter().filter(|end| **end <= cut as u64).count() as u64;
        let mut file = open(&path).unwrap();
        assert_eq!(page(&mut file, ALL).messages, messages(1..1 + kept), "{cut}");
        assert!(ends.contains(&fs::metadata(&path).unwrap().len()), "{cut}");
        file.append(&[message(9, "behind it")], ALL).unwrap();
        drop(file);
        let found = page(&mut open(&path).unwrap(), ALL).messages;
        assert_eq!(found[..found.len() - 1], messages(1..1 + kept), "{cut}");
        assert_eq!(found[found.len() - 1], message(9, "behind it"), "{cut}");
    }
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1, "nothing was taken for damage");
}

/// A byte that is another one is found, wherever it is. What was before it is there, and what was behind it is in another file.
#[test]
fn a_change_of_every_byte() {
    let folder = Folder::new("changes");
    let (path, damaged) = (folder.file(), folder.0.join("ann.archive.damaged"));
    let mut file = ArchiveFile::open_or_make(&path).unwrap();
    file.append(&messages(1..3), ALL).unwrap();
    let first_two = fs::metadata(&path).unwrap().len();
    file.append(&messages(3..4), ALL).unwrap();
    drop(file);
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut text = whole.clone();
        text[at] ^= 0x10;
        fs::write(&path, &text).unwrap();
        let _ = fs::remove_file(&damaged);
        if at < 8 {
            assert!(matches!(open(&path), Err(StoreError::BadFile { .. })), "{at}");
            assert_eq!(fs::read(&path).unwrap(), text, "nothing is overwritten");
            continue;
        }
        let found = page(&mut open(&path).unwrap(), ALL).messages;
        assert_eq!(found, messages(1..1 + found.len() as u64), "{at}");
        assert!(found.len() < 3, "{at}");
        // The last one may be the end of a crash, unless its head is damaged.
        let cut = usize::try_from(fs::metadata(&path).unwrap().len()).unwrap();
        let is_torn = at as u64 >= first_two && at - usize::try_from(first_two).unwrap() >= 8;
        match fs::read(&damaged) {
            Ok(kept) => assert_eq!((text[cut..].to_vec(), is_torn), (kept, false), "{at}"),
            Err(_) => assert!(is_torn, "{at}"),
        }
    }
}

/// The end of a file that a loss of power has left as zeros is no message.
#[test]
fn zeros_at_the_end() {
    let folder = Folder::new("zeros");
    let path = folder.file();
    ArchiveFile::open_or_make(&path).unwrap().append(&messages(1..3), ALL).unwrap();
    let whole = fs::read(&path).unwrap();
    for zeros in [1, 15, 16, 500] {
        fs::write(&path, [&whole[..], &vec![0; zeros]].concat()).unwrap();
        assert_eq!(page(&mut open(&path).unwrap(), ALL).messages, messages(1..3));
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
}

/// A message that was stored by a call that has failed afterwards is not stored twice.
#[test]
fn the_same_again() {
    let folder = Folder::new("again");
    let mut file = ArchiveFile::open_or_make(&folder.file()).unwrap();
    file.append(&messages(1..3), ALL).unwrap();
    file.append(&messages(1..5), ALL).unwrap();
    assert_eq!(page(&mut file, ALL).messages, messages(1..5));
    drop(file);
    assert_eq!(page(&mut open(&folder.file()).unwrap(), ALL).messages, messages(1..5));
}

#[test]
fn limits() {
    let folder = Folder::new("limits");
    let mut file = ArchiveFile::open_or_make(&folder.file()).unwrap();
    file.append(&messages(10..20), ALL).unwrap();
    let len = (fs::metadata(folder.file()).unwrap().len() - 8) / 10;
    for (limits, expected) in [
        (ArchiveLimits::new(20, u64::MAX), 10..20),
        (ArchiveLimits::new(8, u64::MAX), 12..20),
        (ArchiveLimits::new(20, 7 * len), 13..20),
        (ArchiveLimits::new(20, 7 * len - 1), 14..20),
        (ALL.from(ArchiveId(15)), 15..20),
        (ALL.from(ArchiveId(20)), 20..20),
    ] {
        let page = page(&mut file, limits);
        assert_eq!(page.messages, messages(expected.clone()));
        assert_eq!(page.count, Some((expected.end - expected.start) as usize));
    }
    assert_eq!(file.span(ALL), None);
}

/// What is forgotten leaves the file: when it is much of it, and when it is too old.
#[test]
fn the_file_becomes_shorter() {
    let folder = Folder::new("shorter");
    let path = folder.file();
    let limits = ArchiveLimits::new(100, u64::MAX);
    let mut file = ArchiveFile::open_or_make(&path).unwrap();
    let long = "x".repeat(1_000);
    for id in 0..1_000 {
        file.append(&[message(id, &long)], limits).unwrap();
        assert!(fs::metadata(&path).unwrap().len() < 200 * 1_200, "{id}");
    }
    let expected: Vec<_> = (900..1_000).map(|id| message(id, &long)).collect();
    assert_eq!(page(&mut file, limits).messages, expected);
    drop(file);
    let mut file = open(&path).unwrap();
    assert_eq!(page(&mut file, limits).messages, expected);
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1);
}

/// What is a day older than it may be leaves the file, however little it is.
#[test]
fn what_is_too_old_leaves_the_file() {
    let folder = Folder::new("old");
    let path = folder.file();
    let day = 86_400_000 << 20;
    let mut file = ArchiveFile::open_or_make(&path).unwrap();
    file.append(&messages(0..10), ALL).unwrap();
    let len = fs::metadata(&path).unwrap().len();
    assert_eq!(page(&mut file, ALL.from(ArchiveId(5))).messages, messages(5..10));
    assert_eq!(fs::metadata(&path).unwrap().len(), len);
    file.append(&messages(day..day + 2), ALL).unwrap();
    assert_eq!(page(&mut file, ALL.from(ArchiveId(day + 1))).messages, messages(day + 1..day + 2));
    assert!(fs::metadata(&path).unwrap().len() < len / 5);
    assert_eq!(page(&mut file, ALL.from(ArchiveId(3 * day))).messages, []);
    assert_eq!(fs::read(&path).unwrap(), b"sinewXA1");
    file.append(&messages(3 * day..3 * day + 2), ALL).unwrap();
    assert_eq!(page(&mut file, ALL).messages, messages(3 * day..3 * day + 2));
}

/// There may be no room for a shorter file: nothing is left of it, appending goes on, and it is tried again later.
#[test]
fn the_file_cannot_become_shorter_yet() {
    let folder = Folder::new("stuck");
    let path = folder.file();
    let limits = ArchiveLimits::new(10, u64::MAX);
    let mut file = ArchiveFile::open_or_make(&path).unwrap();
    let long = "x".repeat(1_000);
    // A folder in the place of the file cannot be replaced.
    fs::rename(&path, folder.0.join("moved")).unwrap();
    fs::create_dir(&path).unwrap();
    fs::write(path.join("full"), "").unwrap();
    for id in 0..100 {
        file.append(&[message(id, &long)], limits).unwrap();
        assert!(!folder.0.join("ann.archive.new").exists(), "{id}");
    }
    let len = fs::metadata(folder.0.join("moved")).unwrap().len();
    assert!(len > 100 * 1_000, "{len}");
    fs::remove_dir_all(&path).unwrap();
    fs::rename(folder.0.join("moved"), &path).unwrap();
    for id in 100..200 {
        file.append(&[message(id, &long)], limits).unwrap();
    }
    let len = fs::metadata(&path).unwrap().len();
    assert!(len < 100 * 1_000, "{len}");
    let expected: Vec<_> = (190..200).map(|id| message(id, &long)).collect();
    assert_eq!(page(&mut open(&path).unwrap(), limits).messages, expected);
}

/// A crash may have come between the renaming of a shorter file and the synchronisation of its folder. A message is not said to be stored
/// as long as a loss of power could bring back the file that was before.
#[test]
fn the_folder_is_synchronised_before_an_append() {
    let folder = Folder::new("renamed");
    ArchiveFile::open_or_make(&folder.file()).unwrap().append(&messages(1..3), ALL).unwrap();
    let mut file = open(&folder.file()).unwrap();
    fs::remove_dir_all(&folder.0).unwrap();
    let error = file.append(&messages(3..4), ALL).unwrap_err();
    assert!(matches!(&error, StoreError::Write { path, .. } if *path == folder.file()), "{error}");
}

/// A process was killed while it wrote the shorter file: the old one counts, and the other one is removed.
#[test]
fn half_of_a_shorter_file() {
    let folder = Folder::new("half");
    let path = folder.file();
    ArchiveFile::open_or_make(&path).unwrap().append(&messages(1..3), ALL).unwrap();
    let new = folder.0.join("ann.archive.new");
    fs::File::create(&new).unwrap().write_all(b"sinewXA1\x10\0").unwrap();
    assert_eq!(page(&mut open(&path).unwrap(), ALL).messages, messages(1..3));
    assert!(!new.exists());
}

#[test]
fn nobody_else_reads_it() {
    let folder = Folder::new("mode");
    drop(ArchiveFile::open_or_make(&folder.file()).unwrap());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(folder.file()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::OpenOptions::new()
            .append(true)
            .open(folder.file())
            .unwrap()
            .write_all(&[b'x'; 20])
            .unwrap();
        drop(open(&folder.file()).unwrap());
        let damaged = fs::metadata(folder.0.join("ann.archive.damaged")).unwrap();
        assert_eq!((damaged.permissions().mode() & 0o777, damaged.len()), (0o600, 20));
    }
}

#[test]
fn ids_are_times() {
    let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
    for id in [ArchiveId::at(time), ArchiveId::at(time).latest(), ArchiveId::at(time).random()] {
        assert_eq!((id.time(), id.to_string().parse()), (time, Ok(id)));
        assert!(id < ArchiveId::at(time + Duration::from_millis(1)));
    }
    let end = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::from(u32::MAX) * 1_000);
    assert_eq!(ArchiveId::at(end).latest(), ArchiveId(u64::MAX));
    assert_eq!(ArchiveId::at(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), ArchiveId(0));
    for text in
        ["", "0", "00060a24181e4e4", "00060a24181e4e400", "00060A24181E4E40", "+0060a24181e4e40"]
    {
        assert!(text.parse::<ArchiveId>().is_err(), "{text}");
    }
}
