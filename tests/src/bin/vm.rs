//! Starts a test machine by hand, with the package of what is built installed in it.
//!
//! ```text
//! vm RELEASE            print the command that logs in as root, and go on until standard input ends (^D)
//! vm RELEASE SCRIPT…    run these files as root, one after the other, by their own first lines; the exit status is the last one's
//! ```
//!
//! RELEASE is `bookworm` or `trixie`; `--bare` before it leaves the package out.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program"
)]

use std::io::Read;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use login_jail_tests::vm::{Release, Vm};

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_bare = arguments.first().is_some_and(|first| first == "--bare");
    if is_bare {
        arguments.remove(0);
    }
    let Some((release, scripts)) = arguments
        .split_first()
        .and_then(|(name, scripts)| Some((Release::named(name)?, scripts)))
    else {
        eprintln!("usage: vm [--bare] bookworm|trixie [SCRIPT...]");
        return ExitCode::from(2);
    };
    let since = Instant::now();
    let mut vm = match Vm::boot(release) {
        Ok(vm) => vm,
        Err(reason) => {
            eprintln!("vm: {reason}");
            return ExitCode::FAILURE;
        }
    };
    eprintln!(
        "vm: {} by {}, {} s to a login",
        release.name(),
        vm.accelerator(),
        since.elapsed().as_secs()
    );
    if !is_bare {
        vm.install();
    }
    if scripts.is_empty() {
        println!(
            "ssh -F none -i {} -p {} -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR root@127.0.0.1",
            vm.key().display(),
            vm.port()
        );
        std::io::stdin().read_to_end(&mut Vec::new()).ok();
        return ExitCode::SUCCESS;
    }
    scripts
        .iter()
        .fold(ExitCode::SUCCESS, |_, script| run(&vm, script))
}

fn run(vm: &Vm, script: &str) -> ExitCode {
    vm.put(Path::new(script), "/root/script");
    let outcome = vm.sh("chmod 755 /root/script; cd /root; ./script");
    print!("{}", outcome.stdout);
    eprint!("{}", outcome.stderr);
    let code = outcome.code().and_then(|code| u8::try_from(code).ok());
    ExitCode::from(code.unwrap_or(255))
}
