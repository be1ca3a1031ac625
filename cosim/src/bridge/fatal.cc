// Verilator ends the process where a model cannot go on. A test run, or a sweep over many models, must outlive one of
// them, so that the bridge turns it into an exception, and Rust sees an error.
#include <stdexcept>
#include <string>

#include "verilated.h"

void vl_fatal(const char* file, int line, const char* hierarchy, const char* message) {
  std::string text = message;
  if (hierarchy && hierarchy[0]) text += std::string(" in ") + hierarchy;
  if (file && file[0]) text += std::string(" (") + file + ":" + std::to_string(line) + ")";
  throw std::runtime_error(text);
}
