//! A spool whose files were cut off, damaged or lost.

use std::{fs, time::Duration};

use sinew_news::{
    nntp::codec::OverviewLine,
    store::{ExpiryRule, Spool, SpoolConfig, StoreError},
};
use sinew_transports::reactor::Reactor;

use super::folder::{Folder, copy, create_groups, overview, put, read};
use crate::support::group;

const IDS: [&str; 4] = ["<1@a>", "<2@a>", "<3@a>", "<4@a>"];

fn filled(reactor: &Reactor) -> Folder {
    let folder = Folder::new();
    let spool = folder.open().unwrap();
    create_groups(&spool, reactor);
    for (at, of) in IDS.iter().enumerate() {
        let groups: &[&str] = if at == 1 { &["a.one", "a.two"] } else { &["a.one"] };
        assert!(put(&spool, reactor, of, groups, &format!("body {at}\r\n")));
    }
    folder
}

fn subjects(lines: &[OverviewLine]) -> Vec<String> {
    lines.iter().map(OverviewLine::subject).collect()
}

/// Which groups somebody may read, the server decides, and not the file system.
#[cfg(unix)]
#[test]
fn the_folder_of_a_spool_is_not_open_to_others() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let path = folder.0.join("spool");
    drop(Spool::open(&path, SpoolConfig::default().sync(false)).unwrap());
    assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o700);
}

/// The history was cut off at every byte: there is a front of what was stored, whole, and the spool goes on from there.
#[test]
fn the_history_cut_off_at_every_byte() {
    crate::watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let whole = filled(&reactor);
    let history = fs::read(whole.0.join("history")).unwrap();
    let mut counts = Vec::new();
    for len in 0..=history.len() {
        let cut = Folder::new();
        copy(&whole.0, &cut.0);
        fs::write(cut.0.join("history"), &history[..len]).unwrap();
        let spool = cut.open().unwrap_or_else(|error| panic!("{len} bytes: {error}"));
        let lines = overview(&spool, &reactor, "a.one");
        let count = lines.len();
        let expect: Vec<_> = IDS[..count].iter().map(|of| format!("about {of}")).collect();
        assert_eq!(subjects(&lines), expect, "{len} bytes");
        for (at, of) in IDS.iter().enumerate() {
            let text = read(&spool, &reactor, of);
            assert_eq!(text.is_some(), at < count, "{of}, {len} bytes");
            let body = format!("\r\n\r\nbody {at}\r\n");
            assert!(text.is_none_or(|text| text.ends_with(body.as_bytes())), "{of}, {len} bytes");
        }
        // What was lost can come again, and takes no line of another article for its own.
        if spool.group_info(&group("a.one")).is_some() {
            assert!(put(&spool, &reactor, "<new@a>", &["a.one"], "new\r\n"));
            drop(spool);
            let spool = cut.open().unwrap();
            let lines = overview(&spool, &reactor, "a.one");
            assert_eq!(lines.last().unwrap().subject(), "about <new@a>", "{len} bytes");
        }
        counts.push(count);
    }
    assert!(counts.is_sorted() && counts.last() == Some(&4));
}

/// The overview was cut off, or damaged, at every byte: it is the same as before.
#[test]
fn the_overview_cut_off_and_damaged_at_every_byte() {
    crate::watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let whole = filled(&reactor);
    let spool = whole.open().unwrap();
    let expect = overview(&spool, &reactor, "a.one");
    drop(spool);
    let path = |folder: &Folder| folder.0.join("overview/1");
    let bytes = fs::read(path(&whole)).unwrap();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        for bytes in [&bytes[..at], &damaged[..]] {
            let cut = Folder::new();
            copy(&whole.0, &cut.0);
            fs::write(path(&cut), bytes).unwrap();
            let spool = cut.open().unwrap();
            assert_eq!(overview(&spool, &reactor, "a.one"), expect, "byte {at}");
        }
    }
    let gone = Folder::new();
    copy(&whole.0, &gone.0);
    fs::remove_dir_all(gone.0.join("overview")).unwrap();
    let spool = gone.open().unwrap();
    assert_eq!(overview(&spool, &reactor, "a.one"), expect);
}

#[test]
fn damage_in_the_middle_of_the_history_is_no_crash() {
    let reactor = Reactor::new().unwrap();
    let whole = filled(&reactor);
    let path = whole.0.join("history");
    let mut bytes = fs::read(&path).unwrap();
    bytes[30] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(whole.open(), Err(StoreError::Damaged { .. })));
    assert_eq!(fs::read(&path).unwrap(), bytes, "nothing was cut off");
}

#[test]
fn a_text_that_is_lost_is_not_offered() {
    let reactor = Reactor::new().unwrap();
    let whole = filled(&reactor);
    fs::remove_file(whole.0.join("articles/000000/2")).unwrap();
    fs::remove_dir_all(whole.0.join("overview")).unwrap();
    let spool = whole.open().unwrap();
    let subjects = subjects(&overview(&spool, &reactor, "a.one"));
    assert_eq!(subjects, ["about <1@a>", "about <3@a>", "about <4@a>"]);
    assert_eq!(spool.group_info(&group("a.two")).unwrap().count, 0);
}

/// A crash of the system while articles expire: of what was appended, any part may be missing, also the first.
#[test]
fn an_expiry_that_is_partly_on_the_disk() {
    crate::watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let whole = filled(&reactor);
    let before = fs::read(whole.0.join("history")).unwrap();
    let expired = Folder::new();
    copy(&whole.0, &expired.0);
    let spool = expired.open().unwrap();
    let rules = [ExpiryRule::new("*".parse().unwrap(), Duration::ZERO)];
    let later = reactor.wall_clock() + Duration::from_secs(10);
    assert_eq!(spool.expire(&rules, later).unwrap().articles, 4);
    drop(spool);
    let after = fs::read(expired.0.join("history")).unwrap();
    let appended = after.strip_prefix(&before[..]).expect("it was appended");
    for missing in 1..appended.len() {
        let folder = Folder::new();
        copy(&whole.0, &folder.0);
        let zeros = vec![0; missing];
        fs::write(folder.0.join("history"), [&before, &zeros[..], &appended[missing..]].concat())
            .unwrap();
        let spool = folder.open().unwrap_or_else(|error| panic!("{missing} bytes: {error}"));
        assert_eq!(overview(&spool, &reactor, "a.one").len(), 4, "{missing} bytes");
    }
}
