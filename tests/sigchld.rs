//! Child processes while this process ignores signals: SIGCHLD, so that the kernel keeps no exit status, and another one. One test,
//! since signal dispositions are per process.

#![cfg(target_os = "linux")]

#[path = "support/log.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod log;
#[path = "support/watchdog.rs"]
mod watchdog;

use std::{cell::Cell, io, mem, process::Command, ptr, rc::Rc, thread};

use log::Log;
use sinew::{
    prelude::*,
    reactor::{Signal, process::keeps_exit_statuses},
};
use tracing::{Level, dispatcher::set_global_default};
use watchdog::Watchdog;

/// Exits when requested: by then it is watched.
struct Ending(&'static str, Rc<Cell<Option<ProcessStatus>>>);

impl ProcessProtocol for Ending {
    fn started(&mut self, process: &Process) {
        process.write(self.0.as_bytes());
    }

    fn ended(&mut self, process: &Process, status: &ProcessStatus) {
        self.1.set(Some(*status));
        process.reactor().unwrap().stop().expect("it runs");
    }
}

/// The exit status of a shell that runs this line.
fn end_of(engine: Engine, line: &'static str) -> ProcessStatus {
    let reactor = Reactor::builder().engine(engine).build().expect("it is available");
    let status = Rc::default();
    reactor
        .spawn_process(Ending(line, Rc::clone(&status)), Command::new("/bin/sh"))
        .expect("there is a shell");
    reactor.run().expect("it is stopped");
    status.get().expect("it has ended")
}

const SIGNALLED: &str = "kill -TERM $$\n";
const BY_TERM: ProcessStatus =
    ProcessStatus::Signalled { signal: Signal::TERM, core_dumped: false };

#[test]
fn a_lost_exit_status_is_queried_or_explained() {
    let log = Log::default();
    set_global_default(log.subscriber(Level::WARN)).expect("it is the first");
    assert!(keeps_exit_statuses());
    // The ways to ignore it (sigaction(2), POSIX.1-2001).
    for (handler, flags) in [(libc::SIG_IGN, 0), (libc::SIG_DFL, libc::SA_NOCLDWAIT)] {
        set(handler, flags);
        assert!(!keeps_exit_statuses());
        for engine in Engine::available() {
            let _watchdog = Watchdog::new(format!("SIGCHLD is ignored on {engine}"));
            let (exited, signalled) = (end_of(engine, "exit 3\n"), end_of(engine, SIGNALLED));
            if exited == ProcessStatus::Unknown {
                println!("skipped: this kernel does not tell of those that are gone (Linux 6.15)");
            } else {
                assert_eq!((exited, signalled), (ProcessStatus::Exited(3), BY_TERM), "{engine}");
                assert_eq!(log.take(), [""; 0]);
            }
        }
        let _watchdog = Watchdog::new("SIGCHLD is ignored on an older kernel".to_owned());
        let log = log.clone();
        thread::spawn(move || {
            if !as_on_an_older_kernel() {
                return println!("skipped: no seccomp filter: {}", io::Error::last_os_error());
            }
            assert_eq!(end_of(Engine::Mio, "exit 3\n"), ProcessStatus::Unknown);
            let log = log.take().join("\n");
            assert!(log.contains("could not get the exit status of a child"), "{log}");
            assert!(log.contains("this process ignores SIGCHLD"), "{log}");
        })
        .join()
        .expect("as asserted");
        set(libc::SIG_DFL, 0);
    }
    assert_eq!(end_of(Engine::Mio, "exit 3\n"), ProcessStatus::Exited(3));

    // A child ignores nothing that its parent ignores. Signals from 32 on are the C library's, and for real-time use.
    set_for(libc::SIGURG, libc::SIG_IGN, 0);
    let is_none_ignored = "mask=$(sed -n 's/^SigIgn:[^0-9a-f]*/0x/p' /proc/self/status)\n\
                           [ $((mask & 0x7fffffff)) = 0 ] && exit 3; exit 4\n";
    for engine in Engine::available() {
        assert_eq!(end_of(engine, is_none_ignored), ProcessStatus::Exited(3), "{engine}");
    }
}

fn set(handler: libc::sighandler_t, flags: i32) {
    set_for(libc::SIGCHLD, handler, flags);
}

fn set_for(signal: i32, handler: libc::sighandler_t, flags: i32) {
    // SAFETY: zeros are a valid value: no flags, an empty mask, the default handler.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    (action.sa_sigaction, action.sa_flags) = (handler, flags);
    // SAFETY: the pointer is to a live value, whose handler is SIG_DFL or SIG_IGN.
    let answer = unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) };
    assert_eq!(answer, 0, "{}", io::Error::last_os_error());
}

/// Makes PIDFD_GET_INFO (ioctl(2)) fail as unsupported on this thread from now on. `false` if the system does not
/// allow that.
fn as_on_an_older_kernel() -> bool {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const ANSWER: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, k, jt, jf| libc::sock_filter { code, jt, jf, k };
    // struct seccomp_data: the number of the call, and its second argument at byte 24.
    let request = if cfg!(target_endian = "little") { 24 } else { 28 };
    let mut program = [
        step(LOAD, 0, 0, 0),
        step(IF_EQUAL, libc::SYS_ioctl as u32, 0, 4),
        step(LOAD, request, 0, 0),
        // Whatever the size of the structure: 0xff is pidfds, 11 the call.
        step((libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16, 0xffff, 0, 0),
        step(IF_EQUAL, 0xff0b, 0, 1),
        step(ANSWER, libc::SECCOMP_RET_ERRNO | libc::ENOTTY as u32, 0, 0),
        step(ANSWER, libc::SECCOMP_RET_ALLOW, 0, 0),
    ];
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: the first call takes no pointer; that of the second is to a program that lives until it returns.
    unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0
    }
}
