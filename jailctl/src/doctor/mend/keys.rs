//! A user's keys, taken along to a file of root's, where sshd goes on finding them and the user can't write them.
//!
//! They are read as the user: what looks like a file of keys may be a link to anything.

use std::{
    io::Write,
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::{Path, PathBuf},
};

use jail::account::identity::Identity;
use jail_roots::tree::Tree;

use crate::{
    accounts::{account::Jailed, traces::KEYS},
    doctor::{
        check::{leading_to_shell, reaches_home, written_keys},
        mend::{
            Data, Extent,
            host_home::{self, left_out},
        },
    },
    failure::Failure,
    guest,
    shell::{self, shown},
};

/// How long reading may take, in seconds.
const LONGEST: &str = "10";

/// Reads as much as 1 MiB of each file, and waits for nobody to write into a pipe. Each ends with the end of a line.
const READ: &str = r#"
for file; do
    if ! test -e "$file" || test -f "$file"; then
        dd if="$file" iflag=nonblock,count_bytes count=1048576 bs=65536 status=none || exit
        echo
    else
        echo "$file is no regular file" >&2
        exit 1
    fi
done"#;

/// Takes the keys along that the user can write.
pub(crate) fn to_roots_file(
    jailed: &Jailed,
    sshd_config: &Path,
    extent: Extent,
) -> Result<Vec<String>, Failure> {
    let from = written_keys(jailed, sshd_config)?;
    copy(
        jailed,
        &from,
        &Path::new(KEYS).join(&jailed.identity.name),
        extent,
    )
}

/// Gives the user another home on the host, out of reach from inside the jail, and takes the keys along.
pub(crate) fn away(
    jailed: &Jailed,
    all: &[Jailed],
    extent: Extent,
) -> Result<Vec<String>, Failure> {
    if !reaches_home(jailed) {
        return Ok(Vec::new());
    }
    let away = Path::new("/home").join(&jailed.identity.name);
    if let Some(source) = Data::of(all)?.shows(&away) {
        return Err(Failure::Failed(format!(
            "{} is in {}, which the config mounts: it would be in reach, too; choose another home, and set it by usermod -d",
            shown(&away),
            shown(source)
        )));
    }
    let keys = away.join(".ssh/authorized_keys");
    let from = [guest::home(&jailed.identity).join(".ssh/authorized_keys")];
    let mut changes = Vec::new();
    let users_own = |path: &Path| {
        let found = path.symlink_metadata();
        found.is_ok_and(|it| it.is_dir() && it.uid() == jailed.identity.uid)
    };
    if users_own(&away) {
        if !keys.exists()
            && let Some((lines, without)) = read(jailed, &from)?
        {
            if extent == Extent::Whole {
                host_home::add(jailed, &away, &lines)?;
            }
            changes.push(format!("{}: the keys of {}", shown(&keys), jailed.name()));
            changes.extend(left_out(&keys, without));
        }
    } else {
        if extent == Extent::Whole {
            Tree::make_above(&keys, &mut Vec::new())?;
        }
        changes.push(format!("{}: a directory of root's", shown(&away)));
        changes.extend(copy(jailed, &from, &keys, extent)?);
    }
    if extent == Extent::Whole {
        let (home, user) = (
            away.to_string_lossy(),
            jailed.identity.name.to_string_lossy(),
        );
        let answer = shell::ask("usermod", &["-d", &home, "--", &user])?;
        let answer =
            answer.ok_or_else(|| Failure::Failed("usermod is not installed".to_owned()))?;
        if !answer.status.success() {
            let said = String::from_utf8_lossy(&answer.stderr).into_owned();
            return Err(Failure::Failed(format!(
                "usermod -d: {}",
                shown(said.trim())
            )));
        }
    }
    changes.push(format!(
        "{}: the home on the host is {}",
        jailed.name(),
        shown(&away)
    ));
    Ok(changes)
}

/// Copies files of keys into one of root's, if there is none yet.
fn copy(
    jailed: &Jailed,
    from: &[PathBuf],
    to: &Path,
    extent: Extent,
) -> Result<Vec<String>, Failure> {
    if to.symlink_metadata().is_ok() {
        return Ok(Vec::new());
    }
    let Some((keys, without)) = read(jailed, from)? else {
        return Ok(Vec::new());
    };
    if extent == Extent::Whole {
        let name = Path::new(to.file_name().unwrap_or_default());
        let mut file = Tree::make_above(to, &mut Vec::new())?.create(name, 0o644)?;
        let written = file
            .write_all(keys.as_bytes())
            .and_then(|()| file.sync_all());
        written.map_err(|error| Failure::io("write", to, &error))?;
    }
    let mut changes = vec![format!("{}: the keys of {}", shown(to), jailed.name())];
    changes.extend(left_out(to, without));
    Ok(changes)
}

/// Reads files of keys as the user, and gives the keys that lead to the login shell and how many do not; nothing where there
/// are no such files.
fn read(jailed: &Jailed, from: &[PathBuf]) -> Result<Option<(String, usize)>, Failure> {
    read_as(&jailed.identity, from)
}

/// Reads the keys that an account has in its home on the host, for a file of root's to have them.
///
/// # Errors
/// They are there and can't be read.
pub(crate) fn in_home(identity: &Identity) -> Result<Option<String>, Failure> {
    let files = ["authorized_keys", "authorized_keys2"];
    let files = files.map(|name| identity.home.join(".ssh").join(name));
    Ok(read_as(identity, &files)?.map(|(keys, _)| keys))
}

fn read_as(identity: &Identity, from: &[PathBuf]) -> Result<Option<(String, usize)>, Failure> {
    let from = from.iter().filter(|it| it.symlink_metadata().is_ok());
    let from: Vec<&PathBuf> = from.collect();
    if from.is_empty() {
        return Ok(None);
    }
    // In a session of its own: the user's process has no hold on root's terminal.
    let mut command = shell::program("setsid");
    command
        .args(["--wait", "timeout", LONGEST, "sh", "-c", READ, "sh"])
        .args(&from);
    // With the uid of somebody else, the supplementary groups go as well.
    command.uid(identity.uid).gid(identity.gid);
    let output = command
        .output()
        .map_err(|error| Failure::Failed(format!("read keys: {error}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let why = match said.trim() {
            "" => format!("it took longer than {LONGEST} seconds"),
            said => shown(said),
        };
        return Err(Failure::Failed(format!(
            "read the keys as {}: {why}; put them into {KEYS}/{0}, or remove what is in their place",
            shown(&identity.name),
        )));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let (mut keys, left_out) = leading_to_shell(&text);
    keys.truncate(keys.trim_end().len());
    if !keys.is_empty() {
        keys.push('\n');
    }
    Ok(Some((keys, left_out)))
}
