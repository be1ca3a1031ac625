//! The net kernel of a processor (¶66): its operating system part and its view of the network, put together.
//!
//! Received frames go to the [`NetworkPort`], what it says is done: frames are sent, its deadlines become a timer, and what is for
//! transports goes to whoever [takes](NetKernel::on_event) it. The port, like the kernel's own state, is touched with interrupts
//! disabled, and not while somebody's function is called.

use alloc::boxed::Box;
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::cell::RefCell;

use abi::limits::{BUFFER_ALIGNMENT, MAX_PROCESSORS};
use abi::transmit::Send;
use smoltcp::wire::IpProtocol;

use crate::kernel::pool::{AllocError, PoolId, Shape};
use crate::kernel::timer::TimerId;
use crate::kernel::{Kernel, mac, startup};
use crate::net::Micros;
use crate::net::ethernet::{self, MAX_TAGS};
use crate::net::icmp::Problem;
use crate::net::multicast::TooManyGroups;
use crate::net::neighbour::Turn;
use crate::net::port::{self, Event, NetworkPort};
use crate::net::tally::Tally;
use crate::platform::{Event as Charge, Platform};

/// What a net kernel is made with.
#[derive(Clone, Debug)]
pub struct Config {
    /// The operating system part's.
    pub kernel: startup::Config,
    /// The network's, the same for all processors; turn and seed become this processor's at the start.
    pub port: port::Config,
    /// Cycles of the card's clock in a microsecond.
    pub cycles_per_micro: u64,
    /// Bytes of a frame buffer: MAX_FRAME_LENGTH, as the host has set it.
    pub frame_bytes: u32,
    /// Receive buffers.
    pub receive_buffers: u32,
    /// Send buffers.
    pub send_buffers: u32,
}

/// Why a net kernel does not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartError {
    /// The operating system part does not.
    Kernel(startup::StartError),
    /// The memory has no room for the frame buffers.
    Buffers(AllocError),
    /// The longest packet does not fit a frame buffer.
    Mtu,
    /// A clock without cycles.
    Clock,
    /// More addresses than groups.
    Groups,
}

/// Why a frame was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unsent {
    /// All send buffers are with the card.
    Buffers,
    /// The card's send queue is full.
    Queue,
    /// It is longer than a buffer, or than the card takes.
    Length,
}

/// What is counted here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames given to the card to send.
    pub sent: u64,
    /// Frames that were to be sent and were not.
    pub unsent: Tally<Unsent>,
    /// Segments, datagrams, answers and errors that nobody took.
    pub unclaimed: u64,
    /// Times that the port wanted a timer and there was none left; the next frame asks again.
    pub no_timer: u64,
}

/// Who gets what is not for the net kernel itself.
type Taker<P> = Box<dyn FnMut(&NetKernel<P>, Event<'_>)>;

/// State beside the kernel's.
struct State {
    port: NetworkPort,
    /// The timer that runs, and what for.
    timer: Option<(Micros, TimerId)>,
    counters: Counters,
}

/// See the module's page.
pub struct NetKernel<P: Platform> {
    kernel: Rc<Kernel<P>>,
    /// For the functions that the kernel calls.
    me: Weak<Self>,
    cycles_per_micro: u64,
    frame_bytes: u32,
    send: PoolId,
    receive: PoolId,
    state: RefCell<State>,
    taker: RefCell<Option<Taker<P>>>,
}

impl<P: Platform + 'static> NetKernel<P> {
    /// Starts the kernel, gives the card buffers, and says what the card says when it starts. [`run`](Self::run) does the rest.
    ///
    /// # Errors
    /// The processor is not what it should be, or the configuration asks for more than there is.
    pub fn start(platform: P, config: Config) -> Result<Rc<Self>, StartError> {
        let longest = config.port.mtu + ethernet::HEADER + 4 * MAX_TAGS;
        if longest > config.frame_bytes as usize {
            return Err(StartError::Mtu);
        }
        if config.cycles_per_micro == 0 {
            return Err(StartError::Clock);
        }
        let kernel = Kernel::start(platform, config.kernel).map_err(StartError::Kernel)?;
        let pool = |blocks| {
            let shape = Shape { bytes: config.frame_bytes, blocks, alignment: BUFFER_ALIGNMENT as u32 };
            kernel.pool(shape).map_err(StartError::Buffers)
        };
        let (receive, send) = (pool(config.receive_buffers)?, pool(config.send_buffers)?);
        let port = NetworkPort::new(own_part(config.port, kernel.found()));
        let port = port.map_err(|TooManyGroups| StartError::Groups)?;
        let me = Rc::new_cyclic(|me| Self {
            kernel,
            me: me.clone(),
            cycles_per_micro: config.cycles_per_micro,
            frame_bytes: config.frame_bytes,
            send,
            receive,
            state: RefCell::new(State { port, timer: None, counters: Counters::default() }),
            taker: RefCell::default(),
        });
        let weak = me.me.clone();
        me.kernel.on_frame(move |kernel, frame| match weak.upgrade() {
            Some(net) => net.take_frame(frame),
            // It was given out from its pool.
            None => drop(kernel.release(frame.address)),
        });
        me.kernel.receive_into(receive, config.receive_buffers as usize);
        me.with_port(NetworkPort::start);
        Ok(me)
    }

    /// Runs threads and handles what comes, forever. Called once, on the context that the processor started on.
    pub fn run(&self) -> ! {
        self.kernel.run()
    }

    /// The operating system part.
    pub fn kernel(&self) -> &Kernel<P> {
        &self.kernel
    }

    /// Who gets what is not for the net kernel itself: all events but [`Event::Transmit`].
    pub fn on_event(&self, taker: impl FnMut(&Self, Event<'_>) + 'static) {
        let before = self.kernel.critical(|| self.taker.borrow_mut().replace(Box::new(taker)));
        drop(before);
    }

    /// The time.
    pub fn now(&self) -> Micros {
        self.kernel.platform().now() / self.cycles_per_micro
    }

    /// Has something done by the port, and does what it says. At any level.
    pub fn with_port(&self, work: impl FnOnce(&mut NetworkPort, Micros) -> Vec<Event<'static>>) {
        let events = self.kernel.critical(|| {
            let now = self.now();
            let port = &mut self.state.borrow_mut().port;
            let mut events = overdue(port, now);
            events.extend(work(port, now));
            events
        });
        self.carry_out(events);
    }

    /// Looks at the port.
    pub fn look<R>(&self, look: impl FnOnce(&NetworkPort) -> R) -> R {
        self.kernel.critical(|| look(&self.state.borrow().port))
    }

    /// What was counted here.
    pub fn counters(&self) -> Counters {
        self.kernel.critical(|| self.state.borrow().counters.clone())
    }

    /// The pools of receive and of send buffers.
    pub const fn pools(&self) -> (PoolId, PoolId) {
        (self.receive, self.send)
    }

    fn take_frame(&self, frame: mac::Frame) {
        let platform = self.kernel.platform();
        let mut bytes = alloc::vec![0; frame.status.length()];
        platform.charge(Charge::Copy(bytes.len()));
        let loaded = platform.load(frame.address, &mut bytes);
        // It was given out from its pool, and lies in the memory.
        let _ = self.kernel.release(frame.address);
        if loaded.is_err() {
            return;
        }
        platform.charge(Charge::Packet(bytes.len()));
        let events = self.kernel.critical(|| {
            let now = self.now();
            let port = &mut self.state.borrow_mut().port;
            let mut events = overdue(port, now);
            events.extend(port.receive(now, &bytes, frame.status));
            events
        });
        self.carry_out(events);
    }

    fn carry_out(&self, events: Vec<Event<'_>>) {
        for event in events {
            match event {
                Event::Transmit(frame) => self.transmit(&frame),
                event => self.hand_over(event),
            }
        }
        self.set_timer();
    }

    /// Sends a whole Ethernet frame; one that is not sent is counted.
    pub fn transmit(&self, frame: &[u8]) {
        let sent = self.try_transmit(frame);
        self.kernel.critical(|| {
            let counters = &mut self.state.borrow_mut().counters;
            match sent {
                Ok(()) => counters.sent += 1,
                Err(cause) => counters.unsent.count(cause),
            }
        });
    }

    fn try_transmit(&self, frame: &[u8]) -> Result<(), Unsent> {
        let length = u16::try_from(frame.len()).map_err(|_| Unsent::Length)?;
        if u32::from(length) > self.frame_bytes {
            return Err(Unsent::Length);
        }
        let platform = self.kernel.platform();
        let address = self.kernel.alloc(self.send).map_err(|_| Unsent::Buffers)?;
        platform.charge(Charge::Copy(frame.len()));
        let stored = platform.store(address, frame).map_err(|_| Unsent::Length);
        let given = stored.and_then(|()| {
            let frame = Send { address, length, ip: None, transport: None };
            self.kernel.transmit(frame, 0).map_err(|error| match error {
                mac::TransmitError::Full => Unsent::Queue,
                mac::TransmitError::Invalid => Unsent::Length,
            })
        });
        if given.is_err() {
            // It has just been taken from there.
            let _ = self.kernel.free(address);
        }
        given
    }

    fn hand_over(&self, event: Event<'_>) {
        // Out of its place while it runs, so that it may put another one there.
        let taker = self.kernel.critical(|| self.taker.borrow_mut().take());
        let Some(mut taker) = taker else { return self.refuse(event) };
        taker(self, event);
        self.kernel.critical(|| {
            let mut place = self.taker.borrow_mut();
            if place.is_none() {
                *place = Some(taker);
            }
        });
    }

    /// Nobody takes it: RFC 1122, 4.1.3.1 wants the sender of a datagram to hear that.
    fn refuse(&self, event: Event<'_>) {
        self.kernel.critical(|| self.state.borrow_mut().counters.unclaimed += 1);
        if let Event::Deliver { packet, delivery, .. } = event
            && delivery.protocol == IpProtocol::Udp
        {
            self.with_port(|port, now| port.report(now, &packet, Problem::PortUnreachable));
        }
    }

    /// Has the port called when it wants to be. A timer that is due too early does no harm.
    fn set_timer(&self) {
        self.kernel.critical(|| {
            let mut state = self.state.borrow_mut();
            let Some(next) = state.port.next_deadline() else { return };
            if let Some((due, timer)) = state.timer {
                if due <= next {
                    return;
                }
                self.kernel.cancel(timer);
            }
            let me = self.me.clone();
            let cycle = next.saturating_mul(self.cycles_per_micro);
            let timer = self.kernel.call_at(cycle, move |_, _| {
                if let Some(net) = me.upgrade() {
                    net.on_time();
                }
            });
            state.timer = timer.ok().map(|timer| (next, timer));
            state.counters.no_timer += u64::from(timer.is_err());
        });
    }

    fn on_time(&self) {
        self.kernel.critical(|| self.state.borrow_mut().timer = None);
        self.with_port(|_, _| Vec::new());
    }
}

/// What is due is to be done before anything else.
fn overdue(port: &mut NetworkPort, now: Micros) -> Vec<Event<'static>> {
    if port.next_deadline().is_some_and(|due| due <= now) { port.poll(now) } else { Vec::new() }
}

/// All processors are alive; each draws its own delays.
fn own_part(config: port::Config, found: &startup::Found) -> port::Config {
    let live = u16::MAX >> (MAX_PROCESSORS - found.processors);
    // An odd constant (2^64 / golden ratio) keeps the seeds of neighbours apart.
    let seed = config.seed ^ (found.number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    port::Config { turn: Turn::new(found.number, live), seed, ..config }
}
