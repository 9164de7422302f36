//! Signals. They belong to the whole process, so the tests of this binary take turns.

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

static TURN: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn raise(signal: Signal) {
    // SAFETY: raise(3) takes any number; the signals raised here are handled.
    assert_eq!(unsafe { libc::raise(signal.as_raw()) }, 0);
}

/// As another process would: to whichever thread the kernel picks.
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
    // SAFETY: the pointer is to a live value, and nothing is changed.
    let answer = unsafe { libc::sigaction(signal.as_raw(), ptr::null(), action.as_mut_ptr()) };
    assert_eq!(answer, 0, "{}", Error::last_os_error());
    // SAFETY: the call has filled it.
    unsafe { action.assume_init() }.sa_sigaction
}

fn set_handler(signal: Signal, handler: libc::sighandler_t) {
    // SAFETY: the handlers set in these tests are `mine`, SIG_DFL, SIG_IGN, and what was there before.
    unsafe { libc::signal(signal.as_raw(), handler) };
}

static HEARD: AtomicI32 = AtomicI32::new(0);

extern "C" fn mine(signal: libc::c_int) {
    HEARD.store(signal, Ordering::SeqCst);
}

fn mine_as_number() -> libc::sighandler_t {
    mine as extern "C" fn(libc::c_int) as libc::sighandler_t
}

/// With the stop signals.
fn builder() -> Builder {
    kit::builder().stop_signals(true)
}

fn reactors() -> impl Iterator<Item = Reactor> {
    Engine::available().map(|engine| builder().engine(engine).build().unwrap())
}

#[test]
fn sigint_and_sigterm_stop_a_run() {
    let _turn = alone();
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
    let _turn = alone();
    for reactor in reactors() {
        // Sent by a thread when the loop is on its way to sleep, or there.
        reactor.call_soon(|_| drop(thread::spawn(|| kill(own_id(), Signal::TERM))));
        reactor.run().unwrap();
    }
}

#[test]
fn a_second_signal_hurries_the_shutdown() {
    let _turn = alone();
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
fn what_was_there_before_comes_back() {
    let _turn = alone();
    let signals = [Signal::INT, Signal::TERM, Signal::USR1];
    for (n, before) in [libc::SIG_DFL, libc::SIG_IGN, mine_as_number()].into_iter().enumerate() {
        for crash in [false, true] {
            let at_first = signals.map(handler);
            for signal in signals {
                set_handler(signal, before);
            }
            let reactor = builder().build().unwrap();
            reactor.on_signal(Signal::USR1, |_| ()).unwrap();
            assert_eq!(signals.map(handler), [before; 3], "not before the run");
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
fn a_handler_that_somebody_set_meanwhile_stays() {
    let _turn = alone();
    let before = handler(Signal::USR1);
    let reactor = builder().build().unwrap();
    reactor.on_signal(Signal::USR1, |_| ()).unwrap();
    reactor.call_soon(|reactor| {
        set_handler(Signal::USR1, mine_as_number());
        reactor.stop().unwrap();
    });
    reactor.run().unwrap();
    assert_eq!(handler(Signal::USR1), mine_as_number());
    set_handler(Signal::USR1, before);
}

#[test]
fn a_user_is_called_in_every_run_and_may_change_its_mind() {
    let _turn = alone();
    for reactor in reactors() {
        let trail = Trail::default();
        let log = trail.clone();
        let first = move |reactor: &Reactor| {
            log.push("first");
            // In its own callback, and in the middle of a run.
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
fn a_user_may_take_the_place_of_stop() {
    let _turn = alone();
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
fn without_stop_signals_they_are_left_alone() {
    let _turn = alone();
    let reactor = kit::builder().build().unwrap();
    let before = [Signal::INT, Signal::TERM].map(handler);
    reactor.call_soon(move |reactor| {
        assert_eq!([Signal::INT, Signal::TERM].map(handler), before);
        assert_eq!(reactor.stats().handlers, 0);
        // The first signal that is wanted, in the middle of a run.
        reactor.on_signal(Signal::USR1, |reactor| reactor.stop().unwrap()).unwrap();
        raise(Signal::USR1);
    });
    let log = Log::of(|| reactor.run().unwrap());
    assert!(log.is_empty(), "{log:?}");
}

#[test]
fn every_reactor_of_the_process_gets_the_signal() {
    let _turn = alone();
    const REACTORS: usize = 3;
    let heard = Arc::new(AtomicUsize::new(0));
    let ready = Arc::new(Barrier::new(REACTORS + 1));
    let threads = [(); REACTORS].map(|()| {
        let (heard, ready) = (heard.clone(), ready.clone());
        thread::spawn(move || {
            let reactor = builder().build().unwrap();
            let count = move |_: &Reactor| _ = heard.fetch_add(1, Ordering::SeqCst);
            reactor.on_signal(Signal::USR1, count).unwrap();
            reactor.call_soon(move |_| _ = ready.wait());
            reactor.run().unwrap();
        })
    });
    ready.wait();
    kill(own_id(), Signal::USR1);
    while heard.load(Ordering::SeqCst) < REACTORS {
        thread::yield_now();
    }
    kill(own_id(), Signal::TERM);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(heard.load(Ordering::SeqCst), REACTORS);
}

/// More of one than any pipe holds: its callback is called once, and nothing that comes behind it is lost.
#[test]
fn a_flood_of_one_signal_takes_no_other_its_place() {
    let _turn = alone();
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

/// A signal that comes while its callback runs, or right after it was taken, is told in its own right.
#[test]
fn each_signal_is_told_after_it_came() {
    const TIMES: usize = 300;
    let _turn = alone();
    for reactor in reactors() {
        let heard = Count::default();
        let count = heard.clone();
        let call = move |reactor: &Reactor| {
            count.up();
            if count.value() == TIMES {
                return reactor.stop().unwrap();
            }
            // At times by another thread, so that it comes at any moment of this one's way to sleep.
            match count.value() % 2 {
                0 => raise(Signal::USR1),
                _ => drop(thread::spawn(|| kill(own_id(), Signal::USR1))),
            }
        };
        reactor.on_signal(Signal::USR1, call).unwrap();
        reactor.call_soon(|_| raise(Signal::USR1));
        reactor.run().unwrap();
        assert_eq!(heard.value(), TIMES);
    }
}

#[test]
fn a_panic_in_a_callback_is_contained() {
    let _turn = alone();
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
fn what_cannot_be_caught_is_refused() {
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
        let answer = reactor.on_signal(Signal::from_raw(number), |_| ());
        assert_eq!(answer.unwrap_err().kind(), std::io::ErrorKind::InvalidInput, "{number}");
    }
}

#[test]
fn seats_are_given_back() {
    let _turn = alone();
    // More runs than there are seats.
    for _ in 0..200 {
        let reactor = builder().build().unwrap();
        reactor.call_soon(|reactor| reactor.stop().unwrap());
        reactor.run().unwrap();
    }
}

/// A child of fork(2) does with a signal what its parent would have done without a reactor.
#[test]
fn a_forked_child_goes_by_what_was_set_before_and_does_not_disturb_its_parent() {
    let exited = |code: i32| code << 8;
    let _turn = alone();
    let at_first = handler(Signal::USR1);
    for (before, status_expected) in [
        (libc::SIG_DFL, libc::SIGUSR1),
        (libc::SIG_IGN, exited(7)),
        (exit_8 as extern "C" fn(libc::c_int) as libc::sighandler_t, exited(8)),
    ] {
        set_handler(Signal::USR1, before);
        let reactor = builder().build().unwrap();
        let heard = Count::default();
        let count = heard.clone();
        reactor.on_signal(Signal::USR1, move |_| count.up()).unwrap();
        let count = heard.clone();
        reactor.call_soon(move |reactor| {
            // SAFETY: the child does nothing but raise(3) and _exit(2), which are async-signal-safe.
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
        assert_eq!(heard.value(), 0);
        set_handler(Signal::USR1, at_first);
    }
}

extern "C" fn exit_8(_: libc::c_int) {
    // SAFETY: _exit(2) can be called at any time, and does not come back.
    unsafe { libc::_exit(8) }
}

#[test]
fn a_turn_leaves_signals_alone() {
    let _turn = alone();
    let before = handler(Signal::TERM);
    let reactor = builder().build().unwrap();
    let trail = Trail::default();
    let log = trail.clone();
    reactor.call_soon(move |_| {
        assert_eq!(handler(Signal::TERM), before);
        log.push("looked");
    });
    turn_until(&reactor, || trail.len() == 1);
}
