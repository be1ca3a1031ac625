//! The stacks of all processors on the verilated card: an echo service that lives on each of them, and clients on the link.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;

use abi::csr::host as csr;
use abi::limits::RETA_ENTRIES;
use abi::params::NicParams;
use cosim::clients::raw::{Path, fragments};
use cosim::clients::station::{SharedStation, Station};
use cosim::clients::tcp::{Expect, Outcome, Script, Step};
use cosim::clients::udp::DatagramScript;
use cosim::clients::{Client, Micros};
use cosim::link::{self, Conditions};
use cosim::native::costs::Costs;
use cosim::native::{Native, Setup};
use cosim::programs::{self, CARD_IPV4, FRAME_BYTES, NetKernels, neighbour};
use cosim::reference::DispatchConfig;
use cosim::root_complex;
use cosim::system::{Config, System};
use soft_cores::kernel::interrupt::{Mode, Place, Policy};
use soft_cores::kernel::startup;
use soft_cores::net::session::{End, Session};
use soft_cores::net::stack::{Counters, Stack};
use soft_cores::net::steering::Cause;
use soft_cores::net::steering::table::Table;
use soft_cores::net::transport::{Options, SocketId};
use soft_cores::net_kernel::NetKernel;
use soft_cores::platform::{Event, Platform};

const PROCESSORS: usize = 4;
const STATIONS: u16 = 16;
const PORT: u16 = 7;
/// Cycles in which every exchange here is over.
const LIMIT: u64 = 2_000_000;

/// Which processor accepted each session.
type Accepted = Rc<RefCell<BTreeMap<Session, usize>>>;

/// The echo service on one processor.
struct Echo {
    listener: SocketId,
    datagrams: SocketId,
    /// What is still to be sent back.
    open: BTreeMap<SocketId, VecDeque<u8>>,
    accepted: Accepted,
    number: usize,
}

impl Echo {
    fn start(net: &NetKernel<Native>, accepted: Accepted) {
        let local = End::new(Ipv4Addr::UNSPECIFIED.into(), PORT);
        let options = Options { receive_buffer: 8192, send_buffer: 8192, no_delay: true, ..Options::default() };
        let room = Options { receive_buffer: 1 << 17, ..options };
        let (listener, datagrams) =
            net.with_stack(|stack, _| (stack.listen(local, 16, options).unwrap(), stack.bind(local, room).unwrap()));
        let number = net.kernel().found().number;
        let mut echo = Self { listener, datagrams, open: BTreeMap::new(), accepted, number };
        net.on_socket(move |net, event| net.with_stack(|stack, now| echo.serve(stack, now, event.socket)));
    }

    fn serve(&mut self, stack: &mut Stack, now: Micros, socket: SocketId) {
        if socket == self.listener {
            while let Ok((socket, session)) = stack.sockets(now, |it| it.accept(socket)) {
                let before = self.accepted.borrow_mut().insert(session, self.number);
                assert_eq!(before, None, "{session:?} is accepted twice");
                self.open.insert(socket, VecDeque::new());
            }
        } else if socket == self.datagrams {
            while let Ok(datagram) = stack.sockets(now, |it| it.receive_from(socket)) {
                stack.send_to(now, socket, datagram.from, &datagram.payload).unwrap();
            }
        } else {
            self.serve_stream(stack, now, socket);
        }
    }

    fn serve_stream(&mut self, stack: &mut Stack, now: Micros, socket: SocketId) {
        let Some(pending) = self.open.get_mut(&socket) else { return };
        let mut is_over = false;
        loop {
            let mut has_moved = false;
            let mut bytes = [0; 2048];
            if pending.len() < 8192 {
                match stack.sockets(now, |it| it.receive_into(now, socket, &mut bytes)) {
                    Ok(0) => is_over = true,
                    Ok(length) => {
                        pending.extend(&bytes[..length]);
                        has_moved = true;
                    }
                    Err(_) => {}
                }
            }
            let some = pending.make_contiguous();
            if let Ok(sent @ 1..) = stack.sockets(now, |it| it.send(now, socket, some)) {
                pending.drain(..sent);
                has_moved = true;
            }
            if !has_moved {
                break;
            }
        }
        if is_over && pending.is_empty() {
            stack.sockets(now, |it| it.close(now, socket)).unwrap();
            self.open.remove(&socket);
        }
    }
}

/// A station behind a router that cuts what it sends into fragments.
struct Cut {
    station: SharedStation,
    identification: u16,
}

/// Bytes of IP payload in a fragment.
const PIECE: usize = 296;

impl Client for Cut {
    fn address(&self) -> [u8; 6] {
        self.station.address()
    }

    fn receive(&mut self, now: Micros, frame: &[u8]) {
        self.station.receive(now, frame);
    }

    fn poll(&mut self, now: Micros, out: &mut Vec<Vec<u8>>) -> Option<Micros> {
        let mut frames = Vec::new();
        let next = self.station.poll(now, &mut frames);
        for frame in frames {
            let is_long = frame[12..14] == [8, 0] && frame.len() > 34 + PIECE;
            if !is_long {
                out.push(frame);
                continue;
            }
            let ethernet = |at: usize| <[u8; 6]>::try_from(&frame[at..at + 6]).unwrap();
            let address = |at: usize| Ipv4Addr::from(<[u8; 4]>::try_from(&frame[at..at + 4]).unwrap());
            let path = Path { from: (ethernet(6), address(26)), to: (ethernet(0), address(30)) };
            self.identification = self.identification.wrapping_add(1);
            out.extend(fragments(path, &frame[14..], self.identification, PIECE));
        }
        next
    }
}

struct Run {
    system: System,
    kernels: NetKernels,
    stations: Vec<SharedStation>,
    accepted: Accepted,
    table: Table,
}

impl Run {
    fn new(seed: u64, costs: Costs, policy: Policy, are_cut: bool) -> Self {
        println!("seed {seed}");
        let config = Config {
            seed,
            link: link::Config::default(),
            bus: root_complex::Config::default(),
            dispatch: DispatchConfig { max_frame: FRAME_BYTES, ..DispatchConfig::reset(PROCESSORS as u8) },
            processor: Setup { costs, ..Setup::default() },
        };
        let kernels = NetKernels::default();
        let accepted = Accepted::default();
        let kernel = startup::Config { policy, ..startup::Config::default() };
        let program = soft_cores::net_kernel::Config { kernel, ..programs::config(seed) };
        let boot = |_| {
            let accepted = accepted.clone();
            kernels.boot_with(program.clone(), move |net| Echo::start(net, accepted))
        };
        let mut system = System::new(NicParams::new(PROCESSORS, 64).unwrap(), &config, boot).unwrap();
        let stations: Vec<_> = (0..STATIONS).map(|number| Station::new(neighbour(number, seed)).shared()).collect();
        for (number, station) in stations.iter().enumerate() {
            if are_cut {
                system.add_client(Cut { station: station.clone(), identification: 1000 * number as u16 });
            } else {
                system.add_client(station.clone());
            }
        }
        Self { system, kernels, stations, accepted, table: Table::reset(PROCESSORS) }
    }

    /// The time, in microseconds.
    fn now(&self) -> Micros {
        self.system.cycles() / 125
    }

    /// Has a station connect from this port, and do this.
    fn connect(&mut self, station: u16, local_port: u16, steps: Vec<Step>) {
        let start = self.now() + 20 + 3 * u64::from(station);
        let target = SocketAddr::from((CARD_IPV4, PORT));
        let seed = u64::from(station) << 16 | u64::from(local_port);
        let (expect, patience) = (Expect::Echo, 40_000);
        let script = Script { target, local_port, start, steps, seed, expect, buffer: 4096, patience };
        self.stations[usize::from(station)].borrow_mut().connect(script);
        self.system.wake_client(station.into());
    }

    /// Has a station send datagrams.
    fn send_datagrams(&mut self, station: u16, local_port: u16, count: u32, interval: Micros) {
        let target = SocketAddr::from((CARD_IPV4, PORT));
        let start = self.now() + 20 + u64::from(station);
        let seed = self.now() << 16 | u64::from(station);
        let script = DatagramScript { target, local_port, count, bytes: 100, start, interval, patience: 3000, seed };
        self.stations[usize::from(station)].borrow_mut().send_datagrams(script);
        self.system.wake_client(station.into());
    }

    fn until_done(&mut self) {
        let stations = self.stations.clone();
        let done = |system: &mut System| stations.iter().all(|s| s.borrow().is_done()) && system.is_quiet();
        if let Err(error) = self.system.run_until(LIMIT, done) {
            let outcomes = self.stations.iter().map(|station| {
                let station = station.borrow();
                let connections: Vec<_> = station.connections().iter().map(|it| (it.outcome(), it.bytes())).collect();
                let datagrams: Vec<_> = station.datagrams().iter().map(|it| (it.sent(), it.is_done())).collect();
                (connections, datagrams)
            });
            println!("{:?}", outcomes.collect::<Vec<_>>());
            println!("quiet: {}, accepted: {}", self.system.is_quiet(), self.accepted.borrow().len());
            for processor in 0..PROCESSORS {
                let look = |net: &NetKernel<Native>| {
                    let stack = net.look(|it| format!("{:?}\n{:?}", it.counters(), it.transport().counters()));
                    let mail = (net.mail_counters(), net.mail_under_way());
                    format!("{stack}\n{mail:?}\n{:?} {:?}", net.kernel().mac_counters(), net.kernel().dma_counters())
                };
                println!("processor {processor}: {}", self.look(processor, look));
            }
            panic!("{error}");
        }
    }

    /// Every connection got back every byte.
    fn assert_all_echoed(&self, connections: usize, bytes: u64) {
        let mut seen = 0;
        for (number, station) in self.stations.iter().enumerate() {
            for connection in station.borrow().connections() {
                assert_eq!(
                    (connection.outcome(), connection.bytes()),
                    (Outcome::Done, (bytes, bytes)),
                    "station {number}"
                );
                seen += 1;
            }
        }
        assert_eq!((seen, self.accepted.borrow().len()), (connections, connections));
    }

    fn look<R: 'static>(&mut self, processor: usize, look: impl FnOnce(&NetKernel<Native>) -> R + 'static) -> R {
        self.kernels.look(&mut self.system, processor, look).unwrap()
    }

    /// What each processor decided.
    fn counters(&mut self) -> Vec<Counters> {
        (0..PROCESSORS)
            .map(|processor| self.look(processor, |net| net.look(|stack| stack.counters().clone())))
            .collect()
    }

    /// No buffer, block, message or session is anywhere it should not be, and none was refused or lost.
    fn assert_clean(&mut self) {
        for processor in 0..PROCESSORS {
            let look = |net: &NetKernel<Native>| {
                let ((receive, send), (blocks, landing)) = (net.pools(), net.mail_pools());
                let used = [receive, send, blocks, landing].map(|pool| net.kernel().usage(pool).unwrap().used);
                let sockets =
                    net.look(|stack| (stack.transport().usage().0, stack.transport().sessions(), stack.held()));
                let directory = net.look(|stack| stack.directory().sessions());
                let kernel = net.kernel();
                let under_way = (net.mail_under_way(), kernel.backlog(), kernel.lists_under_way());
                let mail = net.mail_counters();
                let losses = [
                    mail.dropped.total(),
                    mail.unreadable,
                    mail.unfetched,
                    mail.foreign,
                    mail.unanswered,
                    net.counters().unsent.total(),
                    net.counters().no_timer,
                    kernel.message_counters().unknown + kernel.message_counters().unclaimed,
                    kernel.dma_counters().failed + kernel.dma_counters().foreign,
                    kernel.mac_counters().foreign + kernel.mac_counters().unclaimed,
                    kernel.foreign_frees(),
                ];
                assert_eq!(mail.sent, mail.returned);
                (used, kernel.supply(), sockets, directory, under_way, losses, kernel.refused())
            };
            let (used, supply, sockets, directory, under_way, losses, refused) = self.look(processor, look);
            assert_eq!((used, supply), ([128, 0, 0, 0], 128), "processor {processor}");
            assert_eq!((sockets, directory), ((2, 0, 0), (0, 0)), "processor {processor}");
            assert_eq!(under_way, ((0, 0, 0), 0, 0), "processor {processor}");
            assert_eq!(losses, [0; 11], "processor {processor}");
            assert_eq!(refused, soft_cores::kernel::account::Refused::default(), "processor {processor}");
        }
    }

    /// The host changes the card's table, and tells a processor.
    fn change_table(&mut self, teller: usize, entries: [u8; RETA_ENTRIES]) {
        self.table.generation += 1;
        self.table.entries = entries;
        for (index, entry) in entries.into_iter().enumerate() {
            self.system.host_write(csr::RETA.at(index), csr::reta::PROCESSOR.put(entry.into()));
        }
        let table = self.table.clone();
        self.look(teller, move |net| net.with_stack(|stack, now| stack.set_table(now, table)));
    }
}

/// ¶68.1 by hand, for 4 processors: the XOR of the two-bit pieces of address and port.
fn hashed(source: SocketAddr) -> usize {
    let IpAddr::V4(address) = source.ip() else { panic!("{source}") };
    let x = u32::from(address) ^ u32::from(source.port());
    (0..16).fold(0, |hash, piece| hash ^ (x >> (2 * piece) & 3) as usize)
}

fn processor_of(session: &Session) -> usize {
    hashed(SocketAddr::new(session.remote.address, session.remote.port))
}

/// Sends so much and wants it back, and ends.
fn exchange(bytes: u64) -> Vec<Step> {
    vec![Step::Exchange { send: bytes, receive: bytes }, Step::Shutdown, Step::AwaitEnd]
}

/// Two connections of each station.
fn connect_all(run: &mut Run, bytes: u64) {
    for station in 0..STATIONS {
        for local_port in [40_000 + station, 50_003 + 5 * station] {
            run.connect(station, local_port, exchange(bytes));
        }
    }
}

#[test]
fn row_67_5_a_listener_on_all_processors_has_each_connection_where_the_hash_brings_it() {
    let mut run = Run::new(1, Costs::FREE, Policy::default(), false);
    connect_all(&mut run, 6000);
    run.until_done();
    run.assert_all_echoed(32, 6000);
    let accepted = run.accepted.borrow().clone();
    assert!(accepted.iter().all(|(session, &processor)| processor == processor_of(session)), "{accepted:?}");
    for (processor, counters) in run.counters().into_iter().enumerate() {
        assert!(accepted.values().filter(|&&owner| owner == processor).count() > 2, "{accepted:?}");
        assert_eq!((counters.handed_over.total(), counters.taken_over.total()), (0, 0), "nothing is sent on");
    }
    run.assert_clean();
}

/// Segments in fragments come to the processor of their identification, and from there to the owner's.
fn check_fragments(policy: Policy, costs: Costs) {
    let mut run = Run::new(2, costs, policy, true);
    *run.system.link.to_card.conditions_mut() =
        Conditions { reordering: 200, duplication: 100, ..Conditions::default() };
    connect_all(&mut run, 4000);
    run.until_done();
    run.assert_all_echoed(32, 4000);
    let accepted = run.accepted.borrow().clone();
    assert!(accepted.iter().all(|(session, &processor)| processor == processor_of(session)), "{accepted:?}");
    let counters = run.counters();
    let handed_over: u64 = counters.iter().map(|it| it.handed_over.total()).sum();
    let taken_over: u64 = counters.iter().map(|it| it.taken_over.total()).sum();
    assert_eq!(handed_over, taken_over, "order and number are kept: no parcel is lost");
    // 4000 bytes are three segments of at most 1460, of which the card hashes three quarters elsewhere.
    assert!(handed_over > 32 * 3 / 2, "{handed_over}");
    assert!(counters.iter().all(|it| it.segments.of(Cause::TableThere) == it.handed_over.total()));
    run.assert_clean();
}

#[test]
fn row_67_5_and_68_2_segments_in_fragments_are_put_together_anywhere_and_handled_by_their_owner() {
    check_fragments(Policy::default(), Costs::FREE);
}

#[test]
fn row_66_7_and_67_5_segments_are_handed_over_from_threads_and_by_polling_too() {
    check_fragments(Policy { place: Place::Thread, ..Policy::default() }, Costs::ESTIMATE);
    let adaptive = Policy { mode: Mode::Adaptive { full: 2, empty: 4 }, budget: 2, ..Policy::default() };
    check_fragments(adaptive, Costs::ESTIMATE);
}

#[test]
fn row_67_5_live_connections_survive_a_change_of_the_table_and_new_ones_follow_it() {
    let mut run = Run::new(3, Costs::FREE, Policy::default(), false);
    let slow = |round: u64| {
        let half = Step::Exchange { send: 2000, receive: 2000 };
        vec![half, Step::Pause(500 + 40 * round), half, Step::Pause(400), half, Step::Shutdown, Step::AwaitEnd]
    };
    for station in 0..STATIONS {
        run.connect(station, 40_000 + station, slow(station.into()));
    }
    let accepted = run.accepted.clone();
    run.system.run_until(LIMIT, |_| accepted.borrow().len() == 16).unwrap();
    let old = accepted.borrow().clone();
    // All that went to 0 goes to 1 from now on, and so on.
    run.change_table(2, std::array::from_fn(|entry| ((entry + 1) % PROCESSORS) as u8));
    for station in 0..STATIONS {
        run.connect(station, 45_000 + station, exchange(6000));
    }
    run.system.run(60_000).unwrap();
    // And then everything to 3, while the first change is still young.
    run.change_table(0, [3; RETA_ENTRIES]);
    run.until_done();
    run.assert_all_echoed(32, 6000);
    let all = run.accepted.borrow().clone();
    assert!(old.iter().all(|(session, &processor)| processor == processor_of(session) && all[session] == processor));
    let new = all.iter().filter(|(session, _)| !old.contains_key(session));
    for (session, &processor) in new {
        assert!(processor == (processor_of(session) + 1) % PROCESSORS || processor == 3, "{session:?}: {processor}");
    }
    let counters = run.counters();
    assert!(counters[3].segments.of(Cause::Directory) > 16, "{counters:?}");
    assert_eq!(counters.iter().map(|it| it.not_held).sum::<u64>(), 0);
    run.assert_clean();
}

/// A port from which a station's datagrams reach this processor.
fn port_to(processor: usize, station: u16) -> u16 {
    let [high, low] = station.to_be_bytes();
    let reaches = |port: &u16| hashed((Ipv4Addr::new(10, 1, high, low), *port).into()) == processor;
    (30_000..30_010).find(reaches).expect("one of four ports")
}

/// Every datagram was answered once.
fn assert_answered(run: &Run, datagrams: usize) {
    let answers: Vec<u32> = run
        .stations
        .iter()
        .flat_map(|s| s.borrow().datagrams().iter().flat_map(|d| d.answers().to_vec()).collect::<Vec<_>>())
        .collect();
    assert_eq!(answers, vec![1; datagrams]);
}

#[test]
fn row_67_6_and_68_3_and_68_5_the_datagrams_of_a_processor_that_stood_still_move_and_come_back_and_its_sessions_survive()
 {
    const SLOW: usize = 2;
    let mut run = Run::new(4, Costs::ESTIMATE, Policy::default(), false);
    connect_all(&mut run, 6000);
    for station in 0..4 {
        run.send_datagrams(station, port_to(SLOW, station), 30, 40);
    }
    run.system.run(20_000).unwrap();
    let before = run.counters()[SLOW].datagrams.clone();
    assert_eq!(before.of(Cause::Balanced), 0, "{before:?}");
    // 31,250 words of 4 cycles: a millisecond in which the processor does nothing else.
    run.look(SLOW, |net| net.kernel().platform().charge(Event::Copy(125_000)));
    run.until_done();
    run.assert_all_echoed(32, 6000);
    assert_answered(&run, 120);
    let after = run.counters();
    let moved = after[SLOW].datagrams.of(Cause::Balanced);
    let taken: u64 = after.iter().map(|it| it.datagrams.of(Cause::HandedOver)).sum();
    assert!(moved > 20 && moved == taken, "{after:?}");
    assert!(after.iter().filter(|it| it.datagrams.of(Cause::HandedOver) > 0).count() >= 2, "not all to one: {after:?}");
    assert_eq!(run.look(SLOW, |net| net.kernel().busy_changes()), 2);
    // It has time again, so its load is its own.
    for station in 4..8 {
        run.send_datagrams(station, port_to(SLOW, station), 20, 40);
    }
    run.until_done();
    assert_answered(&run, 200);
    let later = run.counters();
    assert_eq!(later[SLOW].datagrams.of(Cause::Balanced), moved);
    assert_eq!(later[SLOW].datagrams.of(Cause::Connectionless), after[SLOW].datagrams.of(Cause::Connectionless) + 80);
    run.assert_clean();
}
