//! `smoltcp` towards the IP layer: a device that packets are laid into and taken out of, and an interface for each MTU.
//!
//! An interface's MTU never changes, but that of a path does. So there is one interface for each of the few values that
//! [`super::path`] knows, made when it is first needed. Interfaces take any address: what comes here is this card's, and the
//! demultiplexer gives every packet the one socket that it is for.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use smoltcp::iface::{Config, Interface, SocketSet};
use smoltcp::phy::{Checksum, Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;
use smoltcp::wire::HardwareAddress;

use super::path::MIN_V4;
use crate::net::Micros;

/// One packet in, any number out.
struct Wire<'a> {
    mtu: usize,
    inward: Option<&'a [u8]>,
    outward: &'a mut Vec<Vec<u8>>,
}

struct Arrived<'a>(&'a [u8]);
struct Departing<'a>(&'a mut Vec<Vec<u8>>);

impl RxToken for Arrived<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(self.0)
    }
}

impl TxToken for Departing<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write: F) -> R {
        let mut packet = alloc::vec![0; length];
        let result = write(&mut packet);
        self.0.push(packet);
        result
    }
}

impl Device for Wire<'_> {
    type RxToken<'a>
        = Arrived<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = Departing<'a>
    where
        Self: 'a;

    fn receive(&mut self, _: Instant) -> Option<(Arrived<'_>, Departing<'_>)> {
        let packet = self.inward.take()?;
        Some((Arrived(packet), Departing(self.outward)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Departing<'_>> {
        Some(Departing(self.outward))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = self.mtu;
        // Checksums of what comes have been looked at, by the hardware or by `Packet`.
        capabilities.checksum.ipv4 = Checksum::Tx;
        capabilities.checksum.tcp = Checksum::Tx;
        capabilities
    }
}

/// The interfaces of one processor.
pub struct Link {
    seed: u64,
    interfaces: BTreeMap<usize, Interface>,
}

/// A time as `smoltcp` counts it.
pub fn instant(now: Micros) -> Instant {
    Instant::from_micros(i64::try_from(now).unwrap_or(i64::MAX))
}

impl Link {
    /// None yet. Initial sequence numbers come from the seed.
    pub const fn new(seed: u64) -> Self {
        Self { seed, interfaces: BTreeMap::new() }
    }

    /// The interface for packets of this length, which is enough for all headers.
    pub fn interface(&mut self, mtu: usize) -> &mut Interface {
        let mtu = mtu.max(MIN_V4);
        let seed = self.seed ^ mtu as u64;
        self.interfaces.entry(mtu).or_insert_with(|| {
            let mut config = Config::new(HardwareAddress::Ip);
            config.random_seed = seed;
            let mut wire = Wire { mtu, inward: None, outward: &mut Vec::new() };
            let mut interface = Interface::new(config, &mut wire, Instant::ZERO);
            interface.set_any_ip(true);
            interface
        })
    }

    /// Gives the sockets a packet, if there is one, and has them do what is due. Says when they want to be asked again.
    pub fn exchange(
        &mut self,
        now: Micros,
        mtu: usize,
        packet: Option<&[u8]>,
        sockets: &mut SocketSet<'static>,
        outward: &mut Vec<Vec<u8>>,
    ) -> Option<Micros> {
        let interface = self.interface(mtu);
        interface.poll(instant(now), &mut Wire { mtu, inward: packet, outward }, sockets);
        let at = interface.poll_at(instant(now), sockets)?;
        // What is due at once was done, so a socket that says so wants something that it cannot do now.
        Some(u64::try_from(at.total_micros()).unwrap_or(0).max(now + 1))
    }
}

impl core::fmt::Debug for Link {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Link").field("mtus", &self.interfaces.keys()).finish_non_exhaustive()
    }
}
