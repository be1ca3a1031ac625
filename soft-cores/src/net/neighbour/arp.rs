//! ARP (RFC 826) for Ethernet and IPv4.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

use smoltcp::wire::{ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetProtocol};

use super::cache::Advertised;
use super::{Cause, Neighbours, Output};
use crate::net::Micros;
use crate::net::addresses::Addresses;

/// What a message says.
struct Message {
    is_request: bool,
    sender: EthernetAddress,
    sender_ip: Ipv4Addr,
    target_ip: Ipv4Addr,
}

fn parse(bytes: &[u8]) -> Result<Message, Cause> {
    let packet = ArpPacket::new_checked(bytes).map_err(|_| Cause::Malformed)?;
    let Ok(ArpRepr::EthernetIpv4 {
        operation,
        source_hardware_addr: sender,
        source_protocol_addr: sender_ip,
        target_protocol_addr: target_ip,
        ..
    }) = ArpRepr::parse(&packet)
    else {
        return Err(Cause::Malformed);
    };
    let is_request = match operation {
        ArpOperation::Request => true,
        ArpOperation::Reply => false,
        ArpOperation::Unknown(_) => return Err(Cause::Malformed),
    };
    Ok(Message { is_request, sender, sender_ip, target_ip })
}

impl Neighbours {
    /// Takes the payload of an ARP frame.
    ///
    /// # Errors
    /// It teaches nothing and wants nothing.
    pub fn receive_arp(&mut self, now: Micros, bytes: &[u8], addresses: &Addresses) -> Result<Vec<Output>, Cause> {
        let message = parse(bytes)?;
        let sender_ip = IpAddr::V4(message.sender_ip);
        if addresses.is_own(sender_ip) {
            return Err(Cause::Conflict);
        }
        if !message.sender.is_unicast() || addresses.is_martian_source(sender_ip) {
            return Err(Cause::Sender);
        }
        let is_for_us = addresses.is_own(IpAddr::V4(message.target_ip));
        let mut outputs = Vec::new();
        // RFC 5227, 2.1.1: a probe is sent by who has no address yet. Who is not on the link is not learned.
        if addresses.ipv4.iter().any(|own| own.contains_addr(&message.sender_ip)) {
            let actions = if is_for_us && !message.is_request {
                let advertised = Advertised { address: Some(message.sender), solicited: true, overrides: true };
                self.cache.advertised(now, sender_ip, advertised)
            } else {
                self.cache.heard(now, sender_ip, message.sender, is_for_us)
            };
            outputs = self.carry_out(actions, addresses);
        }
        if is_for_us && message.is_request && self.turn.is_mine(message.sender) {
            outputs.push(self.reply(&message));
        }
        Ok(outputs)
    }

    fn reply(&self, asked: &Message) -> Output {
        arp(
            asked.sender,
            &ArpRepr::EthernetIpv4 {
                operation: ArpOperation::Reply,
                source_hardware_addr: self.own,
                source_protocol_addr: asked.target_ip,
                target_hardware_addr: asked.sender,
                target_protocol_addr: asked.sender_ip,
            },
        )
    }

    /// A question to all, or to the neighbour itself.
    pub(super) fn arp_request(
        &self,
        target: Ipv4Addr,
        to: Option<EthernetAddress>,
        addresses: &Addresses,
    ) -> Option<Output> {
        let Some(IpAddr::V4(source)) = addresses.source_for(IpAddr::V4(target)) else { return None };
        let request = ArpRepr::EthernetIpv4 {
            operation: ArpOperation::Request,
            source_hardware_addr: self.own,
            source_protocol_addr: source,
            target_hardware_addr: to.unwrap_or_default(),
            target_protocol_addr: target,
        };
        Some(arp(to.unwrap_or(EthernetAddress::BROADCAST), &request))
    }

    /// What tells everybody that an address is this card's (RFC 5227, 2.3). One processor sends it when the card gets
    /// the address.
    pub fn announcement(&self, address: Ipv4Addr) -> Output {
        arp(
            EthernetAddress::BROADCAST,
            &ArpRepr::EthernetIpv4 {
                operation: ArpOperation::Request,
                source_hardware_addr: self.own,
                source_protocol_addr: address,
                target_hardware_addr: EthernetAddress::default(),
                target_protocol_addr: address,
            },
        )
    }
}

fn arp(destination: EthernetAddress, message: &ArpRepr) -> Output {
    let mut payload = alloc::vec![0; message.buffer_len()];
    message.emit(&mut ArpPacket::new_unchecked(&mut payload));
    Output::Transmit { destination, ether_type: EthernetProtocol::Arp, payload }
}
