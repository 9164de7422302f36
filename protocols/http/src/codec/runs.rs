//! Kinds of bytes by table, and where a run of one kind ends. `words.rs` has the searches for what is long.

/// Which bytes are of a kind.
pub(super) type Kind = [bool; 256];

/// ASCII letters and digits, and others.
pub(super) const fn alphanumeric_and(others: &[u8]) -> Kind {
    let mut kind = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        kind[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    let mut at = 0;
    while at < others.len() {
        kind[others[at] as usize] = true;
        at += 1;
    }
    kind
}

/// The first byte from `start` on that is not of a kind, or the end.
#[inline]
pub(super) fn end_of_run(input: &[u8], start: usize, kind: &Kind) -> usize {
    let run = input[start..].iter().take_while(|byte| kind[usize::from(**byte)]);
    start + run.count()
}
