//! Cuts a stream into pieces of given lengths, as a network may: [`pieces`].

/// The pieces of a stream, of these lengths in turn. The last one may be shorter; none is empty.
pub(crate) fn pieces<'a>(mut stream: &'a [u8], lens: &[usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut lens = lens.iter().cycle();
    std::iter::from_fn(move || {
        let len = *lens.next()?;
        let (piece, rest) = stream.split_at(len.min(stream.len()));
        stream = rest;
        (!piece.is_empty()).then_some(piece)
    })
}
