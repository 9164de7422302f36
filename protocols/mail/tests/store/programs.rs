//! Other programs in the same Maildir: Python's `mailbox`, and Dovecot. Skipped, aloud, where they are missing.

use std::{fs, path::Path, process::Command};

use sinew_mail::store::{FlagChange, Flags, MaildirConfig, SystemFlag};

use super::stores::{add, fill, name, numbers, on_the_disk, seen, set, text, uid};
use crate::program;

/// Delivers 20 messages, flags the one that it finds with a subject, and prints what it has read of it.
const PYTHON: &str = r#"
import mailbox, sys
box = mailbox.Maildir(sys.argv[1], create=False)
for number in range(20):
    box.add(f"Subject: {number}\n\nfrom Python\n")
for key, message in box.items():
    if message["Subject"] == "ours":
        print(message.get_payload().strip(), message.get_flags(), ",".join(box.list_folders()))
        message.set_flags("RS")
        message.set_subdir("cur")
        box[key] = message
"#;

#[test]
fn python_delivers_while_the_mailbox_is_open() {
    let Some(mut python) = program::python("mailbox") else { return };
    on_the_disk(MaildirConfig::default(), |folder, given| async move {
        let inbox = given.inbox().await;
        given.ann().await.create(&name("Sub/Folder")).await.unwrap();
        let flagged = SystemFlag::Flagged.into();
        add(&inbox, "Subject: ours\r\n\r\nfrom sinew\r\n", flagged).await.unwrap();
        python.args(["-c", PYTHON]).arg(folder.join("ann"));
        let python = std::thread::spawn(move || program::run(python, ""));
        // At the same time.
        for _ in 0..20 {
            fill(&inbox, 1).await;
            inbox.refresh().await.unwrap();
        }
        let output = python.join().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said.trim(), "from sinew F Sub.Folder", "{errors}");
        inbox.refresh().await.unwrap();
        let uids = numbers(&inbox.uids());
        assert_eq!(uids.len(), 41);
        let mut from_python = 0;
        for info in inbox.messages(uid(1), 100) {
            let text = text(&inbox, info.uid, 1_000).await;
            assert_eq!(text.len() as u64, info.size);
            assert!(!text.replace("\r\n", "").contains('\n'));
            from_python += usize::from(text.contains("from Python"));
            if text.contains("ours") {
                assert_eq!(info.flags.to_string(), r"\Seen \Answered");
            }
        }
        assert_eq!(from_python, 20);
    });
}

/// `doveadm`, as a user that is not the administrator, who may not read mail.
fn doveadm(folder: &Path, arguments: &[&str]) -> Option<String> {
    let found = program::find("doveadm")?;
    let config = folder.join("dovecot.conf");
    let location = folder.join("ann");
    let text = format!(
        "log_path = /dev/stderr\nssl = no\nfirst_valid_uid = 1\nmail_location = maildir:{}\n",
        location.display()
    );
    fs::write(&config, text).unwrap();
    let mut command = match program::is_root() {
        false => found,
        true => {
            let owner = Command::new("chown").args(["-R", "65534:65534"]).arg(folder).status();
            if !owner.is_ok_and(|status| status.success()) {
                return None;
            }
            let mut command = program::find("setpriv")?;
            command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
            command.arg(found.get_program());
            command
        }
    };
    command.env("USER", "ann").env("HOME", folder).arg("-c").arg(config).args(arguments);
    let output = program::run(command, "");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn dovecot_reads_what_is_written_here_and_the_other_way_round() {
    on_the_disk(MaildirConfig::default(), |folder, given| async move {
        let (ann, inbox) = (given.ann().await, given.inbox().await);
        ann.create(&name("Entwürfe/Sub")).await.unwrap();
        ann.subscribe(&name("Entwürfe/Sub"), true).await.unwrap();
        let flags = Flags::from(SystemFlag::Seen).with_keyword("$Forwarded".parse().unwrap());
        add(&inbox, "Subject: one\r\n\r\n1\r\n", flags).await.unwrap();
        add(&inbox, "Subject: two\r\n\r\n22\r\n", Flags::new()).await.unwrap();
        inbox.copy(&set("1"), &name("Entwürfe/Sub")).await.unwrap();
        let fetch = ["-f", "tab", "fetch", "uid flags size.virtual", "mailbox", "INBOX"];
        let Some(fetched) = doveadm(&folder, &fetch) else { return };
        let fetched = fetched.replace(" \\Recent", "");
        let fetched: Vec<_> = fetched.lines().skip(1).collect();
        // Dovecot has UIDs of its own.
        let fields: Vec<_> = fetched.iter().map(|line| line.split_once('\t').unwrap().1).collect();
        assert!(fields.contains(&"\\Seen $Forwarded\t19"), "{fetched:?}");
        assert!(fields.iter().any(|line| line.ends_with("\t20")), "{fetched:?}");
        let folders = doveadm(&folder, &["mailbox", "list", "-s"]).unwrap();
        assert!(folders.contains("Sub"), "{folders}");
        let sub = ["-f", "tab", "fetch", "flags", "mailbox", "Entw&APw-rfe.Sub"];
        let in_sub = doveadm(&folder, &sub).unwrap_or_default();
        // The name in UTF-8 or not, by its version.
        let sub = ["-f", "tab", "fetch", "flags", "mailbox", "Entwürfe.Sub"];
        let in_sub = in_sub + &doveadm(&folder, &sub).unwrap_or_default();
        assert!(in_sub.contains("\\Seen"), "{in_sub}");
        // Now Dovecot flags, and makes a keyword.
        let add = ["flags", "add", "\\Flagged Work", "mailbox", "INBOX", "ALL"];
        doveadm(&folder, &add).unwrap();
        inbox.refresh().await.unwrap();
        for info in inbox.messages(uid(1), 10) {
            let is_there = |word: &str| info.flags.has_keyword(&word.parse().unwrap());
            assert!(info.flags.contains(SystemFlag::Flagged) && is_there("Work"), "{info:?}");
            assert_eq!(is_there("$Forwarded"), info.uid == uid(1), "{info:?}");
        }
        inbox.set_flags(&set("2"), FlagChange::Remove(seen()), None).await.unwrap();
    });
}
