/* The head of the equivariant energy: E, its gradient by y, and the derivatives of both by the trunk's maps and the
 * weights.
 *
 * With M, N and W the trunk's maps: u = (M y + N) gain + shift, a = swish(u), v = y + out a, o = v outer + W answer,
 * E = |o|^2; p = 2 outer o, q = swish'(u) out p, grad E = p + sum over channels M^T (gain q).
 */
#include "lanes.h"

#define ANSWER_SCALE ((real)32) /* as in equivariant.py */

static double head_products(const Sizes *z) { return (double)z->head_channels * map_of(z) * (z->n + 20); }

static const real HALF_ROOT = (real)0.70710678118654752440;

/* maps: the trunk's. scale: s. level: (S, B) noise levels. film, out: weights, as those of the trunk. */
typedef struct {
    const real *maps, *scale;
    const int64_t *level;
    const real *film, *out;
    long film_seed, out_seed;
} HeadOperands;

typedef struct {
    const Sizes *sizes;
    HeadOperands operands;
    const real *y;
    real *energy, *gradient; /* the gradient may be NULL */
} HeadThere;

/* Gains, shifts and weights of the head for a group, a vector each. */
typedef struct {
    vec *gain, *shift, *out, outer, answer;
} Dealt;

/* Fills `dealt`, whose vectors begin at `memory`; what comes after them is returned. */
static vec *deal(Dealt *dealt, const Sizes *z, const HeadOperands *operands, int item, vec *memory)
{
    const int k = z->head_channels, seed = item / groups_of(z);
    const real *film = operands->film + seed * operands->film_seed;
    long sample;
    const int count = filled(z, item, &sample);
    *dealt = (Dealt){memory, memory + k, memory + 2 * k, {0}, {0}};
    memset(memory, 0, 2 * k * sizeof(vec));
    for (int lane = 0; lane < count; lane++) {
        const real *row = film + operands->level[sample + lane] * (2 * k + 2);
        for (int i = 0; i < k; i++) {
            dealt->gain[i][lane] = 1 + row[i];
            dealt->shift[i][lane] = row[k + i];
        }
        dealt->outer[lane] = (1 + row[2 * k]) * HALF_ROOT;
        dealt->answer[lane] = (1 + row[2 * k + 1]) * (ANSWER_SCALE / operands->scale[sample + lane]);
    }
    for (int i = 0; i < k; i++) dealt->out[i] = splat(operands->out[seed * operands->out_seed + i]);
    return memory + 3 * k;
}

static void head_there(const void *given, int item, vec *scratch)
{
    const HeadThere *call = given;
    const Sizes *z = call->sizes;
    const long map = map_of(z);
    const int k = z->head_channels, n = z->n;
    const vec *maps = (const vec *)call->operands.maps + item * (2 * k + 1) * map;
    const vec *offset = maps + k * map, *answer = maps + 2 * k * map;
    long sample;
    const int count = filled(z, item, &sample);
    Dealt dealt;
    vec *slope = deal(&dealt, z, &call->operands, item, scratch), *y = slope + k, *u = y + map, energy = {0};

    to_lanes(y, call->y + sample * map, map, count);
    multiply(k * n, n, n, u, n, maps, n, 1, y, n, 1, 0);
    for (int row = 0; row < n; row++) {
        vec squares = {0};
        for (long at = (long)row * n; at < (row + 1L) * n; at++) {
            vec v = y[at];
            for (int i = 0; i < k; i++) {
                const vec x = (u[i * map + at] + offset[i * map + at]) * dealt.gain[i] + dealt.shift[i];
                const vec s = sigmoid(x), h = x * s;
                slope[i] = s + h * ((real)1 - s);
                v += dealt.out[i] * h;
            }
            const vec o = v * dealt.outer + answer[at] * dealt.answer, p = (real)2 * dealt.outer * o;
            squares += o * o;
            for (int i = 0; i < k; i++) u[i * map + at] = slope[i] * dealt.out[i] * p * dealt.gain[i];
            y[at] = p;
        }
        energy += squares;
    }
    for (int lane = 0; lane < count; lane++) call->energy[sample + lane] = energy[lane];
    if (call->gradient == NULL) return;
    multiply(n, n, k * n, y, n, maps, 1, n, u, n, 1, 1);
    from_lanes(call->gradient + sample * map, y, map, count);
}

/* E (S, B) and its gradient (S, B, n^2), unless NULL, at y (S, B, n^2). */
int head_forward(const Sizes *z, const HeadOperands *operands, const real *y, real *energy, real *gradient)
{
    const HeadThere call = {z, *operands, y, energy, gradient};
    const size_t scratch = 4 * z->head_channels + (1 + z->head_channels) * map_of(z);
    return share_out(z, head_there, &call, 2 * head_products(z), scratch);
}

typedef struct {
    const Sizes *sizes;
    HeadOperands operands;
    const real *y, *e, *x; /* e or x may be NULL */
    real *d_maps;
    vec *d_out, *d_film; /* of every group and lane */
} HeadBack;

/* The derivative of e E + <x, grad E>. The second is the change of E along x: dw = M x, du = gain dw, da = swish'(u)
 * du, dv = x + out da, do = outer dv, 2 <o, do>; m, d_u and d_change are the derivatives by v, u and du. */
static void head_back(const void *given, int item, vec *scratch)
{
    const HeadBack *call = given;
    const Sizes *z = call->sizes;
    const long map = map_of(z);
    const int k = z->head_channels, n = z->n, along = call->x != NULL;
    const vec *maps = (const vec *)call->operands.maps + item * (2 * k + 1) * map;
    const vec *offset = maps + k * map, *answer = maps + 2 * k * map;
    vec *d_maps = (vec *)call->d_maps + item * (2 * k + 1) * map, *d_offset = d_maps + k * map;
    vec *d_answer = d_maps + 2 * k * map;
    vec *d_out = call->d_out + item * k, *d_film = call->d_film + item * (2 * k + 2);
    long sample;
    const int count = filled(z, item, &sample);
    Dealt dealt;
    vec *w = deal(&dealt, z, &call->operands, item, scratch), *h = w + k, *slope = h + k, *curvature = slope + k;
    vec *y = curvature + k, *x = y + map, *u = x + map, *change = u + k * map, e = {0};

    if (call->e != NULL)
        for (int lane = 0; lane < count; lane++) e[lane] = call->e[sample + lane];
    memset(d_out, 0, k * sizeof(vec));
    memset(d_film, 0, (2 * k + 2) * sizeof(vec));
    to_lanes(y, call->y + sample * map, map, count);
    multiply(k * n, n, n, u, n, maps, n, 1, y, n, 1, 0);
    if (along) {
        to_lanes(x, call->x + sample * map, map, count);
        multiply(k * n, n, n, change, n, maps, n, 1, x, n, 1, 0);
    }
    for (long at = 0; at < map; at++) {
        vec v = y[at], d_v = along ? x[at] : (vec){0};
        for (int i = 0; i < k; i++) {
            w[i] = u[i * map + at] + offset[i * map + at];
            const vec within = w[i] * dealt.gain[i] + dealt.shift[i], s = sigmoid(within);
            h[i] = within * s;
            slope[i] = s + h[i] * ((real)1 - s);
            curvature[i] = ((real)1 - s) * ((real)2 * slope[i] - h[i]);
            v += dealt.out[i] * h[i];
            if (along) d_v += dealt.out[i] * slope[i] * dealt.gain[i] * change[i * map + at];
        }
        const vec o = v * dealt.outer + answer[at] * dealt.answer, p = (real)2 * dealt.outer * o;
        const vec d_o = (real)2 * (e * o + d_v * dealt.outer), m = dealt.outer * d_o;
        d_film[2 * k] += v * d_o + (real)2 * o * d_v;
        d_film[2 * k + 1] += answer[at] * d_o;
        d_answer[at] = dealt.answer * d_o;
        for (int i = 0; i < k; i++) {
            vec d_u = slope[i] * dealt.out[i] * m;
            d_out[i] += m * h[i];
            if (along) {
                const vec d_w = change[i * map + at], d_within = d_w * dealt.gain[i];
                const vec d_change = slope[i] * dealt.out[i] * p;
                d_u += curvature[i] * d_within * dealt.out[i] * p;
                d_out[i] += p * slope[i] * d_within;
                d_film[i] += d_change * d_w;
                change[i * map + at] = d_change * dealt.gain[i];
            }
            d_film[i] += d_u * w[i];
            d_film[k + i] += d_u;
            d_offset[i * map + at] = d_u * dealt.gain[i];
        }
    }
    multiply(k * n, n, n, d_maps, n, d_offset, n, 1, y, 1, n, 0);
    if (along) multiply(k * n, n, n, d_maps, n, change, n, 1, x, 1, n, 1);
    d_film[2 * k] *= HALF_ROOT;
    for (int lane = 0; lane < count; lane++)
        d_film[2 * k + 1][lane] *= ANSWER_SCALE / call->operands.scale[sample + lane];
}

/* Derivatives of sums of e E + <x, grad E> by the trunk's maps, film (S, levels, 2 K + 2) and out (S, K); e (S, B) and
 * x (S, B, n^2) may be NULL. */
int head_backward(
    const Sizes *z, const HeadOperands *operands, const real *y, const real *e, const real *x, real *d_maps,
    real *d_film, real *d_out)
{
    const int groups = groups_of(z), k = z->head_channels, columns = 2 * k + 2;
    const long items = (long)z->seeds * groups;
    vec *parts = aligned_alloc(64, (items * (k + columns) * sizeof(vec) + 63) / 64 * 64);
    if (parts == NULL) return 1;
    const HeadBack call = {z, *operands, y, e, x, d_maps, parts, parts + items * k};
    const size_t scratch = 7 * k + (2 + 2 * k) * map_of(z);
    const int failed = share_out(z, head_back, &call, 4 * head_products(z), scratch);
    if (!failed) {
        sum_samples(z, d_out, call.d_out, k);
        memset(d_film, 0, sizeof(real) * z->seeds * z->levels * columns);
        for (int item = 0; item < items; item++) {
            long sample;
            const int count = filled(z, item, &sample);
            for (int lane = 0; lane < count; lane++) {
                real *row = d_film + ((item / groups) * (long)z->levels + operands->level[sample + lane]) * columns;
                for (int i = 0; i < columns; i++) row[i] += call.d_film[item * columns + i][lane];
            }
        }
    }
    free(parts);
    return failed;
}
