//! Row 66.2 (interrupts of the processors), MSI-X towards the host, and the host's window to the processors' memories (BAR2), on the
//! verilated card.

use abi::csr::{core, host};
use abi::dma::{Descriptor, control};
use abi::receive::EMPTY;
use cosim::cores::{Frames, Machine};
use cosim::root_complex::Config;
use cosim::source::{FrameSource, Outgoing, Pace};
use cosim::tlp::Status;

const TIMER: u32 = 1 << 0;
const COMMAND: u32 = 1 << 1;
const DATA: u32 = 1 << 2;
const MESSAGE: u32 = 1 << 3;
const RECEIVE: u32 = 1 << 4;
const TRANSMIT: u32 = 1 << 5;
const DMA: u32 = 1 << 6;
const ERROR: u32 = 1 << 7;

const INBOUND: Frames = Frames { base: 0x1_0000, log2: 6, count: 4 };
const OUTBOUND: Frames = Frames { base: 0x3456_0000, log2: 6, count: 16 };
/// No messages.
const NONE: [u32; 0] = [];
/// Writes here are interrupts.
const MSI: u64 = 0x7_fee0_0000;

fn card() -> Machine {
    let mut card = Machine::new("n4w64".parse().unwrap(), Config::default(), 1 << 17).unwrap();
    card.rig.host.set_interrupt_range(MSI..MSI + 0x1000);
    card
}

fn status(card: &mut Machine, processor: usize) -> u32 {
    card.core_read(processor, core::IRQ_STATUS.offset).unwrap()
}

fn acknowledge(card: &mut Machine, processor: usize, causes: u32) {
    card.core_write(processor, core::IRQ_STATUS.offset, causes).unwrap();
    card.ticks(5).unwrap();
}

/// The cause stands; it interrupts only unmasked, survives its acknowledge until `clear` has taken its reason away, and is alone.
fn stands_until(card: &mut Machine, cause: u32, clear: impl FnOnce(&mut Machine)) {
    card.ticks(300).unwrap();
    assert_eq!(status(card, 1), cause);
    assert!(!card.cores[1].irq, "masked");
    card.core_write(1, core::IRQ_MASK.offset, 0xff & !cause).unwrap();
    card.ticks(5).unwrap();
    assert!(card.cores[1].irq);
    acknowledge(card, 1, cause);
    assert_eq!((status(card, 1), card.cores[1].irq), (cause, true), "the reason stands");
    clear(card);
    card.ticks(5).unwrap();
    assert_eq!((status(card, 1), card.cores[1].irq), (cause, true), "until it is acknowledged");
    acknowledge(card, 1, !cause);
    assert_eq!(status(card, 1), cause, "another's acknowledge leaves it");
    acknowledge(card, 1, cause);
    assert_eq!((status(card, 1), card.cores[1].irq), (0, false));
    card.core_write(1, core::IRQ_MASK.offset, 0xff).unwrap();
    for other in [0, 2, 3] {
        assert_eq!(status(card, other), 0, "processor {other}");
    }
}

#[test]
fn row_66_2_a_socket_call_and_an_outgoing_packet_of_the_host_interrupt() {
    let mut card = card();
    card.give_inbound(1, INBOUND).unwrap();
    for (kind, cause) in [(1, COMMAND), (2, DATA), (3, COMMAND | DATA)] {
        let mfa = card.host_read(host::I2O_INBOUND.at(1)).unwrap();
        card.host_write(host::I2O_INBOUND.at(1), mfa | kind).unwrap();
        stands_until(&mut card, cause, |card| {
            assert_eq!(card.core_read(1, core::IN_POST.offset).unwrap(), mfa | kind);
        });
    }
}

#[test]
fn row_66_2_a_message_of_another_processor_interrupts() {
    let mut card = card();
    card.core_write(3, core::MESSAGE_SEND.at(1), 77).unwrap();
    stands_until(&mut card, MESSAGE, |card| {
        assert_eq!(card.core_read(1, core::MESSAGE_TAKE.at(3)).unwrap(), 77);
    });
}

#[test]
fn row_66_2_a_received_packet_interrupts() {
    let mut card = card();
    card.host_write(host::DEFAULT_PROCESSOR.offset, 1).unwrap();
    card.core_write(1, core::RX_FREE.offset, 0x4000).unwrap();
    card.cores[1].memory.open(0x4000, 128);
    let mut source = FrameSource::new(8, Pace::BackToBack, 1);
    let mut bytes = vec![0x5a; 100];
    bytes[12..14].copy_from_slice(&[0x88, 0xcc]);
    source.push(Outgoing { index: 0, bytes, bad: false });
    while source.waiting() > 0 {
        source.drive(card.rig.cycles(), &mut card.rig.inputs);
        card.tick().unwrap();
    }
    source.drive(card.rig.cycles(), &mut card.rig.inputs);
    stands_until(&mut card, RECEIVE, |card| {
        assert_eq!(card.core_read(1, core::RX_POST.offset).unwrap(), 0x4000);
    });
}

#[test]
fn row_66_2_a_sent_packet_interrupts() {
    let mut card = card();
    card.core_write(1, core::TX_LENGTH.offset, 100).unwrap();
    card.core_write(1, core::TX_POST.offset, 0x2000).unwrap();
    stands_until(&mut card, TRANSMIT, |card| {
        assert_eq!(card.core_read(1, core::TX_DONE.offset).unwrap(), 0x2000);
    });
}

#[test]
fn row_66_2_a_report_of_the_dma_interrupts() {
    let mut card = card();
    card.cores[1].memory.open(0x3000, 32);
    let descriptor =
        Descriptor { source: 0x0100_2000, destination: 0x0100_3000, length: 32, flags: 0, mfa: 0, context: 5 };
    for (k, word) in descriptor.words().into_iter().enumerate() {
        card.core_write(1, core::DMA_SOURCE.offset + 4 * k as u32, word).unwrap();
    }
    stands_until(&mut card, DMA, |card| {
        assert_eq!(card.core_read(1, core::DMA_DONE.offset).unwrap(), 32);
        assert_eq!(card.core_read(1, core::DMA_CONTEXT.offset).unwrap(), 5);
    });
}

#[test]
fn row_66_2_whatever_is_refused_interrupts_once() {
    let mut card = card();
    let bad = Descriptor { source: 0, destination: 0, length: 64, flags: control::SOURCE_HOST, mfa: 0, context: 0 };
    card.set_inbound(1, INBOUND).unwrap();
    let mut causes = 0;
    for cause in ["buffer", "frame", "mfa", "message", "descriptor"] {
        match cause {
            "buffer" => (0..257).for_each(|b| card.core_write(1, core::RX_FREE.offset, b << 8).unwrap()),
            // 64 with a length that is refused come back at once, and are not taken.
            "frame" => (0..65).for_each(|_| card.core_write(1, core::TX_POST.offset, 0).unwrap()),
            "mfa" => card.core_write(1, core::IN_FREE.offset, 0).unwrap(),
            "message" => (0..17).for_each(|_| card.core_write(1, core::MESSAGE_SEND.at(2), 1).unwrap()),
            _ => {
                for (k, word) in bad.words().into_iter().enumerate() {
                    card.core_write(1, core::DMA_SOURCE.offset + 4 * k as u32, word).unwrap();
                }
                (0..16).for_each(|_| card.core_write(1, core::DMA_PUSH.offset, 0).unwrap());
            }
        }
        card.ticks(100).unwrap();
        assert_eq!(status(&mut card, 1) & ERROR, ERROR, "{cause}");
        acknowledge(&mut card, 1, ERROR);
        assert_eq!(status(&mut card, 1) & ERROR, 0, "{cause} again");
        causes += 1;
    }
    let registers = [core::RX_REFUSED, core::TX_REFUSED, core::MFA_REFUSED, core::MESSAGE_REFUSED, core::DMA_REFUSED];
    assert_eq!(registers.map(|register| card.core_read(1, register.offset).unwrap()), [1; 5]);
    let index = host::counters::FIRST_PROCESSOR + host::counters::PER_PROCESSOR + host::counters::PROCESSOR_REFUSED;
    assert_eq!(card.host_read_wide(host::counters::offset(index)).unwrap(), causes);
}

#[test]
fn row_66_2_the_timer_interrupts_from_the_time_it_is_set_to() {
    let mut card = card();
    card.core_write(1, core::IRQ_MASK.offset, !TIMER).unwrap();
    let set = |card: &mut Machine, time: u64| {
        card.core_write(1, core::COMPARE.offset + 4, (time >> 32) as u32).unwrap();
        card.core_write(1, core::COMPARE.offset, time as u32).unwrap();
    };
    let now = |card: &mut Machine| {
        let low = card.core_read(1, core::TIME.offset).unwrap();
        u64::from(card.core_read(1, core::TIME.offset + 4).unwrap()) << 32 | u64::from(low)
    };
    let mut waits = Vec::new();
    for wait in [100, 101, 500] {
        let start = now(&mut card);
        set(&mut card, start + wait);
        assert_eq!(status(&mut card, 1), 0);
        card.until(|card| card.cores[1].irq).unwrap();
        waits.push(now(&mut card) - start - wait);
        // The timer's reason stands as long as the time is past.
        acknowledge(&mut card, 1, TIMER);
        assert_eq!(status(&mut card, 1), TIMER);
        // A new time and an acknowledge behind it leave nothing of the old one.
        let later = now(&mut card) + 1_000_000;
        set(&mut card, later);
        acknowledge(&mut card, 1, TIMER);
        assert_eq!((status(&mut card, 1), card.cores[1].irq), (0, false));
    }
    assert!(waits.iter().all(|late| *late == waits[0] && *late < 20), "cycles too late: {waits:?}");
    // In the past: at once.
    set(&mut card, 0);
    card.ticks(10).unwrap();
    assert!(card.cores[1].irq);
}

/// Gives every vector an address and data of its own and unmasks it.
fn enable_msix(card: &mut Machine, masked: u32) {
    for vector in 0..12u32 {
        let words = [MSI as u32 | vector << 4, (MSI >> 32) as u32, 0x1000 + vector, masked >> vector & 1];
        for (k, word) in words.into_iter().enumerate() {
            card.host_write(host::MSIX_TABLE.at(4 * vector as usize + k), word).unwrap();
        }
    }
    card.host_write(host::MSIX_CONTROL.offset, 1).unwrap();
    card.ticks(50).unwrap();
}

/// Vectors of the messages that came since the last call; each is as the table says.
fn vectors(card: &mut Machine) -> Vec<u32> {
    let messages = card.rig.host.take_interrupts();
    messages
        .iter()
        .map(|message| {
            let vector = message.data - 0x1000;
            assert_eq!(message.address, MSI | u64::from(vector) << 4);
            vector
        })
        .collect()
}

fn post(card: &mut Machine, processor: usize) -> u32 {
    let mfa = card.core_read(processor, core::OUT_FREE.offset).unwrap();
    assert_ne!(mfa, EMPTY);
    card.core_write(processor, core::OUT_POST.offset, mfa).unwrap();
    mfa
}

#[test]
fn msix_the_table_resets_masked_and_reads_back() {
    let mut card = card();
    for vector in 0..12 {
        assert_eq!(card.host_read(host::MSIX_TABLE.at(4 * vector + 3)).unwrap(), 1, "vector {vector}");
    }
    enable_msix(&mut card, 0b100);
    let mut compared = 0;
    for vector in 0..12u32 {
        let words = [MSI as u32 | vector << 4, 7, 0x1000 + vector, u32::from(vector == 2)];
        for (k, word) in words.into_iter().enumerate() {
            assert_eq!(card.host_read(host::MSIX_TABLE.at(4 * vector as usize + k)).unwrap(), word);
            compared += 1;
        }
    }
    assert_eq!(compared, 48);
    assert_eq!(card.host_read(host::MSIX_TABLE.at(48)).unwrap(), 0, "there are 4 + 2 N vectors");
}

#[test]
fn msix_every_cause_has_its_vector_and_sends_one_message_per_rise() {
    let mut card = card();
    card.give_outbound(OUTBOUND).unwrap();
    enable_msix(&mut card, 0);
    assert_eq!(vectors(&mut card), NONE);
    // 0: outbound post. The second message falls into the same rise.
    let posted = [post(&mut card, 0), post(&mut card, 3)];
    card.ticks(100).unwrap();
    assert_eq!(vectors(&mut card), [0]);
    for mfa in posted {
        assert_eq!(card.host_read(host::I2O_OUTBOUND.at(0)).unwrap(), mfa);
        card.host_write(host::I2O_OUTBOUND.at(0), mfa).unwrap();
    }
    let mfa = post(&mut card, 1);
    card.ticks(100).unwrap();
    assert_eq!(vectors(&mut card), [0], "a new rise");
    assert_eq!(card.host_read(host::I2O_OUTBOUND.at(0)).unwrap(), mfa);
    // 1: errors.
    for _ in 0..2 {
        card.host_write(host::I2O_INBOUND.at(0), 4).unwrap();
        card.ticks(100).unwrap();
        assert_eq!(vectors(&mut card), [1]);
        card.host_write(host::ERROR_STATUS.offset, 1).unwrap();
    }
    // 2: the host's DMA.
    card.cores[2].memory.open(0, 64);
    let descriptor = Descriptor {
        source: 0x9000,
        destination: 0x0200_0000,
        length: 64,
        flags: control::SOURCE_HOST,
        mfa: 0,
        context: 1,
    };
    for (k, word) in descriptor.words().into_iter().enumerate() {
        card.host_write(host::DMA_SOURCE.offset + 4 * k as u32, word).unwrap();
    }
    card.ticks(300).unwrap();
    assert_eq!(vectors(&mut card), [2]);
    assert_eq!(card.host_read(host::DMA_DONE.offset).unwrap(), 64);
    for p in 0..4u32 {
        // 4 + 2 i: processor i rings; twice is one rise.
        (0..2).for_each(|_| card.core_write(p as usize, core::HOST_RING.offset, 1).unwrap());
        card.ticks(100).unwrap();
        assert_eq!(vectors(&mut card), [4 + 2 * p]);
        assert_eq!(card.host_read(host::RINGS.offset).unwrap(), 1 << p);
        card.host_write(host::RINGS.offset, 1 << p).unwrap();
        assert_eq!(card.host_read(host::RINGS.offset).unwrap(), 0);
        // 5 + 2 i: the inbound free queue of i is not empty.
        card.give_inbound(p as usize, INBOUND).unwrap();
        card.ticks(100).unwrap();
        assert_eq!(vectors(&mut card), [5 + 2 * p]);
    }
    let sent = card.host_read_wide(host::counters::offset(host::counters::INTERRUPTS)).unwrap();
    assert_eq!((sent, card.rig.host.traffic().interrupts), (13, 13));
}

#[test]
fn msix_what_happens_behind_a_mask_is_pending_and_is_sent_when_the_mask_goes() {
    let mut card = card();
    enable_msix(&mut card, 1 << 4 | 1 << 6 | 1 << 8);
    (0..3).for_each(|p| card.core_write(p, core::HOST_RING.offset, 1).unwrap());
    card.ticks(100).unwrap();
    assert_eq!(vectors(&mut card), NONE);
    assert_eq!(card.host_read(host::MSIX_PENDING.at(0)).unwrap(), 1 << 4 | 1 << 6 | 1 << 8);
    // Processor 1's reason goes before its mask.
    card.host_write(host::RINGS.offset, 0b010).unwrap();
    for vector in [4, 6] {
        card.host_write(host::MSIX_TABLE.at(4 * vector + 3), 0).unwrap();
    }
    card.ticks(100).unwrap();
    assert_eq!(vectors(&mut card), [4]);
    assert_eq!(card.host_read(host::MSIX_PENDING.at(0)).unwrap(), 1 << 8);
    // The function's mask, and MSI-X itself, hold back all vectors.
    for off in [0b11, 0b00] {
        card.host_write(host::MSIX_CONTROL.offset, off).unwrap();
        card.core_write(3, core::HOST_RING.offset, 1).unwrap();
        card.ticks(100).unwrap();
        assert_eq!(vectors(&mut card), NONE);
        assert_eq!(card.host_read(host::MSIX_PENDING.at(0)).unwrap(), 1 << 8 | 1 << 10);
        card.host_write(host::MSIX_CONTROL.offset, 1).unwrap();
        card.ticks(100).unwrap();
        assert_eq!(vectors(&mut card), [10]);
        card.host_write(host::RINGS.offset, 0b1000).unwrap();
    }
}

#[test]
fn msix_moderation_by_count_waits_for_so_many_events() {
    let mut card = card();
    card.give_outbound(OUTBOUND).unwrap();
    enable_msix(&mut card, 0);
    card.host_write(host::MODERATION.offset, host::moderation::COUNT.put(3)).unwrap();
    for round in 0..3 {
        for event in 0..3 {
            card.ticks(500).unwrap();
            assert_eq!(vectors(&mut card), NONE, "round {round}, {event} events");
            post(&mut card, event);
        }
        card.ticks(100).unwrap();
        assert_eq!(vectors(&mut card), [0]);
        while card.host_read(host::I2O_OUTBOUND.at(0)).unwrap() != EMPTY {}
    }
}

#[test]
fn msix_moderation_by_time_waits_so_long_after_the_first_event() {
    let mut card = card();
    card.give_outbound(OUTBOUND).unwrap();
    enable_msix(&mut card, 0);
    // Ten units of 64 cycles; or 200 events.
    let moderation = host::moderation::TIME.put(10) | host::moderation::COUNT.put(200);
    card.host_write(host::MODERATION.offset, moderation).unwrap();
    let mut waits = Vec::new();
    for pause in 0..5 {
        card.ticks(37 * pause).unwrap();
        post(&mut card, 0);
        let start = card.rig.cycles();
        post(&mut card, 1);
        card.until(|card| card.rig.host.traffic().interrupts as usize > waits.len()).unwrap();
        waits.push(card.rig.cycles() - start);
        card.ticks(1000).unwrap();
        assert_eq!(vectors(&mut card), [0], "one message for both");
        while card.host_read(host::I2O_OUTBOUND.at(0)).unwrap() != EMPTY {}
    }
    // Whole ticks: up to one early; the message itself takes some 40 cycles.
    assert!(waits.iter().all(|wait| (9 * 64..10 * 64 + 50).contains(wait)), "{waits:?}");
}

#[test]
fn bar2_the_host_reads_and_writes_open_memories_at_any_place_and_length() {
    let mut card = card();
    let mut compared = 0;
    for p in 0..4u32 {
        for (place, length) in [(0, 1), (3, 2), (0x101, 64), (0x7f, 700), (0xffd, 9), (0x1_fff0, 16), (0x2000, 4096)] {
            let bytes: Vec<u8> = (0..length).map(|b| (b * 7 + p + place) as u8).collect();
            card.cores[p as usize].memory.open(place, bytes.len());
            card.memory_write(p << 24 | place, &bytes).unwrap();
            assert_eq!(card.memory_read(p << 24 | place, bytes.len()).unwrap(), Ok(bytes.clone()));
            let there = place as usize..place as usize + bytes.len();
            assert_eq!(card.cores[p as usize].memory.bytes()[there], bytes);
            card.cores[p as usize].memory.close(place);
            compared += 1;
        }
    }
    assert_eq!(compared, 28);
}

#[test]
fn bar2_a_closed_memory_is_not_read() {
    let mut card = card();
    card.host_write(host::MEMORY_WINDOW.offset, 0b1011).unwrap();
    let unsupported = host::counters::offset(host::counters::TLP_UNSUPPORTED);
    for (done, place) in [0x0200_0000, 0x0200_1000, 0x0400_0000, 0x0f00_0000].into_iter().enumerate() {
        assert_eq!(card.host_read_wide(unsupported).unwrap(), done as u64);
        assert_eq!(card.memory_read(place, 8).unwrap(), Err(Status::Unsupported), "{place:#x}");
        assert_eq!(card.host_read(host::ERROR_STATUS.offset).unwrap(), 4);
        card.host_write(host::ERROR_STATUS.offset, 4).unwrap();
    }
    assert_eq!(card.host_read_wide(unsupported).unwrap(), 4);
    assert_eq!(card.memory_read(0x0300_0000, 8).unwrap(), Ok(vec![0xa5; 8]));
    card.host_write(host::MEMORY_WINDOW.offset, 0b1111).unwrap();
    assert_eq!(card.memory_read(0x0200_0000, 8).unwrap(), Ok(vec![0xa5; 8]));
}

#[test]
fn bar2_a_write_to_a_closed_memory_is_dropped_and_counted() {
    let mut card = card();
    card.host_write(host::MEMORY_WINDOW.offset, 0b1011).unwrap();
    let dropped = host::counters::offset(host::counters::WRITE_DROPPED);
    // The memory is not open to the card: a write that came through would end the run.
    for place in [0x0200_0000, 0x0400_0000, 0x0f00_0000] {
        card.memory_write(place, &[1; 8]).unwrap();
    }
    card.ticks(300).unwrap();
    assert!(card.cores[2].memory.bytes().iter().all(|byte| *byte == 0xa5));
    assert_eq!(card.host_read_wide(dropped).unwrap(), 3);
    assert_eq!(card.host_read(host::ERROR_STATUS.offset).unwrap(), 0x80);
}
