//! The other side of the connection that a session came by.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use crate::process::Process;

/// A connection that both sides have made: include/net/tcp_states.h of Linux.
const ESTABLISHED: &str = "01";

/// Gives the other side of the one connection by TCP that a process has: the kernel's word, where the environment
/// (SSH_CONNECTION) is anybody's.
pub(super) fn of(process: &Process) -> Option<SocketAddr> {
    let sockets: BTreeSet<u64> = process.sockets().into_iter().collect();
    let tables = [process.network_table("tcp"), process.network_table("tcp6")];
    tables
        .iter()
        .flat_map(|table| table.lines().skip(1))
        .find_map(|line| connection(line, &sockets))
}

/// Reads a line of /proc/PID/net/tcp or tcp6, if it is for one of these sockets: proc_pid_net(5).
fn connection(line: &str, sockets: &BTreeSet<u64>) -> Option<SocketAddr> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (remote, state, inode) = (fields.get(2)?, fields.get(3)?, fields.get(9)?);
    if *state != ESTABLISHED || !sockets.contains(&inode.parse().ok()?) {
        return None;
    }
    let (address, port) = remote.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    Some(SocketAddr::new(address_of(address)?, port))
}

/// Reads an address as those tables have it: words of 32 bits in the machine's byte order, each in hexadecimal.
fn address_of(text: &str) -> Option<IpAddr> {
    let mut bytes = Vec::with_capacity(16);
    for start in (0..text.len()).step_by(8) {
        let word = u32::from_str_radix(text.get(start..start + 8)?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    if let Ok(four) = <[u8; 4]>::try_from(bytes.as_slice()) {
        return Some(Ipv4Addr::from(four).into());
    }
    let sixteen = <[u8; 16]>::try_from(bytes.as_slice()).ok()?;
    Some(Ipv6Addr::from(sixteen).to_canonical())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::connection;

    #[test]
    fn an_address_is_read_as_the_kernel_writes_it() {
        if cfg!(target_endian = "big") {
            return;
        }
        let known = BTreeSet::from([38412]);
        let line = "   1: 0100007F:0016 0200A8C0:C34F 01 00000000:00000000 02:000A 00000000     0        0 38412 2";
        let peer = connection(line, &known).unwrap();
        assert_eq!(peer.to_string(), "192.168.0.2:49999");
        assert_eq!(connection(line, &BTreeSet::from([1])), None);
        assert_eq!(connection(&line.replace(" 01 ", " 0A "), &known), None);
        let mapped = line.replace("0200A8C0", "0000000000000000FFFF00000200A8C0");
        assert_eq!(connection(&mapped, &known), Some(peer));
    }
}
