//! A terminal for a test: a session of tmux on a server of its own.

use std::process::{Command, Output};

use crate::watchdog::watch_this_test;

pub(crate) struct Tmux(String);

impl Tmux {
    /// Runs a command of the shell in a terminal of this size. `None`, aloud, without tmux.
    pub(crate) fn start(name: &str, width: u16, height: u16, script: &str) -> Option<Self> {
        watch_this_test();
        if Command::new("tmux").arg("-V").output().is_err() {
            eprintln!("skipped: tmux is not installed");
            return None;
        }
        let this = Self(format!("sinew-{}-{name}", std::process::id()));
        let (width, height) = (width.to_string(), height.to_string());
        let size = ["-x", &width, "-y", &height];
        let arguments = [
            &["-f", "/dev/null", "new-session", "-d", "-s", "test"],
            &size[..],
            &["sh", "-c", script],
        ];
        let started = this.tmux(&arguments.concat());
        assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
        Some(this)
    }

    fn tmux(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("tmux");
        // Characters beyond ASCII are shown in any environment.
        command.env("LC_ALL", "C.UTF-8").args(["-u", "-L", &self.0]).args(arguments);
        command.output().expect("tmux can be started")
    }

    pub(crate) fn press(&self, keys: &[&str]) {
        let arguments = [&["send-keys", "-t", "test"], keys].concat();
        assert!(self.tmux(&arguments).status.success());
    }

    pub(crate) fn resize(&self, width: u16, height: u16) {
        let (width, height) = (width.to_string(), height.to_string());
        let arguments = ["resize-window", "-t", "test", "-x", &width, "-y", &height];
        assert!(self.tmux(&arguments).status.success());
    }

    /// What the screen shows.
    pub(crate) fn screen(&self) -> String {
        String::from_utf8_lossy(&self.tmux(&["capture-pane", "-p", "-t", "test"]).stdout)
            .into_owned()
    }

    /// Waits until the screen shows all of this.
    pub(crate) fn wait(&self, texts: &[&str]) -> String {
        loop {
            let screen = self.screen();
            if texts.iter().all(|text| screen.contains(text)) {
                return screen;
            }
        }
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let _ = self.tmux(&["kill-server"]);
    }
}
