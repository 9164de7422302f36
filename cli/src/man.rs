//! `sinew man`: writes the man pages, one for the command and one for each of its commands.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Command;
use clap_mangen::Man as Page;

use crate::{
    exit::{Code, Failure},
    run::Description,
};

/// The arguments of `sinew man`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Man {
    /// The directory, which is made if it does not exist
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
}

impl Description for Man {
    fn describe(&self, command: Command) -> Result<(), Failure> {
        let failed = |what: &Path, error| Failure::io(Code::CannotCreate, what.display(), &error);
        fs::create_dir_all(&self.directory).map_err(|error| failed(&self.directory, error))?;
        for (name, text) in pages(command).map_err(|error| failed(&self.directory, error))? {
            let path = self.directory.join(name);
            fs::write(&path, text).map_err(|error| failed(&path, error))?;
        }
        Ok(())
    }
}

/// The file names and the contents of all pages.
fn pages(mut command: Command) -> std::io::Result<Vec<(String, Vec<u8>)>> {
    command.build();
    let names: Vec<_> = command
        .get_subcommands()
        .map(|sub| sub.get_name().to_owned())
        .filter(|name| name != "help")
        .collect();
    let mut pages = Vec::new();
    for sub in
        command.get_subcommands().filter(|sub| names.iter().any(|name| name == sub.get_name()))
    {
        let title = format!("sinew-{}", sub.get_name());
        let usage = format!("sinew {}", sub.get_name());
        pages.push(page(sub.clone().display_name(title).bin_name(usage))?);
    }
    pages.push(page(command)?);
    Ok(pages)
}

fn page(command: Command) -> std::io::Result<(String, Vec<u8>)> {
    let title = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let page = Page::new(command).title(title.to_uppercase()).section("1").manual("sinew");
    let mut text = Vec::new();
    page.render(&mut text)?;
    Ok((format!("{title}.1"), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_with_its_options() {
        let pages = pages(crate::command_line::command()).unwrap();
        let text = |name: &str| {
            let (_, text) =
                pages.iter().find(|(file, _)| file == name).unwrap_or_else(|| panic!("{name}"));
            String::from_utf8(text.clone()).unwrap()
        };
        for row in crate::commands::COMMANDS {
            let page = text(&format!("sinew-{}.1", row.name));
            assert!(page.contains(".SH OPTIONS") || page.contains(".SH SYNOPSIS"), "{}", row.name);
        }
        assert!(text("sinew-bench.1").contains("warmup"));
        assert!(text("sinew.1").contains("portforward"));
    }
}
