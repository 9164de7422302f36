//! Tests of signals. These belong to the whole process, so the tests of this binary run one at a time.

#![cfg(unix)]

mod kit;

use std::{
    io::Error,
    mem::MaybeUninit,
    ptr,
    rc::Rc,
    sync::{
        Arc, Barrier, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI32, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use kit::{Count, Log, Trail, turn_until};
use sinew_reactor::{Builder, Engine, Phase, Promise, Reactor, Signal};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn exclusive() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

fn raise(signal: Signal) {
    // SAFETY: raise(3) takes any number; the signals raised here are handled.
    assert_eq!(unsafe { libc::raise(signal.as_raw()) }, 0);
}

/// Sends it as another process would: to any thread that the kernel picks.
fn kill(process: libc::pid_t, signal: Signal) {
    // SAFETY: kill(2) takes any numbers.
    assert_eq!(unsafe { libc::kill(process, signal.as_raw()) }, 0);
}

fn own_id() -> libc::pid_t {
    std::process::id().try_into().unwrap()
}

/// The handler that is set for a signal.
fn handler(signal: Signal) -> libc::sighandler_t {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: the pointer is to a live value, and the call changes no action.
    let answer = unsafe { libc::sigaction(signal.as_raw(), ptr::null(), action.as_mut_ptr()) };
    assert_eq!(answer, 0, "{}", Error::last_os_error());
    // SAFETY: the call has filled it.
    unsafe { action.assume_init() }.sa_sigaction
}

fn set_handler(signal: Signal, handler: libc::sighandler_t) {
    // SAFETY: the handlers set in these tests are `own_handler`, `exit_8`, SIG_DFL, SIG_IGN, and the previous ones.
    unsafe { libc::signal(signal.as_raw(), handler) };
}

static LAST_SIGNAL: AtomicI32 = AtomicI32::new(0);

extern "C" fn own_handler(signal: libc::c_int) {
    LAST_SIGNAL.store(signal, Ordering::SeqCst);
}

fn own_handler_address() -> libc::sighandler_t {
    own_handler as extern "C" fn(libc::c_int) as libc::sighandler_t
}

/// A builder with stop signals.
fn builder() -> Builder {
    kit::builder().stop_signals(true)
}

fn reactors() -> impl Iterator<Item = Reactor> {
    Engine::available().map(|engine| builder().engine(engine).build().unwrap())
}

#[test]
fn sigint_and_sigterm_stop_a_run() {
    let _guard = exclusive();
    for signal in [Signal::INT, Signal::TERM] {
        for reactor in reactors() {
            let trail = Trail::default();
            let log = trail.clone();
            reactor.on(Phase::AfterShutdown, move |_| log.push("shut down"));
            reactor.call_soon(move |_| kill(own_id(), signal));
            reactor.run().unwrap();
            assert_eq!(trail.take(), ["shut down"]);
        }
    }
}

#[test]
fn a_signal_wakes_a_sleeping_loop() {
    let _guard = exclusive();
    for reactor in reactors() {
        // Sent by a thread when the loop is asleep or about to sleep.
        reactor.call_soon(|_| drop(thread::spawn(|| kill(own_id(), Signal::TERM))));
        reactor.run().unwrap();
    }
}

#[test]
fn a_second_signal_ends_the_wait_of_the_shutdown() {
    let _guard = exclusive();
    let reactor = builder().shutdown_max(Duration::MAX).build().unwrap();
    let kept: Rc<std::cell::RefCell<Option<Promise<()>>>> = Rc::default();
    let keep = kept.clone();
    reactor.on(Phase::BeforeShutdown, move |reactor| {
        let (promise, deferred) = reactor.promise();
        *keep.borrow_mut() = Some(promise);
        raise(Signal::INT);
        deferred
    });
    reactor.call_soon(|_| raise(Signal::INT));
    let log = Log::of(|| reactor.run().unwrap());
    assert!(log.is_empty(), "{log:?}");
    assert!(kept.take().is_some());
}

#[test]
fn previous_handlers_are_restored_after_a_run() {
    let _guard = exclusive();
    let signals = [Signal::INT, Signal::TERM, Signal::USR1];
    let previous = [libc::SIG_DFL, libc::SIG_IGN, own_handler_address()];
    for (n, before) in previous.into_iter().enumerate() {
        for crash in [false, true] {
            let at_first = signals.map(handler);
            for signal in signals {
                set_handler(signal, before);
            }
            let reactor = builder().build().unwrap();
            reactor.on_signal(Signal::USR1, |_| ()).unwrap();
            assert_eq!(signals.map(handler), [before; 3], "changed before the run");
            reactor.call_soon(move |reactor| {
                for signal in signals {
                    assert_ne!(handler(signal), before);
                }
                _ = if crash { reactor.crash() } else { reactor.stop() };
            });
            let log = Log::of(|| reactor.run().unwrap());
            assert!(log.is_empty(), "{log:?}");
            assert_eq!(signals.map(handler), [before; 3], "{n}");
            for (signal, at_first) in signals.into_iter().zip(at_first) {
                set_handler(signal, at_first);
            }
        }
    }
}

#[test]
fn a_handler_set_by_others_during_the_run_stays() {
    let _guard = exclusive();
    let before = handler(Signal::USR1);
    let reactor = builder().build().unwrap();
    reactor.on_signal(Signal::USR1, |_| ()).unwrap();
    reactor.call_soon(|reactor| {
        set_handler(Signal::USR1, own_handler_address());
        reactor.stop().unwrap();
    });
    reactor.run().unwrap();
    assert_eq!(handler(Signal::USR1), own_handler_address());
    set_handler(Signal::USR1, before);
}

#[test]
fn a_signal_callback_works_in_every_run_and_can_be_replaced() {
    let _guard = exclusive();
    for reactor in reactors() {
        let trail = Trail::default();
        let log = trail.clone();
        let first = move |reactor: &Reactor| {
            log.push("first");
            // Replaced in its own callback, and in the middle of a run.
            let log = log.clone();
            let second = move |reactor: &Reactor| {
                log.push("second");
                reactor.stop().unwrap();
            };
            reactor.on_signal(Signal::USR1, second).unwrap();
            reactor.on_signal(Signal::USR2, |_| raise(Signal::USR1)).unwrap();
            raise(Signal::USR2);
        };
        reactor.on_signal(Signal::USR1, first).unwrap();
        reactor.call_soon(|_| raise(Signal::USR1));
        reactor.run().unwrap();
        assert_eq!(trail.take(), ["first", "second"]);
        reactor.call_soon(|_| raise(Signal::USR1));
        reactor.run().unwrap();
        assert_eq!(trail.take(), ["second"]);
    }
}

#[test]
fn a_signal_callback_replaces_stop() {
    let _guard = exclusive();
    let reactor = builder().build().unwrap();
    let trail = Trail::default();
    let log = trail.clone();
    reactor
        .on_signal(Signal::TERM, move |reactor| {
            log.push("not yet");
            if log.len() == 2 {
                reactor.stop().unwrap();
            } else {
                raise(Signal::TERM);
            }
        })
        .unwrap();
    reactor.call_soon(|_| raise(Signal::TERM));
    reactor.run().unwrap();
    assert_eq!(trail.len(), 2);
}

#[test]
fn without_stop_signals_their_handlers_are_not_changed() {
    let _guard = exclusive();
    let reactor = kit::builder().build().unwrap();
    let before = [Signal::INT, Signal::TERM].map(handler);
    reactor.call_soon(move |reactor| {
        assert_eq!([Signal::INT, Signal::TERM].map(handler), before);
        assert_eq!(reactor.stats().handlers, 0);
        // The first signal to be watched, in the middle of a run.
        reactor.on_signal(Signal::USR1, |reactor| reactor.stop().unwrap()).unwrap();
        raise(Signal::USR1);
    });
    let log = Log::of(|| reactor.run().unwrap());
    assert!(log.is_empty(), "{log:?}");
}

#[test]
fn every_reactor_of_the_process_gets_the_signal() {
    let _guard = exclusive();
    const REACTORS: usize = 3;
    let calls = Arc::new(AtomicUsize::new(0));
    let ready = Arc::new(Barrier::new(REACTORS + 1));
    let threads = [(); REACTORS].map(|()| {
        let (calls, ready) = (calls.clone(), ready.clone());
        thread::spawn(move || {
            let reactor = builder().build().unwrap();
            let count = move |_: &Reactor| _ = calls.fetch_add(1, Ordering::SeqCst);
            reactor.on_signal(Signal::USR1, count).unwrap();
            reactor.call_soon(move |_| _ = ready.wait());
            reactor.run().unwrap();
        })
    });
    ready.wait();
    kill(own_id(), Signal::USR1);
    while calls.load(Ordering::SeqCst) < REACTORS {
        thread::yield_now();
    }
    kill(own_id(), Signal::TERM);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(calls.load(Ordering::SeqCst), REACTORS);
}

/// More of one signal than any pipe holds: its callback is called once, and no other signal is lost.
#[test]
fn a_flood_of_one_signal_does_not_displace_others() {
    let _guard = exclusive();
    for reactor in reactors() {
        let (floods, others) = (Count::default(), Count::default());
        let (flood, other) = (floods.clone(), others.clone());
        reactor.on_signal(Signal::USR1, move |_| flood.up()).unwrap();
        reactor.on_signal(Signal::USR2, move |_| other.up()).unwrap();
        reactor.call_soon(|_| {
            (0..70_000).for_each(|_| raise(Signal::USR1));
            raise(Signal::USR2);
            raise(Signal::TERM);
        });
        reactor.run().unwrap();
        assert_eq!((floods.value(), others.value()), (1, 1), "{}", reactor.engine());
    }
}

/// A signal that arrives while its callback runs, or right after it was taken, is reported once more.
#[test]
fn a_signal_during_its_callback_is_reported_again() {
    const TIMES: usize = 300;
    let _guard = exclusive();
    for reactor in reactors() {
        let calls = Count::default();
        let count = calls.clone();
        let call = move |reactor: &Reactor| {
            count.up();
            if count.value() == TIMES {
                return reactor.stop().unwrap();
            }
            // At times by another thread, so that it arrives at any moment of the loop's way to sleep.
            match count.value() % 2 {
                0 => raise(Signal::USR1),
                _ => drop(thread::spawn(|| kill(own_id(), Signal::USR1))),
            }
        };
        reactor.on_signal(Signal::USR1, call).unwrap();
        reactor.call_soon(|_| raise(Signal::USR1));
        reactor.run().unwrap();
        assert_eq!(calls.value(), TIMES);
    }
}

#[test]
fn a_panic_in_a_signal_callback_is_caught() {
    let _guard = exclusive();
    let reactor = builder().build().unwrap();
    reactor.on_signal(Signal::USR1, |_| panic!("boo")).unwrap();
    reactor.call_soon(|_| {
        raise(Signal::USR1);
        raise(Signal::TERM);
    });
    let log = Log::of(|| reactor.run().unwrap());
    let number = Signal::USR1.as_raw();
    let what = format!("the callback of signal {number}");
    assert_eq!(log, [format!("ERROR message=a callback panicked what={what:?} panic=\"boo\"")]);
}

#[test]
fn signals_that_cannot_be_caught_are_refused() {
    let reactor = builder().build().unwrap();
    let refused = [
        libc::SIGKILL,
        libc::SIGSTOP,
        libc::SIGSEGV,
        libc::SIGBUS,
        libc::SIGFPE,
        libc::SIGILL,
        0,
        -1,
        65,
        i32::MAX,
        i32::MIN,
    ];
    for number in refused {
        let result = reactor.on_signal(Signal::from_raw(number), |_| ());
        assert_eq!(result.unwrap_err().kind(), std::io::ErrorKind::InvalidInput, "{number}");
    }
}

#[test]
fn slots_of_the_signal_table_are_released() {
    let _guard = exclusive();
    // More runs than there are slots.
    for _ in 0..200 {
        let reactor = builder().build().unwrap();
        reactor.call_soon(|reactor| reactor.stop().unwrap());
        reactor.run().unwrap();
    }
}

/// In a child of fork(2) a signal has the action that it had in the parent before the reactor.
#[test]
fn a_forked_child_runs_the_previous_action_and_does_not_disturb_its_parent() {
    let exited = |code: i32| code << 8;
    let _guard = exclusive();
    let at_first = handler(Signal::USR1);
    for (before, status_expected) in [
        (libc::SIG_DFL, libc::SIGUSR1),
        (libc::SIG_IGN, exited(7)),
        (exit_8 as extern "C" fn(libc::c_int) as libc::sighandler_t, exited(8)),
    ] {
        set_handler(Signal::USR1, before);
        let reactor = builder().build().unwrap();
        let calls = Count::default();
        let count = calls.clone();
        reactor.on_signal(Signal::USR1, move |_| count.up()).unwrap();
        let count = calls.clone();
        reactor.call_soon(move |reactor| {
            // SAFETY: the child only calls raise(3) and _exit(2), which are async-signal-safe.
            let child = unsafe { libc::fork() };
            if child == 0 {
                // SAFETY: as above.
                unsafe {
                    libc::raise(libc::SIGUSR1);
                    libc::_exit(7);
                }
            }
            assert!(child > 0, "{}", Error::last_os_error());
            let mut status = 0;
            // SAFETY: the pointer is to a live integer.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            assert_eq!(status, status_expected);
            reactor.call_soon(move |reactor| {
                assert_eq!(count.value(), 0);
                reactor.stop().unwrap();
            });
        });
        let log = Log::of(|| reactor.run().unwrap());
        assert!(log.is_empty(), "{log:?}");
        assert_eq!(calls.value(), 0);
        set_handler(Signal::USR1, at_first);
    }
}

extern "C" fn exit_8(_: libc::c_int) {
    // SAFETY: _exit(2) can be called at any time, and does not return.
    unsafe { libc::_exit(8) }
}

#[test]
fn a_turn_does_not_change_signal_handlers() {
    let _guard = exclusive();
    let before = handler(Signal::TERM);
    let reactor = builder().build().unwrap();
    let trail = Trail::default();
    let log = trail.clone();
    reactor.call_soon(move |_| {
        assert_eq!(handler(Signal::TERM), before);
        log.push("checked");
    });
    turn_until(&reactor, || trail.len() == 1);
}

#[test]
fn a_task_receives_every_signal_until_it_drops_the_receiver() {
    let _exclusive = exclusive();
    let (reactor, trail) = (kit::reactor(), Trail::default());
    let log = trail.clone();
    reactor.on_signal(Signal::USR1, move |_| log.push("callback")).unwrap();
    let (handle, log) = (reactor.clone(), trail.clone());
    let received = async move {
        let mut receiver = handle.signal(Signal::USR1).unwrap();
        let mut second = handle.signal(Signal::USR1).unwrap();
        raise(Signal::USR1);
        (&mut receiver).await;
        (&mut second).await;
        log.push("both");
        // It arrives while nothing awaits it.
        raise(Signal::USR1);
        handle.sleep(Duration::from_millis(5)).await;
        receiver.await;
        log.push("one more");
        assert!(format!("{second:?}").contains("SignalReceiver"));
        second.await;
        raise(Signal::USR1);
        while log.len() < 3 {
            handle.sleep(Duration::from_millis(1)).await;
        }
    };
    reactor.run_until(received).unwrap();
    assert_eq!(trail.take(), ["both", "one more", "callback"]);
}

#[test]
fn a_received_stop_signal_does_not_stop_the_run() {
    let _exclusive = exclusive();
    let reactor = Reactor::new().unwrap();
    let handle = reactor.clone();
    let received = async move {
        handle.signal(Signal::TERM).unwrap().await;
        "still here"
    };
    reactor.call_soon(|reactor| reactor.call_soon(|_| raise(Signal::TERM)));
    assert_eq!(reactor.run_until(received).unwrap(), "still here");
}

#[test]
fn a_signal_that_cannot_be_caught_is_refused_by_a_receiver() {
    let _exclusive = exclusive();
    let reactor = kit::reactor();
    assert!(reactor.signal(Signal::KILL).is_err());
}
