// C-simulation bench: runs the generated HLS C++ of one network on float32 vectors.
//
// Compiled together with the project's own source, which it includes.  Macros name the design:
// ECONT_HEADER, ECONT_SOURCE, ECONT_WEIGHTS (a file that includes every weight header),
// ECONT_WEIGHTS_DIR, ECONT_TOP, ECONT_INPUT_PORTS (calls its argument with name, type and count of
// each), ECONT_INPUT_ARGUMENTS, ECONT_INPUTS (numbers in all), ECONT_OUTPUT_T, ECONT_OUTPUTS;
// ECONT_AC_TYPES for Algorithmic C types (else Xilinx's), ECONT_STREAM for io_stream.
//
//   bench          stdin: float32 vectors (ECONT_INPUTS each); stdout: int64 output codes
//   bench trace    the same input; stdout: one text line a layer and vector, "name code code ..."
//   bench ... text read the weights from the project's .txt files instead of its headers
//
// A code is the raw bit pattern of a fixed-point number, sign-extended.  Exit status 0 only if every
// vector of the input was answered; 3 for a truncated input, 4 where output cannot be written.
#include <cstdint>
#include <cstdio>
#include <string>
#include <unistd.h>
#include <vector>

#include ECONT_HEADER
#include "firmware/nnet_utils/nnet_helpers.h"

// Simulate what would be synthesised: the arrays initialised in the weight headers, which hls4ml
// shows to the synthesis tool only.
#define __SYNTHESIS__
#include ECONT_WEIGHTS
#undef __SYNTHESIS__

namespace bench {

bool tracing = false;
bool weights_from_text = false;
FILE *answers = nullptr; // the original stdout; what the design itself prints goes to stderr

// --- raw bits of either family of fixed-point types ---------------------------------------------
#ifdef ECONT_AC_TYPES
template <int W, int I, bool S, ac_q_mode Q, ac_o_mode O>
int64_t code(const ac_fixed<W, I, S, Q, O> &x) {
    static_assert(W <= 62, "codes are held in 64 bits");
    return x.template slc<W>(0).to_int64();
}
template <int W, bool S> int64_t code(const ac_int<W, S> &x) { return x.to_int64(); }
template <class T> using stream = ac_channel<T>;
#else
template <int W, int I, bool S, ap_q_mode Q, ap_o_mode O, int N>
int64_t code(const ap_fixed_base<W, I, S, Q, O, N> &x) {
    static_assert(W <= 62, "codes are held in 64 bits");
    return ap_int_base<W, S>(x.range(W - 1, 0)).to_int64();
}
template <int W, bool S> int64_t code(const ap_int_base<W, S> &x) { return x.to_int64(); }
template <class T> using stream = hls::stream<T>;
#endif

// --- arrays (io_parallel) and streams of packs (io_stream) behind one face ----------------------
template <class T> void feed(const float *values, size_t count, T *port) {
    for (size_t i = 0; i < count; i++) port[i] = T(double(values[i]));
}
template <class T> void feed(const float *values, size_t count, stream<T> &port) {
    for (size_t i = 0; i < count; i += T::size) {
        T pack;
        for (size_t j = 0; j < T::size; j++)
            pack[j] = typename T::value_type(double(values[i + j]));
        port.write(pack);
    }
}
template <class T> void collect(T *port, size_t count, int64_t *codes) {
    for (size_t i = 0; i < count; i++) codes[i] = code(port[i]);
}
template <class T> void collect(stream<T> &port, size_t count, int64_t *codes) {
    for (size_t i = 0; i < count; i += T::size) {
        T pack = port.read();
        for (size_t j = 0; j < T::size; j++) codes[i + j] = code(pack[j]);
    }
}

void print_layer(const char *name, const std::vector<int64_t> &codes) {
    std::fprintf(answers, "%s", name);
    for (int64_t c : codes) std::fprintf(answers, " %lld", static_cast<long long>(c));
    std::fprintf(answers, "\n");
}

} // namespace bench

// The hooks that hls4ml's code calls, led here by the macros below: layer outputs to the trace, and
// weights from text only where asked.
namespace nnet {
template <class T> void bench_trace(T *port, const char *name, size_t count) {
    if (!bench::tracing) return;
    std::vector<int64_t> codes(count);
    bench::collect(port, count, codes.data());
    bench::print_layer(name, codes);
}
template <class T> void bench_trace(bench::stream<T> &port, const char *name, size_t count) {
    if (!bench::tracing) return;
    std::vector<int64_t> codes(count);
    for (size_t i = 0; i < count; i += T::size) {
        T pack = port.read();
        for (size_t j = 0; j < T::size; j++) codes[i + j] = bench::code(pack[j]);
        port.write(pack);
    }
    bench::print_layer(name, codes);
}
template <class T, size_t N> void bench_load(T *weights, const char *file) {
    if (bench::weights_from_text) load_weights_from_txt<T, N>(weights, file);
}
template <class T, size_t N> void bench_load_compressed(T *weights, const char *file) {
    if (bench::weights_from_text) load_compressed_weights_from_txt<T, N>(weights, file);
}
template <class T, size_t N> void bench_load_exponent(T *weights, const char *file) {
    if (bench::weights_from_text) load_exponent_weights_from_txt<T, N>(weights, file);
}
} // namespace nnet
#define save_layer_output bench_trace
#define load_weights_from_txt bench_load
#define load_compressed_weights_from_txt bench_load_compressed
#define load_exponent_weights_from_txt bench_load_exponent
#include ECONT_SOURCE

const char *get_weights_dir() { return ECONT_WEIGHTS_DIR; } // Catapult

#ifdef ECONT_STREAM
#define ECONT_DECLARE(name, type, count) static bench::stream<type> port_##name;
typedef bench::stream<ECONT_OUTPUT_T> output_port;
#else
#define ECONT_DECLARE(name, type, count) static type port_##name[count];
typedef ECONT_OUTPUT_T output_port[ECONT_OUTPUTS];
#endif
#define ECONT_FEED(name, type, count) \
    bench::feed(next, count, port_##name); \
    nnet::bench_trace(port_##name, #name, count); \
    next += count;
ECONT_INPUT_PORTS(ECONT_DECLARE)

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        const std::string word = argv[i];
        if (word == "trace") bench::tracing = true;
        else if (word == "text") bench::weights_from_text = true;
        else return std::fprintf(stderr, "unknown argument '%s'\n", argv[i]), 2;
    }
    bench::answers = fdopen(dup(STDOUT_FILENO), "wb");
    if (!bench::answers || dup2(STDERR_FILENO, STDOUT_FILENO) < 0) return 4;
    static float values[ECONT_INPUTS];
    static int64_t codes[ECONT_OUTPUTS];
    static output_port output;
    size_t bytes;
    while ((bytes = std::fread(values, 1, sizeof values, stdin)) == sizeof values) {
        const float *next = values;
        ECONT_INPUT_PORTS(ECONT_FEED)
        ECONT_TOP(ECONT_INPUT_ARGUMENTS, output);
        bench::collect(output, ECONT_OUTPUTS, codes);
        if (!bench::tracing && std::fwrite(codes, sizeof codes, 1, bench::answers) != 1) return 4;
    }
    if (bytes != 0) return std::fprintf(stderr, "the last vector is incomplete\n"), 3;
    return std::fclose(bench::answers) == 0 ? 0 : 4;
}
