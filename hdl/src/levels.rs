//! The levels of a free and a post queue in one register word.
//!
//! | port     | dir | width | meaning                                          |
//! |----------|-----|-------|--------------------------------------------------|
//! | `free`   | in  | 11    | entries of the free queue                        |
//! | `posted` | in  | 11    | entries of the post queue                        |
//! | `value`  | out | 32    | FREE in bits 10:0, POSTED in bits 26:16          |
//!
//! Combinational.

use rust_hdl_core::prelude::*;

/// The word, lowest field first.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct Word {
    free: Bits<11>,
    reserved: Bits<5>,
    posted: Bits<11>,
    unused: Bits<5>,
}

/// See the module's page.
#[derive(LogicBlock, Default)]
pub struct Levels {
    pub free: Signal<In, Bits<11>>,
    pub posted: Signal<In, Bits<11>>,
    pub value: Signal<Out, Bits<32>>,
    word: Signal<Local, Word>,
}

impl Logic for Levels {
    #[hdl_gen]
    fn update(&mut self) {
        self.word.next.free = self.free.val();
        self.word.next.reserved = 0.into();
        self.word.next.posted = self.posted.val();
        self.word.next.unused = 0.into();
        self.value.next = self.word.val().into();
    }
}
