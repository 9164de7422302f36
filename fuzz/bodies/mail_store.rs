//! Mail stores: names that are read are checked, and are read as the same when they are written; and whatever is in the files of a Maildir,
//! its messages are found, each with a UID of its own, and stay so.

use std::{fmt::Write as _, fs, path::PathBuf, rc::Rc, time::Duration};

use sinew::{
    mail::{
        store::{
            Account, Keyword, MailboxName, MaildirConfig, MaildirStore, NewMessage, Store,
            StoreLimits, Uid, UidSet,
        },
        utf7,
    },
    reactor::Reactor,
};

use super::input::Input;

pub(crate) fn names(data: &mut Input<'_>) {
    let bytes = data.rest();
    if let Ok(text) = utf7::decode(bytes) {
        assert_eq!(utf7::encode(&text).as_bytes(), bytes);
    }
    let Ok(text) = str::from_utf8(bytes) else { return };
    assert_eq!(utf7::decode(utf7::encode(text).as_bytes()).as_deref(), Ok(text));
    if let Ok(name) = text.parse::<MailboxName>() {
        assert!(!name.as_str().contains(char::is_control));
        assert!(name.parts().all(|part| !matches!(part, "" | "." | "..")));
        assert_eq!(name.as_str().parse(), Ok(name));
    }
    if let Ok(set) = UidSet::parse(text, 50) {
        assert!(!set.is_empty() && set.ranges().len() <= 50);
        assert_eq!(UidSet::parse(&set.to_string(), 50), Ok(set));
    }
    if let Ok(keyword) = text.parse::<Keyword>() {
        assert_eq!(keyword.as_str(), text);
        assert!(text.bytes().all(|byte| byte.is_ascii_graphic() && !b"(){%*\"\\]".contains(&byte)));
    }
}

/// A folder that is removed when it is dropped.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A Maildir with these files: the list, with right checksums or without, the keywords, the quota, and messages.
pub(crate) fn maildir(data: &mut Input<'_>) {
    let memory = PathBuf::from("/dev/shm");
    let parent = if memory.is_dir() { memory } else { std::env::temp_dir() };
    let folder = Folder(parent.join(format!("sinew-fuzz-maildir-{}", std::process::id())));
    let ann = folder.0.join("ann");
    for part in ["cur", "new", "tmp"] {
        fs::create_dir_all(ann.join(part)).expect("the folder is ours");
    }
    let has_sums = data.byte() & 1 != 0;
    let list = data.script();
    let list = if has_sums { with_sums(list) } else { list.to_vec() };
    for (name, contents) in [
        ("sinew-uidlist", list),
        ("dovecot-keywords", data.script().to_vec()),
        ("maildirsize", data.script().to_vec()),
    ] {
        fs::write(ann.join(name), contents).expect("the folder is ours");
    }
    let mut files = std::collections::BTreeSet::new();
    while !data.is_empty() && files.len() < 10 {
        let Ok(name) = str::from_utf8(data.script()) else { continue };
        let is_message = !name.starts_with(['.', ':']) && !name.contains(char::is_control);
        let base = name.split(':').next().unwrap_or_default();
        if is_message
            && !name.contains('/')
            && fs::write(ann.join("cur").join(name), "a\nb\r\n").is_ok()
        {
            files.insert(base.to_owned());
        }
    }
    let first = look(&folder.0);
    // A list may say that there is no UID left.
    assert!(first.1.len() == files.len() || first.2 == Uid::MAX);
    assert!(first.1.is_sorted_by(|one, two| one < two));
    let second = look(&folder.0);
    assert_eq!(second.0, first.0);
    // Each look has added one.
    assert_eq!(second.1[..first.1.len()], first.1[..]);
}

fn with_sums(list: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in list.split_inclusive(|byte| *byte == b'\n') {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let sum = text
            .iter()
            .fold(0x811c_9dc5_u32, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
        let mut hex = String::new();
        let _ = write!(hex, "{sum:08x} ");
        out.extend_from_slice(hex.as_bytes());
        out.extend_from_slice(line);
    }
    out
}

/// Opens it, reads all, and adds a message if there is a UID left. The UIDVALIDITY, and the UIDs before.
fn look(folder: &std::path::Path) -> (u32, Vec<Uid>, Uid) {
    let reactor = Reactor::simulated(0);
    let limits = StoreLimits::default().quota_messages(1_000);
    let store = MaildirStore::new(folder, MaildirConfig::default().limits(limits));
    let opened = store.account(&reactor, "ann");
    let task = reactor.spawn(async move {
        let account: Rc<dyn Account> = opened.await.expect("it is there");
        let inbox = account.open(&MailboxName::inbox()).await.expect("it is there");
        let status = inbox.status();
        for info in inbox.messages(Uid::MIN, 100) {
            let text = inbox.read(info.uid, 0, 100).await.expect("it is there");
            assert!(text.len() as u64 <= info.size);
        }
        let uids = inbox.uids();
        if let Ok(mut append) = inbox.append(NewMessage::new()).await {
            let _ = append.write("x".into()).await;
            if let Ok(added) = append.finish().await {
                assert!(uids.iter().all(|uid| *uid < added.uid));
                assert!(added.uid >= status.uid_next);
            }
        }
        (status.uid_validity.get(), uids, status.uid_next)
    });
    for _ in 0..10_000 {
        if let Some(result) = task.take() {
            return result.expect("it does not panic");
        }
        reactor.advance(Duration::from_millis(10)).expect("the loop becomes idle");
    }
    panic!("it does not end");
}
