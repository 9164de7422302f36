//! The output of a program, as lines: [`Lines`]. Pure. Holds a buffer only while a line is unfinished.

use super::LINE_MAX;

/// The unfinished line of one stream.
#[derive(Debug, Default)]
pub(super) struct Lines {
    unfinished: Vec<u8>,
}

impl Lines {
    /// Calls `f` with each line that `data` ends.
    pub(super) fn push(&mut self, data: &[u8], mut f: impl FnMut(&str)) {
        for part in data.split_inclusive(|byte| *byte == b'\n') {
            let mut rest = part;
            while self.unfinished.len() + rest.len() > LINE_MAX {
                let (now, later) = rest.split_at(LINE_MAX - self.unfinished.len());
                if later == b"\n" {
                    break;
                }
                self.unfinished.extend_from_slice(now);
                self.emit(&mut f);
                rest = later;
            }
            self.unfinished.extend_from_slice(rest);
            if self.unfinished.ends_with(b"\n") {
                self.emit(&mut f);
            }
        }
        if self.unfinished.is_empty() {
            self.unfinished = Vec::new();
        }
    }

    /// Calls `f` with what follows the last line's end.
    pub(super) fn finish(&mut self, mut f: impl FnMut(&str)) {
        if !self.unfinished.is_empty() {
            self.emit(&mut f);
        }
        self.unfinished = Vec::new();
    }

    fn emit(&mut self, f: &mut impl FnMut(&str)) {
        let line = self.unfinished.strip_suffix(b"\n").unwrap_or(&self.unfinished);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        f(&String::from_utf8_lossy(line));
        self.unfinished.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(parts: &[&[u8]]) -> Vec<String> {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        for part in parts {
            lines.push(part, |line| found.push(line.to_owned()));
        }
        lines.finish(|line| found.push(line.to_owned()));
        assert_eq!(lines.unfinished.capacity(), 0);
        found
    }

    #[test]
    fn lines_are_the_same_however_they_arrive() {
        let text = b"one\r\n\ntwo \xff\nthree";
        let expected = ["one", "", "two \u{fffd}", "three"];
        assert_eq!(lines(&[text]), expected);
        for at in 0..=text.len() {
            let (a, b) = text.split_at(at);
            assert_eq!(lines(&[a, b]), expected, "split at {at}");
        }
        let bytes: Vec<_> = text.chunks(1).collect();
        assert_eq!(lines(&bytes), expected);
    }

    #[test]
    fn long_lines_come_in_parts() {
        let long = vec![b'x'; 2 * LINE_MAX + 5];
        let found = lines(&[&long, b"\nend\n"]);
        let lens: Vec<_> = found.iter().map(String::len).collect();
        assert_eq!(lens, [LINE_MAX, LINE_MAX, 5, 3]);
        let exact = [&vec![b'x'; LINE_MAX][..], b"\n"].concat();
        assert_eq!(lines(&[&exact]).len(), 1);
    }
}
