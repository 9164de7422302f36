//! Atomic instructions on the path of a message: executed by the reactor in a script, counted by callgrind instruction by
//! instruction, and found in the disassembly. Reactors on several threads must not meet there, so only those are allowed that
//! touch nothing but the stack of their own thread: fences.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::budgets::{COUNTED, MESSAGES};
use crate::built;
use crate::contestant::installed;
use crate::scratch::Scratch;

pub(crate) fn run() -> Result<()> {
    for tool in ["valgrind", "objdump"] {
        ensure!(installed(tool), "{tool} is not installed; try: apt install valgrind binutils");
    }
    let script = built::beside_this_one("script", &["--bin", "script"])?;
    let scratch = Scratch::new();
    let output = Command::new("valgrind")
        .args(["-q", "--tool=callgrind", "--cache-sim=no", "--dump-instr=yes"])
        .args(["--compress-strings=no", "--compress-pos=no"])
        .arg(format!("--toggle-collect={COUNTED}"))
        .arg(format!("--callgrind-out-file={}", scratch.path().display()))
        .arg(&script)
        .arg("echo")
        .stdin(Stdio::null())
        .output()
        .context("cannot run valgrind")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let executed =
        executed(&fs::read_to_string(scratch.path()).context("callgrind has written no profile")?);
    ensure!(!executed.is_empty(), "nothing was counted: function {COUNTED} was not found");
    let mut found = Vec::new();
    for (object, counts) in &executed {
        let atomics = atomics(&disassembly(object)?);
        let here = counts.iter().filter(|((address, _), _)| atomics.contains_key(address));
        found.extend(here.map(|((address, function), count)| {
            (function.clone(), atomics[address].clone(), *count)
        }));
    }
    report(&found)
}

/// Prints what was found, and fails at anything that is not a fence.
fn report(found: &[(String, String, u64)]) -> Result<()> {
    let mut strangers = 0;
    let total: u64 = found.iter().map(|(_, _, count)| count).sum();
    println!("{:.2} atomic instructions a message", total as f64 / MESSAGES);
    for (function, instruction, count) in found {
        let verdict = if is_fence(instruction) {
            "a fence, which touches the stack of its own thread at most"
        } else {
            strangers += 1;
            "NOT ALLOWED: other threads may use the same memory"
        };
        println!("{:6.2}  {instruction}  in {function}: {verdict}", *count as f64 / MESSAGES);
    }
    if strangers > 0 {
        bail!("{strangers} atomic instructions on the path of a message are not fences");
    }
    Ok(())
}

/// How often an instruction was executed, by its address and function.
type Counts = BTreeMap<(u64, String), u64>;

/// The executed instructions of each object file. In a profile with instructions, a line of costs begins with the address, and
/// the line after `calls=` is the cost of the callee.
fn executed(profile: &str) -> BTreeMap<String, Counts> {
    let mut objects: BTreeMap<String, Counts> = BTreeMap::new();
    let (mut object, mut function, mut is_call) = (String::new(), String::new(), false);
    for line in profile.lines() {
        if let Some(name) = line.strip_prefix("ob=") {
            name.clone_into(&mut object);
        } else if let Some(name) = line.strip_prefix("fn=") {
            name.clone_into(&mut function);
        } else if line.starts_with("calls=") {
            is_call = true;
        } else if let Some(rest) = line.strip_prefix("0x") {
            let mut words = rest.split_whitespace();
            let address = words.next().and_then(|word| u64::from_str_radix(word, 16).ok());
            let count = words.last().and_then(|word| word.parse::<u64>().ok());
            if let (Some(address), Some(count), false) =
                (address, count, std::mem::take(&mut is_call))
            {
                let counts = objects.entry(object.clone()).or_default();
                *counts.entry((address, function.clone())).or_default() += count;
            }
        }
    }
    objects
}

fn disassembly(object: &str) -> Result<String> {
    let output = Command::new("objdump")
        .args(["--disassemble", "--no-show-raw-insn", object])
        .output()
        .context("cannot run objdump")?;
    // What is no file, such as the code that the kernel maps, has no atomic instructions of ours.
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The atomic instructions and fences of x86-64, by address.
fn atomics(disassembly: &str) -> BTreeMap<u64, String> {
    let lines = disassembly.lines().filter_map(|line| {
        let (address, instruction) = line.trim_start().split_once(':')?;
        let address = u64::from_str_radix(address, 16).ok()?;
        let instruction = instruction.split_whitespace().collect::<Vec<_>>().join(" ");
        is_atomic(&instruction).then_some((address, instruction))
    });
    lines.collect()
}

/// `xchg` with memory is atomic without a prefix.
fn is_atomic(instruction: &str) -> bool {
    instruction.starts_with("lock ")
        || instruction.starts_with("mfence")
        || instruction.starts_with("xchg") && instruction.contains('(')
}

/// A fence is compiled to `mfence`, or to an addition of nothing to the stack, which is faster.
fn is_fence(instruction: &str) -> bool {
    let on_stack = instruction.starts_with("lock or") && instruction.ends_with("(%rsp)");
    on_stack && instruction.contains("$0x0,") || instruction.starts_with("mfence")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn atomic_instructions_are_recognised() {
        let cases = [
            ("lock cmpxchg %rcx,(%rdx)", true),
            ("lock xadd %rax,0x8(%rdi)", true),
            ("xchg %al,0x10(%rdi)", true),
            ("mfence", true),
            ("xchg %ax,%ax", false),
            ("mov %rax,(%rdi)", false),
            ("cmpxchg8b (%rdi)", false),
        ];
        for (instruction, expected) in cases {
            assert_eq!(is_atomic(instruction), expected, "{instruction}");
        }
        let text = "  4f10:\tlock incq (%rax)\n  4f14:\tret\n";
        assert_eq!(atomics(text), BTreeMap::from([(0x4f10, "lock incq (%rax)".to_owned())]));
    }

    #[test]
    fn executions_are_counted_by_address_without_callees() {
        let profile = "\
positions: instr line
events: Ir
ob=/bin/a
fl=a.rs
fn=outer
0x10 1 5
0x14 1 5
cfn=inner
calls=5 0x20 7
0x14 1 900
fn=inner
0x20 7 5
";
        let of = |address, function: &str| (address, function.to_owned());
        let counts =
            Counts::from([(of(0x10, "outer"), 5), (of(0x14, "outer"), 5), (of(0x20, "inner"), 5)]);
        assert_eq!(executed(profile), BTreeMap::from([("/bin/a".to_owned(), counts)]));
    }

    #[test]
    fn only_fences_pass() {
        let of = |instruction: &str| ("f".to_owned(), instruction.to_owned(), 1_000);
        let fences = ["mfence", "lock orl $0x0,-0x40(%rsp)"];
        assert!(report(&fences.map(of)).is_ok());
        for other in ["lock orl $0x1,-0x40(%rsp)", "lock orl $0x0,(%rax)", "lock xadd %rax,(%rdi)"]
        {
            assert!(report(&[of(other)]).is_err(), "{other}");
        }
    }
}
