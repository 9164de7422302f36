//! The parser of the part of xinetd.conf that overlaps with inetd.conf: [`parse`]. Pure.
//!
//! ```text
//! service finger
//! {
//!     socket_type = stream
//!     wait        = no
//!     user        = nobody
//!     server      = /usr/sbin/fingerd
//!     server_args = -w
//!     instances   = 10
//!     cps         = 40 30
//! }
//! ```

use std::{path::PathBuf, time::Duration};

use sinew::reactor::Excerpt;

use super::{
    conf::{check_built_in, check_new, name_of},
    entry::{At, BuiltIn, ConfError, Entry, Limits, Run, RunAs, ServiceNames},
};

/// Whether a text is in the syntax of xinetd: its first word is `service` or `defaults`, and a brace follows.
pub(crate) fn is_xinetd(text: &str) -> bool {
    let mut words = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .flat_map(str::split_whitespace);
    match words.next() {
        Some("defaults") => words.next() == Some("{"),
        Some("service") => words.nth(1) == Some("{"),
        _ => false,
    }
}

/// Reads a whole file. `file` is its name, for errors.
///
/// # Errors
///
/// The first mistake, with its line. Attributes outside of the part that is supported are mistakes, too: without some of them, a service
/// would be open to more than its file says.
pub(crate) fn parse(file: &str, text: &str, names: &ServiceNames) -> Result<Vec<Entry>, ConfError> {
    let error = |line, what| ConfError { file: file.to_owned(), line, what };
    let mut entries: Vec<Entry> = Vec::new();
    let mut block = None::<Block>;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let done = take(&mut block, number, line).map_err(|what| error(number, what))?;
        let Some(done) = done else { continue };
        let begins = done.line;
        if let Some(entry) = done.entry(names).map_err(|what| error(begins, what))? {
            check_new(&entries, &entry).map_err(|what| error(begins, what))?;
            entries.push(entry);
        }
    }
    match block {
        Some(open) => {
            Err(error(open.line, format!("service {}: no closing brace", Excerpt::new(&open.name))))
        }
        None => Ok(entries),
    }
}

/// A service whose closing brace was not seen yet.
struct Block {
    name: String,
    line: usize,
    is_open: bool,
    attributes: Vec<(String, String)>,
}

/// Takes a line. Returns the block that it ends.
fn take(block: &mut Option<Block>, number: usize, line: &str) -> Result<Option<Block>, String> {
    let Some(current) = block else {
        let Some(rest) = line.strip_prefix("service").filter(|rest| rest.starts_with([' ', '\t']))
        else {
            let word = line.split_whitespace().next().unwrap_or_default();
            return Err(format!(
                "{:?} is not supported here; write service NAME",
                Excerpt::new(word)
            ));
        };
        let rest = rest.trim();
        let (name, is_open) = match rest.strip_suffix('{') {
            Some(name) => (name.trim(), true),
            None => (rest, false),
        };
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err("write service and one name".into());
        }
        *block =
            Some(Block { name: name.to_owned(), line: number, is_open, attributes: Vec::new() });
        return Ok(None);
    };
    match line {
        "{" if !current.is_open => current.is_open = true,
        "}" if current.is_open => return Ok(block.take()),
        _ if !current.is_open => return Err("a { has to follow the name of the service".into()),
        line => {
            let (name, value) =
                line.split_once('=').ok_or("write an attribute, = and its value")?;
            let name = name.trim_end_matches(['+', '-']).trim();
            if line.contains("+=") || line.contains("-=") {
                return Err(format!(
                    "{:?}: += and -= are not supported, only =",
                    Excerpt::new(name)
                ));
            }
            if !KNOWN.contains(&name) {
                let name = Excerpt::new(name);
                return Err(format!(
                    "the attribute {name:?} is not supported; there are {}",
                    KNOWN.join(", ")
                ));
            }
            if current.attributes.iter().any(|(other, _)| other == name) {
                return Err(format!("{name} is there twice"));
            }
            current.attributes.push((name.to_owned(), value.trim().to_owned()));
        }
    }
    Ok(None)
}

/// The attributes that are understood.
const KNOWN: [&str; 16] = [
    "type",
    "id",
    "socket_type",
    "protocol",
    "wait",
    "user",
    "group",
    "server",
    "server_args",
    "port",
    "disable",
    "instances",
    "cps",
    "bind",
    "interface",
    "flags",
];

impl Block {
    fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    fn flag(&self, name: &str, default: Option<bool>) -> Result<bool, String> {
        match self.get(name) {
            Some("yes") => Ok(true),
            Some("no") => Ok(false),
            Some(other) => Err(format!("{name} is yes or no, not {:?}", Excerpt::new(other))),
            None => default.ok_or_else(|| format!("{name} is missing")),
        }
    }

    fn number(&self, name: &str, text: &str) -> Result<u32, String> {
        text.parse().map_err(|_| format!("{name}: {:?} is no number", Excerpt::new(text)))
    }

    /// The entry; `None` if it is disabled.
    fn entry(&self, names: &ServiceNames) -> Result<Option<Entry>, String> {
        if self.flag("disable", Some(false))? {
            return Ok(None);
        }
        let socket = self.get("socket_type").ok_or("socket_type is missing")?;
        let protocol = match self.get("protocol") {
            Some(protocol) => protocol,
            None if socket == "dgram" => "udp",
            None => "tcp",
        };
        let protocol = match self.get("flags") {
            None => protocol.to_owned(),
            Some("IPv4") => protocol.to_owned(),
            Some("IPv6") => format!("{protocol}6"),
            Some(other) => {
                return Err(format!(
                    "flags: {:?} is not supported, only IPv4 and IPv6",
                    Excerpt::new(other)
                ));
            }
        };
        let host = self.get("bind").or_else(|| self.get("interface"));
        let is_v6 = host.is_some_and(|host| host.contains(':')) && !protocol.ends_with('6');
        let protocol = if is_v6 { format!("{protocol}6") } else { protocol };
        let at = At::new(socket, &protocol, host, self.get("port").unwrap_or(&self.name), names)?;
        let wait = self.flag("wait", None)?;
        let run = self.run()?;
        if matches!(run, Run::Program { .. }) && !at.is_stream() && !wait {
            return Err("a server of datagrams has wait = yes".into());
        }
        check_built_in(&run, &at)?;
        let user = match (&run, self.get("user")) {
            (Run::BuiltIn(_), _) => None,
            (_, Some(user)) => {
                Some(RunAs { user: user.to_owned(), group: self.get("group").map(str::to_owned) })
            }
            (_, None) => return Err("user is missing".into()),
        };
        let name = self.get("id").unwrap_or(&self.name).to_owned();
        Ok(Some(Entry { name, at, wait, limits: self.limits()?, user, run }))
    }

    fn run(&self) -> Result<Run, String> {
        match (self.get("type"), self.get("server")) {
            (Some("INTERNAL"), None) => {
                // As in xinetd, `id` tells two services of the same name apart.
                BuiltIn::new(&self.name).map(Run::BuiltIn)
            }
            (Some("INTERNAL"), Some(_)) => {
                Err("a service of the type INTERNAL has no server".into())
            }
            (Some(other), _) if other != "UNLISTED" => Err(format!(
                "the type {:?} is not supported, only INTERNAL and UNLISTED",
                Excerpt::new(other)
            )),
            (_, None) => Err("server is missing".into()),
            (_, Some(server)) => {
                let path = PathBuf::from(server);
                if !path.is_absolute() {
                    return Err(format!(
                        "server: {:?} is not an absolute path",
                        Excerpt::new(server)
                    ));
                }
                // The name of the program is not among the arguments, unlike in inetd.conf.
                let mut arguments = vec![name_of(&path)];
                arguments.extend(
                    self.get("server_args")
                        .unwrap_or_default()
                        .split_whitespace()
                        .map(str::to_owned),
                );
                Ok(Run::Program { path, arguments })
            }
        }
    }

    fn limits(&self) -> Result<Limits, String> {
        let mut limits = Limits::default();
        match self.get("instances") {
            None | Some("UNLIMITED") => {}
            Some(number) => limits.children = self.number("instances", number)?.max(1) as usize,
        }
        if let Some(cps) = self.get("cps") {
            let mut words = cps.split_whitespace();
            let (Some(starts), Some(rest), None) = (words.next(), words.next(), words.next())
            else {
                return Err(
                    "cps is a number of starts a second, and the seconds of rest after more".into(),
                );
            };
            limits.starts = Some(self.number("cps", starts)?.max(1));
            limits.window = Duration::from_secs(1);
            limits.rest = Duration::from_secs(self.number("cps", rest)?.max(1).into());
        }
        Ok(limits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> ServiceNames {
        ServiceNames::parse("tftp 69/udp\n")
    }

    #[test]
    fn services_are_read() {
        let text = "# comment\nservice tftp\n{\n  socket_type = dgram\n  wait = yes\n  user = nobody\n  group = nogroup\n\
                    \n  server = /usr/sbin/tftpd\n  server_args = -s /srv\n  instances = 3\n  cps = 10 5\n  bind = 127.0.0.1\n}\n\
                    service echo {\n type = INTERNAL\n socket_type = stream\n wait = no\n port = 7007\n bind = ::1\n}\n\
                    service off {\n socket_type = stream\n disable = yes\n}\n";
        assert!(is_xinetd(text));
        let entries = parse("xinetd.conf", text, &names()).unwrap();
        assert_eq!(entries.len(), 2);
        let tftp = &entries[0];
        assert_eq!((tftp.at.to_string().as_str(), tftp.wait), ("udp 127.0.0.1:69", true));
        assert_eq!(tftp.user.as_ref().unwrap().group.as_deref(), Some("nogroup"));
        assert!(
            matches!(&tftp.run, Run::Program { arguments, .. } if arguments == &["tftpd", "-s", "/srv"])
        );
        assert_eq!((tftp.limits.children, tftp.limits.starts), (3, Some(10)));
        assert_eq!(tftp.limits.rest, Duration::from_secs(5));
        assert_eq!(entries[1].at.to_string(), "tcp [::1]:7007");
        assert_eq!(entries[1].run, Run::BuiltIn(BuiltIn::Echo));
    }

    #[test]
    fn mistakes_have_their_line() {
        let block = |inside: &str| {
            format!("service x\n{{\n socket_type = stream\n wait = no\n port = 1\n{inside}\n}}\n")
        };
        let cases = [
            (block(" only_from = 10.0.0.0"), 6, "only_from"),
            (block(" wait = no"), 6, "twice"),
            (block(" user += x"), 6, "+="),
            (block(" user"), 6, "attribute, ="),
            (block(""), 1, "server is missing"),
            (block(" server = /bin/cat"), 1, "user is missing"),
            (block(" server = cat"), 1, "absolute"),
            (block(" type = RPC"), 1, "RPC"),
            (block(" instances = x\n user = x\n server = /bin/cat"), 1, "no number"),
            ("service x\nwait = no\n".to_owned(), 2, "a { has to follow"),
            ("service x {\n".to_owned(), 1, "no closing brace"),
            ("includedir /etc/xinetd.d\n".to_owned(), 1, "includedir"),
        ];
        for (text, line, part) in cases {
            let error = parse("f", &text, &names()).unwrap_err();
            assert!(error.line == line && error.what.contains(part), "{error} in {text}");
        }
    }

    #[test]
    fn the_two_syntaxes_are_told_apart() {
        assert!(!is_xinetd("service stream tcp nowait root internal\n"));
        assert!(!is_xinetd(""));
        assert!(is_xinetd("\n# x\nservice a\n{\n"));
    }
}
