//! Two clients at ejabberd, whose virtual machine is started here: its package need not be installed, and no service runs.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use sinew_chat::xmpp::client::{XmppClient, XmppConfig, XmppError};
use sinew_transports::{reactor::Reactor, tls::TlsClientConfig};

use super::{
    prosody::{certificates, free_port},
    talk::{Notes, Noting, connected, talk},
};

/// A folder, and the server in it. Both end with the test.
struct Ejabberd {
    folder: PathBuf,
    child: Child,
    port: u16,
    tls: TlsClientConfig,
}

impl Drop for Ejabberd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The entry of a folder whose name begins so, the first by name.
fn entry(folder: &Path, prefix: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?.filter_map(Result::ok);
    let found = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
    found.map(|entry| entry.path()).min()
}

/// Erlang with its virtual machine, ejabberd, and the libraries beside it.
struct Installed {
    erlang: PathBuf,
    machine: PathBuf,
    ejabberd: PathBuf,
    libraries: PathBuf,
}

/// Where `.ci/peers` has unpacked it, or of the system.
fn installed() -> Option<Installed> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    let target = env::var_os("CARGO_TARGET_DIR").map_or(own, PathBuf::from);
    let found = [target.join("peers/ejabberd"), "/".into()].into_iter().find_map(|base| {
        let erlang = base.join("usr/lib/erlang");
        let machine = entry(&erlang, "erts-")?.join("bin");
        let libraries = entry(&base.join("usr/lib"), std::env::consts::ARCH)?;
        let ejabberd = entry(&libraries, "ejabberd-")?.join("ebin");
        let is_there = ejabberd.join("ejabberd.beam").is_file();
        is_there.then_some(Installed { erlang, machine, ejabberd, libraries })
    });
    if found.is_none() {
        eprintln!("skipped: ejabberd is not installed");
    }
    found
}

fn ejabberd(name: &str) -> Option<Ejabberd> {
    let Installed { erlang, machine, ejabberd, libraries } = installed()?;
    let folder = env::temp_dir().join(format!("sinew-ejabberd-{}-{name}", std::process::id()));
    fs::create_dir_all(folder.join("db")).unwrap();
    let tls = certificates(&folder);
    let pem = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    fs::write(folder.join("all.pem"), pem("localhost.crt") + &pem("localhost.key")).unwrap();
    let (port, base) = (free_port(), folder.display());
    let config = format!(
        "hosts: [localhost]\nloglevel: info\ncertfiles: [\"{base}/all.pem\"]\nca_file: \"{base}/localhost.crt\"\n\
         auth_method: internal\nauth_password_format: scram\n\
         listen:\n  - port: {port}\n    ip: \"127.0.0.1\"\n    module: ejabberd_c2s\n    starttls_required: true\n\
         modules:\n  mod_carboncopy: {{}}\n  mod_disco: {{}}\n  mod_ping: {{}}\n  mod_roster: {{}}\n  mod_stream_mgmt: {{}}\n  \
         mod_muc:\n    host: rooms.localhost\n"
    );
    let path = folder.join("ejabberd.yml");
    fs::write(&path, config).unwrap();
    // There is no other way in without a distributed node.
    let accounts = ["ann", "bob"].map(|user| {
        format!("ejabberd_auth:try_register(<<\"{user}\">>, <<\"localhost\">>, <<\"secret of {user}\">>)")
    });
    let mut command = Command::new(machine.join("erlexec"));
    command
        .args(["-noinput", "-pa"])
        .arg(ejabberd)
        .args(["-mnesia", "dir", &format!("{:?}", folder.join("db"))])
        .args(["-s", "ejabberd", "-eval", &accounts.join(", ")])
        .env_clear()
        .env("ROOTDIR", &erlang)
        .env("BINDIR", &machine)
        .env("EMU", "beam")
        .env("PROGNAME", "erl")
        .env("LD_LIBRARY_PATH", libraries)
        .env("HOME", &folder)
        .env("LC_ALL", "C")
        .env("PATH", "/usr/bin:/bin")
        .env("EJABBERD_CONFIG_PATH", &path)
        .env("EJABBERD_LOG_PATH", folder.join("log"))
        .current_dir(&folder);
    let child =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    Some(Ejabberd { folder, child, port, tls })
}

/// Online once, which takes some tries: the accounts are there a moment after the port is open.
async fn ready(reactor: Reactor, port: u16, tls: TlsClientConfig) -> Result<(), XmppError> {
    let config = XmppConfig::new("bob@localhost/first".parse().unwrap(), "secret of bob");
    let xmpp = XmppClient::new(&reactor, config.tls(tls), Noting(Notes::default()));
    let mut tries = 0;
    loop {
        match connected(&reactor, &xmpp, port).await {
            Err(XmppError::LoginRefused { .. }) if tries < 100 => {
                reactor.sleep(std::time::Duration::from_millis(50)).await;
                tries += 1;
            }
            result => {
                xmpp.quit();
                return result;
            }
        }
    }
}

#[test]
fn two_clients_of_ejabberd() {
    crate::watchdog::watch_this_test();
    let Some(ejabberd) = ejabberd("talk") else { return };
    let reactor = Reactor::new().unwrap();
    let (port, tls) = (ejabberd.port, ejabberd.tls.clone());
    let handle = reactor.clone();
    let result = reactor.run_until(async move {
        ready(handle.clone(), port, tls.clone()).await?;
        talk(handle, port, tls).await
    });
    if let Err(error) = result.unwrap() {
        panic!(
            "{error:?}\n{}",
            fs::read_to_string(ejabberd.folder.join("log")).unwrap_or_default()
        );
    }
}
