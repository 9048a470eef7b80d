// Codes that one of the C++ fixed-point types gives for doubles: the yardstick of
// test_fixed_point.py, which generates cases.inc: one CASE(type) a format, in its order.
// stdin: doubles; stdout: for each format the int64 codes of all of them.
#include <cstdint>
#include <cstdio>
#include <vector>
#ifdef AC_TYPES
#include <ac_fixed.h>
template <int W, int I, bool S, ac_q_mode Q, ac_o_mode O>
int64_t code(const ac_fixed<W, I, S, Q, O> &x) { return x.template slc<W>(0).to_int64(); }
#else
#include <ap_fixed.h>
template <int W, int I, bool S, ap_q_mode Q, ap_o_mode O, int N>
int64_t code(const ap_fixed_base<W, I, S, Q, O, N> &x) {
    return ap_int_base<W, S>(x.range(W - 1, 0)).to_int64();
}
#endif

template <class T> void answer(const std::vector<double> &values) {
    std::vector<int64_t> codes;
    for (double value : values) codes.push_back(code(T(SOURCE(value))));
    std::fwrite(codes.data(), sizeof(int64_t), codes.size(), stdout);
}

int main() {
    std::vector<double> values;
    double value;
    while (std::fread(&value, sizeof value, 1, stdin) == 1) values.push_back(value);
#define CASE(...) answer<__VA_ARGS__>(values);
#include "cases.inc"
}
