//! Masking (RFC 6455 5.3).

/// How many bytes are masked at a time. The compiler makes vector instructions of it.
const BLOCK: usize = 32;

/// Masks data, or removes the mask, of which so many bytes came before.
pub(super) fn apply_mask(data: &mut [u8], mask: [u8; 4], before: u64) {
    let mut turned = mask;
    turned.rotate_left((before % 4) as usize);
    let mut block = [0; BLOCK];
    for piece in block.chunks_exact_mut(4) {
        piece.copy_from_slice(&turned);
    }
    let (blocks, rest) = data.as_chunks_mut::<BLOCK>();
    for data in blocks {
        for (byte, mask) in data.iter_mut().zip(&block) {
            *byte ^= mask;
        }
    }
    for (byte, mask) in rest.iter_mut().zip(&block) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_length_from_any_place() {
        let mask = [0x12, 0x34, 0x56, 0x78];
        for len in 0..200 {
            for before in 0..9_u64 {
                let plain: Vec<u8> = (0..len).map(|n| n as u8).collect();
                let mut masked = plain.clone();
                apply_mask(&mut masked, mask, before);
                for (at, (masked, plain)) in masked.iter().zip(&plain).enumerate() {
                    assert_eq!(*masked, plain ^ mask[(before as usize + at) % 4]);
                }
            }
        }
    }
}
