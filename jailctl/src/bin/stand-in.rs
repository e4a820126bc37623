//! What jailctl starts to stand in for a jailed user: installed in libexec, and of no use to anybody else.

use std::process::ExitCode;

fn main() -> ExitCode {
    jailctl::stand_in()
}
