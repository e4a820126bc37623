//! The recipes: what each of them is made of.

use clap::ValueEnum;

/// A set-up that `jailctl setup` makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Recipe {
    /// SFTP and nothing else, each user in a directory of their own
    Sftp,
    /// The host's programs, read-only, and a home of one's own
    HostView,
    /// Pupils with the host's programs and their homes of the host, without a network
    Class,
    /// SFTP, rsync and git in a home of one's own, and no shell
    Contractor,
    /// ssh -J to the machines that --target names, and nothing on this host
    JumpHost,
    /// The host's compilers, without a network
    BuildHost,
}

/// Where users have their homes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Home {
    /// Below their roots.
    Inside,
    /// On the host, and a mount shows it.
    OfHost,
}

/// What a recipe is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// The group, where none is asked for.
    pub(super) group: &'static str,
    /// The keys of the jail, each with its value in TOML; but for `root`, `limits` and `mounts`.
    pub(super) keys: &'static [(&'static str, &'static str)],
    pub(super) limits: &'static [(&'static str, &'static str)],
    pub(super) home: Home,
    /// The mode of the mount that shows the directory of --shared.
    pub(super) shared: &'static str,
    /// What sshd is told besides what it is told for every recipe.
    pub(super) sshd: &'static [&'static str],
    /// The findings of a check that are meant to be, and why.
    pub(super) accepts: &'static [(&'static str, &'static str)],
    /// Whether sshd forwards to the machines that --target names.
    pub(super) forwards: bool,
}

/// Nothing is forwarded, and jail-shell is forced: a second bolt where the jail has a shell.
pub(super) const SHELL: &[&str] = &["DisableForwarding yes", "ForceCommand /usr/bin/jail-shell"];

/// Nothing is forwarded. The login shell decides by the list of commands what is served.
pub(super) const COMMANDS: &[&str] = &["DisableForwarding yes"];

const PLAIN: Shape = Shape {
    group: "",
    keys: &[],
    limits: &[],
    home: Home::Inside,
    shared: "rw",
    sshd: SHELL,
    accepts: &[],
    forwards: false,
};

impl Recipe {
    pub(super) fn shape(self) -> Shape {
        match self {
            Recipe::Sftp => Shape {
                group: "sftponly",
                keys: &[("commands", r#"["sftp"]"#), ("network", r#""none""#)],
                sshd: COMMANDS,
                ..PLAIN
            },
            Recipe::HostView => Shape {
                group: "jailed",
                keys: &[
                    ("base", r#""host""#),
                    ("shell", r#""/bin/bash""#),
                    ("network", "{ connect = [80, 443], bind = [] }"),
                ],
                limits: &[("nproc", "100")],
                ..PLAIN
            },
            Recipe::Class => Shape {
                group: "class",
                keys: &[
                    ("base", r#""host""#),
                    ("shell", r#""/bin/bash""#),
                    ("network", r#""none""#),
                    ("linger", "false"),
                ],
                limits: &[("nproc", "200"), ("fsize", r#""1G""#)],
                home: Home::OfHost,
                shared: "ro",
                accepts: &[(
                    "home-in-reach",
                    "the home is the host's, and what obeys it is closed",
                )],
                ..PLAIN
            },
            Recipe::Contractor => Shape {
                group: "contractors",
                keys: &[
                    ("base", r#""host""#),
                    ("commands", r#"["sftp", "rsync", "git"]"#),
                    ("network", r#""none""#),
                    ("linger", "false"),
                ],
                limits: &[("nproc", "50"), ("fsize", r#""2G""#)],
                sshd: COMMANDS,
                ..PLAIN
            },
            Recipe::JumpHost => Shape {
                group: "jump",
                keys: &[
                    ("base", r#""host""#),
                    ("network", r#""none""#),
                    ("linger", "false"),
                ],
                limits: &[("nproc", "20")],
                sshd: &[
                    "AllowTcpForwarding local",
                    "AllowStreamLocalForwarding no",
                    "PermitTTY no",
                    "ForceCommand echo 'This account is for ssh -J only.' >&2; exit 1",
                ],
                accepts: &[("sshd-forwarding", "PermitOpen limits it to the targets")],
                forwards: true,
                ..PLAIN
            },
            Recipe::BuildHost => Shape {
                group: "build",
                keys: &[
                    ("base", r#""host""#),
                    ("shell", r#""/bin/bash""#),
                    ("network", r#""none""#),
                    ("linger", "false"),
                ],
                limits: &[("nproc", "500")],
                ..PLAIN
            },
        }
    }

    /// Gives the word for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Recipe::Sftp => "sftp",
            Recipe::HostView => "host-view",
            Recipe::Class => "class",
            Recipe::Contractor => "contractor",
            Recipe::JumpHost => "jump-host",
            Recipe::BuildHost => "build-host",
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::Recipe;

    #[test]
    fn a_recipe_has_one_name_in_arguments_and_files() {
        for recipe in Recipe::value_variants() {
            let argument = recipe.to_possible_value().unwrap();
            assert_eq!(argument.get_name(), recipe.name());
        }
    }

    #[test]
    fn two_recipes_share_no_group() {
        let mut groups: Vec<_> = Recipe::value_variants()
            .iter()
            .map(|it| it.shape().group)
            .collect();
        groups.sort_unstable();
        groups.dedup();
        assert_eq!(groups.len(), Recipe::value_variants().len());
    }
}
