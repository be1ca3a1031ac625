//! Hashes what the parser found: XOR fold, fragment fold or Toeplitz, chosen at run time.
//!
//! - `xor` (reset state, ¶68): x = XOR of the chosen fields among source and destination address and port, IPv6 addresses first folded
//!   to 32 bits by XOR of their four words; the hash is the fold of x ([`crate::fold`]).
//! - A fragment takes the fold over its identification whatever the function, with both addresses if the mode bit says so (¶68).
//! - `toeplitz`: 32 bits, Microsoft RSS input order, ports by type.
//!
//! Frames without a flow (ARP, other, malformed) have hash 0. Toeplitz takes CHUNK bits a cycle: the narrower the stream, the fewer
//! gates, since flows arrive no faster than their headers.
//!
//! | port                 | dir | width | meaning                                                            |
//! |----------------------|-----|-------|--------------------------------------------------------------------|
//! | `headers_tvalid`     | in  | 1     | a frame's headers                                                  |
//! | `headers_class`      | in  | 3     | an [`abi::receive::Class`]                                         |
//! | `headers_ipv6`       | in  | 1     | IPv6                                                               |
//! | `address_k`          | in  | 32    | k in 0..8, as the parser gives them                                |
//! | `tail`               | in  | 32    | ports, or an IPv6 fragment's identification                        |
//! | `identification`     | in  | 16    | an IPv4 fragment's identification                                  |
//! | `use_toeplitz`       | in  | 1     | HASH_CONTROL.FUNCTION                                              |
//! | `fragment_addresses` | in  | 1     | HASH_CONTROL.FRAGMENT_ADDRESSES                                    |
//! | `chunk_bits`         | in  | 3     | HASH_CONTROL.CHUNK_BITS                                            |
//! | `hash_fields`        | in  | 6     | HASH_FIELDS                                                        |
//! | `key`                | in  | 320   | Toeplitz key, first bit highest                                    |
//! | `hash_tvalid`        | out | 1     | a hash is present; reset value 0                                   |
//! | `hash_tdata`         | out | 32    | the hash                                                           |
//! | `hash_class`         | out | 3     | the frame's class                                                  |
//!
//! Latency: [`latency`] cycles. Throughput: one frame per cycle without a flow, one per [`rounds`] cycles with one. Never stalls.
//! Only valid bits are reset.
//! Implements: ¶67, ¶68.

use abi::limits::KEY_BYTES;
use abi::receive::Class;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::fold::Fold;
use crate::many;
use crate::toeplitz::Toeplitz;

/// Bits of the longest Toeplitz input: two IPv6 addresses and two ports.
const INPUT_BITS: usize = 288;

/// Cycles the Toeplitz sum takes at `chunk` bits a cycle.
pub const fn rounds(chunk: usize) -> usize {
    INPUT_BITS.div_ceil(chunk)
}

/// Cycles from `headers_tvalid` to `hash_tvalid`: load, then per round select and add, then choose.
pub const fn latency(chunk: usize) -> usize {
    rounds(chunk) + 3
}

/// The Toeplitz input, the first word highest, zeros behind its end.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct ToeplitzInput {
    padding: Bits<32>,
    word_8: Bits<32>,
    word_7: Bits<32>,
    word_6: Bits<32>,
    word_5: Bits<32>,
    word_4: Bits<32>,
    word_3: Bits<32>,
    word_2: Bits<32>,
    word_1: Bits<32>,
    word_0: Bits<32>,
}

/// See the module's page.
#[derive(LogicBlock)]
pub struct FlowHash<const CHUNK: usize, const WINDOW: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub headers_tvalid: Signal<In, Bit>,
    pub headers_class: Signal<In, Bits<3>>,
    pub headers_ipv6: Signal<In, Bit>,
    pub address: Vec<Signal<In, Bits<32>>>,
    pub tail: Signal<In, Bits<32>>,
    pub identification: Signal<In, Bits<16>>,
    pub use_toeplitz: Signal<In, Bit>,
    pub fragment_addresses: Signal<In, Bit>,
    pub chunk_bits: Signal<In, Bits<3>>,
    pub hash_fields: Signal<In, Bits<6>>,
    pub key: Signal<In, Bits<320>>,
    pub hash_tvalid: Signal<Out, Bit>,
    pub hash_tdata: Signal<Out, Bits<32>>,
    pub hash_class: Signal<Out, Bits<3>>,
    // What the frame is.
    is_tcp: Signal<Local, Bit>,
    is_udp: Signal<Local, Bit>,
    is_fragment: Signal<Local, Bit>,
    has_flow: Signal<Local, Bit>,
    ports: Signal<Local, Bits<32>>,
    toeplitz_ports: Signal<Local, Bits<32>>,
    // XOR and fragment folds.
    source: Signal<Local, Bits<32>>,
    destination: Signal<Local, Bits<32>>,
    source_share: Signal<Local, Bits<32>>,
    destination_share: Signal<Local, Bits<32>>,
    source_port_share: Signal<Local, Bits<32>>,
    destination_port_share: Signal<Local, Bits<32>>,
    fragment_value: Signal<Local, Bits<32>>,
    folded: DFF<Bits<32>>,
    fold: Fold,
    // Toeplitz: the input shifts left CHUNK bits a round, the key window is picked by the round.
    toeplitz_input: Signal<Local, ToeplitzInput>,
    shift: DFF<Bits<320>>,
    round: DFF<Bits<3>>,
    wide_key: Signal<Local, Bits<352>>,
    placed_key: Vec<Signal<Local, Bits<352>>>,
    round_window: Vec<Signal<Local, Bits<WINDOW>>>,
    loaded: DFF<Bit>,
    data: DFF<Bits<CHUNK>>,
    window: DFF<Bits<WINDOW>>,
    restart: DFF<Bit>,
    toeplitz: Toeplitz<CHUNK, WINDOW>,
    sum: DFF<Bits<32>>,
    // The frame travels beside its sum.
    valid: Vec<DFF<Bit>>,
    frame_class: Vec<DFF<Bits<3>>>,
    use_sum: Vec<DFF<Bit>>,
    folds: Vec<DFF<Bits<7>>>,
    sum_chosen: Signal<Local, Bit>,
    fold_result: Signal<Local, Bits<7>>,
    out_valid: DFF<Bit>,
    out_class: DFF<Bits<3>>,
    hash: DFF<Bits<32>>,
    chunk: Constant<Bits<9>>,
    data_place: Constant<Bits<9>>,
    key_place: Vec<Constant<Bits<9>>>,
    last_round: Constant<Bits<3>>,
    ip: Constant<Bits<3>>,
    tcp: Constant<Bits<3>>,
    udp: Constant<Bits<3>>,
    fragment: Constant<Bits<3>>,
    neighbour_discovery: Constant<Bits<3>>,
    _rounds: usize,
    _stages: usize,
    _folds: usize,
}

impl<const CHUNK: usize, const WINDOW: usize> Default for FlowHash<CHUNK, WINDOW> {
    fn default() -> Self {
        assert_eq!(KEY_BYTES * 8, 320);
        let rounds = rounds(CHUNK);
        let stages = latency(CHUNK) - 1;
        let number = |n: usize| Constant::new((n as u64).to_bits());
        let class = |c: Class| Constant::new((c as u64).to_bits());
        block! {
            Self {
                address: many(8),
                placed_key: many(rounds),
                round_window: many(rounds),
                valid: many(stages),
                frame_class: many(stages),
                use_sum: many(stages),
                folds: many(stages - 1),
                chunk: number(CHUNK),
                data_place: number(320 - CHUNK),
                key_place: (0..rounds).map(|t| number(352 - WINDOW - t * CHUNK)).collect(),
                last_round: Constant::new(((rounds - 1) as u64).to_bits()),
                ip: class(Class::Ip),
                tcp: class(Class::Tcp),
                udp: class(Class::Udp),
                fragment: class(Class::Fragment),
                neighbour_discovery: class(Class::NeighbourDiscovery),
                _rounds: rounds,
                _stages: stages,
                _folds: stages - 1,
            },
            clock, reset, headers_tvalid, headers_class, headers_ipv6, tail, identification, use_toeplitz,
            fragment_addresses, chunk_bits, hash_fields, key, hash_tvalid, hash_tdata, hash_class, is_tcp, is_udp,
            is_fragment, has_flow, ports, toeplitz_ports, source, destination, source_share, destination_share,
            source_port_share, destination_port_share, fragment_value, folded, fold, toeplitz_input, shift, round,
            wide_key, loaded, data, window, restart, toeplitz, sum, sum_chosen, fold_result, out_valid, out_class, hash
        }
    }
}

impl<const CHUNK: usize, const WINDOW: usize> Logic for FlowHash<CHUNK, WINDOW> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, folded, shift, round, loaded, data, window, restart, sum, out_valid, out_class, hash);

        self.is_tcp.next = self.headers_class.val() == self.tcp.val();
        self.is_udp.next = self.headers_class.val() == self.udp.val();
        self.is_fragment.next = self.headers_class.val() == self.fragment.val();
        self.has_flow.next = self.is_tcp.val()
            | self.is_udp.val()
            | self.is_fragment.val()
            | (self.headers_class.val() == self.ip.val())
            | (self.headers_class.val() == self.neighbour_discovery.val());
        self.ports.next = 0.into();
        if self.is_tcp.val() | self.is_udp.val() {
            self.ports.next = self.tail.val();
        }

        // ¶68: the fold of source address and source port, of the identification for every fragment.
        self.source.next = self.address[0].val();
        self.destination.next = self.address[1].val();
        if self.headers_ipv6.val() {
            self.source.next =
                self.address[0].val() ^ self.address[1].val() ^ self.address[2].val() ^ self.address[3].val();
            self.destination.next =
                self.address[4].val() ^ self.address[5].val() ^ self.address[6].val() ^ self.address[7].val();
        }
        self.source_share.next = 0.into();
        self.destination_share.next = 0.into();
        self.source_port_share.next = 0.into();
        self.destination_port_share.next = 0.into();
        if self.hash_fields.val().get_bit(0) {
            self.source_share.next = self.source.val();
        }
        if self.hash_fields.val().get_bit(1) {
            self.destination_share.next = self.destination.val();
        }
        if self.hash_fields.val().get_bit(2) {
            self.source_port_share.next = bit_cast::<32, 16>(self.ports.val().get_bits::<16>(16));
        }
        if self.hash_fields.val().get_bit(3) {
            self.destination_port_share.next = bit_cast::<32, 16>(self.ports.val().get_bits::<16>(0));
        }
        self.fragment_value.next = bit_cast::<32, 16>(self.identification.val());
        if self.headers_ipv6.val() {
            self.fragment_value.next = self.tail.val();
        }
        self.folded.d.next = 0.into();
        if self.has_flow.val() {
            self.folded.d.next = self.source_share.val()
                ^ self.destination_share.val()
                ^ self.source_port_share.val()
                ^ self.destination_port_share.val();
        }
        if self.is_fragment.val() {
            self.folded.d.next = self.fragment_value.val();
            if self.fragment_addresses.val() {
                self.folded.d.next = self.fragment_value.val() ^ self.source.val() ^ self.destination.val();
            }
        }
        self.fold.value.next = self.folded.q.val();
        self.fold.chunk_bits.next = self.chunk_bits.val();

        // Toeplitz input: addresses and ports back to back; zeros behind them add nothing.
        self.toeplitz_ports.next = 0.into();
        if (self.is_tcp.val() & self.hash_fields.val().get_bit(4))
            | (self.is_udp.val() & self.hash_fields.val().get_bit(5))
        {
            self.toeplitz_ports.next = self.tail.val();
        }
        self.toeplitz_input.next.padding = 0.into();
        self.toeplitz_input.next.word_0 = self.address[0].val();
        self.toeplitz_input.next.word_1 = self.address[1].val();
        self.toeplitz_input.next.word_2 = self.toeplitz_ports.val();
        self.toeplitz_input.next.word_3 = 0.into();
        self.toeplitz_input.next.word_4 = 0.into();
        self.toeplitz_input.next.word_5 = 0.into();
        self.toeplitz_input.next.word_6 = 0.into();
        self.toeplitz_input.next.word_7 = 0.into();
        self.toeplitz_input.next.word_8 = 0.into();
        if self.headers_ipv6.val() {
            self.toeplitz_input.next.word_2 = self.address[2].val();
            self.toeplitz_input.next.word_3 = self.address[3].val();
            self.toeplitz_input.next.word_4 = self.address[4].val();
            self.toeplitz_input.next.word_5 = self.address[5].val();
            self.toeplitz_input.next.word_6 = self.address[6].val();
            self.toeplitz_input.next.word_7 = self.address[7].val();
            self.toeplitz_input.next.word_8 = self.toeplitz_ports.val();
        }

        // One round a cycle. Past the last round the input is all zeros, so the sum stands.
        self.loaded.d.next = self.headers_tvalid.val() & self.has_flow.val();
        self.shift.d.next = self.shift.q.val() << self.chunk.val();
        if self.round.q.val() != self.last_round.val() {
            self.round.d.next = self.round.q.val() + 1;
        }
        if self.headers_tvalid.val() & self.has_flow.val() {
            self.shift.d.next = self.toeplitz_input.val().into();
            self.round.d.next = 0.into();
        }
        self.wide_key.next = bit_cast::<352, 320>(self.key.val()) << 32;
        self.window.d.next = 0.into();
        for t in 0..self._rounds {
            self.placed_key[t].next = self.wide_key.val() >> self.key_place[t].val();
            self.round_window[t].next = self.placed_key[t].val().get_bits::<WINDOW>(0);
            if self.round.q.val() == t.to_bits() {
                self.window.d.next = self.round_window[t].val();
            }
        }
        self.data.d.next = bit_cast::<CHUNK, 320>(self.shift.q.val() >> self.data_place.val());
        self.restart.d.next = self.loaded.q.val();
        self.toeplitz.data.next = self.data.q.val();
        self.toeplitz.window.next = self.window.q.val();
        self.sum.d.next = self.sum.q.val() ^ self.toeplitz.hash.val();
        if self.restart.q.val() {
            self.sum.d.next = self.toeplitz.hash.val();
        }

        for s in 0..self._stages {
            self.valid[s].clock.next = self.clock.val();
            self.frame_class[s].clock.next = self.clock.val();
            self.use_sum[s].clock.next = self.clock.val();
        }
        self.valid[0].d.next = self.headers_tvalid.val() & !self.reset.val();
        self.frame_class[0].d.next = self.headers_class.val();
        self.use_sum[0].d.next = self.use_toeplitz.val() & self.has_flow.val() & !self.is_fragment.val();
        for s in 1..self._stages {
            self.valid[s].d.next = self.valid[s - 1].q.val() & !self.reset.val();
            self.frame_class[s].d.next = self.frame_class[s - 1].q.val();
            self.use_sum[s].d.next = self.use_sum[s - 1].q.val();
        }
        for s in 0..self._folds {
            self.folds[s].clock.next = self.clock.val();
        }
        self.folds[0].d.next = self.fold.hash.val();
        for s in 1..self._folds {
            self.folds[s].d.next = self.folds[s - 1].q.val();
        }

        // The last stage of each pipe has the last word.
        for s in 0..self._stages {
            self.out_valid.d.next = self.valid[s].q.val() & !self.reset.val();
            self.out_class.d.next = self.frame_class[s].q.val();
            self.sum_chosen.next = self.use_sum[s].q.val();
        }
        for s in 0..self._folds {
            self.fold_result.next = self.folds[s].q.val();
        }
        self.hash.d.next = bit_cast::<32, 7>(self.fold_result.val());
        if self.sum_chosen.val() {
            self.hash.d.next = self.sum.q.val();
        }
        self.hash_tvalid.next = self.out_valid.q.val();
        self.hash_tdata.next = self.hash.q.val();
        self.hash_class.next = self.out_class.q.val();
    }
}
