//! A whole program on the virtual clock: the order of its steps, and failures in each.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_application::{Application, ApplicationError, Service, StartError, StopError};
use sinew_reactor::{Deferred, Reactor};

#[path = "../../tests/support/watchdog.rs"]
mod watchdog;

type Log = Rc<RefCell<Vec<&'static str>>>;

struct Noted {
    log: Log,
    fails_at: &'static str,
}

impl Noted {
    fn note(&self, what: &'static str) -> Result<(), &'static str> {
        self.log.borrow_mut().push(what);
        if self.fails_at == what { Err("broken") } else { Ok(()) }
    }
}

impl Service for Noted {
    fn privileged_start(&self, _: &Reactor) -> Result<(), StartError> {
        self.note("privileged").map_err(StartError::other)
    }

    fn start(&self, _: &Reactor) -> Result<(), StartError> {
        self.note("start").map_err(StartError::other)
    }

    fn stop(&self, reactor: &Reactor) -> Deferred<(), StopError> {
        let result = self.note("stop").map_err(StopError::other);
        let (promise, stopped) = reactor.promise();
        let log = self.log.clone();
        reactor.call_later(Duration::from_secs(1), move |_| {
            log.borrow_mut().push("stopped");
            promise.settle(result);
        });
        stopped
    }
}

/// Runs a program in which the step of this name fails, and returns its steps.
fn run(fails_at: &'static str) -> (Result<(), ApplicationError>, Vec<&'static str>) {
    watchdog::watch_this_test();
    let log = Log::default();
    let reactor = Reactor::simulated(1);
    let hooked = log.clone();
    let application = Application::new().after_privileged_start(move |_| {
        hooked.borrow_mut().push("hook");
        match fails_at {
            "hook" => Err("no such user"),
            "panic" => panic!("it burns"),
            _ => Ok(()),
        }
    });
    let service = Noted { log: log.clone(), fails_at };
    application.services().add("noted", service).unwrap();
    let turns = log.clone();
    reactor.call_soon(move |_| turns.borrow_mut().push("turn"));
    reactor.call_later(Duration::from_secs(60), |reactor| reactor.stop().unwrap());
    let result = application.run(&reactor);
    assert!(reactor.leak_report().is_empty());
    (result, log.take())
}

#[test]
fn steps_come_in_their_order() {
    let (result, log) = run("");
    result.unwrap();
    assert_eq!(log, ["privileged", "hook", "start", "turn", "stop", "stopped"]);
}

#[test]
fn failure_in_any_step_stops_what_has_started_and_is_reported() {
    let cases: [(&str, &str, &[&str]); 4] = [
        ("privileged", "could not start: service \"noted\": broken", &["privileged"]),
        (
            "hook",
            "could not start: after the privileged start: no such user",
            &["privileged", "hook"],
        ),
        ("panic", "could not start: after the privileged start: it burns", &["privileged", "hook"]),
        ("start", "could not start: service \"noted\": broken", &["privileged", "hook", "start"]),
    ];
    for (fails_at, text, steps) in cases {
        let (result, log) = run(fails_at);
        assert_eq!(result.unwrap_err().to_string(), text, "{fails_at}");
        let ended: Vec<_> = log.iter().copied().filter(|step| *step != "turn").collect();
        assert_eq!(ended, [steps, &["stop", "stopped"]].concat(), "{fails_at}");
    }
}

#[test]
fn failed_stop_is_reported() {
    let (result, log) = run("stop");
    assert_eq!(
        result.unwrap_err().to_string(),
        "did not stop as it should: service \"noted\": broken"
    );
    assert_eq!(log.last(), Some(&"stopped"));
}
