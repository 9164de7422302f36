//! A slow reading of RFC 1951, bit by bit, which also tells how far back a stream refers. For tests.

/// The payload of a message.
pub(super) enum Payload {
    Plain(Vec<u8>),
    /// With the tail that was cut off.
    Compressed(Vec<u8>),
}

/// The payloads of the messages in frames of a server.
pub(super) fn payloads(mut frames: &[u8]) -> Vec<Payload> {
    let mut found = Vec::new();
    let (mut payload, mut is_compressed) = (Vec::new(), false);
    while let [first, second, rest @ ..] = frames {
        let extra = match second {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let len = match extra {
            0 => usize::from(*second),
            extra => rest[..extra].iter().fold(0, |len, byte| len << 8 | usize::from(*byte)),
        };
        let (data, behind) = rest[extra..].split_at(len);
        frames = behind;
        if first & 8 > 0 {
            continue;
        }
        payload.extend_from_slice(data);
        is_compressed |= first & 0x40 > 0;
        if first & 0x80 > 0 {
            let mut payload = std::mem::take(&mut payload);
            found.push(if std::mem::take(&mut is_compressed) {
                payload.extend_from_slice(&[0, 0, 0xff, 0xff]);
                Payload::Compressed(payload)
            } else {
                Payload::Plain(payload)
            });
        }
    }
    found
}

struct Bits<'a> {
    data: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> Option<usize> {
        let byte = self.data.get(self.at / 8)?;
        let bit = byte >> (self.at % 8) & 1;
        self.at += 1;
        Some(usize::from(bit))
    }

    /// The least significant bit comes first.
    fn number(&mut self, bits: usize) -> Option<usize> {
        (0..bits).try_fold(0, |number, at| Some(number | self.bit()? << at))
    }

    /// A symbol of a code that is given by the length of each symbol (3.2.2). The most significant bit comes first.
    fn symbol(&mut self, lens: &[usize]) -> Option<usize> {
        let (mut code, mut first) = (0, 0);
        for len in 1..=15 {
            code |= self.bit()?;
            let of_len: Vec<_> = (0..lens.len()).filter(|symbol| lens[*symbol] == len).collect();
            if code < first + of_len.len() {
                return of_len.get(code - first).copied();
            }
            first = (first + of_len.len()) << 1;
            code <<= 1;
        }
        None
    }
}

/// The output of a stream, and the largest distance; `None` if it is invalid. `before` is what came before it.
pub(super) fn inflate(stream: &[u8], before: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut bits = Bits { data: stream, at: 0 };
    let mut window = before.to_vec();
    let mut farthest = 0;
    while bits.at / 8 < stream.len() {
        let _is_final = bits.bit()?;
        match bits.number(2)? {
            0 => {
                bits.at = bits.at.next_multiple_of(8);
                let len = bits.number(16)?;
                if bits.number(16)? != !len & 0xffff {
                    return None;
                }
                for _ in 0..len {
                    window.push(bits.number(8)? as u8);
                }
            }
            1 => {
                let literals: Vec<_> = (0..288)
                    .map(|symbol| match symbol {
                        0..144 => 8,
                        144..256 => 9,
                        256..280 => 7,
                        _ => 8,
                    })
                    .collect();
                block(&mut bits, &literals, &[5; 30], &mut window, &mut farthest)?;
            }
            2 => {
                let (literals, distances) = codes(&mut bits)?;
                block(&mut bits, &literals, &distances, &mut window, &mut farthest)?;
            }
            _ => return None,
        }
    }
    Some((window.split_off(before.len()), farthest))
}

/// The codes of a block with dynamic codes (3.2.7).
fn codes(bits: &mut Bits<'_>) -> Option<(Vec<usize>, Vec<usize>)> {
    const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    let (literals, distances) = (bits.number(5)? + 257, bits.number(5)? + 1);
    let count = bits.number(4)? + 4;
    let mut of_lens = [0; 19];
    for place in &ORDER[..count] {
        of_lens[*place] = bits.number(3)?;
    }
    let mut lens = Vec::new();
    while lens.len() < literals + distances {
        let (len, times) = match bits.symbol(&of_lens)? {
            16 => (*lens.last()?, bits.number(2)? + 3),
            17 => (0, bits.number(3)? + 3),
            18 => (0, bits.number(7)? + 11),
            len => (len, 1),
        };
        lens.extend(std::iter::repeat_n(len, times));
    }
    let distances = lens.split_off(literals);
    Some((lens, distances))
}

fn block(
    bits: &mut Bits<'_>,
    literals: &[usize],
    distances: &[usize],
    window: &mut Vec<u8>,
    farthest: &mut usize,
) -> Option<()> {
    loop {
        let symbol = bits.symbol(literals)?;
        let len = match symbol {
            0..256 => {
                window.push(symbol as u8);
                continue;
            }
            256 => return Some(()),
            257..265 => symbol - 254,
            265..285 => {
                let extra = (symbol - 261) / 4;
                ((4 + (symbol - 261) % 4) << extra) + 3 + bits.number(extra)?
            }
            285 => 258,
            _ => return None,
        };
        let symbol = bits.symbol(distances)?;
        let distance = match symbol {
            0..4 => symbol + 1,
            4..30 => {
                let extra = symbol / 2 - 1;
                ((2 + symbol % 2) << extra) + 1 + bits.number(extra)?
            }
            _ => return None,
        };
        *farthest = distance.max(*farthest);
        for _ in 0..len {
            let from = window.len().checked_sub(distance)?;
            window.push(window[from]);
        }
    }
}
