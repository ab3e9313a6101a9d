/* What the equivariant energy's C files share: products, swish, threads, sums over samples.
 *
 * A vector holds one number of LANES samples, a group: every operation is one of vectors whatever n is, without
 * remainders, transposes or sums across a vector, and a sample's numbers do not depend on its neighbours. A map of a
 * group is n^2 vectors, row-major. Groups lie within a seed; where the batch ends within a group, the lanes beyond it
 * hold zeros and are left out of sums over samples.
 *
 * Threads share groups out. What is summed over samples is summed lane by lane over the groups of a seed in their
 * order, then over lanes: the same bytes for any number of threads and any seeds beside it.
 *
 * NaN and inf pass through everything: a run that diverges is known by them. Compiled for float, or with -DDOUBLE for
 * double.
 */
#ifndef LANES_H
#define LANES_H

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif

#ifdef DOUBLE
typedef double real;
typedef int64_t whole;
#define MANTISSA 52
#define BIAS 1023
#define TERMS 13
#else
typedef float real;
typedef int32_t whole;
#define MANTISSA 23
#define BIAS 127
#define TERMS 6
#endif

typedef real vec __attribute__((vector_size(VECTOR_BYTES), may_alias));
typedef whole ivec __attribute__((vector_size(VECTOR_BYTES), may_alias));
#define LANES ((int)(VECTOR_BYTES / sizeof(real)))
#define INLINE static inline __attribute__((always_inline))
#define APART static __attribute__((noinline, unused)) /* large: many calls, one body */
#define UNROLL _Pragma("GCC unroll 16")

#define CHUNK 40 /* positions that are worked on at once, so that what is made of them stays in the first cache */

typedef struct {
    int32_t seeds, batch, n, channels, blocks, head_channels, levels, threads;
} Sizes;

static inline int groups_of(const Sizes *z) { return (z->batch + LANES - 1) / LANES; }
static inline long map_of(const Sizes *z) { return (long)z->n * z->n; }
static inline int least(int a, int b) { return a < b ? a : b; }
INLINE vec splat(real x) { return x - (vec){0}; }

/* ---- products --------------------------------------------------------------------------------------------------- */

/* out (rows, columns) of vectors = or += a (rows, inner) b (inner, columns), rows and columns constants. Sums begin at
 * zero and are added at the end, so that long sums are made of short ones. */
INLINE void multiply_tile(
    const int rows, const int columns, vec *out, long out_row, const vec *a, long a_row, long a_inner, const vec *b,
    long b_inner, long b_column, int inner, int add)
{
    vec sum[3][4];
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int c = 0; c < columns; c++) sum[r][c] = (vec){0};
    for (int k = 0; k < inner; k++) {
        vec left[3];
        UNROLL for (int r = 0; r < rows; r++) left[r] = a[r * a_row + k * a_inner];
        UNROLL for (int c = 0; c < columns; c++) {
            const vec right = b[k * b_inner + c * b_column];
            UNROLL for (int r = 0; r < rows; r++) sum[r][c] += left[r] * right;
        }
    }
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int c = 0; c < columns; c++)
            out[r * out_row + c] = sum[r][c] + (add ? out[r * out_row + c] : (vec){0});
}

/* The same at any size. */
APART void multiply(
    int rows, int columns, int inner, vec *out, long out_row, const vec *a, long a_row, long a_inner, const vec *b,
    long b_inner, long b_column, int add)
{
    for (int r = 0; r < rows; r += 3)
        for (int c = 0; c < columns; c += 4) {
            vec *to = out + r * out_row + c;
            const vec *left = a + r * a_row, *right = b + c * b_column;
#define TILE(R, C) \
    case R * 8 + C: \
        multiply_tile(R, C, to, out_row, left, a_row, a_inner, right, b_inner, b_column, inner, add); \
        break;
            switch (least(rows - r, 3) * 8 + least(columns - c, 4)) {
                TILE(1, 1) TILE(1, 2) TILE(1, 3) TILE(1, 4) TILE(2, 1) TILE(2, 2) TILE(2, 3) TILE(2, 4)
                TILE(3, 1) TILE(3, 2) TILE(3, 3) TILE(3, 4)
            }
#undef TILE
        }
}

/* Maps out = or += weight maps: channels mixed at `positions` positions, outputs and positions constants. */
INLINE void mix_tile(
    const int outputs, const int positions, vec *out, long out_map, const real *weight, long w_out, long w_in,
    const vec *maps, long in_map, int inputs, int add)
{
    vec sum[6][2];
    UNROLL for (int o = 0; o < outputs; o++)
        UNROLL for (int p = 0; p < positions; p++) sum[o][p] = (vec){0};
    for (int i = 0; i < inputs; i++) {
        vec in[2];
        UNROLL for (int p = 0; p < positions; p++) in[p] = maps[i * in_map + p];
        UNROLL for (int o = 0; o < outputs; o++) {
            const vec w = splat(weight[o * w_out + i * w_in]);
            UNROLL for (int p = 0; p < positions; p++) sum[o][p] += w * in[p];
        }
    }
    UNROLL for (int o = 0; o < outputs; o++)
        UNROLL for (int p = 0; p < positions; p++)
            out[o * out_map + p] = sum[o][p] + (add ? out[o * out_map + p] : (vec){0});
}

/* The same at any size. */
APART void mix(
    int outputs, int inputs, int positions, vec *out, long out_map, const real *weight, long w_out, long w_in,
    const vec *maps, long in_map, int add)
{
    for (int o = 0; o < outputs; o += 6)
        for (int p = 0; p < positions; p += 2) {
            vec *to = out + o * out_map + p;
            const real *w = weight + o * w_out;
#define TILE(O, P) \
    case O * 4 + P: mix_tile(O, P, to, out_map, w, w_out, w_in, maps + p, in_map, inputs, add); break;
            switch (least(outputs - o, 6) * 4 + least(positions - p, 2)) {
                TILE(1, 1) TILE(1, 2) TILE(2, 1) TILE(2, 2) TILE(3, 1) TILE(3, 2)
                TILE(4, 1) TILE(4, 2) TILE(5, 1) TILE(5, 2) TILE(6, 1) TILE(6, 2)
            }
#undef TILE
        }
}

/* The derivative of a mix by its weight, of every lane by itself: out (outputs, inputs) += d maps^T. */
static inline void mix_derivative(
    int outputs, int inputs, int positions, vec *out, long out_row, const vec *d, long d_map, const vec *maps,
    long in_map)
{
    multiply(outputs, inputs, positions, out, out_row, d, d_map, 1, maps, 1, in_map, 1);
}

/* ---- swish ------------------------------------------------------------------------------------------------------ */

INLINE vec where(ivec condition, vec yes, vec no)
{
    return (vec)((condition & (ivec)yes) | (~condition & (ivec)no));
}

/* 1 / (1 + exp(-u)); exp(-u) = 2^t = 2^k 2^f with |f| <= 1/2, by Taylor's series. NaN passes. */
INLINE vec sigmoid(vec u)
{
    static const double series[] = {
        /* log(2)^i / i! */
        1, 0.69314718055994530942, 0.24022650695910071233, 0.055504108664821579953, 0.0096181291076284771620,
        0.0013333558146428443424, 0.00015403530393381609954, 1.5252733804059840281e-5, 1.3215486790144309488e-6,
        1.0178086009239699727e-7, 7.0549116208011233299e-9, 4.4455382718708114977e-10, 2.5678435993488205142e-11,
        1.3691488853904128881e-12};
    const vec most = splat(BIAS - 1);
    vec t = u * (real)-1.44269504088896340736;
    t = where(t > most, most, t); /* 2^k has to be a number; comparisons with NaN are false */
    t = where(t < -most, -most, t);
    /* So large a number has no bits for fractions: adding it rounds, and k is in its lowest bits. */
    const vec large = splat((real)((whole)3 << (MANTISSA - 1))), shifted = t + large, f = t - (shifted - large);
    const ivec power = ((ivec)shifted << MANTISSA) + ((whole)BIAS << MANTISSA);
    vec sum = splat((real)series[TERMS]);
    UNROLL for (int i = TERMS - 1; i >= 0; i--) sum = sum * f + (real)series[i];
    return (real)1 / ((real)1 + sum * (vec)power);
}

/* ---- threads ---------------------------------------------------------------------------------------------------- */

typedef void (*Work)(const void *call, int item, vec *scratch);

typedef struct {
    Work work;
    const void *call;
    int first, step, items, failed;
    size_t scratch;
} Share;

static inline void *do_share(void *given)
{
    Share *share = given;
    vec *scratch = aligned_alloc(64, (share->scratch * sizeof(vec) + 63) / 64 * 64);
    share->failed = scratch == NULL;
    for (int item = share->first; item < share->items && !share->failed; item += share->step)
        share->work(share->call, item, scratch);
    free(scratch);
    return NULL;
}

/* Work for every item, each so many products of vectors, on several threads, each with scratch memory of so many
 * vectors. Nonzero without memory. */
APART int share_out(const Sizes *z, Work work, const void *call, double products, size_t scratch)
{
    enum { MOST = 256, WORTH_A_THREAD = 500000 };
    Share shares[MOST];
    pthread_t ids[MOST];
    const int items = z->seeds * groups_of(z);
    const double worth = 1 + items * products / WORTH_A_THREAD;
    int started[MOST], failed = 0, threads = least(least(z->threads, items), MOST);
    if (threads > worth) threads = (int)worth;
    for (int i = threads - 1; i >= 0; i--) {
        shares[i] = (Share){work, call, i, threads, items, 0, scratch};
        started[i] = i > 0 && pthread_create(&ids[i], NULL, do_share, &shares[i]) == 0;
        if (!started[i]) do_share(&shares[i]);
    }
    for (int i = 0; i < threads; i++) {
        if (started[i]) pthread_join(ids[i], NULL);
        failed |= shares[i].failed;
    }
    return failed;
}

/* ---- between samples and lanes ---------------------------------------------------------------------------------- */

/* How many lanes of a group hold samples, and the number of the first sample in the pack. */
static inline int filled(const Sizes *z, int item, long *first)
{
    const int groups = groups_of(z), group = item % groups;
    *first = (long)(item / groups) * z->batch + (long)group * LANES;
    return least(z->batch - group * LANES, LANES);
}

static inline void to_lanes(vec *out, const real *samples, long size, int count)
{
    real *to = (real *)out;
    for (int lane = 0; lane < LANES; lane++)
        for (long p = 0; p < size; p++) to[p * LANES + lane] = lane < count ? samples[lane * size + p] : 0;
}

static inline void from_lanes(real *samples, const vec *in, long size, int count)
{
    const real *from = (const real *)in;
    for (int lane = 0; lane < count; lane++)
        for (long p = 0; p < size; p++) samples[lane * size + p] = from[p * LANES + lane];
}

/* out (seeds, count) = the sum over a seed's samples of what every group has, (groups, count) of vectors. */
APART void sum_samples(const Sizes *z, real *out, const vec *parts, long count)
{
    const int groups = groups_of(z);
    for (int seed = 0; seed < z->seeds; seed++)
        for (long i = 0; i < count; i++) {
            vec sum = parts[(long)seed * groups * count + i];
            real total = 0;
            for (int group = 1; group < groups; group++) {
                vec more = parts[((long)seed * groups + group) * count + i];
                if (group == groups - 1) /* lanes without a sample */
                    for (int lane = z->batch - group * LANES; lane < LANES; lane++) more[lane] = 0;
                sum += more;
            }
            for (int lane = 0; lane < least(LANES, z->batch); lane++) total += sum[lane];
            out[seed * count + i] = total;
        }
}

#endif
