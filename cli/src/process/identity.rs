//! The user and the groups that the process becomes once its sockets are open: [`Identity`].

use std::ffi::CString;

use nix::unistd::{self, Gid, Group, Uid, User};
use sinew::reactor::Excerpt;

use crate::{
    arguments::ProcessOptions,
    exit::{Code, Failure},
};

/// A user and groups, found before the root directory changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
}

impl Identity {
    /// The identity that the options name; `None` if they name none.
    pub(crate) fn find(options: &ProcessOptions) -> Result<Option<Self>, Failure> {
        if options.user.is_none() && options.group.is_none() {
            return Ok(None);
        }
        let group = options.group.as_deref().map(find_group).transpose()?;
        let Some(name) = options.user.as_deref() else {
            let gid = group.unwrap_or_else(Gid::effective);
            return Ok(Some(Self { uid: Uid::effective(), gid, groups: vec![gid] }));
        };
        let (uid, user) = find_user(name)?;
        let Some(gid) = group.or(user.as_ref().map(|user| user.gid)) else {
            let text = format!(
                "user {uid} is not in the list of users, so its group is unknown; set --group, too"
            );
            return Err(Failure::new(Code::NoUser, text));
        };
        let groups = match user {
            Some(user) => groups_of(&user, gid)?,
            None => vec![gid],
        };
        Ok(Some(Self { uid, gid, groups }))
    }

    /// The user.
    pub(crate) fn uid(&self) -> u32 {
        self.uid.as_raw()
    }

    /// The group.
    pub(crate) fn gid(&self) -> u32 {
        self.gid.as_raw()
    }

    /// Becomes it, for good: the whole process with all its threads. Then makes sure that the privileges cannot be regained.
    pub(crate) fn assume(&self) -> Result<(), Failure> {
        if Uid::effective().is_root() {
            self.change()?;
        }
        self.verify()
    }

    fn change(&self) -> Result<(), Failure> {
        // The groups first: they need the privileges that the change of the user ends.
        unistd::setgroups(&self.groups).map_err(|error| failure("setgroups", error))?;
        unistd::setresgid(self.gid, self.gid, self.gid)
            .map_err(|error| failure("setresgid", error))?;
        unistd::setresuid(self.uid, self.uid, self.uid).map_err(|error| failure("setresuid", error))
    }

    /// Whether this thread has the identity, and cannot leave it.
    pub(crate) fn verify(&self) -> Result<(), Failure> {
        let uids = unistd::getresuid().map_err(|error| failure("getresuid", error))?;
        let gids = unistd::getresgid().map_err(|error| failure("getresgid", error))?;
        if [uids.real, uids.effective, uids.saved] != [self.uid; 3]
            || [gids.real, gids.effective, gids.saved] != [self.gid; 3]
        {
            let text = format!(
                "cannot run as user {} and group {}: this process is user {} and group {}, and only root may change that",
                self.uid, self.gid, uids.effective, gids.effective,
            );
            return Err(Failure::new(Code::Permission, text));
        }
        if self.uid.is_root() {
            return Ok(());
        }
        let regained = unistd::setuid(Uid::from_raw(0)).is_ok()
            || (self.gid.as_raw() != 0 && unistd::setgid(Gid::from_raw(0)).is_ok())
            || has_capabilities();
        if regained {
            let text =
                "the privileges could be regained after they were given up; not running like that";
            return Err(Failure::new(Code::Software, text));
        }
        Ok(())
    }
}

/// Whether this user has privileges of root without being root: only after a change of the user that did not end them.
#[cfg(target_os = "linux")]
fn has_capabilities() -> bool {
    use rustix::thread::CapabilitySet;
    let may_become_root = CapabilitySet::SETUID | CapabilitySet::SETGID | CapabilitySet::SYS_ADMIN;
    rustix::thread::capabilities(None).is_ok_and(|sets| sets.permitted.intersects(may_become_root))
}

#[cfg(not(target_os = "linux"))]
fn has_capabilities() -> bool {
    false
}

fn find_user(name: &str) -> Result<(Uid, Option<User>), Failure> {
    let found = match name.parse() {
        Ok(number) => {
            let uid = Uid::from_raw(number);
            return Ok((uid, User::from_uid(uid).ok().flatten()));
        }
        Err(_) => User::from_name(name),
    };
    match found {
        Ok(Some(user)) => Ok((user.uid, Some(user))),
        Ok(None) => Err(unknown("user", name)),
        Err(error) => Err(failure("the list of users", error)),
    }
}

fn find_group(name: &str) -> Result<Gid, Failure> {
    if let Ok(number) = name.parse() {
        return Ok(Gid::from_raw(number));
    }
    match Group::from_name(name) {
        Ok(Some(group)) => Ok(group.gid),
        Ok(None) => Err(unknown("group", name)),
        Err(error) => Err(failure("the list of groups", error)),
    }
}

fn groups_of(user: &User, gid: Gid) -> Result<Vec<Gid>, Failure> {
    let name = CString::new(user.name.as_str()).map_err(|_| unknown("user", &user.name))?;
    unistd::getgrouplist(&name, gid).map_err(|error| failure("the list of groups", error))
}

fn unknown(what: &str, name: &str) -> Failure {
    Failure::new(Code::NoUser, format!("there is no {what} {:?}", Excerpt::new(name)))
}

fn failure(what: &str, error: nix::Error) -> Failure {
    Failure::io(Code::System, format!("cannot change the user: {what}"), &error.into())
}
