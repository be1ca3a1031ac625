//! UDP's part of the transport.

use super::packet::Packet;
use super::udp::{self, Datagram, UdpSocket};
use super::{Cause, OpenError, Options, Output, SocketId, Transport, UseError};
use crate::net::Micros;
use crate::net::icmp::ErrorKind;
use crate::net::session::{End, Session};

impl Transport {
    /// Opens a UDP socket; an unspecified address stands for all of its family.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn bind(&mut self, local: End, options: Options) -> Result<SocketId, OpenError> {
        let options = options.bounded();
        if local.port == 0 {
            return Err(OpenError::InvalidEnd);
        }
        let clashes = |other: &UdpSocket| {
            let overlaps = other.local.address == local.address
                || (other.local.address.is_ipv4() == local.address.is_ipv4()
                    && (other.local.address.is_unspecified() || local.address.is_unspecified()));
            other.local.port == local.port && overlaps && !(other.reuse && options.reuse)
        };
        if self.datagrams.values().any(clashes) {
            return Err(OpenError::InUse);
        }
        let socket = self.reserve(options.receive_buffer)?;
        self.datagrams.insert(socket, UdpSocket::new(local, options.reuse, options.receive_buffer));
        Ok(socket)
    }

    /// Whether a UDP port is bound here.
    pub fn is_bound(&self, port: u16) -> bool {
        self.datagrams.values().any(|socket| socket.local.port == port)
    }

    /// From now on a UDP socket hears one peer only, or all.
    ///
    /// # Errors
    /// It is no UDP socket.
    pub fn associate(&mut self, socket: SocketId, remote: Option<End>) -> Result<(), UseError> {
        self.datagram_socket(socket)?.remote = remote;
        Ok(())
    }

    /// Where a UDP socket is bound.
    ///
    /// # Errors
    /// It is no UDP socket.
    pub fn bound_to(&mut self, socket: SocketId) -> Result<End, UseError> {
        Ok(self.datagram_socket(socket)?.local)
    }

    /// Sends a datagram from an address of this card.
    ///
    /// # Errors
    /// It is too long, the addresses do not go together, or it is no UDP socket.
    pub fn send_to(&mut self, now: Micros, socket: SocketId, ends: &Session, payload: &[u8]) -> Result<(), UseError> {
        let Session { local, remote } = *ends;
        let port = self.datagram_socket(socket)?.local.port;
        if payload.len() > udp::longest(remote.address) {
            return Err(UseError::TooLong);
        }
        let session = Session { local: End::new(local.address, port), remote };
        let outgoing = udp::datagram(&session, payload).filter(|_| remote.port != 0).ok_or(UseError::InvalidEnd)?;
        let mtu = self.paths.mtu(now, remote.address);
        self.outputs.push(Output::Datagram(outgoing, mtu));
        Ok(())
    }

    /// The datagram that has waited longest.
    ///
    /// # Errors
    /// None waits, or it is no UDP socket.
    pub fn receive_from(&mut self, socket: SocketId) -> Result<Datagram, UseError> {
        self.datagram_socket(socket)?.receive().ok_or(UseError::WouldBlock)
    }

    /// Bytes of the datagram that has waited longest.
    pub fn next_length(&self, socket: SocketId) -> Option<usize> {
        self.datagrams.get(&socket)?.next_length()
    }

    fn datagram_socket(&mut self, socket: SocketId) -> Result<&mut UdpSocket, UseError> {
        let is_other = self.connections.contains_key(&socket) || self.listeners.contains_key(&socket);
        let none = if is_other { UseError::WrongKind } else { UseError::NoSuchSocket };
        self.datagrams.get_mut(&socket).ok_or(none)
    }

    /// One socket gets what is for one host, all that are bound there get what is for many.
    pub(super) fn receive_datagram(&mut self, packet: &Packet) -> Result<(), Cause> {
        use crate::net::ethernet::Cast;
        let payload = packet.datagram().ok_or(Cause::Malformed)?;
        let session = packet.session();
        let mut hearers: alloc::vec::Vec<_> =
            self.datagrams.iter_mut().filter(|(_, it)| it.accepts(&session)).collect();
        if hearers.is_empty() {
            return Err(Cause::NoSocket);
        }
        if packet.cast == Cast::Unicast {
            hearers.sort_by_key(|(_, socket)| core::cmp::Reverse(socket.precision()));
            hearers.truncate(1);
        }
        let mut taken = Err(Cause::QueueFull);
        for (&id, socket) in hearers {
            let datagram = Datagram { from: session.remote, to: session.local.address, payload: payload.to_vec() };
            if socket.take(datagram) {
                self.events.push(id);
                taken = Ok(());
            }
        }
        taken
    }

    /// Only the length of a path concerns a UDP socket: whoever sends datagrams is ready to lose some.
    pub(super) fn datagram_trouble(&mut self, now: Micros, kind: ErrorKind, session: &Session) {
        let is_ours = self.datagrams.values().any(|socket| socket.local.port == session.local.port);
        if let ErrorKind::TooBig { mtu } = kind
            && is_ours
        {
            self.narrow(now, session, mtu);
        }
    }
}
