//! TLS to a server that offers it and cannot do it.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_auth::ClientLogin;
use sinew_mail::{
    queue::{
        Agents, MemoryFiles, Queue, QueueConfig, QueuedEnvelope, QueuedRecipient, Relay,
        SMTP_AGENT, Spool,
    },
    smtp::{
        client::{ClientConfig, Security},
        codec::{Recipient, Sender},
    },
};
use sinew_protocols::basic::{LineHandler, LineReceiver, LineTransport};
use sinew_testkit::testing::task_test;
use sinew_transports::{
    Peer,
    endpoint::{ClientEndpoint, ServerEndpoint},
    tls::TlsClientConfig,
};

/// What was said to the server, connection by connection.
type Heard = Rc<RefCell<Vec<Vec<String>>>>;

/// Offers STARTTLS, agrees to it, and says something else than TLS.
struct Broken(Heard);

impl LineHandler for Broken {
    fn connection_made(&mut self, transport: &mut LineTransport<'_>) {
        self.0.borrow_mut().push(Vec::new());
        transport.write("220 mail.example\r\n");
    }

    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        let line = String::from_utf8_lossy(line).into_owned();
        transport.write(match &*line {
            _ if line.starts_with("EHLO") => {
                "250-mail.example\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n"
            }
            "STARTTLS" => "220 go on\r\nno TLS here\r\n",
            "DATA" => "354 go on\r\n",
            _ if line.contains(':') || line == "." => "250 ok\r\n",
            _ => "",
        });
        let mut heard = self.0.borrow_mut();
        let last = heard.last_mut().expect("it is connected");
        // A handshake is no line.
        if line.is_ascii() && !line.contains('\0') {
            last.push(line);
        }
    }
}

/// What the server hears of a message, after some seconds, and what is left in the queue.
fn heard(
    security: Security,
    change: impl FnOnce(ClientConfig) -> ClientConfig,
    relay: impl FnOnce(Relay) -> Relay + 'static,
) -> (Vec<Vec<String>>, Option<String>) {
    crate::watchdog::watch_this_test();
    let config = ClientConfig::new("relay.example").unwrap().security(security);
    let config = config.tls(TlsClientConfig::insecure_without_verification());
    let config = change(config.server_name("mail.example"));
    task_test(move |reactor| async move {
        let heard = Heard::default();
        let at: ServerEndpoint = "memory:mail".parse().unwrap();
        let of_server = Rc::clone(&heard);
        let server = move |_: &Peer| LineReceiver::new(Broken(Rc::clone(&of_server)));
        let port = at.listen(&reactor, server).unwrap();
        let to: ClientEndpoint = "memory:mail".parse().unwrap();
        let agent = relay(Relay::new(config).route("example.org", to, None));
        let agents = Agents::default().with(SMTP_AGENT, agent);
        let config = QueueConfig::new("relay.example").unwrap();
        let spool = Spool::on(MemoryFiles::default());
        let queue = Queue::open(&reactor, spool, config, agents).await.unwrap();
        let to = Recipient::new("bob@example.org".parse().unwrap());
        let envelope = QueuedEnvelope::new(Sender::new(None)).with(QueuedRecipient::remote(to));
        queue.submit(envelope, "Subject: x\n\nHello\n").await.unwrap();
        reactor.sleep(Duration::from_secs(30)).await;
        let left = queue.list(None, 1).pop();
        let status = left.map(|left| left.recipients[0].1.status().unwrap().code().to_string());
        port.stop_listening();
        (heard.take(), status)
    })
}

#[test]
fn mail_goes_in_plaintext_where_tls_is_only_offered_and_fails() {
    let (heard, left) = heard(Security::IfOffered, |config| config, |relay| relay);
    assert_eq!((heard.len(), left), (2, None), "{heard:?}");
    assert_eq!(heard[0][1], "STARTTLS");
    assert!(!heard[1].contains(&"STARTTLS".to_owned()) && heard[1].contains(&"Hello".to_owned()));
}

#[test]
fn nothing_goes_in_plaintext_where_tls_is_required_or_a_password_is_sent() {
    let as_it_is = |relay: Relay| relay;
    let login = |config: ClientConfig| {
        config.login(ClientLogin::password("relay", "secret").allow_plaintext(true))
    };
    for (heard, left) in [
        heard(Security::Required, |config| config, as_it_is),
        heard(Security::IfOffered, |config| config, |relay| relay.tls_required("Example.org")),
        heard(Security::IfOffered, login, as_it_is),
    ] {
        assert_eq!((heard.len(), left.as_deref()), (1, Some("4.7.5")), "{heard:?}");
        assert_eq!(heard[0].get(1).map(String::as_str), Some("STARTTLS"));
        assert!(heard[0].iter().all(|line| !line.starts_with("MAIL")), "{heard:?}");
    }
}
