//! Accounts in a folder, each in a file of its own: [`FolderStore`].

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use sinew_transports::reactor::{Deferred, Reactor};

use super::{AccountData, Store, StoreError, account_data::FILE_MAX, file_stem};
use crate::replace_file;

/// A [`Store`] in a folder. A file is written beside its place, synchronised (`fsync`) and renamed, on a thread of the pool: after a crash,
/// each file is the old one or the new one, whole.
///
/// The name of a file is `NAME.xml`, if the name of the account has only lower-case ASCII letters, digits, `-` and `_`, at most 64
/// of them, and is not that of a device of Windows such as `con`; otherwise it is a dot-free hash of it, `=SHA256.xml`. Only one program may have the folder at a time.
///
/// # Examples
///
/// ```
/// use sinew_auth::Users;
/// use sinew_chat::xmpp::server::{FolderStore, ServerConfig};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let users = Users::new().user("ann", "secret");
/// let config = ServerConfig::new("example.org", users)?.store(FolderStore::new("/var/lib/xmpp"));
/// # drop(config);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct FolderStore {
    folder: PathBuf,
}

impl FolderStore {
    /// A store in this folder, which is made when something is first stored.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    fn path(&self, account: &str) -> PathBuf {
        self.folder.join(format!("{}.xml", file_stem(account)))
    }
}

impl Store for FolderStore {
    fn load(&self, reactor: &Reactor, account: &str) -> Deferred<Option<AccountData>, StoreError> {
        let path = self.path(account);
        reactor
            .defer_to_thread(move || read(&path))
            .map(|text: Result<_, _>| text??.map(|text| AccountData::decode(&text)).transpose())
    }

    fn save(
        &self,
        reactor: &Reactor,
        account: &str,
        data: &AccountData,
    ) -> Deferred<(), StoreError> {
        let text = data.encode();
        if text.len() > FILE_MAX {
            // It could not be read again.
            return Deferred::failed_on(reactor, StoreError::TooLong { max: FILE_MAX });
        }
        let path = self.path(account);
        reactor.defer_to_thread(move || write(&path, &text)).map(|written: Result<_, _>| written?)
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    let failed = |source| StoreError::Read { path: path.to_owned(), source };
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(failed)?,
    };
    let mut text = Vec::new();
    file.take(FILE_MAX as u64 + 1).read_to_end(&mut text).map_err(failed)?;
    match text.len() > FILE_MAX {
        true => Err(StoreError::TooLong { max: FILE_MAX }),
        false => Ok(Some(text)),
    }
}

fn write(path: &Path, text: &[u8]) -> Result<(), StoreError> {
    let written = match replace_file::replace(path, text) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let made = fs::create_dir_all(path.parent().unwrap_or(Path::new(".")));
            made.and_then(|()| replace_file::replace(path, text))
        }
        written => written,
    };
    written.map_err(|source| StoreError::Write { path: path.to_owned(), source })
}
