//! The net kernel's operating system part on a processor and a card that are both models: what is promised in rows 66.2 to 66.8
//! and 68.3 to 68.5, as far as it is software's.

use std::cell::RefCell;
use std::rc::Rc;

use soft_cores::kernel::startup::Config;

mod card;
mod drivers;
mod interrupts;
mod machine;
mod messages;
mod model;
mod scheduling;
mod socket_memory;
mod startup;
mod synchronization;
mod timing;

use card::{Card, World};
use machine::{FREE, Machine, Native, Setup};
use soft_cores::kernel::Kernel;
use soft_cores::platform::Platform;

type K = Kernel<Native>;

const IN_POST: u32 = 0x090;

/// A processor whose accesses and switches take time, the first of four.
fn machine(seed: u64, config: Config) -> Machine {
    Machine::new(Card::new(0, 4), Setup::new(seed), config).unwrap()
}

/// A machine on which software takes no time but for what it works.
fn free_machine() -> Machine {
    let setup = Setup { costs: FREE, ..Setup::new(1) };
    Machine::new(Card::new(0, 4), setup, Config::default()).unwrap()
}

/// Messages of the host do this: the number in the MFA, without the kind bits.
fn on_host(machine: &Machine, function: impl Fn(&K, u32) + 'static) {
    machine.kernel.on_host(move |kernel, budget| {
        let mut handled = 0;
        while handled < budget {
            let mfa = kernel.platform().read(IN_POST);
            if mfa == u32::MAX {
                break;
            }
            function(kernel, mfa >> 2);
            handled += 1;
        }
        handled
    });
}

fn ring(machine: &Machine, cycle: u64, number: u32) {
    machine.native.card(|card| card.plan(cycle, World::Host(number << 2 | 1)));
}

/// Seeds of a random test: so many, or the one in POINTSMAN_SEED. Tests name the seed when they fail.
fn seeds(count: u64) -> Vec<u64> {
    match std::env::var("POINTSMAN_SEED") {
        Ok(seed) => vec![seed.parse().expect("POINTSMAN_SEED is a number")],
        Err(_) => (0..count).collect(),
    }
}

/// What happened, in order.
#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    fn note(&self, what: impl Into<String>) {
        self.0.borrow_mut().push(what.into());
    }

    fn text(&self) -> String {
        self.0.borrow().join(", ")
    }
}
