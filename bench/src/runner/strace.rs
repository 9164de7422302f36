//! System calls, counted by `strace -c`.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::tool::{Counts, Wrapper};

/// Suffix of the name of a system call, for the count of its calls that failed.
pub(crate) const FAILED: &str = " failed";

pub(crate) fn wrapper(output: &Path) -> Wrapper {
    let output = output.to_string_lossy();
    Wrapper {
        words: ["strace", "-f", "-c", "-o", &output].map(str::to_owned).to_vec(),
        forks: true,
    }
}

/// Parses the table of `strace -c`: `% time, seconds, usecs/call, calls, errors or nothing, syscall`.
pub(crate) fn parse(table: &str) -> Result<Counts> {
    let mut counts = Counts::new();
    for line in table.lines() {
        let words = line.split_whitespace().collect::<Vec<_>>();
        let (calls, failed, name) = match words[..] {
            [_, _, _, _, "total"] | [_, _, _, _, _, "total"] => continue,
            [share, _, _, calls, name] if is_number(share) => (calls, "0", name),
            [share, _, _, calls, failed, name] if is_number(share) => (calls, failed, name),
            _ => continue,
        };
        let number = |word: &str| word.parse().with_context(|| format!("not a count: `{line}`"));
        counts.insert(name.to_owned(), number(calls)?);
        counts.insert(format!("{name}{FAILED}"), number(failed)?);
    }
    ensure!(!counts.is_empty(), "strace counted nothing");
    Ok(counts)
}

fn is_number(word: &str) -> bool {
    word.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_parsed() -> Result<()> {
        let table = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.012000           1      5000           sendto
 40.00    0.008000           1      5064        64 recvfrom
------ ----------- ----------- --------- --------- ----------------
100.00    0.020000           1     10064        64 total
";
        let counts = parse(table)?;
        let expected =
            [("recvfrom", 5064), ("recvfrom failed", 64), ("sendto", 5000), ("sendto failed", 0)];
        assert_eq!(counts, expected.map(|(name, count)| (name.to_owned(), count)).into());
        Ok(())
    }

    #[test]
    fn an_empty_table_is_an_error() {
        assert!(parse("% time     seconds\n").is_err());
    }
}
