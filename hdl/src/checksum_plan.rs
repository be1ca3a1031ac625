//! From a frame's parsed headers to where its checksums are to be summed, and whether they mean anything.
//!
//! IPv4 headers are checked unless the frame is malformed. TCP and UDP are checked unless they are a fragment, shorter than their own
//! header, or behind an IPv6 routing header, which may stand for another destination than the packet's (RFC 8200 §8.1).
//!
//! | port             | dir | width | meaning                                                              |
//! |------------------|-----|-------|----------------------------------------------------------------------|
//! | `headers_tvalid` | in  | 1     | a frame's headers                                                    |
//! | `headers_class`  | in  | 3     | its class                                                            |
//! | `headers_ipv6`   | in  | 1     | the packet is IPv6                                                   |
//! | `headers_places` | in  | 31    | a [`crate::parser::Places`]                                          |
//! | `plan_valid`     | out | 1     | the oldest plan is on show; reset value 0                            |
//! | `plan`           | out | 72    | it, a [`Plan`]                                                       |
//! | `plan_take`      | in  | 1     | take it                                                              |
//!
//! Latency: [`LATENCY`] cycles. Throughput: one per cycle. It holds more plans than the frame buffer holds frames, so it is never full.

use abi::limits::MAX_FRAME;
use abi::receive::Class;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::queue::{self, Queue};

/// Cycles from `headers_tvalid` to `plan_valid`: distances, length, places, queue.
pub const LATENCY: usize = 3 + queue::LATENCY;

/// Shortest TCP header (RFC 9293) and the UDP header (RFC 768), in bytes.
const TCP_HEADER: u64 = 20;
const UDP_HEADER: u64 = 8;

/// Places in pairs of bytes from the start of the frame, if not said otherwise.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
pub struct Plan {
    pub ip_check: Bit,
    pub transport_check: Bit,
    pub udp: Bit,
    pub ipv6: Bit,
    /// The IP header, and what is behind an IPv4 header.
    pub ip_from: Bits<8>,
    pub ip_to: Bits<8>,
    /// The addresses in it, which the pseudo header repeats.
    pub addresses_from: Bits<8>,
    pub addresses_to: Bits<8>,
    /// TCP or UDP.
    pub start: Bits<8>,
    /// Its end in bytes.
    pub end: Bits<14>,
    /// Its bytes.
    pub length: Bits<14>,
}

/// Bits of a [`Plan`].
pub const PLAN_BITS: usize = 72;

/// See the module's page.
#[derive(LogicBlock)]
pub struct ChecksumPlan {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub headers_tvalid: Signal<In, Bit>,
    pub headers_class: Signal<In, Bits<3>>,
    pub headers_ipv6: Signal<In, Bit>,
    pub headers_places: Signal<In, Bits<31>>,
    pub plan_valid: Signal<Out, Bit>,
    pub plan: Signal<Out, Bits<PLAN_BITS>>,
    pub plan_take: Signal<In, Bit>,
    ip_start: Signal<Local, Bits<3>>,
    start: Signal<Local, Bits<7>>,
    total: Signal<Local, Bits<17>>,
    is_tcp: Signal<Local, Bit>,
    is_udp: Signal<Local, Bit>,
    has_ip: Signal<Local, Bit>,
    // Words from the IP header to the next, and bytes from the IP header to the end of the packet.
    far_valid: DFF<Bit>,
    far_words: DFF<Bits<7>>,
    far_total: DFF<Bits<17>>,
    far_ip: DFF<Bits<8>>,
    far_start: DFF<Bits<8>>,
    far_header: DFF<Bits<4>>,
    far_ip_check: DFF<Bit>,
    far_tcp: DFF<Bit>,
    far_udp: DFF<Bit>,
    far_ipv6: DFF<Bit>,
    // Bytes of TCP or UDP.
    long_valid: DFF<Bit>,
    long_length: DFF<Bits<17>>,
    long_ip: DFF<Bits<8>>,
    long_start: DFF<Bits<8>>,
    long_header: DFF<Bits<4>>,
    long_ip_check: DFF<Bit>,
    long_tcp: DFF<Bit>,
    long_udp: DFF<Bit>,
    long_ipv6: DFF<Bit>,
    length: Signal<Local, Bits<14>>,
    made_valid: DFF<Bit>,
    made: DFF<Plan>,
    waiting: Queue<PLAN_BITS, 7, 8>,
    tcp: Constant<Bits<3>>,
    udp: Constant<Bits<3>>,
    ip: Constant<Bits<3>>,
    fragment: Constant<Bits<3>>,
    tcp_header: Constant<Bits<17>>,
    udp_header: Constant<Bits<17>>,
    longest: Constant<Bits<17>>,
}

impl Default for ChecksumPlan {
    fn default() -> Self {
        let class = |c: Class| Constant::new((c as u64).to_bits());
        block! {
            Self {
                tcp: class(Class::Tcp),
                udp: class(Class::Udp),
                ip: class(Class::Ip),
                fragment: class(Class::Fragment),
                tcp_header: Constant::new(TCP_HEADER.to_bits()),
                udp_header: Constant::new(UDP_HEADER.to_bits()),
                longest: Constant::new((MAX_FRAME as u64).to_bits()),
            },
            clock, reset, headers_tvalid, headers_class, headers_ipv6, headers_places, plan_valid, plan, plan_take,
            ip_start, start, total, is_tcp, is_udp, has_ip, far_valid, far_words, far_total, far_ip, far_start,
            far_header, far_ip_check, far_tcp, far_udp, far_ipv6, long_valid, long_length, long_ip, long_start,
            long_header, long_ip_check, long_tcp, long_udp, long_ipv6, length, made_valid, made, waiting
        }
    }
}

impl Logic for ChecksumPlan {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, far_valid, far_words, far_total, far_ip, far_start, far_header);
        dff_setup!(self, clock, far_ip_check, far_tcp, far_udp, far_ipv6);
        dff_setup!(self, clock, long_valid, long_length, long_ip, long_start, long_header);
        dff_setup!(self, clock, long_ip_check, long_tcp, long_udp, long_ipv6, made_valid, made);
        self.waiting.clock.next = self.clock.val();
        self.waiting.reset.next = self.reset.val();

        // Word w of the parser starts at pair 2 w - 1.
        self.ip_start.next = self.headers_places.val().get_bits::<3>(0);
        self.start.next = self.headers_places.val().get_bits::<7>(3);
        self.total.next = bit_cast::<17, 16>(self.headers_places.val().get_bits::<16>(10));
        if self.headers_ipv6.val() {
            self.total.next = bit_cast::<17, 16>(self.headers_places.val().get_bits::<16>(10)) + 40;
        }
        self.is_tcp.next = self.headers_class.val() == self.tcp.val();
        self.is_udp.next = self.headers_class.val() == self.udp.val();
        self.has_ip.next = self.is_tcp.val()
            | self.is_udp.val()
            | (self.headers_class.val() == self.ip.val())
            | (self.headers_class.val() == self.fragment.val());
        self.far_valid.d.next = self.headers_tvalid.val() & !self.reset.val();
        self.far_words.d.next = self.start.val() - bit_cast::<7, 3>(self.ip_start.val());
        self.far_total.d.next = self.total.val();
        self.far_ip.d.next = (bit_cast::<8, 3>(self.ip_start.val()) << 1) - 1;
        self.far_start.d.next = (bit_cast::<8, 7>(self.start.val()) << 1) - 1;
        self.far_header.d.next = self.headers_places.val().get_bits::<4>(26);
        self.far_ip_check.d.next = self.has_ip.val() & !self.headers_ipv6.val();
        self.far_tcp.d.next = self.is_tcp.val() & !self.headers_places.val().get_bit(30);
        self.far_udp.d.next = self.is_udp.val() & !self.headers_places.val().get_bit(30);
        self.far_ipv6.d.next = self.headers_ipv6.val();

        self.long_valid.d.next = self.far_valid.q.val() & !self.reset.val();
        self.long_length.d.next = self.far_total.q.val() - (bit_cast::<17, 7>(self.far_words.q.val()) << 2);
        self.long_ip.d.next = self.far_ip.q.val();
        self.long_start.d.next = self.far_start.q.val();
        self.long_header.d.next = self.far_header.q.val();
        self.long_ip_check.d.next = self.far_ip_check.q.val();
        self.long_tcp.d.next = self.far_tcp.q.val();
        self.long_udp.d.next = self.far_udp.q.val();
        self.long_ipv6.d.next = self.far_ipv6.q.val();

        self.length.next = bit_cast::<14, 17>(self.long_length.q.val());
        self.made_valid.d.next = self.long_valid.q.val() & !self.reset.val();
        self.made.d.next.ip_check = self.long_ip_check.q.val();
        self.made.d.next.transport_check = ((self.long_tcp.q.val()
            & (self.long_length.q.val() >= self.tcp_header.val()))
            | (self.long_udp.q.val() & (self.long_length.q.val() >= self.udp_header.val())))
            & (self.long_length.q.val() <= self.longest.val());
        self.made.d.next.udp = self.long_udp.q.val();
        self.made.d.next.ipv6 = self.long_ipv6.q.val();
        self.made.d.next.ip_from = self.long_ip.q.val();
        self.made.d.next.ip_to = self.long_ip.q.val() + (bit_cast::<8, 4>(self.long_header.q.val()) << 1);
        self.made.d.next.addresses_from = self.long_ip.q.val() + 6;
        self.made.d.next.addresses_to = self.long_ip.q.val() + 10;
        if self.long_ipv6.q.val() {
            self.made.d.next.addresses_from = self.long_ip.q.val() + 4;
            self.made.d.next.addresses_to = self.long_ip.q.val() + 20;
        }
        self.made.d.next.start = self.long_start.q.val();
        self.made.d.next.end = (bit_cast::<14, 8>(self.long_start.q.val()) << 1) + self.length.val();
        self.made.d.next.length = self.length.val();
        self.waiting.push.next = self.made_valid.q.val();
        self.waiting.push_data.next = self.made.q.val().into();
        self.waiting.pop.next = self.plan_take.val();
        self.plan_valid.next = self.waiting.head_valid.val();
        self.plan.next = self.waiting.head_data.val();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parser::Places;

    /// The plan for one frame, and the cycles it took.
    fn plan(class: Class, ipv6: bool, places: Places) -> (Bits<PLAN_BITS>, usize) {
        let mut dut = ChecksumPlan::default();
        dut.connect_all();
        dut.headers_tvalid.next = true;
        dut.headers_class.next = (class as u64).to_bits();
        dut.headers_ipv6.next = ipv6;
        dut.headers_places.next = places.into();
        for cycle in 0..20 {
            dut.clock.next = false.into();
            assert!(simulate(&mut dut, 10));
            if dut.plan_valid.val() {
                return (dut.plan.val(), cycle);
            }
            dut.clock.next = true.into();
            assert!(simulate(&mut dut, 10));
            dut.headers_tvalid.next = false;
        }
        panic!("no plan");
    }

    fn places(ip_start: u64, start: u64, length: u64, ipv4_words: u64, routing: bool) -> Places {
        Places {
            ip_start: ip_start.to_bits(),
            start: start.to_bits(),
            length: length.to_bits(),
            ipv4_words: ipv4_words.to_bits(),
            routing,
        }
    }

    #[test]
    fn a_tcp_segment_behind_one_tag_is_planned_by_hand() {
        // IPv4 at byte 18, 24 bytes of header, TCP at byte 42 (word 11), total length 1,000.
        let (plan, cycles) = plan(Class::Tcp, false, places(5, 11, 1000, 6, false));
        assert_eq!(cycles, LATENCY);
        let expected = Plan {
            ip_check: true,
            transport_check: true,
            udp: false,
            ipv6: false,
            ip_from: 9.into(),
            ip_to: 21.into(),
            addresses_from: 15.into(),
            addresses_to: 19.into(),
            start: 21.into(),
            end: 1018.into(),
            length: 976.into(),
        };
        assert_eq!(plan, Bits::<PLAN_BITS>::from(expected));
    }

    #[test]
    fn ipv6_addresses_and_extension_headers_are_counted() {
        // IPv6 at byte 14, 8 bytes of extension headers, UDP at byte 62 (word 16), payload length 8 + 30.
        let (plan, _) = plan(Class::Udp, true, places(4, 16, 38, 0, false));
        let expected = Plan {
            ip_check: false,
            transport_check: true,
            udp: true,
            ipv6: true,
            ip_from: 7.into(),
            ip_to: 7.into(),
            addresses_from: 11.into(),
            addresses_to: 27.into(),
            start: 31.into(),
            end: 92.into(),
            length: 30.into(),
        };
        assert_eq!(plan, Bits::<PLAN_BITS>::from(expected));
    }

    #[test]
    fn what_is_too_short_too_long_routed_or_no_transport_is_not_checked() {
        let checks = |class, ipv6, places| {
            let (plan, _) = plan(class, ipv6, places);
            (plan.get_bit(0), plan.get_bit(1))
        };
        assert_eq!(checks(Class::Tcp, false, places(4, 9, 39, 5, false)), (true, false));
        assert_eq!(checks(Class::Tcp, false, places(4, 9, 40, 5, false)), (true, true));
        assert_eq!(checks(Class::Udp, false, places(4, 9, 27, 5, false)), (true, false));
        assert_eq!(checks(Class::Udp, false, places(4, 9, 28, 5, false)), (true, true));
        assert_eq!(checks(Class::Udp, false, places(4, 9, 20 + 9216, 5, false)), (true, true));
        assert_eq!(checks(Class::Udp, false, places(4, 9, 20 + 9217, 5, false)), (true, false));
        assert_eq!(checks(Class::Udp, true, places(4, 14, 65_535, 5, false)), (false, false));
        assert_eq!(checks(Class::Tcp, true, places(4, 14, 100, 5, true)), (false, false));
        assert_eq!(checks(Class::Fragment, false, places(4, 8, 100, 5, false)), (true, false));
        assert_eq!(checks(Class::Ip, false, places(4, 8, 100, 5, false)), (true, false));
        for class in [Class::Other, Class::Arp, Class::NeighbourDiscovery, Class::Malformed] {
            assert_eq!(checks(class, false, places(4, 9, 100, 5, false)), (false, false));
        }
    }
}
