//! Decompression of valid and invalid streams: any split gives the same result within the budget, and compressed data
//! decompress to the original.

use sinew::protocols::compression::{Deflate, Flush, Format, Inflate, InflateError, Inflated};

use super::{input::Input, pieces::pieces};

/// The longest stream.
const LEN_MAX: usize = 16 * 1024;

/// The output, and the number of bytes after the end.
type Outcome = (Vec<u8>, Result<usize, InflateError>);

/// `data` holds the format, limits, the lengths of pieces, and the stream.
pub(crate) fn check(data: &mut Input<'_>) {
    let what = data.byte();
    let format = match what & 3 {
        0 | 3 => Format::Gzip,
        1 => Format::Zlib,
        _ => Format::Raw,
    };
    let output_max = u64::from(data.byte()) * 100;
    let ratio_max = Some(u32::from(data.byte())).filter(|ratio| *ratio > 0);
    let cut = data.piece_lens(7);
    let stream = data.bytes(LEN_MAX);

    let inflate = || Inflate::new(format).output_max(output_max);
    let whole = run(inflate(), stream, &[usize::MAX]);
    assert!(whole.0.len() as u64 <= output_max);
    for cut in [&[1][..], &cut] {
        let other = run(inflate(), stream, cut);
        assert_eq!(other.0, whole.0, "{cut:?}");
        // The error text depends on where the error was found.
        let corrupt = |outcome: &Outcome| matches!(outcome.1, Err(InflateError::Corrupt { .. }));
        assert!(other.1 == whole.1 || corrupt(&other) && corrupt(&whole), "{other:?} {whole:?}");
    }
    // A lower limit gives a prefix of the output.
    let narrow = run(inflate().ratio_max(ratio_max), stream, &cut);
    assert!(whole.0.starts_with(&narrow.0));

    let sent = deflate(format, stream, &cut, what & 4 != 0);
    let behind = &b"\0and what lies behind"[..];
    let back = run(Inflate::new(format), &[&sent, behind].concat(), &cut);
    assert!(back == (stream.to_vec(), Ok(behind.len())));
}

fn run(mut inflate: Inflate, stream: &[u8], cut: &[usize]) -> Outcome {
    let (mut output, mut shown) = (Vec::new(), 0);
    for piece in pieces(stream, cut) {
        shown += piece.len();
        let mut input = piece;
        loop {
            match inflate.inflate(&mut input) {
                Ok(Inflated::Output(more)) => {
                    assert!(!more.is_empty() && more.len() <= 16 * 1024);
                    output.extend_from_slice(more);
                }
                Ok(Inflated::Incomplete) => break assert!(input.is_empty()),
                Ok(Inflated::End) => {
                    let behind = stream.len() - shown + input.len();
                    return (output, inflate.finish().map(|()| behind));
                }
                Err(error) => {
                    assert_eq!(inflate.inflate(&mut input), Err(error.clone()), "errors are final");
                    return (output, Err(error));
                }
            }
        }
    }
    let end = inflate.finish().map(|()| 0);
    (output, end)
}

fn deflate(format: Format, plain: &[u8], cut: &[usize], flush: bool) -> Vec<u8> {
    let mut deflate = Deflate::new(format, 1);
    let mut sent = Vec::new();
    let mut put = |mut input: &[u8], flush| {
        while let Some(piece) = deflate.deflate(&mut input, flush) {
            sent.extend_from_slice(piece);
        }
        assert!(input.is_empty());
    };
    for piece in pieces(plain, cut) {
        put(piece, if flush { Flush::Sync } else { Flush::None });
    }
    put(b"", Flush::Finish);
    sent
}
