//! Everything from end to end: applications on the host, its socket module, message frames and DMA of the verilated card, the net kernels of
//! all its processors with their socket modules and stacks, and clients on the link.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr};

use abi::csr::core as csr;
use abi::params::NicParams;
use cosim::clients::pattern;
use cosim::clients::station::{SharedStation, Station};
use cosim::clients::tcp::{Expect, Outcome, Script, Step};
use cosim::clients::udp::DatagramScript;
use cosim::host::{Computer, ComputerConfig, TcpStream, UdpSocket, applications};
use cosim::link;
use cosim::native::costs::Costs;
use cosim::native::{Native, Setup};
use cosim::programs::{self, CARD_IPV4, FRAME_BYTES, NetKernels, neighbour};
use cosim::reference::DispatchConfig;
use cosim::root_complex;
use cosim::system::{Config, System};
use soft_cores::ism::Ism;
use soft_cores::ism::sockets::{KernelMemory, Sockets};
use soft_cores::kernel::account::Refused;
use soft_cores::kernel::interrupt::{Mode, Place, Policy};
use soft_cores::kernel::startup;
use soft_cores::net_kernel::NetKernel;
use soft_cores::platform::Platform;

const PROCESSORS: usize = 4;
const STATIONS: u16 = 16;
const PORT: u16 = 7;
/// Cycles in which every step here is over.
const LIMIT: u64 = 3_000_000;
/// Outbound frames of the host.
const FRAMES: u32 = 128;
/// Inbound frames of a processor.
const INBOUND: u32 = 64;

struct Run {
    system: System,
    kernels: NetKernels,
    computer: Computer,
    stations: Vec<SharedStation>,
}

impl Run {
    fn new(seed: u64, costs: Costs, policy: Policy) -> Self {
        println!("seed {seed}");
        let config = Config {
            seed,
            link: link::Config::default(),
            bus: root_complex::Config::default(),
            dispatch: DispatchConfig { max_frame: FRAME_BYTES, ..DispatchConfig::reset(PROCESSORS as u8) },
            processor: Setup { costs, ..programs::large() },
        };
        let kernels = NetKernels::default();
        let kernel = startup::Config { policy, ..startup::Config::default() };
        let program = soft_cores::net_kernel::Config { kernel, ..programs::with_sockets(seed) };
        let params = NicParams::new(PROCESSORS, 64).unwrap();
        let mut system = System::new(params, &config, |_| kernels.boot(program.clone())).unwrap();
        let stations: Vec<_> = (0..STATIONS).map(|number| Station::new(neighbour(number, seed)).shared()).collect();
        for station in &stations {
            system.add_client(station.clone());
        }
        let computer = Computer::new(ComputerConfig::new([CARD_IPV4.into()]));
        system.set_host(computer.host());
        let ready = computer.clone();
        system.run_until(LIMIT, |_| ready.is_ready()).unwrap();
        Self { system, kernels, computer, stations }
    }

    fn start_of(&self, station: u16) -> u64 {
        self.system.cycles() / 125 + 20 + 3 * u64::from(station)
    }

    /// Has a station connect from this port, send so much and get it back, and end.
    fn connect(&mut self, station: u16, local_port: u16, bytes: u64) {
        let script = Script {
            target: SocketAddr::from((CARD_IPV4, PORT)),
            local_port,
            start: self.start_of(station),
            steps: vec![Step::Exchange { send: bytes, receive: bytes }, Step::Shutdown, Step::AwaitEnd],
            seed: u64::from(station) << 16 | u64::from(local_port),
            expect: Expect::Echo,
            buffer: 4096,
            patience: 60_000,
        };
        self.stations[usize::from(station)].borrow_mut().connect(script);
        self.system.wake_client(station.into());
    }

    fn until_stations_are_done(&mut self) {
        let stations = self.stations.clone();
        if let Err(error) = self.system.run_until(LIMIT, |_| stations.iter().all(|s| s.borrow().is_done())) {
            for station in &stations {
                let station = station.borrow();
                println!("{:?}", station.connections().iter().map(|it| (it.outcome(), it.bytes())).collect::<Vec<_>>());
            }
            for processor in 0..PROCESSORS {
                println!("processor {processor}: {}", self.look(processor, state_of));
            }
            println!("{:?}, {:?}", self.computer, self.computer.osm().counters());
            panic!("{error}");
        }
    }

    fn assert_done(&self, connections: usize, sent: u64, received: u64) {
        let all = self.stations.iter().flat_map(|station| {
            let station = station.borrow();
            station.connections().iter().map(|it| (it.outcome(), it.bytes())).collect::<Vec<_>>()
        });
        assert_eq!(all.collect::<Vec<_>>(), vec![(Outcome::Done, (sent, received)); connections]);
    }

    fn look<R: 'static>(&mut self, processor: usize, look: impl FnOnce(&NetKernel<Native>) -> R + 'static) -> R {
        self.kernels.look(&mut self.system, processor, look).unwrap()
    }

    /// Sessions of each processor.
    fn sessions(&mut self) -> Vec<usize> {
        let sessions = |net: &NetKernel<Native>| net.look_at_module(|ism, _, _| ism.sessions()).unwrap();
        (0..PROCESSORS).map(|processor| self.look(processor, sessions)).collect()
    }

    /// Starts a server and waits until it serves on all processors.
    fn serve(&mut self, body: impl FnOnce(&cosim::host::Task) + 'static) -> usize {
        let server = self.computer.spawn(body);
        for _ in 0..200 {
            self.system.run(1000).unwrap();
            if self.sessions().iter().all(|&sessions| sessions > 0) {
                return server;
            }
        }
        panic!("{:?}", self.sessions());
    }

    /// Ends the applications, and finds that everything has come back: host buffers, message frames, blocks, sockets, sessions.
    fn assert_nothing_leaks(&mut self, applications: &[usize]) {
        for &application in applications {
            self.computer.kill(application);
        }
        let computer = self.computer.clone();
        if let Err(error) = self.system.run_until(LIMIT, |system| computer.is_at_rest() && system.is_quiet()) {
            for processor in 0..PROCESSORS {
                println!("processor {processor}: {}", self.look(processor, state_of));
            }
            println!("at rest: {}, quiet: {}", self.computer.is_at_rest(), self.system.is_quiet());
            println!("{:?}, {:?}", self.computer, self.computer.osm().counters());
            panic!("{error}");
        }
        let mut in_hands = 0;
        let mut free = 0;
        for processor in 0..PROCESSORS {
            let look = |net: &NetKernel<Native>| {
                let kernel = net.kernel();
                let used = |pool| kernel.usage(pool).unwrap().used;
                let ((receive, send), (blocks, landing)) = (net.pools(), net.mail_pools());
                let pools = [receive, send, blocks, landing].map(used);
                let module = net.look_at_module(|ism, sockets, memory| {
                    let memory: u32 = memory.pools().map(|(.., pool)| used(pool)).sum();
                    let lost =
                        (ism.replies().lost, ism.replies().refused, ism.foreign_reports(), sockets.counters().outside);
                    ((ism.sessions(), ism.is_idle(), sockets.len(), memory, lost), ism.frames_in_hand())
                });
                let stack =
                    net.look(|it| (it.transport().usage().0, it.transport().sessions(), it.directory().sessions()));
                let inbound = kernel.platform().read(csr::IN_LEVELS.offset);
                let outbound = csr::out_levels::FREE.get(kernel.platform().read(csr::OUT_LEVELS.offset));
                let under_way = (net.mail_under_way(), kernel.backlog(), kernel.lists_under_way());
                let losses = [
                    net.mail_counters().dropped.total(),
                    net.counters().unsent.total(),
                    net.counters().no_timer,
                    kernel.dma_counters().failed + kernel.dma_counters().foreign,
                    kernel.foreign_frees(),
                ];
                (pools, module.unwrap(), stack, inbound, outbound, under_way, losses, kernel.refused())
            };
            let (pools, (module, in_hand), stack, inbound, outbound, under_way, losses, refused) =
                self.look(processor, look);
            assert_eq!(pools, [128, 0, 0, 0], "processor {processor}");
            assert_eq!(module, (0, true, 0, 0, (0, 0, 0, 0)), "processor {processor}");
            assert_eq!(stack, (0, 0, (0, 0)), "processor {processor}");
            assert_eq!(inbound, INBOUND, "processor {processor}: all are free, none is posted");
            assert_eq!((under_way, losses), (((0, 0, 0), 0, 0), [0; 5]), "processor {processor}");
            assert_eq!(refused, Refused::default(), "processor {processor}");
            in_hands += in_hand as u32;
            free = outbound;
        }
        assert_eq!(free + in_hands, FRAMES, "outbound frames");
    }
}

/// For a run that does not come to its end.
fn state_of(net: &NetKernel<Native>) -> String {
    let stack = net.look(|it| format!("{:?}\n{:?}", it.counters(), it.transport().counters()));
    let look = |ism: &Ism, sockets: &Sockets, _: &KernelMemory<Native>| {
        format!("{:?} {:?} {:?} {:?}", ism.counters(), ism.replies(), ism.tags(), sockets.counters())
    };
    let (mail, kernel) = (net.mail_counters(), net.kernel());
    let module = net.look_at_module(look).unwrap_or_default();
    format!("{stack}\n{mail:?} {module}\n{:?} {:?}", kernel.mac_counters(), kernel.dma_counters())
}

/// ¶68.1 by hand, for 4 processors: the XOR of the two-bit pieces of address and port.
fn hashed(address: Ipv4Addr, port: u16) -> usize {
    let x = u32::from(address) ^ u32::from(port);
    (0..16).fold(0, |hash, piece| hash ^ (x >> (2 * piece) & 3) as usize)
}

fn address_of(station: u16) -> Ipv4Addr {
    let [high, low] = station.to_be_bytes();
    Ipv4Addr::new(10, 1, high, low)
}

fn check_echo(seed: u64, costs: Costs, policy: Policy) {
    let mut run = Run::new(seed, costs, policy);
    let server = run.serve(|task| {
        applications::serve(task, (Ipv4Addr::UNSPECIFIED, PORT).into(), 16, applications::echo).unwrap();
    });
    let mut expected = [0; PROCESSORS];
    for station in 0..STATIONS {
        for local_port in [40_000 + station, 50_003 + 5 * station] {
            run.connect(station, local_port, 6000);
            expected[hashed(address_of(station), local_port)] += 1;
        }
    }
    run.until_stations_are_done();
    run.assert_done(32, 6000, 6000);
    assert!(expected.iter().all(|&sessions| sessions > 2), "{expected:?}");
    for (processor, sessions) in expected.into_iter().enumerate() {
        let look = |net: &NetKernel<Native>| net.look_at_module(|ism, _, _| ism.counters().clone()).unwrap();
        let counters = run.look(processor, look);
        assert_eq!(counters.accepted, sessions, "processor {processor}");
        let bytes = (counters.bytes_to_host, counters.bytes_from_host);
        assert_eq!(bytes, (6000 * sessions, 6000 * sessions), "processor {processor}");
    }
    run.assert_nothing_leaks(&[server]);
}

#[test]
fn row_69_1_and_69_4_an_echo_application_on_the_host_serves_clients_through_all_processors() {
    check_echo(1, Costs::FREE, Policy::default());
}

#[test]
fn row_66_7_and_66_8_and_69_5_it_does_so_through_threads_and_by_polling_on_processors_that_take_time() {
    check_echo(2, Costs::ESTIMATE, Policy { place: Place::Thread, ..Policy::default() });
    let adaptive = Policy { mode: Mode::Adaptive { full: 2, empty: 4 }, budget: 4, ..Policy::default() };
    check_echo(3, Costs::ESTIMATE, adaptive);
}

#[test]
fn row_67_2_applications_of_the_host_connect_to_servers_on_the_link() {
    const SENT: u64 = 5000;
    const ANSWERED: u64 = 7000;
    let mut run = Run::new(4, Costs::FREE, Policy::default());
    for station in 0..8 {
        let seed = 100 + u64::from(station);
        let script = Script {
            target: SocketAddr::from((CARD_IPV4, 0)),
            local_port: 80,
            start: run.system.cycles() / 125,
            steps: vec![Step::Exchange { send: ANSWERED, receive: SENT }, Step::Shutdown, Step::AwaitEnd],
            seed,
            expect: Expect::Pattern(seed + 1000),
            buffer: 4096,
            patience: 60_000,
        };
        run.stations[usize::from(station)].borrow_mut().listen(script);
        run.system.wake_client(station.into());
        run.computer.spawn(move |task| {
            let mut stream = TcpStream::connect(task, (address_of(station), 80).into()).unwrap();
            let local = stream.local_addr().unwrap();
            assert_eq!(local.ip(), IpAddr::V4(CARD_IPV4));
            // Replies come from the station's port 80, whatever this end's port is.
            assert_eq!(stream.tag().processor(), hashed(address_of(station), 80));
            let question: Vec<u8> = (0..SENT).map(|place| pattern(seed + 1000, place)).collect();
            stream.write_all(&question).unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).unwrap();
            assert!(answer.iter().zip(0..).all(|(&byte, place)| byte == pattern(seed, place)));
            assert_eq!(answer.len() as u64, ANSWERED);
            stream.shutdown(Shutdown::Write).unwrap();
        });
    }
    run.until_stations_are_done();
    run.assert_done(8, ANSWERED, SENT);
    for processor in 0..PROCESSORS {
        let handed_over = run.look(processor, |net| net.look(|stack| stack.counters().handed_over.total()));
        assert_eq!(handed_over, 0, "replies hash to who connected");
    }
    run.assert_nothing_leaks(&[]);
}

#[test]
fn row_67_3_and_69_1_datagrams_are_answered_by_an_application_of_the_host() {
    let mut run = Run::new(5, Costs::FREE, Policy::default());
    let server = run.serve(|task| {
        let socket = UdpSocket::bind(task, (Ipv4Addr::UNSPECIFIED, PORT).into()).unwrap();
        let mut bytes = [0; 4000];
        loop {
            let (length, remote) = socket.recv_from(&mut bytes).unwrap();
            socket.send_to(&bytes[..length], remote).unwrap();
        }
    });
    for station in 0..8 {
        let script = DatagramScript {
            target: SocketAddr::from((CARD_IPV4, PORT)),
            local_port: 30_000 + station,
            count: 20,
            bytes: 100 + 40 * usize::from(station),
            start: run.start_of(station),
            interval: 60,
            patience: 3000,
            seed: station.into(),
        };
        run.stations[usize::from(station)].borrow_mut().send_datagrams(script);
        run.system.wake_client(station.into());
    }
    run.until_stations_are_done();
    let answers: Vec<u32> =
        run.stations[..8].iter().flat_map(|s| s.borrow().datagrams()[0].answers().to_vec()).collect();
    assert_eq!(answers, [1; 160]);
    run.assert_nothing_leaks(&[server]);
}
