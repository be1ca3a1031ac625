#include "cosim/src/bridge.rs.h"
#include "cosim/src/bridge/trace/lz4.h"
#include "cosim/src/bridge/trace/zlib.h"

namespace {

rust::Slice<const std::uint8_t> bytes(const void* data, std::size_t length) {
  return {static_cast<const std::uint8_t*>(data), length};
}

rust::Slice<std::uint8_t> room(void* data, std::size_t length) { return {static_cast<std::uint8_t*>(data), length}; }

}  // namespace

int LZ4_compressBound(int length) { return static_cast<int>(pointsman::lz4_bound(length)); }

int LZ4_compress_default(const char* source, char* target, int length, int capacity) {
  return static_cast<int>(pointsman::lz4_compress(bytes(source, length), room(target, capacity)));
}

uLong compressBound(uLong length) { return pointsman::zlib_bound(length); }

int compress2(Bytef* target, uLongf* target_length, const Bytef* source, uLong length, int level) {
  *target_length = pointsman::zlib_compress(bytes(source, length), room(target, *target_length), level);
  return *target_length ? Z_OK : Z_BUF_ERROR;
}
