//! What is left of a file name that a stranger has chosen: [`safe_file_name`]. Pure.

/// Longest name, so that an ending fits behind it.
const NAME_MAX: usize = 200;

/// The last part of a path, as a name that is safe in any folder of any system: without separators, control characters and other
/// invisible ones, and without what Windows or a shell takes for something else; not hidden, at most 200 bytes long. `None` if nothing is
/// left.
///
/// # Examples
///
/// ```
/// use sinew_chat::irc::codec::safe_file_name;
///
/// assert_eq!(safe_file_name(b"../../etc/passwd").as_deref(), Some("passwd"));
/// assert_eq!(safe_file_name(b"C:\\x\\..bashrc").as_deref(), Some("bashrc"));
/// assert_eq!(safe_file_name(b"nul.txt").as_deref(), Some("_nul.txt"));
/// assert_eq!(safe_file_name(b"..").as_deref(), None);
/// ```
#[must_use]
pub fn safe_file_name(name: &[u8]) -> Option<String> {
    let name = name.rsplit(|byte| matches!(byte, b'/' | b'\\')).next().unwrap_or_default();
    let name = String::from_utf8_lossy(name);
    let safe: String =
        name.chars()
            .filter(|letter| !letter.is_control() && !is_invisible(*letter))
            .map(|letter| {
                if matches!(letter, ':' | '*' | '?' | '"' | '<' | '>' | '|') { '_' } else { letter }
            })
            .collect();
    // A dash would make it an option, a dot hides it, and Windows ignores dots and spaces at the end.
    let safe = safe.trim_start_matches(['.', ' ', '-', '~']).trim_end_matches(['.', ' ']);
    let mut safe = cut(safe).to_owned();
    if safe.is_empty() {
        return None;
    }
    if is_device(&safe) {
        safe.insert(0, '_');
    }
    Some(cut(&safe).to_owned())
}

/// The front that is short enough, at a character.
fn cut(name: &str) -> &str {
    let mut end = name.len().min(NAME_MAX);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name[..end].trim_end_matches(['.', ' '])
}

/// Marks of direction and characters without width, which make a name look like another one.
const fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Whether Windows takes it for a device, whatever its ending is.
fn is_device(name: &str) -> bool {
    let front = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let is_numbered = |front: &str| {
        let mut letters = front.chars();
        matches!(letters.next(), Some('0'..='9' | '¹' | '²' | '³')) && letters.next().is_none()
    };
    matches!(front.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" | "CLOCK$")
        || front.strip_prefix("COM").is_some_and(is_numbered)
        || front.strip_prefix("LPT").is_some_and(is_numbered)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dcc_path_traversal() {
        for (name, expected) in [
            ("a.txt", Some("a.txt")),
            ("/etc/passwd", Some("passwd")),
            ("../../.ssh/authorized_keys", Some("authorized_keys")),
            ("..\\..\\boot.ini", Some("boot.ini")),
            ("a/..", None),
            ("a/", None),
            ("..", None),
            (".", None),
            ("...", None),
            ("", None),
            (" ", None),
            (".bashrc", Some("bashrc")),
            ("-rf", Some("rf")),
            ("~", None),
            ("c:autoexec.bat", Some("c_autoexec.bat")),
            ("a\0b\n\x1b[2Jc", Some("ab[2Jc")),
            ("a\u{202e}txt.exe", Some("atxt.exe")),
            ("a\u{61c}b\u{e0041}", Some("ab")),
            ("CON", Some("_CON")),
            ("com1.txt", Some("_com1.txt")),
            ("com¹", Some("_com¹")),
            ("com10", Some("com10")),
            ("lpt9 .x", Some("_lpt9 .x")),
            ("a.txt. .", Some("a.txt")),
            ("a:stream", Some("a_stream")),
            ("caf\u{e9} 1.txt", Some("caf\u{e9} 1.txt")),
        ] {
            assert_eq!(safe_file_name(name.as_bytes()).as_deref(), expected, "{name:?}");
        }
        assert_eq!(safe_file_name(b"a\xffb").as_deref(), Some("a\u{fffd}b"));
        let long = safe_file_name("é".repeat(300).as_bytes()).unwrap();
        assert_eq!(long.len(), 200);
    }

    proptest! {
        #[test]
        fn it_stays_in_its_folder(name: Vec<u8>) {
            if let Some(safe) = safe_file_name(&name) {
                let path = std::path::Path::new(&safe);
                prop_assert_eq!(path.components().count(), 1);
                prop_assert_eq!(path.file_name().and_then(|name| name.to_str()), Some(safe.as_str()));
                prop_assert!(safe.len() <= 200 && !safe.starts_with('.'));
                prop_assert_eq!(safe_file_name(safe.as_bytes()), Some(safe));
            }
        }
    }
}
