// What Verilator's trace writer uses of zlib, on top of a Rust crate: see compression.rs.
#pragma once

using Bytef = unsigned char;
using uLong = unsigned long;
using uLongf = uLong;

constexpr int Z_OK = 0;
constexpr int Z_BUF_ERROR = -5;

extern "C" {
uLong compressBound(uLong length);
int compress2(Bytef* target, uLongf* target_length, const Bytef* source, uLong length, int level);
}
