//! What a client of rsync asks its server for: `rsync --server [--sender] OPTIONS . PATH...`.
//!
//! Known from rsync(1) and its options.c: in server mode an option may still start a program (a daemon's config), or write a
//! file that is not the destination. Paths are not looked at: the view has only what the user may reach.

use std::os::unix::ffi::OsStrExt;

use crate::plan::words::Word;

/// Options that start a program, make a daemon of it, or write a file that is no part of the transfer.
const REFUSED: [&str; 14] = [
    "--daemon",
    "--config",
    "--dparam",
    "--detach",
    "--no-detach",
    "--rsh",
    "--rsync-path",
    "--remote-option",
    "--log-file",
    "--write-batch",
    "--only-write-batch",
    "--read-batch",
    "--password-file",
    "--early-input",
];

/// Options by which the rest of the options is sent later, where nobody looks at them.
const HIDING: [&str; 2] = ["--protect-args", "--secluded-args"];

/// Short options that take a value, as they stand in one word with others.
const WITH_VALUE: &[u8] = b"@BTfMe";

/// Looks at the arguments.
pub(super) fn check(arguments: &[Word]) -> Result<(), String> {
    let mut arguments = arguments.iter().map(|word| word.text.as_bytes());
    if arguments.next() != Some(b"--server") {
        return Err("it is not started as a client starts its server (--server)".to_owned());
    }
    for argument in arguments {
        if argument == b"--" || !argument.starts_with(b"-") {
            // Options may stand behind paths, too.
            continue;
        }
        let shown = String::from_utf8_lossy(argument);
        if argument.starts_with(b"--") {
            let name = argument
                .split(|byte| *byte == b'=')
                .next()
                .unwrap_or_default();
            let is = |known: &&str| known.as_bytes() == name;
            if HIDING.iter().any(is) {
                return Err(format!(
                    "{shown:?} hides the options; call the client with --no-secluded-args"
                ));
            }
            if REFUSED.iter().any(is) {
                return Err(format!("{shown:?} is no option for a transfer"));
            }
            continue;
        }
        short(argument.get(1..).unwrap_or_default(), &shown)?;
    }
    Ok(())
}

/// Looks at short options in one word.
fn short(options: &[u8], shown: &str) -> Result<(), String> {
    for (index, option) in options.iter().enumerate() {
        let rest = options.get(index + 1..).unwrap_or_default();
        match option {
            b's' => {
                return Err(format!(
                    "the s in {shown:?} hides the options; call the client with --no-secluded-args"
                ));
            }
            // What follows is what the client can do, not a remote shell.
            b'e' => {
                let is_client = rest.split_first().is_some_and(|(dot, rest)| {
                    *dot == b'.' && rest.iter().all(u8::is_ascii_alphanumeric)
                });
                return match is_client {
                    true => Ok(()),
                    false => Err(format!("the e in {shown:?} names a remote shell")),
                };
            }
            b'M' => return Err(format!("the M in {shown:?} is no option for a transfer")),
            value if WITH_VALUE.contains(value) => return Ok(()),
            _ => {}
        }
    }
    Ok(())
}
