//! A free queue and a post queue over one region of message frames, with the truth about who holds each frame.
//!
//! The *filler* gives empty frames and takes posted ones; the *poster* takes free frames and posts them filled. Inbound the processor fills
//! and the host posts, outbound it is the other way round. A frame is with the filler, in the free queue, with the poster or in the
//! post queue, and only in one of these places: what would break this is refused.
//!
//! | port             | dir | width | meaning                                                        |
//! |------------------|-----|-------|----------------------------------------------------------------|
//! | `give`           | in  | 1     | the filler hands in an empty frame                             |
//! | `give_good`      | in  | 1     | [`crate::frame_region::LATENCY`] cycles later: it is a frame   |
//! | `give_frame`     | in  | 10    | with it: this one                                              |
//! | `give_block`     | in  | 26    | bits 31:6 of what was given [`frame_gate::LATENCY`] cycles ago |
//! | `give_refused`   | out | 1     | it is refused                                                  |
//! | `take_posted`    | in  | 1     | the filler takes `posted`; not in a cycle with `give`          |
//! | `posted`         | out | 32    | the oldest posted frame, 0xFFFFFFFF if there is none           |
//! | `take_free`      | in  | 1     | the poster takes `free`; not in a cycle with `post`            |
//! | `free`           | out | 32    | the oldest free frame, 0xFFFFFFFF if there is none             |
//! | `post`           | in  | 1     | the poster hands in a filled frame                             |
//! | `post_kind`      | in  | 2     | the low two bits of its address                                |
//! | `post_good`      | in  | 1     | [`crate::frame_region::LATENCY`] cycles later: it is a frame   |
//! | `post_frame`     | in  | 10    | with it: this one                                              |
//! | `post_block`     | in  | 26    | bits 31:6 of what was posted [`frame_gate::LATENCY`] cycles ago |
//! | `post_refused`   | out | 1     | it is refused                                                  |
//! | `free_level`     | out | 11    | free frames that can be taken                                  |
//! | `free_arrived`   | out | 1     | `free_level` has just grown by a frame                         |
//! | `posted_level`   | out | 11    | posted frames that can be taken                                |
//! | `posted_arrived` | out | 1     | `posted_level` has just grown by a frame                       |
//! | `commands`       | out | 1     | one of them carries a command                                  |
//! | `datas`          | out | 1     | one of them carries data                                       |
//!
//! Latency: [`LATENCY`] cycles from `give` and `post` to the other side's head and level. Throughput: one operation per side and cycle.
//! Never stalls. Reset empties both queues and forgets who holds what; it must last `depth` / 4 cycles.
//! Implements: ¶69.2 to ¶69.7.

use rust_hdl_core::prelude::*;

use crate::frame_gate::{self, FrameGate, Side};
use crate::mfa_queue::{self, MfaQueue};

/// Cycles from `give` to `free`, and from `post` to `posted`: check, queue.
pub const LATENCY: usize = frame_gate::LATENCY + mfa_queue::LATENCY;

/// See the module's page.
#[derive(LogicBlock)]
pub struct MfaPair {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub give: Signal<In, Bit>,
    pub give_good: Signal<In, Bit>,
    pub give_frame: Signal<In, Bits<10>>,
    pub give_block: Signal<In, Bits<26>>,
    pub give_refused: Signal<Out, Bit>,
    pub take_posted: Signal<In, Bit>,
    pub posted: Signal<Out, Bits<32>>,
    pub take_free: Signal<In, Bit>,
    pub free: Signal<Out, Bits<32>>,
    pub post: Signal<In, Bit>,
    pub post_kind: Signal<In, Bits<2>>,
    pub post_good: Signal<In, Bit>,
    pub post_frame: Signal<In, Bits<10>>,
    pub post_block: Signal<In, Bits<26>>,
    pub post_refused: Signal<Out, Bit>,
    pub free_level: Signal<Out, Bits<11>>,
    pub free_arrived: Signal<Out, Bit>,
    pub posted_level: Signal<Out, Bits<11>>,
    pub posted_arrived: Signal<Out, Bit>,
    pub commands: Signal<Out, Bit>,
    pub datas: Signal<Out, Bit>,
    filler: FrameGate,
    free_frames: MfaQueue,
    poster: FrameGate,
    posted_frames: MfaQueue,
}

impl MfaPair {
    /// For at most `depth` frames: a power of two, 16 to 1024.
    pub fn new(depth: usize) -> Self {
        block! {
            Self {
                filler: FrameGate::new(depth, Side::Filler),
                free_frames: MfaQueue::new(depth),
                poster: FrameGate::new(depth, Side::Poster),
                posted_frames: MfaQueue::new(depth),
            },
            clock, reset, give, give_good, give_frame, give_block, give_refused, take_posted, posted, take_free, free,
            post, post_kind, post_good, post_frame, post_block, post_refused, free_level, free_arrived, posted_level,
            posted_arrived, commands, datas
        }
    }
}

impl Logic for MfaPair {
    #[hdl_gen]
    fn update(&mut self) {
        self.filler.clock.next = self.clock.val();
        self.filler.reset.next = self.reset.val();
        self.free_frames.clock.next = self.clock.val();
        self.free_frames.reset.next = self.reset.val();
        self.poster.clock.next = self.clock.val();
        self.poster.reset.next = self.reset.val();
        self.posted_frames.clock.next = self.clock.val();
        self.posted_frames.reset.next = self.reset.val();

        self.filler.hand.next = self.give.val();
        self.filler.kind.next = 0.into();
        self.filler.good.next = self.give_good.val();
        self.filler.frame.next = self.give_frame.val();
        self.give_refused.next = self.filler.refused.val();
        self.free_frames.push.next = self.filler.accepted.val();
        self.free_frames.push_index.next = self.filler.index.val();
        self.free_frames.push_block.next = self.give_block.val();
        self.free_frames.push_kind.next = 0.into();

        self.free_frames.take.next = self.take_free.val();
        self.free.next = self.free_frames.head.val();
        self.poster.take.next = self.free_frames.taken.val();
        self.poster.take_index.next = self.free_frames.head_index.val();

        self.poster.hand.next = self.post.val();
        self.poster.kind.next = self.post_kind.val();
        self.poster.good.next = self.post_good.val();
        self.poster.frame.next = self.post_frame.val();
        self.post_refused.next = self.poster.refused.val();
        self.posted_frames.push.next = self.poster.accepted.val();
        self.posted_frames.push_index.next = self.poster.index.val();
        self.posted_frames.push_block.next = self.post_block.val();
        self.posted_frames.push_kind.next = self.poster.index_kind.val();

        self.posted_frames.take.next = self.take_posted.val();
        self.posted.next = self.posted_frames.head.val();
        self.filler.take.next = self.posted_frames.taken.val();
        self.filler.take_index.next = self.posted_frames.head_index.val();

        self.free_level.next = self.free_frames.level.val();
        self.free_arrived.next = self.free_frames.arrived.val();
        self.posted_level.next = self.posted_frames.level.val();
        self.posted_arrived.next = self.posted_frames.arrived.val();
        self.commands.next = self.posted_frames.commands.val();
        self.datas.next = self.posted_frames.datas.val();
    }
}
