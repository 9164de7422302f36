//! A process with a queue on a real disk is killed (SIGKILL) again and again while it accepts and delivers mail. Every message that was
//! acknowledged is there, once.

#![cfg(unix)]

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Sender},
    thread,
};

use sinew_mail::{
    queue::{
        Agents, Attempt, AttemptResult, DeliveryAgent, Fate, Queue, QueueConfig, QueuedRecipient,
        SMTP_AGENT, Spool, Status,
    },
    routing::{Receiver, Router, RouterConfig, Rules, Target},
    smtp::{
        client::MessageSource,
        server::{ServerConfig, SmtpServer},
    },
};
use sinew_testkit::testing::for_seeds;
use sinew_transports::{
    Peer, ReactorTcp,
    reactor::{Deferred, Reactor},
};

const FOLDER: &str = "SINEW_QUEUE_FOLDER";
/// How often the process is killed.
const KILLS: usize = 12;
/// Who sends at once.
const SENDERS: usize = 4;

/// Writes the names of messages that it takes to a file, and reads them whole. Keeps those for `keep@…`.
struct Recorder(PathBuf);

impl DeliveryAgent for Recorder {
    fn destination(&self, to: &QueuedRecipient) -> String {
        to.address().local()[..4].to_owned()
    }

    fn deliver(&self, reactor: &Reactor, attempt: Attempt) -> Deferred<AttemptResult> {
        let address = attempt.recipients()[0].address().clone();
        let Some(name) = address.local().strip_prefix("take-").map(ToOwned::to_owned) else {
            let fate = Fate::Delayed(Status::new(4, 0, 0, "kept"));
            return Deferred::ready_on(reactor, AttemptResult::same(&attempt, fate));
        };
        let (promise, deferred) = reactor.promise();
        let (of_task, path) = (reactor.clone(), self.0.join("taken"));
        let task = async move {
            let (mut message, mut text) = (attempt.message(&of_task), Vec::new());
            while let Some(piece) = message.next().await.unwrap() {
                text.extend_from_slice(&piece);
            }
            assert!(text.ends_with(body(&name).as_bytes()), "{name}");
            let mut taken = OpenOptions::new().create(true).append(true).open(path).unwrap();
            taken.write_all(format!("{name}\n").as_bytes()).unwrap();
            let fate = Fate::Delivered(Status::new(2, 0, 0, "taken"));
            promise.resolve(AttemptResult::same(&attempt, fate));
        };
        reactor.spawn(task).detach();
        deferred
    }
}

fn body(name: &str) -> String {
    let len = name.bytes().map(usize::from).sum::<usize>() % 37;
    format!("line of {name}\r\n").repeat(1 + len * len * 5)
}

fn serve(reactor: &Reactor, queue: Queue) {
    let router = Router::new(RouterConfig::new(Target::Name("ann".into())));
    let rules = Rules::exchanger().networks(["127.0.0.0/8".parse().unwrap()]);
    let receiver = Receiver::new(queue, router, rules);
    let server = SmtpServer::new(ServerConfig::new("relay.example").unwrap(), move |_: &Peer| {
        receiver.handler()
    });
    let port = reactor.listen_tcp("127.0.0.1:0", server).unwrap();
    println!("\nport {}", port.local().port());
}

/// Started by the other test, to be killed. Without the folder there is nothing to do.
#[test]
fn process() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let reactor = Reactor::new().unwrap();
    let folder = PathBuf::from(folder);
    let agents = Agents::default().with(SMTP_AGENT, Recorder(folder.clone()));
    let config = QueueConfig::new("relay.example").unwrap().deliveries_max(4);
    let opening = Queue::open(&reactor, Spool::in_folder(folder.join("spool")), config, agents);
    opening.then(|reactor, queue| serve(reactor, queue.unwrap()));
    reactor.run().unwrap();
}

fn start(folder: &Path) -> (Child, u16) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "process", "--nocapture"]).env(FOLDER, folder);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let port = lines.find_map(|line| line.unwrap().strip_prefix("port ")?.parse().ok());
    // Nothing more is written there.
    (child, port.expect("the process says its port"))
}

/// Sends messages until the connection fails. Says which were acknowledged.
fn send(port: u16, front: &str, acknowledged: &Sender<String>) -> Option<()> {
    let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let (mut replies, mut stream) = (BufReader::new(stream.try_clone().ok()?).lines(), stream);
    let mut ask = |text: String, code: &str| -> Option<()> {
        stream.write_all(text.as_bytes()).ok()?;
        loop {
            let line = replies.next()?.ok()?;
            assert!(line.starts_with(code), "{line}");
            if line.as_bytes().get(3) == Some(&b' ') {
                return Some(());
            }
        }
    };
    ask(String::new(), "220")?;
    ask("EHLO test\r\n".into(), "250")?;
    for number in 0.. {
        let way = ["take", "keep"][number % 2];
        let name = format!("{front}-{number}");
        ask("MAIL FROM:<>\r\n".into(), "250")?;
        ask(format!("RCPT TO:<{way}-{name}@example.org>\r\n"), "250")?;
        ask("DATA\r\n".into(), "354")?;
        ask(format!("Subject: {name}\r\n\r\n{}.\r\n", body(&name)), "250")?;
        acknowledged.send(format!("{way}-{name}")).ok()?;
    }
    None
}

#[test]
fn what_was_acknowledged_is_there_once_after_every_kill() {
    watchdog::watch_this_test();
    for_seeds(0..1, |seed| {
        let folder = format!("sinew-queue-kill-{}-{seed}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        fs::create_dir_all(&folder).unwrap();
        let mut random = Reactor::simulated(seed);
        let mut acknowledged = Vec::new();
        for kill in 0..KILLS {
            acknowledged.extend(round(&folder, kill, &mut random));
        }
        check(&folder, &acknowledged);
        fs::remove_dir_all(folder).unwrap();
    });
}

/// Starts the process, sends to it, and kills it when so many messages were acknowledged, while others are on their way.
fn round(folder: &Path, kill: usize, random: &mut Reactor) -> Vec<String> {
    let (mut child, port) = start(folder);
    let (sender, receiver) = mpsc::channel();
    let senders: Vec<_> = (0..SENDERS)
        .map(|number| {
            let (sender, front) = (sender.clone(), format!("{kill}-{number}"));
            thread::spawn(move || send(port, &front, &sender).is_none())
        })
        .collect();
    drop(sender);
    let wanted = 1 + random.random() as usize % 40;
    let mut acknowledged: Vec<String> = receiver.iter().take(wanted).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    acknowledged.extend(receiver.iter());
    assert!(senders.into_iter().all(|sender| sender.join().unwrap()));
    acknowledged
}

fn check(folder: &Path, acknowledged: &[String]) {
    // Without its agent, nothing is delivered any more.
    let reactor = Reactor::new().unwrap();
    let spool = Spool::in_folder(folder.join("spool"));
    let config = QueueConfig::new("relay.example").unwrap();
    let opening = Queue::open(&reactor, spool, config, Agents::default());
    let queue = reactor.run_until(opening).unwrap().unwrap();
    assert_eq!(queue.stats().damaged, 0);
    let mut there = BTreeMap::<String, (usize, usize)>::new();
    for message in queue.list(None, usize::MAX) {
        there.entry(message.recipients[0].0.address().local().to_owned()).or_default().0 += 1;
    }
    let taken = fs::read_to_string(folder.join("taken")).unwrap_or_default();
    for name in taken.lines() {
        there.entry(format!("take-{name}")).or_default().1 += 1;
    }
    let mut doubled = 0;
    for name in acknowledged {
        let (queued, taken) = there.get(name).copied().unwrap_or_default();
        assert!(queued <= 1, "{name} is queued {queued} times");
        match name.starts_with("keep") {
            true => assert_eq!((queued, taken), (1, 0), "{name}"),
            false => assert!(queued + taken >= 1, "{name} is lost"),
        }
        doubled += (queued + taken).saturating_sub(1);
    }
    // Taken, and killed before that was written down: four at once, at each kill.
    assert!(doubled <= 4 * KILLS, "{doubled} messages were taken twice");
    eprintln!(
        "{} messages were acknowledged, {doubled} of them were taken twice",
        acknowledged.len()
    );
    assert!(acknowledged.len() > KILLS);
}
