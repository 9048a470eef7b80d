// The output links: header, module sum, and the latent bits that the output mask keeps.
#ifndef ECON_T_FORMATTER_H_
#define ECON_T_FORMATTER_H_

#include "econ_t_types.h"

namespace econ_t {

// Header of a bunch crossing: its number modulo 16, and 31 for the first of an orbit.
inline header_t header_of(crossing_t crossing) {
    return crossing == 0 ? header_t(31) : header_t(crossing.slc<4>(0));
}

// The kept bits of `data` together at the low end, in order; zeros above.
//
// A bit moves down by the number of bits removed below it, one binary digit of that number in each
// step, the smallest first, so that no two kept bits meet.  Which bits move depends on the mask alone
// ("compress" in H. S. Warren, Hacker's Delight, section 7-4).
inline data_t compact(data_t data, data_t keep) {
    constexpr int STEPS = ac::log2_ceil<DATA_BITS>::val;
    data_t gaps = ~keep << 1; // right below these places a bit is removed
    data &= keep;
#pragma hls_unroll yes
    for (int step = 0; step < STEPS; step++) {
        data_t odd = gaps; // becomes: places with an odd number of gaps from the lowest up to them
#pragma hls_unroll yes
        for (int digit = 0; digit < STEPS; digit++) odd ^= odd << (1 << digit);
        const data_t moving = keep & odd;
        keep = (keep ^ moving) | (moving >> (1 << step));
        const data_t moved = data & moving;
        data = (data ^ moved) | (moved >> (1 << step));
        gaps &= ~odd; // every second gap: what remains of the number is halved
    }
    return data;
}

// Link words.  A frame has 32 bits for each link in use, at most five, the first link on top; the
// kept bits end at its end: where they are more than fit, the first are lost; where they are fewer,
// zeros precede them.
inline void format(crossing_t crossing, sum_code_t sum_code, const latent_t latents[LATENTS],
                   etx_t etx, data_t output_mask, output_link_t links[OUTPUT_LINKS]) {
    constexpr int LINK_BITS = output_link_t::width;
    constexpr int MAX_LINKS = 5; // more links carry nothing more

    data_t data;
#pragma hls_unroll yes
    for (int latent = 0; latent < LATENTS; latent++) {
        data.set_slc(LATENT_BITS * latent, latents[latent].slc<LATENT_BITS>(0));
    }
    const ac_int<MAX_LINKS * LINK_BITS, false> frame = compact(data, output_mask);

    ac_int<header_t::width + sum_code_t::width, false> head = sum_code;
    head.set_slc(sum_code_t::width, header_of(crossing));

#pragma hls_unroll yes
    for (int link = 0; link < OUTPUT_LINKS; link++) links[link] = 0;
#pragma hls_unroll yes
    for (int used = 1; used <= MAX_LINKS; used++) {
        if (etx == used || (used == MAX_LINKS && etx > used)) {
#pragma hls_unroll yes
            for (int link = 0; link < used; link++) {
                links[link] = frame.slc<LINK_BITS>(LINK_BITS * (used - 1 - link));
            }
            links[0].set_slc(LINK_BITS - head.width, head);
        }
    }
}

} // namespace econ_t

#endif
