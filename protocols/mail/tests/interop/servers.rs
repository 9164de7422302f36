//! Our client with other servers.

use std::{net::TcpListener, time::Duration};

use sinew_mail::smtp::client::{ClientConfig, Delivery, Envelope, Security, SmtpError, sendmail};
use sinew_transports::reactor::Reactor;

use super::program::{self, Running};

const MESSAGE: &str = "From: ann@example.net\nSubject: hello\n\n.dot\n..\n.\nlast\n";

fn config() -> ClientConfig {
    ClientConfig::new("client.example").unwrap().security(Security::None)
}

fn send(
    reactor: &Reactor,
    port: u16,
    config: ClientConfig,
    to: &[&str],
) -> Result<Delivery, SmtpError> {
    let to = to.iter().map(|to| format!("{to}@example.org").parse().unwrap());
    let envelope = Envelope::new(Some("ann@example.net".parse().unwrap()), to);
    let sending = sendmail(reactor, ("127.0.0.1", port), config, envelope, MESSAGE);
    reactor.run_until(sending).unwrap()
}

/// Prints its port, and then what it receives.
const AIOSMTPD: &str = r#"
import asyncio, json
from aiosmtpd.smtp import SMTP
class Handler:
    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if address.startswith("no"):
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"
    async def handle_DATA(self, server, session, envelope):
        print(json.dumps([envelope.mail_from, envelope.rcpt_tos, envelope.content.decode()]), flush=True)
        return "250 2.0.0 ok"
async def main():
    make = lambda: SMTP(Handler(), hostname="mail.example", enable_SMTPUTF8=True)
    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"#;

#[test]
fn aiosmtpd() {
    crate::watchdog::watch_this_test();
    let Some(mut python) = program::python("aiosmtpd") else { return };
    python.args(["-c", AIOSMTPD]);
    let mut server = Running::start(python);
    let port = server.line().parse().unwrap();
    let reactor = Reactor::new().unwrap();
    let delivery = send(&reactor, port, config(), &["bob", "nobody", "carol"]).unwrap();
    let is_delivered: Vec<_> =
        delivery.replies().iter().map(|reply| reply.is_delivered()).collect();
    assert_eq!(is_delivered, [true, false, true]);
    let received = r#"["ann@example.net", ["bob@example.org", "carol@example.org"], "From: ann@example.net\r\nSubject: hello\r\n\r\n.dot\r\n..\r\n.\r\nlast\r\n"]"#;
    assert_eq!(server.line(), received);
    let delivery = send(&reactor, port, config(), &["änne"]).unwrap();
    assert!(delivery.is_complete());
    assert!(server.line().contains("\\u00e4nne@example.org"));
}

#[test]
fn smtp_sink() {
    crate::watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    for (option, expected) in [
        ("-4", "ok"),
        // HELO alone; no PIPELINING; LMTP.
        ("-e", "ok"),
        ("-p", "ok"),
        ("-L", "ok"),
        // Commands that are refused, for good and for now.
        ("-fmail", "MAIL 5"),
        ("-frcpt", "RCPT 5"),
        ("-fdata", "DATA 5"),
        ("-f.", "the message 5"),
        ("-rrcpt", "RCPT 4"),
        ("-r.", "the message 4"),
    ] {
        let Some(mut sink) = program::postfix("smtp-sink") else { return };
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if program::is_root() {
            sink.args(["-u", "nobody"]);
        }
        sink.args(["-c", option, &format!("inet:127.0.0.1:{port}"), "10"]);
        let mut sink = Running::start(sink);
        let config = config().lmtp(option == "-L");
        let delivery = loop {
            match send(&reactor, port, config.clone(), &["bob", "carol"]) {
                // It does not listen yet.
                Err(SmtpError::Connect(_)) if sink.is_running() => {
                    let handle = reactor.clone();
                    let pause = async move { handle.sleep(Duration::from_millis(5)).await };
                    reactor.run_until(pause).unwrap();
                }
                result => break result.unwrap_or_else(|error| panic!("{option}: {error:?}")),
            }
        };
        for reply in delivery.replies() {
            let outcome = format!("{} {}", reply.stage(), reply.reply().code() / 100);
            let outcome = if reply.is_delivered() { "ok".to_owned() } else { outcome };
            assert_eq!(outcome, expected, "{option}");
        }
        drop(sink);
    }
}
