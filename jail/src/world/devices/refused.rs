//! Which device nodes no jail gets, whatever their names are: by type and number, and by the driver where the kernel chooses the
//! number itself.
//!
//! Refused is what leads past the jail's walls: to the data of the host and of other users (disks, memory, their terminals,
//! screens and keyboards), to the kernel's own settings, to the network below the jail's rules, or to hardware on which all of
//! the host stands. What is left is for the administrator to decide: graphics and computing, sound, cameras, serial adapters,
//! virtual machines.

use std::{collections::BTreeMap, fs::File, io::Read};

use rustix::fs::FileType;

use crate::{
    fault::{StepFault, failed},
    trust::kind,
};

const OWN: &str =
    "is one that each private /dev has, or leads to the memory and the log of the kernel";
const TERMINAL: &str = "is a terminal, a console or its screen, which others use";
const INPUT: &str = "sees what others type, or types for them";
const STORAGE: &str = "leads to disks or tapes past their file systems";
const NETWORK: &str = "leads to the network past the rules of the jail";
const HARDWARE: &str = "controls hardware or firmware that all of the host stands on";
const KERNEL: &str = "controls the kernel, or is of use to root alone";
const PRIMARY: &str =
    "controls the screen; a render node (/dev/dri/renderD*) is enough for graphics and computing";

/// Numbers of the kernel's list, Documentation/admin-guide/devices.txt: first and last major, and why.
const MAJORS: [(u32, u32, &str); 23] = [
    (1, 1, OWN),
    // Pseudo terminals of old, virtual consoles and serial ports, /dev/tty and the console.
    (2, 5, TERMINAL),
    (7, 7, TERMINAL),
    // SCSI tapes.
    (9, 9, STORAGE),
    (13, 13, INPUT),
    // SCSI generic: any command to any disk.
    (21, 21, STORAGE),
    (27, 27, STORAGE),
    (29, 29, TERMINAL),
    (37, 37, STORAGE),
    (86, 86, STORAGE),
    (89, 90, HARDWARE),
    (108, 108, NETWORK),
    // Pseudo terminals: those of other sessions.
    (128, 143, TERMINAL),
    (144, 144, HARDWARE),
    (153, 153, HARDWARE),
    (162, 162, STORAGE),
    // USB devices, which may be disks and keyboards.
    (180, 180, HARDWARE),
    (189, 189, HARDWARE),
    // Registers of processors.
    (202, 203, HARDWARE),
    // Serial ports on boards, which may be the console.
    (204, 205, TERMINAL),
    (206, 206, STORAGE),
    (228, 229, TERMINAL),
    (241, 241, NETWORK),
];

/// The misc devices, major 10, that a jail may have: hwrng, kvm. All others control the kernel (loop-control, mapper/control,
/// nvram, snapshot, userfaultfd), the network (net/tun, vhost-net, vhost-vsock), input (uinput, uhid), or mounts, which no
/// session can make (fuse, cuse, autofs, btrfs-control). The kernel gives numbers from 256 on, and some below 128, to
/// whatever asks.
const MISC: [u32; 2] = [183, 232];

/// Drivers whose number the kernel chooses, by their names in /proc/devices: how they begin, and why.
const DRIVERS: [(&str, &str); 45] = [
    ("aac", STORAGE),
    ("aux", HARDWARE),
    ("bsg", STORAGE),
    ("cec", HARDWARE),
    ("cpu/", HARDWARE),
    ("cros", HARDWARE),
    ("cxl", HARDWARE),
    ("dax", HARDWARE),
    ("device_dax", HARDWARE),
    ("dimmctl", HARDWARE),
    ("fb", TERMINAL),
    // By which a device writes to any memory.
    ("firewire", HARDWARE),
    ("gpio", HARDWARE),
    ("hidraw", INPUT),
    ("hiddev", INPUT),
    ("input", INPUT),
    ("iommu", HARDWARE),
    ("ipmi", HARDWARE),
    ("ipvtap", NETWORK),
    ("lirc", INPUT),
    ("macvtap", NETWORK),
    ("mega", STORAGE),
    ("mei", HARDWARE),
    ("mmc", STORAGE),
    ("mtd", STORAGE),
    ("ndctl", HARDWARE),
    ("nvme", STORAGE),
    ("ppp", NETWORK),
    ("ptp", HARDWARE),
    ("rpmb", STORAGE),
    ("rtc", HARDWARE),
    ("sg", STORAGE),
    ("tpm", HARDWARE),
    ("ubi", STORAGE),
    ("uio", HARDWARE),
    ("usb", HARDWARE),
    ("vfio", HARDWARE),
    ("vcs", TERMINAL),
    ("vhost", NETWORK),
    ("virtio-ports", NETWORK),
    ("vport", NETWORK),
    ("watchdog", HARDWARE),
    ("wwan", NETWORK),
    ("switchtec", HARDWARE),
    ("pps", HARDWARE),
];

/// Render nodes have minor numbers from here on.
const FIRST_RENDER_NODE: u32 = 128;
const DRM: u32 = 226;

/// How much of /proc/devices is read, in bytes: more than the kernel has in it.
const LONGEST: u64 = 1024 * 1024;

/// The drivers of character devices that the kernel has, by major number.
#[derive(Debug, Default)]
pub struct Drivers(BTreeMap<u32, Vec<String>>);

impl Drivers {
    /// Asks the kernel.
    ///
    /// # Errors
    /// /proc/devices can't be read.
    pub fn read() -> Result<Drivers, StepFault> {
        let mut text = String::new();
        File::open("/proc/devices")
            .and_then(|file| file.take(LONGEST).read_to_string(&mut text))
            .map(|_| Drivers::parse(&text))
            .map_err(failed("read /proc/devices"))
    }

    fn parse(text: &str) -> Drivers {
        let characters = text.split("Block devices:").next().unwrap_or_default();
        let mut drivers = Drivers::default();
        for line in characters.lines() {
            if let Some((number, name)) = line.trim().split_once(' ') {
                if let Ok(number) = number.parse() {
                    drivers.0.entry(number).or_default().push(name.to_owned());
                }
            }
        }
        drivers
    }

    fn why_refused(&self, major: u32) -> Option<&'static str> {
        let names = self.0.get(&major)?;
        let mut known = DRIVERS.iter();
        known
            .find(|(start, _)| names.iter().any(|name| name.starts_with(start)))
            .map(|(_, why)| *why)
    }
}

/// Says why no jail gets a node; nothing where one may.
#[must_use]
pub fn why_refused(
    file_type: FileType,
    major: u32,
    minor: u32,
    drivers: &Drivers,
) -> Option<String> {
    match file_type {
        FileType::CharacterDevice => {}
        FileType::BlockDevice => {
            return Some(format!("is a block device, {major}:{minor}: it {STORAGE}"));
        }
        FileType::Symlink => {
            return Some("is a symbolic link; name the node that it leads to".to_owned());
        }
        other => return Some(format!("is a {}, and no device", kind(other))),
    }
    let mut listed = MAJORS.iter();
    let why = if let Some((.., why)) =
        listed.find(|(first, last, _)| (*first..=*last).contains(&major))
    {
        Some(*why)
    } else if major == 10 {
        (!MISC.contains(&minor)).then_some(KERNEL)
    } else if major == DRM {
        (minor < FIRST_RENDER_NODE).then_some(PRIMARY)
    } else {
        drivers.why_refused(major)
    };
    Some(format!(
        "is character device {major}:{minor}, and no jail gets it: it {}",
        why?
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROC_DEVICES: &str = "Character devices:\n  1 mem\n 10 misc\n195 nvidia-frontend\n245 hidraw\n248 bsg\n\
        240 nvme\n239 nvidia-uvm\n235 nvme-generic\n238 kfd\n\nBlock devices:\n239 sd\n259 blkext\n";

    fn is_refused(major: u32, minor: u32) -> bool {
        let drivers = Drivers::parse(PROC_DEVICES);
        why_refused(FileType::CharacterDevice, major, minor, &drivers).is_some()
    }

    #[test]
    fn refuses_what_leads_past_the_walls_by_number() {
        for (name, major, minor) in [
            ("mem", 1, 1),
            ("kmem", 1, 2),
            ("port", 1, 4),
            ("kmsg", 1, 11),
            ("null", 1, 3),
            ("tty1", 4, 1),
            ("ttyS0", 4, 64),
            ("tty", 5, 0),
            ("console", 5, 1),
            ("ptmx", 5, 2),
            ("vcs", 7, 0),
            ("st0", 9, 0),
            ("nvram", 10, 144),
            ("net/tun", 10, 200),
            ("uinput", 10, 223),
            ("fuse", 10, 229),
            ("snapshot", 10, 231),
            ("btrfs-control", 10, 234),
            ("autofs", 10, 235),
            ("mapper/control", 10, 236),
            ("loop-control", 10, 237),
            ("vhost-net", 10, 238),
            ("uhid", 10, 239),
            ("userfaultfd", 10, 257),
            ("input/event0", 13, 64),
            ("sg0", 21, 0),
            ("fb0", 29, 0),
            ("i2c-0", 89, 0),
            ("mtd0", 90, 0),
            ("ppp", 108, 0),
            ("pts/0", 136, 0),
            ("raw1", 162, 1),
            ("hiddev0", 180, 96),
            ("bus/usb", 189, 0),
            ("cpu/0/msr", 202, 0),
            ("cpu/0/cpuid", 203, 0),
            ("ttyAMA0", 204, 64),
            ("dri/card0", 226, 0),
            ("dri/controlD64", 226, 64),
            ("hidraw0", 245, 0),
            ("bsg", 248, 0),
            ("nvme0", 240, 0),
            ("ng0n1", 235, 0),
        ] {
            assert!(is_refused(major, minor), "{name} {major}:{minor}");
        }
    }

    #[test]
    fn leaves_graphics_sound_cameras_adapters_and_machines_to_the_administrator() {
        for (name, major, minor) in [
            ("renderD128", 226, 128),
            ("nvidia0", 195, 0),
            ("nvidiactl", 195, 255),
            ("nvidia-uvm", 239, 0),
            ("kfd", 238, 0),
            ("snd", 116, 2),
            ("video0", 81, 0),
            ("ttyUSB0", 188, 0),
            ("ttyACM0", 166, 0),
            ("kvm", 10, 232),
            ("hwrng", 10, 183),
        ] {
            assert!(!is_refused(major, minor), "{name} {major}:{minor}");
        }
    }

    #[test]
    fn refuses_every_block_device_and_what_is_no_device() {
        let drivers = Drivers::default();
        for kind in [
            FileType::BlockDevice,
            FileType::Symlink,
            FileType::Directory,
            FileType::RegularFile,
            FileType::Socket,
            FileType::Fifo,
        ] {
            // With the number of a render node.
            assert!(why_refused(kind, 226, 128, &drivers).is_some(), "{kind:?}");
        }
    }
}
