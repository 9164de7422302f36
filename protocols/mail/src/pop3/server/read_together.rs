//! Which messages are read in one request: [`choose`], from the commands that wait.

use super::open_maildrop::OpenMaildrop;
use crate::{pop3::codec::Command, store::READ_LEN_MAX};

/// Most bytes of a message that are read at once for TOP, which needs little in most cases.
pub(super) const TOP_LEN: usize = 8 * 1024;

/// How many of the commands that wait are looked at.
const COMMANDS_MAX: usize = 256;

/// The messages that are read together with this one: those of the commands in `following` that want as much of theirs, TOP or RETR, as long
/// as there is room.
pub(super) fn choose(
    maildrop: &OpenMaildrop,
    index: usize,
    is_top: bool,
    following: &[u8],
) -> Vec<usize> {
    let needed = |index| {
        let size = usize::try_from(maildrop.maildrop.size(index)).unwrap_or(usize::MAX);
        match is_top {
            true => Some(size.min(TOP_LEN)),
            // A long one is read in pieces.
            false => (size <= READ_LEN_MAX).then_some(size),
        }
    };
    let mut chosen = Vec::new();
    let Some(mut room) = needed(index).and_then(|needed| READ_LEN_MAX.checked_sub(needed)) else {
        return chosen;
    };
    for line in following.split_inclusive(|byte| *byte == b'\n').take(COMMANDS_MAX) {
        let Some(line) = line.strip_suffix(b"\r\n") else { break };
        let number = match Command::parse(line) {
            Ok(Command::Retr(number)) if !is_top => number,
            Ok(Command::Top { number, .. }) if is_top => number,
            _ => continue,
        };
        let Some(index) = maildrop.index(number) else { continue };
        let Some(left) = needed(index).and_then(|needed| room.checked_sub(needed)) else { break };
        room = left;
        chosen.push(index);
    }
    chosen
}
