//! Reading a file of `sinew run`: [`read`]. Every key is read by itself, so that all problems are found at once.

use std::{ops::Range, time::SystemTime};

use serde::{Deserialize, de::DeserializeOwned};
use sinew::reactor::{Excerpt, Reactor};
use toml::{
    Spanned,
    de::{DeTable, DeValue, Deserializer},
};

use super::{Planned, Problem, Program, keys_of};
use crate::{
    arguments::{Endpoint, InspectOptions, Limits, ListenOptions, ProcessOptions},
    commands::{self, ServerKind},
    run::{Context, certificate_warnings},
};

/// The most services of a file.
const SERVICES_MAX: usize = 1_000;
/// The longest name of a service.
const NAME_MAX: usize = 64;

/// The tables of a file; the services are in the last one.
const TABLES: [&str; 6] = ["reactor", "log", "process", "inspect", "limits", "services"];

/// Reads the text of a file, or says all that is wrong with it. With the time, warns of certificates, too, whose files are read for that.
pub(crate) fn read(text: &str, now: Option<SystemTime>) -> Result<Program, Vec<Problem>> {
    let mut reading = Reading { text, now, problems: Vec::new(), warnings: Vec::new() };
    let program = reading.program();
    let Reading { mut problems, mut warnings, .. } = reading;
    let place = |problem: &Problem| (problem.line, problem.column);
    match program {
        Some(program) if problems.is_empty() => {
            warnings.sort_by_key(place);
            Ok(Program { warnings, ..program })
        }
        _ => {
            problems.sort_by_key(place);
            Err(problems)
        }
    }
}

struct Reading<'a> {
    text: &'a str,
    /// If certificates are looked at.
    now: Option<SystemTime>,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl<'a> Reading<'a> {
    fn program(&mut self) -> Option<Program> {
        let (document, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            self.problem(error.span().unwrap_or(0..0), "", error.message());
        }
        if !errors.is_empty() {
            return None;
        }
        let mut document = document.into_inner();
        self.refuse_unknown(&mut document, "", &[&TABLES]);
        let mut places = Places { all: 0..0, log: 0..0, services: 0..0 };
        let log = self.table(&mut document, "log", &mut places.log);
        let limits = self.table(&mut document, "limits", &mut places.all);
        let mut program = Program {
            services: Vec::new(),
            reactor: self.table(&mut document, "reactor", &mut places.all),
            log,
            process: self.table::<ProcessOptions>(&mut document, "process", &mut places.all),
            inspect: self.table::<InspectOptions>(&mut document, "inspect", &mut places.all),
            warnings: Vec::new(),
        };
        program.services = self.services(&mut document, &limits, &mut places.services);
        for (table, text) in program.contradictions() {
            let place = if table == "log" { &places.log } else { &places.services };
            self.problem(place.clone(), table, text);
        }
        Some(program)
    }

    fn problem(&mut self, place: Range<usize>, key: &str, text: impl Into<String>) {
        self.problems.push(Problem::new(self.text, place, key, text));
    }

    /// One of the tables, read into its struct; the defaults where it is missing or wrong.
    fn table<T: DeserializeOwned + Default>(
        &mut self,
        document: &mut DeTable<'a>,
        name: &str,
        place: &mut Range<usize>,
    ) -> T {
        let Some((key, value)) = document.remove_entry(name) else { return T::default() };
        *place = key.span();
        let Some(mut table) = self.expect_table(value, name) else { return T::default() };
        self.refuse_unknown(&mut table, name, &[keys_of::<T>()]);
        self.keys(table, name, T::deserialize).unwrap_or_default()
    }

    fn services(
        &mut self,
        document: &mut DeTable<'a>,
        limits: &Limits,
        place: &mut Range<usize>,
    ) -> Vec<Planned> {
        let Some((key, value)) = document.remove_entry("services") else {
            self.problem(0..0, "", "there are no services: add a table [services.NAME]");
            return Vec::new();
        };
        *place = key.span();
        let Some(table) = self.expect_table(value, "services") else { return Vec::new() };
        if table.is_empty() || table.len() > SERVICES_MAX {
            let text = format!(
                "between 1 and {SERVICES_MAX} services are possible, in tables [services.NAME]"
            );
            self.problem(key.span(), "services", text);
            return Vec::new();
        }
        let planned =
            table.into_iter().filter_map(|(name, value)| self.service(&name, value, limits));
        planned.collect()
    }

    fn service(
        &mut self,
        name: &Spanned<toml::de::DeString<'a>>,
        value: Spanned<DeValue<'a>>,
        general: &Limits,
    ) -> Option<Planned> {
        let before = self.problems.len();
        let (place, path) = (name.span(), format!("services.{}", name.get_ref()));
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.get_ref().len() > NAME_MAX || !name.get_ref().chars().all(is_allowed) {
            let text = format!(
                "a name has letters, digits, dashes, dots and underscores, at most {NAME_MAX}"
            );
            self.problem(place.clone(), &path, text);
        }
        let mut table = self.expect_table(value, &path)?;
        let kind = self.server_kind(&mut table, name, &path)?;
        self.refuse_unknown(&mut table, &path, &[&["listen"], keys_of::<Limits>(), (kind.keys)()]);
        let listen = self.listen(&mut table, &path);
        let limits: Limits = {
            let own = take(&mut table, keys_of::<Limits>());
            self.keys(own, &path, Limits::deserialize).unwrap_or_default()
        };
        let server = self.keys(table, &path, kind.from_file)?;
        let planned = Planned::new(name.get_ref(), server, listen, limits.or(general));
        if self.problems.len() == before {
            self.make_once(&planned, place, &path);
        }
        Some(planned)
    }

    /// Makes the service, which opens nothing, to find what does not go together in it.
    fn make_once(&mut self, planned: &Planned, place: Range<usize>, path: &str) {
        let context = Context::for_check(Reactor::simulated(0), planned);
        if let Err(error) = planned.server.service(&context) {
            return self.problem(place, path, error.to_string());
        }
        let certificates = self.now.map(|now| certificate_warnings(planned, now));
        let texts = context.into_warnings().into_iter().chain(certificates.into_iter().flatten());
        for text in texts {
            self.warnings.push(Problem::new(self.text, place.clone(), path, text));
        }
    }

    /// What the key `server` says, or the name of the service.
    fn server_kind(
        &mut self,
        table: &mut DeTable<'a>,
        name: &Spanned<toml::de::DeString<'a>>,
        path: &str,
    ) -> Option<&'static ServerKind> {
        let given = table.remove("server");
        let (place, wanted) = match &given {
            Some(value) => match value.get_ref().as_str() {
                Some(text) => (value.span(), text),
                None => {
                    self.problem(
                        value.span(),
                        &format!("{path}.server"),
                        "a name in quotes is expected",
                    );
                    return None;
                }
            },
            None => (name.span(), &**name.get_ref()),
        };
        let found = commands::server_named(wanted);
        if found.is_none() {
            let known: Vec<_> = commands::servers().map(|(name, _)| name).collect();
            let text = format!(
                "there is no server {:?}{}; there are {}. The key server chooses one, else the name of the service does",
                Excerpt::new(wanted),
                perhaps(wanted, &known),
                known.join(", "),
            );
            self.problem(place, path, text);
        }
        found
    }

    /// One endpoint, or several.
    fn listen(&mut self, table: &mut DeTable<'a>, path: &str) -> ListenOptions {
        let path = format!("{path}.listen");
        let Some(value) = table.remove("listen") else { return ListenOptions::default() };
        let values = match value.get_ref() {
            DeValue::Array(values) => values.iter().cloned().collect(),
            _ => vec![value],
        };
        let mut listen = Vec::new();
        for value in values {
            let Some(text) = value.get_ref().as_str() else {
                self.problem(
                    value.span(),
                    &path,
                    "an endpoint in quotes is expected, as \"tcp:8000\", or a list of them",
                );
                continue;
            };
            match text.parse::<Endpoint>() {
                Ok(endpoint) => listen.push(endpoint),
                Err(error) => {
                    let place = self.inside(value.span(), error.column());
                    self.problem(place, &path, error.problem().to_string());
                }
            }
        }
        ListenOptions { listen }
    }

    /// The place of a column, counted from 1, of a string. The whole string if escapes in it make columns and bytes differ.
    fn inside(&self, string: Range<usize>, column: usize) -> Range<usize> {
        let Some(content) = self.text.get(string.start + 1..string.end.saturating_sub(1)) else {
            return string;
        };
        if content.contains(['\\', '"', '\'']) {
            return string;
        }
        let at = content.char_indices().nth(column - 1).map_or(content.len(), |(at, _)| at);
        string.start + 1 + at..string.end - 1
    }

    fn expect_table(&mut self, value: Spanned<DeValue<'a>>, path: &str) -> Option<DeTable<'a>> {
        let place = value.span();
        if let DeValue::Table(table) = value.into_inner() {
            return Some(table);
        }
        self.problem(place, path, format!("a table is expected: [{path}]"));
        None
    }

    /// Removes the keys that are not `known`, and says so for each.
    fn refuse_unknown(&mut self, table: &mut DeTable<'a>, path: &str, known: &[&[&'static str]]) {
        let known = known.concat();
        for (key, value) in std::mem::take(table) {
            if known.contains(&&**key.get_ref()) {
                table.insert(key, value);
                continue;
            }
            let perhaps = perhaps(key.get_ref(), &known);
            let text = format!("unknown key{perhaps}; possible are {}", known.join(", "));
            self.problem(key.span(), &join(path, key.get_ref()), text);
        }
    }

    /// Reads a table, first each of its keys alone, so that every wrong one is found.
    fn keys<T>(
        &mut self,
        table: DeTable<'a>,
        path: &str,
        read: impl Fn(Deserializer<'a>) -> Result<T, toml::de::Error>,
    ) -> Option<T> {
        let mut is_good = true;
        for (key, value) in &table {
            let one = DeTable::from_iter([(key.clone(), value.clone())]);
            if let Err(error) = read(Spanned::new(key.span(), one).into())
                && !error.message().starts_with("missing field")
            {
                is_good = false;
                let place = error.span().filter(|place| *place != key.span());
                let path = join(path, key.get_ref());
                self.problem(place.unwrap_or(value.span()), &path, error.message());
            }
        }
        if !is_good {
            return None;
        }
        match read(Spanned::new(0..0, table).into()) {
            Ok(read) => Some(read),
            Err(error) => {
                self.problem(error.span().unwrap_or(0..0), path, error.message());
                None
            }
        }
    }
}

/// Where the tables begin.
struct Places {
    all: Range<usize>,
    log: Range<usize>,
    services: Range<usize>,
}

fn take<'a>(table: &mut DeTable<'a>, keys: &[&str]) -> DeTable<'a> {
    keys.iter().filter_map(|key| table.remove_entry(*key)).collect()
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The word that was most likely meant.
fn perhaps(word: &str, known: &[&str]) -> String {
    let near = |other: &&&str| distance(word, other) <= 1 + other.len() / 4;
    let best = known.iter().filter(near).min_by_key(|other| distance(word, other));
    best.map(|best| format!("; {best:?} perhaps")).unwrap_or_default()
}

/// Levenshtein's distance of the first characters of two words.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(NAME_MAX).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(NAME_MAX).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
