//! Deliveries to programs and to files.

#![cfg(unix)]

use std::{path::PathBuf, rc::Rc, time::Duration};

use sinew_mail::{
    queue::{
        Agents, DeliveryStage, MemoryFiles, Queue, QueueConfig, QueuedEnvelope, QueuedRecipient,
        Spool,
    },
    routing::{FILE_AGENT, FileAgent, MAILBOX_AGENT, MailboxAgent, PROGRAM_AGENT, ProgramAgent},
    smtp::codec::{Recipient, Sender},
    store::{MaildirConfig, MaildirStore},
};
use sinew_protocols::basic::Word;
use sinew_transports::reactor::Reactor;

fn maildirs() -> PathBuf {
    std::env::temp_dir().join(format!("sinew-queue-maildirs-{}", std::process::id()))
}

fn deliver(agent: Word, argument: &str, text: String) -> (DeliveryStage, String) {
    crate::watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let programs = ProgramAgent::default().timeout(Duration::from_secs(1));
    let agents =
        Agents::default().with(PROGRAM_AGENT, programs).with(FILE_AGENT, FileAgent::default());
    let store = MaildirStore::new(maildirs(), MaildirConfig::default().create_accounts(true));
    let agents = agents.with(MAILBOX_AGENT, MailboxAgent::new(Rc::new(store)));
    let config = QueueConfig::new("mail.example.org").unwrap();
    let to = Recipient::new("bob@example.org".parse().unwrap());
    // One that nobody delivers to keeps the message in the queue.
    let kept = QueuedRecipient::new(to.clone(), FILE_AGENT).with_argument("/nowhere/file");
    let to = QueuedRecipient::new(to, agent).with_argument(argument);
    let sender = Sender::new(Some("ann@example.net".parse().unwrap()));
    let envelope = QueuedEnvelope::new(sender).with(to).with(kept);
    let handle = reactor.clone();
    let delivering = async move {
        let spool = Spool::on(MemoryFiles::default());
        let queue = Queue::open(&handle, spool, config, agents).await.unwrap();
        let id = queue.submit(envelope, text).await.unwrap();
        loop {
            let message = queue.message(&id).expect("one recipient is left");
            let progress = &message.recipients[0].1;
            if progress.tries() > 0 || progress.stage() != DeliveryStage::Pending {
                return (progress.stage(), progress.status().unwrap().to_string());
            }
            handle.sleep(Duration::from_millis(2)).await;
        }
    };
    reactor.run_until(delivering).unwrap()
}

#[test]
fn what_a_program_exits_with_decides() {
    for (command, stage, status) in [
        ("cat >/dev/null", DeliveryStage::Delivered, "2.1.5"),
        // It need not read.
        ("exit 0", DeliveryStage::Delivered, "2.1.5"),
        ("cat >/dev/null; echo no room; exit 75", DeliveryStage::Pending, "no room"),
        (
            "cat >/dev/null; echo no such user >&2; exit 67",
            DeliveryStage::Failed,
            "exited with 67: no such user",
        ),
        ("kill -9 $$", DeliveryStage::Pending, "4.3.0"),
        (
            "test \"$SENDER $RECIPIENT\" = 'ann@example.net bob@example.org' && test -z \"$HOME\"",
            DeliveryStage::Delivered,
            "2.1.5",
        ),
        ("sleep 60", DeliveryStage::Pending, "the program was killed"),
    ] {
        let text = format!("Subject: x\n\n{}", "line\n".repeat(100_000));
        let (found, said) = deliver(PROGRAM_AGENT, command, text);
        assert!(found == stage && said.contains(status), "{command}: {found:?} {said}");
    }
}

#[test]
fn a_program_receives_all_of_a_long_message() {
    let path = std::env::temp_dir().join(format!("sinew-program-{}", std::process::id()));
    let text = format!("Subject: x\n\n{}", "a line of it\n".repeat(50_000));
    let (stage, _) = deliver(PROGRAM_AGENT, &format!("cat >{}", path.display()), text.clone());
    assert_eq!(stage, DeliveryStage::Delivered);
    assert_eq!(std::fs::read_to_string(&path).unwrap().replace("\r\n", "\n"), text);
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_message_is_appended_to_a_file() {
    let path = std::env::temp_dir().join(format!("sinew-file-{}", std::process::id()));
    std::fs::write(&path, "before\n").unwrap();
    let argument = path.display().to_string();
    let (stage, said) = deliver(FILE_AGENT, &argument, "Subject: x\n\nFrom here\n".into());
    assert_eq!(stage, DeliveryStage::Delivered, "{said}");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(
        text.starts_with("before\nFrom ann@example.net ")
            && text.ends_with("\nSubject: x\n\n>From here\n\n"),
        "{text}"
    );
    std::fs::remove_file(path).unwrap();
    let (stage, said) = deliver(FILE_AGENT, "/dev/null", "x".into());
    assert!(stage == DeliveryStage::Pending && said.contains("not a plain file"), "{said}");
}

#[test]
fn a_message_is_delivered_to_a_maildir() {
    let text = format!("Subject: x\n\n{}", "a line of it\n".repeat(20_000));
    let (stage, said) = deliver(MAILBOX_AGENT, "ann", text.clone());
    assert_eq!(stage, DeliveryStage::Delivered, "{said}");
    let files: Vec<_> = std::fs::read_dir(maildirs().join("ann/new")).unwrap().collect();
    let [Ok(file)] = &files[..] else { panic!("{files:?}") };
    let found = std::fs::read_to_string(file.path()).unwrap().replace("\r\n", "\n");
    let trace = "Return-Path: <ann@example.net>\nDelivered-To: bob@example.org\n";
    assert_eq!(found, format!("{trace}{text}"));
    std::fs::remove_dir_all(maildirs()).unwrap();
    // A name that is none of an account's is no mailbox.
    let (stage, said) = deliver(MAILBOX_AGENT, "../ann", text);
    assert!(stage == DeliveryStage::Failed && said.starts_with("5.1.1"), "{said}");
}
