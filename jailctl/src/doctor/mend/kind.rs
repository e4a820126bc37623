//! What jailctl mends by itself, by the words that findings have, and what each is about.

use clap::ValueEnum;

/// What is wrong, by the word that `jailctl check` calls it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Forbid a user at(1): its jobs run on the host
    At,
    /// Remove the jobs of at(1) of a user that wait to run on the host
    AtJobs,
    /// Make the way to a base root's alone
    Base,
    /// Write an empty config, which serves nobody
    ConfigMissing,
    /// Make the config and the way to it root's alone
    ConfigUnsafe,
    /// Forbid a user crontab(1): its jobs run on the host
    Cron,
    /// Move a user's crontab, which runs on the host, to root's home
    Crontab,
    /// Remove a device of a root that no jail needs
    Device,
    /// Limit what the files in the home may take, as `disk` says, by a quota of its file system
    DiskUnlimited,
    /// Let the shell of a jail be executed
    Exec,
    /// Remove the capabilities of a file of a root
    FileCapabilities,
    /// Write the user's groups of the host into the jail's group file
    GroupDisagrees,
    /// Put a copy in the place of a file of a root that has other names, outside of the root too
    HardLink,
    /// Give a user a home on the host that the jail does not reach, and take the keys along
    HomeInReach,
    /// Make the home in the jail, or give it to its user
    HomeMissing,
    /// Give the home in the jail to its user
    HomeNotWritable,
    /// Let only root own and write a file of a root which programs of the host read as root
    HostFiles,
    /// Copy the shell of a jail with all that it needs from the host
    InterpreterMissing,
    /// Take away the permission to replace jail-shell
    JailShellWritable,
    /// Copy the shell of a jail with all that it needs from the host
    LibraryMissing,
    /// End the lingering of a user's services on the host
    Linger,
    /// Copy the host's locales into the root
    LocaleMissing,
    /// Copy the user's login shell with all that it needs from the host
    LoginShell,
    /// Unmount a part of the host that is mounted below a root
    MountInRoot,
    /// Take a service without a library out of the jail's nsswitch.conf
    NssLibraryMissing,
    /// Make /dev/null in the root
    NullMissing,
    /// Take away the permission to replace pam_jail.so
    PamModule,
    /// Write the user's line of the host into the jail's passwd
    PasswdDisagrees,
    /// Write the user's line into the jail's passwd
    PasswdLineMissing,
    /// Copy a program that can't start, with all that it needs, from the host; remove it where the host has none
    ProgramBroken,
    /// Copy the host's resolv.conf into the root
    ResolverMissing,
    /// Make the way to a root root's alone
    Root,
    /// Let the user search the root directory
    RootUnsearchable,
    /// Take accounts with uid 0 besides root out of the jail's passwd
    SecondRoot,
    /// Remove the set-user-ID and set-group-ID bits of a file of a root
    SetId,
    /// Copy sftp-server with all that it needs from the host
    SftpServerBroken,
    /// Copy sftp-server with all that it needs from the host
    SftpServerMissing,
    /// Copy the shell of a jail with all that it needs from the host
    ShellMissing,
    /// Take jail-shell out of /etc/shells
    Shells,
    /// Copy a user's keys to /etc/ssh/authorized_keys.d
    SshdKeys,
    /// Let nobody but the user write the user's keys on the host and the directories they are in, so that sshd obeys them
    SshdKeysIgnored,
    /// Copy the keys in the jail's home to the home on the host, where sshd looks
    SshdKeysInside,
    /// Give a program, library or account file of a root back to root
    SystemOwner,
    /// Take away the write permission for programs, libraries and account files of a root
    SystemWritable,
    /// Copy the host's descriptions of terminals into the root
    TerminfoMissing,
    /// Copy the host's time zone into the root
    TimeZoneMissing,
    /// Mask a user's systemd user manager, which runs on the host what is written to the home from inside the jail; for @GROUP, keep the managers of all members from starting, whoever joins later
    UserManager,
    /// Take away the write permission that everybody has for a file of a root
    WorldWritable,
}

/// What the second word of the command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Object {
    /// A path: below the root of a jail, or one that the config or PAM names, as a root, a base or the module.
    Path,
    /// A jailed user.
    User,
    /// Nothing: it is one thing of the host's.
    Host,
}

impl Kind {
    /// Gives the word for it, which is also the finding's.
    pub(crate) fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }

    /// Says what it is about.
    pub(crate) fn object(self) -> Object {
        match self {
            Kind::Base
            | Kind::Device
            | Kind::FileCapabilities
            | Kind::HardLink
            | Kind::HostFiles
            | Kind::MountInRoot
            | Kind::PamModule
            | Kind::ProgramBroken
            | Kind::Root
            | Kind::SetId
            | Kind::SystemOwner
            | Kind::SystemWritable
            | Kind::WorldWritable => Object::Path,
            Kind::At
            | Kind::AtJobs
            | Kind::Cron
            | Kind::Crontab
            | Kind::DiskUnlimited
            | Kind::Exec
            | Kind::GroupDisagrees
            | Kind::HomeInReach
            | Kind::HomeMissing
            | Kind::HomeNotWritable
            | Kind::InterpreterMissing
            | Kind::LibraryMissing
            | Kind::Linger
            | Kind::LocaleMissing
            | Kind::LoginShell
            | Kind::NssLibraryMissing
            | Kind::NullMissing
            | Kind::PasswdDisagrees
            | Kind::PasswdLineMissing
            | Kind::ResolverMissing
            | Kind::RootUnsearchable
            | Kind::SecondRoot
            | Kind::SftpServerBroken
            | Kind::SftpServerMissing
            | Kind::ShellMissing
            | Kind::SshdKeys
            | Kind::SshdKeysIgnored
            | Kind::SshdKeysInside
            | Kind::TerminfoMissing
            | Kind::TimeZoneMissing
            | Kind::UserManager => Object::User,
            Kind::ConfigMissing | Kind::ConfigUnsafe | Kind::JailShellWritable | Kind::Shells => {
                Object::Host
            }
        }
    }

    /// Tells whether it only takes something away, of a jail and its user and of nothing else. Only such fixes are left to
    /// `--fix`.
    pub(super) fn only_takes_away(self) -> bool {
        matches!(
            self,
            Kind::At
                | Kind::ConfigUnsafe
                | Kind::Cron
                | Kind::FileCapabilities
                | Kind::JailShellWritable
                | Kind::Linger
                | Kind::PamModule
                | Kind::Root
                | Kind::SetId
                | Kind::Shells
                | Kind::SystemWritable
                | Kind::UserManager
                | Kind::WorldWritable
        )
    }
}
