//! The system's cheapest clock, on Linux: some nanoseconds to read, some milliseconds coarse. `unsafe` because libc's is the
//! only face of it that also works under valgrind.

use std::{mem::MaybeUninit, time::Duration};

/// `CLOCK_MONOTONIC_COARSE` (clock_gettime(2)).
#[inline]
pub(super) fn monotonic_coarse() -> Duration {
    let mut now = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: the pointer is to a live timespec. The call cannot fail for a clock that every Linux has; if it did, the
    // zeroes written above would be read, which are a valid timespec.
    let now = unsafe {
        libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, now.as_mut_ptr());
        now.assume_init()
    };
    Duration::new(now.tv_sec.unsigned_abs().into(), u32::try_from(now.tv_nsec).unwrap_or(0))
}
