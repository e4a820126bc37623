//! The system bus, as root: a connection for one or two calls. The library for it is larger than login-jail.

use std::{
    os::fd::OwnedFd,
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect,
        recv, send, socket_with,
    },
};

use crate::{
    channel,
    fault::{StepFault, errno_of, failed},
    process::cgroup::message::{Call, Kind, LONGEST, Message, Value, read},
};

/// Where the bus listens: DBUS_SYSTEM_BUS_ADDRESS is for programs that trust their caller.
pub(super) const SOCKET: &str = "/run/dbus/system_bus_socket";

/// What asks to be root: the number 0 in hexadecimal digits of its text. The bus asks the kernel whether that is so.
const AUTHENTICATE: &[u8] = b"\0AUTH EXTERNAL 30\r\n";

/// How long to wait where too many others connect at the same time.
const PAUSE: Duration = Duration::from_millis(5);

/// A connection. What the bus sends besides answers is passed over.
#[derive(Debug)]
pub(super) struct Bus {
    socket: OwnedFd,
    deadline: Instant,
    unread: Vec<u8>,
    serial: u32,
}

impl Bus {
    /// Connects, which takes no longer than until a moment, as all calls do.
    ///
    /// # Errors
    /// There is no bus, it does not answer, or it takes this process for somebody else than root.
    pub(super) fn connect(deadline: Instant) -> Result<Bus, StepFault> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
            .map_err(failed("socket"))?;
        let address = SocketAddrUnix::new(SOCKET).map_err(failed("connect to the system bus"))?;
        loop {
            match connect(&socket, &address) {
                Err(Errno::AGAIN) if Instant::now() < deadline => sleep(PAUSE),
                Err(Errno::INTR) => {}
                connected => {
                    connected.map_err(unreachable)?;
                    break;
                }
            }
        }
        let mut bus = Bus {
            socket,
            deadline,
            unread: Vec::new(),
            serial: 0,
        };
        bus.send(AUTHENTICATE)?;
        let accepted = bus.line()?;
        if !accepted.starts_with(b"OK") {
            return Err(StepFault::Unfit(
                "the system bus does not accept root".to_owned(),
            ));
        }
        bus.send(b"BEGIN\r\n")?;
        bus.call(&Call {
            destination: "org.freedesktop.DBus",
            path: "/org/freedesktop/DBus",
            interface: "org.freedesktop.DBus",
            member: "Hello",
            arguments: &[],
        })?;
        Ok(bus)
    }

    /// Calls a method of systemd's, and waits until it has answered.
    ///
    /// # Errors
    /// It has answered with an error, or not in time.
    pub(super) fn call_systemd(
        &mut self,
        member: &str,
        arguments: &[Value<'_>],
    ) -> Result<(), StepFault> {
        self.call(&Call {
            destination: "org.freedesktop.systemd1",
            path: "/org/freedesktop/systemd1",
            interface: "org.freedesktop.systemd1.Manager",
            member,
            arguments,
        })
    }

    fn call(&mut self, call: &Call<'_>) -> Result<(), StepFault> {
        self.serial += 1;
        self.send(&call.write(self.serial))?;
        loop {
            let message = self.message()?;
            if message.answers != Some(self.serial) {
                continue;
            }
            match message.kind {
                Kind::Return => return Ok(()),
                Kind::Error => return Err(refused(call.member, &message)),
                Kind::Other => {}
            }
        }
    }

    fn send(&self, bytes: &[u8]) -> Result<(), StepFault> {
        match send(&self.socket, bytes, SendFlags::NOSIGNAL) {
            Ok(sent) if sent == bytes.len() => Ok(()),
            Ok(_) => Err(StepFault::PeerGone("the system bus")),
            Err(errno) => Err(failed("send to the system bus")(errno)),
        }
    }

    /// Reads what ends with a line feed, and is no message yet.
    fn line(&mut self) -> Result<Vec<u8>, StepFault> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                return Ok(self.unread.drain(..=end).collect());
            }
            self.receive()?;
        }
    }

    fn message(&mut self) -> Result<Message, StepFault> {
        loop {
            let found = read(&self.unread).map_err(|_| {
                StepFault::Unfit("the system bus sends what is no message of D-Bus".to_owned())
            })?;
            if let Some((message, length)) = found {
                self.unread.drain(..length);
                return Ok(message);
            }
            self.receive()?;
        }
    }

    /// Waits for more bytes.
    fn receive(&mut self) -> Result<(), StepFault> {
        let told = channel::is_readable_by(&self.socket, self.deadline).map_err(failed("poll"))?;
        if !told || self.unread.len() > LONGEST {
            return Err(StepFault::Unfit(
                "the system bus or systemd does not answer; run: systemctl status dbus".to_owned(),
            ));
        }
        let mut more = [0; 4096];
        match recv(&self.socket, &mut more, RecvFlags::empty()) {
            Ok((0, _)) => Err(StepFault::PeerGone("the system bus")),
            Ok((length, _)) => {
                self.unread.extend(more.iter().take(length));
                Ok(())
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(()),
            Err(errno) => Err(failed("recv from the system bus")(errno)),
        }
    }
}

fn unreachable(errno: Errno) -> StepFault {
    StepFault::Unfit(format!(
        "connect to the system bus {SOCKET}, by which systemd limits an account: {}; run: systemctl start dbus.socket",
        errno_of(errno).desc()
    ))
}

fn refused(member: &str, message: &Message) -> StepFault {
    let text = message.text.as_deref().unwrap_or_default();
    let error = message.error.as_deref().unwrap_or_default();
    StepFault::Unfit(format!("{member} of systemd: {error}: {text}"))
}
