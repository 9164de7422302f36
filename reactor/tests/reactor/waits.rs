//! Tests of waits that fail, on every engine: a seccomp filter injects the errors.

use std::{io, sync::mpsc, thread, time::Duration};

use crate::kit::{Log, builder};
use sinew_reactor::{Engine, RunError};

/// The system calls that may wait, with the arguments by which they wait without limit.
const WAITS: &[(libc::c_long, &[(u32, u32)])] = &[
    // A timeout of -1.
    (libc::SYS_epoll_pwait, &[(3, u32::MAX)]),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_epoll_wait, &[(3, u32::MAX)]),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_poll, &[(2, u32::MAX)]),
    // A null pointer for the timeout.
    #[cfg(not(target_arch = "x86_64"))]
    (libc::SYS_epoll_pwait2, &[(3, 0)]),
    (libc::SYS_ppoll, &[(2, 0)]),
    (libc::SYS_pselect6, &[(4, 0)]),
    // At least one completion, and a null pointer for further arguments.
    (libc::SYS_io_uring_enter, &[(2, 1), (4, 0)]),
];

/// Has this thread's calls that would wait without limit fail from now on. `false` if the system does not permit the filter.
fn fail_waits(errno: i32) -> bool {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const ANSWER: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, k, jt, jf| libc::sock_filter { code, jt, jf, k };
    let mut program = Vec::new();
    for &(call, arguments) in WAITS {
        // struct seccomp_data: the number of the call, and from byte 16 on its arguments, whose lower halves are compared.
        let low = if cfg!(target_endian = "little") { 0 } else { 4 };
        let mut to_the_end = 2 * arguments.len() as u8 + 1;
        program.extend([step(LOAD, 0, 0, 0), step(IF_EQUAL, call as u32, 0, to_the_end)]);
        for (argument, value) in arguments {
            to_the_end -= 2;
            program.extend([
                step(LOAD, 16 + 8 * argument + low, 0, 0),
                step(IF_EQUAL, *value, 0, to_the_end),
            ]);
        }
        program.push(step(ANSWER, libc::SECCOMP_RET_ERRNO | errno as u32, 0, 0));
    }
    program.push(step(ANSWER, libc::SECCOMP_RET_ALLOW, 0, 0));
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: the first call takes no pointer; the second gets a pointer to a program that lives until it returns.
    unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0
    }
}

/// Runs `f` on a thread whose waits fail with `errno`.
fn with_failing_waits(errno: i32, f: impl FnOnce() + Send + 'static) {
    let ran = thread::spawn(move || {
        if !fail_waits(errno) {
            return println!("skipped: no seccomp filter: {}", io::Error::last_os_error());
        }
        f();
    });
    ran.join().unwrap();
}

#[test]
fn a_transient_failure_to_wait_does_not_end_the_loop() {
    for engine in Engine::available() {
        for errno in [libc::ENOMEM, libc::EAGAIN] {
            println!("{engine} {errno}");
            with_failing_waits(errno, move || {
                let reactor = builder().engine(engine).wait_retry(Duration::MAX).build().unwrap();
                let remote = reactor.remote();
                let (sender, receiver) = mpsc::channel();
                let caller = thread::spawn(move || {
                    // A call that arrives before the loop waits keeps it from waiting: enough of them that some arrive later.
                    for _ in 0..200 {
                        let sender = sender.clone();
                        remote.call(move |_| sender.send(()).unwrap()).unwrap();
                        receiver.recv().unwrap();
                    }
                    // With a pending timer the wait has a limit, so the filter lets it pass.
                    let in_a_moment = |reactor: &sinew_reactor::Reactor| {
                        reactor.call_later(Duration::from_millis(1), |reactor| {
                            reactor.stop().unwrap();
                        });
                    };
                    remote.call(in_a_moment).unwrap();
                });
                let log = Log::of(|| reactor.run().unwrap());
                caller.join().unwrap();
                let failed = log.iter().filter(|line| line.contains("cannot wait")).count();
                let recovered = log.iter().filter(|line| line.contains("events again")).count();
                assert!(failed >= 1 && failed == recovered, "{log:?}");
            });
        }
    }
}

#[test]
fn a_persistent_failure_to_wait_ends_the_run_and_names_the_call() {
    for engine in Engine::available() {
        with_failing_waits(libc::ENOMEM, move || {
            let builder = builder().engine(engine).wait_retry(Duration::from_millis(20));
            let reactor = builder.build().unwrap();
            let mut ended = Ok(());
            let log = Log::of(|| ended = reactor.run());
            let Err(RunError::Wait(failed)) = ended else { panic!("{engine}: {ended:?}") };
            assert_eq!(failed.cause().raw_os_error(), Some(libc::ENOMEM), "{engine}");
            let expected = match engine {
                Engine::Mio => "epoll_wait",
                Engine::Uring => "io_uring_enter",
                other => other.name(),
            };
            assert_eq!(failed.call(), expected);
            // Logged once, however often it was retried.
            assert_eq!(log.len(), 1, "{log:?}");
            assert!(reactor.stats().turns < 100, "{engine}: {} turns", reactor.stats().turns);
        });
    }
}
