// From the input links to the encoder's inputs: select, decode, calibrate, sum, normalise.
#ifndef ECON_T_CONVERTER_H_
#define ECON_T_CONVERTER_H_

#include "econ_t_types.h"

namespace econ_t {

// The charge that a 4E3M code stands for: the centre of the code's bin, raised by the bits that the
// front end cut off, three on a high-density module and one on a low-density module.
inline charge_t decode(charge_code_t code, bool high_density) {
    const ac_int<CODE_EXPONENT, false> exponent = code.slc<CODE_EXPONENT>(CODE_MANTISSA);
    const bool normal = exponent != 0; // a leading one stands in front of the mantissa
    // leading one, mantissa, half a bin: the half is the bit that a low-density module lacks
    ac_int<CODE_MANTISSA + 2, false> significand = 1;
    significand.set_slc(1, code.slc<CODE_MANTISSA>(0));
    significand[CODE_MANTISSA + 1] = normal;
    const ac_int<CODE_EXPONENT, false> shift = normal ? ac_int<CODE_EXPONENT, false>(exponent - 1)
                                                      : ac_int<CODE_EXPONENT, false>(0);
    const charge_t charge = charge_t(significand) << shift;
    return high_density ? charge_t(charge << 2) : charge;
}

// Calibrated charges in the order of the encoder's inputs.
inline void calibrate(const input_link_t links[INPUT_LINKS], bool high_density,
                      const select_t mux[CELLS], const factor_t calibration[CELLS],
                      calq_t calq[CELLS]) {
    // as many codes as `mux` can select: those beyond the links are 0
    charge_code_t codes[1 << select_t::width];
#pragma hls_unroll yes
    for (int i = 0; i < 1 << select_t::width; i++) {
        codes[i] = 0;
        if (i < CELLS) {
            // the first code of a link is in its lowest bits, in the production chip in its highest
            const int place = i % CODES_PER_LINK;
            codes[i] = links[i / CODES_PER_LINK].slc<CODE_BITS>(
                CODE_BITS * (PRODUCTION ? CODES_PER_LINK - 1 - place : place));
        }
    }
#pragma hls_unroll yes
    for (int cell = 0; cell < CELLS; cell++) {
        const charge_t charge = decode(codes[mux[cell]], high_density);
        const auto product = charge * calibration[cell];
        calq[cell] = product.slc<calq_t::width>(FACTOR_FRACTION); // a floor
    }
}

// A sum as a 5E4M code, which keeps the four bits after the leading one.
inline sum_code_t encode_sum(sum_t sum, position_t leading) {
    if (leading < SUM_MANTISSA) return sum.slc<sum_code_t::width>(0); // small sums are exact
    // exponent 1 stands for a leading one at bit 4; the largest is 24, so nothing saturates
    const position_t exponent = leading - (SUM_MANTISSA - 1);
    const sum_t aligned = sum >> position_t(exponent - 1);
    sum_code_t code = aligned.slc<SUM_MANTISSA>(0);
    code.set_slc(SUM_MANTISSA, exponent);
    return code;
}

// Module sum as its code, and the charges divided by the power of two at or below the sum.
inline void normalise(const calq_t calq[CELLS], input_t inputs[CELLS], sum_code_t &sum_code) {
    sum_t sum = 0;
#pragma hls_unroll yes
    for (int cell = 0; cell < CELLS; cell++) sum += calq[cell];

    bool empty;
    const auto zeros = sum.leading_sign(empty);
    const position_t leading = empty ? position_t(0) : position_t(sum_t::width - 1 - zeros);
    sum_code = encode_sum(sum, leading);

    const position_t shift = leading > MAX_SHIFT ? position_t(MAX_SHIFT) : leading;
#pragma hls_unroll yes
    for (int cell = 0; cell < CELLS; cell++) {
        // One shift left, then right: a floor.  No charge exceeds the sum, which is below
        // 2**(shift + 1) unless the shift is limited, and then no charge has a higher bit: the
        // result fits.
        ac_int<calq_t::width + INPUT_FRACTION, false> scaled = calq[cell];
        scaled = (scaled << INPUT_FRACTION) >> shift;
        inputs[cell].set_slc(0, scaled.slc<INPUT_BITS>(0));
    }
}

} // namespace econ_t

#endif
