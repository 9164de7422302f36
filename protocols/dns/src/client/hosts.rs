//! Names that are known without a server: [`HostsTable`], in the format of hosts(5). Pure, except that the kernel is asked for the numbers
//! of interfaces.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
};

use super::settings::scoped;
use crate::codec::Name;

/// Names with their addresses, and addresses with their names. Unlike `names::Hosts` of `sinew-transports`, it ignores lines that make
/// no sense, since it reads the file of the system.
#[derive(Debug, Default)]
pub(super) struct HostsTable {
    addrs: HashMap<Name, Vec<SocketAddr>>,
    names: HashMap<IpAddr, Vec<Name>>,
}

impl HostsTable {
    /// Adds the lines of a text.
    pub(super) fn read(&mut self, text: &[u8]) {
        for line in text.split(|byte| *byte == b'\n') {
            let line = line.split(|byte| *byte == b'#').next().unwrap_or_default();
            let Ok(line) = str::from_utf8(line) else { continue };
            let mut words = line.split_whitespace();
            let Some(addr) = words.next().and_then(addr) else { continue };
            for mut name in words.filter_map(|word| Name::from_ascii(word).ok()) {
                name.set_fqdn(true);
                let names = self.names.entry(addr.ip()).or_default();
                if !names.contains(&name) {
                    names.push(name.clone());
                }
                let addrs = self.addrs.entry(name).or_default();
                if !addrs.contains(&addr) {
                    addrs.push(addr);
                }
            }
        }
    }

    /// The addresses of a name.
    pub(super) fn addrs(&self, name: &Name) -> Option<&[SocketAddr]> {
        self.addrs.get(name).map(Vec::as_slice)
    }

    /// The names of an address.
    pub(super) fn names(&self, ip: IpAddr) -> Option<&[Name]> {
        self.names.get(&ip).map(Vec::as_slice)
    }
}

fn addr(text: &str) -> Option<SocketAddr> {
    match text.parse::<IpAddr>() {
        Ok(ip) => Some((ip, 0).into()),
        Err(_) => scoped(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_make_no_sense_are_ignored() {
        let mut table = HostsTable::default();
        table.read(
            b"127.0.0.1 localhost\n# comment\n192.0.2.1\tDB.example db # ours\n2001:db8::1 db\nnonsense db\n192.0.2.2\n\
              \xff\xff db\nfe80::1%7 link\n192.0.2.1 db\n",
        );
        let addrs = |name: &str| {
            let addrs = table.addrs(&name.parse().unwrap()).unwrap_or_default();
            addrs.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(addrs("db."), ["192.0.2.1:0", "[2001:db8::1]:0"]);
        assert_eq!(addrs("db.EXAMPLE."), ["192.0.2.1:0"]);
        assert_eq!(addrs("link."), ["[fe80::1%7]:0"]);
        assert_eq!(addrs("other."), [""; 0]);
        let names = table.names([192, 0, 2, 1].into()).unwrap();
        assert_eq!(names.iter().map(Name::to_ascii).collect::<Vec<_>>(), ["DB.example.", "db."]);
    }
}
