//! Apache's variant of FreeBSD's MD5 crypt (`$apr1$`). Pure.

use md5::{Digest as _, Md5};

/// The digits of a hash: 1,000 rounds, as in `apr_md5.c`.
pub(super) fn apr1(password: &[u8], salt: &[u8]) -> String {
    let mut mixed = Md5::digest([password, salt, password].concat());
    let mut first = Md5::new();
    first.update([password, b"$apr1$", salt].concat());
    for piece in password.chunks(16) {
        first.update(&mixed[..piece.len()]);
    }
    let mut bits = password.len();
    while bits > 0 {
        first.update(if bits & 1 == 1 { &[0][..] } else { &password[..1] });
        bits >>= 1;
    }
    mixed = first.finalize();
    for round in 0..1_000 {
        let is_odd = round % 2 == 1;
        let mut hash = Md5::new();
        hash.update(if is_odd { password } else { &mixed });
        if round % 3 != 0 {
            hash.update(salt);
        }
        if round % 7 != 0 {
            hash.update(password);
        }
        hash.update(if is_odd { &mixed[..] } else { password });
        mixed = hash.finalize();
    }
    let mut digits = String::with_capacity(22);
    for [a, b, c] in [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]] {
        let bits = u32::from(mixed[a]) << 16 | u32::from(mixed[b]) << 8 | u32::from(mixed[c]);
        push_digits(&mut digits, bits, 4);
    }
    push_digits(&mut digits, u32::from(mixed[11]), 2);
    digits
}

/// Encodes six bits a digit, the lowest first.
fn push_digits(out: &mut String, mut bits: u32, count: usize) {
    const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    for _ in 0..count {
        out.push(char::from(ALPHABET[(bits & 63) as usize]));
        bits >>= 6;
    }
}
