//! The net kernel of a processor (¶66): its operating system part and its network stack, put together.
//!
//! | module | does |
//! |---|---|
//! | [`mail`] | parcels between processors: what is kept of them, and how much |
//! | `outgoing`, `incoming` | parcels into blocks and messages; messages to parcels, by DMA |
//! | `frames` | frames from and to the MAC's driver |
//! | [`socket_module`] | the socket module: messages of the host, and when it works |
//! | `load` | how long this processor's queues are, and who helps (68.3, 68.5) |
//!
//! Frames, parcels and time go to the [`Stack`], what it says is done. The stack, like the kernel's own state, is touched with
//! interrupts disabled, and what it says is done before they are enabled again: so what goes to one processor keeps its order at whatever
//! level it came about. Functions of others are called so too, with nothing borrowed; they may use the stack in turn.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::rc::{Rc, Weak};
use core::cell::RefCell;

use abi::limits::{BUFFER_ALIGNMENT, MAX_PROCESSORS};

use crate::kernel::pool::{AllocError, PoolId, Shape};
use crate::kernel::timer::TimerId;
use crate::kernel::{Kernel, startup};
use crate::net::ethernet::{self, MAX_TAGS};
use crate::net::multicast::TooManyGroups;
use crate::net::neighbour::Turn;
use crate::net::stack::{self, Action, Stack};
use crate::net::steering::table::Table;
use crate::net::tally::Tally;
use crate::net::transport::{self, event};
use crate::net::{Micros, directory, port};
use crate::platform::Platform;

mod frames;
mod incoming;
mod load;
pub mod mail;
mod outgoing;
pub mod socket_module;

pub use frames::Unsent;
use mail::Mail;
use socket_module::SocketModule;

/// What a net kernel is made with.
#[derive(Clone, Debug)]
pub struct Config {
    /// The operating system part's.
    pub kernel: startup::Config,
    /// The network's, the same for all processors; turn and seed become this processor's at the start.
    pub port: port::Config,
    /// The sockets'; the MTU is the port's, and the seed becomes this processor's.
    pub transport: transport::Config,
    /// The directory's.
    pub directory: directory::Limits,
    /// The card's table, the same for all processors; `None` is what the card has after reset.
    pub table: Option<Table>,
    /// Segments that wait for a decision, at most.
    pub held: usize,
    /// Parcels between processors, the same for all of them.
    pub mail: mail::Config,
    /// The socket module; `None`: this card's sockets are not the host's.
    pub module: Option<socket_module::Config>,
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
    /// The memory has no room for the frame buffers, the blocks of parcels, or what the socket module needs.
    Buffers(AllocError),
    /// The longest packet does not fit a frame buffer, or a block.
    Mtu,
    /// A clock without cycles.
    Clock,
    /// More addresses than groups.
    Groups,
    /// Parcels could not be answered: their window is empty, or wider than the backlog of messages.
    Window,
}

/// What is counted here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames given to the card to send.
    pub sent: u64,
    /// Frames that were to be sent and were not.
    pub unsent: Tally<Unsent>,
    /// Answers to echo requests and addresses gained or refused, of which nobody wanted to hear.
    pub unclaimed: u64,
    /// Times that a timer was wanted and there was none left; what comes next asks again.
    pub no_timer: u64,
}

/// Somebody's function.
type Taker<P, E> = RefCell<Option<Box<dyn FnMut(&NetKernel<P>, E)>>>;

/// The processor's number in a card address stands above the byte's.
const PROCESSOR: u32 = 24;

/// Events of sockets in a row, before others have their turn.
const EVENTS: u32 = 256;

/// State beside the kernel's.
struct State {
    stack: Stack,
    /// What is to be done, in order.
    actions: VecDeque<Action>,
    /// Somebody is doing it.
    is_acting: bool,
    /// The timer that runs, and what for.
    timer: Option<(Micros, TimerId)>,
    counters: Counters,
}

/// See the module's page.
pub struct NetKernel<P: Platform + 'static> {
    kernel: Rc<Kernel<P>>,
    /// For the functions that the kernel calls.
    me: Weak<Self>,
    cycles_per_micro: u64,
    frame_bytes: u32,
    send: PoolId,
    receive: PoolId,
    state: RefCell<State>,
    mail: RefCell<Mail>,
    module: RefCell<Option<SocketModule<P>>>,
    on_event: Taker<P, Action>,
    on_socket: Taker<P, event::Event>,
}

impl<P: Platform + 'static> NetKernel<P> {
    /// Starts the kernel, gives the card buffers, and says what the card says when it starts. [`run`](Self::run) does the rest.
    ///
    /// # Errors
    /// The processor is not what it should be, or the configuration asks for more than there is.
    pub fn start(platform: P, config: Config) -> Result<Rc<Self>, StartError> {
        check(&config)?;
        let kernel = Kernel::start(platform, config.kernel).map_err(StartError::Kernel)?;
        let pool = |bytes, blocks| {
            let shape = Shape { bytes, blocks, alignment: BUFFER_ALIGNMENT as u32 };
            kernel.pool(shape).map_err(StartError::Buffers)
        };
        let receive = pool(config.frame_bytes, config.receive_buffers)?;
        let send = pool(config.frame_bytes, config.send_buffers)?;
        let blocks = pool(config.mail.block_bytes, config.mail.blocks)?;
        let landing = pool(config.mail.block_bytes, config.mail.landing)?;
        let mail = RefCell::new(Mail::new(config.mail, blocks, landing));
        let (cycles_per_micro, frame_bytes) = (config.cycles_per_micro, config.frame_bytes);
        let module = config.module.clone();
        let stack = Stack::new(own_part(config, kernel.found())).map_err(|TooManyGroups| StartError::Groups)?;
        let me = Rc::new_cyclic(|me| Self {
            kernel,
            me: me.clone(),
            cycles_per_micro,
            frame_bytes,
            send,
            receive,
            state: RefCell::new(State {
                stack,
                actions: VecDeque::new(),
                is_acting: false,
                timer: None,
                counters: Counters::default(),
            }),
            mail,
            module: RefCell::new(None),
            on_event: RefCell::default(),
            on_socket: RefCell::default(),
        });
        me.take_frames();
        me.take_messages();
        if let Some(module) = module {
            me.start_module(module).map_err(StartError::Buffers)?;
        }
        me.with_stack(Stack::start);
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

    /// Who hears of answers to echo requests, and of addresses that the card gets or does not get.
    pub fn on_event(&self, taker: impl FnMut(&Self, Action) + 'static) {
        let before = self.kernel.critical(|| self.on_event.borrow_mut().replace(Box::new(taker)));
        drop(before);
    }

    /// Who hears of what happens to sockets, where there is no socket module to hear it.
    pub fn on_socket(&self, taker: impl FnMut(&Self, event::Event) + 'static) {
        let before = self.kernel.critical(|| self.on_socket.borrow_mut().replace(Box::new(taker)));
        drop(before);
    }

    /// The time.
    pub fn now(&self) -> Micros {
        self.kernel.platform().now() / self.cycles_per_micro
    }

    /// Has something done by the stack, and does what it says. At any level.
    pub fn with_stack<R>(&self, work: impl FnOnce(&mut Stack, Micros) -> R) -> R {
        self.kernel.critical(|| {
            let now = self.now();
            let result = {
                let stack = &mut self.state.borrow_mut().stack;
                // What is due is to be done before anything else.
                if stack.next_deadline().is_some_and(|due| due <= now) {
                    stack.poll(now);
                }
                work(stack, now)
            };
            self.carry_out(now);
            result
        })
    }

    /// Looks at the stack.
    pub fn look<R>(&self, look: impl FnOnce(&Stack) -> R) -> R {
        self.kernel.critical(|| look(&self.state.borrow().stack))
    }

    /// What was counted here.
    pub fn counters(&self) -> Counters {
        self.kernel.critical(|| self.state.borrow().counters.clone())
    }

    /// A byte of this processor's memory, as the card names it.
    fn card_address(&self, byte: u32) -> u32 {
        (self.kernel.found().number as u32) << PROCESSOR | byte
    }

    /// The pools of receive and of send buffers.
    pub const fn pools(&self) -> (PoolId, PoolId) {
        (self.receive, self.send)
    }

    /// Does what the stack says, and has done what follows from it. Interrupts are disabled.
    fn carry_out(&self, now: Micros) {
        if !self.act(now) {
            return;
        }
        let has_module = self.module.borrow().is_some();
        let more = if has_module { self.run_module(now) } else { self.tell_of_sockets() };
        self.set_timer(now, more);
        self.see_to_retry();
    }

    /// Does what the stack says; says whether it is done. If not, who is at it already does it in its turn.
    fn act(&self, now: Micros) -> bool {
        {
            let mut state = self.state.borrow_mut();
            let news = state.stack.take_actions();
            state.actions.extend(news);
            if core::mem::replace(&mut state.is_acting, true) {
                return false;
            }
        }
        loop {
            let next = self.state.borrow_mut().actions.pop_front();
            match next {
                None => break,
                Some(Action::Transmit(frame)) => self.transmit(&frame),
                Some(Action::Message { to, parcel }) => self.send_parcel(now, to, parcel),
                Some(action) => {
                    if self.tell(&self.on_event, action).is_err() {
                        self.state.borrow_mut().counters.unclaimed += 1;
                    }
                }
            }
            let mut state = self.state.borrow_mut();
            let news = state.stack.take_actions();
            state.actions.extend(news);
        }
        self.state.borrow_mut().is_acting = false;
        true
    }

    /// Says whether there may be more to tell.
    fn tell_of_sockets(&self) -> bool {
        // Who is being told looks for the next event when that is over.
        if self.on_socket.borrow().is_none() {
            return false;
        }
        for _ in 0..EVENTS {
            let event = self.state.borrow_mut().stack.next_event();
            let Some(event) = event else { return false };
            // It is there, and nobody is using it.
            let _ = self.tell(&self.on_socket, event);
        }
        true
    }

    /// Calls a function of somebody's.
    ///
    /// # Errors
    /// There is none, or it is being called: what it was to hear.
    fn tell<E>(&self, place: &Taker<P, E>, event: E) -> Result<(), E> {
        // Out of its place while it runs, so that it may put another one there.
        let taken = place.borrow_mut().take();
        let Some(mut taker) = taken else { return Err(event) };
        taker(self, event);
        place.borrow_mut().get_or_insert(taker);
        Ok(())
    }

    /// Has the stack called when it or the module wants to be, or at once if there is more to do. A timer that is due too early does
    /// no harm.
    fn set_timer(&self, now: Micros, more: bool) {
        let module = self.module_deadline();
        let mut state = self.state.borrow_mut();
        let deadlines = [more.then_some(now), module, state.stack.next_deadline()];
        let Some(next) = deadlines.into_iter().flatten().min() else { return };
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
                net.state.borrow_mut().timer = None;
                net.with_stack(|_, _| ());
            }
        });
        state.timer = timer.ok().map(|timer| (next, timer));
        state.counters.no_timer += u64::from(timer.is_err());
    }
}

fn check(config: &Config) -> Result<(), StartError> {
    let longest = config.port.mtu + ethernet::HEADER + 4 * MAX_TAGS;
    if longest > config.frame_bytes as usize || config.port.mtu > config.mail.block_bytes as usize {
        return Err(StartError::Mtu);
    }
    if config.cycles_per_micro == 0 {
        return Err(StartError::Clock);
    }
    if config.mail.window == 0 || config.mail.window > config.kernel.backlog {
        return Err(StartError::Window);
    }
    Ok(())
}

/// All processors are alive; each draws its own delays and sequence numbers.
fn own_part(config: Config, found: &startup::Found) -> stack::Config {
    let live = u16::MAX >> (MAX_PROCESSORS - found.processors);
    // An odd constant (2^64 / golden ratio) keeps the seeds of neighbours apart.
    let seed_of = |seed: u64| seed ^ (found.number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let port = port::Config { turn: Turn::new(found.number, live), seed: seed_of(config.port.seed), ..config.port };
    let transport = transport::Config { mtu: port.mtu, seed: seed_of(config.transport.seed), ..config.transport };
    let table = config.table.unwrap_or_else(|| Table::reset(found.processors));
    stack::Config { port, live, transport, directory: config.directory, table, held: config.held }
}
