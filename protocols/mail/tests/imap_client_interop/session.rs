//! What the client does with a real server: mailboxes, messages, IDLE, resynchronization.

use std::{cell::RefCell, collections::BTreeSet, rc::Rc};

use sinew_auth::{ClientLogin, Mechanism};
use sinew_mail::imap::{
    client::{
        ClientConfig, Event, FetchSink, ImapClient, ImapError, MessageSource, Security,
        StreamedSection, SyncState,
    },
    codec::{
        Atom, BodyStructure, DateTime, FetchCommand, FetchData, FetchItem, Flag, ListAttribute,
        ListCommand, ListReturn, MailboxName, PlainCode, SearchKey, SearchReturn, Section,
        SequenceSet, StatusItem, StoreAction, StoreCommand,
    },
};
use sinew_transports::{
    endpoint::ClientEndpoint,
    reactor::{Deferred, Reactor},
};

use super::dovecot::Dovecot;

const MESSAGE: &str = concat!(
    "From: \"Ann, of \\\"Example\\\"\" <ann@example.org>\r\n",
    "To: friends: bob@example.org, carol@example.org;\r\n",
    "Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\n",
    "Message-ID: <1@example.org>\r\n",
    "MIME-Version: 1.0\r\n",
    "Content-Type: multipart/mixed; boundary=x\r\n\r\n",
    "--x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGr\u{fc}\u{df}e\r\n",
    "--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninner\r\n--x--\r\n"
);

fn name(name: &str) -> MailboxName {
    name.parse().unwrap()
}

async fn open(
    reactor: &Reactor,
    to: &str,
    mechanism: Mechanism,
    compression: bool,
) -> Result<ImapClient, ImapError> {
    let login =
        ClientLogin::password("ann", "secret").mechanisms([mechanism]).allow_plaintext(true);
    let config = ClientConfig::default().security(Security::None).login(login);
    let to: ClientEndpoint = to.parse().unwrap();
    ImapClient::connect(reactor, to, config.compression(compression)).await
}

#[derive(Clone, Default)]
struct Collected(Rc<RefCell<Vec<u8>>>);

impl FetchSink for Collected {
    fn section_begun(&mut self, _: &StreamedSection<'_>) -> bool {
        true
    }

    fn section_received(&mut self, piece: &[u8]) -> Option<Deferred<()>> {
        self.0.borrow_mut().extend_from_slice(piece);
        None
    }
}

#[test]
fn dovecot_and_this_client() {
    crate::watchdog::watch_this_test();
    let Some(mut dovecot) = Dovecot::start() else { return };
    let reactor = Reactor::new().unwrap();
    let handle = reactor.clone();
    let listening = async move {
        dovecot.listens(&handle).await;
        dovecot
    };
    let dovecot = reactor.run_until(listening).unwrap();
    let (handle, to) = (reactor.clone(), dovecot.endpoint());
    let done = reactor.run_until(play(handle, to));
    if let Err(error) = done.unwrap() {
        panic!("{error:?}; the log: {}", dovecot.log());
    }
}

/// All of it, with the server at this endpoint.
pub(crate) async fn play(handle: Reactor, to: String) -> Result<(), ImapError> {
    let scram = Mechanism::Scram(sinew_auth::ScramHash::Sha256);
    let client = open(&handle, &to, scram, true).await?;
    mailboxes(&client).await?;
    messages(&client).await?;
    large(&client).await?;
    let other = open(&handle, &to, Mechanism::Plain, false).await?;
    idles(&client, &other).await?;
    syncs(&handle, &to, &other).await?;
    let third = open(&handle, &to, Mechanism::Login, false).await?;
    third.logout().await?;
    other.logout().await?;
    client.logout().await
}

async fn mailboxes(client: &ImapClient) -> Result<(), ImapError> {
    // Dovecot has it, for its special use.
    let has_use = client.list("Sent".parse()?).await?.iter().any(|entry| entry.is_selectable());
    if !has_use {
        client.create(name("Sent")).await?;
    }
    let odd = name("Entwürfe & \"mehr\"/台北");
    client.create(odd.clone()).await?;
    client.subscribe(odd.clone()).await?;
    let names = client.list("*".parse()?).await?;
    assert!(names.iter().any(|entry| entry.name == odd && entry.delimiter == Some('/')));
    assert!(client.lsub("*".parse()?).await?.iter().any(|entry| entry.name == odd));
    let list = ListCommand::new("*".parse()?).returning(ListReturn::SpecialUse);
    let list = list.returning(ListReturn::Status(vec![StatusItem::Messages, StatusItem::Size]));
    let (entries, statuses) = client.list_with(list).await?;
    assert!(!has_use || entries.iter().any(|entry| entry.is(&ListAttribute::Sent)));
    assert!(statuses.iter().any(|(name, values)| *name == odd && values.len() == 2));
    let error = client.create(odd.clone()).await.unwrap_err();
    assert!(error.code().is_some_and(|code| code.is(PlainCode::AlreadyExists)), "{error:?}");
    client.rename(odd.clone(), name("neu")).await?;
    client.delete(name("neu")).await?;
    assert!(!client.namespace().await?.own.is_empty());
    assert!(client.id(None).await?.is_some());
    // A name that is two commands, for a client of no care.
    assert!("x\r\na DELETE INBOX".parse::<MailboxName>().is_err());
    Ok(())
}

async fn messages(client: &ImapClient) -> Result<(), ImapError> {
    let date: DateTime = "17-Jul-1996 02:44:25 -0700".parse()?;
    let flags = [Flag::Seen, Flag::keyword("$x")?];
    let appended = client.append(MailboxName::inbox(), MESSAGE, flags, Some(date)).await?;
    let (_, uid) = appended.expect("dovecot has UIDPLUS");
    client.append(MailboxName::inbox(), "Subject: second\r\n\r\nx\r\n", [], None).await?;
    let view = client.select_condstore(MailboxName::inbox()).await?;
    assert_eq!((view.exists, view.is_read_only), (2, false));
    let items = [
        FetchItem::Uid,
        FetchItem::Envelope,
        FetchItem::BodyStructure,
        FetchItem::InternalDate,
        FetchItem::Flags,
        FetchItem::peek(Section::part([1])),
        FetchItem::peek(Section::fields(["subject"])?),
    ];
    let one = SequenceSet::one(1).expect("not 0");
    let fetched = client.fetch(one.clone(), items).await?;
    let message = &fetched[0];
    assert_eq!(message.uid(), Some(uid));
    let envelope = message.envelope().expect("it was asked for");
    assert_eq!(envelope.from[0].name.as_deref(), Some(&b"Ann, of \"Example\""[..]));
    // The group begins, has two addresses, and ends.
    assert_eq!(envelope.to.len(), 4);
    // In the zone of the server.
    let is_date = |item: &FetchData| matches!(item, FetchData::InternalDate(told) if told.unix() == date.unix());
    assert!(message.items.iter().any(is_date));
    let structure = message.items.iter().find_map(|item| match item {
        FetchData::BodyStructure(body) => Some(body),
        _ => None,
    });
    let inner = structure.and_then(|body| body.part_of_message(&[2, 1]));
    assert!(
        matches!(inner, Some(BodyStructure::Single(part)) if part.media_type.eq_ignore_ascii_case(b"text"))
    );
    let contents: Vec<_> = message.items.iter().filter_map(FetchData::content).collect();
    assert_eq!(contents[0].kept().unwrap(), "Gr\u{fc}\u{df}e");
    // Strings of any kind are searched for.
    assert_eq!(client.uid_search(SearchKey::body("Grüße")?).await?, [uid]);
    assert_eq!(client.search(SearchKey::subject("second\" OR \"")?).await?, []);
    let key = SearchKey::Seen.negated().or(SearchKey::Keyword(Atom::try_from("$x")?));
    assert_eq!(client.search(key).await?, [1, 2]);
    let found =
        client.esearch(SearchKey::All, [SearchReturn::Count, SearchReturn::Max], false).await?;
    assert_eq!((found.count, found.max), (Some(2), Some(2)));
    let mut store = StoreCommand::new(one, StoreAction::Add, [Flag::Flagged]);
    store.unchanged_since = Some(1);
    // Something that was changed since then stays as it is.
    assert!(client.store(store).await?.modified.is_some());
    let uids = SequenceSet::one(uid).expect("not 0");
    let copied = client.uid_copy(uids.clone(), name("Sent")).await?.expect("UIDPLUS");
    assert_eq!(copied.from, uids);
    let moved = client.uid_move(uids, name("Sent")).await?.expect("UIDPLUS");
    assert_ne!(moved.to, copied.to);
    assert_eq!(client.selected().map(|view| view.exists), Some(1));
    client.add_flags(SequenceSet::all(), [Flag::Deleted]).await?;
    client.expunge().await?;
    assert_eq!(client.selected().map(|view| view.exists), Some(0));
    let status = client.status(name("Sent"), [StatusItem::Messages]).await?;
    assert_eq!(status, [(StatusItem::Messages, 2)]);
    client.unselect().await
}

/// A message of some megabytes, sent as it is read, and received as it comes.
async fn large(client: &ImapClient) -> Result<(), ImapError> {
    let mut text = b"Subject: large\r\n\r\n".to_vec();
    for line in 0..100_000 {
        text.extend_from_slice(format!("{line} of a hundred thousand lines\r\n").as_bytes());
    }
    let source = MessageSource::reader(text.len() as u64, std::io::Cursor::new(text.clone()));
    client.append(name("Sent"), source, [], None).await?;
    client.select(name("Sent")).await?;
    let sink = Collected::default();
    let last: SequenceSet = "*".parse()?;
    let fetch = FetchCommand::new(last.clone(), [FetchItem::peek(Section::all())]);
    client.fetch_into(fetch, sink.clone()).await?;
    assert!(*sink.0.borrow() == text, "another message has come back");
    client.store(StoreCommand::new(last, StoreAction::Add, [Flag::Deleted])).await?;
    client.close_mailbox().await
}

async fn idles(client: &ImapClient, other: &ImapClient) -> Result<(), ImapError> {
    client.select(MailboxName::inbox()).await?;
    let mut events = client.events();
    let idle = client.idle()?;
    other.append(MailboxName::inbox(), "Subject: x\r\n\r\nx\r\n", [], None).await?;
    loop {
        match events.next_event().await {
            Some(Event::Exists(1)) => break,
            Some(_) => {}
            None => panic!("the connection was lost: {:?}", client.ended()),
        }
    }
    // Interrupted for a command.
    assert_eq!(client.search(SearchKey::All).await?, [1]);
    drop(idle);
    client.unselect().await
}

async fn syncs(reactor: &Reactor, to: &str, other: &ImapClient) -> Result<(), ImapError> {
    for number in 0..4 {
        let message = format!("Subject: {number}\r\n\r\nx\r\n");
        other.append(MailboxName::inbox(), message, [], None).await?;
    }
    let first = open(reactor, to, Mechanism::Plain, false).await?;
    let synced = first.sync(MailboxName::inbox(), SyncState::new()).await?;
    assert_eq!((synced.new.len(), synced.changed.len(), synced.is_reset), (5, 0, false));
    let uids: Vec<u32> = synced.state.uids.iter().copied().collect();
    first.logout().await?;
    // One is flagged, one goes, one comes.
    other.select(MailboxName::inbox()).await?;
    let set = |uid: u32| SequenceSet::one(uid).expect("not 0");
    other.add_flags(set(uids[1]), [Flag::Flagged]).await?;
    other.add_flags(set(uids[2]), [Flag::Deleted]).await?;
    other.uid_expunge(set(uids[2])).await?;
    let (_, new) =
        other.append(MailboxName::inbox(), "Subject: new\r\n\r\nx\r\n", [], None).await?.unwrap();
    let known = synced.state.clone();
    let again = open(reactor, to, Mechanism::Plain, false).await?;
    let quick = again.sync(MailboxName::inbox(), known.clone()).await?;
    assert_eq!(quick.vanished, BTreeSet::from([uids[2]]));
    assert_eq!(quick.changed.iter().map(|(uid, _)| *uid).collect::<Vec<_>>(), [uids[1]]);
    assert_eq!(quick.new.iter().map(|(uid, _)| *uid).collect::<Vec<_>>(), [new]);
    // The same without what the server remembers.
    let slow = SyncState::of(known.uid_validity, None, known.uids);
    let slow = again.sync(MailboxName::inbox(), slow).await?;
    assert_eq!((slow.vanished, slow.state.uids), (quick.vanished, quick.state.uids));
    assert_eq!(slow.new, quick.new);
    again.logout().await
}
