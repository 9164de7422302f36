//! The file that `sinew config --example` prints: every key, with its help from the command line, so that both say the same.

use std::fmt::Write;

use clap::{Arg, ArgAction, Args, Command};

use crate::{
    arguments::{InspectOptions, Limits, LogOptions, ProcessOptions, ReactorOptions},
    commands::{self, Kind},
};

/// Values for the keys that have no default.
const VALUES: [(&str, &str); 15] = [
    ("max_connections", "10000"),
    ("max_per_ip", "100"),
    ("idle_timeout", "\"5m\""),
    ("file", "\"/var/log/sinew.log\""),
    ("pidfile", "\"/run/sinew.pid\""),
    ("user", "\"nobody\""),
    ("group", "\"nogroup\""),
    ("chroot", "\"/srv/empty\""),
    ("chdir", "\"/\""),
    ("umask", "\"027\""),
    ("status", "\"unix:/run/sinew.sock\""),
    ("metrics", "\"tcp:127.0.0.1:9100\""),
    ("dashboard", "\"tcp:127.0.0.1:9101\""),
    ("users", "\"/etc/sinew/users\""),
    ("host", "[\"server.example\"]"),
];

const HEAD: &str = "\
# A program of `sinew run`, with every key. Keys that are commented out have no default; what they are set to is an example.
# Durations are written as \"500ms\", \"30s\", \"5m\", \"2h\" or \"1d\", sizes as 4096, \"64k\" or \"1M\".
# `sinew check FILE` says what is wrong with a file; SIGHUP reads it again.
";

const SERVICES: &str = "
# The services: a table for each, under a name of your choice. A service also takes the keys of [limits], for itself.

[services.echo]
# Which server it is. By default the one of the service's name
server = \"echo\"
# Where it listens: an endpoint, or a list of them. By default where the command of that name does
listen = [\"127.0.0.1:7007\"]
";

/// The file.
pub(crate) fn example() -> String {
    let mut text = HEAD.to_owned();
    table::<ReactorOptions>(&mut text, "reactor", "The event loops");
    table::<LogOptions>(&mut text, "log", "The log");
    table::<ProcessOptions>(&mut text, "process", "The process. A reload does not change it");
    table::<InspectOptions>(&mut text, "inspect", "Views into the running server");
    table::<Limits>(&mut text, "limits", "Limits of all services that have none of their own");
    text += SERVICES;
    for row in commands::COMMANDS {
        if let Kind::Server(kind) = &row.kind {
            let _ = write!(text, "\n# {}\n# [services.{}]\n", row.about, row.name);
            keys(&mut text, &(kind.arguments)(Command::new(row.name)), "# ");
        }
    }
    text
}

fn table<T: Args>(text: &mut String, name: &str, about: &str) {
    let _ = write!(text, "\n# {about}.\n[{name}]\n");
    keys(text, &T::augment_args(Command::new("")), "");
}

fn keys(text: &mut String, command: &Command, comment: &str) {
    for argument in command.get_arguments() {
        for line in argument.get_help().map(ToString::to_string).unwrap_or_default().lines() {
            let _ = writeln!(text, "# {line}");
        }
        let id = argument.get_id().as_str();
        let prefixes = ["log_", "inspect_"];
        let key = prefixes.iter().find_map(|prefix| id.strip_prefix(prefix)).unwrap_or(id);
        let _ = match default(argument) {
            Some(value) => writeln!(text, "{comment}{key} = {value}"),
            None => writeln!(text, "# {key} = {}", value(argument, key)),
        };
    }
}

fn default(argument: &Arg) -> Option<String> {
    if matches!(argument.get_action(), ArgAction::SetTrue) {
        return Some("false".to_owned());
    }
    argument.get_default_values().first().map(|value| literal(&value.to_string_lossy()))
}

fn value(argument: &Arg, key: &str) -> String {
    if let Some((_, value)) = VALUES.iter().find(|(name, _)| *name == key) {
        return (*value).to_owned();
    }
    let name =
        argument.get_value_names().and_then(<[_]>::first).map_or("VALUE", |name| name.as_str());
    if matches!(argument.get_action(), ArgAction::Append) {
        format!("[\"{name}\"]")
    } else {
        format!("\"{name}\"")
    }
}

fn literal(text: &str) -> String {
    if text.parse::<u64>().is_ok() { text.to_owned() } else { format!("{text:?}") }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::{keys_of, read};

    fn problems(text: &str) -> String {
        let problems = read(text, None).err().unwrap_or_default();
        problems.iter().map(|problem| problem.show(std::path::Path::new("example"))).collect()
    }

    /// The keys of each table, commented out or not.
    fn keys_in(text: &str) -> BTreeSet<(String, String)> {
        let (mut table, mut found) = (String::new(), BTreeSet::new());
        for line in text.lines() {
            let line = line.trim_start_matches("# ");
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                table = name.to_owned();
            } else if let Some((key, _)) = line.split_once(" = ")
                && key.chars().all(|c| c.is_ascii_lowercase() || "_0123456789".contains(c))
            {
                found.insert((table.clone(), key.to_owned()));
            }
        }
        found
    }

    #[test]
    fn the_example_is_a_program() {
        assert_eq!(problems(&example()), "");
    }

    #[test]
    fn the_values_that_are_commented_out_are_good_too() {
        let text = example();
        let (common, _) = text.split_once("# The services:").unwrap();
        let keys = common.lines().map(|line| match line.strip_prefix("# ") {
            Some(rest) if VALUES.iter().any(|(key, _)| rest.starts_with(&format!("{key} ="))) => {
                rest
            }
            _ => line,
        });
        let all: Vec<_> = keys.collect();
        assert_eq!(problems(&format!("{}\n[services.echo]\n", all.join("\n"))), "");
        for (key, _) in VALUES {
            assert!(all.iter().any(|line| line.starts_with(&format!("{key} ="))), "{key}");
        }
    }

    #[test]
    fn every_key_of_the_structs_is_in_it() {
        let mut expected = BTreeSet::new();
        let mut add = |table: &str, keys: &[&str]| {
            expected.extend(keys.iter().map(|key| (table.to_owned(), (*key).to_owned())));
        };
        add("reactor", keys_of::<ReactorOptions>());
        add("log", keys_of::<LogOptions>());
        add("process", keys_of::<ProcessOptions>());
        add("inspect", keys_of::<InspectOptions>());
        add("limits", keys_of::<Limits>());
        add("services.echo", &["server", "listen"]);
        for (name, kind) in commands::servers() {
            add(&format!("services.{name}"), (kind.keys)());
        }
        assert_eq!(keys_in(&example()), expected);
    }
}
