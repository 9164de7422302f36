//! `sinew password`: the line that it prints, and the names that it refuses.

use sinew::auth::ScramKeys;

use super::peers::run_with_input;
use crate::kit::sinew;

/// A line of a file of users, for one whose password is the name, with keys that take little time.
pub(super) fn line_of(name: &str) -> String {
    let mut command = sinew(&["password", "--iterations", "4096", name]);
    String::from_utf8(run_with_input(&mut command, name.as_bytes()).stdout).expect("a line")
}

#[test]
fn the_line_of_a_user() {
    let run = |arguments: &[&str], input: &str| {
        let output = run_with_input(sinew(&["password"]).args(arguments), input.as_bytes());
        let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
        (output.status.code(), text)
    };
    for input in ["s\u{e9}cret", "s\u{e9}cret\n", "s\u{e9}cret\r\nmore\n"] {
        let (code, line) = run(&["ann@example.org", "--iterations", "4096"], input);
        let keys = line.trim_end().strip_prefix("ann@example.org:").map(str::parse::<ScramKeys>);
        let keys = keys.unwrap_or_else(|| panic!("{line}")).expect("keys");
        assert_eq!(code, Some(0));
        assert!(keys.is_password("s\u{e9}cret".as_bytes()) && !keys.is_password(b"other"));
    }
    let long = "x".repeat(1025);
    for (name, input, code) in
        [("a:b", "x", 64), ("#a", "x", 64), ("a\nb", "x", 64), ("ann", "", 65), ("ann", &long, 65)]
    {
        let (ended, text) = run(&[name], input);
        assert_eq!(ended, Some(code), "{name:?}: {text}");
    }
}
