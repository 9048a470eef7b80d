// The encoder that hls4ml generated, on weights as the chip's registers hold them.
#ifndef ECON_T_ENCODER_H_
#define ECON_T_ENCODER_H_

#include "econ_t_types.h"
#include "econt_encoder.h"

namespace econ_t {

// Latents of one module.  Weights are in the order of the registers: convolution weights by row,
// column, filter; dense weights by output, input (the feature map by row, column, filter).
inline void encode(const input_t inputs[CELLS], weight_t conv_kernel[CONV_WEIGHTS],
                   weight_t conv_bias[FILTERS], const weight_t dense_kernel[DENSE_WEIGHTS],
                   weight_t dense_bias[LATENTS], latent_t latents[LATENTS]) {
    // the upper half of the image holds inputs 0 to 31, its lower left quadrant the others
    constexpr int HALF = IMAGE_SIDE / 2;
    input_t image[PIXELS];
#pragma hls_unroll yes
    for (int row = 0; row < IMAGE_SIDE; row++) {
#pragma hls_unroll yes
        for (int column = 0; column < IMAGE_SIDE; column++) {
            input_t &pixel = image[row * IMAGE_SIDE + column];
            if (row < HALF) pixel = inputs[row * IMAGE_SIDE + column];
            else if (column < HALF) pixel = inputs[PIXELS / 2 + (row - HALF) * HALF + column];
            else pixel = 0;
        }
    }
    // hls4ml has the dense weights by input, output: wires only
    weight_t by_input[DENSE_WEIGHTS];
#pragma hls_unroll yes
    for (int latent = 0; latent < LATENTS; latent++) {
#pragma hls_unroll yes
        for (int feature = 0; feature < FEATURES; feature++) {
            by_input[feature * LATENTS + latent] = dense_kernel[latent * FEATURES + feature];
        }
    }
    econt_encoder(image, latents, conv_kernel, conv_bias, by_input, dense_bias);
}

} // namespace econ_t

#endif
