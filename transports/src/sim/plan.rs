//! Faults that are planned: [`Plan`], in words or built in code.

use std::{collections::BTreeSet, fmt, str::FromStr, time::Duration};

use super::{
    act::Act,
    machine::AcceptFault,
    network::Network,
    world::{Event, HostId},
};

/// Something that goes wrong. Hosts are given by name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// `cut a-b`: nothing gets through between the two.
    Cut(String, String),
    /// `partition a,b|c,d`: nothing gets through between the two sets.
    Partition(Vec<String>, Vec<String>),
    /// `reset a-b`: all connections between the two are reset, once.
    Reset(String, String),
    /// `pause a`: the process of the host stops in its tracks.
    Pause(String),
    /// `kill a`: the process of the host is killed; at the end of the fault the host restarts.
    Kill(String),
    /// `power-off a`: the host is gone without a word; at the end of the fault it restarts.
    PowerOff(String),
    /// `restart a`: the host restarts.
    Restart(String),
    /// `emfile a`, `enfile a`, `econnaborted a`: accepting fails.
    FailAccepts(String, AcceptFault),
}

/// What goes wrong when, and for how long.
///
/// In words, a line (or a part between semicolons) each: `at <time> <fault> [for <time>]`, with times such as `250 ms`, `3 s`,
/// `2 min` and `1 h`. A fault without an end lasts.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sinew_transports::sim::{Fault, Network, Plan};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let plan: Plan = "at 3 s cut a-b for 10 s; at 1 min kill b for 500 ms".parse()?;
/// assert_eq!(plan, Plan::default()
///     .fault(Duration::from_secs(3), Fault::Cut("a".into(), "b".into()), Duration::from_secs(10))
///     .fault(Duration::from_secs(60), Fault::Kill("b".into()), Duration::from_millis(500)));
///
/// let network = Network::new(7);
/// let _hosts = (network.host("a"), network.host("b"));
/// network.plan(&plan)?;
/// network.run_for(Duration::from_secs(120))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Plan {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    at: Duration,
    fault: Fault,
    lasts: Option<Duration>,
}

/// A plan that cannot be understood, or carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// It is not of the form `at <time> <fault> [for <time>]`.
    #[error("{0:?} is not of the form \"at <time> <fault> [for <time>]\"")]
    Form(String),
    /// It is no time.
    #[error("{0:?} is no time, such as 250 ms, 3 s, 2 min or 1 h")]
    Time(String),
    /// There is no such fault.
    #[error("{0:?} is no fault, such as cut a-b or kill a")]
    Fault(String),
    /// The network has no such host.
    #[error("there is no host {0:?}")]
    NoHost(String),
}

impl Plan {
    /// Adds a fault: when it begins, counted from when the plan is given to the network, and how long it lasts (`None`: for
    /// good).
    pub fn fault(mut self, at: Duration, fault: Fault, lasts: impl Into<Option<Duration>>) -> Self {
        self.entries.push(Entry { at, fault, lasts: lasts.into() });
        self
    }
}

impl Network {
    /// Has a plan carried out, from now on.
    ///
    /// # Errors
    ///
    /// [`PlanError::NoHost`], with nothing planned.
    pub fn plan(&self, plan: &Plan) -> Result<(), PlanError> {
        let mut acts = Vec::new();
        for entry in &plan.entries {
            let (act, undo) = self.acts(&entry.fault)?;
            acts.push((entry.at, act));
            if let (Some(lasts), Some(undo)) = (entry.lasts, undo) {
                acts.push((entry.at + lasts, undo));
            }
        }
        let mut world = self.inner.world.borrow_mut();
        acts.into_iter().for_each(|(at, act)| world.schedule_in(at, Event::Do(act)));
        Ok(())
    }

    /// What a fault does, and what undoes it.
    fn acts(&self, fault: &Fault) -> Result<(Act, Option<Act>), PlanError> {
        let host = |name: &String| self.find(name).ok_or_else(|| PlanError::NoHost(name.clone()));
        Ok(match fault {
            Fault::Cut(a, b) => {
                let (a, b) = (host(a)?, host(b)?);
                (Act::Cut(a, b), Some(Act::Join(a, b)))
            }
            Fault::Partition(left, right) => {
                let set = |names: &[String]| {
                    names.iter().map(host).collect::<Result<BTreeSet<HostId>, _>>()
                };
                let (left, right) = (set(left)?, set(right)?);
                (Act::Part(left.clone(), right.clone()), Some(Act::Unite(left, right)))
            }
            Fault::Reset(a, b) => (Act::Reset(host(a)?, host(b)?), None),
            Fault::Pause(a) => (Act::Pause(host(a)?), Some(Act::Resume(host(a)?))),
            Fault::Kill(a) => (Act::Kill(host(a)?), Some(Act::Boot(host(a)?))),
            Fault::PowerOff(a) => (Act::PowerOff(host(a)?), Some(Act::Boot(host(a)?))),
            Fault::Restart(a) => (Act::Boot(host(a)?), None),
            Fault::FailAccepts(a, fault) => {
                (Act::FailAccepts(host(a)?, Some(*fault)), Some(Act::FailAccepts(host(a)?, None)))
            }
        })
    }
}

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
            let (a, b) = whom.split_once('-').ok_or_else(unknown)?;
            Ok((a.trim().to_owned(), b.trim().to_owned()))
        };
        let one = || whom.to_owned();
        Ok(match verb {
            "cut" => two().map(|(a, b)| Self::Cut(a, b))?,
            "reset" => two().map(|(a, b)| Self::Reset(a, b))?,
            "partition" => {
                let (left, right) = whom.split_once('|').ok_or_else(unknown)?;
                let names =
                    |side: &str| side.split(',').map(|name| name.trim().to_owned()).collect();
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
    let millis = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    number.checked_mul(millis).map(Duration::from_millis).ok_or_else(wrong)
}

impl fmt::Display for Plan {
    /// In the words that can be read back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Entry { at, fault, lasts } in &self.entries {
            write!(f, "at {} ms {fault}", at.as_millis())?;
            if let Some(lasts) = lasts {
                write!(f, " for {} ms", lasts.as_millis())?;
            }
            f.write_str("\n")?;
        }
        Ok(())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut(a, b) => write!(f, "cut {a}-{b}"),
            Self::Partition(left, right) => {
                write!(f, "partition {}|{}", left.join(","), right.join(","))
            }
            Self::Reset(a, b) => write!(f, "reset {a}-{b}"),
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

    #[test]
    fn plans_are_written_as_they_are_read() {
        let text = "at 3000 ms cut a-b for 10000 ms\nat 0 ms partition a,b|c\nat 5 ms reset a-c\n\
                    at 5 ms pause a for 1 ms\nat 5 ms kill a\nat 5 ms power-off a\nat 5 ms restart a\n\
                    at 5 ms emfile a for 9 ms\nat 5 ms enfile a\nat 5 ms econnaborted a\n";
        assert_eq!(text.parse::<Plan>().unwrap().to_string(), text);
        let loose: Plan = " at 3s cut a - b for 10 s ;; at 2 min kill a\n".parse().unwrap();
        assert_eq!(loose.to_string(), "at 3000 ms cut a-b for 10000 ms\nat 120000 ms kill a\n");
    }

    #[test]
    fn what_cannot_be_understood_is_named() {
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
