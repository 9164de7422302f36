//! Our queue with other servers as the next host.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    time::Duration,
};

use sinew_mail::{
    queue::{
        Agents, MemoryFiles, Queue, QueueConfig, QueueStats, QueuedEnvelope, QueuedRecipient,
        Relay, SMTP_AGENT, Spool,
    },
    smtp::{
        client::{ClientConfig, Security},
        codec::{Notify, Recipient, Return, Sender},
    },
};
use sinew_protocols::basic::Word;
use sinew_transports::reactor::Reactor;

use super::program::{self, Running};

/// Sends messages through a queue to a server, and waits until the queue is empty.
fn relay(port: u16, messages: Vec<(QueuedEnvelope, String)>) -> QueueStats {
    let reactor = Reactor::new().unwrap();
    let config = ClientConfig::new("relay.example").unwrap().security(Security::None);
    let agent = Relay::new(config).smart_host(("127.0.0.1", port));
    let agents = Agents::default().with(SMTP_AGENT, agent);
    let config = QueueConfig::new("relay.example").unwrap().deliveries_max_each(3);
    let handle = reactor.clone();
    let run = async move {
        let spool = Spool::on(MemoryFiles::default());
        let queue = Queue::open(&handle, spool, config, agents).await.unwrap();
        for (envelope, text) in messages {
            queue.submit(envelope, text).await.unwrap();
        }
        while queue.stats().messages > 0 {
            handle.sleep(Duration::from_millis(5)).await;
        }
        queue.stats()
    };
    reactor.run_until(run).unwrap()
}

fn envelope(to: impl IntoIterator<Item = Recipient>) -> QueuedEnvelope {
    let sender = Sender::new(Some("ann@example.net".parse().unwrap()));
    let sender = sender.with_return(Return::Full).with_envelope_id("my+id");
    let to = to.into_iter().map(QueuedRecipient::remote);
    to.fold(QueuedEnvelope::new(sender), QueuedEnvelope::with)
}

fn to(text: &str) -> Recipient {
    Recipient::new(text.parse().unwrap())
}

/// Prints its port, and of each message what Python makes of it.
const AIOSMTPD: &str = r#"
import asyncio, email, email.policy, json
from aiosmtpd.smtp import SMTP
def show(part):
    if part.get_content_maintype() == "multipart" or part.get_content_type() == "message/rfc822":
        return [part.get_content_type(), [show(inner) for inner in part.get_payload()]]
    if part.get_content_type() == "message/delivery-status":
        return [part.get_content_type(), [[[name, str(value)] for name, value in inner.items() if "Date" not in name] for inner in part.get_payload()]]
    return [part.get_content_type(), part.defects, part.get_payload(decode=True).decode()]
class Handler:
    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if address.startswith("no"):
            return "550 5.1.1 no such mailbox, " + "sorry " * 30
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"
    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.SMTP)
        print(json.dumps([envelope.mail_from, envelope.rcpt_tos, message["Subject"], str(message.defects), show(message)]), flush=True)
        return "250 2.0.0 ok"
async def main():
    make = lambda: SMTP(Handler(), hostname="mail.example", enable_SMTPUTF8=True)
    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"#;

#[test]
fn aiosmtpd_and_what_python_makes_of_a_report() {
    crate::watchdog::watch_this_test();
    let Some(mut python) = program::python("aiosmtpd") else { return };
    python.args(["-c", AIOSMTPD]);
    let mut server = Running::start(python);
    let port = server.line().parse().unwrap();
    let refused =
        to("noöne@bücher.example").with_original(Word::from_static("rfc822"), "first@example.org");
    let envelope = envelope([
        to("bob@example.org").with_notify(Notify::SUCCESS),
        refused.with_notify(Notify::FAILURE),
    ]);
    let stats = relay(port, vec![(envelope, "Subject: hello\n\n.dot\n".into())]);
    assert_eq!((stats.delivered, stats.failed), (2, 1));
    let first = r#"["ann@example.net", ["bob@example.org"], "hello", "[]", ["text/plain", [], ".dot\r\n"]]"#;
    assert_eq!(server.line(), first);
    let report = server.line();
    let sorry = "sorry ".repeat(30);
    for expected in [
        r#"["<>", ["ann@example.net"], "Mail could not be delivered", "[]", ["multipart/report", [["text/plain", [], "#.to_owned(),
        format!(
            r#"["message/delivery-status", [[["Reporting-MTA", "dns; relay.example"], ["Original-Envelope-Id", "my+id"]], [["Final-Recipient", "rfc822; bob@example.org"], ["Action", "relayed"], ["Status", "2.0.0"], ["Remote-MTA", "dns; 127.0.0.1"], ["Diagnostic-Code", "smtp; 250 2.0.0 ok"]], [["Original-Recipient", "rfc822;first@example.org"], ["Final-Recipient", "utf-8; no\\x{{F6}}ne@b\\x{{FC}}cher.example"], ["Action", "failed"], ["Status", "5.1.1"], ["Remote-MTA", "dns; 127.0.0.1"], ["Diagnostic-Code", "smtp; 550 5.1.1 no such mailbox, {}"]]]]"#,
            sorry.trim_end()
        ),
        r#"["message/rfc822", [["text/plain", [], ".dot\r\n"#.to_owned(),
    ] {
        assert!(report.contains(&expected), "{expected}\n{report}");
    }
}

#[test]
fn smtp_sink() {
    crate::watchdog::watch_this_test();
    let Some(mut sink) = program::postfix("smtp-sink") else { return };
    let port = free_port();
    if program::is_root() {
        sink.args(["-u", "nobody"]);
    }
    sink.args(["-c", &format!("inet:127.0.0.1:{port}"), "10"]);
    let sink = Running::start(sink);
    wait_for(port);
    let messages = (0..30).map(|number| {
        let text = format!("Subject: {number}\n\n{}", "line\n.\n".repeat(number * 500));
        (envelope([to("bob@example.org"), to("carol@example.org")]), text)
    });
    let stats = relay(port, messages.collect());
    assert_eq!((stats.delivered, stats.attempts, stats.failed), (60, 30, 0));
    drop(sink);
}

/// Exim accepts messages, and does not deliver them: they are in its own spool.
#[test]
fn exim() {
    crate::watchdog::watch_this_test();
    let folder = std::env::temp_dir().join(format!("sinew-exim-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let port = free_port();
    let Some(mut exim) = program::exim(&folder) else { return };
    fs::write(folder.join("conf"), configuration(&folder)).unwrap();
    exim.arg("-C").arg(folder.join("conf")).args(["-bdf", "-oX", &format!("127.0.0.1.{port}")]);
    let mut exim = Running::start(exim);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if !exim.is_running() {
            eprintln!("skipped: Exim does not start here");
            return;
        }
        std::thread::yield_now();
    }
    let text = format!("Subject: hello\n\n{}", "..dots\n.\nlast\n".repeat(2_000));
    let messages =
        vec![(envelope([to("bob@example.org"), to("nobody@example.org")]), text.clone())];
    let stats = relay(port, messages);
    // The report about nobody is for ann, whom this Exim accepts, too.
    assert_eq!((stats.delivered, stats.failed, stats.reports), (2, 1, 1));
    let input = fs::read_dir(folder.join("spool/input")).unwrap();
    let texts: Vec<_> =
        input.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    let body = text.split_once("\n\n").unwrap().1;
    assert!(texts.iter().any(|text| text.ends_with(body)), "the body is as it was sent");
    assert!(
        texts.iter().any(|text| text.contains("Final-Recipient: rfc822; nobody@example.org\n"))
    );
    assert!(texts.iter().any(|text| text.contains("Auto-Submitted: auto-replied\n")));
    drop(exim);
    fs::remove_dir_all(folder).unwrap();
}

fn configuration(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "exim_user = nobody\nexim_group = nogroup\nqueue_only\nprimary_hostname = exim.example\n\
         spool_directory = {folder}/spool\nlog_file_path = {folder}/spool/%slog\npid_file_path = {folder}/pid\n\
         acl_smtp_rcpt = check\nacl_smtp_data = fine\nhost_lookup =\nrfc1413_query_timeout = 0s\nkeep_environment =\n\
         tls_advertise_hosts =\ndsn_advertise_hosts = *\nbegin acl\ncheck:\n  deny local_parts = ^no\n  accept\nfine:\n  accept\n\
         begin routers\nall:\n  driver = accept\n  transport = box\nbegin transports\nbox:\n  driver = appendfile\n  file = {folder}/box\n"
    )
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits until a server listens.
fn wait_for(port: u16) {
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        std::thread::yield_now();
    }
}
