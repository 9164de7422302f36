//! Searches in heads, eight bytes at a time: arithmetic on `u64` (SWAR), without `unsafe` and without CPU features. Each returns the
//! position of the first byte from `start` on that is not in a set, or the length of the input.

/// A word whose eight bytes are equal.
const fn all(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// The highest bit of each byte. The functions below set it in the bytes that they find.
const HIGH: u64 = all(0x80);

/// Skips visible ASCII characters and spaces: after a usual field value, stops at CR.
#[inline]
pub(super) fn end_of_text(input: &[u8], start: usize) -> usize {
    search(input, start, |word| not_between(word, b' '))
}

/// Skips visible ASCII characters other than `?` and `#`: after a path, stops at the question mark or the space.
#[inline]
pub(super) fn end_of_path(input: &[u8], start: usize) -> usize {
    search(input, start, |word| not_between(word, b'!') | equal(word, b'?') | equal(word, b'#'))
}

/// Skips visible ASCII characters other than `#`: after a query, stops at the space.
#[inline]
pub(super) fn end_of_query(input: &[u8], start: usize) -> usize {
    search(input, start, |word| not_between(word, b'!') | equal(word, b'#'))
}

/// Skips ASCII letters and dashes: after a usual field name, stops at the colon.
#[inline]
pub(super) fn end_of_name(input: &[u8], start: usize) -> usize {
    search(input, start, |word| !(letters(word) | between(word, b'-', b'-')) & HIGH)
}

/// Skips ASCII letters, digits, dashes and dots: after a usual host name, stops at the colon of the port, or at CR.
#[inline]
pub(super) fn end_of_host(input: &[u8], start: usize) -> usize {
    // In ASCII, `-`, `.`, `/` and the digits are consecutive.
    let in_hosts = |word| between(word, b'-', b'9') & !equal(word, b'/');
    search(input, start, |word| !(letters(word) | in_hosts(word)) & HIGH)
}

/// `find` sets the highest bit of the first byte that stops the search. Bits after that one may be wrong, since only the first counts.
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
    // The last word is filled up with zeros, which are in no set, so the search stops there.
    at + find(last_word(input, left)).trailing_zeros() as usize / 8
}

#[inline(always)]
fn word_at(input: &[u8], at: usize) -> Option<u64> {
    input.get(at..)?.first_chunk().map(|word| u64::from_le_bytes(*word))
}

/// The last 1 to 7 bytes, followed by zeros.
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

/// Finds bytes below `lowest`, above `~`, or outside ASCII. Borrows and carries only reach bytes after one that is found.
const fn not_between(word: u64, lowest: u8) -> u64 {
    (word.wrapping_sub(all(lowest)) | word | word.wrapping_add(all(1))) & HIGH
}

/// Finds bytes equal to `byte`. After the first, the result may be wrong.
const fn equal(word: u64, byte: u8) -> u64 {
    let zero = word ^ all(byte);
    zero.wrapping_sub(all(1)) & !zero & HIGH
}

/// Finds bytes between two ASCII characters, exactly.
const fn between(word: u64, first: u8, last: u8) -> u64 {
    // Seven bits of each byte. The eighth is there to borrow from or to carry to, so that bytes do not affect each other.
    let low = word & !HIGH;
    let from_first = (low | HIGH) - all(first);
    let behind_last = low + all(0x7f - last);
    from_first & !behind_last & !word & HIGH
}

/// Finds ASCII letters, exactly.
const fn letters(word: u64) -> u64 {
    between(word | all(0x20), b'a', b'z')
}

#[cfg(test)]
mod tests {
    use super::*;

    type Search = fn(&[u8], usize) -> usize;

    /// Each search, the set that it skips, and a byte in it.
    const SEARCHES: [(Search, fn(u8) -> bool, u8); 5] = [
        (end_of_text, |byte| matches!(byte, b' '..=b'~'), b'a'),
        (end_of_path, |byte| byte.is_ascii_graphic() && !b"?#".contains(&byte), b'/'),
        (end_of_query, |byte| byte.is_ascii_graphic() && byte != b'#', b'?'),
        (end_of_name, |byte| byte.is_ascii_alphabetic() || byte == b'-', b'-'),
        (end_of_host, |byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte), b'.'),
    ];

    #[test]
    fn each_search_stops_at_the_first_byte_that_is_not_in_its_set() {
        for (search, is_in_set, filler) in SEARCHES {
            for (len, byte) in (0..20).flat_map(|len| (0..=255).map(move |byte| (len, byte))) {
                let mut input = vec![filler; len];
                assert_eq!(search(&input, 0), len);
                for place in 0..len {
                    input[place] = byte;
                    let expected = if is_in_set(byte) { len } else { place };
                    assert_eq!(search(&input, 0), expected, "{byte} {input:?}");
                    assert_eq!(search(&input, place), expected, "{byte} {input:?}");
                    assert_eq!(search(&input, place + 1), len);
                    input[place] = filler;
                }
            }
        }
    }

    #[test]
    fn neighbours_do_not_affect_each_other() {
        for pair in 0..=u16::MAX {
            let [first, second] = pair.to_le_bytes();
            let input = [first, second, b'a', b'a', b'a', b'a', b'a', b'a', b'a'];
            for (search, is_in_set, _) in SEARCHES {
                let expected = input.iter().position(|byte| !is_in_set(*byte)).unwrap_or(9);
                assert_eq!(search(&input, 0), expected, "{input:?}");
            }
        }
    }
}
