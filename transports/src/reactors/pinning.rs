//! Pinning a thread to a processor, by sched_setaffinity(2).

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
pub(super) use affinity::pin;

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
mod affinity {
    use std::io;

    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    /// Pins the current thread to one of the processors that it may use, chosen by `index`.
    pub(in crate::reactors) fn pin(index: usize) -> io::Result<()> {
        let allowed = sched_getaffinity(None)?;
        let all: Vec<_> = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).collect();
        let mut only = CpuSet::new();
        match all.get(index % all.len().max(1)) {
            Some(cpu) => only.set(*cpu),
            None => return Ok(()),
        }
        Ok(sched_setaffinity(None, &only)?)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn threads_are_spread_over_the_processors_that_the_process_may_use() {
            let allowed = sched_getaffinity(None).expect("it can be read").count() as usize;
            let used = (0..2 * allowed).map(|index| {
                let pinned = std::thread::spawn(move || {
                    pin(index).expect("the processor may be used");
                    sched_getaffinity(None).expect("it can be read")
                });
                let set = pinned.join().expect("it does not panic");
                assert_eq!(set.count(), 1);
                (0..CpuSet::MAX_CPU).find(|cpu| set.is_set(*cpu)).expect("there is one")
            });
            let mut used: Vec<_> = used.collect();
            let second_round = used.split_off(allowed);
            assert_eq!(used, second_round);
            used.dedup();
            assert_eq!(used.len(), allowed);
        }
    }
}

/// This system has no call that pins a thread.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
pub(super) fn pin(_: usize) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}
