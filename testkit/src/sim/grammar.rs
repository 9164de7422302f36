//! Parsing and printing of fault plans: `at 3 s cut a-b for 10 s`. Pure.

use std::{fmt, str::FromStr, time::Duration};

use super::{
    node::AcceptFault,
    plan::{Entry, Fault, Plan, PlanError},
};

/// Units of time, in nanoseconds.
const UNITS: [(&str, u64); 6] = [
    ("h", 3_600_000_000_000),
    ("min", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

impl FromStr for Plan {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Self, PlanError> {
        let lines = text.split(['\n', ';']).map(str::trim).filter(|line| !line.is_empty());
        Ok(Self { entries: lines.map(str::parse).collect::<Result<_, _>>()? })
    }
}

impl FromStr for Entry {
    type Err = PlanError;

    fn from_str(line: &str) -> Result<Self, PlanError> {
        let form = || PlanError::Form(line.to_owned());
        let rest = line.strip_prefix("at ").ok_or_else(form)?.trim_start();
        let unit_end = rest
            .find(|c: char| c.is_ascii_alphabetic())
            .and_then(|start| Some(start + rest[start..].find(' ')?))
            .ok_or_else(form)?;
        let (at, rest) = rest.split_at(unit_end);
        let (fault, lasts) = match rest.split_once(" for ") {
            Some((fault, lasts)) => (fault, Some(time(lasts)?)),
            None => (rest, None),
        };
        Ok(Self { at: time(at)?, fault: fault.trim().parse()?, lasts })
    }
}

impl FromStr for Fault {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Self, PlanError> {
        let unknown = || PlanError::Fault(text.to_owned());
        let (verb, whom) = text.split_once(' ').ok_or_else(unknown)?;
        let whom = whom.trim();
        let two = || {
            // Spaces around the hyphen allow hyphens in names: `cut web-1 - web-2`.
            let parts = whom.split_once(" - ").or_else(|| whom.split_once('-'));
            let (a, b) = parts.ok_or_else(unknown)?;
            Ok((a.trim().to_owned(), b.trim().to_owned()))
        };
        let one = || whom.to_owned();
        Ok(match verb {
            "cut" if whom.contains('>') => {
                let (from, to) = whom.split_once('>').ok_or_else(unknown)?;
                Self::CutWay(from.trim().to_owned(), to.trim().to_owned())
            }
            "cut" => two().map(|(a, b)| Self::Cut(a, b))?,
            "reset" => two().map(|(a, b)| Self::Reset(a, b))?,
            "partition" => {
                let (left, right) = whom.split_once('|').ok_or_else(unknown)?;
                let names = |side: &str| {
                    let names = side.split(',').map(str::trim).filter(|name| !name.is_empty());
                    names.map(str::to_owned).collect()
                };
                Self::Partition(names(left), names(right))
            }
            "pause" => Self::Pause(one()),
            "kill" => Self::Kill(one()),
            "power-off" => Self::PowerOff(one()),
            "restart" => Self::Restart(one()),
            "emfile" => Self::FailAccepts(one(), AcceptFault::ProcessLimit),
            "enfile" => Self::FailAccepts(one(), AcceptFault::SystemLimit),
            "econnaborted" => Self::FailAccepts(one(), AcceptFault::Aborted),
            _ => return Err(unknown()),
        })
    }
}

fn time(text: &str) -> Result<Duration, PlanError> {
    let text = text.trim();
    let wrong = || PlanError::Time(text.to_owned());
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let (_, nanos) = UNITS.iter().find(|(name, _)| *name == unit.trim()).ok_or_else(wrong)?;
    number.checked_mul(*nanos).map(Duration::from_nanos).ok_or_else(wrong)
}

/// Displays a duration in the largest unit of which it is a whole multiple.
struct Units(Duration);

impl fmt::Display for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        if nanos == 0 {
            return f.write_str("0 s");
        }
        let whole = UNITS.iter().find(|(_, unit)| nanos.is_multiple_of(u128::from(*unit)));
        let (name, unit) = whole.expect("a whole number of nanoseconds");
        write!(f, "{} {name}", nanos / u128::from(*unit))
    }
}

impl fmt::Display for Plan {
    /// Prints the plan in the form that can be parsed again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entries.iter().try_for_each(|entry| writeln!(f, "{entry}"))
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {} {}", Units(self.at), self.fault)?;
        self.lasts.map_or(Ok(()), |lasts| write!(f, " for {}", Units(lasts)))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let between = |a: &String, b: &String| {
            if a.contains('-') || b.contains('-') { " - " } else { "-" }
        };
        match self {
            Self::Cut(a, b) => write!(f, "cut {a}{}{b}", between(a, b)),
            Self::CutWay(from, to) => write!(f, "cut {from}>{to}"),
            Self::Partition(left, right) => {
                write!(f, "partition {}|{}", left.join(","), right.join(","))
            }
            Self::Reset(a, b) => write!(f, "reset {a}{}{b}", between(a, b)),
            Self::Pause(a) => write!(f, "pause {a}"),
            Self::Kill(a) => write!(f, "kill {a}"),
            Self::PowerOff(a) => write!(f, "power-off {a}"),
            Self::Restart(a) => write!(f, "restart {a}"),
            Self::FailAccepts(a, AcceptFault::ProcessLimit) => write!(f, "emfile {a}"),
            Self::FailAccepts(a, AcceptFault::SystemLimit) => write!(f, "enfile {a}"),
            Self::FailAccepts(a, AcceptFault::Aborted) => write!(f, "econnaborted {a}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Network;

    #[test]
    fn printed_plans_parse_as_the_same_plan() {
        let text = "at 3 s cut a-b for 10 s\nat 0 s partition a,b|c\nat 5 ms reset a-c\n\
                    at 5 us pause a for 1 ns\nat 3600001 us kill a\nat 90 s power-off a\n\
                    at 2 min restart a\nat 1 h emfile a for 9 ms\nat 5 ms enfile a\n\
                    at 5 ms econnaborted a\nat 1 s cut web-1 - web-2\nat 1 s partition |a\n\
                    at 1 s cut a>web-1\n";
        assert_eq!(text.parse::<Plan>().unwrap().to_string(), text);
        let loose: Plan = " at 3000ms cut a - b for 10 s ;; at 120 s kill a\n".parse().unwrap();
        assert_eq!(loose.to_string(), "at 3 s cut a-b for 10 s\nat 2 min kill a\n");
    }

    #[test]
    fn invalid_plans_name_the_offending_part() {
        let error = |text: &str| text.parse::<Plan>().unwrap_err();
        assert_eq!(error("cut a-b"), PlanError::Form("cut a-b".into()));
        assert_eq!(error("at 3 cut a-b"), PlanError::Time("3 cut".into()));
        assert_eq!(error("at 3 s cat a-b"), PlanError::Fault("cat a-b".into()));
        assert_eq!(error("at 3 s cut a"), PlanError::Fault("cut a".into()));
        assert_eq!(error("at 3 s kill a for ever"), PlanError::Time("ever".into()));
        let plan: Plan = "at 3 s kill nobody".parse().unwrap();
        assert_eq!(Network::new(0).plan(&plan), Err(PlanError::NoHost("nobody".into())));
    }
}
