//! The arguments of the commands that jailctl runs as processes of its own: their help is for whoever reads the code.

use std::{ffi::OsString, path::PathBuf};

use clap::Args;

use crate::door::Door;

/// Write the man pages of this tool into a directory
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The directory
    pub(crate) directory: PathBuf,
}

/// Enter a user's jail and print what is seen inside, a line of JSON for each
#[derive(Debug, Args)]
pub(crate) struct Rehearse {
    /// The door that the user comes through
    #[arg(long, value_enum)]
    pub(crate) door: Door,
    /// Try the probes instead of looking around; what they are told, as JSON
    #[arg(long, value_name = "JSON")]
    pub(crate) attack: Option<String>,
    /// The account
    pub(crate) user: String,
}

/// Stand outside of a jail for the probes to reach, until the end of standard input
#[derive(Debug, Args)]
pub(crate) struct Accomplice {
    /// The account
    pub(crate) user: String,
}

/// Try the probes where no wall stands, to show that each gets through there
#[derive(Debug, Args)]
pub(crate) struct Unwalled {
    /// As root, not as the user
    #[arg(long)]
    pub(crate) root: bool,
    /// What the probes are told, as JSON
    #[arg(long, value_name = "JSON")]
    pub(crate) told: Option<String>,
    /// The account whose process stands outside
    pub(crate) user: String,
}

/// Kill all processes with a user id, by that user
#[derive(Debug, Args)]
pub(crate) struct KillAll {
    /// The user id
    pub(crate) uid: u32,
}

/// Print what processes run, a line of JSON for each
#[derive(Debug, Args)]
pub(crate) struct Commands {
    /// The process ids
    pub(crate) pids: Vec<i32>,
}

/// Run this program with other arguments, and end all that comes of it
#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// How long it may take, in seconds
    #[arg(long, value_name = "SECONDS")]
    pub(crate) longest: u64,
    /// The arguments
    #[arg(last = true, value_name = "ARGUMENT")]
    pub(crate) arguments: Vec<OsString>,
}
