// The ECON-T's autoencoder from input links to output links, its registers and weights as inputs.
#ifndef ECON_T_BLOCK_H_
#define ECON_T_BLOCK_H_

#include "econ_t_types.h"

// One module, one bunch crossing; no state is kept from one to the next.
//
//   links_in      link words without their headers, the first code in the lowest bits
//   crossing      number of the bunch crossing in its orbit, 0 to 3563
//   high_density  density of the module
//   mux           code that feeds each input of the encoder; 48 to 63: code 0.  The codes of a link
//                 are numbered from its lowest bits on, in the production chip from its highest
//   calibration   factor of each input, 2048 = 1
//   conv_kernel   by row, column, filter; as all weights in the order of the registers
//   dense_kernel  by output, input
//   etx           links in use; 0: none, 5 and more carry the same
//   output_mask   latent bits to be sent; the highest belongs to latent 15's highest
//   links_out     link words; those not in use are 0
void econ_t_block(econ_t::input_link_t links_in[econ_t::INPUT_LINKS], econ_t::crossing_t crossing,
                  bool high_density, econ_t::select_t mux[econ_t::CELLS],
                  econ_t::factor_t calibration[econ_t::CELLS],
                  econ_t::weight_t conv_kernel[econ_t::CONV_WEIGHTS],
                  econ_t::weight_t conv_bias[econ_t::FILTERS],
                  econ_t::weight_t dense_kernel[econ_t::DENSE_WEIGHTS],
                  econ_t::weight_t dense_bias[econ_t::LATENTS], econ_t::etx_t etx,
                  econ_t::data_t output_mask,
                  econ_t::output_link_t links_out[econ_t::OUTPUT_LINKS]);

#endif
