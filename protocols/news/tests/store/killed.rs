//! A process that stores articles is killed: what it has said to be stored is there.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use sinew_news::nntp::codec::OverviewLine;
use sinew_transports::reactor::Reactor;

use super::folder::{Folder, create_groups, overview, put, read};

const FOLDER: &str = "SINEW_NEWS_SPOOL_OF_A_CHILD";

/// Not a test: the process that is killed.
#[test]
fn a_child_that_stores() {
    let Some(path) = std::env::var_os(FOLDER) else { return };
    let reactor = Reactor::new().unwrap();
    let spool =
        sinew_news::store::Spool::open(path, sinew_news::store::SpoolConfig::default()).unwrap();
    let first = overview(&spool, &reactor, "a.one").len();
    for at in first.. {
        assert!(put(
            &spool,
            &reactor,
            &format!("<{at}@a>"),
            &["a.one", "a.two"],
            &"x\r\n".repeat(at * 97 % 5_000)
        ));
        println!("\nstored {at}");
        std::io::stdout().flush().unwrap();
    }
}

#[test]
fn what_was_stored_survives_kill_9() {
    crate::watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let folder = Folder::new();
    let spool = folder.open().unwrap();
    create_groups(&spool, &reactor);
    drop(spool);
    let mut stored = 0;
    for round in 1..=6 {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "store::killed::a_child_that_stores", "--nocapture"]);
        child.env(FOLDER, &folder.0).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = child.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = 0;
        for line in lines {
            if let Some(at) = line.unwrap().strip_prefix("stored ") {
                stored = at.parse::<usize>().unwrap() + 1;
                said += 1;
            }
            if said == 3 * round + 1 {
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let spool = folder.open().unwrap();
        for name in ["a.one", "a.two"] {
            let lines = overview(&spool, &reactor, name);
            assert!(lines.len() >= stored, "{} of {stored} in {name}", lines.len());
            let numbers = lines.iter().map(OverviewLine::number);
            assert!(numbers.eq(1..=lines.len() as u64), "{name} has all numbers");
            for (at, line) in lines.iter().enumerate() {
                let id = format!("<{at}@a>");
                assert_eq!(line.message_id().unwrap().as_str(), id);
                let text = read(&spool, &reactor, &id).unwrap();
                let body = "x\r\n".repeat(at * 97 % 5_000);
                assert!(text.ends_with(format!("\r\n\r\n{body}").as_bytes()), "{id} is whole");
            }
        }
    }
    assert!(stored > 20);
}
