//! Neighbour discovery (RFC 4861) and duplicate address detection (RFC 4862, 5.4).

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr};

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    EthernetAddress, EthernetProtocol, Icmpv6Message, Icmpv6Packet, Icmpv6Repr, IpProtocol, Ipv6Cidr,
    NdiscNeighborFlags, NdiscOption, NdiscOptionType, NdiscPrefixInfoFlags, NdiscRepr,
};

use super::cache::Advertised;
use super::{Cause, Neighbours, Output};
use crate::net::Micros;
use crate::net::addresses::{ALL_NODES, Addresses, solicited_node};
use crate::net::outgoing::{Outgoing, Path};
use crate::net::route::group_address;

/// Nothing with a lower hop limit has come from this link (RFC 4861, 3.1).
const HOP_LIMIT: u8 = 255;

/// What is around a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Who sent the frame.
    pub frame_source: EthernetAddress,
    /// Who sent the packet.
    pub source: Ipv6Addr,
    /// To whom.
    pub destination: Ipv6Addr,
    /// Its hop limit.
    pub hop_limit: u8,
}

/// Options that are looked at (RFC 4861, 4.6).
#[derive(Default)]
struct Options {
    source: Option<EthernetAddress>,
    target: Option<EthernetAddress>,
    /// Prefix and valid lifetime of those that are on the link.
    prefixes: Vec<(Ipv6Cidr, u32)>,
}

/// RFC 4861, 6.1, 7.1: an option of length zero, or one that is cut, makes the whole message invalid.
fn parse_options(mut bytes: &[u8]) -> Result<Options, Cause> {
    let mut options = Options::default();
    while !bytes.is_empty() {
        let option = NdiscOption::new_checked(bytes).map_err(|_| Cause::Malformed)?;
        match option.option_type() {
            NdiscOptionType::SourceLinkLayerAddr => options.source = unicast(bytes),
            NdiscOptionType::TargetLinkLayerAddr => options.target = unicast(bytes),
            NdiscOptionType::PrefixInformation => options.prefixes.extend(on_link_prefix(&option)),
            _ => {}
        }
        bytes = bytes.get(8 * option.data_len() as usize..).unwrap_or_default();
    }
    Ok(options)
}

/// The Ethernet address of a link-layer address option, behind its type and length.
fn unicast(option: &[u8]) -> Option<EthernetAddress> {
    let address = EthernetAddress(option.get(2..8)?.try_into().ok()?);
    address.is_unicast().then_some(address)
}

fn on_link_prefix(option: &NdiscOption<&[u8]>) -> Option<(Ipv6Cidr, u32)> {
    let is_on_link = option.prefix_flags().contains(NdiscPrefixInfoFlags::ON_LINK);
    let is_sound = option.data_len() == 4 && option.prefix_len() <= 128;
    let seconds = u32::try_from(option.valid_lifetime().secs()).unwrap_or(u32::MAX);
    (is_on_link && is_sound).then(|| (Ipv6Cidr::new(option.prefix(), option.prefix_len()), seconds))
}

impl Neighbours {
    /// Takes a message of types 133 to 137, of which the ICMPv6 checksum was found good.
    ///
    /// # Errors
    /// It teaches nothing and wants nothing.
    pub fn receive_discovery(
        &mut self,
        now: Micros,
        envelope: &Envelope,
        message: &[u8],
        addresses: &Addresses,
    ) -> Result<Vec<Output>, Cause> {
        let packet = Icmpv6Packet::new_checked(message).map_err(|_| Cause::Malformed)?;
        if packet.msg_code() != 0 {
            return Err(Cause::Malformed);
        }
        if envelope.hop_limit != HOP_LIMIT {
            return Err(Cause::HopLimit);
        }
        let options = parse_options(packet.payload())?;
        match packet.msg_type() {
            Icmpv6Message::NeighborSolicit => self.solicited(now, envelope, packet.target_addr(), &options, addresses),
            Icmpv6Message::NeighborAdvert => {
                let flags = packet.neighbor_flags();
                self.advertised(now, envelope, packet.target_addr(), flags, &options, addresses)
            }
            Icmpv6Message::RouterAdvert => {
                let seconds = u16::try_from(packet.router_lifetime().secs()).unwrap_or(u16::MAX);
                self.router_advertised(now, envelope, seconds, &options, addresses)
            }
            _ => Err(Cause::NotForHosts),
        }
    }

    /// RFC 4861, 7.1.1, 7.2.3, 7.2.4.
    fn solicited(
        &mut self,
        now: Micros,
        envelope: &Envelope,
        target: Ipv6Addr,
        options: &Options,
        addresses: &Addresses,
    ) -> Result<Vec<Output>, Cause> {
        let is_probe = envelope.source.is_unspecified();
        let is_to_solicited_node = envelope.destination == solicited_node(target);
        if target.is_multicast() || is_probe && (!is_to_solicited_node || options.source.is_some()) {
            return Err(Cause::Malformed);
        }
        if is_probe && envelope.frame_source != self.own && self.tentative.collide(target) {
            // RFC 4862, 5.4.3: somebody else wants it.
            return Ok([Output::Duplicate { address: target }].into());
        }
        if !addresses.is_own(IpAddr::V6(target)) {
            return Err(Cause::OtherTarget);
        }
        let mut outputs = Vec::new();
        if let (Some(address), false) = (options.source, is_probe) {
            let actions = self.cache.heard(now, IpAddr::V6(envelope.source), address, true);
            outputs = self.carry_out(actions, addresses);
        }
        if self.turn.is_mine(envelope.frame_source) {
            outputs.push(self.advertise(envelope, target, options, addresses));
        }
        Ok(outputs)
    }

    fn advertise(&self, envelope: &Envelope, target: Ipv6Addr, options: &Options, addresses: &Addresses) -> Output {
        let mut flags = NdiscNeighborFlags::OVERRIDE;
        let mut destination = ALL_NODES;
        if !envelope.source.is_unspecified() {
            flags |= NdiscNeighborFlags::SOLICITED;
            destination = envelope.source;
        }
        let to = group_address(IpAddr::V6(destination), addresses).or(options.source);
        let message = NdiscRepr::NeighborAdvert { flags, target_addr: target, lladdr: Some(self.own.into()) };
        discovery(to.unwrap_or(envelope.frame_source), target, destination, message)
    }

    /// RFC 4861, 7.1.2, 7.2.5; RFC 4862, 5.4.4.
    fn advertised(
        &mut self,
        now: Micros,
        envelope: &Envelope,
        target: Ipv6Addr,
        flags: NdiscNeighborFlags,
        options: &Options,
        addresses: &Addresses,
    ) -> Result<Vec<Output>, Cause> {
        let solicited = flags.contains(NdiscNeighborFlags::SOLICITED);
        if target.is_multicast() || solicited && envelope.destination.is_multicast() {
            return Err(Cause::Malformed);
        }
        if self.tentative.collide(target) {
            return Ok([Output::Duplicate { address: target }].into());
        }
        if addresses.is_own(IpAddr::V6(target)) {
            return Err(Cause::Conflict);
        }
        if !flags.contains(NdiscNeighborFlags::ROUTER) {
            self.routes.forget_router(target);
        }
        let overrides = flags.contains(NdiscNeighborFlags::OVERRIDE);
        // RFC 4861, 4.4: an answer to a unicast solicitation may leave the address out.
        let advertised = Advertised { address: options.target, solicited, overrides };
        let actions = self.cache.advertised(now, IpAddr::V6(target), advertised);
        Ok(self.carry_out(actions, addresses))
    }

    /// RFC 4861, 6.1.2, 6.3.4.
    fn router_advertised(
        &mut self,
        now: Micros,
        envelope: &Envelope,
        seconds: u16,
        options: &Options,
        addresses: &Addresses,
    ) -> Result<Vec<Output>, Cause> {
        if !envelope.source.is_unicast_link_local() {
            return Err(Cause::Sender);
        }
        self.routes.learn_router(now, envelope.source, seconds);
        for &(prefix, seconds) in &options.prefixes {
            self.routes.learn_prefix(now, prefix, seconds);
        }
        let Some(address) = options.source else { return Ok(Vec::new()) };
        let actions = self.cache.heard(now, IpAddr::V6(envelope.source), address, true);
        Ok(self.carry_out(actions, addresses))
    }

    /// A question to all who might have the address, or to the neighbour itself (RFC 4861, 7.2.2).
    pub(super) fn solicitation(
        &self,
        target: Ipv6Addr,
        to: Option<EthernetAddress>,
        addresses: &Addresses,
    ) -> Option<Output> {
        let source = addresses.ipv6_source_for(target)?;
        let destination = if to.is_some() { target } else { solicited_node(target) };
        let to = to.or_else(|| group_address(IpAddr::V6(destination), addresses))?;
        let message = NdiscRepr::NeighborSolicit { target_addr: target, lladdr: Some(self.own.into()) };
        Some(discovery(to, source, destination, message))
    }

    /// A question whether anybody has an address that this card wants (RFC 4862, 5.4.2).
    pub(super) fn probe(&self, target: Ipv6Addr) -> Option<Output> {
        let destination = solicited_node(target);
        let to = group_address(IpAddr::V6(destination), &Addresses::default())?;
        let message = NdiscRepr::NeighborSolicit { target_addr: target, lladdr: None };
        Some(discovery(to, Ipv6Addr::UNSPECIFIED, destination, message))
    }

    /// A question which routers there are (RFC 4861, 6.3.7). One processor sends it when the card starts.
    pub fn router_solicitation(&self, addresses: &Addresses) -> Option<Output> {
        let (source, destination) = (addresses.link_local()?, crate::net::addresses::ALL_ROUTERS);
        let to = group_address(IpAddr::V6(destination), addresses)?;
        let message = NdiscRepr::RouterSolicit { lladdr: Some(self.own.into()) };
        Some(discovery(to, source, destination, message))
    }
}

fn discovery(to: EthernetAddress, source: Ipv6Addr, destination: Ipv6Addr, message: NdiscRepr) -> Output {
    let message = Icmpv6Repr::Ndisc(message);
    let mut payload = alloc::vec![0; message.buffer_len()];
    let mut packet = Icmpv6Packet::new_unchecked(&mut payload[..]);
    message.emit(&source, &destination, &mut packet, &ChecksumCapabilities::default());
    let path = Path::V6 { source, destination };
    let outgoing = Outgoing { hop_limit: HOP_LIMIT, ..Outgoing::new(path, IpProtocol::Icmpv6, payload) };
    Output::Transmit { destination: to, ether_type: EthernetProtocol::Ipv6, payload: outgoing.packet() }
}
