//! Dovecot in a folder of its own.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use sinew_transports::reactor::Reactor;

use crate::program;

/// A server that runs until it is dropped.
pub(crate) struct Dovecot {
    folder: PathBuf,
    child: Child,
}

/// Attempts to reach it, and the time between two.
const ATTEMPTS: u32 = 600;
const BETWEEN: Duration = Duration::from_millis(50);

impl Dovecot {
    /// Starts it, if it is installed.
    pub(crate) fn start() -> Option<Self> {
        let programs = [program::find("dovecot"), of_system()];
        let mut command = programs.into_iter().flatten().next()?;
        if !Path::new("/usr/lib/dovecot/imap").is_file() {
            eprintln!("skipped: the IMAP server of Dovecot is not installed");
            return None;
        }
        let folder = std::env::temp_dir().join(format!("sinew-dovecot-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        for part in ["mail", "run"] {
            fs::create_dir_all(folder.join(part)).unwrap();
        }
        // Mail belongs to another user where this is the administrator.
        let everybody = fs::Permissions::from_mode(0o777);
        fs::set_permissions(folder.join("mail"), everybody).unwrap();
        let config = folder.join("dovecot.conf");
        fs::write(&config, configuration(&folder)).unwrap();
        command.arg("-F").arg("-c").arg(&config);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Some(Self { child: command.spawn().unwrap(), folder })
    }

    /// Waits until it listens.
    pub(crate) async fn listens(&mut self, reactor: &Reactor) {
        for _ in 0..ATTEMPTS {
            if UnixStream::connect(self.socket()).is_ok() {
                return;
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("dovecot has ended with {status}: {}", self.log());
            }
            reactor.sleep(BETWEEN).await;
        }
        panic!("dovecot does not listen: {}", self.log());
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("run/client")
    }

    /// Where a client connects to.
    pub(crate) fn endpoint(&self) -> String {
        format!("unix:{}", self.socket().display())
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        // Asked, it ends its own children, too.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Where Debian has it, which is not on the path of every user.
fn of_system() -> Option<Command> {
    let path = Path::new("/usr/sbin/dovecot");
    path.is_file().then(|| Command::new(path))
}

/// What `id` prints.
fn id(option: &str) -> String {
    let output = Command::new("id").arg(option).output().unwrap().stdout;
    String::from_utf8(output).unwrap().trim().to_owned()
}

fn configuration(folder: &Path) -> String {
    let folder = folder.display();
    // Dovecot runs no server as the administrator.
    let (internal, login, user, group) = match program::is_root() {
        true => ["dovecot", "dovenull", "nobody", "nogroup"].map(str::to_owned).into(),
        false => (id("-un"), id("-un"), id("-un"), id("-gn")),
    };
    let internal_group = if program::is_root() { "dovecot".to_owned() } else { group.clone() };
    format!(
        "base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
ssl = no
protocols = imap
default_internal_user = {internal}
default_internal_group = {internal_group}
default_login_user = {login}
mail_uid = {user}
mail_gid = {group}
first_valid_uid = 0
first_valid_gid = 0
mail_location = maildir:{folder}/mail/%u
disable_plaintext_auth = no
auth_mechanisms = plain login scram-sha-256
protocol imap {{
  mail_plugins = imap_zlib
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Sent {{
    auto = create
    special_use = \\Sent
  }}
}}
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/mail/%u
}}
service imap-login {{
  chroot =
  unix_listener client {{
    mode = 0666
  }}
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"
    )
}
