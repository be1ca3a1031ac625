//! Echo requests and their answers at the card's MAC: each with its counterpart, and the time between.

use std::collections::BTreeMap;
use std::net::IpAddr;

use etherparse::{Icmpv4Type, Icmpv6Type, NetSlice, SlicedPacket, TransportSlice};

use crate::record::Distribution;
use crate::system::Passing;

/// Who asked, identifier, sequence number.
pub(super) type Echo = (IpAddr, u16, u16);

/// The echo message in a frame: whether it is a request, and whose.
pub(super) fn echo(frame: &[u8]) -> Option<(bool, Echo)> {
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    let (from, to): (IpAddr, IpAddr) = match packet.net? {
        NetSlice::Ipv4(v4) => (v4.header().source_addr().into(), v4.header().destination_addr().into()),
        NetSlice::Ipv6(v6) => (v6.header().source_addr().into(), v6.header().destination_addr().into()),
        NetSlice::Arp(_) => return None,
    };
    let (is_request, header) = match packet.transport? {
        TransportSlice::Icmpv4(message) => match message.icmp_type() {
            Icmpv4Type::EchoRequest(header) => (true, header),
            Icmpv4Type::EchoReply(header) => (false, header),
            _ => return None,
        },
        TransportSlice::Icmpv6(message) => match message.icmp_type() {
            Icmpv6Type::EchoRequest(header) => (true, header),
            Icmpv6Type::EchoReply(header) => (false, header),
            _ => return None,
        },
        _ => return None,
    };
    Some((is_request, (if is_request { from } else { to }, header.id, header.seq)))
}

/// Requests that came to the card, and what was made of them.
#[derive(Debug, Default)]
pub(super) struct Echoes {
    waiting: BTreeMap<Echo, u64>,
    asked: u64,
    answered: u64,
    /// Answers to nothing, or to what had been answered.
    unasked: u64,
    /// Cycles from request to answer.
    latency: Distribution,
}

impl Echoes {
    /// A frame has passed.
    pub fn pass(&mut self, passing: &Passing) {
        let Some((is_request, echo)) = echo(&passing.bytes).filter(|_| !passing.bad) else { return };
        if is_request && passing.to_card {
            self.asked += 1;
            self.waiting.insert(echo, passing.cycle);
        } else if !is_request && !passing.to_card {
            match self.waiting.remove(&echo) {
                Some(asked) => {
                    self.answered += 1;
                    self.latency.add(passing.cycle - asked);
                }
                None => self.unasked += 1,
            }
        }
    }

    /// Requests that came.
    pub fn asked(&self) -> u64 {
        self.asked
    }

    /// Requests that were answered.
    pub fn answered(&self) -> u64 {
        self.answered
    }

    /// Whether each request was answered once.
    pub fn balance(&self) -> bool {
        self.asked == self.answered && self.waiting.is_empty() && self.unasked == 0
    }

    /// Cycles from request to answer.
    pub fn latency(&self) -> &Distribution {
        &self.latency
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An echo message from 10.0.0.`from` to 10.0.0.`to`, type 8 or 0 (RFC 792), by hand; checksums are not looked at here.
    fn frame(from: u8, to: u8, kind: u8, sequence: u8) -> Vec<u8> {
        let mut frame = vec![2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from, 8, 0];
        frame.extend([0x45, 0, 0, 28, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, from, 10, 0, 0, to]);
        frame.extend([kind, 0, 0, 0, 0x12, 0x34, 0, sequence]);
        frame.resize(60, 0);
        frame
    }

    #[test]
    fn a_request_waits_for_its_own_answer_and_for_one_only() {
        let passing = |cycle, to_card, bytes| Passing { cycle, to_card, bytes, bad: false };
        let mut echoes = Echoes::default();
        echoes.pass(&passing(100, true, frame(9, 1, 8, 1)));
        echoes.pass(&passing(150, true, frame(9, 1, 8, 2)));
        echoes.pass(&passing(175, false, frame(1, 8, 0, 1)));
        echoes.pass(&passing(180, true, frame(1, 9, 0, 1)));
        echoes.pass(&Passing { bad: true, ..passing(190, false, frame(1, 9, 0, 2)) });
        assert_eq!((echoes.asked(), echoes.answered(), echoes.unasked, echoes.balance()), (2, 0, 1, false));
        echoes.unasked = 0;
        echoes.pass(&passing(350, false, frame(1, 9, 0, 2)));
        echoes.pass(&passing(400, false, frame(1, 9, 0, 1)));
        assert_eq!((echoes.latency().least(), echoes.latency().most(), echoes.balance()), (200, 300, true));
        echoes.pass(&passing(500, false, frame(1, 9, 0, 1)));
        assert!(!echoes.balance());
        assert_eq!(echo(&[0; 20]), None);
    }
}
