//! Clients of IMAP and a server in a simulated network with faults (cuts, resets, pauses, kills): several sessions add, move and delete
//! messages in one mailbox at once. Each keeps the list of messages that it was told of, and every answer must fit it; a message that
//! was reported as added is there once, and no other is there twice.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

use std::{cell::RefCell, collections::BTreeMap, io, rc::Rc, time::Duration};

use sinew_auth::{Authenticator, AuthenticatorConfig, Users};
use sinew_mail::{
    imap::server::{ImapServer, ServerConfig},
    store::MemoryStore,
};
use sinew_testkit::{
    sim::{Network, RandomFaults},
    testing::{seeds, simulate},
};
use sinew_transports::{AsyncStream, ReactorTcp, reactor::Reactor};

/// How long the clients work; then what is open has time to end.
const WORKING: Duration = Duration::from_secs(100);
const ENDING: Duration = Duration::from_secs(400);

/// What became of a message, as its client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Sent,
    Added,
    /// The client has seen that it is gone, or has asked for it.
    Deleted,
}

/// What all clients know together. It survives them.
#[derive(Default)]
struct Notes {
    fates: BTreeMap<u32, Fate>,
    commands: usize,
    told: usize,
}

type Shared = Rc<RefCell<Notes>>;

/// A session of a client, with what it was told of the mailbox: the UID of each message, once it is known.
struct Session {
    stream: AsyncStream,
    received: Vec<u8>,
    messages: Vec<Option<u32>>,
    notes: Shared,
}

impl Session {
    async fn begin(reactor: &Reactor, notes: &Shared) -> io::Result<Self> {
        let to: sinew_transports::endpoint::ClientEndpoint =
            "tcp:server:143".parse().expect("an endpoint");
        let stream = AsyncStream::connect(reactor, to)
            .await
            .map_err(|error| io::Error::other(error.to_string()))?;
        let mut session =
            Self { stream, received: Vec::new(), messages: Vec::new(), notes: Rc::clone(notes) };
        session.line().await?;
        session.command("LOGIN ann secret").await?;
        session.command("SELECT INBOX").await?;
        Ok(session)
    }

    /// The next line, with its literals.
    async fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.received.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.received.drain(..end + 2).collect();
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            let mut buffer = [0; 1_024];
            match self.stream.read(&mut buffer).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                len => self.received.extend_from_slice(&buffer[..len]),
            }
        }
    }

    /// Sends a command, and takes what is told up to its end.
    async fn command(&mut self, command: &str) -> io::Result<String> {
        self.stream.write_all(format!("t {command}\r\n").as_bytes()).await?;
        self.answer().await
    }

    async fn answer(&mut self) -> io::Result<String> {
        loop {
            let line = self.line().await?;
            if let Some(end) = line.strip_prefix("t ") {
                self.notes.borrow_mut().commands += 1;
                return Ok(end.to_owned());
            }
            assert!(!line.starts_with("* BAD"), "{line}");
            self.told(line.trim_end());
        }
    }

    /// What a server tells changes the list, and must fit it.
    fn told(&mut self, line: &str) {
        let mut words = line.split(' ').skip(1);
        let (Some(Ok(number)), Some(what)) = (words.next().map(str::parse::<usize>), words.next())
        else {
            return;
        };
        self.notes.borrow_mut().told += 1;
        match what {
            "EXISTS" => {
                assert!(number >= self.messages.len(), "{line}: {} before", self.messages.len());
                self.messages.resize(number, None);
            }
            "EXPUNGE" => {
                assert!(
                    (1..=self.messages.len()).contains(&number),
                    "{line}: {} before",
                    self.messages.len()
                );
                self.messages.remove(number - 1);
            }
            "FETCH" => {
                let place = number
                    .checked_sub(1)
                    .and_then(|at| self.messages.get_mut(at))
                    .expect("there is such a message");
                let uid = line.split("UID ").nth(1).map(|rest| rest.trim_end_matches(')'));
                let uid =
                    uid.and_then(|uid| uid.split(' ').next()).and_then(|uid| uid.parse().ok());
                if let Some(uid) = uid {
                    assert!(place.is_none_or(|known| known == uid), "{line}: it was {place:?}");
                    *place = Some(uid);
                    let known: Vec<_> = self.messages.iter().flatten().collect();
                    assert!(known.is_sorted(), "{line}: {known:?}");
                }
            }
            _ => {}
        }
    }

    /// Adds a message of its own number.
    async fn add(&mut self) -> io::Result<()> {
        let number = u32::try_from(self.notes.borrow().fates.len()).expect("there are few");
        self.notes.borrow_mut().fates.insert(number, Fate::Sent);
        let text =
            format!("Subject: {number}\r\n\r\n{}", "text\r\n".repeat(number as usize % 50 * 40));
        self.stream.write_all(format!("t APPEND INBOX {{{}}}\r\n", text.len()).as_bytes()).await?;
        loop {
            let line = self.line().await?;
            if line.starts_with('+') {
                break;
            }
            assert!(line.starts_with('*'), "{line}");
            self.told(line.trim_end());
        }
        self.stream.write_all(text.as_bytes()).await?;
        self.stream.write_all(b"\r\n").await?;
        let end = self.answer().await?;
        assert!(end.starts_with("OK [APPENDUID"), "{end}");
        self.notes.borrow_mut().fates.insert(number, Fate::Added);
        Ok(())
    }

    /// Deletes the message with this number, whichever it is.
    async fn delete(&mut self, number: usize) -> io::Result<()> {
        let before = self.messages.len();
        if !(1..=before).contains(&number) {
            return Ok(());
        }
        self.stream
            .write_all(
                format!("t FETCH {number} (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])\r\n").as_bytes(),
            )
            .await?;
        let mut subject = None;
        loop {
            let line = self.line().await?;
            if let Some(found) = line.strip_prefix("Subject: ") {
                subject = found.trim_end().parse::<u32>().ok();
            }
            if line.starts_with("t ") {
                break;
            }
            let line = line.trim_end().split(" BODY[").next().unwrap_or_default().to_owned();
            self.told(&line);
        }
        assert_eq!(
            self.messages.len().max(before),
            self.messages.len(),
            "no message goes while one is fetched"
        );
        let (Some(subject), Some(Some(uid))) = (subject, self.messages.get(number - 1).copied())
        else {
            return Ok(());
        };
        self.notes.borrow_mut().fates.insert(subject, Fate::Deleted);
        self.command(&format!("UID STORE {uid} +FLAGS.SILENT (\\Deleted)")).await?;
        self.command(&format!("UID EXPUNGE {uid}")).await?;
        assert!(!self.messages.contains(&Some(uid)), "it was expunged");
        Ok(())
    }

    /// Waits for news for some time.
    async fn idle(&mut self, reactor: &Reactor) -> io::Result<()> {
        self.stream.write_all(b"t IDLE\r\n").await?;
        loop {
            let line = self.line().await?;
            if line.starts_with('+') {
                break;
            }
            self.told(line.trim_end());
        }
        reactor.sleep(Duration::from_secs(3)).await;
        self.stream.write_all(b"DONE\r\n").await?;
        self.answer().await.map(drop)
    }
}

async fn work(reactor: Reactor, notes: Shared, end: std::time::Instant) {
    while reactor.now() < end {
        let Ok(mut session) = Session::begin(&reactor, &notes).await else {
            reactor.sleep(Duration::from_secs(1)).await;
            continue;
        };
        while reactor.now() < end {
            let draw = reactor.random();
            let number = usize::try_from(draw / 8 % 6).expect("it is small") + 1;
            let done = match draw % 8 {
                0..=2 => session.add().await,
                3 | 4 => session.delete(number).await,
                5 => session.idle(&reactor).await,
                6 => session.command("UID FETCH 1:* (FLAGS)").await.map(drop),
                _ => session.command("NOOP").await.map(drop),
            };
            if done.is_err() {
                break;
            }
            reactor.sleep(Duration::from_millis(300)).await;
        }
    }
}

/// Returns how many commands were answered.
fn run(network: &Network, faults: Option<RandomFaults>) -> usize {
    let server = network.host("server");
    // What is stored survives the server.
    let store = MemoryStore::default();
    store.create_account("ann").unwrap();
    let served = store.clone();
    server.boot(move |reactor| {
        let config = AuthenticatorConfig::default().allow_plaintext(true);
        let users = Authenticator::with(Users::new().user("ann", "secret"), config);
        let config = ServerConfig::new(users, Rc::new(served.clone()));
        drop(reactor.listen_tcp("0.0.0.0:143", ImapServer::new(config)).unwrap());
    });
    let notes = Shared::default();
    for name in ["one", "two", "three"] {
        let notes = Rc::clone(&notes);
        network.host(name).boot(move |reactor| {
            let end = reactor.now() + WORKING;
            reactor.spawn(work(reactor.clone(), Rc::clone(&notes), end)).detach();
        });
    }
    network.set_random_faults(faults);
    network.run_for(WORKING).unwrap();
    network.set_random_faults(None);
    network.heal();
    network.run_for(ENDING).unwrap();
    check(&store, &notes);
    let notes = notes.borrow();
    notes.commands
}

/// What is in the mailbox at the end.
fn check(store: &MemoryStore, notes: &Shared) {
    use sinew_mail::store::{MailboxName, Store, Uid};

    let reactor = Reactor::simulated(0);
    let store = store.clone();
    let handle = reactor.clone();
    let reading = reactor.spawn(async move {
        let account = store.account(&handle, "ann").await.unwrap();
        let mailbox = account.open(&MailboxName::inbox()).await.unwrap();
        let mut subjects = Vec::new();
        for info in mailbox.messages(Uid::MIN, usize::MAX) {
            let text = mailbox.read(info.uid, 0, 100).await.unwrap();
            let text = String::from_utf8_lossy(&text).into_owned();
            let subject = text
                .lines()
                .next()
                .and_then(|line| line.strip_prefix("Subject: "))
                .expect("a subject");
            subjects.push(subject.parse::<u32>().unwrap());
        }
        subjects
    });
    reactor.advance(Duration::ZERO).unwrap();
    let subjects = reading.take().unwrap().unwrap();
    for (number, fate) in &notes.borrow().fates {
        let count = subjects.iter().filter(|subject| *subject == number).count();
        assert!(count <= 1, "{number} is there {count} times");
        assert!(*fate != Fate::Added || count == 1, "{number} was added, and is not there");
    }
}

#[test]
fn sessions_agree_without_faults() {
    watchdog::watch_this_test();
    simulate(0..2, |network| {
        let commands = run(network, None);
        assert!(commands > 300, "{commands} commands");
    });
}

#[test]
fn sessions_agree_under_faults() {
    watchdog::watch_this_test();
    let commands = std::cell::Cell::new(0);
    simulate(seeds(0..8), |network| {
        let faults = RandomFaults::every(Duration::from_secs(3));
        let faults = faults.lasting(Duration::from_secs(10)).cuts().kills().pauses().resets();
        commands.set(commands.get() + run(network, Some(faults)));
    });
    assert!(commands.get() > 0, "the faults leave nothing");
}
