//! The verilated card with its host, in one clock. What stands at the other ports sets [`Rig::inputs`] before a cycle and looks at
//! [`Rig::outputs`] after it.

use std::path::Path;

use abi::limits::RESET_CYCLES;
use abi::params::NicParams;

use crate::bridge::{BridgeError, Inputs, Nic, Outputs};
use crate::root_complex::{Config, RootComplex, Violation};
use crate::tlp::Beat;

/// The registers' BAR.
pub const REGISTERS: u8 = 0;
/// The BAR of the processors' memories.
pub const MEMORIES: u8 = 2;

/// See the module's page.
pub struct Rig {
    nic: Nic,
    params: NicParams,
    /// The host.
    pub host: RootComplex,
    /// What goes to the card in the next cycle, the host's part excepted.
    pub inputs: Inputs,
    /// What the card did in the last cycle.
    pub outputs: Outputs,
    cycle: u64,
}

impl Rig {
    /// A card that has been reset, and a host that behaves like that.
    ///
    /// # Errors
    /// The preset is not built in.
    pub fn new(params: NicParams, host: Config) -> Result<Self, RigError> {
        let host = RootComplex::new(Config { beat_bytes: params.beat_bytes(), ..host });
        let nic = Nic::new(&params.to_string())?;
        let mut rig = Self { nic, params, host, inputs: Inputs::default(), outputs: Outputs::default(), cycle: 0 };
        rig.inputs.tx_tready = true;
        rig.reset()?;
        Ok(rig)
    }

    /// Resets the card.
    ///
    /// # Errors
    /// The model stopped.
    pub fn reset(&mut self) -> Result<(), RigError> {
        self.inputs.reset = true;
        for _ in 0..RESET_CYCLES {
            self.nic.tick(&self.inputs, &mut self.outputs)?;
            self.cycle += 1;
        }
        self.inputs.reset = false;
        Ok(())
    }

    /// The card's parameters.
    pub fn params(&self) -> NicParams {
        self.params
    }

    /// Cycles since the first reset began.
    pub fn cycles(&self) -> u64 {
        self.cycle
    }

    /// Writes a waveform from now on.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn trace_to(&mut self, file: &Path) -> Result<(), RigError> {
        Ok(self.nic.trace_to(file)?)
    }

    /// One clock cycle.
    ///
    /// # Errors
    /// The card broke a rule towards the host, or the model stopped.
    pub fn tick(&mut self) -> Result<(), RigError> {
        let drive = self.host.drive(self.cycle);
        self.inputs.tlp_tx_tready = drive.tx_ready;
        self.inputs.tlp_rx_tvalid = drive.rx.is_some();
        if let Some(beat) = drive.rx {
            self.inputs.tlp_rx_tlast = beat.last;
            self.inputs.tlp_rx_tbar = beat.bar;
            self.inputs.tlp_rx_theader = beat.header;
            self.inputs.tlp_rx_tdata = beat.data;
        }
        self.nic.tick(&self.inputs, &mut self.outputs)?;
        let out = &self.outputs;
        let mut beat = None;
        if out.tlp_tx_tvalid {
            // Words beyond the card's width keep what they held.
            let mut data = [0; 8];
            let words = self.params.width() / 64;
            data[..words].copy_from_slice(&out.tlp_tx_tdata[..words]);
            beat = Some(Beat { header: out.tlp_tx_theader, data, bar: 0, last: out.tlp_tx_tlast });
        }
        self.host.sample(self.cycle, out.tlp_rx_tready, beat.as_ref())?;
        self.cycle += 1;
        Ok(())
    }
}

/// Why a run cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum RigError {
    /// The verilated model.
    #[error(transparent)]
    Bridge(#[from] BridgeError),
    /// The card broke a rule of PCIe.
    #[error(transparent)]
    Host(#[from] Violation),
}
