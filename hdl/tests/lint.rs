//! Verilator finds nothing to complain about in the emitted queues, messages and interrupts, whatever their size.

use std::path::{Path, PathBuf};
use std::process::Command;

use hdl::emit::{Emitted, emit};

/// `VERILATOR_ROOT`, or what `make setup` puts into the workspace.
fn verilator_root() -> PathBuf {
    if let Some(root) = std::env::var_os("VERILATOR_ROOT") {
        return root.into();
    }
    let libraries = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/venv/lib");
    let found = std::fs::read_dir(&libraries).into_iter().flatten().flatten();
    let mut roots = found.map(|entry| entry.path().join("site-packages/verilator"));
    let root = roots.find(|path| path.join("bin/verilator_bin").is_file());
    root.unwrap_or_else(|| panic!("no Verilator below {}: run `make setup`", libraries.display()))
}

fn lint(designs: &[Emitted]) {
    let root = verilator_root();
    let mut complaints = String::new();
    for design in designs {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.v", design.top));
        std::fs::write(&file, &design.verilog).expect("the target folder is writable");
        let output = Command::new(root.join("bin/verilator_bin"))
            .env("VERILATOR_ROOT", &root)
            .args(["--lint-only", "-Wall", "-Wno-DECLFILENAME", "--top-module", &design.top])
            .arg(&file)
            .output()
            .expect("Verilator starts");
        complaints += &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() || !output.stderr.is_empty(), "Verilator fails without a word");
    }
    assert!(complaints.is_empty(), "{complaints}");
}

macro_rules! blocks {
    ($($name:literal: $block:expr),+ $(,)?) => { [$(emit(&mut $block, $name).expect($name)),+] };
}

#[test]
fn queues_have_no_warnings() {
    use hdl::{delay_line, frame_gate, frame_ledger, frame_region, mfa_pair, mfa_queue, mfa_queues, queue};
    lint(&blocks![
        "delay_line": delay_line::DelayLine::<9>::new(3),
        "queue_whole": queue::Queue::<24, 5, 6>::default(),
        "queue_small": queue::Queue::<24, 5, 6>::new(4),
        "frame_region_inbound": frame_region::FrameRegion::new(16, true),
        "frame_region_outbound": frame_region::FrameRegion::new(1024, false),
        "frame_ledger_small": frame_ledger::FrameLedger::new(16),
        "frame_ledger_large": frame_ledger::FrameLedger::new(1024),
        "frame_gate_filler": frame_gate::FrameGate::new(256, true, frame_gate::Side::Filler),
        "mfa_queue_256": mfa_queue::MfaQueue::new(256),
        "mfa_pair_inbound": mfa_pair::MfaPair::new(16, true),
        "mfa_pair_outbound": mfa_pair::MfaPair::new(1024, false),
        "mfa_queues_2": mfa_queues::MfaQueues::new(2, 16),
        "mfa_queues_16": mfa_queues::MfaQueues::new(16, 256),
    ]);
}

#[test]
fn messages_and_interrupts_have_no_warnings() {
    use hdl::{interrupt_controller, message_queue, msix, msix_vector};
    lint(&blocks![
        "interrupt_controller": interrupt_controller::InterruptController::default(),
        "msix_vector": msix_vector::MsixVector::default(),
        "msix_8": msix::Msix::new(8),
        "msix_36": msix::Msix::new(36),
        "message_queue_2": message_queue::MessageQueue::new(2),
        "message_queue_5": message_queue::MessageQueue::new(5),
        "message_queue_16": message_queue::MessageQueue::new(16),
    ]);
}
