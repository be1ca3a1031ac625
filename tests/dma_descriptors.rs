//! Single descriptors on the channels of the whole card: what is refused, what is counted, who waits for whom and for how long.

use abi::csr::{core, host};
use abi::dma::{Completion, DEPTH, Descriptor, Status, WINDOW_WORDS, WINDOWS, Window, control};
use abi::receive::EMPTY;
use cosim::cores::Machine;
use cosim::rig::REGISTERS;
use cosim::root_complex::{Config, Fault, Faults};

use control::{DESTINATION_HOST as TO_HOST, MORE, POST, SOURCE_HOST as FROM_HOST};

/// Whose channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Channel {
    Host,
    Core(usize),
}

/// A card with four processors, whose memories have all the bytes that an address can name.
struct Bench {
    card: Machine,
}

impl Bench {
    fn new(config: Config) -> Self {
        Self { card: Machine::new("n4w64".parse().unwrap(), config, 1 << 24).unwrap() }
    }

    fn open_window(&mut self, processor: usize, number: usize, window: Window) {
        for (k, word) in window.words().into_iter().enumerate() {
            let at = (processor * WINDOWS + number) * WINDOW_WORDS + k;
            self.card.host_write(host::DMA_WINDOW.at(at), word).unwrap();
        }
    }

    fn push(&mut self, channel: Channel, descriptor: &Descriptor) {
        let words = descriptor.words();
        match channel {
            Channel::Host => {
                let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
                self.card.rig.host.write(REGISTERS, host::DMA_SOURCE.offset.into(), &bytes);
            }
            Channel::Core(p) => {
                let port = &mut self.card.cores[p].port;
                words.into_iter().zip(0..).for_each(|(word, k)| port.write(core::DMA_SOURCE.offset + 4 * k, word));
            }
        }
    }

    /// How many more descriptors fit.
    fn room(&mut self, channel: Channel) -> u32 {
        match channel {
            Channel::Host => self.card.host_read(host::DMA_PUSH.offset).unwrap(),
            Channel::Core(p) => self.card.core_read(p, core::DMA_PUSH.offset).unwrap(),
        }
    }

    /// The next report, if there is one.
    fn take(&mut self, channel: Channel) -> Option<Completion> {
        let (done, context) = match channel {
            Channel::Host => {
                let done = self.card.host_read(host::DMA_DONE.offset).unwrap();
                (done, self.card.host_read(host::DMA_CONTEXT.offset).unwrap())
            }
            Channel::Core(p) => {
                let done = self.card.core_read(p, core::DMA_DONE.offset).unwrap();
                (done, self.card.core_read(p, core::DMA_CONTEXT.offset).unwrap())
            }
        };
        (done != EMPTY).then_some(Completion(u64::from(context) << Completion::CONTEXT_LSB | u64::from(done)))
    }

    /// The next report, when it has come.
    fn wait(&mut self, channel: Channel) -> Completion {
        for _ in 0..10_000 {
            if let Some(completion) = self.take(channel) {
                return completion;
            }
            self.card.ticks(20).unwrap();
        }
        panic!("no report of {channel:?}");
    }

    /// The bytes of an endpoint.
    fn bytes(&self, place: u64, length: usize, host: bool) -> Vec<u8> {
        if host {
            return self.card.rig.host.memory().bytes(place, length);
        }
        let start = (place & 0xFF_FFFF) as usize;
        self.card.cores[(place >> 24) as usize].memory.bytes()[start..start + length].to_vec()
    }

    /// Lets the card write to an endpoint.
    fn open(&mut self, place: u64, length: usize, host: bool) {
        if host {
            self.card.rig.host.memory_mut().open(place..place + length as u64);
        } else {
            self.card.cores[(place >> 24) as usize].memory.open((place & 0xFF_FFFF) as u32, length);
        }
    }
}

/// A descriptor with a context that tells it apart.
fn descriptor(source: u64, destination: u64, length: u32, flags: u32) -> Descriptor {
    Descriptor { source, destination, length, flags, mfa: 0x0200_0040, context: source as u32 ^ length }
}

#[test]
fn row_69_6_bad_descriptors_are_reported_in_their_turn_and_touch_nothing() {
    use Channel::{Core, Host};
    use Status::{Invalid, Ok as Good, Refused};
    const OPEN: u64 = 0x5_0000_0000;
    const END: u64 = u64::MAX;
    let far = |pages: u64| OPEN + 0x10_0000 * pages;
    let mut bench = Bench::new(Config::default());
    for (processor, number, readable, writable) in
        [(1, 0, true, true), (1, 1, true, false), (1, 2, false, true), (2, 3, true, true)]
    {
        let first_page = far(number as u64);
        let window = Window { first_page, last_page: first_page + 0x3000, readable, writable };
        bench.open_window(processor, number, window);
    }
    for core in &mut bench.card.cores {
        core.memory.bytes_mut().iter_mut().enumerate().for_each(|(at, byte)| *byte = (at % 251) as u8);
    }
    let cases = [
        (Core(1), descriptor(far(0), 0x100, 0, FROM_HOST), Invalid),
        (Core(1), descriptor(far(0), 0x100, 0x1_0001, FROM_HOST), Invalid),
        (Core(1), descriptor(far(0), 0x100, 0x1_FFFF, FROM_HOST), Invalid),
        (Core(1), descriptor(far(0), far(0), 1, FROM_HOST | TO_HOST), Invalid),
        (Host, descriptor(far(0), far(1), 1, FROM_HOST | TO_HOST), Invalid),
        (Core(1), descriptor(far(0), 0x1000_0100, 1, FROM_HOST), Invalid),
        (Core(1), descriptor(far(0), 0x1_0000_0100, 1, FROM_HOST), Invalid),
        (Core(1), descriptor(1 << 63, far(0), 1, TO_HOST), Invalid),
        (Core(1), descriptor(0x0400_0000, far(0), 1, TO_HOST), Invalid),
        (Core(1), descriptor(0x100, 0x0F00_0000, 1, 0), Invalid),
        (Core(1), descriptor(0x100, 0x1000_0000, 1, 0), Invalid),
        (Core(1), descriptor(0x100, 1 << 63, 1, 0), Invalid),
        (Host, descriptor(0xFF_FFF0, far(5), 17, TO_HOST), Invalid),
        (Host, descriptor(0x100, 0x01FF_0001, 0x1_0000, 0), Invalid),
        (Host, descriptor(END - 14, 0x100, 16, FROM_HOST), Invalid),
        (Host, descriptor(0x100, END, 2, TO_HOST), Invalid),
        (Core(1), descriptor(far(0), 0x100, 1, FROM_HOST | POST), Invalid),
        (Core(1), descriptor(0x100, 0x200, 1, POST), Invalid),
        (Host, descriptor(0x100, far(0), 1, TO_HOST | POST), Invalid),
        (Host, descriptor(0x100, 0x200, 1, POST), Invalid),
        (Core(1), descriptor(far(7), 0x1000_0100, 1, FROM_HOST), Invalid),
        (Core(1), descriptor(far(7), 0x100, 1, FROM_HOST), Refused),
        (Core(1), descriptor(far(0) - 1, 0x100, 1, FROM_HOST), Refused),
        (Core(1), descriptor(far(0) - 1, 0x100, 2, FROM_HOST), Refused),
        (Core(1), descriptor(far(0) + 0x3FFF, 0x100, 2, FROM_HOST), Refused),
        (Core(1), descriptor(far(0), 0x100, 0x4001, FROM_HOST), Refused),
        (Core(1), descriptor(far(0) & 0xFFFF_FFFF, 0x100, 1, FROM_HOST), Refused),
        (Core(1), descriptor(0x100, far(1), 1, TO_HOST), Refused),
        (Core(1), descriptor(far(2), 0x100, 1, FROM_HOST), Refused),
        (Core(1), descriptor(far(3), 0x100, 1, FROM_HOST), Refused),
        (Core(2), descriptor(far(0), 0x100, 1, FROM_HOST), Refused),
        (Core(0), descriptor(far(0), 0x100, 1, FROM_HOST), Refused),
        (Core(1), descriptor(END - 3, 0x100, 4, FROM_HOST), Refused),
        // At the edge, but good.
        (Core(1), descriptor(far(0), 0x00_1000, 0x4000, FROM_HOST), Good),
        (Core(1), descriptor(far(0) + 0x3FFF, 0x00_8000, 1, FROM_HOST), Good),
        (Core(1), descriptor(far(1), 0x00_9000, 1, FROM_HOST), Good),
        (Core(1), descriptor(0x00_D000, far(2) + 0x3000, 0x1000, TO_HOST), Good),
        (Host, descriptor(0xFF_FFF0, far(5), 16, TO_HOST), Good),
        (Host, descriptor(0x00_A000, 0x01FF_0000, 0x1_0000, 0), Good),
        (Host, descriptor(END - 20, 0x03FF_FFF0, 16, FROM_HOST), Good),
        (Host, descriptor(0x00_B000, END - 7, 3, TO_HOST), Good),
    ];
    let mut bad = 0;
    for (channel, descriptor, status) in cases {
        let Descriptor { source, destination, flags, context, .. } = descriptor;
        let length = descriptor.length as usize;
        let mut sent = Vec::new();
        if status == Good {
            if flags & FROM_HOST != 0 {
                let bytes: Vec<u8> = (0..length).map(|k| (k * 7 + k / 256) as u8).collect();
                bench.card.rig.host.memory_mut().write(source, &bytes);
            }
            sent = bench.bytes(source, length, flags & FROM_HOST != 0);
            bench.open(destination, length, flags & TO_HOST != 0);
        } else {
            bad += 1;
        }
        bench.push(channel, &descriptor);
        let report = bench.wait(channel);
        let copied = if status == Good { length } else { 0 };
        let seen = (report.status(), report.bytes() as usize, report.context());
        assert_eq!(seen, (Some(status), copied, context), "{channel:?} {descriptor:x?}");
        if status == Good {
            assert!(bench.bytes(destination, length, flags & TO_HOST != 0) == sent, "{channel:?} {descriptor:x?}");
        }
    }
    assert_eq!((cases.len(), bad), (41, 33));
    assert_eq!(bench.card.host_read_wide(host::DMA_FAILURES.offset).unwrap(), bad);
}

#[test]
fn a_short_copy_does_not_wait_for_long_ones_of_other_channels() {
    for direction in [FROM_HOST, TO_HOST, 0] {
        let mut bench = Bench::new(Config::default());
        let place = |card: u64, host: u64| match direction {
            FROM_HOST => (host, card),
            TO_HOST => (card, host),
            _ => (card, 1 << 24 | 0x80_0000 | (card & 0xFFFF) | card >> 24 << 16),
        };
        for p in 0..4u64 {
            let first_page = 0x7000_0000 + (p << 20);
            let window = Window { first_page, last_page: first_page + 0xF000, readable: true, writable: true };
            bench.open_window(p as usize, 0, window);
        }
        let copies: Vec<(u64, u32)> = vec![(0, 0x1_0000), (1, 0x1_0000), (2, 0x1_0000), (3, 64)];
        for (p, length) in copies {
            let (source, destination) = place(p << 24, 0x7000_0000 + (p << 20));
            bench.open(destination, length as usize, direction == TO_HOST);
            if p == 3 {
                bench.card.ticks(500).unwrap();
            }
            bench.push(Channel::Core(p as usize), &descriptor(source, destination, length, direction));
        }
        let start = bench.card.rig.cycles();
        assert_eq!(bench.wait(Channel::Core(3)).status(), Some(Status::Ok));
        let cycles = bench.card.rig.cycles() - start;
        // A few requests of each of the others go first: all 32 tags with 512 bytes each, if it reads from the host.
        let most = if direction == FROM_HOST { 32 * 64 + 500 } else { 700 };
        println!("flags {direction:#x}: {cycles} cycles");
        assert!(cycles < most, "{direction:#x}: {cycles} cycles");
        for p in 0..3 {
            assert_eq!(bench.take(Channel::Core(p)), None, "the long copy of {p} is not done");
            assert_eq!(bench.wait(Channel::Core(p)).bytes(), 0x1_0000);
        }
    }
}

#[test]
fn row_69_6_a_list_is_reported_once_and_counts_its_bytes_as_far_as_there_is_room() {
    let mut bench = Bench::new(Config::default());
    bench.open(1 << 24, 17 << 16, false);
    for element in 0..17u64 {
        let more = if element < 16 { MORE } else { 0 };
        let descriptor = descriptor(element << 16, 1 << 24 | element << 16, 0x1_0000, more);
        while bench.room(Channel::Core(2)) == 0 {
            bench.card.ticks(100).unwrap();
        }
        bench.push(Channel::Core(2), &descriptor);
    }
    let report = bench.wait(Channel::Core(2));
    assert_eq!((report.bytes(), report.status()), (Completion::MAX_BYTES, Some(Status::Ok)));
    assert_eq!(bench.take(Channel::Core(2)), None);
    assert_eq!(bench.room(Channel::Core(2)), DEPTH as u32);
}

#[test]
fn a_descriptor_too_many_is_refused_and_counted_until_a_report_is_taken() {
    let mut bench = Bench::new(Config::default());
    for channel in [Channel::Host, Channel::Core(1)] {
        bench.open(2 << 24, DEPTH * 16, false);
        for number in 0..=DEPTH as u64 {
            assert_eq!(u64::from(bench.room(channel)), DEPTH as u64 - number);
            bench.push(channel, &descriptor(number << 4, 2 << 24 | number << 4, 1 + number as u32 % DEPTH as u32, 0));
            bench.card.ticks(200).unwrap();
            if number == DEPTH as u64 {
                break;
            }
        }
        match channel {
            Channel::Host => {
                let errors = bench.card.host_read(host::ERROR_STATUS.offset).unwrap();
                assert_eq!(host::error_status::DMA_REFUSED.get(errors), 1, "{errors:#x}");
            }
            Channel::Core(p) => assert_eq!(bench.card.core_read(p, core::DMA_REFUSED.offset).unwrap(), 1),
        }
        for number in 0..DEPTH as u32 {
            assert_eq!(bench.wait(channel).bytes(), 1 + number);
            assert_eq!(bench.room(channel), 1 + number);
        }
        assert_eq!(bench.take(channel), None, "the refused one is not reported");
    }
}

#[test]
fn a_read_times_out_no_earlier_than_told_and_not_much_later_and_the_channel_goes_on() {
    for timeout in [700, 3000] {
        let faults = Faults { places: vec![(0..0x1_0000, Fault::Dropped)], ..Faults::default() };
        let mut bench = Bench::new(Config { faults, ..Config::default() });
        bench.card.host_write(host::DMA_TIMEOUT.offset, timeout).unwrap();
        bench.push(Channel::Host, &descriptor(0x1000, 0x100, 8, FROM_HOST));
        bench.card.until(|card| card.rig.host.traffic().reads == 1).unwrap();
        let start = bench.card.rig.cycles();
        bench.push(Channel::Host, &descriptor(0x10_0000, 0x200, 8, FROM_HOST));
        bench.open(0x200, 8, false);
        assert_eq!(bench.wait(Channel::Host).status(), Some(Status::Timeout));
        let cycles = bench.card.rig.cycles() - start;
        assert!((timeout.into()..u64::from(timeout) * 7 / 4 + 200).contains(&cycles), "{timeout}: {cycles}");
        assert_eq!(bench.wait(Channel::Host).status(), Some(Status::Ok));
        assert_eq!(bench.card.host_read_wide(host::DMA_TIMEOUTS.offset).unwrap(), 1);
    }
}
