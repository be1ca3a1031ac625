//! UDP for applications, shaped like `std::net`.

use std::cell::Cell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use abi::socket::{Answer, Call, Family, List, Opt, Protocol, Status, ready};

use super::connection::{Everywhere, Source};
use super::error;
use super::executor::{Key, Task};
use super::osm::Pending;

/// A datagram socket: it exists on all processors, for its datagrams may reach any (67.6), and any may send them (67.3).
pub struct UdpSocket<'t> {
    task: &'t Task,
    local: SocketAddr,
    everywhere: Everywhere,
    timeout: Cell<Option<Duration>>,
}

impl<'t> UdpSocket<'t> {
    /// A socket with this address.
    ///
    /// # Errors
    /// The address is taken, or there is no room.
    pub fn bind(task: &'t Task, local: SocketAddr) -> io::Result<Self> {
        let everywhere = Everywhere::new(task.osm());
        let create = Call::Create { protocol: Protocol::Udp, family: Family::of(local.ip()) };
        let local = everywhere.bind(task, local, create, true, None)?;
        let mut state = task.osm().state();
        for tag in everywhere_members(&state.groups, everywhere.group) {
            if let Some(session) = state.session(tag) {
                session.receives = true;
            }
            state.post_receives(tag);
        }
        drop(state);
        Ok(Self { task, local, everywhere, timeout: Cell::new(None) })
    }

    /// Its address.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// How long a receive waits; `None`: forever.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) {
        self.timeout.set(timeout);
    }

    /// Sends a datagram, by the processor that has the fewest to send; returns when the card has it.
    ///
    /// # Errors
    /// It is too long, or the card cannot send it.
    pub fn send_to(&self, bytes: &[u8], remote: SocketAddr) -> io::Result<usize> {
        let osm = self.task.osm();
        if bytes.len() > osm.state().config.buffer_bytes as usize {
            return Err(error::io(Status::TooLong));
        }
        loop {
            let members = self.everywhere.members();
            let mut state = osm.state();
            let least = members.into_iter().min_by_key(|tag| state.session(*tag).map_or(usize::MAX, |s| s.sends));
            let Some(tag) = least else { return Err(error::io(Status::Closed)) };
            if state.has_room_to_send(tag)
                && let Some(buffer) = state.buffers.pop()
            {
                osm.port().store(buffer, bytes);
                let list = List::single(buffer, bytes.len() as u32).unwrap_or_default();
                if let Some(session) = state.session(tag) {
                    session.sends += 1;
                }
                let call = Call::Send { remote: Some(remote), list };
                let transaction = state.ask(tag, call, Pending::Send(buffer));
                drop(state);
                return match self.task.answer(tag, transaction, None)? {
                    Answer::Sent { length } => Ok(length as usize),
                    _ => Err(error::io(Status::Malformed)),
                };
            }
            drop(state);
            self.task.wait(&[self.key(), Key::Buffer], None);
        }
    }

    /// The next datagram, from whichever processor has it; what does not fit is cut off.
    ///
    /// # Errors
    /// None comes in time.
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let until = self.timeout.get().map(|timeout| self.task.after(timeout));
        let osm = self.task.osm();
        loop {
            let mut state = osm.state();
            let group = state.groups.get_mut(&self.everywhere.group);
            let (next, failed) = match group {
                Some(group) => (group.datagrams.pop_front(), group.error.take()),
                None => (None, Some(Status::Closed)),
            };
            if let Some(piece) = next {
                let length = buffer.len().min(piece.length as usize);
                osm.port().load(piece.buffer, &mut buffer[..length]);
                state.give_back(piece.tag, piece.buffer);
                let Some(remote) = piece.remote else { continue };
                return Ok((length, remote));
            }
            drop(state);
            if let Some(status) = failed {
                return Err(error::io(status));
            }
            if !self.task.wait(&[self.key()], until) {
                return Err(error::timed_out());
            }
        }
    }

    /// Joins a multicast group, or leaves it, on every processor.
    ///
    /// # Errors
    /// The card cannot.
    pub fn set_membership(&self, group: IpAddr, is_member: bool) -> io::Result<()> {
        let option = if is_member { Opt::Join } else { Opt::Leave };
        for tag in self.everywhere.members() {
            self.task.call(tag, Call::SetOption { option, value: 0, group: Some(group) }, None)?;
        }
        Ok(())
    }
}

fn everywhere_members(
    groups: &std::collections::BTreeMap<u32, super::osm::Group>,
    group: u32,
) -> Vec<abi::socket::Tag> {
    groups.get(&group).map(|group| group.members.clone()).unwrap_or_default()
}

impl Source for UdpSocket<'_> {
    fn key(&self) -> Key {
        Key::Group(self.everywhere.group)
    }

    fn readiness(&self) -> u32 {
        let state = self.everywhere.osm.state();
        let waits = state.groups.get(&self.everywhere.group).is_some_and(|group| !group.datagrams.is_empty());
        if waits { ready::READ | ready::WRITE } else { ready::WRITE }
    }
}
