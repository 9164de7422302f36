//! Sets of bytes as tables: [`ByteSet`]. For long texts there are the searches of `swar.rs`.

/// Which bytes are in the set.
pub(super) type ByteSet = [bool; 256];

/// ASCII letters, digits, and others.
pub(super) const fn alphanumeric_and(others: &[u8]) -> ByteSet {
    let mut set = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        set[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    let mut at = 0;
    while at < others.len() {
        set[others[at] as usize] = true;
        at += 1;
    }
    set
}

/// The position of the first byte from `start` on that is not in the set, or the length of the input.
#[inline]
pub(super) fn skip(input: &[u8], start: usize, set: &ByteSet) -> usize {
    let skipped = input[start..].iter().take_while(|byte| set[usize::from(**byte)]);
    start + skipped.count()
}
