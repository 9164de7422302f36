//! The live page in headless Chromium, driven over a pipe (the Chrome DevTools Protocol). Skipped, aloud, where it is missing.

use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::mpsc,
};

use serde_json::{Value, json};
use sinew_application::inspect::{self, WebConfig};
use sinew_reactor::Reactor;
use sinew_transports::{Peer, ReactorUnix};

use super::client::{Echo, Program, folder};

/// Killed on drop, with its profile.
struct Browser {
    child: Child,
    profile: PathBuf,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    number: u64,
    session: Option<String>,
}

impl Browser {
    /// `None`, aloud, if there is none.
    fn open(url: &str) -> Option<Self> {
        let profile = folder();
        let user_data = format!("--user-data-dir={}", profile.display());
        let flags = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--remote-debugging-pipe",
            user_data.as_str(),
        ];
        let programs = ["chromium", "chromium-browser", "google-chrome"];
        let Some(program) = programs.into_iter().find(|program| is_installed(program)) else {
            eprintln!("skipped: Chromium is not installed");
            return None;
        };
        // It reads commands from descriptor 3 and writes answers to 4.
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 >/dev/null", program])
            .args(flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let commands = child.stdin.take().expect("a pipe");
        let answers = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut browser = Self { child, profile, commands, answers, number: 0, session: None };
        let target = browser.call("Target.createTarget", json!({ "url": url }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", attach);
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        Some(browser)
    }

    fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.number += 1;
        let mut message = json!({ "id": self.number, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.commands.write_all(format!("{message}\0").as_bytes()).expect("it runs");
        loop {
            let mut answer = Vec::new();
            self.answers.read_until(0, &mut answer).expect("it runs");
            assert_eq!(answer.pop(), Some(0), "the browser has ended");
            let answer: Value = serde_json::from_slice(&answer).expect("valid JSON");
            if answer["id"] == self.number {
                if answer["error"]["message"] == "Execution context was destroyed." {
                    // The empty page has given way to ours.
                    return self.call(method, parameters);
                }
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
        }
    }

    /// The value of an expression, which may be a promise.
    fn evaluate(&mut self, expression: &str) -> Value {
        let parameters =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let found = self.call("Runtime.evaluate", parameters);
        assert!(found["exceptionDetails"].is_null(), "{expression}: {found}");
        found["result"]["value"].clone()
    }

    /// Waits until a condition of the page holds.
    fn wait(&mut self, condition: &str) {
        let promise = format!(
            "new Promise(done => {{ const look = () => {{ if ({condition}) done(true); else setTimeout(look, 20); }}; look(); }})"
        );
        assert_eq!(self.evaluate(&promise), true);
    }
}

fn is_installed(program: &str) -> bool {
    let mut asked = Command::new(program);
    asked.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    asked.status().is_ok_and(|status| status.success())
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

#[test]
fn the_live_page_in_chromium() {
    let (sender, receiver) = mpsc::channel();
    let sockets = folder();
    // A name that would be markup, and run a script.
    let hostile = sockets.join("<img src=x onerror=document.broken=1>");
    let program = Program::start(true, move |reactor: &Reactor| {
        let endpoint = "127.0.0.1:0".parse().expect("an endpoint");
        let page = inspect::serve_dashboard(reactor, &endpoint, WebConfig::default());
        reactor.listen_unix(hostile.as_path(), |_: &Peer| Echo).expect("a socket");
        let at = page.expect("it is loopback").local().socket_addr();
        sender.send(at.expect("a TCP address")).expect("the test waits");
    });
    let at = receiver.recv().expect("it starts");
    let client = program.client(100);
    let peer = client.local_addr().expect("it is open").to_string();
    let Some(mut browser) = Browser::open(&format!("http://{at}/")) else { return };
    browser.wait("document.readyState === 'complete' && document.getElementById('state')?.textContent === 'live'");
    // Told by the stream of events.
    browser.wait("Number(document.getElementById('connections').textContent) >= 2");
    browser.wait("document.querySelectorAll('#shards tbody tr').length === 1");
    browser.wait("document.querySelectorAll('#ports tbody tr').length === 4");
    let ports = browser.evaluate("document.getElementById('ports').innerText");
    let ports = ports.as_str().expect("a text");
    assert!(ports.contains(&program.echo.to_string()) && ports.contains("<img src=x"), "{ports}");
    // The list, filtered to the client.
    let row = format!(
        "[...document.querySelectorAll('#list tbody tr')].find(row => row.innerText.includes('{peer}'))"
    );
    browser.wait(&format!("Boolean({row})"));
    let text = browser.evaluate(&format!("{row}.innerText"));
    let text = text.as_str().expect("a text");
    assert!(text.contains("100 B") && text.contains("Echo"), "{text}");
    // One connection in detail; it is paused and resumed there.
    browser.evaluate(&format!("{row}.click()"));
    browser.wait("document.getElementById('detail').open");
    for action in ["pause", "resume"] {
        browser.evaluate(&format!("document.querySelector('[data-action={action}]').click()"));
        let done =
            format!("document.getElementById('detail-message').textContent === 'Done: {action}.'");
        browser.wait(&done);
        let by = if action == "pause" { "user" } else { "nobody" };
        browser.wait(&format!("document.getElementById('detail-rows').innerText.includes('{by}')"));
    }
    // Closing asks first.
    browser.evaluate(
        "window.confirm = () => true; document.querySelector('[data-action=close]').click()",
    );
    browser.wait("document.getElementById('detail-message').textContent.includes('gone') || document.getElementById('detail-message').textContent.includes('Done')");
    assert_eq!(browser.evaluate("document.broken === undefined"), true);
    drop(browser);
    let _ = std::fs::remove_dir_all(sockets);
}
