//! Users in a file with hashed passwords, such as Apache's `htpasswd` writes: [`PasswordFile`]. Reloads the file when it has
//! changed; reading and hashing are done on a thread of the pool. The users are in `table.rs`.

mod table;

use std::{
    cell::RefCell,
    collections::HashMap,
    fmt, io,
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use sinew_transports::reactor::{Deferred, Excerpt, Failure, Reactor, error_debug};

use self::table::Table;
use super::gate::Gate;
use crate::{Ability, AuthError, Checker, Credentials, Form, Identity, Stored};

/// How often changes of the file are checked.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Most hashes that are computed at once, and most logins that wait.
const HASHING_MAX: usize = 2;
const WAITING_MAX: usize = 100;

/// Why a password file was not read.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum PasswordFileError {
    /// The file could not be read.
    #[error("could not read {}: {source}", Excerpt::path(path))]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is longer than 4 MiB.
    #[error("{} is longer than {max} bytes", Excerpt::path(path))]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The limit.
        max: u64,
    },
    /// A line is not `user:hash`, or its hash is of a kind that is not supported, or takes too long.
    #[error(
        "{}, line {line}: not a user with a hash by argon2, bcrypt, SHA-crypt, SCRAM, {{SHA}} or $apr1$",
        Excerpt::path(path)
    )]
    Line {
        /// The file.
        path: PathBuf,
        /// The line number, from 1.
        line: usize,
    },
}

error_debug!(PasswordFileError);

/// What has become of the users of a [`PasswordFile`]: whose sessions are to end. Users that are new are not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserChanges {
    /// Those whom the file does not have any more, in order.
    pub removed: Vec<String>,
    /// Those who have another hash: another password, or the same one with another salt.
    pub replaced: Vec<String>,
}

/// Users in a password file: a line `user:hash` for each.
///
/// | kind of hash | begins with | made by |
/// |---|---|---|
/// | argon2, at most 1 GiB, and 4 GiB in all its passes | `$argon2id$` | `argon2 SALT -id -e` |
/// | bcrypt, cost 20 at most | `$2y$` | `htpasswd -B` |
/// | SHA-crypt, a million rounds at most | `$6$`, `$5$` | `openssl passwd -6`, `mkpasswd` |
/// | SCRAM, ten million iterations at most | `SCRAM-SHA-256$` | PostgreSQL; [`ScramKeys::to_text`](crate::ScramKeys::to_text) |
/// | SHA-1, Apache's MD5 | `{SHA}`, `$apr1$` | `htpasswd -s`, `-m` |
///
/// Do not use the last ones: they are computed in microseconds, also by someone who has stolen the file. The mechanism SCRAM is
/// offered if all users have its keys; their passwords are checked by them, too.
///
/// A user whom the file does not have takes as long as one of those whom it has, with SCRAM also in its salt and iterations: which one
/// depends on the name. So kinds can be mixed, as while users get better hashes one after the other.
///
/// A changed file is reloaded with the next login, at most once a second. If it cannot be read then, or has an invalid
/// line, that is logged to `tracing`, and the users stay as they were.
///
/// These hashes are slow on purpose, and a web page has many parts, so a valid password is remembered for
/// [a while](Self::remember), as a keyed hash, until the file changes. At most two hashes are computed
/// [at once](Self::at_once), and 100 logins wait.
///
/// # Examples
///
/// ```
/// use sinew_auth::{Authenticator, PasswordFile};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = std::env::temp_dir().join(format!("sinew-password-file-{}", std::process::id()));
/// # std::fs::write(&path, "ann:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n")?;
/// let users = Authenticator::new(PasswordFile::open(&path)?);
/// # std::fs::remove_file(&path)?;
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct PasswordFile {
    path: Arc<Path>,
    remember: Duration,
    gate: Gate,
    state: Rc<RefCell<State>>,
}

struct State {
    table: Arc<Table>,
    /// That of the last [`PasswordFile::reload`].
    told: Arc<Table>,
    /// When the file was last checked for changes.
    looked: Option<Instant>,
    /// How often it has been read, or begun to be.
    reads: u64,
    /// The read that the table is of. One that began earlier may have an earlier file, also if it ends later.
    read: u64,
    /// Passwords that were valid.
    remembered: HashMap<String, Remembered>,
    key: Option<[u8; 32]>,
}

struct Remembered {
    tag: [u8; 32],
    until: Instant,
}

/// The result of a thread.
struct Found {
    is_right: bool,
    /// What it was checked against.
    table: Arc<Table>,
    /// Which read of the file found that.
    read: Option<u64>,
}

impl PasswordFile {
    /// Loads the file. Blocks.
    ///
    /// # Errors
    ///
    /// [`PasswordFileError`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, PasswordFileError> {
        let path: Arc<Path> = path.as_ref().into();
        let table = Arc::new(Table::read(&path)?);
        let told = Arc::clone(&table);
        let (looked, remembered) = (None, HashMap::new());
        let state = State { table, told, looked, reads: 0, read: 0, remembered, key: None };
        Ok(Self {
            path,
            remember: Duration::from_secs(300),
            gate: Gate::new(HASHING_MAX, WAITING_MAX),
            state: Rc::new(RefCell::new(state)),
        })
    }

    /// The most hashes that are computed at once, each on a thread of the pool, and the most logins that wait. Default 2 and 100.
    pub fn at_once(mut self, hashing: usize, waiting: usize) -> Self {
        self.gate = Gate::new(hashing, waiting);
        self
    }

    /// How long a valid password is remembered. Default 5 minutes; zero never.
    pub fn remember(mut self, time: Duration) -> Self {
        self.remember = time;
        self
    }

    /// Reads the file now, if it has changed, and tells what has become of its users since the last call, or since it was opened. Logins
    /// that begin after that are checked against the new file; a server that ends the sessions of these users then keeps nobody in who
    /// should be out. Keep the file in an [`Rc`] that is given to the authenticator, too.
    ///
    /// # Errors
    ///
    /// [`AuthError::Unavailable`], with a [`PasswordFileError`]: the users stay as they were.
    pub fn reload(&self, reactor: &Reactor) -> Deferred<UserChanges, AuthError> {
        let (path, state) = (Arc::clone(&self.path), Rc::clone(&self.state));
        let (read, table) = state.borrow_mut().begin_read();
        let found = reactor.defer_to_thread(move || table.read_again(&path));
        found.map(move |found: Result<Result<_, PasswordFileError>, Failure>| {
            let table = found?.map_err(|error| AuthError::Unavailable(error.into()))?;
            let mut state = state.borrow_mut();
            state.end_read(read, &table);
            let now = Arc::clone(&state.table);
            let told = std::mem::replace(&mut state.told, Arc::clone(&now));
            Ok(now.changes_since(&told))
        })
    }
}

impl Checker for PasswordFile {
    fn check(&self, reactor: &Reactor, credentials: Credentials) -> Deferred<Identity, AuthError> {
        let Credentials::Password { user, password } = credentials else {
            return Deferred::failed_on(reactor, AuthError::Refused);
        };
        let now = reactor.now();
        let mut state = self.state.borrow_mut();
        let looks = state.looks(now);
        let tag = state.tag(&user, password.bytes());
        if !looks && state.remembers(&user, tag, now) {
            return Deferred::ready_on(reactor, Identity::new(user));
        }
        if looks {
            state.looked = Some(now);
        }
        drop(state);
        let (path, state, remember) =
            (Arc::clone(&self.path), Rc::clone(&self.state), self.remember);
        self.gate.run(reactor, move |reactor| {
            let name = user.clone();
            let (read, table) = match looks {
                true => {
                    let (read, table) = state.borrow_mut().begin_read();
                    (Some(read), table)
                }
                false => (None, Arc::clone(&state.borrow().table)),
            };
            let found = reactor.defer_to_thread(move || {
                let found = read.and_then(|_| table.look(&path));
                let read = read.filter(|_| found.is_some());
                let table = found.unwrap_or(table);
                let is_right = table.verify(&name, password.bytes());
                Found { is_right, table, read }
            });
            found.map(move |found: Result<Found, Failure>| {
                let Found { is_right, table, read } = found?;
                let mut state = state.borrow_mut();
                if let Some(read) = read {
                    state.end_read(read, &table);
                }
                if !is_right {
                    return Err(AuthError::Refused);
                }
                // What another login has replaced meanwhile is not remembered.
                let is_current = Arc::ptr_eq(&state.table, &table) && !remember.is_zero();
                if let Some(tag) = tag.filter(|_| is_current) {
                    let until = now + remember;
                    state.remembered.insert(user.clone(), Remembered { tag, until });
                }
                Ok(Identity::new(user))
            })
        })
    }

    /// As of now: what has changed in the file is not looked at.
    fn can(&self, ability: Ability) -> bool {
        match ability {
            Ability::CheckPassword => true,
            Ability::TellScramKeys(hash) => self.state.borrow().table.scram == Some(hash),
            _ => false,
        }
    }

    fn stored(
        &self,
        reactor: &Reactor,
        user: &str,
        form: Form,
    ) -> Deferred<Option<Stored>, AuthError> {
        let Form::ScramKeys(hash) = form else { return Deferred::ready_on(reactor, None) };
        let now = reactor.now();
        let (state, user) = (Rc::clone(&self.state), user.to_owned());
        if !state.borrow().looks(now) {
            let keys = state.borrow().table.keys(&user, hash);
            return Deferred::ready_on(reactor, keys);
        }
        state.borrow_mut().looked = Some(now);
        let (read, table) = state.borrow_mut().begin_read();
        let path = Arc::clone(&self.path);
        let found = reactor.defer_to_thread(move || table.look(&path));
        found.map(move |found: Result<_, Failure>| {
            let mut state = state.borrow_mut();
            if let Some(table) = found? {
                state.end_read(read, &table);
            }
            Ok(state.table.keys(&user, hash))
        })
    }
}

impl State {
    /// Whether it is time to look whether the file has changed.
    fn looks(&self, now: Instant) -> bool {
        self.looked.is_none_or(|looked| now.saturating_duration_since(looked) >= LOOK_EVERY)
    }

    /// The file begins to be read: which read it is, and what it is compared with.
    fn begin_read(&mut self) -> (u64, Arc<Table>) {
        self.reads += 1;
        (self.reads, Arc::clone(&self.table))
    }

    /// This is the file as that read has found it.
    fn end_read(&mut self, read: u64, table: &Arc<Table>) {
        if read <= self.read {
            return;
        }
        self.read = read;
        if !Arc::ptr_eq(&self.table, table) {
            self.table = Arc::clone(table);
            self.remembered.clear();
        }
    }

    /// A keyed hash of a name and a password; `None` if the system gives no random key.
    fn tag(&mut self, user: &str, password: &[u8]) -> Option<[u8; 32]> {
        let key = match self.key {
            Some(key) => key,
            None => {
                let mut key = [0; 32];
                getrandom::fill(&mut key).ok()?;
                *self.key.insert(key)
            }
        };
        let mac = Hmac::<Sha256>::new_from_slice(&key);
        let mut mac = mac.expect("HMAC accepts keys of any length");
        mac.update(user.as_bytes());
        mac.update(b":");
        mac.update(password);
        Some(mac.finalize().into_bytes().into())
    }

    fn remembers(&self, user: &str, tag: Option<[u8; 32]>, now: Instant) -> bool {
        let remembered = self.remembered.get(user).filter(|remembered| now < remembered.until);
        // Both are hashes with a secret key, so the comparison reveals nothing.
        remembered.is_some_and(|remembered| Some(remembered.tag) == tag)
    }
}

impl fmt::Debug for PasswordFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let users = self.state.borrow().table.len();
        f.debug_struct("PasswordFile").field("path", &self.path).field("users", &users).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A login whose hash takes long has read the file before it changed once more, and is over after that was read.
    #[test]
    fn the_file_of_an_earlier_read_is_not_brought_back() {
        let path = std::env::temp_dir().join(format!("sinew-auth-reads-{}", std::process::id()));
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Arc::new(Table::read(&path).unwrap())
        };
        let line = |user: &str| format!("{user}:{{SHA}}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n");
        let both = read(&(line("ann") + &line("bob")));
        let users = PasswordFile::open(&path).unwrap();
        let mut state = users.state.borrow_mut();
        let [(slow, _), (reload, _), (same, _)] = [(); 3].map(|()| state.begin_read());
        let ann = read(&line("ann"));
        std::fs::remove_file(&path).unwrap();
        state.end_read(reload, &ann);
        state.end_read(slow, &both);
        assert!(Arc::ptr_eq(&state.table, &ann), "bob was removed");
        // A later read counts, also if it has found what one of before has.
        state.end_read(same, &both);
        assert!(Arc::ptr_eq(&state.table, &both));
    }
}
