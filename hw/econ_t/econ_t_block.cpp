#include "econ_t_block.h"

#include "converter.h"
#include "encoder.h"
#include "formatter.h"

#include <mc_scverify.h>

// one module each clock
#pragma hls_design top
#pragma hls_pipeline_init_interval 1
void CCS_BLOCK(econ_t_block)(econ_t::input_link_t links_in[econ_t::INPUT_LINKS],
                             econ_t::crossing_t crossing, bool high_density,
                             econ_t::select_t mux[econ_t::CELLS],
                             econ_t::factor_t calibration[econ_t::CELLS],
                             econ_t::weight_t conv_kernel[econ_t::CONV_WEIGHTS],
                             econ_t::weight_t conv_bias[econ_t::FILTERS],
                             econ_t::weight_t dense_kernel[econ_t::DENSE_WEIGHTS],
                             econ_t::weight_t dense_bias[econ_t::LATENTS], econ_t::etx_t etx,
                             econ_t::data_t output_mask,
                             econ_t::output_link_t links_out[econ_t::OUTPUT_LINKS]) {
    econ_t::calq_t calq[econ_t::CELLS];
    econ_t::input_t inputs[econ_t::CELLS];
    econ_t::sum_code_t sum_code;
    econ_t::latent_t latents[econ_t::LATENTS];

    econ_t::calibrate(links_in, high_density, mux, calibration, calq);
    econ_t::normalise(calq, inputs, sum_code);
    econ_t::encode(inputs, conv_kernel, conv_bias, dense_kernel, dense_bias, latents);
    econ_t::format(crossing, sum_code, latents, etx, output_mask, links_out);
}
