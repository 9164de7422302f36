//! A server that receives mail, over a connection in memory.

use std::{rc::Rc, time::Duration};

use sinew_auth::{Authenticator, AuthenticatorConfig, Mechanism, Users};
use sinew_mail::{
    queue::{Agents, MemoryFiles, Queue, QueueConfig, Relay, SMTP_AGENT, Spool},
    routing::{
        Aliases, LocalDomain, MAILBOX_AGENT, MailboxAgent, REROUTE_AGENT, Receiver, Reroute,
        Router, RouterConfig, Rules, StoreUsers, Target, TargetRules,
    },
    smtp::{
        client::ClientConfig,
        server::{ServerConfig, SmtpServer},
    },
    store::{MailboxName, MemoryStore, Store, StoreLimits, Uid},
};
use sinew_transports::{Peer, StreamConfig, memory, memory::Wire, reactor::Reactor};

/// The longest message.
const SIZE_MAX: u64 = 1000;

struct Server {
    reactor: Reactor,
    store: Rc<MemoryStore>,
    queue: Queue,
    receiver: Receiver,
}

impl Server {
    fn new(rules: Rules) -> Self {
        Self::with(rules, StoreLimits::default())
    }

    fn with(rules: Rules, limits: StoreLimits) -> Self {
        crate::watchdog::watch_this_test();
        let reactor = Reactor::simulated(0);
        let store = MemoryStore::new(limits);
        for user in ["ann", "bob"] {
            store.create_account(user).unwrap();
        }
        let store = Rc::new(store);
        let aliases = "staff: ann, bob, zoe@other.example\nloop: loop2\nloop2: loop\nboth: ann, bob\ncrew: ann, bob\nowner-crew: ann\nteam: crew, bob\nb: bob\n";
        let domain = LocalDomain::new(StoreUsers::new(Rc::clone(&store) as Rc<dyn Store>));
        let config = RouterConfig::new(Target::Name("ann".into()))
            .domain("example.org", domain)
            .aliases(Aliases::parse(aliases, TargetRules::default()).unwrap());
        let router = Router::new(config);
        let relay = Relay::new(ClientConfig::new("mail.example.org").unwrap());
        let agents = Agents::default()
            .with(SMTP_AGENT, relay.smart_host("memory:none"))
            .with(MAILBOX_AGENT, MailboxAgent::new(Rc::clone(&store) as Rc<dyn Store>));
        let reroute = Reroute::new(router.clone(), agents.clone());
        let agents = agents.with(REROUTE_AGENT, reroute.clone());
        let config = QueueConfig::new("mail.example.org").unwrap().report_agent(REROUTE_AGENT);
        let opening = Queue::open(&reactor, Spool::on(MemoryFiles::default()), config, agents);
        reactor.advance(Duration::from_secs(1)).unwrap();
        let queue = opening.take().expect("it is open").unwrap();
        reroute.set_queue(&queue);
        let receiver = Receiver::new(queue.clone(), router, rules);
        let receiver = receiver.mailboxes(Rc::clone(&store) as Rc<dyn Store>);
        Self { reactor, store, queue, receiver }
    }

    fn connect(&self) -> Wire {
        let receiver = self.receiver.clone();
        let users = AuthenticatorConfig::default().allow_plaintext(true);
        let users = users.mechanisms([Mechanism::Plain]);
        let users = Authenticator::with(Users::new().user("ann", "secret"), users);
        let config = ServerConfig::new("mail.example.org").unwrap();
        let config = config.received_line(false).auth(users).size_max(SIZE_MAX);
        let server = SmtpServer::new(config, move |_: &Peer| receiver.handler());
        let connection = server.connection(&Peer::Memory);
        let (_, wire) =
            memory::connect(&self.reactor, StreamConfig::default(), connection).unwrap();
        wire
    }

    /// The codes of the replies to what a client sends.
    fn say(&self, wire: &Wire, text: &str) -> Vec<u16> {
        // A message waits until it is asked for.
        let (commands, message) = text.split_once("DATA\r\n").unwrap_or((text, ""));
        let data = if message.is_empty() { "" } else { "DATA\r\n" };
        let mut replies = Vec::new();
        for part in [commands, data, message] {
            wire.receive_if_open(part.as_bytes());
            self.reactor.advance(Duration::from_secs(1)).unwrap();
            replies.extend(wire.take(usize::MAX));
        }
        crate::support::codes(&String::from_utf8(replies).unwrap())
    }

    /// The texts of the messages in the inbox of a user.
    fn inbox(&self, user: &str) -> Vec<String> {
        let (store, user, reactor) =
            (Rc::clone(&self.store), user.to_owned(), self.reactor.clone());
        let reading = async move {
            let account = store.account(&reactor, &user).await.unwrap();
            let inbox = account.open(&MailboxName::inbox()).await.unwrap();
            let mut texts = Vec::new();
            for message in inbox.messages(Uid::MIN, 99) {
                let text = inbox.read(message.uid, 0, 65_536).await.unwrap();
                texts.push(String::from_utf8(text.to_vec()).unwrap());
            }
            texts
        };
        let reading = self.reactor.spawn(reading);
        self.reactor.advance(Duration::from_secs(1)).unwrap();
        reading.take().expect("it is read").unwrap()
    }
}

#[test]
fn mail_arrives_in_the_mailboxes_of_all_who_are_meant_once() {
    let server = Server::new(Rules::exchanger());
    let wire = server.connect();
    let codes = server.say(
        &wire,
        "EHLO x\r\nMAIL FROM:<eve@other.example>\r\nRCPT TO:<both@example.org>\r\nRCPT TO:<ann+x@example.org>\r\nRCPT TO:<zoe@other.example>\r\nRCPT TO:<nobody@example.org>\r\nRCPT TO:<loop@example.org>\r\nDATA\r\nSubject: x\r\n\r\n..dot\r\n.\r\n",
    );
    assert_eq!(codes, [220, 250, 250, 250, 250, 550, 550, 554, 354, 250]);
    server.reactor.advance(Duration::from_secs(5)).unwrap();
    let expected = "Return-Path: <eve@other.example>\r\nDelivered-To: ann@example.org\r\nSubject: x\r\n\r\n.dot\r\n";
    assert_eq!(server.inbox("ann"), [expected]);
    assert_eq!(server.inbox("bob").len(), 1);
    assert_eq!(server.queue.stats().messages, 0);
    // A second message of the connection has none of the first's recipients.
    let codes =
        server.say(&wire, "MAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n.\r\nQUIT\r\n");
    assert_eq!(codes, [250, 250, 354, 250, 221]);
    server.reactor.advance(Duration::from_secs(5)).unwrap();
    assert_eq!((server.inbox("ann").len(), server.inbox("bob").len()), (1, 2));
}

/// However many addresses lead to a mailbox, also where a list has an owner, to whom its reports go.
#[test]
fn a_mailbox_has_one_copy_of_a_message() {
    for (to, sender) in [
        (&["bob", "both"][..], "eve@other.example"),
        (&["bob", "crew"], "eve@other.example"),
        (&["crew", "bob"], "eve@other.example"),
        (&["crew", "both"], "eve@other.example"),
        (&["crew", "crew"], "owner-crew@example.org"),
        (&["team"], "eve@other.example"),
        (&["bob", "BOB", "\"bob\""], "eve@other.example"),
        (&["bob+a", "bob+b", "b"], "eve@other.example"),
    ] {
        let server = Server::new(Rules::exchanger());
        let wire = server.connect();
        let named: String = to.iter().map(|to| format!("RCPT TO:<{to}@example.org>\r\n")).collect();
        let codes = server.say(
            &wire,
            &format!("EHLO x\r\nMAIL FROM:<eve@other.example>\r\n{named}DATA\r\n\r\nx\r\n.\r\n"),
        );
        assert_eq!(codes, [&[220, 250, 250], &vec![250; to.len()][..], &[354, 250]].concat());
        server.reactor.advance(Duration::from_secs(5)).unwrap();
        let inbox = server.inbox("bob");
        assert_eq!(inbox.len(), 1, "{to:?}: {inbox:?}");
        let path = format!("Return-Path: <{sender}>\r\n");
        assert!(inbox[0].starts_with(&path), "{to:?}: {}", inbox[0]);
        assert_eq!(server.queue.stats().messages, 0);
    }
}

/// Recipients who share a copy have reports of their own: by their own names, and only where they were asked for.
#[test]
fn all_who_share_a_copy_are_reported() {
    let server = Server::new(Rules::exchanger());
    let wire = server.connect();
    let codes = server.say(
        &wire,
        "EHLO x\r\nMAIL FROM:<ann@example.org>\r\nRCPT TO:<bob@example.org>\r\nRCPT TO:<b@example.org> NOTIFY=SUCCESS ORCPT=rfc822;b@example.org\r\nRCPT TO:<bob+x@example.org> NOTIFY=SUCCESS,FAILURE\r\nRCPT TO:<Bob@example.org> NOTIFY=NEVER\r\nDATA\r\n\r\nx\r\n.\r\n",
    );
    assert_eq!(codes, [220, 250, 250, 250, 250, 250, 250, 354, 250]);
    server.reactor.advance(Duration::from_secs(60)).unwrap();
    let (inbox, reports) = (server.inbox("bob"), server.inbox("ann"));
    assert_eq!((inbox.len(), reports.len(), server.queue.stats().messages), (1, 1, 0));
    for expected in [
        "Original-Recipient: rfc822;b@example.org\r\nFinal-Recipient: rfc822; bob@example.org\r\nAction: delivered\r\n",
        "Final-Recipient: rfc822; bob+x@example.org\r\nAction: delivered\r\n",
    ] {
        assert!(reports[0].contains(expected), "{expected}\n{}", reports[0]);
    }
    assert_eq!(reports[0].matches("Final-Recipient:").count(), 2, "{}", reports[0]);
}

#[test]
fn a_report_to_a_user_of_this_host_goes_to_its_mailbox() {
    let server = Server::new(Rules::exchanger());
    let wire = server.connect();
    // Nothing is refused at once, since the list has another member: but its host is down, and the message expires.
    let codes = server.say(
        &wire,
        "EHLO x\r\nMAIL FROM:<bob@example.org>\r\nRCPT TO:<staff@example.org>\r\nDATA\r\nSubject: x\r\n\r\n.\r\n",
    );
    assert_eq!(codes, [220, 250, 250, 250, 354, 250]);
    server.reactor.advance(Duration::from_secs(6 * 24 * 3600)).unwrap();
    let inbox = server.inbox("bob");
    assert_eq!((inbox.len(), server.queue.stats().messages), (2, 0));
    assert!(
        inbox[1].contains("Final-Recipient: rfc822; zoe@other.example\r\nAction: failed\r\n"),
        "{}",
        inbox[1]
    );
    assert!(inbox[1].starts_with("Return-Path: <>\r\n"));
}

#[test]
fn submission_wants_a_login_and_an_own_sender() {
    let server = Server::new(Rules::submission());
    let wire = server.connect();
    let codes = server.say(&wire, "EHLO x\r\nMAIL FROM:<ann@example.org>\r\n");
    assert_eq!(codes, [220, 250, 530]);
    // `\0ann\0secret`.
    assert_eq!(server.say(&wire, "AUTH PLAIN AGFubgBzZWNyZXQ=\r\n"), [235]);
    for (from, code) in [
        ("ann@example.org", 250),
        ("Ann+x@example.org", 250),
        ("", 250),
        ("bob@example.org", 553),
        ("ann@other.example", 553),
    ] {
        let codes = server.say(&wire, &format!("RSET\r\nMAIL FROM:<{from}>\r\n"));
        assert_eq!(codes, [250, code], "{from}");
    }
    // Who has logged in may send to other hosts.
    let to = "RSET\r\nMAIL FROM:<ann@example.org>\r\nRCPT TO:<zoe@other.example>\r\n";
    assert_eq!(server.say(&wire, to), [250, 250, 250]);
}

/// RFC 6409 8.2, 8.3: what a user submits has a date and a name, however it was sent; what is passed on for others stays as it is.
#[test]
fn submitted_messages_are_completed_and_others_are_not() {
    let (submission, exchanger) = (Rules::submission, Rules::exchanger);
    let (date, id) = ("Date: d\r\n", "message-id : <x@y>\r\n");
    let whole = format!("{date}{id}\r\nx\r\n");
    let short = "Subject: \u{e4}\r\n\r\nDate: x\r\n";
    let full = format!("A: b\r\n\r\n{}\r\n", "x".repeat(SIZE_MAX as usize - 10));
    for (rules, has_login, message, added) in [
        (submission(), true, short, &["Date", "Message-ID"][..]),
        (submission(), true, "", &["Date", "Message-ID"]),
        (submission(), true, &full, &["Date", "Message-ID"]),
        (submission(), true, &whole[..date.len()], &["Message-ID"]),
        (submission(), true, &whole[date.len()..], &["Date"]),
        (submission(), true, &whole, &[]),
        (submission().complete_header(false), true, short, &[]),
        (exchanger(), true, short, &[]),
        (exchanger(), false, short, &[]),
        (exchanger().complete_header(true), true, short, &["Date", "Message-ID"]),
        (exchanger().complete_header(true), false, short, &[]),
    ] {
        let server = Server::new(rules);
        for is_chunked in [false, true] {
            let wire = server.connect();
            let login = if has_login { "AUTH PLAIN AGFubgBzZWNyZXQ=\r\n" } else { "" };
            server.say(&wire, &format!("EHLO x\r\n{login}"));
            let envelope =
                "MAIL FROM:<ann@example.org> BODY=8BITMIME\r\nRCPT TO:<bob@example.org>\r\n";
            let codes = match is_chunked {
                true => {
                    let chunks = message.as_bytes().chunks(7).map(|chunk| {
                        let chunk = chunk.iter().map(|byte| char::from(*byte)).collect::<String>();
                        format!("BDAT {}\r\n{chunk}", chunk.chars().count())
                    });
                    let text = format!("{envelope}{}BDAT 0 LAST\r\n", chunks.collect::<String>());
                    // Each character is a byte.
                    let bytes = text.chars().map(|char| char as u32 as u8).collect::<Vec<_>>();
                    wire.receive_if_open(&bytes);
                    server.reactor.advance(Duration::from_secs(1)).unwrap();
                    crate::support::codes(&String::from_utf8(wire.take(usize::MAX)).unwrap())
                }
                false => server.say(&wire, &format!("{envelope}DATA\r\n{message}.\r\n")),
            };
            assert_eq!(codes.last(), Some(&250), "{codes:?}");
            server.reactor.advance(Duration::from_secs(5)).unwrap();
        }
        let inbox = server.inbox("bob");
        assert_eq!(inbox.len(), 2);
        for text in inbox {
            let (trace, rest) = text.split_once("Delivered-To: bob@example.org\r\n").unwrap();
            assert_eq!(trace, "Return-Path: <ann@example.org>\r\n");
            let (header, _) = rest.split_once("\r\n\r\n").unwrap();
            let mut without = rest.to_owned();
            for name in added {
                let line = header.lines().find(|line| line.starts_with(&format!("{name}: ")));
                let line = line.unwrap_or_else(|| panic!("{name} in {text:?}"));
                assert!(*name == "Date" || line.ends_with("@mail.example.org>"), "{line}");
                without = without.replacen(&format!("{line}\r\n"), "", 1);
            }
            // A header without an end has one then.
            let is_as_sent = without == message || without == format!("{message}\r\n");
            assert!(is_as_sent, "{message:?} became {text:?}");
        }
    }
}

/// Address literals that no mail is sent to are refused where their sender still is.
#[test]
fn address_literals_that_lead_back_are_refused_at_rcpt() {
    let rules = Rules::exchanger().networks(["0.0.0.0/0".parse().unwrap()]);
    let mut server = Server::new(rules);
    let relay = Relay::new(ClientConfig::new("mail.example.org").unwrap());
    let relay = relay.own_addresses(|| vec!["198.51.100.1".parse().unwrap()]);
    let relay = relay.route("[10.0.0.2]", "memory:other", None);
    server.receiver = server.receiver.clone().relay(relay);
    let wire = server.connect();
    server.say(&wire, "EHLO x\r\nAUTH PLAIN AGFubgBzZWNyZXQ=\r\nMAIL FROM:<ann@example.org>\r\n");
    for (literal, code, text) in [
        ("[127.0.0.1]", 550, "5.4.6"),
        ("[IPv6:::1]", 550, "5.4.6"),
        ("[198.51.100.1]", 550, "5.4.6"),
        ("[10.0.0.1]", 550, "5.4.4"),
        ("[10.0.0.2]", 250, "2.1.5"),
        ("[8.8.8.8]", 250, "2.1.5"),
        ("other.example", 250, "2.1.5"),
    ] {
        wire.receive_if_open(format!("RCPT TO:<bob@{literal}>\r\n").as_bytes());
        server.reactor.advance(Duration::from_secs(1)).unwrap();
        let reply = String::from_utf8(wire.take(usize::MAX)).unwrap();
        assert!(reply.starts_with(&format!("{code} {text} ")), "{literal}: {reply}");
    }
}

/// Whose mailbox is full is refused while the client is there: nothing is sent back to a sender that may be forged.
#[test]
fn mail_over_the_quota_is_refused_and_not_returned() {
    let server = Server::with(Rules::exchanger(), StoreLimits::default().quota_bytes(1500));
    let wire = server.connect();
    server.say(&wire, "EHLO x\r\n");
    let from = "MAIL FROM:<victim@victim.example>";
    let message = |len: usize| format!("DATA\r\n{}\r\n.\r\n", "x".repeat(len));
    let send = |to: &str, len: usize| {
        let text = format!("{from}\r\nRCPT TO:<{to}@example.org>\r\n{}", message(len));
        server.say(&wire, &text)
    };
    assert_eq!(send("ann", 900), [250, 250, 354, 250]);
    // At the end, where no size was announced.
    assert_eq!(send("ann", 900), [250, 250, 354, 552]);
    // At RCPT, where one was: only who has no room, and who is there by an alias of others has the others.
    let sized = format!(
        "{from} SIZE=900\r\nRCPT TO:<ann@example.org>\r\nRCPT TO:<bob@example.org>\r\nRCPT TO:<crew@example.org>\r\nRSET\r\n"
    );
    assert_eq!(server.say(&wire, &sized), [250, 552, 250, 250, 250]);
    // A small one still fits in.
    assert_eq!(send("ann", 100), [250, 250, 354, 250]);
    assert_eq!(send("ann", 900), [250, 250, 354, 552]);
    // One of two has no room: it is the message of the other, and what is reported has no more than the header.
    let both = format!(
        "{from}\r\nRCPT TO:<ann@example.org>\r\nRCPT TO:<bob@example.org>\r\n{}",
        message(900)
    );
    assert_eq!(server.say(&wire, &both), [250, 250, 250, 354, 250]);
    assert_eq!((server.inbox("ann").len(), server.inbox("bob").len()), (2, 1));
    let stats = server.queue.stats();
    assert_eq!((stats.accepted - stats.reports, stats.failed, stats.reports), (3, 1, 1));
    // Full to the last byte: nothing more, whatever its size is.
    let server = Server::with(Rules::exchanger(), StoreLimits::default().quota_messages(0));
    let wire = server.connect();
    let text = "EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<ann@example.org>\r\n";
    assert_eq!(server.say(&wire, text).last(), Some(&552));
}

/// What a stranger's message was is told by its header alone: the address of its sender may be another's.
#[test]
fn a_report_to_a_stranger_has_the_header_alone() {
    let server = Server::with(Rules::exchanger(), StoreLimits::default().quota_messages(4));
    let wire = server.connect();
    server.say(&wire, "EHLO x\r\n");
    for _ in 0..4 {
        let text = "MAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\nx\r\n.\r\n";
        assert_eq!(server.say(&wire, text), [250, 250, 354, 250]);
    }
    // An alias of both is not refused, since one has room: the copy of the other cannot be delivered.
    let text = "MAIL FROM:<ann@example.org> RET=FULL\r\nRCPT TO:<both@example.org>\r\nDATA\r\nSubject: x\r\n\r\nsecret\r\n.\r\n";
    for (login, is_whole) in [("", false), ("AUTH PLAIN AGFubgBzZWNyZXQ=\r\n", true)] {
        server.say(&wire, login);
        assert_eq!(server.say(&wire, text), [250, 250, 354, 250]);
        let report = server.inbox("ann").pop().unwrap();
        assert!(report.contains("Status: 5.2.2\r\n"), "{report}");
        assert_eq!(report.contains("\r\n\r\nsecret\r\n"), is_whole, "{report}");
    }
}
