//! Clients that would harm the server, or each other: memory, amplification, accounts that cannot be read again.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    rc::Rc,
    time::Duration,
};

use sinew_auth::{Authenticator, AuthenticatorConfig, Users};
use sinew_chat::xmpp::server::{AccountData, ServerConfig, Store, StoreError};
use sinew_transports::reactor::{Deferred, Promise, Reactor};

use super::kit::{Client, HEADER, Site, auth, bind, config};

const ENABLE: &str = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>";

fn to_bob(content: &str) -> String {
    format!("<message to='bob@example.org' type='chat'><body>1</body>{content}</message>")
}

/// The answers to it wait as stanzas do.
#[test]
fn a_client_that_asks_for_acknowledgements_and_never_reads() {
    let site = Site::new(config().send_queue_max(10_000).rate(100_000, Duration::from_millis(1)));
    let bob = site.bind("bob", "desk");
    bob.ask(ENABLE);
    bob.wire.set_capacity(100);
    for _ in 0..1_000 {
        bob.say("<r xmlns='urn:xmpp:sm:3'/>");
    }
    assert_eq!(site.server.report().sessions, 0);
}

/// Each is answered: without a limit they would fill the queue of a client that does not read.
#[test]
fn binds_and_resumptions_that_fail() {
    for text in [bind("\u{2028}"), "<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>".to_owned()] {
        let site = Site::new(config());
        let bob = site.log_in("bob");
        bob.say(&text.repeat(1_000));
        let heard = bob.heard();
        assert!(heard.contains("<policy-violation "), "{heard}");
        assert!(heard.len() < 5_000, "{}", heard.len());
    }
}

/// A stanza of 256 KiB must not be one of 100 MiB where it is written without prefixes.
#[test]
fn a_long_namespace_is_not_said_again_and_again() {
    let site = Site::new(config());
    let (ann, bob) = (site.online("ann", "desk"), site.online("bob", "desk"));
    let long = "n".repeat(8_000);
    let bomb = format!("<x xmlns='urn:x' xmlns:a='urn:{long}'>{}</x>", "<a:b/>".repeat(16_000));
    ann.heard();
    ann.say(&to_bob(&bomb));
    assert!(ann.heard().contains("<policy-violation "));
    assert_eq!((site.server.report().sessions, bob.heard().matches("<body>").count()), (2, 0));
    let iq = format!("<iq type='set' id='1' to='bob@example.org/desk'>{bomb}</iq>");
    assert!(ann.ask(&iq).contains("id='1'"));
}

/// All that the server has for a client, which may be more than the connection holds.
fn drained(client: &Client<'_>) -> String {
    let mut all = String::new();
    loop {
        let heard = client.heard();
        if heard.is_empty() {
            return all;
        }
        all.push_str(&heard);
    }
}

/// A long stanza counts as several.
#[test]
fn the_rate_of_bytes() {
    let site = Site::new(config());
    let (ann, bob) = (site.online("ann", "desk"), site.online("bob", "desk"));
    bob.heard();
    let long = format!("<x xmlns='urn:x'>{}</x>", "y".repeat(200_000));
    ann.say(&to_bob(&long).repeat(20));
    let at_once = drained(&bob).len();
    assert!((600_000..1_200_000).contains(&at_once), "{at_once}");
    site.advance(5_000);
    let later = drained(&bob).len();
    assert!((600_000..1_400_000).contains(&later), "{later}");
}

/// A [`Store`] of bytes, which answers at once.
#[derive(Clone, Default)]
struct Encoded(Rc<RefCell<HashMap<String, Vec<u8>>>>);

impl Store for Encoded {
    fn load(&self, reactor: &Reactor, account: &str) -> Deferred<Option<AccountData>, StoreError> {
        let read = self.0.borrow().get(account).map(|text| AccountData::decode(text)).transpose();
        match read {
            Ok(data) => Deferred::ready_on(reactor, data),
            Err(error) => Deferred::failed_on(reactor, error),
        }
    }

    fn save(
        &self,
        reactor: &Reactor,
        account: &str,
        data: &AccountData,
    ) -> Deferred<(), StoreError> {
        self.0.borrow_mut().insert(account.to_owned(), data.encode());
        Deferred::ready_on(reactor, ())
    }
}

/// Others cannot make an account one that is not read again.
#[test]
fn what_is_stored_can_be_read() {
    let declared: String = (0..100).map(|n| format!(" xmlns:a{n}='urn:{n}'")).collect();
    let used: String = (0..100).map(|n| format!(" a{n}:k=''")).collect();
    let attributes = format!("<x xmlns='urn:x'{declared}><y{used}/></x>");
    let elements = format!("<x xmlns='urn:x'>{}</x>", "<a/>".repeat(16_381));
    let escaped = format!("<x xmlns='urn:x' a=\"{}\"/>", "'".repeat(8_000));
    let deep = format!("{}{}", "<x xmlns='urn:x'>".repeat(61), "</x>".repeat(61));
    for content in [attributes, elements, escaped, deep] {
        let store = Encoded::default();
        let site = Site::new(config().store(store.clone()));
        let ann = site.online("ann", "desk");
        ann.heard();
        ann.say(&to_bob(&content));
        assert_eq!(ann.heard(), "");
        ann.say(&format!("<presence to='bob@example.org' type='subscribe'>{content}</presence>"));
        assert!(
            site.server.flushed(&site.reactor).is_settled() || {
                site.advance(10);
                true
            }
        );
        let site = Site::new(config().store(store));
        let bob = site.bind("bob", "desk");
        let heard = bob.ask("<presence/>");
        assert!(heard.contains("<body>1</body>") && heard.contains("type='subscribe'"));
    }
}

/// Requests of strangers are kept, but not what is in them without a limit.
#[test]
fn long_requests_of_strangers() {
    let store = Encoded::default();
    let site = Site::new(config().store(store.clone()));
    for name in ["ann", "carl", "dora"] {
        let long = format!("<status>{}</status>", "y".repeat(200_000));
        let client = site.online(name, "desk");
        client.say(&format!("<presence to='bob@example.org' type='subscribe'>{long}</presence>"));
    }
    site.advance(10);
    let len = store.0.borrow()["bob"].len();
    assert!(len < 4_000, "{len}");
    let heard = site.bind("bob", "desk").ask("<presence/>");
    assert_eq!(heard.matches("type='subscribe'").count(), 3);
}

/// Sessions that wait to be resumed do not keep their client out.
#[test]
fn waiting_sessions_make_room() {
    let site = Site::new(config().resources_max(3));
    for number in 0..3 {
        let bob = site.bind("bob", &number.to_string());
        bob.ask(ENABLE);
        bob.cut();
        site.advance(1_000);
    }
    let all: Vec<_> = (3..6).map(|number| site.bind("bob", &number.to_string())).collect();
    let report = site.server.report();
    assert_eq!((report.sessions, report.sessions_waiting), (3, 0));
    assert!(site.log_in("bob").ask(&bind("more")).contains("<resource-constraint "));
    drop(all);
}

/// RFC 6121 5.2.2: a message of a type that nobody knows is a normal one, also when it was not acknowledged.
#[test]
fn an_unknown_type_is_not_lost() {
    let site = Site::new(config());
    let (ann, bob) = (site.online("ann", "desk"), site.bind("bob", "desk"));
    bob.ask(ENABLE);
    bob.ask("<presence/>");
    ann.say(&to_bob("").replace("chat", "later"));
    bob.cut();
    let again = site.bind("bob", "desk");
    assert!(again.ask("<presence/>").contains("<body>1</body>"));
}

/// What several resources were sent is sent again only if none of them has it.
#[test]
fn copies_are_not_sent_twice() {
    for (is_read, expected) in [(true, 0), (false, 1)] {
        let site = Site::new(config());
        let ann = site.online("ann", "desk");
        let both = ["desk", "phone"].map(|resource| {
            let bob = site.bind("bob", resource);
            bob.ask(ENABLE);
            bob.ask("<presence/>");
            bob
        });
        site.advance(0);
        both.iter().for_each(|bob| drop(bob.heard()));
        ann.say(&to_bob(""));
        let [desk, phone] = both;
        if is_read {
            // All that it was sent: the presence of both, and the message.
            let count = phone.heard().matches("<body>1</body>").count();
            assert_eq!(count, 1);
            phone.say("<a xmlns='urn:xmpp:sm:3' h='3'/>");
        }
        desk.cut();
        phone.heard();
        let other = site.bind("bob", "desk");
        assert_eq!(phone.heard().matches("<body>").count(), 0, "{is_read}");
        other.end();
        phone.end();
        let last = site.bind("bob", "last");
        let found = last.ask("<presence/>").matches("<body>1</body>").count();
        assert_eq!(found, expected, "{is_read}");
    }
}

type Held<T> = Rc<RefCell<Vec<Promise<T, StoreError>>>>;

/// Answers when it is told to; for accounts of which it has heard, at once.
#[derive(Clone, Default)]
struct Slow {
    quick: Rc<RefCell<HashSet<String>>>,
    loads: Held<Option<AccountData>>,
    saves: Held<()>,
}

impl Store for Slow {
    fn load(&self, reactor: &Reactor, account: &str) -> Deferred<Option<AccountData>, StoreError> {
        if self.quick.borrow().contains(account) {
            return Deferred::ready_on(reactor, None);
        }
        let (promise, load) = reactor.promise();
        self.loads.borrow_mut().push(promise);
        load
    }

    fn save(&self, reactor: &Reactor, _: &str, _: &AccountData) -> Deferred<(), StoreError> {
        let (promise, save) = reactor.promise();
        self.saves.borrow_mut().push(promise);
        save
    }
}

/// A disk that hangs does not let what waits for it grow for ever, whatever the names.
#[test]
fn stanzas_for_many_accounts_that_are_not_read() {
    let store = Slow::default();
    store.quick.borrow_mut().insert("ann".to_owned());
    let rate = (1_000_000, Duration::from_millis(1));
    let site = Site::new(config().store(store.clone()).rate(rate.0, rate.1));
    let ann = site.online("ann", "desk");
    ann.heard();
    let long = format!("<x xmlns='urn:x'>{}</x>", "y".repeat(250_000));
    for number in 0..100 {
        ann.say(&to_bob(&long).replace("bob", &format!("x{number}")));
    }
    let refused = ann.heard().matches("<resource-constraint ").count();
    assert!((20..90).contains(&refused), "{refused}");
    for number in 0..3_000 {
        ann.say(&to_bob("").replace("bob", &format!("y{number}")));
    }
    assert!(store.loads.borrow().len() <= 1_000, "{}", store.loads.borrow().len());
    drained(&ann);
    // When it answers, there is room again.
    for load in store.loads.take() {
        load.resolve(None);
    }
    site.advance(0);
    assert!(drained(&ann).contains("<service-unavailable "));
    ann.say(&to_bob(&long).replace("bob", "z"));
    assert_eq!(ann.heard(), "");
}

/// A client that has the result will find its change again, whatever happens.
#[test]
fn a_result_waits_for_the_store() {
    let store = Slow::default();
    store.quick.borrow_mut().insert("ann".to_owned());
    let site = Site::new(config().store(store.clone()));
    let ann = site.bind("ann", "desk");
    let next = || store.saves.borrow_mut().pop().expect("it is being saved");
    for (request, is_stored) in [
        ("<query xmlns='jabber:iq:roster'><item jid='bob@example.org'/></query>", true),
        ("<query xmlns='jabber:iq:private'><a xmlns='urn:a'/></query>", true),
        ("<vCard xmlns='vcard-temp'/>", false),
        ("<block xmlns='urn:xmpp:blocking'><item jid='x.example'/></block>", true),
    ] {
        let heard = ann.ask(&format!("<iq type='set' id='1'>{request}</iq>"));
        assert!(!heard.contains("id='1'"), "{heard}");
        // Of the login, or of the request before: it was changed since.
        next().resolve(());
        site.advance(0);
        let heard = ann.heard();
        assert!(!heard.contains("id='1'"), "{heard}");
        next().settle(match is_stored {
            true => Ok(()),
            false => Err(StoreError::Other("no space".into())),
        });
        let heard = ann.heard();
        let expected = if is_stored { "type='result'" } else { "<internal-server-error " };
        assert_eq!(
            (heard.matches("id='1'").count(), heard.contains(expected)),
            (1, true),
            "{heard}"
        );
        // Something that is saved while the next request comes.
        site.advance(if is_stored { 0 } else { 2_000 });
        if is_stored {
            ann.ask("<iq type='set' id='2'><query xmlns='jabber:iq:private'><b xmlns='urn:b'/></query></iq>");
        }
    }
}

/// Nor do logins wait for it for ever, one after the other.
#[test]
fn logins_to_an_account_that_is_not_read() {
    let store = Slow::default();
    let site = Site::new(config().store(store.clone()));
    for number in 0..120 {
        let client = site.connect();
        client.ask(HEADER);
        let heard = client.ask(&auth("ann", "secret"));
        assert_eq!(heard.contains("<temporary-auth-failure/>"), number >= 100, "{heard}");
        client.cut();
    }
    assert_eq!(store.loads.borrow().len(), 1);
    store.loads.take().into_iter().for_each(|load| load.resolve(None));
    site.advance(70_000);
    assert_eq!(site.server.report().connections, 0);
    store.quick.borrow_mut().insert("ann".to_owned());
    site.log_in("ann");
}

/// After a crash no version of a roster is one that a client knows with other contacts.
#[test]
fn versions_of_rosters_after_a_crash() {
    let add = |name: &str| {
        format!(
            "<iq type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='{name}'/></query></iq>"
        )
    };
    let version = |heard: &str| {
        let (_, rest) = heard.split_once(" ver='").expect(heard);
        rest.split_once('\'').expect(heard).0.to_owned()
    };
    let get = "<iq type='get' id='2'><query xmlns='jabber:iq:roster' ver='?'/></iq>";
    let store = Encoded::default();
    let site = Site::new(config().store(store.clone()));
    let bob = site.bind("bob", "desk");
    bob.ask(get);
    assert!(bob.ask(&add("a@x")).contains("type='result'"));
    // What comes after this is lost.
    let saved = Encoded(Rc::new(RefCell::new(store.0.borrow().clone())));
    let known = version(&bob.ask(&add("b@x")));
    let site = Site::new(config().store(saved));
    site.advance(1_000);
    let bob = site.bind("bob", "desk");
    bob.ask(get);
    bob.ask(&add("c@x"));
    let heard = bob.ask(&get.replace('?', &known));
    assert!(heard.contains("c@x") && !heard.contains("b@x"), "{heard}");
}

/// Accounts that cannot be saved do not keep others from it.
#[test]
fn the_next_is_saved_after_a_failure() {
    let store = Slow::default();
    let names = ["a", "b", "c", "d", "e"];
    store.quick.borrow_mut().extend(names.map(str::to_owned));
    let users = names.iter().fold(Users::new(), |users, name| users.user(*name, "secret"));
    let users = Authenticator::with(users, AuthenticatorConfig::default().allow_plaintext(true));
    let config = ServerConfig::new("example.org", users).unwrap().requires_tls(false);
    let site = Site::new(config.store(store.clone()));
    let all = names.map(|name| site.bind(name, "desk"));
    for save in store.saves.take() {
        save.reject(StoreError::Other("no space".into()));
    }
    site.advance(0);
    assert_eq!(store.saves.borrow().len(), 1);
    drop(all);
}

/// The number of accounts in memory is the one that is documented.
#[test]
fn accounts_in_memory() {
    let site = Site::new(config().accounts_cached_max(5).has_account(|_| true));
    let ann = site.online("ann", "desk");
    for number in 0..20 {
        let name = format!("x{number}");
        ann.say(&format!(
            "<iq type='get' id='1' to='{name}@example.org'><vCard xmlns='vcard-temp'/></iq>"
        ));
        assert!(site.server.report().accounts <= 6 + 1, "{}", site.server.report().accounts);
    }
}
