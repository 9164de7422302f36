//! `sinew check FILE`: says what is wrong with a file, and what probably is, without running it.

use std::path::PathBuf;

use sinew::reactor::{Excerpt, Reactor, with_causes};

use crate::{
    exit::{Code, Failure},
    run::{Tool, number, read_file},
};

/// Which file.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Check {
    /// The file that `sinew run` is to run
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Tool for Check {
    fn run(&self) -> Result<(), Failure> {
        let shown = Excerpt::path(&self.file);
        let reactor = Reactor::new().map_err(|error| {
            Failure::new(Code::System, format!("cannot tell the time: {}", with_causes(&error)))
        })?;
        match read_file(&self.file, Some(reactor.wall_clock()))? {
            Ok(program) => {
                for warning in &program.warnings {
                    print!("warning: {}", warning.show(&self.file));
                }
                let names: Vec<_> =
                    program.services.iter().map(|service| service.name.as_str()).collect();
                println!(
                    "{shown}: good; {} would run: {}",
                    services(names.len()),
                    names.join(", ")
                );
                Ok(())
            }
            Err(problems) => {
                problems.iter().for_each(|problem| print!("{}", problem.show(&self.file)));
                Err(Failure::new(Code::Config, format!("{} in {shown}", number(&problems))))
            }
        }
    }
}

fn services(number: usize) -> String {
    if number == 1 { "one service".to_owned() } else { format!("{number} services") }
}
