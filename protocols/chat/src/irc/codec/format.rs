//! Formatted text: bold, colours and the like. [`Span`], [`parse_formatting`], [`assemble`], [`strip_formatting`]. Pure.

use super::message_buf::{BuildError, check_line};

const BOLD: u8 = 0x02;
const COLOR: u8 = 0x03;
const HEX_COLOR: u8 = 0x04;
const RESET: u8 = 0x0f;
const MONOSPACE: u8 = 0x11;
const REVERSE: u8 = 0x16;
const ITALIC: u8 = 0x1d;
const STRIKETHROUGH: u8 = 0x1e;
const UNDERLINE: u8 = 0x1f;

/// A colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Color {
    /// One of the palette, 0 to 98: 0 is white, 1 black, 2 blue, 3 green, 4 red, up to 15; the rest depends on the client.
    Palette(u8),
    /// Red, green and blue.
    Rgb(u8, u8, u8),
}

/// How a part of a text looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct Style {
    /// Bold.
    pub bold: bool,
    /// Italic.
    pub italic: bool,
    /// Underlined.
    pub underline: bool,
    /// Struck through.
    pub strikethrough: bool,
    /// In a font whose letters are equally wide.
    pub monospace: bool,
    /// The colours exchanged.
    pub reverse: bool,
    /// The colour of the letters.
    pub foreground: Option<Color>,
    /// The colour behind them. It can be set only with a colour of the letters.
    pub background: Option<Color>,
}

/// A part of a text that looks alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// How it looks.
    pub style: Style,
    /// What it says, without codes.
    pub text: Vec<u8>,
}

impl Span {
    /// A plain text.
    #[must_use]
    pub fn new(text: impl Into<Vec<u8>>) -> Self {
        Self { style: Style::default(), text: text.into() }
    }

    /// The same text in bold.
    #[must_use]
    pub fn bold(mut self) -> Self {
        self.style.bold = true;
        self
    }

    /// The same text in italics.
    #[must_use]
    pub fn italic(mut self) -> Self {
        self.style.italic = true;
        self
    }

    /// The same text underlined.
    #[must_use]
    pub fn underline(mut self) -> Self {
        self.style.underline = true;
        self
    }

    /// The same text in this colour.
    #[must_use]
    pub fn color(mut self, color: Color) -> Self {
        self.style.foreground = Some(color);
        self
    }
}

/// The text without codes of formatting.
///
/// # Examples
///
/// ```
/// use sinew_chat::irc::codec::strip_formatting;
///
/// assert_eq!(strip_formatting(b"\x02bold\x02 and \x0304,01red\x0f"), b"bold and red");
/// ```
#[must_use]
pub fn strip_formatting(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    walk(text, |style_or_byte| {
        if let Step::Byte(byte) = style_or_byte {
            plain.push(byte);
        }
    });
    plain
}

/// The parts of a text, by how they look. Empty parts are left out.
///
/// # Examples
///
/// ```
/// use sinew_chat::irc::codec::{Color, Span, assemble, parse_formatting};
///
/// let spans = [Span::new("status: "), Span::new("failed").bold().color(Color::Palette(4))];
/// let text = assemble(&spans)?;
/// assert_eq!(parse_formatting(&text), spans);
/// # Ok::<(), sinew_chat::irc::codec::BuildError>(())
/// ```
#[must_use]
pub fn parse_formatting(text: &[u8]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut style = Style::default();
    walk(text, |step| match step {
        Step::Style(new) => style = new,
        Step::Byte(byte) => match spans.last_mut().filter(|last| last.style == style) {
            Some(last) => last.text.push(byte),
            None => spans.push(Span { style, text: vec![byte] }),
        },
    });
    spans
}

/// A text of parts, with the codes between them.
///
/// # Errors
///
/// [`BuildError`]: a text has CR, LF, NUL or a code of formatting; a background has no colour of letters, or a colour of the palette is
/// over 98 ([`BuildError::Forbidden`] at the index of the part).
pub fn assemble(spans: &[Span]) -> Result<Vec<u8>, BuildError> {
    let mut text = Vec::new();
    let mut style = Style::default();
    for (at, span) in spans.iter().enumerate() {
        check_line(&span.text)?;
        if let Some(at) = span.text.iter().position(|byte| is_code(*byte)) {
            return Err(BuildError::Forbidden { byte: span.text[at], at });
        }
        if span.text.is_empty() {
            continue;
        }
        if span.style != style {
            write_style(&mut text, at, span, style == Style::default())?;
            style = span.style;
        }
        text.extend_from_slice(&span.text);
    }
    Ok(text)
}

fn write_style(
    out: &mut Vec<u8>,
    at: usize,
    span: &Span,
    is_plain: bool,
) -> Result<(), BuildError> {
    let style = &span.style;
    if !is_plain {
        out.push(RESET);
    }
    for (is_on, code) in [
        (style.bold, BOLD),
        (style.italic, ITALIC),
        (style.underline, UNDERLINE),
        (style.strikethrough, STRIKETHROUGH),
        (style.monospace, MONOSPACE),
        (style.reverse, REVERSE),
    ] {
        if is_on {
            out.push(code);
        }
    }
    let forbidden = |byte| Err(BuildError::Forbidden { byte, at });
    match (style.foreground, style.background) {
        (None, None) => return Ok(()),
        (Some(Color::Palette(front)), None) if front < 99 => {
            out.push(COLOR);
            out.extend_from_slice(format!("{front:02}").as_bytes());
        }
        (Some(Color::Palette(front)), Some(Color::Palette(back))) if front < 99 && back < 99 => {
            out.push(COLOR);
            out.extend_from_slice(format!("{front:02},{back:02}").as_bytes());
        }
        (Some(Color::Rgb(r, g, b)), None) => {
            out.push(HEX_COLOR);
            out.extend_from_slice(format!("{r:02x}{g:02x}{b:02x}").as_bytes());
        }
        (Some(Color::Rgb(r, g, b)), Some(Color::Rgb(x, y, z))) => {
            out.push(HEX_COLOR);
            out.extend_from_slice(
                format!("{r:02x}{g:02x}{b:02x},{x:02x}{y:02x}{z:02x}").as_bytes(),
            );
        }
        // One code sets both, and they are of one kind.
        _ => return forbidden(COLOR),
    }
    if span.text.starts_with(b",") && style.background.is_none() {
        // Bold on and off: else the comma would begin the other colour.
        out.extend_from_slice(&[BOLD, BOLD]);
    }
    Ok(())
}

enum Step {
    Byte(u8),
    Style(Style),
}

fn walk(text: &[u8], mut take: impl FnMut(Step)) {
    let mut style = Style::default();
    let mut rest = text;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            BOLD => style.bold = !style.bold,
            ITALIC => style.italic = !style.italic,
            UNDERLINE => style.underline = !style.underline,
            STRIKETHROUGH => style.strikethrough = !style.strikethrough,
            MONOSPACE => style.monospace = !style.monospace,
            REVERSE => style.reverse = !style.reverse,
            RESET => style = Style::default(),
            COLOR => rest = colors(&mut style, rest, palette),
            HEX_COLOR => rest = colors(&mut style, rest, rgb),
            byte => {
                take(Step::Byte(byte));
                continue;
            }
        }
        take(Step::Style(style));
    }
}

const fn is_code(byte: u8) -> bool {
    matches!(
        byte,
        BOLD | COLOR | HEX_COLOR | RESET | MONOSPACE | REVERSE | ITALIC | STRIKETHROUGH | UNDERLINE
    )
}

/// A colour at the beginning of a text, `Some(None)` for the default one, and what follows it.
type ParseColor = fn(&[u8]) -> Option<(Option<Color>, &[u8])>;

/// One or two colours. Without any, both end.
fn colors<'a>(style: &mut Style, text: &'a [u8], parse: ParseColor) -> &'a [u8] {
    let Some((front, rest)) = parse(text) else {
        (style.foreground, style.background) = (None, None);
        return text;
    };
    style.foreground = front;
    let Some((back, behind)) = rest.strip_prefix(b",").and_then(parse) else { return rest };
    style.background = back;
    behind
}

fn palette(text: &[u8]) -> Option<(Option<Color>, &[u8])> {
    let len = text.iter().take(2).take_while(|byte| byte.is_ascii_digit()).count();
    let number = text[..len].iter().fold(0, |number, digit| number * 10 + (digit - b'0'));
    // 99 is the default of the client.
    let color = Some(Color::Palette(number)).filter(|_| number != 99);
    (len > 0).then_some((color, &text[len..]))
}

fn rgb(text: &[u8]) -> Option<(Option<Color>, &[u8])> {
    let digits = text.get(..6).and_then(|digits| str::from_utf8(digits).ok())?;
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let [_, r, g, b] = u32::from_str_radix(digits, 16).ok()?.to_be_bytes();
    Some((Some(Color::Rgb(r, g, b)), &text[6..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn codes() {
        for (text, expected) in [
            (&b"plain"[..], "plain"),
            (b"\x02a\x02b\x0fc", "abc"),
            (b"\x03a", "a"),
            (b"\x033,4a", "a"),
            (b"\x03123", "3"),
            (b"\x031,a", ",a"),
            (b"\x04ff0000,00FF00a", "a"),
            (b"\x04ff00g", "ff00g"),
            (b"\x1e\x11\x16\x1d\x1fa", "a"),
            (b"\x03", ""),
        ] {
            assert_eq!(strip_formatting(text), expected.as_bytes(), "{text:?}");
        }
        // A look that nothing has is no part.
        assert_eq!(parse_formatting(b"a\x02\x02b\x03\x0304\x03c").len(), 1);
        let spans = parse_formatting(b"\x0304,99a");
        assert_eq!(spans[0].style.foreground, Some(Color::Palette(4)));
        assert_eq!(spans[0].style.background, None);
    }

    #[test]
    fn what_cannot_be_assembled() {
        let mut background = Span::new("a");
        background.style.background = Some(Color::Palette(1));
        for span in [
            Span::new("a\x02b"),
            Span::new("a\nb"),
            Span::new("a").color(Color::Palette(99)),
            background,
        ] {
            assert!(assemble(std::slice::from_ref(&span)).is_err(), "{span:?}");
        }
    }

    fn color() -> impl Strategy<Value = Color> {
        prop_oneof![
            (0_u8..99).prop_map(Color::Palette),
            any::<(u8, u8, u8)>().prop_map(|(r, g, b)| Color::Rgb(r, g, b))
        ]
    }

    fn span() -> impl Strategy<Value = Span> {
        (
            any::<(bool, bool, bool)>(),
            proptest::option::of(color()),
            any::<bool>(),
            "[0-9,a-f ]{1,8}",
        )
            .prop_map(|((bold, italic, reverse), foreground, has_background, text)| {
                let background = foreground.filter(|_| has_background);
                let style =
                    Style { bold, italic, reverse, foreground, background, ..Style::default() };
                Span { style, text: text.into() }
            })
    }

    proptest! {
        #[test]
        fn spans_round_trip(spans in proptest::collection::vec(span(), 0..8)) {
            let text = assemble(&spans).unwrap();
            let plain: Vec<u8> = spans.iter().flat_map(|span| span.text.clone()).collect();
            prop_assert_eq!(strip_formatting(&text), plain);
            let mut joined: Vec<Span> = Vec::new();
            for span in spans {
                match joined.last_mut() {
                    Some(last) if last.style == span.style => last.text.extend(span.text),
                    _ => joined.push(span),
                }
            }
            prop_assert_eq!(parse_formatting(&text), joined);
        }
    }
}
