//! Parses a frame's headers as they stream by: class, addresses, ports and identification.
//!
//! Ethernet II; up to two tags (802.1Q, 802.1ad); IPv4 with options; IPv6 with hop-by-hop, routing, destination and fragment headers;
//! TCP and UDP ports; neighbour discovery. Everything must lie in the first [`abi::limits::HEADER_DEPTH`] bytes. Length fields are
//! believed only where they shorten: a header that its own length, the IP length or the frame cuts off makes the frame malformed.
//! Each frame yields exactly one result, at the beat that decides, at the frame's last beat, or at the end of the reach.
//!
//! | port             | dir | width | meaning                                                                       |
//! |------------------|-----|-------|-------------------------------------------------------------------------------|
//! | `beat_valid`     | in  | 1     | a beat is present                                                             |
//! | `beat_data`      | in  | W     | its bytes                                                                     |
//! | `beat_bytes`     | in  | 7     | how many                                                                      |
//! | `beat_first`     | in  | 1     | first of a frame                                                              |
//! | `beat_last`      | in  | 1     | last of a frame                                                               |
//! | `headers_tvalid` | out | 1     | one result; reset value 0                                                     |
//! | `headers_class`  | out | 3     | an [`abi::receive::Class`]                                                    |
//! | `headers_ipv6`   | out | 1     | the packet is IPv6                                                            |
//! | `headers_places` | out | 31    | where the packet's parts lie, see [`Places`]                                  |
//! | `address_k`      | out | 32    | k in 0..8: source and destination in the order of the header, IPv4 in 0 and 1 |
//! | `tail`           | out | 32    | the deciding word: ports (tcp, udp), or an IPv6 fragment's identification     |
//! | `identification` | out | 16    | an IPv4 packet's identification                                               |
//!
//! Latency: [`LATENCY`] cycles from the deciding beat. Throughput: one beat per cycle, W = 512 included: one frame per cycle.
//! Only the valid bits and the walk are reset.
//! Implements: ¶67 (hash before any software), ¶68 (fragments are recognised).

use abi::limits::HEADER_DEPTH;
use abi::receive::Class;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::header_walk::{Expect, HeaderWalk, Walk, walk_start};
use crate::many;
use crate::network_words::NetworkWords;
use crate::word_decode::{WordDecode, WordInfo};

/// Cycles from `beat_valid` of the deciding beat to `headers_tvalid`: decode, walk, capture.
pub const LATENCY: usize = 3;

/// Words within reach; word 0 starts two bytes before the frame.
const DEPTH_WORDS: usize = (HEADER_DEPTH + 2) / 4;

/// Beats after which every frame is decided, for beats of `beat_bytes`.
pub const fn deciding_beats(beat_bytes: usize) -> usize {
    (DEPTH_WORDS - 1) / (beat_bytes / 4) + 1
}

/// Where the parts of an IP packet lie that is not malformed. Places are word numbers; word w starts at byte 4 w - 2.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
pub struct Places {
    /// First word of the IP header.
    pub ip_start: Bits<3>,
    /// The deciding word: of TCP and UDP the first.
    pub start: Bits<7>,
    /// Total length (IPv4) or payload length (IPv6), as the header says.
    pub length: Bits<16>,
    /// Words of an IPv4 header.
    pub ipv4_words: Bits<4>,
    /// IPv6: there is a routing header.
    pub routing: Bit,
}

/// See the module's page.
#[derive(LogicBlock)]
pub struct Parser<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub beat_valid: Signal<In, Bit>,
    pub beat_data: Signal<In, Bits<W>>,
    pub beat_bytes: Signal<In, Bits<7>>,
    pub beat_first: Signal<In, Bit>,
    pub beat_last: Signal<In, Bit>,
    pub headers_tvalid: Signal<Out, Bit>,
    pub headers_class: Signal<Out, Bits<3>>,
    pub headers_ipv6: Signal<Out, Bit>,
    pub headers_places: Signal<Out, Places>,
    pub address: Vec<Signal<Out, Bits<32>>>,
    pub tail: Signal<Out, Bits<32>>,
    pub identification: Signal<Out, Bits<16>>,
    // Decode stage: the words of a beat and what each could mean.
    words: NetworkWords<W>,
    decode: Vec<WordDecode>,
    carry: DFF<Bits<16>>,
    base_in: Signal<Local, Bits<7>>,
    decoded_valid: DFF<Bit>,
    decoded_first: DFF<Bit>,
    decoded_last: DFF<Bit>,
    decoded_base: DFF<Bits<7>>,
    decoded_word: Vec<DFF<Bits<32>>>,
    decoded_info: Vec<DFF<WordInfo>>,
    decoded_present: Vec<DFF<Bit>>,
    // Walk stage: the state runs through the words of the beat.
    steps: Vec<HeaderWalk>,
    ahead: Vec<Signal<Local, Walk>>,
    behind: Signal<Local, Walk>,
    walk: DFF<Walk>,
    walked: DFF<Walk>,
    first_state: Constant<Walk>,
    walked_valid: DFF<Bit>,
    walked_first: DFF<Bit>,
    walked_last: DFF<Bit>,
    walked_base: DFF<Bits<7>>,
    walked_word: Vec<DFF<Bits<32>>>,
    // Capture stage: fields picked out of the beat, their places now known.
    addresses_at: Signal<Local, Bits<4>>,
    identification_at: Signal<Local, Bits<4>>,
    length_at: Signal<Local, Bits<4>>,
    near: Signal<Local, Bit>,
    place: Vec<Signal<Local, Bits<7>>>,
    near_place: Vec<Signal<Local, Bits<4>>>,
    address_place: Vec<Signal<Local, Bits<4>>>,
    concluded_before: Signal<Local, Bit>,
    concluded: DFF<Bit>,
    decided: Signal<Local, Bit>,
    conclusion: Signal<Local, Bit>,
    captured_valid: DFF<Bit>,
    captured_class: DFF<Bits<3>>,
    captured_ipv6: DFF<Bit>,
    captured_address: Vec<DFF<Bits<32>>>,
    captured_tail: DFF<Bits<32>>,
    captured_identification: DFF<Bits<16>>,
    captured_places: DFF<Places>,
    lane: Vec<Constant<Bits<7>>>,
    /// Bytes a beat must hold for its word j to be whole.
    needed: Vec<Constant<Bits<7>>>,
    address_offset: Vec<Constant<Bits<4>>>,
    beat_words: Constant<Bits<7>>,
    depth: Constant<Bits<7>>,
    deepest_base: Constant<Bits<7>>,
    malformed: Constant<Bits<3>>,
    _words: usize,
}

impl<const W: usize> Default for Parser<W> {
    fn default() -> Self {
        let words = W / 32;
        let constant = |n: usize| Constant::new((n as u64).to_bits());
        block! {
            Self {
                address: many(8),
                decode: many(words),
                decoded_word: many(words),
                decoded_info: many(words),
                decoded_present: many(words),
                steps: many(words),
                ahead: many(words + 1),
                first_state: Constant::new(walk_start()),
                walked_word: many(words),
                place: many(words),
                near_place: many(words),
                address_place: many(8),
                captured_address: many(8),
                lane: (0..words).map(constant).collect(),
                needed: (0..words).map(|j| constant(4 * j + 2)).collect(),
                address_offset: (0..8).map(|k| Constant::new((k as u64).to_bits())).collect(),
                beat_words: constant(words),
                depth: constant(DEPTH_WORDS),
                deepest_base: constant((DEPTH_WORDS - 1) / words * words),
                malformed: Constant::new((Class::Malformed as u64).to_bits()),
                _words: words,
            },
            clock, reset, beat_valid, beat_data, beat_bytes, beat_first, beat_last, headers_tvalid, headers_class,
            headers_ipv6, headers_places, tail, identification, words, carry, base_in, decoded_valid, decoded_first,
            decoded_last, decoded_base, behind, walk, walked, walked_valid, walked_first, walked_last, walked_base,
            addresses_at, identification_at, length_at, near, concluded_before, concluded, decided, conclusion,
            captured_valid, captured_class, captured_ipv6, captured_tail, captured_identification, captured_places
        }
    }
}

impl<const W: usize> Logic for Parser<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, carry, decoded_valid, decoded_first, decoded_last, decoded_base);
        dff_setup!(self, clock, walk, walked, walked_valid, walked_first, walked_last, walked_base, concluded);
        dff_setup!(self, clock, captured_valid, captured_class, captured_ipv6, captured_tail, captured_identification);
        dff_setup!(self, clock, captured_places);

        // Decode.
        self.words.beat.next = self.beat_data.val();
        self.words.previous.next = self.carry.q.val();
        self.base_in.next = 0.into();
        if !self.beat_first.val() {
            self.base_in.next = self.decoded_base.q.val();
            // Far out of reach it stays where it is, lest it wrap.
            if self.decoded_base.q.val() < 64 {
                self.base_in.next = self.decoded_base.q.val() + self.beat_words.val();
            }
        }
        self.decoded_valid.d.next = self.beat_valid.val() & !self.reset.val();
        if self.beat_valid.val() {
            self.carry.d.next = self.words.last.val();
            self.decoded_first.d.next = self.beat_first.val();
            self.decoded_last.d.next = self.beat_last.val();
            self.decoded_base.d.next = self.base_in.val();
        }
        for j in 0..self._words {
            self.decoded_word[j].clock.next = self.clock.val();
            self.decoded_info[j].clock.next = self.clock.val();
            self.decoded_present[j].clock.next = self.clock.val();
            self.decode[j].word.next = self.words.word[j].val();
            self.decode[j].position.next = self.base_in.val() | self.lane[j].val();
            self.decoded_word[j].d.next = self.words.word[j].val();
            self.decoded_info[j].d.next = self.decode[j].info.val();
            self.decoded_present[j].d.next = self.beat_valid.val()
                & (self.beat_bytes.val() >= self.needed[j].val())
                & ((self.base_in.val() | self.lane[j].val()) < self.depth.val());
        }

        // Walk. Between beats the state waits in `walk`, between frames it is the first one already.
        self.ahead[0].next = self.walk.q.val();
        self.behind.next = self.walk.q.val();
        for j in 0..self._words {
            self.steps[j].present.next = self.decoded_present[j].q.val();
            self.steps[j].info.next = self.decoded_info[j].q.val();
            self.steps[j].state_in.next = self.ahead[j].val();
            self.ahead[j + 1].next = self.steps[j].state_out.val();
            // The last step's stays.
            self.behind.next = self.steps[j].state_out.val();
        }
        self.walked_valid.d.next = self.decoded_valid.q.val() & !self.reset.val();
        if self.decoded_valid.q.val() {
            self.walk.d.next = self.behind.val();
            self.walked.d.next = self.behind.val();
        }
        if self.reset.val() | (self.decoded_valid.q.val() & self.decoded_last.q.val()) {
            self.walk.d.next = self.first_state.val();
        }
        self.walked_first.d.next = self.decoded_first.q.val();
        self.walked_last.d.next = self.decoded_last.q.val();
        self.walked_base.d.next = self.decoded_base.q.val();
        for j in 0..self._words {
            self.walked_word[j].clock.next = self.clock.val();
            self.walked_word[j].d.next = self.decoded_word[j].q.val();
        }

        // Capture. Addresses begin in the fourth word of IPv4, in the third of IPv6; all end within the first 16 words.
        self.identification_at.next = bit_cast::<4, 3>(self.walked.q.val().ip_start) + 1;
        self.addresses_at.next = bit_cast::<4, 3>(self.walked.q.val().ip_start) + 3;
        self.length_at.next = bit_cast::<4, 3>(self.walked.q.val().ip_start);
        if self.walked.q.val().ipv6 {
            self.length_at.next = bit_cast::<4, 3>(self.walked.q.val().ip_start) + 1;
            self.addresses_at.next = bit_cast::<4, 3>(self.walked.q.val().ip_start) + 2;
        }
        self.near.next = self.walked_valid.q.val() & (self.walked_base.q.val() < 16);
        for k in 0..8 {
            self.captured_address[k].clock.next = self.clock.val();
            self.captured_address[k].d.next = self.captured_address[k].q.val();
            self.address_place[k].next = self.addresses_at.val() + self.address_offset[k].val();
            self.address[k].next = self.captured_address[k].q.val();
        }
        for j in 0..self._words {
            self.place[j].next = self.walked_base.q.val() | self.lane[j].val();
            self.near_place[j].next = self.place[j].val().get_bits::<4>(0);
            for k in 0..8 {
                if self.near.val() & (self.near_place[j].val() == self.address_place[k].val()) {
                    self.captured_address[k].d.next = self.walked_word[j].q.val();
                }
            }
            if self.near.val() & (self.near_place[j].val() == self.identification_at.val()) {
                self.captured_identification.d.next = self.walked_word[j].q.val().get_bits::<16>(16);
            }
            if self.near.val() & (self.near_place[j].val() == self.length_at.val()) {
                self.captured_places.d.next.ipv4_words = self.walked_word[j].q.val().get_bits::<4>(24);
                self.captured_places.d.next.length = self.walked_word[j].q.val().get_bits::<16>(0);
                if self.walked.q.val().ipv6 {
                    self.captured_places.d.next.length = self.walked_word[j].q.val().get_bits::<16>(16);
                }
            }
            if self.walked_valid.q.val() & (self.place[j].val() == self.walked.q.val().start) {
                self.captured_tail.d.next = self.walked_word[j].q.val();
            }
        }

        // Conclude, once a frame.
        self.concluded_before.next = self.concluded.q.val() & !self.walked_first.q.val();
        self.decided.next = self.walked.q.val().expect == Expect::Nothing;
        self.conclusion.next = !self.concluded_before.val()
            & (self.decided.val() | self.walked_last.q.val() | (self.walked_base.q.val() >= self.deepest_base.val()));
        if self.walked_valid.q.val() {
            self.concluded.d.next = self.concluded_before.val() | self.conclusion.val();
        }
        self.captured_valid.d.next = self.walked_valid.q.val() & self.conclusion.val() & !self.reset.val();
        self.captured_class.d.next = self.malformed.val();
        if self.decided.val() {
            self.captured_class.d.next = self.walked.q.val().class;
        }
        self.captured_ipv6.d.next = self.walked.q.val().ipv6;
        self.captured_places.d.next.ip_start = self.walked.q.val().ip_start;
        self.captured_places.d.next.start = self.walked.q.val().start;
        self.captured_places.d.next.routing = self.walked.q.val().routing;

        self.headers_tvalid.next = self.captured_valid.q.val();
        self.headers_class.next = self.captured_class.q.val();
        self.headers_ipv6.next = self.captured_ipv6.q.val();
        self.headers_places.next = self.captured_places.q.val();
        self.tail.next = self.captured_tail.q.val();
        self.identification.next = self.captured_identification.q.val();
    }
}
