//! The eight causes of an interrupt as six sources, and for each of them: who is told, when, and how (66.2, 66.7, 66.8).
//!
//! A source is **served** in rounds of at most a budget of items. What starts a round is its [`Mode`], where it runs its
//! [`Place`]. While a source is polled, or waits for its thread, its causes are masked; `IRQ_STATUS` shows them all the same,
//! so one read polls all sources.

use abi::csr::core::irq_status as causes;

use super::Kernel;
use super::startup::Config;
use super::thread::SpawnError;
use crate::platform::Platform;

/// What asks for attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The compare timer.
    Timer,
    /// Messages of the host: socket calls, outgoing packets.
    Host,
    /// Messages of other processors.
    Messages,
    /// Received frames, and sent ones that come back.
    Mac,
    /// Reports of the DMA.
    Dma,
    /// The card refused something.
    Error,
}

impl Source {
    /// All of them, in the order in which they are served.
    pub const ALL: [Source; 6] =
        [Source::Timer, Source::Host, Source::Messages, Source::Mac, Source::Dma, Source::Error];

    /// Its bits in `IRQ_STATUS`.
    pub const fn causes(self) -> u32 {
        let mask = match self {
            Source::Timer => causes::TIMER.mask(),
            Source::Host => causes::COMMAND.mask() | causes::DATA.mask(),
            Source::Messages => causes::MESSAGE.mask(),
            Source::Mac => causes::RECEIVE.mask() | causes::TRANSMIT.mask(),
            Source::Dma => causes::DMA.mask(),
            Source::Error => causes::ERROR.mask(),
        };
        mask as u32
    }
}

/// Bits of `IRQ_STATUS` that mean something.
pub const ALL_CAUSES: u32 = 0xFF;

/// What starts a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// An interrupt.
    Interrupt,
    /// The kernel looks (66.8): whenever it idles, every [`Config::poll_period`], and when [`Kernel::poll`] is called.
    Poll,
    /// Interrupts while the load is low, polling while it is high.
    Adaptive {
        /// So many rounds, each within [`Config::poll_period`] of the one before, used up their budget: poll.
        full: u32,
        /// So many polls in a row found nothing: let it interrupt again.
        empty: u32,
    },
}

/// Where a round runs (66.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Where it is noticed. No context is switched.
    Interrupt,
    /// In the service thread, which has high priority: with interrupts enabled, and a budget at a time.
    Thread,
}

/// How a source is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What starts a round.
    pub mode: Mode,
    /// Where it runs.
    pub place: Place,
    /// Items of a round at most.
    pub budget: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self { mode: Mode::Interrupt, place: Place::Interrupt, budget: 16 }
    }
}

/// Why a policy was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyError {
    /// A budget of nothing, or a switch of modes after no rounds.
    Zero,
    /// The timer's functions are promised the interrupt level.
    TimerInThread,
    /// There is no room for the service thread.
    ServiceThread(SpawnError),
}

/// Empty rounds in a row after which a source that interrupts is polled until its cause is gone: a cause that stands for
/// nothing would leave no time for anything else.
pub const MOST_EMPTY_ROUNDS: u32 = 16;

/// How a source was served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// Rounds.
    pub rounds: u64,
    /// Items handled.
    pub items: u64,
    /// Rounds that used up their budget.
    pub full: u64,
    /// Rounds that found nothing.
    pub empty: u64,
    /// Changes from interrupts to polling.
    pub to_polling: u64,
    /// And back.
    pub to_interrupts: u64,
}

/// One source's state.
#[derive(Clone, Copy, Debug)]
struct Service {
    policy: Policy,
    /// Somebody handles its items.
    installed: bool,
    polled: bool,
    /// It waits for the service thread, or is there.
    in_thread: bool,
    /// Rounds in a row that speak for the other mode.
    streak: u32,
    empty_streak: u32,
    /// When the last round ended.
    last: u64,
    served: Served,
}

/// All sources. Knows no platform.
#[derive(Debug)]
pub(super) struct Sources {
    services: [Service; 6],
    /// Rounds that are further apart than this are not in a row.
    pause: u64,
}

impl Sources {
    pub fn new(config: &Config) -> Self {
        let service = Service {
            policy: config.policy,
            installed: true,
            polled: false,
            in_thread: false,
            streak: 0,
            empty_streak: 0,
            last: 0,
            served: Served::default(),
        };
        let mut sources = Self { services: [service; 6], pause: config.poll_period };
        sources.services[Source::Host as usize].installed = false;
        for source in [Source::Timer, Source::Error] {
            sources.services[source as usize].policy = Policy::default();
        }
        for source in Source::ALL {
            sources.set_policy(source, sources.policy(source));
        }
        sources
    }

    pub fn check(source: Source, policy: Policy) -> Result<(), PolicyError> {
        let hysteresis_is_zero =
            matches!(policy.mode, Mode::Adaptive { full: 0, .. } | Mode::Adaptive { empty: 0, .. });
        if policy.budget == 0 || hysteresis_is_zero {
            return Err(PolicyError::Zero);
        }
        if source == Source::Timer && policy.place == Place::Thread {
            return Err(PolicyError::TimerInThread);
        }
        Ok(())
    }

    pub fn policy(&self, source: Source) -> Policy {
        self.services[source as usize].policy
    }

    pub fn served(&self, source: Source) -> Served {
        self.services[source as usize].served
    }

    /// What is under way in the thread ends there; the next round goes by the new policy.
    pub fn set_policy(&mut self, source: Source, policy: Policy) {
        let service = &mut self.services[source as usize];
        service.policy = policy;
        service.polled = policy.mode == Mode::Poll;
        service.streak = 0;
        service.empty_streak = 0;
    }

    pub fn install(&mut self, source: Source) {
        self.services[source as usize].installed = true;
    }

    pub fn is_polled(&self, source: Source) -> bool {
        let service = &self.services[source as usize];
        service.installed && service.polled
    }

    pub fn polls(&self) -> bool {
        Source::ALL.into_iter().any(|source| self.is_polled(source))
    }

    /// It is to be looked at in a poll: nobody else is at it.
    pub fn may_poll(&self, source: Source) -> bool {
        self.is_polled(source) && !self.in_thread(source)
    }

    pub fn in_thread(&self, source: Source) -> bool {
        self.services[source as usize].in_thread
    }

    pub fn set_in_thread(&mut self, source: Source, in_thread: bool) {
        self.services[source as usize].in_thread = in_thread;
    }

    /// What IRQ_MASK is to be.
    pub fn mask(&self) -> u32 {
        let quiet = |source: &Source| {
            let service = &self.services[*source as usize];
            !service.installed || service.polled || service.in_thread
        };
        Source::ALL.into_iter().filter(quiet).map(Source::causes).fold(0, |mask, causes| mask | causes)
    }

    /// Counts a round that handled so many items, and decides between interrupts and polling.
    pub fn after_round(&mut self, source: Source, items: u32, now: u64) {
        let service = &mut self.services[source as usize];
        if now.saturating_sub(service.last) > self.pause && !service.polled {
            service.streak = 0;
            service.empty_streak = 0;
        }
        service.last = now;
        let full = items >= service.policy.budget;
        service.served.rounds += 1;
        service.served.items += u64::from(items);
        service.served.full += u64::from(full);
        service.served.empty += u64::from(items == 0);
        if service.polled {
            service.after_poll(items);
        } else {
            service.after_interrupt(items, full);
        }
    }

    /// A poll found its causes not set.
    pub fn after_silence(&mut self, source: Source) {
        let service = &mut self.services[source as usize];
        if service.policy.mode == Mode::Interrupt {
            service.let_interrupt();
        } else {
            service.after_poll(0);
        }
    }
}

impl Service {
    fn after_interrupt(&mut self, items: u32, full: bool) {
        self.empty_streak = if items == 0 { self.empty_streak + 1 } else { 0 };
        self.streak = if full { self.streak.saturating_add(1) } else { 0 };
        let loaded = matches!(self.policy.mode, Mode::Adaptive { full, .. } if self.streak >= full);
        if loaded || self.empty_streak >= MOST_EMPTY_ROUNDS {
            self.polled = true;
            self.streak = 0;
            self.served.to_polling += 1;
        }
    }

    fn after_poll(&mut self, items: u32) {
        let Mode::Adaptive { empty, .. } = self.policy.mode else { return };
        self.streak = if items == 0 { self.streak.saturating_add(1) } else { 0 };
        if self.streak >= empty {
            self.let_interrupt();
        }
    }

    fn let_interrupt(&mut self) {
        self.polled = false;
        self.streak = 0;
        self.empty_streak = 0;
        self.served.to_interrupts += 1;
    }
}

impl<P: Platform + 'static> Kernel<P> {
    /// How a source is served.
    pub fn policy(&self, source: Source) -> Policy {
        self.critical(|| self.sources.borrow().policy(source))
    }

    /// Whether a source is polled now.
    pub fn is_polled(&self, source: Source) -> bool {
        self.critical(|| self.sources.borrow().is_polled(source))
    }

    /// How a source was served.
    pub fn served(&self, source: Source) -> Served {
        self.critical(|| self.sources.borrow().served(source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adaptive(full: u32, empty: u32) -> Sources {
        let policy = Policy { mode: Mode::Adaptive { full, empty }, budget: 8, ..Policy::default() };
        Sources::new(&Config { policy, poll_period: 100, ..Config::default() })
    }

    /// Items of rounds that follow each other; after each, `P` if the MAC is polled then and `i` if it interrupts.
    fn modes(sources: &mut Sources, rounds: &[u32]) -> std::string::String {
        let mode = |&items: &u32| {
            sources.after_round(Source::Mac, items, 0);
            if sources.is_polled(Source::Mac) { 'P' } else { 'i' }
        };
        rounds.iter().map(mode).collect()
    }

    #[test]
    fn row_66_8_the_mode_changes_after_so_many_rounds_in_a_row_and_not_one_before() {
        let mut sources = adaptive(3, 4);
        assert_eq!(modes(&mut sources, &[8, 8, 7, 8, 8, 8]), "iiiiiP");
        assert_eq!(modes(&mut sources, &[0, 0, 0, 1, 0, 0, 0, 0]), "PPPPPPPi");
        assert_eq!(modes(&mut sources, &[8, 8, 9]), "iiP");
        // A cause that is not set counts like a round that finds nothing.
        for _ in 0..3 {
            sources.after_silence(Source::Mac);
            assert!(sources.is_polled(Source::Mac));
        }
        sources.after_silence(Source::Mac);
        assert!(!sources.is_polled(Source::Mac));
        let served = sources.served(Source::Mac);
        assert_eq!((served.to_polling, served.to_interrupts, served.items), (2, 2, 73));
    }

    #[test]
    fn rounds_that_are_far_apart_are_not_in_a_row() {
        let mut sources = adaptive(2, 2);
        for now in [1_000, 1_101, 1_202] {
            sources.after_round(Source::Mac, 8, now);
            assert!(!sources.is_polled(Source::Mac));
        }
        sources.after_round(Source::Mac, 8, 1_302);
        assert!(sources.is_polled(Source::Mac));
    }

    #[test]
    fn what_is_polled_waits_for_its_thread_or_has_no_handler_is_masked() {
        let mut sources = Sources::new(&Config::default());
        assert_eq!(sources.mask(), 0b0000_0110);
        sources.set_policy(Source::Mac, Policy { mode: Mode::Poll, ..Policy::default() });
        sources.set_in_thread(Source::Dma, true);
        sources.install(Source::Host);
        assert_eq!(sources.mask(), 0b0111_0000);
        assert!(sources.polls() && sources.may_poll(Source::Mac) && !sources.may_poll(Source::Dma));
        // One at a time.
        sources.set_in_thread(Source::Mac, true);
        assert!(sources.is_polled(Source::Mac) && !sources.may_poll(Source::Mac));
    }
}
