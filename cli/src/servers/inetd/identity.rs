//! The user and the group of a program as numbers: [`Identity`], from the names in the file.

use nix::unistd::{Gid, Group, Uid, User};
use sinew::reactor::Excerpt;

use super::entry::RunAs;

/// Whom a program runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Identity {
    /// Looks the names up. `None` if they are those of this process, so that nothing has to be changed.
    ///
    /// # Errors
    ///
    /// There is no such user or group, or this process may not become it.
    pub(super) fn of(names: &RunAs) -> Result<Option<Self>, String> {
        let user = user(&names.user)?;
        let gid = match &names.group {
            Some(name) => group(name)?,
            None => user.1,
        };
        let wanted = (user.0, gid);
        if wanted == (Uid::effective(), Gid::effective()) {
            return Ok(None);
        }
        if !Uid::effective().is_root() {
            let name = Excerpt::new(&names.user);
            return Err(format!(
                "it runs as {name}, and only root may start programs as another user or group"
            ));
        }
        Ok(Some(Self { uid: wanted.0.as_raw(), gid: wanted.1.as_raw() }))
    }
}

fn user(name: &str) -> Result<(Uid, Gid), String> {
    let found = match name.parse() {
        Ok(uid) => User::from_uid(Uid::from_raw(uid)),
        Err(_) => User::from_name(name),
    };
    match found {
        Ok(Some(user)) => Ok((user.uid, user.gid)),
        Ok(None) => Err(format!("there is no user {:?}", Excerpt::new(name))),
        Err(error) => {
            Err(format!("the user {:?} cannot be looked up: {error}", Excerpt::new(name)))
        }
    }
}

fn group(name: &str) -> Result<Gid, String> {
    if let Ok(gid) = name.parse() {
        return Ok(Gid::from_raw(gid));
    }
    match Group::from_name(name) {
        Ok(Some(group)) => Ok(group.gid),
        Ok(None) => Err(format!("there is no group {:?}", Excerpt::new(name))),
        Err(error) => {
            Err(format!("the group {:?} cannot be looked up: {error}", Excerpt::new(name)))
        }
    }
}
