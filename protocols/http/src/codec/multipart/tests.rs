//! Tests of multipart bodies: every split of the input, and errors.

use super::*;

type Parts = Vec<(Option<String>, Vec<u8>)>;

fn decode(content_type: &str, input: &[u8], piece: usize) -> Result<(Parts, bool), MultipartError> {
    let limits = MultipartLimits::default().parts_max(3).head_max(100);
    let mut decoder = Multipart::new(content_type, limits)?;
    let (mut parts, mut is_open) = (Parts::new(), false);
    for piece in input.chunks(piece) {
        let mut rest = piece;
        loop {
            match decoder.decode(&mut rest)? {
                MultipartEvent::Part(head) => {
                    assert!(!std::mem::replace(&mut is_open, true));
                    parts.push((head.name(), Vec::new()));
                }
                MultipartEvent::Data(data) => {
                    assert!(is_open && !data.is_empty());
                    parts.last_mut().unwrap().1.extend_from_slice(data);
                }
                MultipartEvent::PartEnd => assert!(std::mem::replace(&mut is_open, false)),
                MultipartEvent::End | MultipartEvent::Incomplete => break assert!(rest.is_empty()),
            }
        }
    }
    Ok((parts, decoder.finish().is_ok()))
}

const TYPE: &str = "multipart/form-data; boundary=\"-x\"";

#[test]
fn any_split_gives_the_same() {
    let input = b"preamble\r\n--y\r\n---x \t\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\
        one\r\n--two\r\r\n---\r\n---xthree"
        .to_vec();
    // The delimiter inside is followed by text, which is rejected; a valid body decodes to the same parts without it.
    let input = [&input[..input.len() - 5], b"\r\nContent-Disposition: form-data; name=b\r\n\r\n\r\n---x\r\n\r\n\r\r\n\r\n---x--epilogue\r\n---x\r\n"].concat();
    for piece in 1..=input.len() {
        let (parts, is_whole) = decode(TYPE, &input, piece).unwrap();
        assert!(is_whole, "{piece}");
        let expected: Parts = vec![
            (Some("a".into()), b"one\r\n--two\r\r\n---".to_vec()),
            (Some("b".into()), Vec::new()),
            (None, b"\r\r\n".to_vec()),
        ];
        assert_eq!(parts, expected, "{piece}");
    }
}

#[test]
fn a_body_that_begins_with_its_delimiter_and_a_part_without_data() {
    let input = b"---x\r\n\r\n---x\r\nA: b\r\n\r\n---x--";
    for piece in 1..=input.len() {
        let (parts, is_whole) = decode(TYPE, input, piece).unwrap();
        assert_eq!((parts, is_whole), (vec![(None, vec![]), (None, vec![])], true), "{piece}");
    }
}

#[test]
fn data_that_begins_like_a_delimiter() {
    let input = b"---x\r\n\r\n---y--\r\n---x--";
    for piece in 1..=input.len() {
        let (parts, _) = decode(TYPE, input, piece).unwrap();
        assert_eq!(parts, [(None, b"---y--".to_vec())], "{piece}");
    }
}

#[test]
fn rejected_inputs() {
    let long = format!("---x\r\nA: {}\r\n\r\n", "x".repeat(100));
    let many = "---x\r\n\r\na\r\n".repeat(4);
    let fields = format!("---x\r\n{}\r\n", "A:\r\n".repeat(33)).replace("A:", "");
    let cases: [(&[u8], MultipartError); 8] = [
        (b"---xy", MultipartError::BoundaryLine),
        (b"---x\n", MultipartError::BoundaryLine),
        (b"---x-x", MultipartError::BoundaryLine),
        (b"---x\r\nA: b\n\r\n", MultipartError::Head),
        (b"---x\r\nA b\r\n\r\n", MultipartError::Head),
        (b"---x\r\nA: b\r\n c\r\n\r\n", MultipartError::Head),
        (long.as_bytes(), MultipartError::HeadTooLong { max: 100 }),
        (many.as_bytes(), MultipartError::TooManyParts { max: 3 }),
    ];
    for (input, error) in cases {
        for piece in [1, 3, usize::MAX] {
            assert_eq!(decode(TYPE, input, piece).unwrap_err(), error, "{}", input.escape_ascii());
        }
    }
    assert!(decode(TYPE, fields.as_bytes(), 5).is_ok(), "empty heads are no fields");
    for kind in [
        "multipart/form-data",
        "text/plain; boundary=x",
        "multipart/x; boundary=\"\"",
        "multipart/x; boundary=\u{e4}",
    ] {
        assert_eq!(decode(kind, b"", 1).unwrap_err(), MultipartError::Boundary, "{kind}");
    }
    assert_eq!(
        decode(&format!("multipart/x; boundary={}", "x".repeat(71)), b"", 1).unwrap_err(),
        MultipartError::Boundary
    );
    for unfinished in [&b""[..], b"---x", b"---x\r\n\r\nabc", b"---x-"] {
        assert!(!decode(TYPE, unfinished, 1).unwrap().1);
    }
}
