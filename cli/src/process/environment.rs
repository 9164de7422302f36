//! The root directory, the working directory and the umask of the process.

use std::path::Path;

use nix::{
    sys::stat::{self, Mode},
    unistd,
};
use sinew::reactor::Excerpt;

use crate::{
    arguments::ProcessOptions,
    exit::{Code, Failure},
};

/// The umask of a process in the background, as of twistd(1).
const DAEMON_UMASK: u32 = 0o077;

/// Changes all three, as the options say.
pub(crate) fn enter(options: &ProcessOptions) -> Result<(), Failure> {
    if let Some(root) = &options.chroot {
        unistd::chroot(root.as_path())
            .map_err(|error| failure("the root directory", root, error))?;
        // Otherwise the process would still stand outside of its root.
        change_directory(Path::new("/"))?;
    }
    if let Some(directory) = &options.chdir {
        change_directory(directory)?;
    }
    let default = options.daemon.then_some(DAEMON_UMASK);
    if let Some(mask) = options.umask.map(|umask| umask.0).or(default) {
        stat::umask(Mode::from_bits_truncate(mask as nix::libc::mode_t));
    }
    Ok(())
}

fn change_directory(to: &Path) -> Result<(), Failure> {
    unistd::chdir(to).map_err(|error| failure("the working directory", to, error))
}

fn failure(what: &str, path: &Path, error: nix::Error) -> Failure {
    let text = format!("cannot make {} {what}", Excerpt::path(path));
    Failure::io(Code::NoInput, text, &error.into())
}
