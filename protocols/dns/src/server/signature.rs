//! Signatures of queries (TSIG, RFC 8945): [`verify`], and the [`Refusal`] that says what is wrong with one.

use crate::codec::{Outline, TSIG, expand_name, tsig};

/// The TSIG record of a response to a query whose signature is not accepted. It is not signed.
pub(super) struct Refusal {
    /// The name of the key and the algorithm, as they were received.
    names: Vec<u8>,
    code: u16,
}

/// Type, class, TTL and length.
const FIXED_LEN: usize = 10;

/// Time, fudge, an empty signature, identifier, error, and the length of what else there is.
const DATA_LEN: usize = 16;

const BADSIG: u16 = 16;
const BADKEY: u16 = 17;
const BADTIME: u16 = 18;

/// Verifies the signature of a message that was inspected. `None` if it has none.
pub(super) fn verify(
    message: &[u8],
    outline: &Outline,
    keys: &[tsig::TsigKey],
    now: impl FnOnce() -> u64,
) -> Result<Option<(tsig::TsigKey, Vec<u8>)>, Refusal> {
    if outline.last_type != TSIG {
        return Ok(None);
    }
    let refusal = |code| Refusal { names: names(message, outline), code };
    let Ok(Some(name)) = tsig::key_name(message) else { return Err(refusal(BADKEY)) };
    let key = keys.iter().find(|key| *key.name() == name).ok_or_else(|| refusal(BADKEY))?;
    match key.verify(message, None, now()) {
        Ok(mac) => Ok(Some((key.clone(), mac))),
        Err(tsig::TsigError::WrongKey) => Err(refusal(BADKEY)),
        Err(tsig::TsigError::BadTime { .. }) => Err(refusal(BADTIME)),
        Err(_) => Err(refusal(BADSIG)),
    }
}

/// The name of the record, and that of the algorithm in it.
fn names(message: &[u8], outline: &Outline) -> Vec<u8> {
    let mut names = Vec::new();
    let read = outline
        .last_record
        .and_then(|begins| expand_name(message, begins, &mut names))
        .and_then(|end| expand_name(message, end + 10, &mut names));
    // They were inspected; the root stands for one that is not there.
    read.map_or_else(|| vec![0, 0], |_| names)
}

impl Refusal {
    /// Bytes of the record.
    pub(super) fn len(&self) -> usize {
        self.names.len() + FIXED_LEN + DATA_LEN + self.other_len()
    }

    /// The server's time is told to a client whose clock differs.
    fn other_len(&self) -> usize {
        if self.code == BADTIME { 6 } else { 0 }
    }

    /// Appends the record to the message that begins at `base`.
    pub(super) fn append(&self, out: &mut Vec<u8>, base: usize, id: u16, now: u64) {
        let name_len = crate::zone::name::wire_len(&self.names).unwrap_or(1);
        let (name, algorithm) = self.names.split_at(name_len.min(self.names.len()));
        out.extend_from_slice(name);
        out.extend_from_slice(&[0, 250, 0, 255, 0, 0, 0, 0]);
        let other_len = self.other_len();
        let len = algorithm.len() + DATA_LEN + other_len;
        out.extend_from_slice(&u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes());
        out.extend_from_slice(algorithm);
        out.extend_from_slice(&now.to_be_bytes()[2..]);
        // Fudge, and no signature.
        out.extend_from_slice(&300u16.to_be_bytes());
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&id.to_be_bytes());
        out.extend_from_slice(&self.code.to_be_bytes());
        out.extend_from_slice(&(other_len as u16).to_be_bytes());
        out.extend_from_slice(&now.to_be_bytes()[2..2 + other_len]);
        let additionals = &mut out[base + 10..base + 12];
        let count = u16::from_be_bytes([additionals[0], additionals[1]]) + 1;
        additionals.copy_from_slice(&count.to_be_bytes());
    }
}
