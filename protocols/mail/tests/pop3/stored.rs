//! A store as maildrops: what is stored is what is served, and what is deleted is expunged.

use std::{rc::Rc, time::Duration};

use sinew_mail::{
    pop3::server::{Pop3Server, StoredMaildrops},
    store::{Expunge, Mailbox, MailboxName, MemoryStore, NewMessage, Store, UidSet},
};
use sinew_transports::reactor::{Deferred, Reactor};

use crate::pop3_support::{Client, LOGIN, config, mail};

struct Stored {
    reactor: Reactor,
    store: MemoryStore,
    server: Pop3Server,
}

/// The result of work of a store in memory.
fn done<T: 'static, E: From<sinew_transports::reactor::Failure> + std::fmt::Display + 'static>(
    reactor: &Reactor,
    deferred: Deferred<T, E>,
) -> Result<T, E> {
    for _ in 0..10 {
        reactor.advance(Duration::ZERO).unwrap();
        if deferred.is_settled() {
            break;
        }
    }
    deferred.take().expect("it is settled")
}

impl Stored {
    fn new() -> Self {
        let reactor = Reactor::simulated(0);
        let store = MemoryStore::default();
        store.create_account("ann").unwrap();
        let server = Pop3Server::new(config(), StoredMaildrops::new(Rc::new(store.clone())));
        Self { reactor, store, server }
    }

    fn inbox(&self) -> Rc<dyn Mailbox> {
        let account = done(&self.reactor, self.store.account(&self.reactor, "ann")).ok().unwrap();
        done(&self.reactor, account.open(&MailboxName::inbox())).ok().unwrap()
    }

    fn add(&self, text: &'static str) {
        let message = done(&self.reactor, self.inbox().append(NewMessage::new()));
        let mut message = message.ok().unwrap();
        done(&self.reactor, message.write(text.into())).unwrap();
        done(&self.reactor, message.finish()).unwrap();
    }

    fn client(&self) -> Client {
        Client::on(&self.reactor, &self.server, &mail(&[]))
    }

    fn logged_in(&self) -> Client {
        let client = self.client();
        assert!(client.say(LOGIN).ends_with("octets)\r\n"));
        client
    }
}

#[test]
fn an_inbox_is_served_and_expunged() {
    let stored = Stored::new();
    stored.add("Subject: a\r\n\r\n.one\r\n");
    stored.add("Subject: b\r\n\r\ntwo\r\n");
    let client = stored.logged_in();
    let validity = stored.inbox().status().uid_validity;
    assert_eq!(client.say("UIDL 2\r\n"), format!("+OK 2 {validity}.2\r\n"));
    assert_eq!(client.say("RETR 1\r\n"), "+OK 20 octets\r\nSubject: a\r\n\r\n..one\r\n.\r\n");
    assert_eq!(client.say("TOP 2 0\r\n"), "+OK The top follows\r\nSubject: b\r\n\r\n.\r\n");
    // What arrives now is seen by the next session.
    stored.add("Subject: c\r\n\r\n");
    assert_eq!(client.say("STAT\r\n"), "+OK 2 39\r\n");
    client.say("DELE 1\r\nQUIT\r\n");
    let client = stored.logged_in();
    assert_eq!(client.say("STAT\r\nUIDL 1\r\n"), format!("+OK 2 33\r\n+OK 1 {validity}.2\r\n"));
}

#[test]
fn a_session_holds_the_lock_of_the_inbox() {
    let stored = Stored::new();
    stored.add("Subject: a\r\n\r\n");
    let inbox = stored.inbox();
    let lock = done(&stored.reactor, inbox.lock()).unwrap();
    let client = stored.client();
    assert!(client.say(LOGIN).ends_with("-ERR [IN-USE] Another session has the maildrop\r\n"));
    drop(lock);
    assert!(client.say(LOGIN).ends_with("octets)\r\n"));
    assert!(done(&stored.reactor, inbox.lock()).is_err(), "the session has it");
    client.say("QUIT\r\n");
    assert!(done(&stored.reactor, inbox.lock()).is_ok());
}

/// Sessions of IMAP may delete messages meanwhile.
#[test]
fn a_message_that_somebody_else_has_deleted() {
    let stored = Stored::new();
    stored.add("Subject: a\r\n\r\n");
    stored.add("Subject: b\r\n\r\n");
    let client = stored.logged_in();
    let inbox = stored.inbox();
    let first = inbox.uids()[0];
    let mut set = UidSet::new();
    set.insert(first);
    done(&stored.reactor, inbox.expunge(&set, Expunge::All)).unwrap();
    let gone = "-ERR The message is not there any more\r\n";
    assert_eq!(client.say("RETR 1\r\nSTAT\r\n"), format!("{gone}+OK 2 28\r\n"));
    let deleted = "+OK It is deleted at QUIT\r\n";
    assert_eq!(
        client.say("DELE 1\r\nDELE 2\r\nQUIT\r\n"),
        format!("{deleted}{deleted}+OK Bye\r\n")
    );
    assert_eq!(stored.inbox().status().messages, 0);
}

#[test]
fn a_user_without_an_account() {
    let client = Stored::new().client();
    let response = client.say("USER bob\r\nPASS hunter2\r\n");
    assert!(response.ends_with("-ERR [SYS/PERM] The maildrop cannot be used\r\n"), "{response}");
}
