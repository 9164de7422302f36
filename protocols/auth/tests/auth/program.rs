//! Programs that check passwords.

use std::{process::Command, time::Duration};

use sinew_auth::{AuthError, Checker, Credentials, Program, ProgramError};
use sinew_transports::reactor::{Failure, Reactor};

/// A shell script that reads what it is given from a descriptor, as lines.
fn script(fd: u32, text: &str) -> impl Fn() -> Command + 'static {
    let text = format!("given=$(tr '\\0' '\\n' <&{fd}); {text}");
    move || {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &text]);
        command
    }
}

const ANN: &str = "[ \"$given\" = \"$(printf 'ann\\nsecret')\" ]";

fn check(program: &Program, user: &str, password: &str) -> Result<String, AuthError> {
    crate::watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let checked = program.check(&reactor, Credentials::password(user, password));
    reactor.run_until(checked).unwrap().map(|identity| identity.name().to_owned())
}

#[test]
fn a_program_decides() {
    for program in [Program::new(script(3, ANN)), Program::new(script(0, ANN)).on_stdin(true)] {
        assert_eq!(check(&program, "ann", "secret").unwrap(), "ann");
        for (user, password) in
            [("ann", "Secret"), ("bob", "secret"), ("ann\0secret", ""), ("ann", "secret\0")]
        {
            let refused = check(&program, user, password);
            assert!(
                matches!(refused, Err(AuthError::Refused)),
                "{user:?} {password:?}: {refused:?}"
            );
        }
    }
}

#[test]
fn a_program_that_fails_refuses_nobody() {
    let error = |program: Program| match check(&program, "ann", "secret") {
        Err(AuthError::Unavailable(cause)) => *cause.downcast::<ProgramError>().unwrap(),
        other => panic!("{other:?}"),
    };
    assert!(matches!(error(Program::new(script(3, "exit 111"))), ProgramError::Ended(_)));
    assert!(matches!(error(Program::new(script(3, "kill -9 $$"))), ProgramError::Ended(_)));
    let missing = Program::new(|| Command::new("/no/such/program"));
    assert!(matches!(error(missing), ProgramError::Spawn(_)));
    let slow = Program::new(script(3, "exec sleep 1000")).timeout(Duration::from_millis(20));
    assert!(matches!(error(slow), ProgramError::TimedOut { .. }));
}

#[test]
fn a_program_need_not_read() {
    let deaf = Program::new(|| Command::new("/bin/true"));
    assert_eq!(check(&deaf, "ann", &"x".repeat(1_000)).unwrap(), "ann");
}

#[test]
fn few_programs_run_at_once() {
    crate::watchdog::watch_this_test();
    let program = Program::new(script(3, ANN)).at_once(1, 2);
    let reactor = Reactor::new().unwrap();
    let login = || program.check(&reactor, Credentials::password("ann", "secret"));
    let all = [login(), login(), login(), login()];
    let results = reactor.run_until(async {
        let mut results = Vec::new();
        for checked in all {
            results.push(match checked.await {
                Ok(_) => "ann",
                Err(AuthError::Unavailable(cause)) => match cause.downcast_ref() {
                    Some(Failure::Overloaded { limit: 2 }) => "overloaded",
                    _ => panic!("{cause}"),
                },
                Err(other) => panic!("{other}"),
            });
        }
        results
    });
    let results = results.unwrap();
    assert_eq!(results, ["ann", "ann", "ann", "overloaded"]);
}
