//! What is wrong in a file, and where: [`Problem`].

use std::{fmt, ops::Range, path::Path};

use sinew::reactor::Excerpt;

/// The longest excerpt of a line that is shown.
const LINE_MAX: usize = 200;

/// Something that is wrong in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Counted from 1, in characters.
    pub(crate) line: usize,
    pub(crate) column: usize,
    /// The table or key, as services.web.listen. Empty for the whole file.
    pub(crate) key: String,
    pub(crate) text: String,
    /// The line, and how many characters of it are meant.
    excerpt: String,
    width: usize,
}

impl Problem {
    pub(crate) fn new(
        source: &str,
        place: Range<usize>,
        key: &str,
        text: impl Into<String>,
    ) -> Self {
        let start = floor(source, place.start);
        let before = &source[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = source[line_start..].lines().next().unwrap_or_default();
        let end = floor(source, place.end.clamp(start, line_start + line.len()).max(start));
        Self {
            line: before.matches('\n').count() + 1,
            column: source[line_start..start].chars().count() + 1,
            key: key.to_owned(),
            text: text.into(),
            excerpt: line.to_owned(),
            width: source[start..end].chars().count().max(1),
        }
    }

    /// For a terminal: the position in the form that editors understand, the text, and the line with a mark below the place.
    pub(crate) fn show(&self, path: &Path) -> String {
        let gutter = self.line.to_string().len();
        let line = Excerpt::new(&self.excerpt).len_max(LINE_MAX).to_string();
        let mut shown = format!(
            "{}:{}:{}: {self}\n{:gutter$} |\n{} | {line}\n",
            Excerpt::path(path),
            self.line,
            self.column,
            "",
            self.line,
        );
        // An escaped character is longer than it was, so the mark would be wrong.
        if line == self.excerpt {
            let mark = "^".repeat(self.width);
            shown += &format!("{:gutter$} | {:indent$}{mark}\n", "", "", indent = self.column - 1);
        }
        shown
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "{}: ", Excerpt::new(&self.key))?;
        }
        f.write_str(&self.text)
    }
}

/// The last boundary of characters up to `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_characters_of_lines() {
        let source = "a = 1\nä = \"ö\" # x\nlast";
        for (place, line, column, width) in [
            (0..1, 1, 1, 1),
            (4..5, 1, 5, 1),
            (6..8, 2, 1, 1),
            (11..15, 2, 5, 3),
            (11..99, 2, 5, 7),
            (20..20, 3, 1, 1),
            (22..22, 3, 3, 1),
            (99..120, 3, 5, 1),
        ] {
            let problem = Problem::new(source, place.clone(), "", "text");
            assert_eq!(
                (problem.line, problem.column, problem.width),
                (line, column, width),
                "{place:?}"
            );
        }
    }

    #[test]
    fn shows_the_line_with_a_mark() {
        let problem = Problem::new("[log]\nlevel = 5\n", 14..15, "log.level", "not a level");
        let expected = "x.toml:2:9: log.level: not a level\n  |\n2 | level = 5\n  |         ^\n";
        assert_eq!(problem.show(Path::new("x.toml")), expected);
    }
}
