//! Root directories for jails, made in the sandbox out of what the machine has.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Directories, devices and accounts that every root here has: `$root`, `$user` and `$shell` are set.
const SKELETON: &str = r#"
mkdir -p "$root/bin" "$root/dev" "$root/etc" "$root/home/$user" "$root/tmp" "$root/usr/bin"
chmod 1777 "$root/tmp"
chown "$user:" "$root/home/$user"
[ -e "$root/dev/null" ] || mknod -m 666 "$root/dev/null" c 1 3
[ -e "$root/dev/zero" ] || mknod -m 666 "$root/dev/zero" c 1 5
[ -e "$root/dev/tty" ] || mknod -m 666 "$root/dev/tty" c 5 0
[ -e "$root/etc/passwd" ] || echo root:x:0:0:root:/root:/bin/sh >"$root/etc/passwd"
[ -e "$root/etc/group" ] || echo root:x:0: >"$root/etc/group"
echo "$user:x:$(id -u "$user"):$(id -g "$user")::/home/$user:$shell" >>"$root/etc/passwd"
echo "$user:x:$(id -g "$user"):" >>"$root/etc/group"
"#;

const BUSYBOX: &str = r#"
busybox=$(command -v busybox)
if ldd "$busybox" >/dev/null 2>&1; then
    echo "$busybox is not static (package busybox-static)" >&2
    exit 1
fi
export bin="$root/bin"
cp "$busybox" "$bin/busybox"
# One process for 300 links.
"$busybox" --list | perl -ne 'chomp; $_ eq "busybox" or symlink "busybox", "$ENV{bin}/$_" or die "$_: $!\n"'
printf 'a jail of busybox\n' >"$root/etc/issue"
"#;

/// Copies `$programs` and every file that ldd names for them to their own paths.
const PROGRAMS: &str = r#"
for program in $programs; do
    cp -L --parents "$program" "$root"
    for library in $(ldd "$program" | grep -o '/[^ ]*'); do
        cp -L --parents -u "$library" "$root"
    done
done
"#;

/// How to make a root directory.
#[derive(Debug, Clone)]
pub struct Root {
    /// The shell in there, for the config.
    pub(crate) shell: &'static str,
    script: String,
}

impl Root {
    /// Does something more once the root is made: a shell script that finds `$root` and `$user`.
    #[must_use]
    pub fn then(mut self, script: &str) -> Self {
        self.script.push('\n');
        self.script.push_str(script);
        self
    }

    /// Gives the script that makes the root for a user, at this path.
    pub(crate) fn script(&self, root: &str, user: &str) -> String {
        format!(
            "root={root} user={user} shell={}\nmkdir -p $root\n{}",
            self.shell, self.script
        )
    }
}

/// A static busybox with all its applets: the smallest root that is a system.
#[must_use]
pub fn busybox() -> Root {
    Root {
        shell: "/bin/sh",
        script: format!("{SKELETON}{BUSYBOX}"),
    }
}

/// A home directory and nothing else: for a jail whose `base` gives the system.
#[must_use]
pub fn home() -> Root {
    Root {
        shell: "/bin/bash",
        script: r#"mkdir -p "$root/home/$user" && chown "$user:" "$root/home/$user""#.to_owned(),
    }
}

/// The machine's bash with its loader and libraries, and no other program.
#[must_use]
pub fn dynamic() -> Root {
    programs(&["/bin/bash"])
}

/// [`dynamic`] without one of the libraries that bash asks for.
#[must_use]
pub fn missing_library() -> Root {
    dynamic().then("find $root -name 'libtinfo.so*' -exec rm {} +")
}

/// [`dynamic`] without the loader that bash names as its interpreter.
#[must_use]
pub fn missing_interpreter() -> Root {
    dynamic().then("find $root -name 'ld-linux*' -exec rm {} +")
}

/// bash as shell, and these programs of the machine with what they need.
#[must_use]
pub fn programs(programs: &[&str]) -> Root {
    let programs = programs.join(" ");
    Root {
        shell: "/bin/bash",
        script: format!("{SKELETON}programs='/bin/bash {programs}'\n{PROGRAMS}"),
    }
}

/// A Debian of the machine's own release, made by debootstrap and kept below `target/`.
///
/// # Errors
///
/// Gives the reason why there is none: no debootstrap, no mirror configured, mirror out of reach.
pub fn debian() -> Result<Root, String> {
    let mount = mount_debian("$root")?;
    Ok(Root {
        shell: "/bin/bash",
        script: format!("{mount}\n{SKELETON}"),
    })
}

/// Gives the script that mounts a copy of that Debian on a directory.
///
/// # Errors
///
/// Those of [`debian`].
pub fn mount_debian(directory: &str) -> Result<String, String> {
    let cached = cached_debian()?;
    Ok(format!(
        "mkdir -p {directory} /run/debian/upper /run/debian/work
         mount -t overlay -o lowerdir={},upperdir=/run/debian/upper,workdir=/run/debian/work \
               overlay {directory}",
        cached.display()
    ))
}

fn cached_debian() -> Result<PathBuf, String> {
    let debian = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/debian");
    fs::create_dir_all(&debian).map_err(|error| format!("make {}: {error}", debian.display()))?;
    let debian = fs::canonicalize(&debian).map_err(|error| error.to_string())?;
    let root = debian.join("root");
    let (suite, mirror) = mirror()?;
    // debootstrap mounts and may leave what it mounted: it gets namespaces of its own. The lock is
    // for tests that run at the same time, the renaming for those that are killed, and the mode
    // keeps the host's users away from another system's set-uid programs.
    let script = r#"
        [ -d "$1" ] && exit
        chmod 700 "$(dirname "$1")"
        rm -rf "$1.partial"
        unshare --mount --pid --fork --kill-child \
            debootstrap --variant=minbase "$2" "$1.partial" "$3" >"$1.log" 2>&1 ||
            { tail -n 5 "$1.log"; exit 1; }
        rm -rf "$1.partial"/var/cache/apt/* "$1.partial"/var/lib/apt/lists/*
        mv "$1.partial" "$1"
    "#;
    let lock = debian.join("lock");
    let made = Command::new("flock")
        .arg(lock)
        .args(["sh", "-c", script, "sh"])
        .args([root.as_os_str(), suite.as_ref(), mirror.as_ref()])
        .output()
        .map_err(|error| format!("start flock: {error}"))?;
    if made.status.success() {
        return Ok(root);
    }
    Err(format!(
        "debootstrap of {suite} failed: {}{}",
        String::from_utf8_lossy(&made.stdout),
        String::from_utf8_lossy(&made.stderr)
    ))
}

/// The release of the machine and the mirror that its apt takes that release from.
fn mirror() -> Result<(String, String), String> {
    let release = fs::read_to_string("/etc/os-release")
        .map_err(|error| format!("read /etc/os-release: {error}"))?;
    let suite = release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .ok_or("/etc/os-release names no release")?;
    let format = "$(COMPONENT) $(CODENAME) $(REPO_URI)";
    let targets = Command::new("apt-get")
        .args(["indextargets", "--format", format, "Created-By: Packages"])
        .output()
        .map_err(|error| format!("ask apt for its mirror: {error}"))?;
    let wanted = format!("main {suite} ");
    let targets = String::from_utf8_lossy(&targets.stdout).into_owned();
    let mirror = targets
        .lines()
        .find_map(|line| line.strip_prefix(&wanted))
        .ok_or_else(|| format!("apt has no mirror for {suite}"))?;
    Ok((suite.to_owned(), mirror.to_owned()))
}
