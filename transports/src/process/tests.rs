//! Exit detection by SIGCHLD, forced on systems that have pidfds, too.

use std::{cell::RefCell, process::Command, rc::Rc, time::Duration};

use sinew_reactor::{Engine, Reactor, Signal};

use super::{ExitDetection, Process, ProcessConfig, ProcessProtocol, ProcessStatus, spawn::spawn};

#[derive(Clone, Default)]
struct Ends(Rc<RefCell<Vec<ProcessStatus>>>);

impl ProcessProtocol for Ends {
    fn ended(&mut self, _: &Process, status: &ProcessStatus) {
        self.0.borrow_mut().push(*status);
    }
}

fn start(reactor: &Reactor, ends: &Ends, script: &str) -> Process {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]);
    let config = ProcessConfig::default();
    spawn(reactor, Box::new(ends.clone()), command, config, ExitDetection::Sigchld)
        .expect("a shell")
}

/// With `turn` instead of `run`, so nothing else handles signals.
#[test]
fn exits_are_detected_in_single_turns() {
    for engine in Engine::available() {
        let reactor = Reactor::builder().engine(engine).build().expect("it is available");
        let ends = Ends::default();
        // Its pipes close long before it exits, so only the signal reports the exit.
        start(&reactor, &ends, "exec <&- >&- 2>&-; sleep 0.1; exit 3");
        while ends.0.borrow().is_empty() {
            reactor.turn(Some(Duration::from_secs(30))).expect("the loop turns");
        }
        assert_eq!(*ends.0.borrow(), [ProcessStatus::Exited(3)]);
        assert!(reactor.leak_report().is_empty(), "{}", reactor.leak_report());
    }
}

/// With `run`, and a user's callback for the same signal.
#[test]
fn exits_are_detected_beside_a_users_signal_callback() {
    for engine in Engine::available() {
        let reactor = Reactor::builder().engine(engine).build().expect("it is available");
        let ends = Ends::default();
        let user_signals = Rc::new(RefCell::new(0));
        let count = user_signals.clone();
        reactor
            .on_signal(Signal::CHLD, move |_| *count.borrow_mut() += 1)
            .expect("it can be caught");
        let processes: Vec<_> = (0..20)
            .map(|code| {
                start(&reactor, &ends, &format!("exec <&- >&- 2>&-; sleep 0.05; exit {code}"))
            })
            .collect();
        reactor.call_soon(move |reactor| {
            let reactor = reactor.clone();
            let ended: Vec<_> = processes.iter().map(Process::when_ended).collect();
            let stopper = reactor.clone();
            reactor
                .spawn(async move {
                    for end in ended {
                        end.await.expect("each of them ends");
                    }
                    let _ = stopper.stop();
                })
                .detach();
        });
        reactor.run().expect("it is stopped");
        let mut codes: Vec<_> = ends.0.borrow().iter().filter_map(|end| end.code()).collect();
        codes.sort_unstable();
        assert_eq!(codes, (0..20).collect::<Vec<_>>());
        assert!(*user_signals.borrow() > 0, "the user's own callback is called as before");
    }
}

/// A run is left without a shutdown, and the child exits before the next.
#[test]
fn exits_between_two_runs_are_detected() {
    let reactor = Reactor::new().expect("a reactor");
    let ends = Ends::default();
    let process = start(&reactor, &ends, "exec >&- 2>&-; read line; exit 5");
    reactor.call_soon(|reactor| reactor.crash().expect("it runs"));
    reactor.run().expect("it crashes on purpose");
    process.kill().expect("it runs still");
    // Waits for the exit without reaping.
    let pid = rustix::process::Pid::from_raw(process.pid() as i32);
    let exited = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
    let id = rustix::process::WaitId::Pid(pid.expect("a number"));
    rustix::process::waitid(id, exited).expect("a child of ours");

    process.when_ended().then(|reactor, _| {
        let _ = reactor.stop();
    });
    reactor.run().expect("it is stopped");
    assert_eq!(ends.0.borrow()[0].signal(), Some(Signal::KILL));
}
