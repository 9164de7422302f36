//! Two clients at Prosody: STARTTLS, SCRAM, rosters, messages with receipts and copies, rooms, questions, a session that is resumed.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use sinew_chat::xmpp::client::{XmppClient, XmppConfig, XmppError};
use sinew_transports::{
    reactor::Reactor,
    tls::{TlsClientConfig, TrustedRoots},
};

use super::talk::{Notes, Noting, connected, talk};

/// A folder, and the server in it. Both end with the test.
pub(crate) struct Prosody {
    pub(crate) folder: PathBuf,
    child: Option<Child>,
    pub(crate) port: u16,
    pub(crate) tls: TlsClientConfig,
}

impl Drop for Prosody {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file());
    if found.is_none() {
        eprintln!("skipped: {name} is not installed");
    }
    found
}

/// A certificate for `localhost`, in files; what trusts it is returned.
pub(crate) fn certificates(folder: &Path) -> TlsClientConfig {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let root = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    // ejabberd sets a timer for its end, and Erlang has none of 2,000 years.
    params.not_after = rcgen::date_time_ymd(2100, 1, 1);
    let certificate = params.signed_by(&key, &issuer).unwrap().pem();
    fs::write(folder.join("localhost.crt"), certificate).unwrap();
    fs::write(folder.join("localhost.key"), key.serialize_pem()).unwrap();
    fs::set_permissions(folder.join("localhost.key"), fs::Permissions::from_mode(0o600)).unwrap();
    TlsClientConfig::new(TrustedRoots::from_pem(root).unwrap())
}

pub(crate) fn prosody(name: &str) -> Option<Prosody> {
    prosody_with(name, None, "")
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The same with a port of HTTP, and with components.
pub(crate) fn prosody_with(name: &str, http: Option<u16>, components: &str) -> Option<Prosody> {
    prosody_of(name, http, &[], components)
}

/// The same with more modules. What is of the component of rooms comes first in the last argument.
pub(crate) fn prosody_of(
    name: &str,
    http: Option<u16>,
    modules: &[&str],
    components: &str,
) -> Option<Prosody> {
    let prosody = program("prosody")?;
    let folder = std::env::temp_dir().join(format!("sinew-xmpp-{}-{name}", std::process::id()));
    // The accounts are files: with their passwords, from which Prosody makes keys of SCRAM.
    let accounts = folder.join("data/localhost/accounts");
    fs::create_dir_all(&accounts).unwrap();
    for user in ["ann", "bob"] {
        let account = format!("return {{\n [\"password\"] = \"secret of {user}\";\n}};\n");
        fs::write(accounts.join(format!("{user}.dat")), account).unwrap();
    }
    let tls = certificates(&folder);
    let port = free_port();
    let (base, http) = (folder.display(), http.map(|port| port.to_string()).unwrap_or_default());
    let modules: String = modules.iter().map(|module| format!(", \"{module}\"")).collect();
    let config = format!(
        "run_as_root = true\ndaemonize = false\npidfile = \"{base}/pid\"\ndata_path = \"{base}/data\"\ncertificates = \"{base}\"\n\
         interfaces = {{ \"127.0.0.1\" }}\nc2s_ports = {{ {port} }}\nc2s_direct_tls_ports = {{}}\ns2s_ports = {{}}\nhttp_ports = {{ {http} }}\n\
         https_ports = {{}}\nproxy65_ports = {{}}\n\
         modules_enabled = {{ \"roster\", \"saslauth\", \"tls\", \"disco\", \"smacks\", \"carbons\", \"ping\", \"presence\", \"message\", \"iq\", \"c2s\"{modules} }}\n\
         modules_disabled = {{ \"s2s\" }}\nauthentication = \"internal_hashed\"\nc2s_require_encryption = true\n\
         log = {{ debug = \"{base}/log\" }}\nssl = {{ key = \"{base}/localhost.key\"; certificate = \"{base}/localhost.crt\" }}\n\
         VirtualHost \"localhost\"\nComponent \"rooms.localhost\" \"muc\"\n{components}"
    );
    let path = folder.join("prosody.cfg.lua");
    fs::write(&path, config).unwrap();
    let mut command = Command::new(prosody);
    command.arg("--config").arg(&path).arg("-F");
    let child =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    Some(Prosody { folder, child: Some(child), port, tls })
}

#[test]
fn two_clients_of_prosody() {
    crate::watchdog::watch_this_test();
    let Some(prosody) = prosody("talk") else { return };
    let reactor = Reactor::new().unwrap();
    let result = reactor.run_until(talk(reactor.clone(), prosody.port, prosody.tls.clone()));
    if let Err(error) = result.unwrap() {
        panic!("{error:?}\n{}", fs::read_to_string(prosody.folder.join("log")).unwrap_or_default());
    }
}

#[test]
fn a_wrong_password_at_prosody() {
    crate::watchdog::watch_this_test();
    let Some(prosody) = prosody("wrong") else { return };
    let reactor = Reactor::new().unwrap();
    let config =
        XmppConfig::new("ann@localhost".parse().unwrap(), "wrong").tls(prosody.tls.clone());
    let xmpp = XmppClient::new(&reactor, config, Noting(Notes::default()));
    let handle = reactor.clone();
    let port = prosody.port;
    let result = reactor.run_until(async move { connected(&handle, &xmpp, port).await }).unwrap();
    match result {
        Err(XmppError::LoginRefused { condition, .. }) => assert_eq!(condition, "not-authorized"),
        other => panic!("{other:?}"),
    }
}
