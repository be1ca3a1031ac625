//! One step of the walk through a frame's headers: one 32-bit word, state in, state out.
//!
//! The state says at which word the next interesting thing stands and what it is; the step acts only on that word. Steps are chained
//! for all words of a beat, so the logic from `state_in` to `state_out` is kept short: [`crate::word_decode`] has done the wide comparisons.
//!
//! | port       | dir | width | meaning                                                    |
//! |------------|-----|-------|------------------------------------------------------------|
//! | `present`  | in  | 1     | the frame holds this word whole, and it is within reach    |
//! | `info`     | in  | 74    | what it could mean                                         |
//! | `state_in` | in  | 37    | state ahead of the word                                    |
//! | `state_out`| out | 37    | state behind it                                            |
//!
//! Combinational.
//! Implements: ¶68 (fragments are told from whole datagrams), ¶67 (before any software sees the packet).

use abi::receive::Class;
use rust_hdl_core::prelude::*;

use crate::next_header::NextHeader;
use crate::word_decode::{EtherType, WordInfo};

/// What stands at word `start`.
#[derive(LogicState, Debug, Copy, Clone, PartialEq)]
pub enum Expect {
    /// A word whose low half is an EtherType.
    EtherType,
    /// First word of IPv4: version, IHL, total length.
    Ipv4,
    /// Second word of IPv4: flags and fragment offset.
    Ipv4Fragment,
    /// Third word of IPv4: protocol.
    Ipv4Protocol,
    /// First word of IPv6: version.
    Ipv6,
    /// Second word of IPv6: payload length, next header.
    Ipv6Next,
    /// Last word of an IP or extension header; `upper` says what follows.
    End,
    /// First word of an IPv6 extension header.
    Extension,
    /// Second word of an IPv6 fragment header: the identification.
    Identification,
    /// TCP or UDP ports.
    Ports,
    /// First word of ICMPv6.
    Icmp,
    /// Nothing: the class is decided, and `start` keeps the word that decided it.
    Nothing,
}

/// The walk's state between two words. Positions and lengths in words.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
pub struct Walk {
    pub expect: Expect,
    pub start: Bits<7>,
    /// First word behind the IP datagram, as its length field says.
    pub limit: Bits<7>,
    /// Last word of the IPv4 header.
    pub ipv4_last: Bits<7>,
    /// First word of the IP header: 4, 5 or 6.
    pub ip_start: Bits<3>,
    pub ipv6: Bit,
    pub ipv4_fragment: Bit,
    /// An IPv6 routing header was announced.
    pub routing: Bit,
    /// What follows the header that ends at `start`.
    pub upper: NextHeader,
    /// An [`abi::receive::Class`].
    pub class: Bits<3>,
}

/// The state at a frame's first word: an EtherType is expected in word 3, bytes 10 to 13.
pub fn walk_start() -> Walk {
    Walk { start: 3.into(), ..Default::default() }
}

/// See the module's page.
#[derive(LogicBlock)]
pub struct HeaderWalk {
    pub present: Signal<In, Bit>,
    pub info: Signal<In, WordInfo>,
    pub state_in: Signal<In, Walk>,
    pub state_out: Signal<Out, Walk>,
    hit: Signal<Local, Bit>,
    /// The word lies behind the end that the IP length states.
    beyond: Signal<Local, Bit>,
    arp: Constant<Bits<3>>,
    ip: Constant<Bits<3>>,
    tcp: Constant<Bits<3>>,
    udp: Constant<Bits<3>>,
    fragment: Constant<Bits<3>>,
    neighbour_discovery: Constant<Bits<3>>,
    malformed: Constant<Bits<3>>,
}

fn class(c: Class) -> Constant<Bits<3>> {
    Constant::new((c as u64).to_bits())
}

impl Default for HeaderWalk {
    fn default() -> Self {
        block! {
            Self {
                arp: class(Class::Arp),
                ip: class(Class::Ip),
                tcp: class(Class::Tcp),
                udp: class(Class::Udp),
                fragment: class(Class::Fragment),
                neighbour_discovery: class(Class::NeighbourDiscovery),
                malformed: class(Class::Malformed),
            },
            present, info, state_in, state_out, hit, beyond
        }
    }
}

impl Logic for HeaderWalk {
    #[hdl_gen]
    fn update(&mut self) {
        self.hit.next = self.present.val() & (self.info.val().position == self.state_in.val().start);
        self.beyond.next = self.info.val().position >= self.state_in.val().limit;

        self.state_out.next = self.state_in.val();
        if self.hit.val() {
            match self.state_in.val().expect {
                Expect::EtherType => {
                    self.state_out.next.start = self.info.val().following;
                    match self.info.val().ether_type {
                        EtherType::Ipv4 => self.state_out.next.expect = Expect::Ipv4,
                        EtherType::Ipv6 => self.state_out.next.expect = Expect::Ipv6,
                        EtherType::Arp => {
                            self.state_out.next.expect = Expect::Nothing;
                            self.state_out.next.class = self.arp.val();
                        }
                        EtherType::Tag => {
                            // Words 3 and 4 may announce a tag; a third tag is an unknown EtherType.
                            if self.info.val().position == 5 {
                                self.state_out.next.expect = Expect::Nothing;
                            }
                        }
                        _ => self.state_out.next.expect = Expect::Nothing,
                    }
                }
                Expect::Ipv4 => {
                    self.state_out.next.ip_start = bit_cast::<3, 7>(self.info.val().position);
                    self.state_out.next.ipv4_last = self.info.val().ipv4_last;
                    self.state_out.next.limit = self.info.val().ipv4_limit;
                    self.state_out.next.start = self.info.val().following;
                    self.state_out.next.expect = Expect::Ipv4Fragment;
                    if !self.info.val().ipv4_valid {
                        self.state_out.next.expect = Expect::Nothing;
                        self.state_out.next.class = self.malformed.val();
                    }
                }
                Expect::Ipv4Fragment => {
                    self.state_out.next.ipv4_fragment = self.info.val().ipv4_fragment;
                    self.state_out.next.start = self.info.val().following;
                    self.state_out.next.expect = Expect::Ipv4Protocol;
                }
                Expect::Ipv4Protocol => {
                    self.state_out.next.upper = self.info.val().ipv4_next;
                    self.state_out.next.start = self.state_in.val().ipv4_last;
                    self.state_out.next.expect = Expect::End;
                }
                Expect::Ipv6 => {
                    self.state_out.next.ip_start = bit_cast::<3, 7>(self.info.val().position);
                    self.state_out.next.ipv6 = true;
                    self.state_out.next.start = self.info.val().following;
                    self.state_out.next.expect = Expect::Ipv6Next;
                    if !self.info.val().ipv6_valid {
                        self.state_out.next.expect = Expect::Nothing;
                        self.state_out.next.class = self.malformed.val();
                    }
                }
                Expect::Ipv6Next => {
                    self.state_out.next.upper = self.info.val().ipv6_next;
                    self.state_out.next.routing = self.info.val().ipv6_routing;
                    self.state_out.next.limit = self.info.val().ipv6_limit;
                    self.state_out.next.start = self.info.val().ipv6_last;
                    self.state_out.next.expect = Expect::End;
                }
                Expect::End => {
                    self.state_out.next.start = self.info.val().following;
                    match self.state_in.val().upper {
                        NextHeader::Extension => self.state_out.next.expect = Expect::Extension,
                        NextHeader::Fragment => {
                            self.state_out.next.start = self.info.val().identification;
                            self.state_out.next.expect = Expect::Identification;
                        }
                        NextHeader::Tcp => self.state_out.next.expect = Expect::Ports,
                        NextHeader::Udp => self.state_out.next.expect = Expect::Ports,
                        NextHeader::Icmp => self.state_out.next.expect = Expect::Icmp,
                        _ => {
                            self.state_out.next.expect = Expect::Nothing;
                            self.state_out.next.class = self.ip.val();
                        }
                    }
                    // ¶68: the first fragment too, although it has ports.
                    if self.state_in.val().ipv4_fragment {
                        self.state_out.next.expect = Expect::Nothing;
                        self.state_out.next.class = self.fragment.val();
                    }
                    if self.beyond.val() {
                        self.state_out.next.expect = Expect::Nothing;
                        self.state_out.next.class = self.malformed.val();
                    }
                }
                Expect::Extension => {
                    self.state_out.next.upper = self.info.val().extension_next;
                    self.state_out.next.routing = self.state_in.val().routing | self.info.val().extension_routing;
                    self.state_out.next.start = self.info.val().extension_last;
                    self.state_out.next.expect = Expect::End;
                    if self.beyond.val() {
                        self.state_out.next.expect = Expect::Nothing;
                        self.state_out.next.class = self.malformed.val();
                    }
                }
                Expect::Identification => {
                    self.state_out.next.expect = Expect::Nothing;
                    self.state_out.next.class = self.fragment.val();
                    if self.beyond.val() {
                        self.state_out.next.class = self.malformed.val();
                    }
                }
                Expect::Ports => {
                    self.state_out.next.expect = Expect::Nothing;
                    self.state_out.next.class = self.udp.val();
                    if self.state_in.val().upper == NextHeader::Tcp {
                        self.state_out.next.class = self.tcp.val();
                    }
                    if self.beyond.val() {
                        self.state_out.next.class = self.malformed.val();
                    }
                }
                Expect::Icmp => {
                    self.state_out.next.expect = Expect::Nothing;
                    self.state_out.next.class = self.ip.val();
                    if self.info.val().neighbour_discovery {
                        self.state_out.next.class = self.neighbour_discovery.val();
                    }
                    if self.beyond.val() {
                        self.state_out.next.class = self.malformed.val();
                    }
                }
                _ => {}
            }
        }
    }
}
