//! The contents of a password file: [`Table`]. Reads the file, which blocks.

use std::{collections::HashMap, fs, path::Path, sync::Arc, time::SystemTime};

use sha2::{Digest as _, Sha256};

use super::{PasswordFileError, UserChanges};
use crate::{ScramHash, ScramKeys, Secret, Stored, password_hash::PasswordHash};

/// Longest file.
const FILE_MAX: u64 = 4 << 20;

/// A hash that takes as long as a usual one, and that no password has: for a file without users.
const NO_USER: &str = "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

/// The users of a file. One that it does not have takes as long as another, which stands in for it: the same one for a name each time,
/// and each as often as any other, so that a file with several kinds of hashes does not show by its times whom it has.
pub(super) struct Table {
    /// Where the hashes of users are.
    users: HashMap<String, usize>,
    hashes: Vec<PasswordHash>,
    /// The [`name_hash`] of the user of each hash, for the choice of stand-ins.
    name_hashes: Vec<u64>,
    /// Of what the file says of each user: whether that has changed.
    line_hashes: Vec<u64>,
    /// The hash for which all users have the keys of SCRAM.
    pub(super) scram: Option<ScramHash>,
    version: Option<Version>,
    /// Made of the file as it was when it was opened, which nobody knows as a whole: users know what their own line says. So stand-ins
    /// are the same after a restart, unless the file has changed.
    secret: Secret,
}

/// Identifies a version of the file.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Version {
    modified: Option<SystemTime>,
    len: u64,
    #[cfg(unix)]
    inode: u64,
}

impl Table {
    pub(super) fn read(path: &Path) -> Result<Self, PasswordFileError> {
        Self::read_with(path, None)
    }

    fn read_with(path: &Path, secret: Option<Secret>) -> Result<Self, PasswordFileError> {
        let failed = |source| PasswordFileError::Io { path: path.to_owned(), source };
        let version = Version::of(path);
        if fs::metadata(path).map_err(failed)?.len() > FILE_MAX {
            return Err(PasswordFileError::TooLong { path: path.to_owned(), max: FILE_MAX });
        }
        let text = fs::read_to_string(path).map_err(failed)?;
        let secret = secret.unwrap_or_else(|| Sha256::digest(&text).to_vec().into());
        let (mut users, mut hashes) = (HashMap::new(), Vec::new());
        let (mut name_hashes, mut line_hashes) = (Vec::new(), Vec::new());
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (user, hash) = entry(line)
                .ok_or_else(|| PasswordFileError::Line { path: path.to_owned(), line: at + 1 })?;
            match users.get(user) {
                // The last line of a user counts.
                Some(at) => {
                    hashes[*at] = hash;
                    line_hashes[*at] = name_hash(&secret, line);
                }
                None => {
                    users.insert(user.to_owned(), hashes.len());
                    hashes.push(hash);
                    name_hashes.push(name_hash(&secret, user));
                    line_hashes.push(name_hash(&secret, line));
                }
            }
        }
        let scram = [ScramHash::Sha256, ScramHash::Sha1].into_iter().find(|hash| {
            let mut all = hashes.iter();
            !hashes.is_empty() && all.all(|user: &PasswordHash| user.scram_keys(*hash).is_some())
        });
        Ok(Self { users, hashes, name_hashes, line_hashes, scram, version, secret })
    }

    /// The file as it is now, if it can be read: this one, if it has not changed.
    pub(super) fn look(self: &Arc<Self>, path: &Path) -> Option<Arc<Self>> {
        let read = self.read_again(path);
        read.inspect_err(|error| tracing::error!(%error, "the users stay as they were")).ok()
    }

    /// The file as it is now: this one, if it has not changed.
    pub(super) fn read_again(
        self: &Arc<Self>,
        path: &Path,
    ) -> Result<Arc<Self>, PasswordFileError> {
        if Version::of(path) == self.version {
            return Ok(Arc::clone(self));
        }
        Self::read_with(path, Some(self.secret.clone())).map(Arc::new)
    }

    /// What has become of the users of an earlier version of the file. Both have the same secret.
    pub(super) fn changes_since(&self, before: &Self) -> UserChanges {
        let mut changes = UserChanges::default();
        for (user, at) in &before.users {
            match self.users.get(user) {
                None => changes.removed.push(user.clone()),
                Some(now) if self.line_hashes[*now] != before.line_hashes[*at] => {
                    changes.replaced.push(user.clone());
                }
                Some(_) => {}
            }
        }
        changes.removed.sort();
        changes.replaced.sort();
        changes
    }

    /// Whether this is the password of a user. As slow for an unknown one.
    pub(super) fn verify(&self, user: &str, password: &[u8]) -> bool {
        let stand_in = self.stand_in(user);
        if let Some(hash) = self.known(user) {
            return hash.verify(password);
        }
        let usual = stand_in.cloned().or_else(|| PasswordHash::parse(NO_USER));
        let _ = usual.is_some_and(|hash| hash.verify(password));
        false
    }

    /// The keys of a user. Those of an unknown one look like those of its stand-in.
    pub(super) fn keys(&self, user: &str, hash: ScramHash) -> Option<Stored> {
        let stand_in = self.stand_in(user).and_then(|like| like.scram_keys(hash));
        let unknown = stand_in.map(|like| ScramKeys::of_nobody_like(like, &self.secret, user));
        let known = self.known(user).and_then(|known| known.scram_keys(hash)).cloned();
        known.or(unknown).map(Stored::ScramKeys)
    }

    pub(super) fn len(&self) -> usize {
        self.hashes.len()
    }

    fn known(&self, user: &str) -> Option<&PasswordHash> {
        self.hashes.get(*self.users.get(user)?)
    }

    /// Whose hash is taken for an unknown user, by rendezvous hashing: it changes with the file for few names only. Also looked for if
    /// the user is known, which takes as long.
    fn stand_in(&self, user: &str) -> Option<&PasswordHash> {
        let name = name_hash(&self.secret, user);
        let all = self.name_hashes.iter().zip(&self.hashes);
        all.max_by_key(|(other, _)| mix(*other ^ name)).map(|(_, hash)| hash)
    }
}

fn entry(line: &str) -> Option<(&str, PasswordHash)> {
    let (user, hash) = line.split_once(':')?;
    Some((user, PasswordHash::parse(hash)?))
}

/// A keyed hash of a name.
fn name_hash(secret: &Secret, user: &str) -> u64 {
    let hash = ScramHash::Sha256.hmac(secret.bytes(), user.as_bytes());
    hash.bytes().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// The finalizer of `SplitMix64` (Steele, Lea and Flood 2014).
const fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
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

#[cfg(test)]
mod tests {
    use std::env;

    use super::*;

    const SHA: &str = "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=";

    fn table(text: &str, before: Option<&Table>) -> Table {
        let name = format!("sinew-auth-table-{}-{}", std::process::id(), text.len());
        let path = env::temp_dir().join(name);
        fs::write(&path, text).unwrap();
        let read = Table::read_with(&path, before.map(|table| table.secret.clone()));
        fs::remove_file(&path).unwrap();
        read.unwrap_or_else(|error| panic!("{error}"))
    }

    /// If all took as long as the first, who takes as long as the last would be known.
    #[test]
    fn unknown_users_take_as_long_as_any() {
        let mut lines: Vec<_> = (0..8).map(|at| format!("slow{at}:{NO_USER}")).collect();
        lines.extend((0..4).map(|at| format!("fast{at}:{SHA}")));
        let first = table(&lines.join("\n"), None);
        let is_fast = |table: &Table, at: usize| {
            matches!(table.stand_in(&format!("unknown {at}")), Some(PasswordHash::Sha1(_)))
        };
        let before: Vec<_> = (0..1_000).map(|at| is_fast(&first, at)).collect();
        let fast = before.iter().filter(|is_fast| **is_fast).count();
        assert!((250..420).contains(&fast), "a third of the file: {fast} of 1,000");
        let restarted = table(&lines.join("\n"), None);
        assert!((0..1_000).all(|at| is_fast(&restarted, at) == before[at]), "always the same");
        // One more line changes a thirteenth of the names, and the order changes none.
        lines.insert(0, format!("new:{SHA}"));
        let changed = table(&lines.join("\n"), Some(&first));
        let differ = (0..1_000).filter(|at| is_fast(&changed, *at) != before[*at]).count();
        assert!((1..130).contains(&differ), "{differ}");
    }

    #[test]
    fn no_user_is_let_in_without_users() {
        let none = table("# nobody\n", None);
        assert!(!none.verify("ann", b"U*U") && none.keys("ann", ScramHash::Sha256).is_none());
    }
}
