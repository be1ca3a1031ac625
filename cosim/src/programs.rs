//! What runs on a system's processors: the net kernel of `soft-cores`, and how to look at it from outside.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::{Rc, Weak};

use abi::limits::BUFFER_ALIGNMENT;
use smoltcp::wire::{EthernetAddress, Ipv4Cidr, Ipv6Cidr};
use soft_cores::ism::sockets::{self, Share};
use soft_cores::kernel::pool::Shape;
use soft_cores::kernel::startup;
use soft_cores::net::addresses::Addresses;
use soft_cores::net::ethernet::{Station, Tags};
use soft_cores::net::icmp::RateLimit;
use soft_cores::net::neighbour::{Turn, cache};
use soft_cores::net::transport::Options;
use soft_cores::net::{SECOND, directory, port, reassembly, transport};
use soft_cores::net_kernel::{Config, NetKernel, mail, socket_module};

use crate::clients::CYCLES_PER_MICRO;
use crate::clients::station::Identity;
use crate::native::{Boot, Native, Setup};
use crate::system::{System, SystemError};

/// The card's Ethernet address in a run that does not say otherwise: administered locally.
pub const CARD_ETHERNET: [u8; 6] = [0x02, 0, 0, 0, 0, 1];
/// Its IPv4 address, in 10.0.0.0/8.
pub const CARD_IPV4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
/// Its IPv6 address, in fd00::/64.
pub const CARD_IPV6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
/// Its address on the link.
pub const CARD_LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
/// Bytes of the longest frame, without FCS: 1,500 bytes of IP, Ethernet's 14, two tags. A multiple of what buffers are aligned to.
pub const FRAME_BYTES: usize = (1500usize + 14 + 8).next_multiple_of(BUFFER_ALIGNMENT);

/// The net kernel of a card with the addresses above.
pub fn config(seed: u64) -> Config {
    let addresses = Addresses {
        ipv4: vec![Ipv4Cidr::new(CARD_IPV4, 8)],
        ipv6: vec![Ipv6Cidr::new(CARD_LINK_LOCAL, 64), Ipv6Cidr::new(CARD_IPV6, 64)],
    };
    Config {
        kernel: startup::Config::default(),
        port: port::Config {
            station: Station { address: EthernetAddress(CARD_ETHERNET), tags: Tags::default() },
            addresses,
            gateways: Vec::new(),
            turn: Turn::new(0, 1),
            mtu: 1500,
            seed,
            reassembly: reassembly::Limits::default(),
            neighbours: cache::Limits::default(),
            groups: 32,
            errors: RateLimit::default(),
        },
        transport: transport::Config {
            mtu: 1500,
            seed,
            sockets: 512,
            memory: 16 << 20,
            times: transport::Times::default(),
        },
        directory: directory::Limits::default(),
        table: None,
        held: 64,
        mail: mail::Config::default(),
        module: None,
        cycles_per_micro: CYCLES_PER_MICRO,
        frame_bytes: FRAME_BYTES as u32,
        receive_buffers: 128,
        send_buffers: 64,
    }
}

/// A processor with four megabytes, as one has that has memory of its own beside the FPGA's: what [`with_sockets`] wants.
pub fn large() -> Setup {
    Setup { memory: 0x1000..0x40_0000, memory_bytes: 0x40_0000, ..Setup::default() }
}

/// That net kernel, with a socket module: 128 streams a processor, datagrams of any length.
pub fn with_sockets(seed: u64) -> Config {
    let shape = |bytes, blocks| Shape { bytes, blocks, alignment: BUFFER_ALIGNMENT as u32 };
    let longest = 65_535;
    let module = socket_module::Config {
        frames: 64,
        slots: 16,
        sessions: 256,
        credits: 8,
        copies: 8,
        answers: 32,
        sockets: sockets::Config {
            sockets: 256,
            ring: 8192,
            datagram: longest,
            waiting: 16,
            linger: 10 * SECOND,
            streams: Options { receive_buffer: 8192, send_buffer: 8192, ..Options::default() },
            datagrams: Options { receive_buffer: 1 << 17, ..Options::default() },
        },
        memory: vec![
            (Share::Ring, shape(8192, 256)),
            (Share::Received, shape(2048, 32)),
            (Share::Received, shape(longest, 2)),
            (Share::ToSend, shape(2048, 32)),
            (Share::ToSend, shape(longest, 2)),
        ],
    };
    Config { module: Some(module), ..config(seed) }
}

/// Station `number` beside that card, at most 65,535: in the same networks.
pub fn neighbour(number: u16, seed: u64) -> Identity {
    let [high, low] = number.to_be_bytes();
    Identity {
        ethernet: [0x02, 0, 0, 1, high, low],
        addresses: vec![
            (IpAddr::V4(Ipv4Addr::new(10, 1, high, low)), 8),
            (IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 1, number)), 64),
        ],
        gateway: None,
        seed: seed ^ u64::from(number) << 32,
    }
}

/// The net kernels of a system, for who wants to look at them.
#[derive(Default)]
pub struct NetKernels(RefCell<Vec<Slot>>);

/// Where a net kernel is put once it has started. It belongs to its processor.
type Slot = Rc<RefCell<Weak<NetKernel<Native>>>>;

impl NetKernels {
    /// What the next processor runs.
    pub fn boot(&self, config: Config) -> Boot {
        self.boot_with(config, |_| ())
    }

    /// What the next processor runs; `prepare` is called when its net kernel has started.
    pub fn boot_with(&self, config: Config, prepare: impl FnOnce(&NetKernel<Native>) + 'static) -> Boot {
        let slot = Slot::default();
        self.0.borrow_mut().push(slot.clone());
        Box::new(move |native| match NetKernel::start(native, config) {
            Ok(net) => {
                *slot.borrow_mut() = Rc::downgrade(&net);
                prepare(&net);
                net.run()
            }
            Err(error) => format!("{error:?}"),
        })
    }

    /// Looks at the net kernel of a processor, where it would take an interrupt.
    ///
    /// # Errors
    /// As [`System::probe`].
    ///
    /// # Panics
    /// Its net kernel has not started.
    pub fn look<R: 'static>(
        &self,
        system: &mut System,
        processor: usize,
        look: impl FnOnce(&NetKernel<Native>) -> R + 'static,
    ) -> Result<R, SystemError> {
        let net = self.0.borrow()[processor].borrow().upgrade().expect("a net kernel that has started");
        system.probe(processor, move || look(&net))
    }
}
