// What Verilator's trace writer uses of LZ4, on top of a Rust crate: see compression.rs.
#pragma once

extern "C" {
int LZ4_compressBound(int length);
int LZ4_compress_default(const char* source, char* target, int length, int capacity);
}
