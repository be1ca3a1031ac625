//! All message frame queues of the card: an inbound pair for every processor, one outbound pair for all, as the host, the DMA and the
//! processors see them.
//!
//! The host's four ports are I2O's: a read of 0x40 takes a free inbound frame, a write of 0x40 posts it; a read of 0x44 takes a posted
//! outbound frame, a write of 0x44 frees it. 0x40 is the page's processor, 0x44 the same in every page that has a processor. A page
//! without one reads empty, and its writes are refused.
//!
//! The DMA posts inbound in the host's name and outbound in the processors'. It waits for a cycle in which the host does nothing, or
//! for its turn among the processors; its frame is checked like any other.
//!
//! A refused inbound post or outbound free, the DMA's included, shows as `host_refused`, a processor's as `core_refused_i`.
//!
//! | port                    | dir | width | meaning                                                                                    |
//! |-------------------------|-----|-------|--------------------------------------------------------------------------------------------|
//! | `in_base_i`             | in  | 18    | bits 23:6 of the address of the first inbound frame in the memory of processor i           |
//! | `in_size_i`             | in  | 5     | log2 of the bytes of such a frame, clamped to 6 to 16                                      |
//! | `in_frames_i`           | in  | 11    | how many there are                                                                         |
//! | `out_base`              | in  | 26    | bits 31:6 of the host address of the first outbound frame                                  |
//! | `out_size`              | in  | 5     | log2 of the bytes of such a frame, clamped to 6 to 16                                      |
//! | `out_frames`            | in  | 11    | how many there are                                                                         |
//! | `host_take_inbound`     | in  | 1     | the host reads 0x40; at most one of the four host strobes is high in a cycle               |
//! | `host_take_outbound`    | in  | 1     | the host reads 0x44                                                                        |
//! | `host_post_inbound`     | in  | 1     | the host writes 0x40                                                                       |
//! | `host_free_outbound`    | in  | 1     | the host writes 0x44                                                                       |
//! | `host_page`             | in  | 4     | in this page                                                                               |
//! | `host_wdata`            | in  | 32    | what it writes                                                                             |
//! | `host_rdata`            | out | 32    | what it reads, [`HOST_LATENCY`] cycles behind the strobe; 0xFFFFFFFF if the queue is empty |
//! | `post_valid`            | in  | 1     | the DMA posts `post_mfa`; the request stays until `post_ready`                             |
//! | `post_outbound`         | in  | 1     | outbound                                                                                   |
//! | `post_page`             | in  | 4     | inbound: to this processor                                                                 |
//! | `post_mfa`              | in  | 32    | the frame                                                                                  |
//! | `post_ready`            | out | 1     | the request is taken up                                                                    |
//! | `post_done`             | out | 1     | the verdict, [`POST_LATENCY`] cycles behind `post_ready`; reset value 0                    |
//! | `post_refused`          | out | 1     | with `post_done`: the frame was not the poster's                                           |
//! | `core_free_inbound_i`   | in  | 1     | processor i frees the inbound frame `core_wdata_i`; both stay until granted                |
//! | `core_free_grant_i`     | out | 1     | the frame is taken up                                                                      |
//! | `core_take_inbound_i`   | in  | 1     | processor i takes `inbound_head_i`; at most one of a processor's strobes is high           |
//! | `inbound_head_i`        | out | 32    | the oldest frame posted to processor i, 0xFFFFFFFF if there is none                        |
//! | `core_take_outbound_i`  | in  | 1     | processor i wants a free outbound frame; stays high until granted                          |
//! | `core_outbound_grant_i` | out | 1     | `core_outbound_mfa` is it                                                                  |
//! | `core_outbound_mfa`     | out | 32    | a frame, 0xFFFFFFFF if there is none                                                       |
//! | `core_post_outbound_i`  | in  | 1     | processor i posts the outbound frame `core_wdata_i`; both stay until granted               |
//! | `core_post_grant_i`     | out | 1     | the frame is taken up                                                                      |
//! | `core_wdata_i`          | in  | 32    | a frame's address                                                                          |
//! | `in_free_level_i`       | out | 11    | inbound frames the host can take                                                           |
//! | `in_free_event_i`       | out | 1     | it has just become one more                                                                |
//! | `in_post_level_i`       | out | 11    | inbound frames posted to processor i                                                       |
//! | `in_commands_i`         | out | 1     | one of them carries a command                                                              |
//! | `in_datas_i`            | out | 1     | one of them carries data                                                                   |
//! | `out_free_level`        | out | 11    | outbound frames the processors can take                                                    |
//! | `out_post_level`        | out | 11    | outbound frames posted to the host                                                         |
//! | `out_post_event`        | out | 1     | it has just become one more                                                                |
//! | `host_refused`          | out | 1     | a frame that the host or the DMA in its name handed in is refused; reset value 0           |
//! | `host_refused_mfa`      | out | 32    | which                                                                                      |
//! | `host_refused_page`     | out | 4     | in which page                                                                              |
//! | `core_refused_i`        | out | 1     | a frame that processor i handed in is refused; reset value 0                               |
//! | `core_refused_mfa_i`    | out | 32    | which                                                                                      |
//!
//! Latency: a frame can be taken [`LATENCY`] cycles after a processor's or the DMA's request was taken up, one more after the host's
//! strobe. Throughput: one operation of the host per cycle; one inbound take per processor and cycle; of all else one of all processors
//! per cycle, one of a single processor every second cycle. Grants go round. Only what is held until granted waits. Reset empties all
//! queues and forgets who holds what; it must last `depth` / 4 cycles. The settings of a region may change only while none of its frames
//! is in a queue: the numbers kept there would turn into other addresses.
//! Implements: ¶69.2 to ¶69.7.

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::arbiter::Arbiter;
use crate::delay_line::DelayLine;
use crate::frame_gate;
use crate::frame_region::FrameRegion;
use crate::many;
use crate::mfa_pair::{self, MfaPair};

/// Cycles from a host strobe to `host_rdata`.
pub const HOST_LATENCY: usize = 2;

/// Cycles from `post_ready` to `post_done`, and from a strobe or grant of a processor to `core_refused_i`; one more from a host
/// strobe to `host_refused`.
pub const POST_LATENCY: usize = frame_gate::LATENCY + 1;

/// Cycles from a processor's strobe or grant, or from `post_ready`, to the frame on the other side and in its level.
pub const LATENCY: usize = mfa_pair::LATENCY;

/// See the module's page.
#[derive(LogicBlock)]
pub struct MfaQueues {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub in_base: Vec<Signal<In, Bits<18>>>,
    pub in_size: Vec<Signal<In, Bits<5>>>,
    pub in_frames: Vec<Signal<In, Bits<11>>>,
    pub out_base: Signal<In, Bits<26>>,
    pub out_size: Signal<In, Bits<5>>,
    pub out_frames: Signal<In, Bits<11>>,
    pub host_take_inbound: Signal<In, Bit>,
    pub host_take_outbound: Signal<In, Bit>,
    pub host_post_inbound: Signal<In, Bit>,
    pub host_free_outbound: Signal<In, Bit>,
    pub host_page: Signal<In, Bits<4>>,
    pub host_wdata: Signal<In, Bits<32>>,
    pub host_rdata: Signal<Out, Bits<32>>,
    pub post_valid: Signal<In, Bit>,
    pub post_outbound: Signal<In, Bit>,
    pub post_page: Signal<In, Bits<4>>,
    pub post_mfa: Signal<In, Bits<32>>,
    pub post_ready: Signal<Out, Bit>,
    pub post_done: Signal<Out, Bit>,
    pub post_refused: Signal<Out, Bit>,
    pub core_free_inbound: Vec<Signal<In, Bit>>,
    pub core_free_grant: Vec<Signal<Out, Bit>>,
    pub core_take_inbound: Vec<Signal<In, Bit>>,
    pub inbound_head: Vec<Signal<Out, Bits<32>>>,
    pub core_take_outbound: Vec<Signal<In, Bit>>,
    pub core_outbound_grant: Vec<Signal<Out, Bit>>,
    pub core_outbound_mfa: Signal<Out, Bits<32>>,
    pub core_post_outbound: Vec<Signal<In, Bit>>,
    pub core_post_grant: Vec<Signal<Out, Bit>>,
    pub core_wdata: Vec<Signal<In, Bits<32>>>,
    pub in_free_level: Vec<Signal<Out, Bits<11>>>,
    pub in_free_event: Vec<Signal<Out, Bit>>,
    pub in_post_level: Vec<Signal<Out, Bits<11>>>,
    pub in_commands: Vec<Signal<Out, Bit>>,
    pub in_datas: Vec<Signal<Out, Bit>>,
    pub out_free_level: Signal<Out, Bits<11>>,
    pub out_post_level: Signal<Out, Bits<11>>,
    pub out_post_event: Signal<Out, Bit>,
    pub host_refused: Signal<Out, Bit>,
    pub host_refused_mfa: Signal<Out, Bits<32>>,
    pub host_refused_page: Signal<Out, Bits<4>>,
    pub core_refused: Vec<Signal<Out, Bit>>,
    pub core_refused_mfa: Vec<Signal<Out, Bits<32>>>,
    inbound: Vec<MfaPair>,
    outbound: MfaPair,
    // Whose frame it is that the host's side hands in, and that the processors' does.
    host_region: FrameRegion,
    card_region: FrameRegion,
    first_of: Vec<Signal<Local, Bits<26>>>,
    in_settings: Vec<Signal<Local, Bits<43>>>,
    out_settings: Signal<Local, Settings>,
    host_posts: Vec<Signal<Local, Bit>>,
    host_selected: Vec<Signal<Local, Bits<43>>>,
    card_selected: Vec<Signal<Local, Bits<43>>>,
    host_settings: Signal<Local, Bits<43>>,
    card_settings: Signal<Local, Bits<43>>,
    // The host's request.
    takes_inbound: DFF<Bit>,
    takes_outbound: DFF<Bit>,
    posts_inbound: DFF<Bit>,
    frees_outbound: DFF<Bit>,
    page: DFF<Bits<4>>,
    page_is: Vec<DFF<Bit>>,
    exists: DFF<Bit>,
    wdata: DFF<Bits<32>>,
    host_busy: Signal<Local, Bit>,
    // What a read returns, inverted, so that nothing chosen reads all ones.
    from_page: Vec<Signal<Local, Bits<32>>>,
    inverse: Signal<Local, Bits<32>>,
    read: DFF<Bits<32>>,
    // What is handed in through the host's ports: by the host, or by the DMA in its name.
    posts_for_host: Signal<Local, Bit>,
    handed_mfa: Signal<Local, Bits<32>>,
    handed_page: Signal<Local, Bits<4>>,
    nowhere: Signal<Local, Bit>,
    // The verdicts on it come in order, frame_gate::LATENCY later.
    tag: Signal<Local, HostTag>,
    tags: DelayLine<39>,
    judged: Signal<Local, Bits<39>>,
    not_accepted: Signal<Local, Bit>,
    refused: DFF<Bit>,
    refused_mfa: DFF<Bits<32>>,
    refused_page: DFF<Bits<4>>,
    // The processors' side: requester 0 is the DMA, i + 1 processor i.
    arbiter: Arbiter,
    granted: Vec<DFF<Bit>>,
    /// Whether processor i takes, or hands in an inbound frame; else it posts.
    granted_takes: Vec<DFF<Bit>>,
    granted_frees: Vec<DFF<Bit>>,
    from_core: Vec<Signal<Local, Bits<32>>>,
    takes_free: Signal<Local, Bit>,
    posts: Signal<Local, Bit>,
    given_mfa: Signal<Local, Bits<32>>,
    core_takes: Vec<Signal<Local, Bit>>,
    core_posts: Vec<Signal<Local, Bit>>,
    core_frees: Vec<Signal<Local, Bit>>,
    dma_posts: Signal<Local, Bit>,
    dma_posted: DelayLine<1>,
    done: DFF<Bit>,
    done_refused: DFF<Bit>,
    // The processors' verdicts.
    core_posted: Vec<DelayLine<1>>,
    given: DelayLine<32>,
    core_failed: Vec<DFF<Bit>>,
    failed_mfa: DFF<Bits<32>>,
    processors: Constant<Bits<5>>,
    processor_number: Vec<Constant<Bits<4>>>,
    /// Of [`Settings`].
    inbound_bit: Constant<Bits<43>>,
    /// Bits 31:6 of the address of its memory.
    processor_base: Vec<Constant<Bits<26>>>,
    _processors: usize,
    _requesters: usize,
}

/// Where a region lies.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct Settings {
    base: Bits<26>,
    size: Bits<5>,
    frames: Bits<11>,
    inbound: Bit,
}

/// What is remembered of a frame that is handed in through the host's ports.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct HostTag {
    mfa: Bits<32>,
    page: Bits<4>,
    due: Bit,
    for_dma: Bit,
    nowhere: Bit,
}

impl MfaQueues {
    /// The queues of `processors` processors, for at most `depth` frames per region: a power of two, 16 to 1024.
    pub fn new(processors: usize, depth: usize) -> Self {
        block! {
            Self {
                in_base: many(processors),
                in_size: many(processors),
                in_frames: many(processors),
                core_free_inbound: many(processors),
                core_free_grant: many(processors),
                core_take_inbound: many(processors),
                inbound_head: many(processors),
                core_take_outbound: many(processors),
                core_outbound_grant: many(processors),
                core_post_outbound: many(processors),
                core_post_grant: many(processors),
                core_wdata: many(processors),
                in_free_level: many(processors),
                in_free_event: many(processors),
                in_post_level: many(processors),
                in_commands: many(processors),
                in_datas: many(processors),
                core_refused: many(processors),
                core_refused_mfa: many(processors),
                inbound: (0..processors).map(|_| MfaPair::new(depth)).collect(),
                outbound: MfaPair::new(depth),
                host_region: FrameRegion::new(depth),
                card_region: FrameRegion::new(depth),
                first_of: many(processors),
                in_settings: many(processors),
                inbound_bit: Constant::new((1u64 << 42).to_bits()),
                host_posts: many(processors),
                host_selected: many(processors),
                card_selected: many(processors),
                page_is: many(processors),
                from_page: many(processors),
                tags: DelayLine::new(frame_gate::LATENCY),
                arbiter: Arbiter::new(processors + 1),
                granted: many(processors + 1),
                granted_takes: many(processors),
                granted_frees: many(processors),
                from_core: many(processors),
                core_takes: many(processors),
                core_posts: many(processors),
                core_frees: many(processors),
                dma_posted: DelayLine::new(frame_gate::LATENCY),
                core_posted: (0..processors).map(|_| DelayLine::new(frame_gate::LATENCY)).collect(),
                given: DelayLine::new(frame_gate::LATENCY),
                core_failed: many(processors),
                processors: Constant::new((processors as u64).to_bits()),
                processor_base: (0..processors as u64).map(|i| Constant::new((i << 18).to_bits())).collect(),
                processor_number: (0..processors as u64).map(|i| Constant::new(i.to_bits())).collect(),
                _processors: processors,
                _requesters: processors + 1,
            },
            clock, reset, out_base, out_size, out_frames, host_take_inbound, host_take_outbound, host_post_inbound,
            host_free_outbound, host_page, host_wdata, host_rdata, post_valid, post_outbound, post_page, post_mfa,
            post_ready, post_done, post_refused, core_outbound_mfa, out_free_level, out_post_level, out_post_event,
            host_refused, host_refused_mfa, host_refused_page, takes_inbound, takes_outbound, posts_inbound,
            frees_outbound, page, exists, wdata, host_busy, inverse, read, posts_for_host, handed_mfa, handed_page,
            nowhere, tag, judged, not_accepted, refused, refused_mfa, refused_page, takes_free, posts, given_mfa,
            dma_posts, done, done_refused, out_settings, host_settings, card_settings, failed_mfa
        }
    }
}

impl Logic for MfaQueues {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, takes_inbound, takes_outbound, posts_inbound, frees_outbound, page, exists, wdata);
        dff_setup!(self, clock, read, refused, refused_mfa, refused_page, done, done_refused, failed_mfa);
        self.outbound.clock.next = self.clock.val();
        self.outbound.reset.next = self.reset.val();
        self.arbiter.clock.next = self.clock.val();
        self.arbiter.reset.next = self.reset.val();
        self.tags.clock.next = self.clock.val();
        self.dma_posted.clock.next = self.clock.val();
        self.given.clock.next = self.clock.val();
        for i in 0..self._processors {
            self.page_is[i].clock.next = self.clock.val();
            self.core_posted[i].clock.next = self.clock.val();
            self.core_failed[i].clock.next = self.clock.val();
            self.granted_takes[i].clock.next = self.clock.val();
            self.granted_takes[i].d.next = self.core_take_outbound[i].val();
            self.granted_frees[i].clock.next = self.clock.val();
            self.granted_frees[i].d.next = self.core_free_inbound[i].val();
            self.inbound[i].clock.next = self.clock.val();
            self.inbound[i].reset.next = self.reset.val();
        }
        for r in 0..self._requesters {
            self.granted[r].clock.next = self.clock.val();
        }

        // The host's request.
        self.exists.d.next = (bit_cast::<5, 4>(self.host_page.val()) < self.processors.val()) & !self.reset.val();
        self.takes_inbound.d.next = self.host_take_inbound.val() & !self.reset.val();
        self.takes_outbound.d.next = self.host_take_outbound.val() & !self.reset.val();
        self.posts_inbound.d.next = self.host_post_inbound.val() & !self.reset.val();
        self.frees_outbound.d.next = self.host_free_outbound.val() & !self.reset.val();
        self.page.d.next = self.host_page.val();
        self.wdata.d.next = self.host_wdata.val();
        for i in 0..self._processors {
            self.page_is[i].d.next = self.host_page.val() == self.processor_number[i].val();
        }
        self.host_busy.next = self.takes_inbound.q.val()
            | self.takes_outbound.q.val()
            | self.posts_inbound.q.val()
            | self.frees_outbound.q.val();

        // What it reads.
        self.inverse.next = 0.into();
        if self.takes_outbound.q.val() & self.exists.q.val() {
            self.inverse.next = !self.outbound.posted.val();
        }
        for i in 0..self._processors {
            self.from_page[i].next = 0.into();
            if self.takes_inbound.q.val() & self.page_is[i].q.val() {
                self.from_page[i].next = !self.inbound[i].free.val();
            }
            self.inverse.next = self.inverse.val() | self.from_page[i].val();
        }
        self.read.d.next = !self.inverse.val();
        self.host_rdata.next = self.read.q.val();

        // What it hands in, or the DMA in its name when the host does nothing.
        self.posts_for_host.next =
            self.post_valid.val() & !self.post_outbound.val() & !self.host_busy.val() & !self.reset.val();
        self.handed_mfa.next = self.post_mfa.val();
        self.handed_page.next = self.post_page.val();
        self.nowhere.next = bit_cast::<5, 4>(self.post_page.val()) >= self.processors.val();
        if self.host_busy.val() {
            self.handed_mfa.next = self.wdata.q.val();
            self.handed_page.next = self.page.q.val();
            self.nowhere.next = !self.exists.q.val();
        }
        self.tag.next.mfa = self.handed_mfa.val();
        self.tag.next.page = self.handed_page.val();
        self.tag.next.due = self.posts_inbound.q.val() | self.frees_outbound.q.val() | self.posts_for_host.val();
        self.tag.next.for_dma = self.posts_for_host.val();
        self.tag.next.nowhere = self.nowhere.val();
        self.tags.value.next = self.tag.val().into();

        // The DMA's turn and the processors'. A grant is registered, so who sees it is still asking.
        self.arbiter.request[0].next = self.post_valid.val() & self.post_outbound.val() & !self.granted[0].q.val();
        for i in 0..self._processors {
            self.arbiter.request[i + 1].next =
                (self.core_take_outbound[i].val() | self.core_post_outbound[i].val() | self.core_free_inbound[i].val())
                    & !self.granted[i + 1].q.val();
        }
        self.arbiter.advance.next = self.arbiter.any.val();
        for r in 0..self._requesters {
            self.granted[r].d.next = self.arbiter.grant[r].val() & !self.reset.val();
        }
        self.dma_posts.next = self.granted[0].q.val();
        self.dma_posted.value.next = self.dma_posts.val().into();
        self.post_ready.next = self.posts_for_host.val() | self.dma_posts.val();
        self.takes_free.next = false;
        self.posts.next = self.dma_posts.val();
        self.given_mfa.next = 0.into();
        if self.granted[0].q.val() {
            self.given_mfa.next = self.post_mfa.val();
        }
        for i in 0..self._processors {
            self.core_takes[i].next = self.granted[i + 1].q.val() & self.granted_takes[i].q.val();
            self.core_frees[i].next = self.granted[i + 1].q.val() & self.granted_frees[i].q.val();
            self.core_posts[i].next =
                self.granted[i + 1].q.val() & !self.granted_takes[i].q.val() & !self.granted_frees[i].q.val();
            self.core_free_grant[i].next = self.core_frees[i].val();
            self.core_outbound_grant[i].next = self.core_takes[i].val();
            self.core_post_grant[i].next = self.core_posts[i].val();
            self.from_core[i].next = 0.into();
            if self.granted[i + 1].q.val() {
                self.from_core[i].next = self.core_wdata[i].val();
            }
            self.takes_free.next = self.takes_free.val() | self.core_takes[i].val();
            self.posts.next = self.posts.val() | self.core_posts[i].val();
            self.given_mfa.next = self.given_mfa.val() | self.from_core[i].val();
        }

        // Whose frames they should be. Where nothing is selected no frame is good.
        self.out_settings.next.base = self.out_base.val();
        self.out_settings.next.size = self.out_size.val();
        self.out_settings.next.frames = self.out_frames.val();
        self.out_settings.next.inbound = false;
        self.host_settings.next = 0.into();
        if self.frees_outbound.q.val() {
            self.host_settings.next = self.out_settings.val().into();
        }
        self.card_settings.next = self.out_settings.val().into();
        for i in 0..self._processors {
            if self.core_frees[i].val() {
                self.card_settings.next = 0.into();
            }
        }
        for i in 0..self._processors {
            self.first_of[i].next = self.in_base[i].val().get_bits::<26>(0) | self.processor_base[i].val();
            self.in_settings[i].next = self.first_of[i].val().get_bits::<43>(0)
                | (self.in_size[i].val().get_bits::<43>(0) << 26)
                | (self.in_frames[i].val().get_bits::<43>(0) << 31)
                | self.inbound_bit.val();
            self.host_posts[i].next = (self.posts_inbound.q.val() & self.page_is[i].q.val())
                | (self.posts_for_host.val() & (self.post_page.val() == self.processor_number[i].val()));
            self.host_selected[i].next = 0.into();
            if self.host_posts[i].val() {
                self.host_selected[i].next = self.in_settings[i].val();
            }
            self.host_settings.next = self.host_settings.val() | self.host_selected[i].val();
            self.card_selected[i].next = 0.into();
            if self.core_frees[i].val() {
                self.card_selected[i].next = self.in_settings[i].val();
            }
            self.card_settings.next = self.card_settings.val() | self.card_selected[i].val();
        }
        self.host_region.clock.next = self.clock.val();
        self.host_region.base.next = self.host_settings.val().get_bits::<26>(0);
        self.host_region.size.next = self.host_settings.val().get_bits::<5>(26);
        self.host_region.frames.next = self.host_settings.val().get_bits::<11>(31);
        self.host_region.inbound.next = self.host_settings.val().get_bit(42);
        self.host_region.mfa.next = self.handed_mfa.val();
        self.card_region.clock.next = self.clock.val();
        self.card_region.base.next = self.card_settings.val().get_bits::<26>(0);
        self.card_region.size.next = self.card_settings.val().get_bits::<5>(26);
        self.card_region.frames.next = self.card_settings.val().get_bits::<11>(31);
        self.card_region.inbound.next = self.card_settings.val().get_bit(42);
        self.card_region.mfa.next = self.given_mfa.val();

        // The pairs. What was handed in comes back with the verdict on it.
        self.judged.next = self.tags.delayed.val();
        self.outbound.give.next = self.frees_outbound.q.val() & self.exists.q.val();
        self.outbound.give_good.next = self.host_region.good.val();
        self.outbound.give_frame.next = self.host_region.index.val();
        self.outbound.give_block.next = self.judged.val().get_bits::<26>(6);
        self.outbound.take_posted.next = self.takes_outbound.q.val() & self.exists.q.val();
        self.outbound.take_free.next = self.takes_free.val();
        self.core_outbound_mfa.next = self.outbound.free.val();
        self.outbound.post.next = self.posts.val();
        self.outbound.post_kind.next = 0.into();
        self.outbound.post_good.next = self.card_region.good.val();
        self.outbound.post_frame.next = self.card_region.index.val();
        self.outbound.post_block.next = self.given.delayed.val().get_bits::<26>(6);
        self.out_free_level.next = self.outbound.free_level.val();
        self.out_post_level.next = self.outbound.posted_level.val();
        self.out_post_event.next = self.outbound.posted_arrived.val();
        for i in 0..self._processors {
            self.inbound[i].give.next = self.core_frees[i].val();
            self.inbound[i].give_good.next = self.card_region.good.val();
            self.inbound[i].give_frame.next = self.card_region.index.val();
            self.inbound[i].give_block.next = self.given.delayed.val().get_bits::<26>(6);
            self.inbound[i].take_posted.next = self.core_take_inbound[i].val();
            self.inbound_head[i].next = self.inbound[i].posted.val();
            self.inbound[i].take_free.next = self.takes_inbound.q.val() & self.page_is[i].q.val();
            self.inbound[i].post.next = self.host_posts[i].val();
            self.inbound[i].post_kind.next = self.handed_mfa.val().get_bits::<2>(0);
            self.inbound[i].post_good.next = self.host_region.good.val();
            self.inbound[i].post_frame.next = self.host_region.index.val();
            self.inbound[i].post_block.next = self.judged.val().get_bits::<26>(6);
            self.in_free_level[i].next = self.inbound[i].free_level.val();
            self.in_free_event[i].next = self.inbound[i].free_arrived.val();
            self.in_post_level[i].next = self.inbound[i].posted_level.val();
            self.in_commands[i].next = self.inbound[i].commands.val();
            self.in_datas[i].next = self.inbound[i].datas.val();
        }

        // Verdicts.
        self.not_accepted.next = self.judged.val().get_bit(38) | self.outbound.give_refused.val();
        for i in 0..self._processors {
            self.not_accepted.next = self.not_accepted.val() | self.inbound[i].post_refused.val();
        }
        self.refused.d.next = self.judged.val().get_bit(36) & self.not_accepted.val() & !self.reset.val();
        self.refused_mfa.d.next = self.judged.val().get_bits::<32>(0);
        self.refused_page.d.next = self.judged.val().get_bits::<4>(32);
        self.host_refused.next = self.refused.q.val();
        self.host_refused_mfa.next = self.refused_mfa.q.val();
        self.host_refused_page.next = self.refused_page.q.val();
        self.done.d.next =
            (self.judged.val().get_bit(37) | self.dma_posted.delayed.val().get_bit(0)) & !self.reset.val();
        self.done_refused.d.next = (self.judged.val().get_bit(37) & self.not_accepted.val())
            | (self.dma_posted.delayed.val().get_bit(0) & self.outbound.post_refused.val());
        self.post_done.next = self.done.q.val();
        self.post_refused.next = self.done_refused.q.val();
        self.given.value.next = self.given_mfa.val();
        self.failed_mfa.d.next = self.given.delayed.val();
        for i in 0..self._processors {
            self.core_posted[i].value.next = self.core_posts[i].val().into();
            self.core_failed[i].d.next = (self.inbound[i].give_refused.val()
                | (self.core_posted[i].delayed.val().get_bit(0) & self.outbound.post_refused.val()))
                & !self.reset.val();
            self.core_refused[i].next = self.core_failed[i].q.val();
            self.core_refused_mfa[i].next = self.failed_mfa.q.val();
        }
    }
}

#[cfg(test)]
mod tests;
