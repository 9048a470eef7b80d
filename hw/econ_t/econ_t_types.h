// Sizes and number formats of the ECON-T's autoencoder, from the input links to the output links.
//
// Every width is the smallest that holds every value the chip's registers and links can bring about,
// so that nothing wraps; the encoder's own formats are those that hls4ml was given.
#ifndef ECON_T_TYPES_H_
#define ECON_T_TYPES_H_

#include <ac_fixed.h>
#include <ac_int.h>

// Generation of the chip: 0 is the ECON-T-P1, 1 the production chip.
#ifndef ECON_T_PRODUCTION
#define ECON_T_PRODUCTION 0
#endif

namespace econ_t {

constexpr bool PRODUCTION = ECON_T_PRODUCTION;

constexpr int INPUT_LINKS = 12;
constexpr int CODES_PER_LINK = 4;
constexpr int CELLS = INPUT_LINKS * CODES_PER_LINK; // trigger cells of a module
constexpr int OUTPUT_LINKS = 13;

constexpr int IMAGE_SIDE = 8;
constexpr int PIXELS = IMAGE_SIDE * IMAGE_SIDE;
constexpr int FEATURES = 4 * 4 * 8;
constexpr int LATENTS = 16;
constexpr int CONV_WEIGHTS = 3 * 3 * 8;
constexpr int FILTERS = 8;
constexpr int DENSE_WEIGHTS = FEATURES * LATENTS;

// --- what the links carry -----------------------------------------------------------------------
constexpr int CODE_MANTISSA = 3;
constexpr int CODE_EXPONENT = 4;
constexpr int CODE_BITS = CODE_EXPONENT + CODE_MANTISSA;
typedef ac_int<CODE_BITS, false> charge_code_t;                   // one trigger cell, 4E3M
typedef ac_int<CODES_PER_LINK * CODE_BITS, false> input_link_t;   // a link word without its header
typedef ac_int<32, false> output_link_t;
typedef ac_int<12, false> crossing_t;                             // bunch crossing of an orbit of 3564

// --- registers ----------------------------------------------------------------------------------
typedef ac_int<6, false> select_t;   // which code feeds a trigger cell
typedef ac_int<12, false> factor_t;  // calibration, 2048 = 1
constexpr int FACTOR_FRACTION = 11;
typedef ac_fixed<6, 1, true> weight_t; // Q0.5: -1 to 31/32
typedef ac_int<4, false> etx_t;        // output links in use

// --- converter ----------------------------------------------------------------------------------
typedef ac_int<21, false> charge_t;           // 31 << (14 + 2) is the largest
typedef ac_int<22, false> calq_t;             // charge * 4095 / 2048
typedef ac_int<28, false> sum_t;              // 48 of them
typedef ac_int<5, false> position_t;          // of a bit of the sum
constexpr int MAX_SHIFT = 21;                 // highest bit of one charge
constexpr int SUM_MANTISSA = 4;
typedef ac_int<5 + SUM_MANTISSA, false> sum_code_t; // 5E4M

// --- encoder ------------------------------------------------------------------------------------
constexpr int INPUT_BITS = 8;
constexpr int INPUT_FRACTION = 7;
constexpr int LATENT_BITS = 9;
typedef ac_fixed<INPUT_BITS, 1, false> input_t;
typedef ac_fixed<LATENT_BITS, 1, false, AC_TRN, AC_SAT> latent_t;

// --- formatter ----------------------------------------------------------------------------------
constexpr int DATA_BITS = LATENTS * LATENT_BITS;
typedef ac_int<DATA_BITS, false> data_t; // latent 15 on top; the output mask has the same order
typedef ac_int<5, false> header_t;

} // namespace econ_t

#endif
