// RTL bench: drives one Verilated design with vectors and register writes, and records what it answers.
//
// Compiled with the model `Vdesign`; the macros ECONT_INPUT, ECONT_INPUT_BITS, ECONT_OUTPUT and
// ECONT_OUTPUT_BITS name its data ports, ECONT_BUS tells that it has the register bus, ECONT_UPSETS
// that register bits can be flipped, ECONT_TRACE that it can write a waveform.
//
//   bench COMMANDS RESULTS [WAVEFORM FIRST LAST]
//
// COMMANDS is a file of records: a letter, a 32-bit count, then that many of
//   w  uint16 address, uint8 data       write one register byte each clock
//   r  uint16 address                   read one register byte each clock, to RESULTS/reads
//   v  uint8 gap, uint32 words...       feed one vector after `gap` idle clocks
//   i  (nothing)                        idle clocks
//   u  uint32 bit, uint8 length, name   flip one bit of a register copy, now
// All little endian; a data port is ceil(bits / 32) words, the lowest bits first. RESULTS is a folder:
//   fed       uint64 clock of each vector fed
//   answers   uint64 clock, uint32 words... of each clock with valid output
//   upsets    uint64 clock of each clock with the upset flag
// Clocks count from reset; inputs of clock n are set before its rising edge, outputs of clock n are
// sampled there too, so a design with k registers from input to output answers k clocks later.
// The waveform holds the clocks FIRST to LAST. Exit status 0 only if all commands were carried out;
// 3 for a faulty command file, 4 for results that cannot be written, 5 for an unknown register.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "Vdesign.h"
#include "verilated.h"
#ifdef ECONT_TRACE
#include "verilated_vcd_c.h"
#endif
#ifdef ECONT_UPSETS
#include "verilated_vpi.h"
#endif

namespace {

constexpr int words_of(int bits) { return (bits + 31) / 32; }
constexpr int INPUT_WORDS = words_of(ECONT_INPUT_BITS);
constexpr int OUTPUT_WORDS = words_of(ECONT_OUTPUT_BITS);
constexpr int RESET_CLOCKS = 4;

[[noreturn]] void fail(int status, const std::string &message) {
    std::fprintf(stderr, "%s\n", message.c_str());
    std::exit(status);
}

// --- ports of any width -------------------------------------------------------------------------
template <class T> void set_port(T &port, const uint32_t *words) {
    uint64_t value = words[0];
    if (sizeof(T) > 4) value |= uint64_t(words[1]) << 32;
    port = T(value);
}
template <size_t N> void set_port(VlWide<N> &port, const uint32_t *words) {
    for (size_t i = 0; i < N; i++) port[i] = words[i];
}
template <class T> void get_port(const T &port, uint32_t *words) {
    words[0] = uint32_t(port);
    if (sizeof(T) > 4) words[1] = uint32_t(uint64_t(port) >> 32);
}
template <size_t N> void get_port(const VlWide<N> &port, uint32_t *words) {
    for (size_t i = 0; i < N; i++) words[i] = port[i];
}

// --- files --------------------------------------------------------------------------------------
class Commands {
  public:
    explicit Commands(const char *path) : file_(std::fopen(path, "rb")) {
        if (!file_) fail(3, std::string("cannot open ") + path);
    }
    ~Commands() { std::fclose(file_); }
    bool next(char &letter, uint32_t &count) {
        if (std::fread(&letter, 1, 1, file_) != 1) return false;
        count = take<uint32_t>();
        return true;
    }
    template <class T> T take() {
        T value;
        take(&value, sizeof value);
        return value;
    }
    void take(void *target, size_t bytes) {
        if (std::fread(target, 1, bytes, file_) != bytes) fail(3, "the command file is truncated");
    }

  private:
    std::FILE *file_;
};

class Results {
  public:
    explicit Results(const std::string &path) : path_(path), file_(std::fopen(path.c_str(), "wb")) {
        if (!file_) fail(4, "cannot write " + path_);
    }
    ~Results() {
        if (std::fclose(file_) != 0) fail(4, "cannot write " + path_);
    }
    void put(const void *data, size_t bytes) {
        if (std::fwrite(data, 1, bytes, file_) != bytes) fail(4, "cannot write " + path_);
    }
    template <class T> void put(const T &value) { put(&value, sizeof value); }

  private:
    std::string path_;
    std::FILE *file_;
};

// --- the design and its clock -------------------------------------------------------------------
class Bench {
  public:
    Bench(VerilatedContext &context, const std::string &folder)
        : context_(context), model_(&context), fed_(folder + "/fed"), answers_(folder + "/answers"),
          upsets_(folder + "/upsets"), reads_(folder + "/reads") {}

    void trace(const char *path, uint64_t first, uint64_t last) {
#ifdef ECONT_TRACE
        model_.trace(&waveform_, 99);
        waveform_.open(path);
        if (!waveform_.isOpen()) fail(4, std::string("cannot write ") + path);
        first_traced_ = first;
        last_traced_ = last;
#else
        (void)first, (void)last;
        fail(3, std::string("built without waveforms, cannot write ") + path);
#endif
    }

    void reset() {
        model_.reset = 1;
        for (int i = 0; i < RESET_CLOCKS; i++) rise(false);
        model_.reset = 0;
        clock_ = 0;
    }

    void feed(uint32_t gap, const uint32_t *words) {
        for (uint32_t i = 0; i < gap; i++) idle();
        set_port(model_.ECONT_INPUT, words);
        std::memcpy(last_, words, sizeof last_);
        model_.valid_in = 1;
        fed_.put(clock_);
        rise();
        model_.valid_in = 0;
    }

    // what stands at the input without valid must not matter: show the complement of the last vector
    void idle() {
        uint32_t complement[INPUT_WORDS];
        for (int i = 0; i < INPUT_WORDS; i++) complement[i] = ~last_[i];
        if (ECONT_INPUT_BITS % 32) complement[INPUT_WORDS - 1] &= (1u << ECONT_INPUT_BITS % 32) - 1;
        set_port(model_.ECONT_INPUT, complement);
        rise();
    }

#ifdef ECONT_BUS
    void write(uint16_t address, uint8_t data) {
        model_.address = address;
        model_.write_data = data;
        model_.write = 1;
        idle();
        model_.write = 0;
    }
    void read(uint16_t address) {
        model_.address = address;
        idle();
        reads_.put(uint8_t(model_.read_data));
    }
#else
    void write(uint16_t, uint8_t) { fail(3, "the design has no register bus"); }
    void read(uint16_t) { fail(3, "the design has no register bus"); }
#endif

#ifdef ECONT_UPSETS
    void flip(const std::string &name, uint32_t bit) {
        vpiHandle handle = vpi_handle_by_name(const_cast<char *>(("TOP." + name).c_str()), nullptr);
        if (!handle) fail(5, "no register " + name);
        if (bit >= uint32_t(vpi_get(vpiSize, handle))) fail(5, "no such bit in register " + name);
        s_vpi_value value;
        value.format = vpiVectorVal;
        vpi_get_value(handle, &value);
        std::vector<s_vpi_vecval> words(value.value.vector,
                                        value.value.vector + (vpi_get(vpiSize, handle) + 31) / 32);
        words[bit / 32].aval ^= 1u << bit % 32;
        value.value.vector = words.data();
        vpi_put_value(handle, &value, nullptr, vpiNoDelay);
        vpi_release_handle(handle);
    }
#else
    void flip(const std::string &name, uint32_t) { fail(5, "built without upsets: " + name); }
#endif

    ~Bench() {
        model_.final();
#ifdef ECONT_TRACE
        waveform_.close();
#endif
    }

  private:
    // one clock: settle, sample, rising edge
    void rise(bool sample = true) {
        model_.clock = 0;
        model_.eval();
        dump(2 * clock_);
        if (sample) {
            if (model_.valid_out) {
                uint32_t words[OUTPUT_WORDS];
                get_port(model_.ECONT_OUTPUT, words);
                answers_.put(clock_);
                answers_.put(words, sizeof words);
            }
#ifdef ECONT_BUS
            if (model_.upset) upsets_.put(clock_);
#endif
        }
        model_.clock = 1;
        model_.eval();
        dump(2 * clock_ + 1);
        clock_++;
    }

    void dump(uint64_t time) {
#ifdef ECONT_TRACE
        if (waveform_.isOpen() && clock_ >= first_traced_ && clock_ <= last_traced_)
            waveform_.dump(time);
#else
        (void)time;
#endif
    }

    VerilatedContext &context_;
    Vdesign model_;
    Results fed_, answers_, upsets_, reads_;
    uint64_t clock_ = 0;
    uint32_t last_[INPUT_WORDS] = {};
#ifdef ECONT_TRACE
    VerilatedVcdC waveform_;
    uint64_t first_traced_ = 0, last_traced_ = 0;
#endif
};

void run(Bench &bench, Commands &commands) {
    char letter;
    uint32_t count;
    while (commands.next(letter, count)) {
        for (uint32_t i = 0; i < count; i++) {
            switch (letter) {
            case 'w': {
                const auto address = commands.take<uint16_t>();
                bench.write(address, commands.take<uint8_t>());
                break;
            }
            case 'r': bench.read(commands.take<uint16_t>()); break;
            case 'v': {
                const auto gap = commands.take<uint8_t>();
                uint32_t words[INPUT_WORDS];
                commands.take(words, sizeof words);
                bench.feed(gap, words);
                break;
            }
            case 'i': bench.idle(); break;
            case 'u': {
                const auto bit = commands.take<uint32_t>();
                std::string name(commands.take<uint8_t>(), '\0');
                commands.take(&name[0], name.size());
                bench.flip(name, bit);
                break;
            }
            default: fail(3, std::string("unknown command '") + letter + "'");
            }
        }
    }
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 3 && argc != 6) fail(3, "usage: bench COMMANDS RESULTS [WAVEFORM FIRST LAST]");
    VerilatedContext context;
    context.traceEverOn(argc == 6);
    Commands commands(argv[1]);
    Bench bench(context, argv[2]);
    if (argc == 6) bench.trace(argv[3], std::stoull(argv[4]), std::stoull(argv[5]));
    bench.reset();
    run(bench, commands);
    return 0;
}
