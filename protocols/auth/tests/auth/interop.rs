//! Logins with other implementations: GNU SASL (`gsasl`) and Python's `scramp`, at either end. Skipped aloud where they are missing.

use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use sinew_auth::{
    AuthError, Authenticator, Channel, ChannelBinding, ClientLogin, Mechanism, SaslClient,
    SaslError, SaslServer, ServerStep,
};
use sinew_transports::reactor::Reactor;

use super::support::{certificate, config, encrypted, now, users};

/// A peer that reads and writes a message in base64 a line.
struct PeerProcess {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl PeerProcess {
    fn start(command: &mut Command) -> Self {
        crate::watchdog::watch_this_test();
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = piped.spawn().unwrap();
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, input, output }
    }

    /// The next line of output that is not empty.
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        while line.trim().is_empty() {
            line.clear();
            if self.output.read_line(&mut line).unwrap() == 0 {
                return None;
            }
        }
        Some(line.trim_end().to_owned())
    }

    /// Nothing is told to one that has ended.
    fn tell(&mut self, line: &str) {
        if let Some(input) = &mut self.input {
            let _ = writeln!(input, "{line}");
        }
    }

    /// Whether it ended well.
    fn end(mut self) -> bool {
        drop(self.input.take());
        self.child.wait().unwrap().success()
    }
}

fn is_there(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    let command = command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    let found = command.status().is_ok_and(|status| status.success());
    if !found {
        eprintln!("skipped: `{program} {}` does not run", arguments.join(" "));
    }
    found
}

/// Our server with a client that is a process. What comes of it, at both ends.
fn serve(
    name: &str,
    channel: &Channel,
    first: bool,
    mut peer: PeerProcess,
) -> (Result<String, SaslError>, bool) {
    let reactor = Reactor::simulated(0);
    let users =
        Authenticator::with(users(), config().mechanisms(Mechanism::ALL).scram_iterations(4_096));
    let server = SaslServer::new(&users, channel.clone());
    let initial = first.then(|| peer.line().unwrap());
    let initial = initial.as_deref().map(str::as_bytes);
    let mut step = now(&reactor, &server.start_encoded(&reactor, name, initial));
    let done = loop {
        match step {
            Ok(ServerStep::Challenge(challenge)) => {
                peer.tell(&data_encoding::BASE64.encode(&challenge));
                // The last response of SCRAM is empty, and not every peer writes a line for that.
                let is_last = challenge.starts_with(b"v=");
                let response = if is_last { Some(String::new()) } else { peer.line() };
                let Some(response) = response else { break Err(SaslError::Aborted) };
                step = now(&reactor, &server.respond_encoded(&reactor, response.as_bytes()));
            }
            Ok(ServerStep::Done { identity, .. }) => break Ok(identity.name().to_owned()),
            Ok(other) => panic!("{other:?}"),
            Err(error) => break Err(error),
        }
    };
    (done, peer.end())
}

/// Our client with a server that is a process.
fn log_in(client: &SaslClient, mut peer: PeerProcess) -> (Result<(), SaslError>, bool) {
    let reactor = Reactor::simulated(0);
    if let Some(initial) = client.initial_encoded().unwrap() {
        peer.tell(&initial);
    }
    let mut verified = Err(SaslError::ServerNotVerified);
    while let Some(challenge) = peer.line() {
        match now(&reactor, &client.respond_encoded(&reactor, challenge.as_bytes())) {
            // The signature was right.
            Ok(response) if response.is_empty() => {
                peer.tell("");
                verified = client.finish(None);
                break;
            }
            Ok(response) => peer.tell(&response),
            Err(error) => {
                verified = Err(error);
                break;
            }
        }
    }
    (verified, peer.end())
}

const LOGINS: [(&str, &str, bool); 4] = [
    ("ann", "secret", true),
    ("J\u{fc}rgen", "pass\u{a0}word", true),
    ("ann", "Secret", false),
    ("nobody", "secret", false),
];

#[test]
fn clients_of_gnu_sasl() {
    if !is_there("gsasl", &["--version"]) {
        return;
    }
    for (name, first) in [
        ("SCRAM-SHA-256", true),
        ("SCRAM-SHA-1", true),
        ("PLAIN", true),
        ("LOGIN", false),
        ("CRAM-MD5", false),
    ] {
        for (user, password, is_right) in LOGINS {
            let mut command = Command::new("gsasl");
            command.env("LC_ALL", "C.UTF-8");
            command.args(["--client", "--quiet", "--no-cb", "-m", name]);
            command.args(["-a", user, "-p", password]);
            let mut peer = PeerProcess::start(&mut command);
            assert_eq!(peer.line().as_deref(), Some(name), "it says the mechanism first");
            let (done, _) = serve(name, &encrypted(), first, peer);
            let case = format!("{name} {user} {password}");
            match done {
                Ok(found) => assert!(is_right && found == user, "{case}"),
                Err(SaslError::Auth(AuthError::Refused)) => assert!(!is_right, "{case}"),
                Err(other) => panic!("{case}: {other}"),
            }
        }
    }
}

#[test]
fn servers_of_gnu_sasl() {
    if !is_there("gsasl", &["--version"]) {
        return;
    }
    for name in ["SCRAM-SHA-256", "SCRAM-SHA-1"] {
        for (password, is_right) in [("secret", true), ("Secret", false)] {
            let mut command = Command::new("gsasl");
            command.args(["--server", "--quiet", "--no-cb", "-m", name, "-p", "secret"]);
            let login = ClientLogin::password("ann", password);
            let client = login.choose([name], &Channel::new()).unwrap();
            let mut peer = PeerProcess::start(&mut command);
            assert_eq!(peer.line().as_deref(), Some(name), "it says the mechanism first");
            let (verified, _) = log_in(&client, peer);
            assert_eq!(verified.is_ok(), is_right, "{name} {password}: {verified:?}");
        }
    }
}

/// Both ends of `scramp`, bound to a certificate. It ends well if the login did.
const SCRAMP: &str = r#"
import base64, hashlib, sys
from scramp import ScramClient, ScramMechanism
end, name, user, password, data = sys.argv[1:]
binding = ("tls-server-end-point", hashlib.sha256(base64.b64decode(data)).digest())
def read():
    return base64.b64decode(sys.stdin.readline().strip(), validate=True).decode()
def write(message):
    print(base64.b64encode(message.encode()).decode(), flush=True)
if end == "client":
    client = ScramClient([name], user, password, channel_binding=binding if name.endswith("-PLUS") else None)
    write(client.get_client_first())
    client.set_server_first(read())
    write(client.get_client_final())
    client.set_server_final(read())
else:
    mechanism = ScramMechanism(name)
    keys = mechanism.make_auth_info("secret")
    server = mechanism.make_server(lambda _: keys, channel_binding=binding if name.endswith("-PLUS") else None)
    server.set_client_first(read())
    write(server.get_server_first())
    server.set_client_final(read())
    write(server.get_server_final())
"#;

fn python() -> Option<PathBuf> {
    // Where `.ci/peers` installs it: beside the folder of this test.
    let program = std::env::current_exe().unwrap();
    let target = program.ancestors().nth(3).unwrap();
    let all = [target.join("peers/python/bin/python3"), "python3".into()];
    let has_scramp = |python: &PathBuf| {
        let mut command = Command::new(python);
        let command = command.args(["-c", "import scramp"]).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let found = all.into_iter().find(has_scramp);
    if found.is_none() {
        eprintln!("skipped: there is no Python with the package scramp");
    }
    found
}

#[test]
fn both_ends_of_scramp() {
    let Some(python) = python() else { return };
    let binding = ChannelBinding::server_end_point(&certificate(7)).unwrap();
    let bound = encrypted().binding(binding);
    for name in ["SCRAM-SHA-256", "SCRAM-SHA-1", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"] {
        for (user, password, data, is_right) in [
            ("ann", "secret", 7, true),
            ("ann", "Secret", 7, false),
            ("ann", "secret", 8, !name.ends_with("-PLUS")),
        ] {
            let case = format!("{name} {password} {data}");
            let peer = |end: &str| {
                let data = data_encoding::BASE64.encode(&certificate(data));
                let mut command = Command::new(&python);
                PeerProcess::start(command.args(["-c", SCRAMP, end, name, user, password, &data]))
            };
            let channel = if name.ends_with("-PLUS") { bound.clone() } else { encrypted() };
            let (done, theirs) = serve(name, &channel, true, peer("client"));
            assert_eq!((done.is_ok(), theirs), (is_right, is_right), "{case}: {done:?}");

            let client = ClientLogin::password(user, password).choose([name], &channel).unwrap();
            let (verified, _) = log_in(&client, peer("server"));
            assert_eq!(verified.is_ok(), is_right, "{case}: {verified:?}");
        }
    }
}
