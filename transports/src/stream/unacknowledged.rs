//! Bytes written to a socket that the peer's kernel has not acknowledged, where this kernel can tell.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod sys;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) use sys::unacknowledged;

/// Other systems cannot tell.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) const fn unacknowledged<S>(_: &S) -> usize {
    0
}
