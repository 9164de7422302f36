//! An open mailbox on the disk: what it keeps in memory for each message.

use std::{fs, path::PathBuf, time::Duration};

use sinew::{
    mail::store::{MailboxName, MaildirConfig, MaildirStore, Store},
    prelude::*,
};

use super::sys::held;

const MESSAGES: u32 = 20_000;

/// 72 bytes for an entry, of which a growing vector has up to twice as many as it needs, and the name of the file.
const BYTES_MAX: i64 = 180;

#[test]
fn a_message_of_an_open_mailbox_is_small() {
    let memory = PathBuf::from("/dev/shm");
    let parent = if memory.is_dir() { memory } else { std::env::temp_dir() };
    let folder = parent.join(format!("sinew-allocation-mail-{}", std::process::id()));
    for part in ["cur", "new", "tmp"] {
        fs::create_dir_all(folder.join("ann").join(part)).unwrap();
    }
    for number in 0..MESSAGES {
        let name = format!("1767225600.M{number:06}P1234Q{number}.mail.example,S=0,W=0:2,S");
        fs::File::create(folder.join("ann/cur").join(name)).unwrap();
    }
    // Jobs of a simulated reactor run on this thread, where they are counted.
    let reactor = Reactor::simulated(0);
    let store = MaildirStore::new(&folder, MaildirConfig::default());
    let opened = store.account(&reactor, "ann");
    let before = held();
    let task = reactor.spawn(async move {
        let account = opened.await?;
        account.open(&MailboxName::inbox()).await
    });
    reactor.advance(Duration::from_secs(10)).unwrap();
    let mailbox = task.take().expect("it has ended").unwrap().unwrap();
    assert_eq!(mailbox.status().messages, MESSAGES);
    let each = (held() - before) / i64::from(MESSAGES);
    println!("{each} bytes for each message of an open mailbox");
    assert!(each <= BYTES_MAX, "{each} bytes");
    fs::remove_dir_all(&folder).unwrap();
}
