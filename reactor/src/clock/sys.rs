//! The system's cheapest clock, on Linux: some nanoseconds to read, some milliseconds coarse. `unsafe` because only the
//! call through libc also works under valgrind.

use std::mem::MaybeUninit;

/// `CLOCK_MONOTONIC_COARSE` (clock_gettime(2)), in nanoseconds.
#[inline]
pub(super) fn monotonic_coarse() -> u64 {
    let mut now = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: the pointer is to a live timespec. The call cannot fail for a clock that every Linux has; if it did, the
    // zeroes written above would be read, which are a valid timespec.
    let now = unsafe {
        libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, now.as_mut_ptr());
        now.assume_init()
    };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
