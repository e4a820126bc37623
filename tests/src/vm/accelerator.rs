//! Whether instructions are executed by the processor or by an emulator. A `/dev/kvm` that opens proves nothing: where this
//! machine is a virtual one itself, a guest may hang at its first instruction. So a kernel is started, within a time.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::image::Image;
use crate::outcome::wait;

/// What `tests/vm/early` says on a machine that is only to show that it starts.
const STARTED: &str = "vm: started";
/// With KVM it takes two seconds.
const LIMIT: Duration = Duration::from_secs(20);

/// Gives `kvm` where a machine starts with it, otherwise `tcg`. The answer is kept until this machine restarts.
pub(super) fn accelerator(image: &Image) -> &'static str {
    if fs::metadata("/dev/kvm").is_err() {
        return "tcg";
    }
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let kept = image.file("kvm");
    if let Some(answer) = fs::read_to_string(&kept)
        .ok()
        .and_then(|text| text.strip_prefix(&boot).map(str::to_owned))
    {
        return if answer == "kvm" { "kvm" } else { "tcg" };
    }
    let answer = if starts(image, &image.file("kvm.log")) {
        "kvm"
    } else {
        "tcg"
    };
    fs::write(&kept, format!("{boot}{answer}")).ok();
    answer
}

fn starts(image: &Image, log: &Path) -> bool {
    let started = Command::new("qemu-system-x86_64")
        .args(["-accel", "kvm", "-cpu", "host", "-m", "256", "-nodefaults"])
        .args(["-display", "none", "-no-reboot", "-serial"])
        .arg(format!("file:{}", log.display()))
        .arg("-kernel")
        .arg(image.file("kernel"))
        .arg("-initrd")
        .arg(image.file("early.gz"))
        .args(["-append", "console=ttyS0 quiet vm.probe panic=-1"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut qemu) = started else { return false };
    // One that hangs in the kernel does not even die: it is not waited for beyond this.
    wait(&mut qemu, Instant::now() + LIMIT);
    fs::read_to_string(log).is_ok_and(|said| said.contains(STARTED))
}
