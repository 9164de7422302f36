//! Users in a file of Apache's `htpasswd`: [`Htpasswd`]. Reloads the file when it has changed; reading and
//! hashing are done on a thread of the pool.

use std::{
    cell::RefCell,
    collections::HashMap,
    fmt, fs, io,
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use sinew_transports::reactor::{Deferred, Excerpt, Failure, Reactor, error_debug};

use super::{Credentials, password_hash::PasswordHash};

/// Longest file.
const FILE_MAX: u64 = 4 << 20;

/// How often changes of the file are checked.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A hash that takes as long as a usual one, and that no password has.
const NO_USER: &str = "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

/// Why a password file was not read.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum HtpasswdError {
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
    /// A line is not `user:hash`, or its hash is neither bcrypt (`$2y$`, cost 20 at most) nor SHA-1 (`{SHA}`) nor Apache's MD5
    /// (`$apr1$`).
    #[error(
        "{}, line {line}: not a user with a hash by bcrypt, {{SHA}} or $apr1$",
        Excerpt::path(path)
    )]
    Line {
        /// The file.
        path: PathBuf,
        /// The line number, from 1.
        line: usize,
    },
}

error_debug!(HtpasswdError);

/// Users in a password file: a line `user:hash` for each, with bcrypt (`htpasswd -B`), SHA-1 (`-s`) or Apache's MD5 (`-m`).
/// Use bcrypt: the others are computed in microseconds, also by someone who has stolen the file.
///
/// A changed file is reloaded with the next request, at most once a second. If it cannot be read then, or has an invalid
/// line, that is logged to `tracing`, and the users stay as they were.
///
/// bcrypt is slow on purpose, and a page has many parts, so a valid password is remembered for
/// [a while](Self::remember), as a keyed hash, until the file changes.
///
/// # Examples
///
/// ```
/// use sinew_http::server::{Guard, Htpasswd, answer};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = std::env::temp_dir().join(format!("sinew-htpasswd-{}", std::process::id()));
/// # std::fs::write(&path, "ann:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n")?;
/// let users = Htpasswd::open(&path)?;
/// let site = Guard::basic("the vault", users, answer(|_| "come in\n"))?;
/// # std::fs::remove_file(&path)?;
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct Htpasswd {
    path: Arc<Path>,
    remember: Duration,
    state: Rc<RefCell<State>>,
}

struct State {
    table: Arc<Table>,
    /// When the file was last checked for changes.
    looked: Option<Instant>,
    /// Passwords that were valid.
    remembered: HashMap<String, Remembered>,
    key: Option<[u8; 32]>,
}

struct Remembered {
    tag: [u8; 32],
    until: Instant,
}

/// The contents of the file.
struct Table {
    users: HashMap<String, PasswordHash>,
    version: Option<Version>,
}

/// Identifies a version of the file.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Version {
    modified: Option<SystemTime>,
    len: u64,
    #[cfg(unix)]
    inode: u64,
}

/// The result of a thread.
struct Found {
    is_right: bool,
    /// The file, if it had changed.
    table: Option<Arc<Table>>,
}

impl Htpasswd {
    /// Loads the file. Blocks.
    ///
    /// # Errors
    ///
    /// [`HtpasswdError`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, HtpasswdError> {
        let path: Arc<Path> = path.as_ref().into();
        let table = Arc::new(Table::read(&path)?);
        let state = State { table, looked: None, remembered: HashMap::new(), key: None };
        let remember = Duration::from_secs(300);
        Ok(Self { path, remember, state: Rc::new(RefCell::new(state)) })
    }

    /// How long a valid password is remembered. Default 5 minutes; zero never.
    pub fn remember(mut self, time: Duration) -> Self {
        self.remember = time;
        self
    }
}

impl Credentials for Htpasswd {
    fn check(&self, reactor: &Reactor, user: &str, password: &[u8]) -> Deferred<bool> {
        let now = reactor.now();
        let mut state = self.state.borrow_mut();
        let looks =
            state.looked.is_none_or(|looked| now.saturating_duration_since(looked) >= LOOK_EVERY);
        let tag = state.tag(user, password);
        if !looks && state.remembers(user, tag, now) {
            return Deferred::ready_on(reactor, true);
        }
        if looks {
            state.looked = Some(now);
        }
        let table = Arc::clone(&state.table);
        drop(state);
        let (path, name, password) = (Arc::clone(&self.path), user.to_owned(), password.to_owned());
        let found = reactor.defer_to_thread(move || find(&path, &table, looks, &name, &password));
        let (state, user, remember) = (Rc::clone(&self.state), user.to_owned(), self.remember);
        found.map(move |found: Result<Found, Failure>| {
            let found = found?;
            let mut state = state.borrow_mut();
            if let Some(table) = found.table {
                state.table = table;
                state.remembered.clear();
            }
            if let Some(tag) = tag.filter(|_| found.is_right && !remember.is_zero()) {
                state.remembered.insert(user, Remembered { tag, until: now + remember });
            }
            Ok(found.is_right)
        })
    }
}

impl State {
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

/// Reloads the file if it has changed, and verifies. On a thread.
fn find(path: &Path, table: &Arc<Table>, looks: bool, user: &str, password: &[u8]) -> Found {
    let mut changed = None;
    if looks && Version::of(path) != table.version {
        match Table::read(path) {
            Ok(table) => changed = Some(Arc::new(table)),
            Err(error) => tracing::error!(%error, "the users stay as they were"),
        }
    }
    let table = changed.as_ref().unwrap_or(table);
    let is_right = match table.users.get(user) {
        Some(hash) => hash.verify(password),
        // An unknown user takes as long as a known one.
        None => {
            let usual = table.users.values().find(|hash| matches!(hash, PasswordHash::Bcrypt(_)));
            let usual = usual.cloned().or_else(|| PasswordHash::parse(NO_USER));
            let _ = usual.is_some_and(|hash| hash.verify(password));
            false
        }
    };
    Found { is_right, table: changed }
}

impl Table {
    fn read(path: &Path) -> Result<Self, HtpasswdError> {
        let failed = |source| HtpasswdError::Io { path: path.to_owned(), source };
        let version = Version::of(path);
        if fs::metadata(path).map_err(failed)?.len() > FILE_MAX {
            return Err(HtpasswdError::TooLong { path: path.to_owned(), max: FILE_MAX });
        }
        let text = fs::read_to_string(path).map_err(failed)?;
        let mut users = HashMap::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let entry = line
                .split_once(':')
                .and_then(|(user, hash)| Some((user.to_owned(), PasswordHash::parse(hash)?)));
            let (user, hash) =
                entry.ok_or_else(|| HtpasswdError::Line { path: path.to_owned(), line: at + 1 })?;
            users.insert(user, hash);
        }
        Ok(Self { users, version })
    }
}

impl Version {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self {
            modified: metadata.modified().ok(),
            len: metadata.len(),
            #[cfg(unix)]
            inode: std::os::unix::fs::MetadataExt::ino(&metadata),
        })
    }
}

impl fmt::Debug for Htpasswd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let users = self.state.borrow().table.users.len();
        f.debug_struct("Htpasswd").field("path", &self.path).field("users", &users).finish()
    }
}
