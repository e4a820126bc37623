//! jailctl, the administrator's tool.

use std::process::ExitCode;

fn main() -> ExitCode {
    jailctl::tool()
}
