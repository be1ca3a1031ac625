// What Rust sees of a verilated card. The card's own types stay behind it: see model.h.
#pragma once

#include <cstdint>
#include <memory>

#include "rust/cxx.h"

namespace pointsman {

struct Inputs;
struct Outputs;

class Model {
 public:
  virtual ~Model() = default;

  // One clock cycle. Throws what Verilator calls fatal.
  virtual void tick(const Inputs& inputs, Outputs& outputs) = 0;

  // `cycles` ticks over `inputs`, again from its start when it ends; the digest of every output.
  virtual std::uint64_t replay(rust::Slice<const Inputs> inputs, std::uint64_t cycles) = 0;

  // Replaces a trace that is open.
  virtual void start_trace(rust::Str path) = 0;
  virtual void stop_trace() = 0;

  virtual std::uint64_t cycles() const = 0;
};

// `preset` is one of those the build script listed; any other throws.
std::unique_ptr<Model> make_model(rust::Str preset);

}  // namespace pointsman
