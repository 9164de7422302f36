//! Autobahn's test suite, both ways: its client against our server, its server against our client. Skipped, aloud, without `wstest`:
//! `.ci/peers` installs it. All cases in a release build; in a debug build those without long messages.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use sinew_http::{
    server::{HttpServer, Request},
    websocket::{
        CloseReason, DeflateConfig, MessageLimits, ReceivedMessage, WebSocket, WebSocketClient,
        WebSocketConfig, WebSocketHandler, WebSocketUpgrade,
    },
};
use sinew_transports::{
    ReactorTcp,
    reactor::{Promise, Reactor},
};

/// 9: up to 16 MiB, in fragments. 12 and 13: a thousand messages for each case, compressed.
const CASES: &str = if cfg!(debug_assertions) {
    r#""1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.7.1", "9.8.1", "10.*", "12.1.1", "12.1.3", "13.1.1", "13.7.1""#
} else {
    r#""*""#
};

/// Where it is installed, if it is.
fn wstest() -> Option<PathBuf> {
    let named = std::env::var_os("WSTEST").map(PathBuf::from);
    // `.ci/peers` installs it in the target directory.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?.join("autobahn/bin/wstest");
    let found = named.or(Some(target).filter(|path| path.is_file()));
    let found = found.unwrap_or_else(|| PathBuf::from("wstest"));
    match Command::new(&found).arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status() {
        Ok(status) if status.success() => Some(found),
        _ => {
            println!("skipped: wstest (Autobahn) is not installed; .ci/peers installs it");
            None
        }
    }
}

/// A folder for a specification and its reports.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("sinew-autobahn-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn start(&self, wstest: &Path, mode: &str, spec: &str) -> Running {
        fs::write(self.0.join("spec.json"), spec).unwrap();
        let log = fs::File::create(self.0.join("log")).unwrap();
        let child = Command::new(wstest)
            .args(["-m", mode, "-s", "spec.json"])
            .current_dir(&self.0)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Running(child)
    }

    /// Fails with every case that has failed.
    fn check(&self) {
        let index = fs::read_to_string(self.0.join("reports/index.json")).unwrap();
        // Each case: `"1.1.1": {` and its properties, in this order.
        let (mut cases, mut failed, mut case) = (0, Vec::new(), String::new());
        for line in index.lines().map(str::trim) {
            let Some((name, value)) = line.split_once(": ") else { continue };
            let (name, value) = (name.trim_matches('"'), value.trim_matches(['"', ',']));
            if value == "{" {
                case = name.to_owned();
            }
            if name == "behavior" || name == "behaviorClose" {
                cases += 1;
                if !matches!(value, "OK" | "INFORMATIONAL") {
                    failed.push(format!("{case}: {name} {value}"));
                }
            }
        }
        let all = if cfg!(debug_assertions) { 250 } else { 500 };
        assert!(cases / 2 > all, "only {} cases have run", cases / 2);
        assert!(failed.is_empty(), "{failed:#?}");
        println!("Autobahn: {} cases", cases / 2);
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// Killed on drop.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn config() -> WebSocketConfig {
    let deflate =
        DeflateConfig::default().send_context_takeover(true).receive_context_takeover(true);
    let limits = MessageLimits::default().message_max(32 << 20).fragments_max(1 << 20);
    WebSocketConfig::default().messages(limits).deflate(deflate.compress_from(0))
}

/// Echoes by callbacks, so that what arrived before an error is answered before it. Tells when it is closed.
#[derive(Default)]
struct Echo(Option<Promise<()>>);

impl WebSocketHandler for Echo {
    fn text(&mut self, socket: &WebSocket, text: &str) {
        socket.send_text(text);
    }

    fn binary(&mut self, socket: &WebSocket, data: &[u8]) {
        socket.send_binary(data);
    }

    fn closed(&mut self, _: &CloseReason) {
        if let Some(promise) = self.0.take() {
            promise.resolve(());
        }
    }
}

#[test]
fn our_server() {
    let Some(wstest) = wstest() else { return };
    let (ready, listening) = mpsc::channel();
    let server = std::thread::spawn(move || {
        let reactor = Reactor::new().unwrap();
        let upgrade = WebSocketUpgrade::new(|_: &Request| Echo::default());
        let server = HttpServer::new(upgrade.config(config()));
        let port = reactor.listen_tcp("127.0.0.1:0", server).unwrap();
        ready.send((reactor.remote(), port.local())).unwrap();
        reactor.run().unwrap();
    });
    let (remote, addr) = listening.recv().unwrap();
    let folder = Folder::new("server");
    let spec = format!(
        r#"{{"outdir": "./reports", "servers": [{{"agent": "sinew", "url": "ws://{addr}"}}],
            "cases": [{CASES}], "exclude-cases": [], "exclude-agent-cases": {{}}}}"#
    );
    let status = folder.start(&wstest, "fuzzingclient", &spec).0.wait().unwrap();
    assert!(status.success(), "wstest: {status}");
    remote
        .call(|reactor| {
            let _ = reactor.stop();
        })
        .unwrap();
    server.join().unwrap();
    folder.check();
}

#[test]
fn our_client() {
    let Some(wstest) = wstest() else { return };
    // Another program may take the port meanwhile, which would fail the test.
    let addr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let folder = Folder::new("client");
    let spec = format!(
        r#"{{"outdir": "./reports", "url": "ws://{addr}",
            "cases": [{CASES}], "exclude-cases": [], "exclude-agent-cases": {{}}}}"#
    );
    let server = folder.start(&wstest, "fuzzingserver", &spec);
    let reactor = Reactor::new().unwrap();
    let handle = reactor.clone();
    let client = move |path: String| {
        WebSocketClient::new(&format!("ws://{addr}{path}")).unwrap().config(config())
    };
    let run = async move {
        let count = loop {
            match client("/getCaseCount".into()).open(&handle).await {
                Ok(stream) => break stream.recv().await.expect("the number of cases"),
                // It takes a while to start.
                Err(_) => handle.sleep(Duration::from_millis(20)).await,
            }
        };
        let ReceivedMessage::Text(count) = count else { panic!("{count:?}") };
        for case in 1..=count.parse().unwrap() {
            let client = client(format!("/runCase?case={case}&agent=sinew"));
            let (promise, closed) = handle.promise();
            client.connect(&handle, Echo(Some(promise))).await?;
            closed.await.expect("a connection ends");
        }
        let stream = client("/updateReports?agent=sinew".into()).open(&handle).await?;
        while stream.recv().await.is_some() {}
        Ok::<_, sinew_http::websocket::OpenError>(())
    };
    reactor.run_until(run).unwrap().unwrap();
    drop(server);
    folder.check();
}
