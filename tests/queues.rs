//! Rows 69.2 to 69.7 and the I2O conformance of the message queues, on the verilated card.

use abi::csr::{core, host};
use abi::dma::{Descriptor, Window, control};
use abi::receive::EMPTY;
use cosim::cores::{Frames, Machine};
use cosim::measure::messages::{Way, inbound_rounds};
use cosim::mutate::seed;
use cosim::queue_traffic::{Lie, Outcome, Settings, TrafficError, run};
use cosim::root_complex::Config;
use cosim::scoreboard::Law;

/// Cards and how many queue operations each of them does in the random test: a million all in all.
const PRESETS: [(&str, u64); 7] = [
    ("n4w64", 400_000),
    ("n2w64", 100_000),
    ("n8w64", 150_000),
    ("n16w64", 100_000),
    ("n4w128", 100_000),
    ("n4w256", 100_000),
    ("n16w512", 100_000),
];

/// Outbound frames start here in host memory.
const OUTBOUND: Frames = Frames { base: 0x12_3456_0000, log2: 7, count: 8 };
/// Inbound frames start here in a processor's memory.
const INBOUND: Frames = Frames { base: 0x2_0000, log2: 7, count: 4 };
/// A message in host memory.
const MESSAGE: u64 = 0x5_0000_1000;
/// Bit 0 of an inbound MFA.
const COMMAND: u32 = 1;
/// Bit 1 of an inbound MFA.
const DATA: u32 = 2;

/// A card with `N` processors whose memories are all zero.
fn card(preset: &str) -> Machine {
    let mut card = Machine::new(preset.parse().unwrap(), Config::default(), 1 << 20).unwrap();
    card.cores.iter_mut().for_each(|core| core.memory.bytes_mut().fill(0));
    card
}

fn inbound(page: usize) -> u32 {
    host::I2O_INBOUND.at(page)
}

fn outbound(page: usize) -> u32 {
    host::I2O_OUTBOUND.at(page)
}

fn message(seed: u8) -> Vec<u8> {
    (0..64).map(|b: u8| b.wrapping_mul(3).wrapping_add(seed)).collect()
}

/// A counter of the host's.
fn count(card: &mut Machine, index: usize) -> u64 {
    card.host_read_wide(host::counters::offset(index)).unwrap()
}

/// Where in its memory a processor finds the frame of this MFA.
fn place(mfa: u32) -> usize {
    mfa as usize & 0xff_fffc
}

fn host_push(card: &mut Machine, descriptor: Descriptor) {
    let bytes: Vec<u8> = descriptor.words().iter().flat_map(|word| word.to_le_bytes()).collect();
    card.rig.host.write(0, host::DMA_SOURCE.offset.into(), &bytes);
}

fn core_push(card: &mut Machine, processor: usize, descriptor: Descriptor) {
    for (k, word) in descriptor.words().into_iter().enumerate() {
        card.core_write(processor, core::DMA_SOURCE.offset + 4 * k as u32, word).unwrap();
    }
}

/// Opens a page of host memory to a processor's DMA.
fn open_window(card: &mut Machine, processor: usize, page: u64) {
    let window = Window { first_page: page, last_page: page, readable: true, writable: true };
    for (k, word) in window.words().into_iter().enumerate() {
        card.host_write(host::DMA_WINDOW.at(16 * processor + k), word).unwrap();
    }
}

#[test]
fn row_69_2_each_processor_has_its_own_inbound_free_and_post_queue() {
    let mut card = card("n4w64");
    for p in 0..4 {
        card.give_inbound(p, Frames { count: 4 + p, ..INBOUND }).unwrap();
    }
    for p in 0..4 {
        assert_eq!(card.host_read(host::IN_LEVELS.at(p)).unwrap(), 4 + p as u32);
        assert_eq!(card.core_read(p, core::IN_LEVELS.offset).unwrap(), 4 + p as u32);
    }
    let first = card.host_read(inbound(1)).unwrap();
    let second = card.host_read(inbound(1)).unwrap();
    assert_eq!((first, second), (0x0102_0000, 0x0102_0080), "the frames of processor 1, the oldest first");
    card.host_write(inbound(1), second).unwrap();
    card.host_write(inbound(1), first).unwrap();
    let levels: Vec<u32> = (0..4).map(|p| card.host_read(host::IN_LEVELS.at(p)).unwrap()).collect();
    assert_eq!(levels, [4, 2 << 16 | 3, 6, 7], "the others' queues are as they were");
    for p in [0, 2, 3] {
        assert_eq!(card.core_read(p, core::IN_POST.offset).unwrap(), EMPTY);
    }
    let taken = [(); 3].map(|()| card.core_read(1, core::IN_POST.offset).unwrap());
    assert_eq!(taken, [second, first, EMPTY], "in the order of the posts");
}

#[test]
fn row_69_3_all_processors_share_one_outbound_pair_and_every_page_shows_it() {
    let mut card = card("n4w64");
    card.give_outbound(OUTBOUND).unwrap();
    let mut taken = Vec::new();
    for p in [2, 0, 3, 1] {
        assert_eq!(card.core_read(p, core::OUT_LEVELS.offset).unwrap(), 8 - taken.len() as u32);
        taken.push(card.core_read(p, core::OUT_FREE.offset).unwrap());
    }
    assert_eq!(taken, [0x3456_0000, 0x3456_0080, 0x3456_0100, 0x3456_0180], "each frame goes to one processor");
    // A processor may post what another one took.
    for (p, mfa) in [(3, taken[1]), (0, taken[3]), (0, taken[0]), (1, taken[2])] {
        card.core_write(p, core::OUT_POST.offset, mfa).unwrap();
    }
    card.ticks(30).unwrap();
    assert_eq!(card.host_read(host::OUT_LEVELS.offset).unwrap(), 4 << 16 | 4);
    let received: Vec<u32> = [0, 3, 1, 2, 0].map(|page| card.host_read(outbound(page)).unwrap()).into();
    assert_eq!(received, [taken[1], taken[3], taken[0], taken[2], EMPTY], "in the order of the posts, from any page");
    for (page, mfa) in received[..4].iter().enumerate() {
        card.host_write(outbound(page), *mfa).unwrap();
    }
    assert_eq!(card.host_read(host::OUT_LEVELS.offset).unwrap(), 8);
}

#[test]
fn row_69_3_processors_that_ask_in_the_same_cycle_get_different_frames() {
    let mut card = card("n4w64");
    card.give_outbound(OUTBOUND).unwrap();
    let mut taken = Vec::new();
    for _ in 0..3 {
        card.cores.iter_mut().for_each(|core| _ = core.port.read(core::OUT_FREE.offset));
    }
    card.until(|card| card.cores.iter().all(|core| core.port.idle())).unwrap();
    for core in &mut card.cores {
        taken.extend(core.answers.drain(..).map(|answer| answer.value));
    }
    taken.sort_unstable();
    let frames = (0..8).map(|k| OUTBOUND.mfa(None, k));
    assert_eq!(taken, frames.chain([EMPTY; 4]).collect::<Vec<_>>());
}

#[test]
fn row_69_4_an_inbound_mfa_is_the_place_of_the_frame_in_bar2() {
    let mut card = card("n4w64");
    let (mut compared, frames) = (0, Frames { log2: 6, ..INBOUND });
    for p in 0..4 {
        card.give_inbound(p, frames).unwrap();
        for k in 0..4 {
            let mfa = card.host_read(inbound(p)).unwrap();
            assert_eq!(mfa, ((p as u32) << 24) | (0x2_0000 + 64 * k));
            card.cores[p].memory.open(place(mfa) as u32, 64);
            // The push model: the host writes the frame itself, and posts it behind that, without waiting.
            let bytes = message(mfa as u8 ^ p as u8);
            card.rig.host.write(2, mfa.into(), &bytes);
            card.rig.host.write_word(0, inbound(p).into(), mfa | COMMAND);
            card.until(|card| card.cores[p].irq || card.rig.host.quiet()).unwrap();
            let mut posted = EMPTY;
            while posted == EMPTY {
                posted = card.core_read(p, core::IN_POST.offset).unwrap();
            }
            assert_eq!(posted, mfa | COMMAND);
            assert_eq!(card.cores[p].memory.bytes()[place(posted)..][..64], bytes);
            assert_eq!(card.memory_read(mfa, 64).unwrap(), Ok(bytes));
            compared += 1;
        }
    }
    assert_eq!(compared, 16);
}

#[test]
fn row_69_4_an_outbound_mfa_is_an_absolute_host_address() {
    let mut card = card("n4w64");
    card.give_outbound(OUTBOUND).unwrap();
    let mfa = card.core_read(2, core::OUT_FREE.offset).unwrap();
    let high = card.core_read(2, core::OUT_BASE_HIGH.offset).unwrap();
    assert_eq!((high, mfa), (0x12, 0x3456_0000));
    assert_eq!(card.core_read(2, core::OUT_FRAME_SIZE.offset).unwrap(), 7);
}

#[test]
fn row_69_4_what_is_no_frame_of_the_queue_is_refused_counted_and_told_on_the_hosts_side() {
    let mut card = card("n4w64");
    // Frame 3 is never handed out, frame 0 is posted.
    card.set_inbound(1, INBOUND).unwrap();
    (0..3).for_each(|k| card.core_write(1, core::IN_FREE.offset, INBOUND.mfa(Some(1), k)).unwrap());
    card.set_outbound(OUTBOUND).unwrap();
    card.host_write(outbound(0), OUTBOUND.mfa(None, 0)).unwrap();
    let mfa = card.host_read(inbound(1)).unwrap();
    card.host_write(inbound(1), mfa).unwrap();
    let refused = [
        (inbound(1), mfa, "posted twice"),
        (inbound(1), INBOUND.mfa(Some(1), 1), "not taken"),
        (inbound(1), INBOUND.mfa(Some(1), 3), "never handed out"),
        (inbound(1), mfa + 64, "not aligned"),
        (inbound(1), mfa | 4, "not aligned to its kind"),
        (inbound(1), INBOUND.mfa(Some(1), 4), "outside"),
        (inbound(1), mfa - 128, "outside"),
        (inbound(1), mfa ^ 0x0300_0000, "another processor's"),
        (inbound(0), mfa, "in another page"),
        (inbound(4), mfa, "in a page without a processor"),
        (inbound(1), EMPTY, "none"),
        (outbound(0), OUTBOUND.mfa(None, 0), "given twice"),
        (outbound(2), OUTBOUND.mfa(None, 8), "outside"),
        (outbound(0), OUTBOUND.mfa(None, 1) | 1, "not aligned"),
        (outbound(4), OUTBOUND.mfa(None, 1), "in a page without a processor"),
    ];
    assert_eq!(card.host_read(host::ERROR_STATUS.offset).unwrap(), 0);
    for (done, (place, value, why)) in refused.into_iter().enumerate() {
        assert_eq!(count(&mut card, host::counters::MFA_REFUSED), done as u64);
        card.host_write(place, value).unwrap();
        card.ticks(30).unwrap();
        assert_eq!(card.host_read(host::REFUSED_MFA.offset).unwrap(), value, "{value:#x}: {why}");
        assert_eq!(card.host_read(host::ERROR_STATUS.offset).unwrap(), 1, "{why}");
        card.host_write(host::ERROR_STATUS.offset, 1).unwrap();
        assert_eq!(card.host_read(host::ERROR_STATUS.offset).unwrap(), 0);
    }
    assert_eq!(count(&mut card, host::counters::MFA_REFUSED), refused.len() as u64);
    let levels = [host::IN_LEVELS.at(0), host::IN_LEVELS.at(1), host::OUT_LEVELS.offset];
    assert_eq!(levels.map(|offset| card.host_read(offset).unwrap()), [0, 1 << 16 | 2, 1], "no queue was touched");
}

#[test]
fn row_69_4_what_is_no_frame_of_the_queue_is_refused_counted_and_told_on_the_processors_side() {
    let mut card = card("n4w64");
    card.give_inbound(1, INBOUND).unwrap();
    card.give_outbound(OUTBOUND).unwrap();
    let mfa = card.core_read(1, core::OUT_FREE.offset).unwrap();
    card.core_write(1, core::OUT_POST.offset, mfa).unwrap();
    let refused = [
        (core::IN_FREE.offset, INBOUND.mfa(Some(1), 0), "given twice"),
        (core::IN_FREE.offset, INBOUND.mfa(Some(2), 0), "another processor's"),
        (core::IN_FREE.offset, INBOUND.mfa(Some(1), 4), "outside"),
        (core::IN_FREE.offset, INBOUND.mfa(Some(1), 1) + 64, "not aligned"),
        (core::OUT_POST.offset, mfa, "posted twice"),
        (core::OUT_POST.offset, OUTBOUND.mfa(None, 1), "not taken"),
        (core::OUT_POST.offset, OUTBOUND.mfa(None, 8), "outside"),
        (core::OUT_POST.offset, mfa | 2, "not aligned"),
        (core::OUT_POST.offset, EMPTY, "none"),
    ];
    for (done, (place, value, why)) in refused.into_iter().enumerate() {
        card.core_write(1, core::IRQ_STATUS.offset, 0x80).unwrap();
        assert_eq!(card.core_read(1, core::IRQ_STATUS.offset).unwrap() & 0x80, 0);
        card.core_write(1, place, value).unwrap();
        card.ticks(30).unwrap();
        assert_eq!(card.core_read(1, core::MFA_REFUSED.offset).unwrap(), done as u32 + 1, "{value:#x}: {why}");
        assert_eq!(card.core_read(1, core::REFUSED_MFA.offset).unwrap(), value, "{why}");
        assert_eq!(card.core_read(1, core::IRQ_STATUS.offset).unwrap() & 0x80, 0x80, "{why}");
    }
    let index = |p, which| host::counters::FIRST_PROCESSOR + p * host::counters::PER_PROCESSOR + which;
    assert_eq!(count(&mut card, index(1, host::counters::PROCESSOR_REFUSED)), refused.len() as u64);
    assert_eq!(count(&mut card, index(2, host::counters::PROCESSOR_REFUSED)), 0);
    assert_eq!(count(&mut card, host::counters::MFA_REFUSED), 0, "none of them was the host's");
    assert_eq!(card.core_read(1, core::IN_LEVELS.offset).unwrap(), 4);
    assert_eq!(card.core_read(1, core::OUT_LEVELS.offset).unwrap(), 1 << 16 | 7);
}

#[test]
fn row_69_4_frames_may_be_handed_in_right_behind_the_settings_of_their_region() {
    let mut card = card("n4w64");
    let port = &mut card.cores[2].port;
    port.write(core::IN_FRAME_SIZE.offset, INBOUND.log2);
    port.write(core::IN_FRAMES.offset, INBOUND.count as u32);
    port.write(core::IN_BASE.offset, INBOUND.base as u32);
    (0..INBOUND.count).for_each(|k| port.write(core::IN_FREE.offset, INBOUND.mfa(Some(2), k)));
    // The host in one burst: OUT_BASE, its high word, OUT_FRAME_SIZE, OUT_FRAMES.
    let words = [OUTBOUND.base as u32, (OUTBOUND.base >> 32) as u32, OUTBOUND.log2, OUTBOUND.count as u32];
    card.rig.host.write(0, host::OUT_BASE.offset.into(), &words.map(u32::to_le_bytes).concat());
    for k in 0..OUTBOUND.count {
        card.rig.host.write_word(0, outbound(0).into(), OUTBOUND.mfa(None, k));
    }
    card.until(|card| card.rig.host.quiet()).unwrap();
    card.ticks(60).unwrap();
    assert_eq!(card.host_read(host::IN_LEVELS.at(2)).unwrap(), INBOUND.count as u32);
    assert_eq!(card.host_read(host::OUT_LEVELS.offset).unwrap(), OUTBOUND.count as u32);
    assert_eq!(card.core_read(2, core::MFA_REFUSED.offset).unwrap(), 0);
}

#[test]
fn row_69_5_a_message_goes_by_take_copy_post_and_interrupt() {
    let mut card = card("n4w64");
    card.give_inbound(2, INBOUND).unwrap();
    card.core_write(2, core::IRQ_MASK.offset, !0b10).unwrap();
    card.rig.host.memory_mut().write(MESSAGE, &message(7));
    let mfa = card.host_read(inbound(2)).unwrap();
    card.cores[2].memory.open(place(mfa) as u32, 64);
    let flags = control::SOURCE_HOST;
    let descriptor =
        Descriptor { source: MESSAGE, destination: mfa.into(), length: 64, flags, mfa: 0, context: 0xc0de };
    host_push(&mut card, descriptor);
    let mut report = EMPTY;
    while report == EMPTY {
        report = card.host_read(host::DMA_DONE.offset).unwrap();
    }
    assert_eq!((report, card.host_read(host::DMA_CONTEXT.offset).unwrap()), (64, 0xc0de));
    assert_eq!(card.core_read(2, core::IN_POST.offset).unwrap(), EMPTY, "it is copied, not yet posted");
    assert!(!card.cores[2].irq);
    card.host_write(inbound(2), mfa | COMMAND).unwrap();
    card.until(|card| card.cores[2].irq).unwrap();
    assert_eq!(card.core_read(2, core::IN_POST.offset).unwrap(), mfa | COMMAND);
    assert_eq!(card.cores[2].memory.bytes()[place(mfa)..][..64], message(7));
    card.core_write(2, core::IRQ_STATUS.offset, 0b10).unwrap();
    card.ticks(10).unwrap();
    assert!(!card.cores[2].irq, "the message is taken and acknowledged");
    assert!((0..4).all(|p| p == 2 || !card.cores[p].irq));
}

#[test]
fn row_69_5_a_descriptor_may_post_its_frame_itself() {
    let mut card = card("n4w64");
    card.give_inbound(3, INBOUND).unwrap();
    card.core_write(3, core::IRQ_MASK.offset, !0b110).unwrap();
    card.rig.host.memory_mut().write(MESSAGE, &message(9));
    let mfa = card.host_read(inbound(3)).unwrap();
    card.cores[3].memory.open(place(mfa) as u32, 64);
    let flags = control::SOURCE_HOST | control::POST;
    let destination = mfa.into();
    let descriptor = Descriptor { source: MESSAGE, destination, length: 64, flags, mfa: mfa | DATA, context: 1 };
    host_push(&mut card, descriptor);
    card.until(|card| card.cores[3].irq).unwrap();
    assert_eq!(card.cores[3].memory.bytes()[place(mfa)..][..64], message(9), "the copy is done before the post");
    assert_eq!(card.core_read(3, core::IN_POST.offset).unwrap(), mfa | DATA);
    card.ticks(30).unwrap();
    assert_eq!(card.host_read(host::DMA_DONE.offset).unwrap(), 64);
    // The frame is the processor's now: the same descriptor copies, but posts nothing.
    host_push(&mut card, Descriptor { context: 2, ..descriptor });
    let mut report = EMPTY;
    while report == EMPTY {
        report = card.host_read(host::DMA_DONE.offset).unwrap();
    }
    assert_eq!((report >> 20, card.host_read(host::DMA_CONTEXT.offset).unwrap()), (8, 2), "MFA refused");
    assert_eq!(card.core_read(3, core::IN_POST.offset).unwrap(), EMPTY);
    card.ticks(300).unwrap();
    assert_eq!(count(&mut card, host::counters::MFA_REFUSED), 1);
}

#[test]
fn row_69_6_a_message_goes_to_the_host_by_take_copy_post_and_interrupt() {
    for posts_itself in [false, true] {
        let mut card = card("n4w64");
        card.give_outbound(OUTBOUND).unwrap();
        open_window(&mut card, 1, OUTBOUND.base & !0xfff);
        card.host_write(host::I2O_MASK.at(0), 0).unwrap();
        card.cores[1].memory.bytes_mut()[0x100..0x140].copy_from_slice(&message(5));
        let mfa = card.core_read(1, core::OUT_FREE.offset).unwrap();
        let address = u64::from(card.core_read(1, core::OUT_BASE_HIGH.offset).unwrap()) << 32 | u64::from(mfa);
        card.rig.host.memory_mut().open(address..address + 64);
        let flags = control::DESTINATION_HOST | if posts_itself { control::POST } else { 0 };
        let descriptor =
            Descriptor { source: 0x0100_0100, destination: address, length: 64, flags, mfa, context: 0x11 };
        core_push(&mut card, 1, descriptor);
        card.until(|card| card.rig.host.traffic().writes > 0).unwrap();
        let mut report = EMPTY;
        while report == EMPTY {
            report = card.core_read(1, core::DMA_DONE.offset).unwrap();
        }
        assert_eq!((report, card.core_read(1, core::DMA_CONTEXT.offset).unwrap()), (64, 0x11));
        if !posts_itself {
            assert!(!card.rig.outputs.host_irq);
            card.core_write(1, core::OUT_POST.offset, mfa).unwrap();
        }
        card.until(|card| card.rig.outputs.host_irq).unwrap();
        assert_eq!(card.host_read(host::I2O_STATUS.at(0)).unwrap(), 8);
        assert_eq!(card.host_read(outbound(0)).unwrap(), mfa);
        assert_eq!(card.rig.host.memory().bytes(address, 64), message(5));
        assert!(!card.rig.outputs.host_irq, "drained");
        card.host_write(outbound(0), mfa).unwrap();
        assert_eq!(card.host_read(host::OUT_LEVELS.offset).unwrap(), 8);
    }
}

#[test]
fn row_69_7_a_message_says_whether_it_carries_a_command_or_data_or_both() {
    let mut card = card("n4w64");
    card.give_inbound(0, INBOUND).unwrap();
    let cases = [(COMMAND, 0b010, "a command"), (DATA, 0b100, "data"), (COMMAND | DATA, 0b110, "both")];
    // A host that knows only I2O sends commands.
    for (kind, causes, what) in cases.into_iter().chain([(0, 0b010, "an I2O message")]) {
        let mfa = card.host_read(inbound(0)).unwrap();
        card.host_write(inbound(0), mfa | kind).unwrap();
        card.ticks(30).unwrap();
        assert_eq!(card.core_read(0, core::IRQ_STATUS.offset).unwrap() & 0b110, causes, "{what}");
        assert_eq!(card.core_read(0, core::IN_POST.offset).unwrap(), mfa | kind, "{what}");
        card.core_write(0, core::IRQ_STATUS.offset, 0xff).unwrap();
        assert_eq!(card.core_read(0, core::IRQ_STATUS.offset).unwrap() & 0b110, 0, "{what} is taken");
        card.core_write(0, core::IN_FREE.offset, mfa).unwrap();
    }
}

#[test]
fn i2o_the_host_is_interrupted_as_long_as_a_message_waits_unless_it_masks_that() {
    let mut card = card("n4w64");
    card.give_outbound(OUTBOUND).unwrap();
    assert_eq!(card.host_read(host::I2O_MASK.at(3)).unwrap(), u32::MAX, "masked after reset");
    let taken = [(); 3].map(|()| card.core_read(0, core::OUT_FREE.offset).unwrap());
    taken.iter().for_each(|mfa| card.core_write(0, core::OUT_POST.offset, *mfa).unwrap());
    card.ticks(30).unwrap();
    assert!(!card.rig.outputs.host_irq);
    assert_eq!([0, 1, 2, 3].map(|page| card.host_read(host::I2O_STATUS.at(page)).unwrap()), [8; 4]);
    // Only bit 3 counts, in any page.
    card.host_write(host::I2O_MASK.at(2), !8).unwrap();
    card.ticks(10).unwrap();
    assert!(card.rig.outputs.host_irq);
    assert_eq!(card.host_read(host::I2O_MASK.at(0)).unwrap(), !8);
    card.host_write(host::I2O_MASK.at(0), 8).unwrap();
    card.ticks(10).unwrap();
    assert!(!card.rig.outputs.host_irq);
    card.host_write(host::I2O_MASK.at(0), 0).unwrap();
    for left in [2, 1, 0] {
        card.ticks(10).unwrap();
        assert!(card.rig.outputs.host_irq, "{left} would be left");
        assert_eq!(card.host_read(outbound(0)).unwrap(), taken[2 - left]);
    }
    card.ticks(10).unwrap();
    assert!(!card.rig.outputs.host_irq);
    assert_eq!(card.host_read(host::I2O_STATUS.at(0)).unwrap(), 0);
}

#[test]
fn i2o_a_frame_that_is_taken_and_not_used_goes_back_as_a_nop_and_none_is_lost() {
    let mut card = card("n4w64");
    card.give_inbound(0, INBOUND).unwrap();
    for round in 0..3 * INBOUND.count {
        let mfa = card.host_read(inbound(0)).unwrap();
        assert_eq!(mfa, INBOUND.mfa(Some(0), round % INBOUND.count));
        card.cores[0].memory.open(mfa, 16);
        // UtilNOP: version 1.5, four words, function 0, from the host (1) to the adapter (0).
        let nop = [0x0004_0001u32, 0x0000_1000, 0, 0];
        card.rig.host.write(2, mfa.into(), &nop.map(u32::to_le_bytes).concat());
        card.host_write(inbound(0), mfa).unwrap();
        card.ticks(40).unwrap();
        assert_eq!(card.core_read(0, core::IN_POST.offset).unwrap(), mfa);
        assert_eq!(card.cores[0].memory.bytes()[place(mfa) + 7], 0, "the function is NOP");
        card.cores[0].memory.close(mfa);
        card.core_write(0, core::IN_FREE.offset, mfa).unwrap();
    }
    card.ticks(40).unwrap();
    assert_eq!(card.host_read(host::IN_LEVELS.at(0)).unwrap(), INBOUND.count as u32);
}

#[test]
fn i2o_an_empty_queue_reads_all_ones_as_often_as_it_is_read() {
    let mut card = card("n4w64");
    card.set_inbound(0, INBOUND).unwrap();
    card.set_outbound(OUTBOUND).unwrap();
    for page in [0, 1, 3, 4, 15] {
        for _ in 0..2 {
            assert_eq!(card.host_read(inbound(page)).unwrap(), EMPTY);
            assert_eq!(card.host_read(outbound(page)).unwrap(), EMPTY);
        }
    }
    for register in [core::IN_POST, core::OUT_FREE] {
        assert_eq!([(); 2].map(|()| card.core_read(0, register.offset).unwrap()), [EMPTY; 2]);
    }
    // An empty read leaves no trace: the next frame is there, once.
    card.core_write(0, core::IN_FREE.offset, INBOUND.mfa(Some(0), 2)).unwrap();
    card.ticks(40).unwrap();
    assert_eq!([(); 2].map(|()| card.host_read(inbound(0)).unwrap()), [INBOUND.mfa(Some(0), 2), EMPTY]);
}

fn settings(seed: u64) -> Settings {
    Settings { seed, frames: 32, log2: 6, operations: 30_000, garbage: 10, pauses: 0, lie: None }
}

#[test]
fn row_69_2_to_69_7_and_68_4_random_traffic_on_all_queues_breaks_no_law() {
    let seed = seed(0x69).unwrap();
    let mut total = Outcome::default();
    for (preset, operations) in PRESETS {
        // Few frames, so that queues run empty, and as many as fit; without and with pauses of the host.
        let rounds = [(2, 6, 0), (9, 10, 30), (32, 6, 0), (100, 8, 10), (256, 6, 0), (256, 7, 30)];
        for (round, (frames, log2, pauses)) in rounds.into_iter().enumerate() {
            let operations = operations.div_ceil(rounds.len() as u64);
            let settings =
                Settings { seed: seed + round as u64, frames, log2, operations, garbage: 10, pauses, lie: None };
            let outcome =
                run(preset.parse().unwrap(), &settings).unwrap_or_else(|e| panic!("{preset}, round {round}: {e}"));
            println!("{preset}, {frames} frames, {pauses} % pauses: {outcome:?}");
            assert!(outcome.taken > operations / 100 && outcome.refused > 50, "{preset}, round {round}: {outcome:?}");
            total.operations += outcome.operations;
            total.taken += outcome.taken;
            total.empty += outcome.empty;
            total.copies += outcome.copies;
            total.refused += outcome.refused;
            total.messages += outcome.messages;
            total.messages_refused += outcome.messages_refused;
        }
    }
    println!("{total:?}");
    assert!(total.operations >= 1_000_000 && total.taken > 100_000 && total.empty > 10_000, "{total:?}");
    assert!(total.copies > 5_000, "{total:?}");
    assert!(total.refused > 10_000 && total.messages > 10_000 && total.messages_refused > 1_000, "{total:?}");
}

#[test]
fn the_same_seed_gives_the_same_traffic_to_the_cycle() {
    let params = "n4w64".parse().unwrap();
    let [first, second, other] = [1, 1, 2].map(|seed| run(params, &Settings { pauses: 20, ..settings(seed) }).unwrap());
    assert_eq!(first, second);
    assert_ne!(first.cycles, other.cycles);
}

#[test]
fn a_scoreboard_that_is_lied_to_says_so() {
    for (lie, laws) in [
        (Lie::Value, vec![Law::NotThere, Law::Order]),
        (Lie::Twice, vec![Law::NotThere, Law::Order]),
        (Lie::Lost, vec![Law::Order, Law::Lost]),
        (Lie::Empty, vec![Law::FalselyEmpty]),
        (Lie::Early, vec![Law::Early]),
    ] {
        let error = run("n4w64".parse().unwrap(), &Settings { lie: Some(lie), ..settings(3) }).unwrap_err();
        let TrafficError::Broken { law, .. } = &error else { panic!("{lie:?}: {error}") };
        assert!(laws.contains(law), "{lie:?}: {error}");
    }
}

#[test]
fn a_round_of_a_64_byte_message_takes_at_most_16_cycles() {
    for way in [Way::Pull, Way::Push] {
        let rounds = inbound_rounds("n4w64".parse().unwrap(), way, 2000).unwrap();
        println!("{way:?}: {rounds:?}");
        assert!(rounds.cycles <= 16.0, "{way:?}: {rounds:?}");
    }
}
