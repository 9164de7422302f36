//! Services on a real reactor: child processes, and jobs on threads.

#![cfg(unix)]

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    process::Command,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Poll, Waker},
    time::Duration,
};

use sinew_application::{BlockingService, ProcessService, Service, StartError, StopFlag};
use sinew_reactor::{Reactor, Signal};

#[path = "../../tests/support/watchdog.rs"]
mod watchdog;

/// Lines of output, and a way to wait for them.
#[derive(Clone, Default)]
struct Lines {
    lines: Rc<RefCell<Vec<(String, bool)>>>,
    waker: Rc<Cell<Option<Waker>>>,
}

impl Lines {
    fn push(&self, line: &str, is_error: bool) {
        self.lines.borrow_mut().push((line.to_owned(), is_error));
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    async fn wait_for(&self, lines: usize) {
        poll_fn(|context| {
            if self.lines.borrow().len() >= lines {
                return Poll::Ready(());
            }
            self.waker.set(Some(context.waker().clone()));
            Poll::Pending
        })
        .await;
    }
}

fn shell(script: &'static str) -> (ProcessService, Lines) {
    let lines = Lines::default();
    let collected = lines.clone();
    let service = ProcessService::new(move || {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    })
    .delay(Duration::from_millis(1), Duration::from_millis(4))
    .output(move |line, is_error| collected.push(line, is_error));
    (service, lines)
}

#[test]
fn program_that_exits_is_started_again_and_its_lines_are_collected() {
    watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let (service, lines) = shell("echo out; echo err >&2; printf unfinished; exit 3");
    service.start(&reactor).unwrap();
    assert!(matches!(service.start(&reactor), Err(StartError::AlreadyStarted)));
    let (running, collected) = (service.clone(), lines.clone());
    let weak = reactor.downgrade();
    let done = async move {
        collected.wait_for(9).await;
        let stopped = running.stop(&weak.upgrade().unwrap());
        stopped.await
    };
    reactor.run_until(done).unwrap().unwrap();
    assert!(service.starts() >= 3, "{service:?}");
    let lines = lines.lines.borrow();
    for expected in [("out", false), ("err", true), ("unfinished", false)] {
        assert!(lines.iter().any(|(line, error)| (line.as_str(), *error) == expected));
    }
    assert!(service.process().is_none());
}

#[test]
fn stop_asks_and_then_kills() {
    for (script, signal) in [
        ("echo up; exec sleep 1000", Signal::TERM),
        ("trap '' TERM; echo up; while :; do sleep 1000; done", Signal::KILL),
    ] {
        watchdog::watch_this_test();
        let reactor = Reactor::new().unwrap();
        let (service, lines) = shell(script);
        let service = service.grace(Duration::from_millis(50));
        service.start(&reactor).unwrap();
        let (running, weak) = (service.clone(), reactor.downgrade());
        let status = async move {
            lines.wait_for(1).await;
            let process = running.process().unwrap();
            running.stop(&weak.upgrade().unwrap()).await.unwrap();
            process.status().unwrap()
        };
        let status = reactor.run_until(status).unwrap();
        assert_eq!(status.signal(), Some(signal), "{script}");
        assert_eq!(service.starts(), 1);
    }
}

#[test]
fn program_that_does_not_exist_fails_the_start() {
    watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let service = ProcessService::new(|| Command::new("/no such/program"));
    let error = service.start(&reactor).unwrap_err().to_string();
    assert_eq!(error, "could not find the program \"/no such/program\"");
}

#[test]
fn program_that_vanishes_is_tried_again() {
    watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let calls = Rc::new(Cell::new(0));
    let (counted, lines) = (calls.clone(), Lines::default());
    let collected = lines.clone();
    let service = ProcessService::new(move || {
        counted.set(counted.get() + 1);
        match counted.get() {
            2 => Command::new("/no such/program"),
            3 => panic!("it burns"),
            _ => Command::new("hostname"),
        }
    })
    .delay(Duration::from_millis(1), Duration::from_millis(1))
    .output(move |line, is_error| collected.push(line, is_error));
    service.start(&reactor).unwrap();
    let (running, weak) = (service.clone(), reactor.downgrade());
    let done = async move {
        lines.wait_for(2).await;
        running.stop(&weak.upgrade().unwrap()).await
    };
    reactor.run_until(done).unwrap().unwrap();
    assert!(calls.get() >= 4);
    assert_eq!(u64::from(calls.get() - 2_u32), service.starts());
}

#[test]
fn job_is_told_to_stop() {
    watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let rounds = Arc::new(AtomicUsize::new(0));
    let counted = rounds.clone();
    let service = BlockingService::new(move |stop: &StopFlag| -> Result<(), &str> {
        while !stop.wait(Duration::from_millis(1)) {
            counted.fetch_add(1, Ordering::SeqCst);
        }
        Err("it is reported by the stop")
    });
    service.start(&reactor).unwrap();
    assert!(matches!(service.start(&reactor), Err(StartError::AlreadyStarted)));
    let (running, weak, seen) = (service.clone(), reactor.downgrade(), rounds.clone());
    let stopped = async move {
        loop {
            let reactor = weak.upgrade().unwrap();
            if seen.load(Ordering::SeqCst) > 2 {
                break running.stop(&reactor).await;
            }
            let sleep = reactor.sleep(Duration::from_millis(1));
            drop(reactor);
            sleep.await;
        }
    };
    let error = reactor.run_until(stopped).unwrap().unwrap_err();
    assert_eq!(error.to_string(), "it is reported by the stop");
    assert!(!service.is_running());
}

#[test]
fn job_that_does_not_stop_is_given_up() {
    watchdog::watch_this_test();
    let reactor = Reactor::builder().pool_grace(Duration::ZERO).build().unwrap();
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let service = BlockingService::new(move |_: &StopFlag| -> Result<(), &str> {
        let _ = held.lock().unwrap().recv();
        Ok(())
    })
    .stop_max(Duration::from_millis(5));
    service.start(&reactor).unwrap();
    let (running, weak) = (service.clone(), reactor.downgrade());
    let stopped = async move { running.stop(&weak.upgrade().unwrap()).await };
    let error = reactor.run_until(stopped).unwrap().unwrap_err();
    assert_eq!(error.to_string(), "its job has not returned 5ms after it was told to stop");
    drop(release);
}

#[test]
fn job_that_ends_by_itself_or_panics_is_no_longer_running() {
    watchdog::watch_this_test();
    for panics in [false, true] {
        let reactor = Reactor::new().unwrap();
        let service = BlockingService::new(move |_: &StopFlag| -> Result<(), &str> {
            assert!(!panics, "it burns");
            Ok(())
        });
        service.start(&reactor).unwrap();
        let (running, weak) = (service.clone(), reactor.downgrade());
        let done = async move {
            while running.is_running() {
                let sleep = weak.upgrade().unwrap().sleep(Duration::from_millis(1));
                sleep.await;
            }
            running.stop(&weak.upgrade().unwrap()).await
        };
        reactor.run_until(done).unwrap().unwrap();
    }
}
