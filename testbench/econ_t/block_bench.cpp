// Bench of the ECON-T block: any number of register settings, and bunch crossings for each.
//
//   bench STIMULUS ANSWERS            run
//   bench STIMULUS ANSWERS stages     show every stage too
//   bench STIMULUS ANSWERS EXPECTED   compare with the link words in that file
//
// STIMULUS holds sets one after another, each all of 32-bit integers:
//   crossings, high_density, etx, mux (48), calibration (48), output mask (5 words, the lowest bits
//   first), weight codes in the order of the registers (72, 8, 2048, 16); then for each bunch crossing
//   its number and 12 link words, their headers included.
// ANSWERS receives for each bunch crossing 32-bit integers: 13 link words; with `stages` before them
// what each stage gives: calibrated charges (48), sum code, encoder inputs (48), features (128),
// latents (16).
//
// A code is the raw bit pattern of a number.  Exit status 0 only if every bunch crossing was answered,
// as expected; 1 for wrong answers, 3 for a truncated file, 4 where one cannot be opened or written.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>

#include "converter.h"
#include "econ_t_block.h"
#include "encoder.h"
#include "formatter.h"

#include <mc_scverify.h>

using namespace econ_t;

namespace nnet { // what hls4ml's layers show of themselves, switched on where stages are asked for
bool trace_enabled = false;
std::map<std::string, void *> *trace_outputs = nullptr;
size_t trace_type_size = sizeof(double);
} // namespace nnet

namespace {

constexpr int MASK_WORDS = (DATA_BITS + 31) / 32;
constexpr double FEATURE_STEPS = 128; // features are multiples of 2**-7

struct Settings { // as in the stimulus
    int32_t crossings, high_density, etx, mux[CELLS], calibration[CELLS], mask[MASK_WORDS],
        conv_kernel[CONV_WEIGHTS], conv_bias[FILTERS], dense_kernel[DENSE_WEIGHTS],
        dense_bias[LATENTS];
};

struct Crossing {
    int32_t number;
    uint32_t links[INPUT_LINKS];
};

struct Stages {
    int32_t calq[CELLS], sum_code, inputs[CELLS], features[FEATURES], latents[LATENTS];
};

// what the block reads
bool high_density;
select_t mux[CELLS];
factor_t calibration[CELLS];
weight_t conv_kernel[CONV_WEIGHTS], conv_bias[FILTERS];
weight_t dense_kernel[DENSE_WEIGHTS], dense_bias[LATENTS];
etx_t etx;
data_t output_mask;
input_link_t links_in[INPUT_LINKS];
output_link_t links_out[OUTPUT_LINKS];

double conv_sums[FEATURES], features[FEATURES], dense_sums[LATENTS], latent_values[LATENTS];

void set_weights(weight_t *weights, const int32_t *codes, int count) {
    for (int i = 0; i < count; i++) weights[i].set_slc(0, ac_int<weight_t::width, true>(codes[i]));
}

void set_registers(const Settings &settings) {
    high_density = settings.high_density != 0;
    etx = settings.etx;
    for (int i = 0; i < CELLS; i++) {
        mux[i] = settings.mux[i];
        calibration[i] = settings.calibration[i];
    }
    output_mask = 0;
    for (int i = 0; i < MASK_WORDS; i++) {
        output_mask |= data_t(static_cast<uint32_t>(settings.mask[i])) << (32 * i);
    }
    set_weights(conv_kernel, settings.conv_kernel, CONV_WEIGHTS);
    set_weights(conv_bias, settings.conv_bias, FILTERS);
    set_weights(dense_kernel, settings.dense_kernel, DENSE_WEIGHTS);
    set_weights(dense_bias, settings.dense_bias, LATENTS);
}

// The stages of the block one by one, as its top function runs them.
Stages stages() {
    calq_t calq[CELLS];
    input_t inputs[CELLS];
    sum_code_t sum_code;
    latent_t latents[LATENTS];
    calibrate(links_in, high_density, mux, calibration, calq);
    normalise(calq, inputs, sum_code);
    nnet::trace_enabled = true;
    encode(inputs, conv_kernel, conv_bias, dense_kernel, dense_bias, latents);
    nnet::trace_enabled = false;

    Stages result;
    result.sum_code = sum_code.to_int();
    for (int i = 0; i < CELLS; i++) {
        result.calq[i] = calq[i].to_int();
        result.inputs[i] = inputs[i].slc<INPUT_BITS>(0).to_int();
    }
    for (int i = 0; i < FEATURES; i++) {
        result.features[i] = static_cast<int32_t>(features[i] * FEATURE_STEPS);
    }
    for (int i = 0; i < LATENTS; i++) result.latents[i] = latents[i].slc<LATENT_BITS>(0).to_int();
    return result;
}

} // namespace

CCS_MAIN(int argc, char *argv[]) {
    if (argc < 3 || argc > 4) {
        std::fprintf(stderr, "usage: %s STIMULUS ANSWERS [stages | EXPECTED]\n", argv[0]);
        CCS_RETURN(2);
    }
    const bool with_stages = argc == 4 && std::strcmp(argv[3], "stages") == 0;
    const bool comparing = argc == 4 && !with_stages;
    std::FILE *stimulus = std::fopen(argv[1], "rb"), *answers = std::fopen(argv[2], "wb");
    std::FILE *expected = comparing ? std::fopen(argv[3], "rb") : nullptr;
    if (!stimulus || !answers || (comparing && !expected)) {
        std::perror(!stimulus ? argv[1] : !answers ? argv[2] : argv[3]);
        CCS_RETURN(4);
    }
    std::map<std::string, void *> layers = {{"conv2d_0_m", conv_sums},
                                            {"accum1_qa", features},
                                            {"encoded_vector", dense_sums},
                                            {"encod_qa", latent_values}};
    nnet::trace_outputs = &layers;

    static Settings settings;
    size_t bytes;
    long answered = 0, wrong = 0;
    while ((bytes = std::fread(&settings, 1, sizeof settings, stimulus)) == sizeof settings) {
        set_registers(settings);
        for (int32_t i = 0; i < settings.crossings; i++) {
            Crossing crossing;
            if (std::fread(&crossing, sizeof crossing, 1, stimulus) != 1) {
                std::fprintf(stderr, "the stimulus ends within a set\n");
                CCS_RETURN(3);
            }
            for (int link = 0; link < INPUT_LINKS; link++) {
                links_in[link] = crossing.links[link]; // the header falls off
            }
            if (with_stages) {
                const Stages found = stages();
                if (std::fwrite(&found, sizeof found, 1, answers) != 1) CCS_RETURN(4);
            }
            econ_t_block(links_in, crossing.number, high_density, mux, calibration, conv_kernel,
                         conv_bias, dense_kernel, dense_bias, etx, output_mask, links_out);
            uint32_t words[OUTPUT_LINKS];
            for (int link = 0; link < OUTPUT_LINKS; link++) words[link] = links_out[link].to_uint();
            if (std::fwrite(words, sizeof words, 1, answers) != 1) CCS_RETURN(4);
            if (expected) {
                uint32_t wanted[OUTPUT_LINKS];
                if (std::fread(wanted, sizeof wanted, 1, expected) != 1) {
                    std::fprintf(stderr, "there are too few expected link words\n");
                    CCS_RETURN(3);
                }
                wrong += std::memcmp(words, wanted, sizeof words) != 0;
            }
            answered++;
        }
    }
    if (bytes != 0) {
        std::fprintf(stderr, "the stimulus ends within a set\n");
        CCS_RETURN(3);
    }
    if (std::fclose(answers) != 0) CCS_RETURN(4);
    if (expected) std::printf("%ld of %ld bunch crossings wrong\n", wrong, answered);
    CCS_RETURN(wrong ? 1 : 0);
}
