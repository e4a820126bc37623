//! The words after `pam_jail.so` in a line of the PAM stack.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use jail::door::decision::{CONFIG_DIRECTORY, CONFIG_FILE};

/// The options, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// The directory of the config.
    pub(crate) directory: PathBuf,
    /// The config's name in it.
    pub(crate) file: OsString,
    /// Whether what was decided belongs in the log, too.
    pub(crate) debug: bool,
    /// Whether the user is told nothing.
    pub(crate) quiet: bool,
    /// Whether sshd serves users whose password has expired, because pam_unix has the same word.
    pub(crate) no_pass_expiry: bool,
}

/// A word that is no option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OptionError {
    /// There is no such option.
    Unknown(OsString),
    /// `config=` has no absolute path.
    NotAbsolute(OsString),
    /// The arguments could not be read at all.
    Missing,
}

impl fmt::Display for OptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OptionError::Unknown(word) => write!(
                f,
                "unknown option {}; there are config=PATH, debug, no_pass_expiry and quiet",
                jail::log::quoted(word)
            ),
            OptionError::NotAbsolute(word) => write!(
                f,
                "{} needs the absolute path of a directory, or of a file that ends in .toml",
                jail::log::quoted(word)
            ),
            OptionError::Missing => f.write_str("the options were not handed over"),
        }
    }
}

impl Options {
    /// Reads the words.
    ///
    /// # Errors
    /// The first word that is no option.
    pub(crate) fn parse(words: &[OsString]) -> Result<Options, OptionError> {
        let mut options = Options {
            directory: CONFIG_DIRECTORY.into(),
            file: CONFIG_FILE.into(),
            debug: false,
            quiet: false,
            no_pass_expiry: false,
        };
        for word in words {
            match word.as_bytes() {
                b"debug" => options.debug = true,
                b"quiet" => options.quiet = true,
                b"no_pass_expiry" => options.no_pass_expiry = true,
                other => match other.strip_prefix(b"config=") {
                    Some(path) => options.set_config(word, Path::new(OsStr::from_bytes(path)))?,
                    None => return Err(OptionError::Unknown(word.clone())),
                },
            }
        }
        Ok(options)
    }

    fn set_config(&mut self, word: &OsStr, path: &Path) -> Result<(), OptionError> {
        let not_absolute = || OptionError::NotAbsolute(word.to_owned());
        if !path.is_absolute() {
            return Err(not_absolute());
        }
        if path.extension() == Some(OsStr::new("toml")) {
            let name = path.file_name().ok_or_else(not_absolute)?;
            self.file = name.to_owned();
            self.directory = path.parent().ok_or_else(not_absolute)?.to_owned();
        } else {
            self.file = CONFIG_FILE.into();
            self.directory = path.to_owned();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsString, path::Path};

    use super::{OptionError, Options};

    fn parse(words: &[&str]) -> Result<Options, OptionError> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        Options::parse(&words)
    }

    #[test]
    fn config_is_a_directory_or_a_file() {
        let directory = parse(&["config=/etc/other", "debug"]).unwrap();
        assert_eq!(directory.directory, Path::new("/etc/other"));
        assert_eq!(directory.file, "config.toml");
        assert!(directory.debug);
        assert!(!directory.no_pass_expiry);
        let file = parse(&["quiet", "config=/etc/other/sshd.toml", "no_pass_expiry"]).unwrap();
        assert!(file.no_pass_expiry);
        assert_eq!(file.directory, Path::new("/etc/other"));
        assert_eq!(file.file, "sshd.toml");
        assert!(file.quiet);
    }

    #[test]
    fn anything_else_is_an_error() {
        for word in ["", "Debug", "config", "configs=/x", "debug=1", "silent"] {
            assert_eq!(parse(&[word]), Err(OptionError::Unknown(word.into())));
        }
        for word in ["config=", "config=x", "config=./x.toml"] {
            assert_eq!(parse(&[word]), Err(OptionError::NotAbsolute(word.into())));
        }
    }
}
