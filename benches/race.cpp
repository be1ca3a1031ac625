// Runs the emitted and the hand-written classifier on one stimulus: `race compare FILE` holds their outputs against each
// other cycle by cycle, `race race FILE CYCLES ROUNDS` times each alone. Prints one JSON object.
//
// The stimulus is what src/bench/handwritten.rs writes: one record of 16 bytes a cycle (`Beat`), and behind a record that
// says so the new configuration in 44 bytes (`Configuration`).

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "Vemitted.h"
#include "Vhandwritten.h"
#include "verilated.h"

namespace {

enum Flag : uint8_t { kValid = 1, kFirst = 2, kLast = 4, kRetaWrite = 8, kConfigure = 16, kReset = 32 };

struct Beat {
    uint8_t flags;
    uint8_t bytes;
    uint8_t reta_write_index;
    uint8_t reta_write_entry;
    uint8_t reta_read_index;
    uint8_t reserved[3];
    uint64_t data;
};
static_assert(sizeof(Beat) == 16, "a record is 16 bytes");

struct Configuration {
    uint8_t use_toeplitz;
    uint8_t fragment_addresses;
    uint8_t chunk_bits;
    uint8_t hash_fields;
    uint8_t key[40];
};
static_assert(sizeof(Configuration) == 44, "a configuration is 44 bytes");

struct Stimulus {
    std::vector<Beat> beats;
    std::vector<Configuration> configurations;
};

[[noreturn]] void fail(const std::string& message) {
    std::fprintf(stderr, "%s\n", message.c_str());
    std::exit(2);
}

template <typename Record>
Record take(const std::vector<char>& bytes, size_t& at) {
    Record record;
    if (bytes.size() - at < sizeof record) fail("the stimulus ends within a record");
    std::memcpy(&record, &bytes[at], sizeof record);
    at += sizeof record;
    return record;
}

Stimulus read(const char* path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) fail(std::string(path) + ": cannot be read");
    const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
    Stimulus stimulus;
    for (size_t at = 0; at < bytes.size();) {
        stimulus.beats.push_back(take<Beat>(bytes, at));
        if (stimulus.beats.back().flags & kConfigure) {
            stimulus.configurations.push_back(take<Configuration>(bytes, at));
        }
    }
    if (stimulus.beats.empty()) fail("the stimulus is empty");
    return stimulus;
}

/// One model at its place in the stimulus.
template <typename Model>
class Runner {
public:
    explicit Runner(const Stimulus& stimulus) : stimulus_(stimulus) {}

    /// One cycle; starts again behind the last.
    void tick() {
        if (next_ == stimulus_.beats.size()) next_ = next_configuration_ = 0;
        const Beat& beat = stimulus_.beats[next_++];
        model_.reset = (beat.flags & kReset) != 0;
        model_.beat_valid = (beat.flags & kValid) != 0;
        model_.beat_first = (beat.flags & kFirst) != 0;
        model_.beat_last = (beat.flags & kLast) != 0;
        model_.beat_data = beat.data;
        model_.beat_bytes = beat.bytes;
        model_.reta_write = (beat.flags & kRetaWrite) != 0;
        model_.reta_write_index = beat.reta_write_index;
        model_.reta_write_entry = beat.reta_write_entry;
        model_.reta_read_index = beat.reta_read_index;
        if (beat.flags & kConfigure) configure(stimulus_.configurations[next_configuration_++]);
        model_.clock = 0;
        model_.eval();
        model_.clock = 1;
        model_.eval();
    }

    const Model& model() const { return model_; }

private:
    void configure(const Configuration& configuration) {
        model_.use_toeplitz = configuration.use_toeplitz;
        model_.fragment_addresses = configuration.fragment_addresses;
        model_.chunk_bits = configuration.chunk_bits;
        model_.hash_fields = configuration.hash_fields;
        // The key's first byte is the highest.
        for (int word = 0; word < 10; ++word) {
            const uint8_t* byte = configuration.key + 36 - 4 * word;
            model_.key[word] = uint32_t{byte[0]} << 24 | uint32_t{byte[1]} << 16 | uint32_t{byte[2]} << 8 | byte[3];
        }
    }

    VerilatedContext context_;
    Model model_{&context_};
    const Stimulus& stimulus_;
    size_t next_ = 0;
    size_t next_configuration_ = 0;
};

struct Outputs {
    bool valid;
    uint32_t processor, hash, frame_class, read_entry;
    bool headers_valid;
    uint32_t headers_class, ipv6, places;
};

template <typename Model>
Outputs outputs(const Model& model) {
    return {model.lookup_tvalid != 0, model.lookup_processor, model.lookup_hash, model.lookup_class,
            model.reta_read_entry,    model.headers_tvalid != 0, model.headers_class, model.headers_ipv6,
            model.headers_places};
}

void print(const char* name, const Outputs& o) {
    std::fprintf(stderr, "  %s: valid %d, processor %u, hash %08x, class %u, entry %u; headers %d, class %u, ipv6 %u, places %08x\n",
                 name, o.valid, o.processor, o.hash, o.frame_class, o.read_entry, o.headers_valid, o.headers_class, o.ipv6,
                 o.places);
}

int compare(const Stimulus& stimulus) {
    Runner<Vemitted> emitted(stimulus);
    Runner<Vhandwritten> hand_written(stimulus);
    uint64_t results = 0, mismatches = 0;
    for (size_t cycle = 0; cycle < stimulus.beats.size(); ++cycle) {
        emitted.tick();
        hand_written.tick();
        const Outputs e = outputs(emitted.model()), h = outputs(hand_written.model());
        // Nothing else means anything in a cycle without a result; places mean something only in IP, TCP, UDP and fragments.
        const bool has_places = e.headers_class >= 2 && e.headers_class <= 5;
        const bool same = e.valid == h.valid && e.read_entry == h.read_entry && e.headers_valid == h.headers_valid &&
                          (!e.valid || (e.processor == h.processor && e.hash == h.hash && e.frame_class == h.frame_class)) &&
                          (!e.headers_valid || (e.headers_class == h.headers_class && e.ipv6 == h.ipv6 &&
                                                (!has_places || e.places == h.places)));
        results += e.valid;
        if (!same && ++mismatches <= 3) {
            std::fprintf(stderr, "cycle %zu, result %llu:\n", cycle, static_cast<unsigned long long>(results));
            print("emitted", e);
            print("hand-written", h);
        }
    }
    std::printf("{\"cycles\": %zu, \"results\": %llu, \"mismatches\": %llu}\n", stimulus.beats.size(),
                static_cast<unsigned long long>(results), static_cast<unsigned long long>(mismatches));
    return mismatches != 0;
}

/// Cycles per second over `cycles` cycles.
template <typename Model>
double speed(Runner<Model>& runner, uint64_t cycles) {
    const auto begin = std::chrono::steady_clock::now();
    for (uint64_t cycle = 0; cycle < cycles; ++cycle) runner.tick();
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    return static_cast<double>(cycles) / taken.count();
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const size_t half = values.size() / 2;
    return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

int race(const Stimulus& stimulus, uint64_t cycles, int rounds) {
    const auto emitted = std::make_unique<Runner<Vemitted>>(stimulus);
    const auto hand_written = std::make_unique<Runner<Vhandwritten>>(stimulus);
    // Caches and branch predictors are warm before the first round.
    speed(*emitted, cycles / 4 + 1);
    speed(*hand_written, cycles / 4 + 1);
    std::vector<double> emitted_speeds, hand_written_speeds, ratios;
    for (int round = 0; round < rounds; ++round) {
        // What else the machine does hits both of a round, and each goes first in every other one.
        double e, h;
        if (round % 2) {
            h = speed(*hand_written, cycles);
            e = speed(*emitted, cycles);
        } else {
            e = speed(*emitted, cycles);
            h = speed(*hand_written, cycles);
        }
        emitted_speeds.push_back(e);
        hand_written_speeds.push_back(h);
        ratios.push_back(e / h);
    }
    std::printf("{\"emitted\": %.0f, \"hand_written\": %.0f, \"ratio\": %.4f, \"cycles\": %llu}\n",
                median(emitted_speeds), median(hand_written_speeds), median(ratios),
                static_cast<unsigned long long>(cycles * rounds));
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string mode = argc > 1 ? argv[1] : "";
    if (mode == "compare" && argc == 3) return compare(read(argv[2]));
    if (mode == "race" && argc == 5) {
        const uint64_t cycles = std::strtoull(argv[3], nullptr, 10);
        const int rounds = std::atoi(argv[4]);
        if (cycles > 0 && rounds > 0) return race(read(argv[2]), cycles, rounds);
    }
    fail("usage: race compare FILE | race race FILE CYCLES ROUNDS");
}
