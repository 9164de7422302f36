//! Who is logged in: [`Sessions`], by which a server ends the sessions of one user. It knows no protocol: what a client is told is up to the
//! server, and so is what waits for the end.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
    fmt,
    rc::Rc,
    time::Duration,
};

use sinew_transports::Transport;

use crate::Identity;

/// Most users whose sessions have ended that are remembered for the sake of logins under way.
const ENDED_MAX: usize = 1_000;

/// The sessions that are open, by user. A handle: clones are the same sessions, and one may be given to several servers of a reactor, of
/// whatever protocols. Programs with several reactors have one on each, and call [`end`](Self::end) on each.
///
/// | when | the server calls |
/// |---|---|
/// | a login begins, before anything is checked | [`begin_login`](Self::begin_login) |
/// | the credentials were right | [`BegunLogin::succeeded`]; if that is `None`, the login is refused |
/// | each time it is about to act for the client | [`OpenSession::has_ended`] |
///
/// So a user who has been removed is out, and does not come back: a login that was checked by what was known before
/// [`end`](Self::end) and is over only afterwards is refused. Let the [`Checker`](crate::Checker) know of the change before you call it.
///
/// A session takes about 100 bytes, and 100 more for the first of a user. Its end takes the same time however many there are. Connections that
/// have not logged in take nothing. For logins under way the names of the last 1,000 users whose sessions were
/// ended are remembered; with more of them, all those logins are refused.
///
/// # Examples
///
/// ```
/// use std::{cell::Cell, rc::Rc};
/// use sinew_auth::{Identity, Sessions};
///
/// let sessions = Sessions::default();
/// let is_woken = Rc::new(Cell::new(false));
/// let waking = Rc::clone(&is_woken);
/// let session = sessions.begin_login().succeeded(&Identity::new("ann"), move || !waking.replace(true));
/// let session = session.expect("nobody's sessions have ended meanwhile");
///
/// let late = sessions.begin_login();
/// assert_eq!(sessions.end("ann"), 1);
/// assert!(session.has_ended() && is_woken.get());
/// assert!(late.succeeded(&Identity::new("ann"), || true).is_none());
/// ```
#[derive(Clone, Default)]
pub struct Sessions(Rc<RefCell<Table>>);

#[derive(Default)]
struct Table {
    /// Without empty lists.
    users: HashMap<Rc<str>, Vec<Rc<State>>>,
    open: usize,
    /// How many logins are under way.
    logins: usize,
    /// How often sessions of a user were ended.
    ends: u64,
    /// Whose, and which end it was: as long as logins are under way.
    ended: VecDeque<(u64, Box<str>)>,
    /// The last one that is not remembered.
    forgotten: u64,
}

/// A session, in the list of its user, and in that of the one it acts as. It is small, since there may be many.
struct State<F: ?Sized = dyn Fn() -> bool> {
    user: Listed,
    acts_as: Option<Box<Listed>>,
    has_ended: Cell<bool>,
    wake: F,
}

/// The place in a list.
struct Listed {
    name: Rc<str>,
    at: Cell<u32>,
}

/// A login under way. Dropped, it is over.
#[must_use]
pub struct BegunLogin {
    sessions: Sessions,
    /// How often sessions had been ended before.
    since: u64,
}

/// A session of a user, until it is dropped.
#[must_use]
pub struct OpenSession {
    sessions: Sessions,
    session: Rc<State>,
}

impl Sessions {
    /// A login begins. Call it before its credentials, or keys for them, are looked at.
    pub fn begin_login(&self) -> BegunLogin {
        let mut table = self.0.borrow_mut();
        table.logins += 1;
        BegunLogin { since: table.ends, sessions: self.clone() }
    }

    /// Ends the sessions of this user, and those that act as it, and returns how many there were. Names are compared as they are: by what the
    /// checker calls the user, in its [`Identity`]. Logins of the user that have begun before are refused.
    pub fn end(&self, user: &str) -> usize {
        let mut table = self.0.borrow_mut();
        table.note_end(user);
        let sessions = table.users.remove(user).unwrap_or_default();
        drop(table);
        // Without a borrow: what is woken may call back.
        let mut ended = 0;
        for session in sessions {
            if !session.has_ended.replace(true) && (session.wake)() {
                ended += 1;
            }
        }
        ended
    }

    /// How many sessions are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.borrow().open
    }

    /// Whether none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name that is in the table, if it is.
    fn listed(&self, name: &str) -> Listed {
        let table = self.0.borrow();
        let known = table.users.get_key_value(name).map(|(name, _)| Rc::clone(name));
        Listed { name: known.unwrap_or_else(|| name.into()), at: Cell::new(0) }
    }
}

impl Table {
    fn list(&mut self, listed: &Listed, session: &Rc<State>) {
        let new = || Vec::with_capacity(1);
        let list = self.users.entry(Rc::clone(&listed.name)).or_insert_with(new);
        listed.at.set(u32::try_from(list.len()).expect("so many connections have no room"));
        list.push(Rc::clone(session));
    }

    fn unlist(&mut self, listed: &Listed, session: &Rc<State>) {
        let Some(list) = self.users.get_mut(&listed.name) else { return };
        let at = listed.at.get() as usize;
        // After the end of these sessions, the list is another one.
        if !list.get(at).is_some_and(|other| Rc::ptr_eq(other, session)) {
            return;
        }
        list.swap_remove(at);
        if let Some(moved) = list.get(at).and_then(|moved| moved.listed(&listed.name)) {
            moved.at.set(listed.at.get());
        }
        if list.is_empty() {
            self.users.remove(&listed.name);
        }
    }

    fn note_end(&mut self, user: &str) {
        self.ends += 1;
        if self.logins == 0 {
            return;
        }
        self.ended.push_back((self.ends, user.into()));
        if self.ended.len() > ENDED_MAX
            && let Some((end, _)) = self.ended.pop_front()
        {
            self.forgotten = end;
        }
    }

    /// Whether the sessions of a user may have been ended after this end.
    fn may_have_ended(&self, identity: &Identity, since: u64) -> bool {
        let is_of = |user: &str| user == identity.user() || user == identity.name();
        let mut later = self.ended.iter().rev().take_while(|(end, _)| *end > since);
        since < self.forgotten || later.any(|(_, user)| is_of(user))
    }
}

impl State {
    /// The place in the list of this name.
    fn listed(&self, name: &str) -> Option<&Listed> {
        let mut all = [Some(&self.user), self.acts_as.as_deref()].into_iter().flatten();
        all.find(|listed| *listed.name == *name)
    }
}

impl BegunLogin {
    /// The credentials were right, and the session begins, unless sessions of the user have been ended since the login began: then the login
    /// is to be refused, as one that cannot be checked now. `wake` is called when the session is ended, in the middle of
    /// [`Sessions::end`]: let it only have the connection looked at. It returns whether there was something to end: a client that is
    /// saying goodbye is not counted.
    #[must_use]
    pub fn succeeded(
        self,
        identity: &Identity,
        wake: impl Fn() -> bool + 'static,
    ) -> Option<OpenSession> {
        let sessions = self.sessions.clone();
        if sessions.0.borrow().may_have_ended(identity, self.since) {
            return None;
        }
        let acts_as = Some(identity.name()).filter(|name| *name != identity.user());
        let acts_as = acts_as.map(|name| Box::new(sessions.listed(name)));
        let (user, has_ended) = (sessions.listed(identity.user()), Cell::new(false));
        let session: Rc<State> = Rc::new(State { user, acts_as, has_ended, wake });
        let mut table = sessions.0.borrow_mut();
        table.list(&session.user, &session);
        session.acts_as.iter().for_each(|other| table.list(other, &session));
        table.open += 1;
        drop(table);
        Some(OpenSession { sessions, session })
    }

    /// As [`succeeded`](Self::succeeded), for a [`Protocol`](sinew_transports::Protocol): when the session is ended, its
    /// [`timer_fired`](sinew_transports::Protocol::timer_fired) is called in the next turn of the loop.
    #[must_use]
    pub fn succeeded_on(self, identity: &Identity, transport: &Transport) -> Option<OpenSession> {
        let transport = transport.clone();
        let wake =
            move || !transport.is_closing() && transport.call_later(Duration::ZERO).is_some();
        self.succeeded(identity, wake)
    }
}

impl OpenSession {
    /// Whether it was ended by [`Sessions::end`].
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.session.has_ended.get()
    }
}

impl Drop for BegunLogin {
    fn drop(&mut self) {
        let mut table = self.sessions.0.borrow_mut();
        table.logins -= 1;
        if table.logins == 0 {
            table.ended = VecDeque::new();
        }
    }
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        let mut table = self.sessions.0.borrow_mut();
        table.unlist(&self.session.user, &self.session);
        self.session.acts_as.iter().for_each(|other| table.unlist(other, &self.session));
        table.open -= 1;
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = self.0.borrow();
        f.debug_struct("Sessions")
            .field("open", &table.open)
            .field("users", &table.users.len())
            .field("logins", &table.logins)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for BegunLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BegunLogin").finish_non_exhaustive()
    }
}

impl fmt::Debug for OpenSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenSession")
            .field("user", &self.session.user.name)
            .field("has_ended", &self.has_ended())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(sessions: &Sessions, user: &str) -> OpenSession {
        sessions.begin_login().succeeded(&Identity::new(user), || true).expect("nobody was ended")
    }

    #[test]
    fn all_sessions_of_a_user_end_and_no_other() {
        let sessions = Sessions::default();
        let mut anns: Vec<_> = (0..5).map(|_| open(&sessions, "ann")).collect();
        let bob = open(&sessions, "bob");
        // Places move: the last takes that of the second.
        drop(anns.remove(1));
        drop(anns.pop());
        assert_eq!(sessions.len(), 4);
        assert_eq!((sessions.end("Ann"), sessions.end("ann"), sessions.end("ann")), (0, 3, 0));
        assert!(anns.iter().all(OpenSession::has_ended) && !bob.has_ended());
        // The new one is not mistaken for those that go now.
        let again = open(&sessions, "ann");
        drop(anns);
        assert_eq!((sessions.len(), sessions.end("ann")), (2, 1));
        assert!(again.has_ended());
        drop((again, bob));
        assert!(sessions.is_empty() && sessions.0.borrow().users.is_empty(), "{sessions:?}");
    }

    #[test]
    fn who_acts_as_another_ends_with_either_and_once() {
        for (first, second) in [("ann", "bob"), ("bob", "ann")] {
            let sessions = Sessions::default();
            let identity = Identity::new("ann").acting_as("bob");
            let session = sessions.begin_login().succeeded(&identity, || true).unwrap();
            assert_eq!((sessions.end(first), sessions.end(second)), (1, 0));
            drop(session);
            let late = sessions.begin_login();
            sessions.end(first);
            assert!(late.succeeded(&identity, || true).is_none());
            assert!(sessions.0.borrow().users.is_empty());
        }
    }

    #[test]
    fn a_login_that_began_before_the_end_is_refused_if_it_is_of_the_user() {
        let sessions = Sessions::default();
        let begun: Vec<_> = (0..2).map(|_| sessions.begin_login()).collect();
        sessions.end("ann");
        let later = sessions.begin_login();
        let succeeded: Vec<_> = begun
            .into_iter()
            .chain([later])
            .zip(["ann", "bob", "ann"])
            .map(|(login, user)| login.succeeded(&Identity::new(user), || true).is_some())
            .collect();
        assert_eq!(succeeded, [false, true, true]);
        let table = sessions.0.borrow();
        assert!(table.logins == 0 && table.ended.capacity() == 0, "nothing is kept");
    }

    #[test]
    fn with_too_many_ends_all_logins_before_them_are_refused() {
        let sessions = Sessions::default();
        let is_open = |login: BegunLogin| login.succeeded(&Identity::new("ann"), || true).is_some();
        for (ends, expected) in [(ENDED_MAX, true), (ENDED_MAX + 1, false)] {
            let (login, other) = (sessions.begin_login(), sessions.begin_login());
            for at in 0..ends {
                assert_eq!(sessions.end(&format!("user {at}")), 0);
            }
            assert!(sessions.0.borrow().ended.len() <= ENDED_MAX);
            assert_eq!(is_open(login), expected, "{ends}");
            assert!(is_open(sessions.begin_login()), "one that begins afterwards");
            drop(other);
        }
    }

    /// A login that is given up leaves nothing behind.
    #[test]
    fn logins_that_do_not_succeed_are_not_counted() {
        let sessions = Sessions::default();
        drop(sessions.begin_login());
        assert_eq!((sessions.len(), sessions.0.borrow().logins), (0, 0));
    }
}
