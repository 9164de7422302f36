//! The mail server for tests of programs that send mail: what it keeps, and that it misbehaves as it is told.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_mail::{
    smtp::{
        client::{ClientConfig, Delivery, Envelope, Security, SmtpClient, SmtpError},
        codec::Reply,
        server::ServerConfig,
    },
    testing::{Reaction, Step, TestServer},
};
use sinew_transports::{
    endpoint::{ClientEndpoint, ServerEndpoint},
    reactor::Reactor,
};

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

const MESSAGE: &str = "Subject: hello\n\n.Hello.\n";

/// Sends a message to some of a server, all in memory, within a minute of its clock.
fn send(server: &TestServer, lmtp: bool, to: &[&str]) -> Result<Delivery, SmtpError> {
    watchdog::watch_this_test();
    let reactor = Reactor::simulated(0);
    let at: ServerEndpoint = "memory:mail".parse().unwrap();
    let port = at.listen(&reactor, server.factory()).unwrap();
    let to = to.iter().map(|to| format!("{to}@example.org").parse().unwrap());
    let envelope = Envelope::new(Some("ann@example.net".parse().unwrap()), to);
    let config = ClientConfig::new("client.example").unwrap().security(Security::None).lmtp(lmtp);
    let config = config.command_timeout(Duration::from_secs(20));
    let to: ClientEndpoint = "memory:mail".parse().unwrap();
    let of_task = reactor.clone();
    let sending = async move {
        let mut client = SmtpClient::connect(&of_task, to, config).await?;
        let delivery = client.send(&envelope, MESSAGE).await?;
        client.quit().await;
        Ok(delivery)
    };
    let sent = reactor.run_until(sending).unwrap();
    port.stop_listening();
    sent
}

fn codes(delivery: &Delivery) -> Vec<u16> {
    delivery.replies().iter().map(|reply| reply.reply().code()).collect()
}

#[test]
fn what_was_accepted_is_kept_and_taken() {
    let server = TestServer::new();
    assert!(send(&server, false, &["bob", "carol"]).unwrap().is_complete());
    assert!(send(&server, false, &["dan"]).unwrap().is_complete());
    let mails = server.mails();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0].recipients(), ["bob@example.org", "carol@example.org"]);
    assert_eq!(mails[0].text(), "Subject: hello\r\n\r\n.Hello.\r\n");
    assert_eq!(mails[0].from.address().unwrap().to_string(), "ann@example.net");
    assert_eq!((mails[0].helo.as_str(), mails[0].user.as_deref()), ("client.example", None));
    assert!(!mails[0].is_tls);
    let reactor = Reactor::simulated(0);
    for to in ["bob@example.org", "dan@example.org"] {
        let next = reactor.run_until(server.next(&reactor)).unwrap().unwrap();
        assert_eq!(next.recipients()[0], to);
    }
    assert!(server.mails().is_empty());
}

#[test]
fn who_waits_for_a_message_gets_it() {
    watchdog::watch_this_test();
    let (server, reactor) = (TestServer::new(), Reactor::simulated(0));
    let given_up = server.next(&reactor);
    let waiting = server.next(&reactor);
    drop(given_up);
    assert!(send(&server, false, &["bob"]).unwrap().is_complete());
    assert!(server.mails().is_empty());
    let mail = reactor.run_until(waiting).unwrap().unwrap();
    assert_eq!(mail.recipients(), ["bob@example.org"]);
}

/// Each step, in order, with each reaction.
#[test]
fn it_does_at_each_step_what_it_is_told() {
    let names = |step: &Step<'_>| match step {
        Step::Connected => "connected",
        Step::Helo(_) => "helo",
        Step::Mail(_) => "mail",
        Step::Rcpt(_) => "rcpt",
        Step::Data => "data",
        Step::Message(_) => "message",
        _ => "another",
    };
    let all = ["connected", "helo", "mail", "rcpt", "data", "message"];
    let second = Duration::from_secs(1);
    let refusal = Reaction::Refuse(Reply::new(554, "5.0.0 no").unwrap());
    for (reaction, is_accepted) in [
        (Reaction::Accept, true),
        (Reaction::After(second, Box::new(Reaction::Accept)), true),
        (refusal.clone(), false),
        (Reaction::After(second, Box::new(Reaction::After(second, Box::new(refusal)))), false),
        (Reaction::Close, false),
        (Reaction::Silence, false),
    ] {
        for at in all {
            let seen = Rc::new(RefCell::new(Vec::new()));
            let (noted, reaction) = (Rc::clone(&seen), reaction.clone());
            let server = TestServer::new().react(move |step| {
                noted.borrow_mut().push(names(step));
                if names(step) == at { reaction.clone() } else { Reaction::Accept }
            });
            let sent = send(&server, false, &["bob"]);
            let is_sent = sent.as_ref().is_ok_and(Delivery::is_complete);
            assert_eq!(is_sent, is_accepted, "{at}: {sent:?}");
            assert_eq!(server.mails().len(), usize::from(is_accepted), "{at}");
            let until = all.iter().position(|name| *name == at).unwrap();
            // A client without EHLO says HELO.
            let mut seen = seen.borrow().clone();
            seen.dedup();
            assert_eq!(seen[..=until], all[..=until], "{at}: {seen:?}");
            assert!(is_accepted || seen.len() == until + 1, "{at}: {seen:?}");
        }
    }
}

#[test]
fn some_recipients_are_refused() {
    let server = TestServer::new().react(|step| match step {
        Step::Rcpt(to) if to.address().local() == "nobody" => {
            Reaction::Refuse(Reply::no_such_mailbox())
        }
        _ => Reaction::Accept,
    });
    let sent = send(&server, false, &["bob", "nobody", "carol"]).unwrap();
    assert_eq!(codes(&sent), [250, 550, 250]);
    assert_eq!(server.mails()[0].recipients(), ["bob@example.org", "carol@example.org"]);
}

#[test]
fn lmtp_tells_what_became_of_each() {
    let lmtp = ServerConfig::new("mail.test").unwrap().received_line(false).lmtp(true);
    let server = TestServer::new().config(lmtp).react(|step| match step {
        Step::Delivery(to, _) if to.address().local().starts_with("full") => {
            Reaction::Refuse(Reply::try_later())
        }
        _ => Reaction::Accept,
    });
    let sent = send(&server, true, &["full", "bob"]).unwrap();
    assert_eq!(codes(&sent), [Reply::try_later().code(), 250]);
    assert_eq!(server.mails()[0].recipients(), ["bob@example.org"]);
    assert!(!send(&server, true, &["full", "full2"]).unwrap().is_complete());
    assert_eq!(server.mails().len(), 1);
}

#[test]
fn it_keeps_no_more_than_its_limits() {
    let len = "Subject: hello\r\n\r\n.Hello.\r\n".len();
    for (server, kept) in [
        (TestServer::new().mails_max(2), 2),
        (TestServer::new().bytes_max(3 * len), 3),
        (TestServer::new().bytes_max(len - 1), 0),
    ] {
        for number in 0..4 {
            let sent = send(&server, false, &["bob"]);
            let is_sent = sent.as_ref().is_ok_and(Delivery::is_complete);
            assert_eq!(is_sent, number < kept, "{sent:?}");
        }
        assert_eq!(server.mails().len(), kept);
        // There is room again when one is taken.
        let reactor = Reactor::simulated(0);
        drop(server.next(&reactor));
        assert_eq!(send(&server, false, &["bob"]).is_ok_and(|sent| sent.is_complete()), kept > 0);
    }
}
