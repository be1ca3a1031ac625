//! A processor's interrupts: eight causes in one status register, its mask, its timer, one line to the processor.
//!
//! A cause that is high in any cycle sets its status bit, and the bit stays until it is acknowledged. An acknowledge never beats a cause of
//! the same cycle, so a cause is never lost; one that is still high after the acknowledge sets its bit again.
//!
//! | port      | dir | width | meaning                                                                                      |
//! |-----------|-----|-------|----------------------------------------------------------------------------------------------|
//! | `cause`   | in  | 8     | levels or pulses; bit 0 is not used here (the timer's): see [`Cause`]                        |
//! | `ack`     | in  | 8     | clear these status bits                                                                      |
//! | `mask`    | in  | 8     | these causes do not interrupt; their status is kept all the same                             |
//! | `time`    | in  | 64    | the card's cycle counter                                                                     |
//! | `compare` | in  | 64    | the timer's cause is high while `time` >= `compare`                                          |
//! | `rearm`   | in  | 1     | `compare` is about to change: the timer's cause is low for the next [`TIMER_LATENCY`] cycles |
//! | `status`  | out | 8     | causes not yet acknowledged; reset value 0                                                   |
//! | `irq`     | out | 1     | one of them is not masked; reset value 0                                                     |
//!
//! Latency: one cycle from `cause` to `status`, one more to `irq`; [`TIMER_LATENCY`] cycles from `time` to the timer's cause.
//! Implements: ¶66.2 (interrupt controller; status, mask and acknowledge are registers), the timer of ¶66.3.

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

/// Cycles from `time` and `compare` to the timer's cause: compare the halves, join them.
pub const TIMER_LATENCY: usize = 2;
