//! A config as it would be with one rule more, before that is written.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use jail::door::{
    decision::{CONFIG_DIRECTORY, Config},
    refusal::Refusal,
};
use jail_config::Decision;

use crate::{
    accounts::{
        account::{self, Jailed},
        edit::{self, Lock},
    },
    failure::Failure,
    shell::{quoted, shown},
};

/// Where the administrator's own services are, beside a config.
const SERVICES: &str = "services.d";

/// A directory with a config to be tried, which goes away again.
pub(crate) struct Trial(pub(crate) PathBuf);

impl Trial {
    /// Makes a config of this text, beside the services that the administrator has added in a directory.
    pub(crate) fn new(text: &str, beside: &Path) -> Result<Trial, Failure> {
        // Under the lock: what is there already is from one that was killed.
        let directory = PathBuf::from("/run/login-jail-trial");
        match fs::remove_dir_all(&directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Failure::io("remove", &directory, &error));
            }
            _ => {}
        }
        DirBuilder::new()
            .mode(0o700)
            .create(&directory)
            .map_err(|error| Failure::io("make", &directory, &error))?;
        let trial = Trial(directory);
        let file = trial.0.join("config.toml");
        fs::write(&file, text).map_err(|error| Failure::io("write", &file, &error))?;
        trial.copy_services(&beside.join(SERVICES))?;
        Ok(trial)
    }

    fn copy_services(&self, from: &Path) -> Result<(), Failure> {
        let entries = match fs::read_dir(from) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(|error| Failure::io("list", from, &error))?,
        };
        let to = self.0.join(SERVICES);
        fs::create_dir(&to).map_err(|error| Failure::io("make", &to, &error))?;
        for entry in entries {
            let entry = entry.map_err(|error| Failure::io("list", from, &error))?;
            if entry.path().is_file() {
                fs::copy(entry.path(), to.join(entry.file_name()))
                    .map_err(|error| Failure::io("copy", &entry.path(), &error))?;
            }
        }
        Ok(())
    }

    /// Names the file that the config is for, where what failed names the one that was tried.
    pub(crate) fn named(&self, failure: Failure, file: &Path) -> Failure {
        let tried = self.0.join("config.toml").display().to_string();
        match failure {
            Failure::Usage(what) => Failure::Usage(what),
            other => {
                let what = match &other {
                    // No login goes by it yet.
                    Failure::Refused(Refusal::ConfigWrong(faults)) => {
                        format!(
                            "nothing was changed, because the config would have errors:\n\n{faults}"
                        )
                    }
                    other => other.to_string(),
                };
                Failure::Failed(what.replace(&tried, &file.display().to_string()))
            }
        }
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("jailctl: remove {}: {error}", self.0.display());
        }
    }
}

/// Writes a user's rule into the text of a config.
pub(crate) fn with_user(
    text: &str,
    user: &str,
    target: &str,
    file: &Path,
) -> Result<String, Failure> {
    edit::set_user(text, user, target)
        .map_err(|error| Failure::Failed(format!("read {}: {error}", file.display())))
}

/// Lets the commands of a sentence go by a config. The sentences of logins go by the one of the doors.
pub(crate) fn by_config(sentence: &str, directory: &Path) -> String {
    if directory == Path::new(CONFIG_DIRECTORY) {
        return sentence.to_owned();
    }
    let mend = format!("jailctl --config {} mend ", quoted(directory));
    sentence.replace("jailctl mend ", &mend)
}

/// Gives the user of a rule `USER=JAIL` or `USER=DIR`, in the jail that it would lead to.
pub(crate) fn supposed_user(directory: &Path, rule: &str) -> Result<Jailed, Failure> {
    let (user, target) = rule
        .split_once('=')
        .ok_or_else(|| Failure::Usage("--rule: give USER=JAIL or USER=DIR".to_owned()))?;
    let _lock = Lock::take()?;
    let identity = account::named(user)?;
    let file = directory.join("config.toml");
    let text = fs::read_to_string(&file).map_err(|error| Failure::io("read", &file, &error))?;
    let trial = Trial::new(&with_user(&text, user, target, &file)?, directory)?;
    let decided = Config::read(&trial.0).and_then(|config| config.decide(&identity));
    match decided {
        Ok(Decision::Jail(jail)) => Ok(Jailed {
            identity,
            jail: *jail,
        }),
        Ok(_) => Err(Failure::Failed(format!(
            "--rule {}: the config exempts {}",
            shown(rule),
            shown(user)
        ))),
        Err(refusal) => Err(trial.named(refusal.into(), &file)),
    }
}
