//! The environment that instruction counts depend on, beside the code.

use serde::Deserialize;

use crate::machine;

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Environment {
    pub(crate) rustc: String,
    /// The C library selects how it copies memory by the CPU.
    pub(crate) cpu: String,
    pub(crate) libc: String,
    pub(crate) valgrind: String,
}

impl Environment {
    pub(crate) fn here() -> Self {
        let libc = machine::output_of("ldd", &["--version"]);
        Self {
            rustc: machine::output_of("rustc", &["--version"]),
            cpu: machine::cpu_model(),
            libc: libc.lines().next().unwrap_or_default().to_owned(),
            valgrind: machine::output_of("valgrind", &["--version"]),
        }
    }

    /// The differences, one sentence each.
    pub(crate) fn differences(&self, there: &Self) -> Vec<String> {
        let all = [
            ("rustc", &self.rustc, &there.rustc),
            ("CPU", &self.cpu, &there.cpu),
            ("C library", &self.libc, &there.libc),
            ("valgrind", &self.valgrind, &there.valgrind),
        ];
        let different = all.into_iter().filter(|(_, own, other)| own != other);
        different.map(|(what, own, other)| format!("{what} is `{other}`, was `{own}`")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_differences_are_reported() {
        let one = Environment { rustc: "rustc 1".to_owned(), ..Environment::default() };
        let other = Environment { rustc: "rustc 2".to_owned(), ..Environment::default() };
        assert!(one.differences(&one).is_empty());
        assert_eq!(one.differences(&other), ["rustc is `rustc 2`, was `rustc 1`"]);
    }
}
