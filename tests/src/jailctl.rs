//! jailctl in the sandbox: run from where `make build` leaves it, which the sandbox shows at the same path.

use std::path::Path;

use crate::outcome::Outcome;
use crate::sandbox::Sandbox;

impl Sandbox {
    /// Runs jailctl as root.
    #[track_caller]
    pub fn jailctl(&self, arguments: &[&str]) -> Outcome {
        let program = jailctl();
        self.run(&[&[program.as_str()], arguments].concat())
    }

    /// Closes what a machine has open from its installation for ann, so that `check` finds only what is planted.
    #[track_caller]
    pub fn quiet_host(&self) {
        self.write(
            "/etc/ssh/sshd_config",
            "Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\nAcceptEnv LANG LC_*\n\
             Subsystem sftp /usr/lib/openssh/sftp-server\nPermitUserRC no\nX11Forwarding no\nAllowAgentForwarding no\nDisableForwarding yes\n",
        );
        self.must(
            "rm -f /etc/ssh/sshd_config.d/*; ssh-keygen -A >/dev/null
             for list in /etc/cron.deny /etc/at.deny; do echo ann >>$list; done; rm -f /etc/cron.allow /etc/at.allow",
        );
    }
}

/// Gives the path of jailctl, for shell scripts.
///
/// # Panics
/// It is not built.
#[track_caller]
#[must_use]
pub fn jailctl() -> String {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tool/jailctl");
    let program = program.canonicalize();
    let program = program.expect("target/tool/jailctl is not there: run `make build` first");
    program.display().to_string()
}
