//! Net kernels on all processors of the verilated card: hosts on the link ask for it and ping it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use abi::csr::host as csr;
use abi::params::NicParams;
use cosim::clients::ping::PingScript;
use cosim::clients::raw::{ICMP, Path, RawSender, fragment_frame, udp_datagram};
use cosim::clients::station::{SharedStation, Station};
use cosim::link::{self, Conditions};
use cosim::native::costs::Costs;
use cosim::native::{FaultKind, Setup};
use cosim::programs::{self, CARD_ETHERNET, CARD_IPV4, CARD_IPV6, FRAME_BYTES, NetKernels, neighbour};
use cosim::reference::DispatchConfig;
use cosim::rig::REGISTERS;
use cosim::root_complex::{self, RootComplex, Ticket};
use cosim::system::{Config, Host, HostError, Passing, System, SystemError};
use soft_cores::kernel::Kernel;
use soft_cores::kernel::interrupt::{Mode, Place, Policy};
use soft_cores::kernel::startup;
use soft_cores::net::port::Taken;
use soft_cores::net_kernel::NetKernel;

const PROCESSORS: usize = 4;
const STATIONS: u16 = 16;
/// Cycles in which every series of pings is over.
const LIMIT: u64 = 400_000;

fn config(seed: u64) -> Config {
    Config {
        seed,
        link: link::Config::default(),
        bus: root_complex::Config::default(),
        dispatch: DispatchConfig { max_frame: FRAME_BYTES, ..DispatchConfig::reset(PROCESSORS as u8) },
        processor: Setup::default(),
    }
}

fn params() -> NicParams {
    NicParams::new(PROCESSORS, 64).unwrap()
}

struct Run {
    system: System,
    kernels: NetKernels,
    stations: Vec<SharedStation>,
}

impl Run {
    fn new(config: &Config, policy: Policy) -> Self {
        let kernels = NetKernels::default();
        let kernel = startup::Config { policy, ..startup::Config::default() };
        let program = soft_cores::net_kernel::Config { kernel, ..programs::config(config.seed) };
        let mut system = System::new(params(), config, |_| kernels.boot(program.clone())).unwrap();
        let stations: Vec<_> =
            (0..STATIONS).map(|number| Station::new(neighbour(number, config.seed)).shared()).collect();
        for station in &stations {
            system.add_client(station.clone());
        }
        Self { system, kernels, stations }
    }

    /// Every station pings, and all are waited for.
    fn ping(&mut self, count: u16, interval: u64) {
        let start = self.system.cycles() / 125 + 20;
        for (number, station) in self.stations.iter().enumerate() {
            // One protocol each, for a station asks for one neighbour a second.
            let target = if number % 2 == 0 { IpAddr::V4(CARD_IPV4) } else { IpAddr::V6(CARD_IPV6) };
            let (start, payload) = (start + number as u64, 10 + 50 * number);
            station.borrow_mut().ping(PingScript { target, count, payload, start, interval, patience: 250 });
            self.system.wake_client(number);
        }
        let stations = self.stations.clone();
        self.system
            .run_until(LIMIT, |system| stations.iter().all(|s| s.borrow().is_done()) && system.is_quiet())
            .unwrap();
    }
}

/// Who asked or is answered, identifier, sequence number.
type Echo = (IpAddr, u16, u16);

/// The echo message in a frame: whether it is a request, and whose. Untagged frames without options, as all here are.
fn echo(frame: &[u8]) -> Option<(bool, Echo)> {
    let (addresses, message) = match frame[12..14] {
        [0x08, 0x00] if frame[23] == 1 => {
            let address = |at: usize| IpAddr::from(<[u8; 4]>::try_from(&frame[at..at + 4]).unwrap());
            ([address(26), address(30)], &frame[34..])
        }
        [0x86, 0xdd] if frame[20] == 58 => {
            let address = |at: usize| IpAddr::from(<[u8; 16]>::try_from(&frame[at..at + 16]).unwrap());
            ([address(22), address(38)], &frame[54..])
        }
        _ => return None,
    };
    let is_request = match message[0] {
        8 | 128 => true,
        0 | 129 => false,
        _ => return None,
    };
    let peer = addresses[usize::from(!is_request)];
    let word = |at: usize| u16::from_be_bytes([message[at], message[at + 1]]);
    Some((is_request, (peer, word(4), word(6))))
}

/// How often each request came to the card, and each answer from it.
fn echoes(records: &[Passing]) -> [BTreeMap<Echo, u32>; 2] {
    let mut seen = [BTreeMap::new(), BTreeMap::new()];
    for record in records.iter().filter(|record| !record.bad) {
        if let Some((is_request, echo)) = echo(&record.bytes) {
            assert_eq!(record.to_card, is_request, "{record:?}");
            *seen[usize::from(!is_request)].entry(echo).or_default() += 1;
        }
    }
    seen
}

/// ¶68.1 by hand, for 4 processors and no ports: the XOR of the two-bit pieces of the address, IPv6 folded to 32 bits before.
fn hashed(source: IpAddr) -> usize {
    let words: Vec<u8> = match source {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    words
        .iter()
        .flat_map(|byte| (0..4).map(move |k| byte >> (2 * k) & 3))
        .fold(0, |hash, piece| hash ^ usize::from(piece))
}

fn bad_link() -> Conditions {
    Conditions {
        loss: 100,
        reordering: 300,
        duplication: 100,
        corruption: 50,
        late: 500..=20_000,
        // What the stream carries: 16 stations ask at once.
        megabits: 8000,
        ..Conditions::default()
    }
}

/// Warms the stations' caches on a good link, then pings over a bad one.
fn pinged(seed: u64, policy: Policy) -> (Run, Vec<Passing>) {
    let mut run = Run::new(&config(seed), policy);
    run.system.take_records();
    run.ping(1, 1);
    for way in [&mut run.system.link.to_card, &mut run.system.link.from_card] {
        *way.conditions_mut() = bad_link();
    }
    run.ping(40, 15);
    let records = run.system.take_records();
    (run, records)
}

fn check(mut run: Run, records: &[Passing]) {
    let [asked, answered] = echoes(records);
    assert_eq!(asked, answered, "each request that arrived is answered once");
    let arrived: u32 = asked.values().sum();
    assert!((600..700).contains(&arrived), "{arrived} of 656 requests");
    assert!(asked.values().any(|&times| times > 1), "the link duplicates");

    let lost = run.system.link.from_card.counters();
    let seen: u32 = run
        .stations
        .iter()
        .flat_map(|s| s.borrow().pings().iter().map(|p| p.answers().iter().sum::<u32>()).collect::<Vec<_>>())
        .sum();
    let wrong: u32 =
        run.stations.iter().flat_map(|s| s.borrow().pings().iter().map(|p| p.wrong()).collect::<Vec<_>>()).sum();
    assert_eq!(wrong, 0);
    assert!(
        lost.lost > 0
            && seen <= arrived + lost.duplicated as u32
            && seen >= arrived - (lost.lost + lost.corrupted) as u32
    );

    let mut expected = [0; PROCESSORS];
    for ((source, ..), times) in &asked {
        expected[hashed(*source)] += u64::from(*times);
    }
    assert!(expected.iter().all(|&requests| requests > 50), "{expected:?}");
    for (processor, expected) in expected.into_iter().enumerate() {
        let look = |net: &NetKernel<_>| {
            let (receive, send) = net.pools();
            let pools = [receive, send].map(|pool| net.kernel().usage(pool).unwrap().used);
            let counters = net.look(|stack| stack.port().counters().clone());
            let kernel = net.kernel();
            assert_eq!((kernel.supply(), kernel.counters().spurious), (128, 0));
            (pools, counters, net.counters(), kernel.mac_counters(), kernel.refused())
        };
        let (pools, port, own, mac, refused) = run.kernels.look(&mut run.system, processor, look).unwrap();
        assert_eq!(pools, [128, 0], "processor {processor}: all receive buffers are with the card, no send buffer is");
        assert_eq!(port.taken.of(Taken::Icmp), expected, "processor {processor} answers those that hash to it");
        assert_eq!(port.received, port.taken.total() + port.dropped.total());
        assert_eq!((port.received, own.sent), (mac.received, mac.sent));
        assert_eq!((mac.returned, mac.refused, mac.foreign, mac.unclaimed), (mac.sent, 0, 0, 0));
        assert_eq!((own.unsent.total(), own.unclaimed, own.no_timer), (0, 0, 0));
        assert_eq!(refused, soft_cores::kernel::account::Refused::default());
    }
}

#[test]
fn row_66_1_and_67_4_every_processor_answers_the_pings_that_the_hash_brings_it_over_a_bad_link() {
    let (run, records) = pinged(1, Policy::default());
    check(run, &records);
}

#[test]
fn row_66_7_and_66_8_threads_and_polling_answer_alike() {
    let thread = Policy { place: Place::Thread, ..Policy::default() };
    let (run, records) = pinged(2, thread);
    check(run, &records);
    let adaptive = Policy { mode: Mode::Adaptive { full: 2, empty: 4 }, budget: 2, ..Policy::default() };
    let (run, records) = pinged(3, adaptive);
    check(run, &records);
}

#[test]
fn row_66_1_the_seed_decides_a_run_to_the_cycle() {
    let run = |seed| {
        let (run, records) = pinged(seed, Policy::default());
        (run.system.cycles(), records)
    };
    let (first, again, other) = (run(7), run(7), run(8));
    assert!(first.1.len() > 1200);
    assert_eq!(first.0, again.0);
    assert_eq!(first.1, again.1);
    assert_ne!(first.1, other.1);
}

/// A station that sends frames made beforehand, and the card.
const PATH: Path = Path { from: ([2, 0, 0, 0, 0, 9], Ipv4Addr::new(10, 9, 8, 7)), to: (CARD_ETHERNET, CARD_IPV4) };

/// An ARP request (RFC 826) for the card: it knows who asked from then on.
fn arp_request() -> Vec<u8> {
    let mut frame = [&[0xff; 6][..], &PATH.from.0, &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1], &PATH.from.0].concat();
    frame.extend(PATH.from.1.octets());
    frame.extend([0; 6]);
    frame.extend(PATH.to.1.octets());
    frame
}

/// Sends frames that were made beforehand, 10 us apart, the first of them ARP's; gives those of type IPv4 that come back.
fn raw(frames: Vec<Vec<u8>>) -> (Run, Vec<Vec<u8>>) {
    let mut run = Run::new(&config(1), Policy::default());
    let frames = [arp_request()].into_iter().chain(frames).enumerate();
    let sender = RawSender::new(PATH.from.0, frames.map(|(k, frame)| (20 + 10 * k as u64, frame)).collect()).shared();
    run.system.add_client(sender.clone());
    run.system.run_until(LIMIT, |system| sender.borrow().waiting() == 0 && system.is_quiet()).unwrap();
    let received = sender.borrow_mut().take_received().into_iter().map(|(_, frame)| frame);
    let answers = received.filter(|frame| frame[..6] == PATH.from.0 && frame[12..14] == [8, 0]).collect();
    (run, answers)
}

/// The one's complement sum that a correct header or message has (RFC 1071).
fn sums_to_ones(bytes: &[u8]) -> bool {
    let sum: u32 = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0))).sum();
    (sum & 0xffff) + (sum >> 16) == 0xffff
}

#[test]
fn row_68_2_a_ping_in_fragments_is_put_together_by_one_processor_and_answered() {
    // Type, code, checksum, identifier, sequence number (RFC 792), and data.
    let mut message = vec![8, 0, 0, 0, 0x12, 0x34, 0, 1];
    message.extend((0..4000u32).map(|k| (k * 7) as u8));
    let sum: u32 = message.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    message[2..4].copy_from_slice(&(!(((folded & 0xffff) + (folded >> 16)) as u16)).to_be_bytes());
    let piece = |k: usize| {
        let (start, end) = (1000 * k, (1000 * (k + 1)).min(message.len()));
        fragment_frame(PATH, ICMP, 0x0a0b, (start / 8) as u16, end < message.len(), &message[start..end])
    };
    let (mut run, answers) = raw([3, 0, 4, 2, 1].map(piece).to_vec());
    let mut reply = vec![0; message.len()];
    let mut bytes = 0;
    for frame in &answers {
        let header = &frame[14..34];
        assert!(sums_to_ones(header) && header[0] == 0x45 && header[9] == 1, "{header:02x?}");
        let length = usize::from(u16::from_be_bytes([header[2], header[3]])) - 20;
        let start = usize::from(u16::from_be_bytes([header[6], header[7]]) & 0x1fff) * 8;
        assert_eq!(header[6] >> 5 & 1 == 1, start + length < message.len());
        reply[start..start + length].copy_from_slice(&frame[34..34 + length]);
        bytes += length;
    }
    assert_eq!((answers.len(), bytes), (3, message.len()));
    assert_eq!((reply[0], &reply[4..]), (0, &message[4..]));
    // ¶68.2 by hand: the two-bit pieces of 0x0a0b are 0, 0, 2, 2 and 0, 0, 2, 3, and their XOR is 1.
    for processor in 0..PROCESSORS {
        let taken = |net: &NetKernel<_>| net.look(|stack| stack.port().counters().taken.clone());
        let taken = run.kernels.look(&mut run.system, processor, taken).unwrap();
        let expected = if processor == 1 { (4, 1) } else { (0, 0) };
        assert_eq!((taken.of(Taken::Fragment), taken.of(Taken::Icmp)), expected, "processor {processor}");
    }
}

#[test]
fn a_datagram_that_nobody_takes_is_answered_with_port_unreachable() {
    let datagram = udp_datagram(PATH, (1000, 2000), b"is there anybody?");
    let frame = [&PATH.to.0[..], &PATH.from.0, &[8, 0], &datagram].concat();
    let (_, answers) = raw(vec![frame]);
    assert_eq!(answers.len(), 1);
    // RFC 792: type 3, code 3, four bytes, the header and at least 8 bytes of what it is about.
    let message = &answers[0][34..];
    assert_eq!((message[0], message[1], &message[8..36]), (3, 3, &datagram[..28]));
}

#[test]
fn software_that_takes_time_answers_the_same_later_and_idles_less() {
    let busy = |costs| {
        let config = Config { processor: Setup { costs, ..Setup::default() }, ..config(5) };
        let mut run = Run::new(&config, Policy::default());
        run.system.take_records();
        run.ping(10, 80);
        let [asked, answered] = echoes(&run.system.take_records());
        assert_eq!((&asked, asked.len()), (&answered, 160));
        let cycles = run.system.cycles();
        run.system.processors().iter().map(|p| cycles - p.idle_cycles()).sum::<u64>() / 160
    };
    let (free, estimated) = (busy(Costs::FREE), busy(Costs::ESTIMATE));
    // Of 457 bytes on average: two copies of 478 cycles, a packet's 550, two interrupts' 68 and what accesses take.
    assert!(
        estimated > free + 2 * 478 + 550 + 2 * 68 && estimated < free + 4_000,
        "{free} and {estimated} cycles a ping"
    );
}

#[test]
fn row_66_2_the_ports_deadlines_are_the_timers() {
    // A microsecond is a cycle here, and so a second a million.
    let kernels = NetKernels::default();
    let program = soft_cores::net_kernel::Config { cycles_per_micro: 1, ..programs::config(1) };
    let mut system = System::new(params(), &config(1), |_| kernels.boot(program.clone())).unwrap();
    // Who sends this has never been heard of, and does not answer.
    let datagram = udp_datagram(PATH, (1000, 2000), b"who am I?");
    let frame = [&PATH.to.0[..], &PATH.from.0, &[8, 0], &datagram].concat();
    system.add_client(RawSender::new(PATH.from.0, vec![(20, frame)]).shared());
    system.take_records();
    system.run(1_100_000).unwrap();
    let asks = |frame: &[u8]| frame[12..14] == [8, 6] && frame[38..42] == PATH.from.1.octets();
    let asked: Vec<_> = system.take_records().into_iter().filter(|r| !r.to_card && asks(&r.bytes)).collect();
    // RFC 1122, 2.3.2.1: once a second.
    let [first, second] = &asked[..] else { panic!("{asked:?}") };
    assert!((1_000_000..1_000_300).contains(&(second.cycle - first.cycle)), "{} {}", first.cycle, second.cycle);
}

/// When an answer came, and what it was.
type Answers = Rc<RefCell<Vec<(u64, Vec<u8>)>>>;

/// Reads the card's ID again and again.
struct Driver {
    asked: Option<Ticket>,
    answers: Answers,
}

impl Host for Driver {
    fn tick(&mut self, cycle: u64, bus: &mut RootComplex) -> Result<Option<u64>, HostError> {
        for answer in bus.take_answers() {
            assert_eq!(Some(answer.ticket), self.asked.take());
            self.answers.borrow_mut().push((cycle, answer.result.unwrap()));
        }
        if self.answers.borrow().len() == 3 {
            return Err("three are enough".into());
        }
        if self.asked.is_none() {
            self.asked = Some(bus.read(cycle, REGISTERS, csr::ID.offset.into(), 4));
        }
        Ok(None)
    }
}

#[test]
fn the_host_is_called_when_the_card_has_answered_and_may_end_the_run() {
    let mut run = Run::new(&config(1), Policy::default());
    let answers = Answers::default();
    run.system.set_host(Box::new(Driver { asked: None, answers: answers.clone() }));
    let error = run.system.run(10_000).unwrap_err();
    assert!(error.to_string().ends_with("the host: three are enough"), "{error}");
    let answers = answers.borrow();
    assert_eq!(answers.len(), 3);
    assert!(answers.iter().all(|(_, bytes)| *bytes == answers[0].1));
    assert!(answers.windows(2).all(|pair| pair[1].0 - pair[0].0 < 40), "{answers:?}");
}

/// How the first processor comes to a stop that is not made as it should be.
fn refused(setup: Setup) -> (usize, String) {
    let config = Config { processor: setup, ..config(1) };
    let kernels = NetKernels::default();
    let mut system = System::new(params(), &config, |_| kernels.boot(programs::config(1))).unwrap();
    match system.run(100_000) {
        Err(SystemError::Processor(fault)) => match fault.what {
            FaultKind::Refused(reason) => (fault.processor, reason),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn row_66_3_a_kernel_does_not_start_on_a_memory_that_is_not_what_it_says() {
    let setup = Setup::default();
    let small = refused(Setup { memory: 0x1000..0x2000, ..setup.clone() });
    assert_eq!(small, (0, "Kernel(Memory { start: 4096, end: 8192 })".into()));
    let short = refused(Setup { memory_bytes: 0x7_f000, ..setup.clone() });
    assert_eq!(short, (0, "Kernel(MemoryFault { address: 524284 })".into()));
    let tight = refused(Setup { memory: 0x1000..0x1_0000, ..setup });
    assert_eq!(tight, (0, "Buffers(Exhausted)".into()));
}

#[test]
fn row_66_3_a_second_kernel_does_not_start_where_one_has_started() {
    let reason = Rc::new(RefCell::new(None));
    let boot = |number| {
        let reason = reason.clone();
        let boot: cosim::native::Boot = Box::new(move |native| {
            if number != 2 {
                let first = Kernel::start(native, startup::Config::default()).expect("the first one starts");
                first.run()
            }
            let _first = NetKernel::start(native.clone(), programs::config(1)).expect("the first one starts");
            let second = Kernel::start(native, startup::Config::default());
            *reason.borrow_mut() = second.err();
            "as it should be".into()
        });
        boot
    };
    let mut system = System::new(params(), &config(1), boot).unwrap();
    let error = system.run(100_000).unwrap_err().to_string();
    assert!(error.starts_with("processor 2, cycle ") && error.ends_with(": as it should be"), "{error}");
    let expected = startup::StartError::Depth { register: "RX_FREE", read: 128, expected: 256 };
    assert_eq!(*reason.borrow(), Some(expected));
}
