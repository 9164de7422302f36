//! Commands and their answers.

use sinew_mail::imap::{
    client::{ImapError, MessageSource},
    codec::{
        AString, Atom, CopyCommand, FetchCommand, FetchItem, Flag, ListCommand, ListReturn,
        ListSelection, MailboxName, PlainCode, SearchKey, SearchReturn, Section, SequenceSet,
        StatusItem, StoreAction, StoreCommand,
    },
};

use super::script::{Script, with};

const SELECT: (&str, &str) = (
    "a1 SELECT INBOX",
    concat!(
        "* 18 EXISTS\r\n* FLAGS (\\Answered \\Seen $x)\r\n* OK [UIDVALIDITY 3857529045] valid\r\n",
        "* OK [UIDNEXT 4392] next\r\n* OK [PERMANENTFLAGS (\\Seen \\*)] x\r\n* 1 RECENT\r\n",
        "* OK [HIGHESTMODSEQ 715] x\r\na1 OK [READ-ONLY] done\r\n"
    ),
);

fn name(name: &str) -> MailboxName {
    name.parse().unwrap()
}

fn set(set: &str) -> SequenceSet {
    set.parse().unwrap()
}

#[test]
fn mailboxes() {
    let script: Script = &[
        SELECT,
        ("a2 CREATE Entw&APw-rfe", "a2 OK\r\n"),
        ("a3 RENAME a b", "a3 OK\r\n"),
        ("a4 DELETE a", "a4 NO [NONEXISTENT] what?\r\n"),
        ("a5 LIST \"\" *", "* LIST (\\HasNoChildren) \"/\" a\r\n* LIST () \"/\" b\r\na5 OK\r\n"),
        (
            "a6 LIST (SUBSCRIBED) \"\" (*) RETURN (STATUS (MESSAGES))",
            "* LIST (\\Subscribed) \"/\" a\r\n* STATUS a (MESSAGES 5)\r\na6 OK\r\n",
        ),
        ("a7 LSUB \"\" *", "* LSUB () \"/\" a\r\na7 OK\r\n"),
        ("a8 STATUS a (MESSAGES UNSEEN)", "* STATUS a (MESSAGES 5 UNSEEN 2)\r\na8 OK\r\n"),
        ("a9 NAMESPACE", "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\na9 OK\r\n"),
        ("a10 ID (\"name\" \"x\")", "* ID (\"name\" \"y\")\r\na10 OK\r\n"),
        ("a11 ENABLE CONDSTORE", "* ENABLED CONDSTORE\r\na11 OK\r\n"),
        ("a12 SUBSCRIBE a", "a12 OK\r\n"),
        ("a13 UNSUBSCRIBE a", "a13 OK\r\n"),
        ("a14 UNSELECT", "a14 OK\r\n"),
        ("a15 LOGOUT", "* BYE\r\na15 OK\r\n!"),
    ];
    with(script, |client, _| async move {
        let view = client.select(MailboxName::inbox()).await?;
        assert_eq!((view.exists, view.recent, view.is_read_only), (18, 1, true));
        assert_eq!((view.uid_validity, view.uid_next), (Some(3_857_529_045), Some(4392)));
        assert_eq!(
            (view.highest_modseq, view.flags.len(), view.permanent_flags.len()),
            (Some(715), 3, 2)
        );
        client.create(name("Entwürfe")).await?;
        client.rename(name("a"), name("b")).await?;
        let error = client.delete(name("a")).await.unwrap_err();
        assert!(error.code().is_some_and(|code| code.is(PlainCode::NonExistent)));
        assert_eq!(client.list("*".parse()?).await?.len(), 2);
        let list = ListCommand::new("*".parse()?).select(ListSelection::Subscribed);
        let mut list = list.returning(ListReturn::Status(vec![StatusItem::Messages]));
        list.is_extended = true;
        let (entries, statuses) = client.list_with(list).await?;
        assert_eq!(
            (entries.len(), statuses[0].1.as_slice()),
            (1, &[(StatusItem::Messages, 5)][..])
        );
        assert_eq!(client.lsub("*".parse()?).await?.len(), 1);
        let status = client.status(name("a"), [StatusItem::Messages, StatusItem::Unseen]).await?;
        assert_eq!(status, [(StatusItem::Messages, 5), (StatusItem::Unseen, 2)]);
        assert_eq!(client.namespace().await?.own.len(), 1);
        let x: AString = "x".parse()?;
        let id = client.id(Some(vec![("name".parse()?, Some(x))])).await?;
        assert_eq!(id.unwrap().len(), 1);
        assert_eq!(client.enable([Atom::from_static("CONDSTORE")]).await?.len(), 1);
        client.subscribe(name("a")).await?;
        client.unsubscribe(name("a")).await?;
        assert!(client.selected().is_some());
        client.unselect().await?;
        assert!(client.selected().is_none());
        client.logout().await?;
        assert!(client.ended().is_some());
        assert!(matches!(client.noop().await, Err(ImapError::Lost { .. })));
        Ok(())
    });
}

#[test]
fn messages() {
    let script: Script = &[
        SELECT,
        (
            "a2 FETCH 1:2 (FLAGS BODY.PEEK[TEXT])",
            "* 1 FETCH (FLAGS (\\Seen) BODY[TEXT] {3}\r\na\r\n)\r\n* 2 FETCH (FLAGS () BODY[TEXT] NIL)\r\na2 OK\r\n",
        ),
        ("a3 UID FETCH 7 UID", "* 1 FETCH (UID 7)\r\na3 OK\r\n"),
        ("a4 SEARCH UNSEEN FROM ann", "* SEARCH 2 5\r\na4 OK\r\n"),
    ];
    with(script, |client, _| async move {
        client.select(MailboxName::inbox()).await?;
        let found =
            client.fetch(set("1:2"), [FetchItem::Flags, FetchItem::peek(Section::body())]).await?;
        assert_eq!((found.len(), found[0].flags()), (2, Some(&[Flag::Seen][..])));
        assert_eq!(found[0].content().unwrap().kept().unwrap(), "a\r\n");
        assert_eq!(found[1].content(), None);
        assert_eq!(client.uid_fetch(set("7"), [FetchItem::Uid]).await?[0].uid(), Some(7));
        let key = SearchKey::Unseen.and(SearchKey::from("ann")?);
        assert_eq!(client.search(key).await?, [2, 5]);
        Ok(())
    });
}

#[test]
fn more_messages() {
    let script: Script = &[
        SELECT,
        ("a2 UID SEARCH CHARSET UTF-8 SUBJECT {6}", "+ \r\n"),
        ("größ", "* SEARCH 3\r\na2 OK\r\n"),
        ("a3 UID SEARCH RETURN (COUNT) ALL", "* ESEARCH (TAG \"a3\") UID COUNT 7\r\na3 OK\r\n"),
        (
            "a4 STORE 1 (UNCHANGEDSINCE 5) +FLAGS (\\Seen)",
            "* 1 FETCH (MODSEQ (9) FLAGS (\\Seen))\r\na4 OK [MODIFIED 7,9] x\r\n",
        ),
        ("a5 UID STORE 7 -FLAGS (\\Seen)", "a5 OK\r\n"),
        ("a6 UID COPY 7 a", "a6 OK [COPYUID 5 7 9] x\r\n"),
        ("a7 MOVE 1 a", "* OK [COPYUID 5 7 10] x\r\n* 1 EXPUNGE\r\na7 OK\r\n"),
        ("a8 UID EXPUNGE 3:4", "a8 OK\r\n"),
        ("a9 EXPUNGE", "* 3 EXPUNGE\r\n* 3 EXPUNGE\r\na9 OK\r\n"),
        ("a10 APPEND a (\\Seen) {6}", "+ \r\n"),
        ("a", ""),
        ("b", ""),
        ("", "a10 OK [APPENDUID 5 11] x\r\n"),
        ("a11 APPEND a {6}", "a11 NO [TRYCREATE] no\r\n"),
        ("a12 CLOSE", "a12 OK\r\n"),
    ];
    with(script, |client, _| async move {
        client.select(MailboxName::inbox()).await?;
        assert_eq!(client.uid_search(SearchKey::subject("größ")?).await?, [3]);
        assert_eq!(
            client.esearch(SearchKey::All, [SearchReturn::Count], true).await?.count,
            Some(7)
        );
        let mut store = StoreCommand::new(set("1"), StoreAction::Add, [Flag::Seen]);
        store.unchanged_since = Some(5);
        let stored = client.store(store).await?;
        assert_eq!((stored.messages.len(), stored.modified), (1, Some(set("7,9"))));
        client.remove_flags(set("7"), [Flag::Seen]).await?;
        assert_eq!(client.uid_copy(set("7"), name("a")).await?.unwrap().to, set("9"));
        let moved = client.move_messages(CopyCommand::new(set("1"), name("a"))).await?;
        assert_eq!((moved.unwrap().to, client.selected().unwrap().exists), (set("10"), 17));
        client.uid_expunge(set("3:4")).await?;
        client.expunge().await?;
        assert_eq!(client.selected().unwrap().exists, 15);
        let message = MessageSource::new("a\r\nb\r\n");
        assert_eq!(client.append(name("a"), message, [Flag::Seen], None).await?, Some((5, 11)));
        let error = client.append(name("a"), "a\r\nb\r\n", [], None).await.unwrap_err();
        assert!(error.code().is_some_and(|code| code.is(PlainCode::TryCreate)));
        client.close_mailbox().await?;
        assert!(client.selected().is_none());
        Ok(())
    });
}

/// Commands are sent before the first is answered, where their answers cannot be mistaken.
#[test]
fn commands_are_pipelined() {
    let script: Script = &[
        SELECT,
        ("a2 UID FETCH 1 FLAGS", ""),
        ("a3 STATUS a (MESSAGES)", ""),
        // Answered in another order. What follows has waited: the next FETCH for the first one, the numbers for NOOP.
        (
            "a4 NOOP",
            "* STATUS a (MESSAGES 1)\r\na3 OK\r\n* 1 FETCH (UID 1 FLAGS ())\r\na4 OK\r\na2 OK\r\n",
        ),
        ("a5 FETCH 2 FLAGS", "* 2 FETCH (FLAGS (\\Seen))\r\na5 OK\r\n"),
        ("a6 SELECT b", "a6 OK\r\n"),
        ("a7 NOOP", "a7 OK\r\n"),
    ];
    with(script, |client, _| async move {
        client.select(MailboxName::inbox()).await?;
        let first = client.uid_fetch(set("1"), [FetchItem::Flags]);
        let status = client.status(name("a"), [StatusItem::Messages]);
        let noop = client.noop();
        let second = client.fetch(set("2"), [FetchItem::Flags]);
        let select = client.select(name("b"));
        let last = client.noop();
        assert_eq!((first.await?.len(), status.await?.len()), (1, 1));
        noop.await?;
        assert_eq!(second.await?[0].flags(), Some(&[Flag::Seen][..]));
        select.await?;
        last.await
    });
}

#[test]
fn what_the_server_does_not_have_is_not_sent() {
    let greeting = "* OK [CAPABILITY IMAP4rev1] x\r\n";
    let (result, _) =
        super::script::play(greeting, &[], super::script::config(), |client, _| async move {
            let needs = |error: Option<ImapError>| matches!(error, Some(ImapError::Needs { .. }));
            let binary = FetchItem::BinarySize(vec![1]);
            assert!(needs(client.fetch(set("1"), [binary]).await.err()));
            assert!(needs(client.fetch(set("1"), [FetchItem::ModSeq]).await.err()));
            let mut fetch = FetchCommand::new(set("1"), [FetchItem::Flags]);
            fetch.changed_since = Some(5);
            assert!(needs(client.fetch_with(fetch).await.err()));
            assert!(needs(client.idle().err()));
            assert!(needs(client.unselect().await.err()));
            assert!(needs(client.uid_expunge(set("1")).await.err()));
            assert!(needs(client.uid_move(set("1"), name("a")).await.err()));
            assert!(needs(client.select_condstore(name("a")).await.err()));
            assert!(needs(client.enable([Atom::from_static("X")]).await.err()));
            assert!(needs(client.esearch(SearchKey::All, [], false).await.err()));
            assert!(needs(client.namespace().await.err()));
            assert!(needs(client.id(None).await.err()));
            assert!(needs(client.create_special(name("a"), []).await.err()));
            let list = ListCommand::new("*".parse()?).select(ListSelection::Subscribed);
            assert!(needs(client.list_with(list).await.err()));
            Ok(())
        });
    result.unwrap();
}
