//! Prints the blocks that `scripts/prove` proves, each as small as its laws allow, into the folder that it is given.

use std::path::PathBuf;

use hdl::arbiter::Arbiter;
use hdl::emit::{Emitted, emit};
use hdl::frame_ledger::FrameLedger;
use hdl::frame_region::FrameRegion;
use hdl::interrupt_controller::InterruptController;
use hdl::memory_arbiter::MemoryArbiter;
use hdl::message_queue::MessageQueue;
use hdl::mfa_pair::MfaPair;
use hdl::mfa_queue::MfaQueue;
use hdl::queue::Queue;

fn main() {
    let folder = PathBuf::from(std::env::args_os().nth(1).expect("usage: formal FOLDER"));
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let designs = [
        emit(&mut Arbiter::new(5), "arbiter"),
        emit(&mut Queue::<8, 4, 5>::new(4), "queue"),
        emit(&mut Queue::<8, 4, 5>::with_late_pop(4), "late_queue"),
        emit(&mut FrameRegion::new(256), "frame_region"),
        emit(&mut FrameLedger::new(32), "frame_ledger"),
        emit(&mut MfaQueue::new(4), "mfa_queue"),
        emit(&mut MfaPair::new(4), "mfa_pair"),
        emit(&mut MemoryArbiter::<64, 8>::new(2), "memory_arbiter"),
        emit(&mut MessageQueue::new(2), "message_queue"),
        emit(&mut InterruptController::default(), "interrupt_controller"),
    ];
    for design in designs {
        let Emitted { top, verilog, .. } = design.expect("a block that a test emits");
        std::fs::write(folder.join(top).with_extension("v"), verilog).expect("the folder is writable");
    }
}
