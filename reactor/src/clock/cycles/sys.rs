//! Instructions that read the processor's time-stamp counter. `unsafe` because the language has no safe form of them.

/// The counter's value.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn cycles() -> u64 {
    // SAFETY: every x86-64 processor has the instruction, and no system that Rust supports forbids it to programs.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Whether the counter runs at one rate, whatever the clock of the processor does ("invariant TSC").
#[cfg(target_arch = "x86_64")]
#[allow(unused_unsafe, reason = "the call is safe in newer compilers")]
pub(super) fn is_constant() -> bool {
    // SAFETY: every x86-64 processor has the instruction CPUID.
    let leaf = |number| unsafe { core::arch::x86_64::__cpuid(number) };
    leaf(0x8000_0000).eax >= 0x8000_0007 && leaf(0x8000_0007).edx & 1 << 8 != 0
}

/// The counter's frequency in Hz, if the processor tells it.
#[cfg(target_arch = "x86_64")]
pub(super) const fn frequency() -> Option<u64> {
    None
}

/// The counter's value.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
pub(super) fn cycles() -> u64 {
    let value: u64;
    // SAFETY: reads a register that the systems which Rust supports open to programs; changes nothing.
    unsafe {
        core::arch::asm!("mrs {}, cntvct_el0", out(reg) value, options(nomem, nostack, preserves_flags));
    }
    value
}

/// Whether the counter runs at one rate: it is architected.
#[cfg(target_arch = "aarch64")]
pub(super) const fn is_constant() -> bool {
    true
}

/// The counter's frequency in Hz, if the processor tells it.
#[cfg(target_arch = "aarch64")]
pub(super) fn frequency() -> Option<u64> {
    let value: u64;
    // SAFETY: as in `cycles`.
    unsafe {
        core::arch::asm!("mrs {}, cntfrq_el0", out(reg) value, options(nomem, nostack, preserves_flags));
    }
    Some(value)
}
