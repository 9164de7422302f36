//! Searches in heads that look at eight bytes at once. Each gives the place of the first byte, from `start` on, that is not of a kind, or
//! the length of the input. Plain arithmetic on `u64` (SWAR): no `unsafe`, and the same on every CPU.

/// A byte in all places of a word.
const fn all(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// The highest bit of each byte, which marks a byte that was found.
const HIGH: u64 = all(0x80);

/// The first byte that is not a visible ASCII character or a blank: behind a usual value of a field, that is the CR.
#[inline]
pub(super) fn end_of_text(input: &[u8], start: usize) -> usize {
    search(input, start, |word| not_between(word, b' '))
}

/// The first byte that is not a visible ASCII character, or is `?` or `#`: behind a path, the question mark or the blank.
#[inline]
pub(super) fn end_of_path(input: &[u8], start: usize) -> usize {
    search(input, start, |word| not_between(word, b'!') | equal(word, b'?') | equal(word, b'#'))
}

/// The same, with question marks taken.
#[inline]
pub(super) fn end_of_query(input: &[u8], start: usize) -> usize {
    search(input, start, |word| not_between(word, b'!') | equal(word, b'#'))
}

/// The first byte that is no ASCII letter and no dash: behind a usual name of a field, the colon.
#[inline]
pub(super) fn end_of_name(input: &[u8], start: usize) -> usize {
    search(input, start, |word| !(letters(word) | between(word, b'-', b'-')) & HIGH)
}

/// The first byte that is no ASCII letter or digit, dash or dot: behind a usual name of a host, the colon of the port.
#[inline]
pub(super) fn end_of_host(input: &[u8], start: usize) -> usize {
    // `-`, `.`, `/` and the digits follow each other.
    let in_hosts = |word| between(word, b'-', b'9') & !equal(word, b'/');
    search(input, start, |word| !(letters(word) | in_hosts(word)) & HIGH)
}

/// `find` marks bytes by their highest bits. Those behind the first may be marked wrongly, for they are not looked at.
#[inline(always)]
fn search(input: &[u8], start: usize, find: impl Fn(u64) -> u64) -> usize {
    let mut at = start;
    while let Some(word) = word_at(input, at) {
        let found = find(word);
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let Some(left) = input.len().checked_sub(at).filter(|left| *left > 0) else { return at };
    // A zero is of no kind, so the search ends behind the last byte.
    at + find(last_word(input, left)).trailing_zeros() as usize / 8
}

#[inline(always)]
fn word_at(input: &[u8], at: usize) -> Option<u64> {
    input.get(at..)?.first_chunk().map(|word| u64::from_le_bytes(*word))
}

/// The last bytes, of which there are 1 to 7, and zeros.
#[inline(always)]
fn last_word(input: &[u8], left: usize) -> u64 {
    match input.last_chunk() {
        Some(word) => u64::from_le_bytes(*word) >> (64 - 8 * left),
        None => input[input.len() - left..]
            .iter()
            .rev()
            .fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

/// Marks what is below `lowest`, above `~`, or no ASCII. Borrows and carries only reach bytes behind one that is marked.
const fn not_between(word: u64, lowest: u8) -> u64 {
    (word.wrapping_sub(all(lowest)) | word | word.wrapping_add(all(1))) & HIGH
}

/// Marks what equals `byte`; behind such a byte, others may be marked, too.
const fn equal(word: u64, byte: u8) -> u64 {
    let zero = word ^ all(byte);
    zero.wrapping_sub(all(1)) & !zero & HIGH
}

/// Marks what lies between two ASCII characters, exactly.
const fn between(word: u64, first: u8, last: u8) -> u64 {
    // Bytes of 7 bits with the eighth to borrow from, and to carry to.
    let low = word & !HIGH;
    let from_first = (low | HIGH) - all(first);
    let behind_last = low + all(0x7f - last);
    from_first & !behind_last & !word & HIGH
}

/// Marks ASCII letters, exactly.
const fn letters(word: u64) -> u64 {
    between(word | all(0x20), b'a', b'z')
}

#[cfg(test)]
mod tests {
    use super::*;

    type Search = fn(&[u8], usize) -> usize;
    type Kind = fn(u8) -> bool;

    #[test]
    fn each_search_finds_the_first_byte_of_another_kind() {
        let cases: [(Search, Kind, u8); 5] = [
            (end_of_text, |byte| matches!(byte, b' '..=b'~'), b'a'),
            (end_of_path, |byte| byte.is_ascii_graphic() && !b"?#".contains(&byte), b'/'),
            (end_of_query, |byte| byte.is_ascii_graphic() && byte != b'#', b'?'),
            (end_of_name, |byte| byte.is_ascii_alphabetic() || byte == b'-', b'-'),
            (end_of_host, |byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte), b'.'),
        ];
        for (search, is_of_kind, filler) in cases {
            for len in 0..20 {
                assert_eq!(search(&vec![filler; len], 0), len);
                for (place, byte) in (0..len).flat_map(|at| (0..=255).map(move |byte| (at, byte))) {
                    let mut input = vec![filler; len];
                    input[place] = byte;
                    for start in 0..=len {
                        let found = is_of_kind(byte) || start > place;
                        assert_eq!(
                            search(&input, start),
                            if found { len } else { place },
                            "{byte} {input:?}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn neighbours_do_not_matter() {
        for (first, second) in
            (0..=255).flat_map(|first| (0..=255).map(move |second| (first, second)))
        {
            let input = [first, second, b'a', b'a', b'a', b'a', b'a', b'a', b'a'];
            let by_byte =
                |is_of_kind: Kind| input.iter().position(|byte| !is_of_kind(*byte)).unwrap_or(9);
            assert_eq!(end_of_text(&input, 0), by_byte(|byte| matches!(byte, b' '..=b'~')));
            assert_eq!(
                end_of_query(&input, 0),
                by_byte(|byte| byte.is_ascii_graphic() && byte != b'#')
            );
            assert_eq!(
                end_of_name(&input, 0),
                by_byte(|byte| byte.is_ascii_alphabetic() || byte == b'-')
            );
            assert_eq!(
                end_of_host(&input, 0),
                by_byte(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
            );
        }
    }
}
