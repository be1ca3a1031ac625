//! The MAC's and the DMA's drivers: what they write, what they make of what comes back, and of what should not (66.1, 66.8).

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use abi::dma::Status;
use abi::transmit::{Send, Transport};
use soft_cores::kernel::Wait;
use soft_cores::kernel::dma::{Copy, DmaError, Endpoint, Then};
use soft_cores::kernel::mac::TransmitError;
use soft_cores::kernel::pool::{FreeError, Shape};
use soft_cores::kernel::scheduler::Priority;
use soft_cores::platform::Platform;

use crate::card::{Delays, World};
use crate::interrupts::receive_pool;
use crate::machine::{End, Machine};
use crate::{Log, free_machine};

/// Something comes at cycle `at`, and the machine sees to it.
fn happens(machine: &mut Machine, what: World) {
    machine.native.card(|card| card.plan(card.time() + 10, what));
    assert_eq!(machine.run(), End::Asleep);
}

#[test]
fn buffers_go_to_the_card_and_come_back_with_frames() {
    let mut machine = free_machine();
    let pool = receive_pool(&machine, 3);
    let frames = Rc::new(RefCell::new(Vec::new()));
    let taken = frames.clone();
    machine.kernel.on_frame(move |_, frame| taken.borrow_mut().push(frame));
    for hash in 0..4 {
        happens(&mut machine, World::Frame(60 + hash, hash));
    }
    // Nobody has given a buffer back: the fourth frame found none.
    let seen: Vec<_> = frames.borrow().iter().map(|f| (f.address, f.status.length(), f.hash)).collect();
    assert_eq!(seen, [(0x1000, 60, 0), (0x1000 + 9216, 61, 1), (0x1000 + 2 * 9216, 62, 2)]);
    assert_eq!(machine.native.card(|card| (card.dropped.clone(), card.free_buffers())), (vec![3], 0));
    assert!(machine.kernel.mac_counters().starved > 0);
    for frame in frames.take() {
        machine.kernel.release(frame.address).unwrap();
        assert_eq!(machine.kernel.release(frame.address), Err(FreeError::Lent));
    }
    assert_eq!(machine.native.card(|card| card.free_buffers()), 3);
    let usage = machine.kernel.usage(pool).unwrap();
    assert_eq!((usage.used, usage.most, usage.double), (3, 3, 3));
}

#[test]
fn frames_that_nobody_handles_are_counted_and_their_buffers_used_again() {
    let mut machine = free_machine();
    receive_pool(&machine, 2);
    for hash in 0..7 {
        happens(&mut machine, World::Frame(60, hash));
    }
    let counters = machine.kernel.mac_counters();
    assert_eq!((counters.received, counters.unclaimed), (7, 7));
    assert_eq!(machine.native.card(|card| (card.dropped.len(), card.free_buffers())), (0, 2));
}

#[test]
fn what_is_no_frame_of_ours_is_left_alone() {
    let mut machine = free_machine();
    let pool = receive_pool(&machine, 2);
    machine.kernel.on_frame(|_, _| panic!("it was handed on"));
    // Lengths that no frame has: the buffers go back.
    for length in [0, 13, 9217] {
        happens(&mut machine, World::Frame(length, 0));
    }
    assert_eq!((machine.kernel.mac_counters().foreign, machine.native.card(|card| card.free_buffers())), (3, 2));
    // An address that was not given; the card's own is lost to it, but not confused with another.
    machine.native.card(|card| card.overrides.insert(0x014, 0x1040));
    machine.native.card(|card| card.plan(card.time() + 10, World::Frame(60, 0)));
    machine.kernel.call_at(machine.time() + 2_000, |_, _| ()).unwrap();
    let native = machine.native.clone();
    machine
        .kernel
        .call_at(machine.time() + 1_000, move |_, _| {
            native.card(|card| card.overrides.remove(&0x014));
        })
        .unwrap();
    assert_eq!(machine.run(), End::Asleep);
    assert!(machine.kernel.mac_counters().foreign > 3);
    assert_eq!(machine.kernel.usage(pool).unwrap().used, 2);
    // A buffer that was never sent.
    machine.native.card(|card| card.overrides.insert(0x038, 0x2000));
    assert_eq!(machine.kernel.take_sent(), None);
    assert!(machine.kernel.mac_counters().foreign > 60);
}

#[test]
fn frames_are_sent_as_they_are_told_and_their_buffers_come_back_with_their_context() {
    let mut machine = free_machine();
    let log = Log::default();
    let sent = log.clone();
    machine.kernel.on_sent(move |_, frame| {
        sent.note(format!("{:x} {} {}", frame.address, frame.context, frame.refused));
    });
    let frame =
        Send { address: 0x2001, length: 1514, ip: Some(14), transport: Some(Transport { start: 34, field: 16 }) };
    assert_eq!(machine.kernel.transmit(frame, 7), Ok(()));
    assert_eq!(machine.kernel.transmit(Send { address: 0x3000, length: 60, ..Send::default() }, 8), Ok(()));
    assert_eq!(machine.kernel.transmit(Send { length: 13, ..frame }, 9), Err(TransmitError::Invalid));
    assert_eq!(machine.kernel.transmit(Send { address: 0xF_FFFF, ..frame }, 9), Err(TransmitError::Invalid));
    // By hand: 7 << 24 | insert; 17 << 14 | 8 << 21 | insert.
    assert_eq!(machine.native.card(|card| card.frames_sent.clone()), [(0x8700_2001, 0x1104_45EA), (0x3000, 60)]);
    happens(&mut machine, World::Sent);
    happens(&mut machine, World::Sent);
    assert_eq!(log.text(), "2001 7 false, 3000 8 false");
    let counters = machine.kernel.mac_counters();
    assert_eq!((counters.sent, counters.returned, counters.refused), (2, 2, 0));
}

#[test]
fn the_card_is_given_no_more_frames_than_it_takes() {
    let mut machine = free_machine();
    let frame = |number| Send { address: 0x2000 + 64 * number, length: 60, ..Send::default() };
    for number in 0..64 {
        assert_eq!(machine.kernel.send_room(), 64 - number as usize);
        assert_eq!(machine.kernel.transmit(frame(number), number), Ok(()));
    }
    assert_eq!(machine.kernel.transmit(frame(64), 64), Err(TransmitError::Full));
    happens(&mut machine, World::Sent);
    assert_eq!(machine.kernel.transmit(frame(64), 64), Ok(()));
    assert_eq!(machine.kernel.transmit(frame(65), 65), Err(TransmitError::Full));
    assert_eq!(machine.native.card(|card| (card.frames_sent.len(), card.refused[1])), (65, 0));
}

#[test]
fn without_a_handler_a_sent_buffer_goes_back_to_its_pool() {
    let mut machine = free_machine();
    let pool = machine.kernel.pool(Shape { bytes: 2048, blocks: 1, alignment: 64 }).unwrap();
    let address = machine.kernel.alloc(pool).unwrap();
    machine.kernel.transmit(Send { address, length: 60, ..Send::default() }, 0).unwrap();
    assert_eq!(machine.kernel.free(address), Err(FreeError::Lent));
    happens(&mut machine, World::Sent);
    assert_eq!(machine.kernel.alloc(pool), Ok(address));
}

fn to_card(length: u32) -> Copy {
    Copy { source: Endpoint::Host(0x1_2345_6789), destination: Endpoint::Card(0x42), length, fence: false }
}

fn to_host(length: u32) -> Copy {
    Copy { source: Endpoint::Card(0x0300_0042), destination: Endpoint::Host(0x9_8765_4321), length, fence: true }
}

#[test]
fn a_list_is_written_word_by_word_and_reported_once() {
    let mut machine = free_machine();
    let log = Log::default();
    let reports = log.clone();
    let then = Then::Call(Box::new(move |_: &_, outcome: soft_cores::kernel::dma::Outcome| {
        reports.note(format!("{} {:?}", outcome.bytes, outcome.status));
    }));
    machine.kernel.push(&[to_card(300), to_host(0x1_0000)], Some(0x40), then).unwrap();
    // By hand: source host and more; destination host, post and fence.
    let expected =
        [[0x2345_6789, 1, 0x42, 0, 0x0050_012C, 0, 0], [0x0300_0042, 0, 0x8765_4321, 9, 0x01A1_0000, 0x40, 0]];
    assert_eq!(machine.native.card(|card| card.descriptors.clone()), expected);
    happens(&mut machine, World::Copied(0));
    assert_eq!(log.text(), "65836 Some(Ok)");
    assert_eq!(machine.kernel.lists_under_way(), 0);
}

#[test]
fn lists_that_make_no_sense_are_refused_whole() {
    let machine = free_machine();
    let host = Endpoint::Host(0);
    let long = [to_card(1); 17];
    for list in [
        &[][..],
        &long,
        &[to_card(0)],
        &[to_card(0x1_0001)],
        &[to_card(1), Copy { source: host, destination: host, ..to_card(1) }],
    ] {
        assert_eq!(machine.kernel.push(list, None, Then::Nothing), Err(DmaError::Invalid), "{list:?}");
    }
    assert_eq!(machine.kernel.push(&[to_host(1), to_card(1)], Some(0x40), Then::Nothing), Err(DmaError::Invalid));
    assert!(machine.native.card(|card| card.descriptors.is_empty()));
    assert_eq!(machine.kernel.push(&long[..16], None, Then::Nothing), Ok(()));
}

#[test]
fn a_list_is_pushed_when_all_of_it_fits() {
    let mut machine = free_machine();
    let list = [to_card(1); 10];
    assert_eq!(machine.kernel.push(&list, None, Then::Nothing), Ok(()));
    assert_eq!(machine.kernel.push(&list[..7], None, Then::Nothing), Err(DmaError::Full));
    assert_eq!(machine.kernel.push(&list[..6], None, Then::Nothing), Ok(()));
    assert_eq!(machine.kernel.push(&list[..1], None, Then::Nothing), Err(DmaError::Full));
    happens(&mut machine, World::Copied(0));
    assert_eq!(machine.kernel.push(&list, None, Then::Nothing), Ok(()));
    let counters = machine.kernel.dma_counters();
    assert_eq!((counters.pushed, counters.refused, counters.reported), (3, 2, 1));
    assert_eq!(machine.native.card(|card| (card.descriptors.len(), card.refused[3])), (26, 0));
}

#[test]
fn every_error_of_the_card_is_a_value() {
    let mut machine = free_machine();
    machine.native.card(|card| card.delays = Delays::default());
    let errors = Rc::new(RefCell::new(Vec::new()));
    let seen = errors.clone();
    machine
        .kernel
        .spawn(Priority::Normal, move |kernel| {
            for _ in 0..11 {
                let result = kernel.copy(&[to_card(100)], Wait::Forever);
                seen.borrow_mut().push(result);
            }
        })
        .unwrap();
    for status in 0..11 {
        machine.native.card(|card| card.plan(1_000 + u64::from(status), World::Copied(status)));
    }
    machine.run();
    let expected: Vec<_> = [Ok(100)]
        .into_iter()
        .chain(Status::ALL[1..].iter().map(|&status| Err(DmaError::Failed(Some(status)))))
        .chain([Err(DmaError::Failed(None)); 2])
        .collect();
    assert_eq!(*errors.borrow(), expected);
    assert_eq!(machine.kernel.dma_counters().failed, 10);
}

#[test]
fn a_report_goes_to_who_asked_for_it_and_one_that_is_late_to_nobody() {
    let mut machine = free_machine();
    let semaphore = machine.kernel.semaphore(0, 8);
    let log = Log::default();
    let (resumed, copies) = (log.clone(), log.clone());
    let high = machine
        .kernel
        .spawn(Priority::High, move |kernel| resumed.note(format!("high at {}", kernel.platform().now())))
        .unwrap();
    machine
        .kernel
        .spawn(Priority::Normal, move |kernel| {
            let late = kernel.copy(&[to_card(1)], Wait::Until(50));
            copies.note(format!("{late:?} at {}", kernel.platform().now()));
            copies.note(format!("{:?}", kernel.copy(&[to_card(2)], Wait::No)));
            kernel.push(&[to_card(3)], None, Then::Resume(high)).unwrap();
            kernel.push(&[to_card(4)], None, Then::Give(semaphore)).unwrap();
            let bytes = kernel.copy(&[to_card(5)], Wait::Until(1_000));
            copies.note(format!("{bytes:?} at {}", kernel.platform().now()));
            copies.note(format!("{:?}", kernel.take(semaphore, Wait::No)));
        })
        .unwrap();
    for cycle in [100, 200, 300, 400, 500] {
        machine.native.card(|card| card.plan(cycle, World::Copied(0)));
    }
    machine.run();
    let expected = "high at 0, Err(TimedOut) at 50, Err(TimedOut), high at 300, Ok(5) at 500, Ok(())";
    assert_eq!(log.text(), expected);
}

#[test]
fn a_report_of_nothing_that_is_under_way_is_counted() {
    let mut machine = free_machine();
    let told = Rc::new(Cell::new(0));
    let tells = told.clone();
    let then = Then::Call(Box::new(move |_: &_, _| tells.set(tells.get() + 1)));
    machine.kernel.push(&[to_card(1)], None, then).unwrap();
    machine.native.card(|card| card.overrides.insert(0x0E0, 99));
    happens(&mut machine, World::Copied(0));
    assert_eq!((told.get(), machine.kernel.dma_counters().foreign, machine.kernel.lists_under_way()), (0, 1, 1));
}
