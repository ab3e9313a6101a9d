/* The trunk of the equivariant energy (equivariant.py has the formulas) and its derivatives by the weights. */
#include "lanes.h"

/* Weights of all seeds; a seed's are contiguous, `*_seed` numbers after the seed's before it. */
typedef struct {
    const real *first, *inner, *outer, *last;
    long first_seed, inner_seed, outer_seed, last_seed;
} TrunkWeights;

static double trunk_products(const Sizes *z)
{
    return (double)z->blocks * z->channels * map_of(z) * (5 * z->channels + z->n);
}

/* What the backward pass needs of the forward pass, in maps: [A / s, I], and the maps before every block and after the last.
 * The rest it makes anew: reading it from memory would take longer. */
static long kept_maps(const Sizes *z) { return 2 + (z->blocks + 1L) * z->channels; }

/* How many numbers the kept of a pack are. */
long kept_size(const Sizes *z) { return z->seeds * groups_of(z) * kept_maps(z) * map_of(z) * LANES; }

/* How many numbers the trunk's maps of a pack are, as the head takes them: (S, groups, 2 K + 1, n^2, LANES). */
long maps_size(const Sizes *z)
{
    return z->seeds * groups_of(z) * (2L * z->head_channels + 1) * map_of(z) * LANES;
}

typedef struct {
    const Sizes *sizes;
    const real *condition;
    TrunkWeights weights;
    real *maps, *scale, *kept;
} TrunkThere;

/* A / s and s = || A A^T ||_F^(1/2) of a group; lanes without a sample have zero and one. */
static void scale_matrices(vec *matrix, real *scale, vec *gram, int n, int count)
{
    vec squares = {0}, inverse;
    multiply(n, n, n, gram, n, matrix, n, 1, matrix, 1, n, 0);
    for (int i = 0; i < n; i++) {
        vec row = {0};
        for (int j = 0; j < n; j++) row += gram[i * n + j] * gram[i * n + j];
        squares += row;
    }
    for (int lane = 0; lane < LANES; lane++) {
        const double s = lane < count ? __builtin_sqrt(__builtin_sqrt((double)squares[lane])) : 1;
        if (lane < count) scale[lane] = (real)s;
        inverse[lane] = (real)(1 / s);
    }
    for (int p = 0; p < n * n; p++) matrix[p] *= inverse;
}

static void trunk_there(const void *given, int item, vec *scratch)
{
    const TrunkThere *call = given;
    const Sizes *z = call->sizes;
    const long map = map_of(z), c = z->channels, heads = 2L * z->head_channels + 1;
    const int seed = item / groups_of(z), n = z->n;
    long sample;
    const int count = filled(z, item, &sample);
    const TrunkWeights *w = &call->weights;
    const real *inner = w->inner + seed * w->inner_seed, *outer = w->outer + seed * w->outer_seed;

    vec *active = scratch, *left = active + c * CHUNK, *right = left + c * map, *products = right + c * map;
    vec *kept = call->kept ? (vec *)call->kept + item * kept_maps(z) * map : products + c * map;
    vec *stacked = kept, *here = kept + 2 * map;
    to_lanes(stacked, call->condition + sample * map, map, count);
    scale_matrices(stacked, call->scale + sample, stacked + map, n, count);
    memset(stacked + map, 0, map * sizeof(vec));
    for (int i = 0; i < n; i++) stacked[map + i * (n + 1)] = splat(1);
    mix(c, 2, map, here, map, w->first + seed * w->first_seed, 2, 1, stacked, map, 0);
    for (int block = 0; block < z->blocks; block++) {
        const real *into = inner + block * 3 * c * c, *out_of = outer + block * 2 * c * c;
        vec *next = call->kept ? here + c * map : here;
        for (long p = 0; p < map; p += CHUNK) {
            const int some = least(CHUNK, map - p);
            mix(c, c, some, left + p, map, into, c, 1, here + p, map, 0);
            mix(c, c, some, right + p, map, into + c * c, c, 1, here + p, map, 0);
            mix(c, c, some, active, CHUNK, into + 2 * c * c, c, 1, here + p, map, 0);
            for (int i = 0; i < c; i++)
                for (int q = 0; q < some; q++) {
                    const vec u = active[i * CHUNK + q];
                    active[i * CHUNK + q] = u * sigmoid(u);
                    next[i * map + p + q] = here[i * map + p + q];
                }
            mix(c, c, some, next + p, map, out_of + c, 2 * c, 1, active, CHUNK, 1);
        }
        for (int i = 0; i < c; i++)
            multiply(n, n, n, products + i * map, n, left + i * map, n, 1, right + i * map, n, 1, 0);
        for (long p = 0; p < map; p += CHUNK)
            mix(c, c, least(CHUNK, map - p), next + p, map, out_of, 2 * c, 1, products + p, map, 1);
        here = next;
    }
    mix(heads, c, map, (vec *)call->maps + item * heads * map, map, w->last + seed * w->last_seed, c, 1, here, map, 0);
}

/* The trunk's maps and s, (S, B), of matrices (S, B, n, n); `kept` is filled for the backward pass, or NULL. */
int trunk_forward(
    const Sizes *z, const real *condition, const TrunkWeights *weights, real *maps, real *scale, real *kept)
{
    const TrunkThere call = {z, condition, *weights, maps, scale, kept};
    const size_t scratch = z->channels * CHUNK + (2 + 4 * z->channels) * map_of(z);
    return share_out(z, trunk_there, &call, trunk_products(z), scratch);
}

typedef struct {
    const Sizes *sizes;
    const real *d_maps, *kept;
    TrunkWeights weights;
    vec *first, *inner, *outer, *last; /* derivatives by the weights, of every group and lane */
} TrunkBack;

static void trunk_back(const void *given, int item, vec *scratch)
{
    const TrunkBack *call = given;
    const Sizes *z = call->sizes;
    const long map = map_of(z), c = z->channels, heads = 2L * z->head_channels + 1;
    const int seed = item / groups_of(z), n = z->n;
    const TrunkWeights *w = &call->weights;
    const real *inner = w->inner + seed * w->inner_seed, *outer = w->outer + seed * w->outer_seed;
    const vec *stacked = (const vec *)call->kept + item * kept_maps(z) * map, *blocks = stacked + 2 * map;
    const vec *last_maps = blocks + z->blocks * c * map;
    const vec *d_maps = (const vec *)call->d_maps + item * heads * map;
    vec *active = scratch, *d_active = active + c * CHUNK;
    /* Derivatives by left, right and entry lie where products and right, no longer needed then, lay before. */
    vec *d = d_active + c * CHUNK, *left = d + c * map, *d_products = left + c * map, *d_mixed = d_products + c * map;
    vec *products = d_mixed, *right = d_mixed + c * map, *d_entry = right + c * map;
    vec *d_first = call->first + item * 2 * c, *d_last = call->last + item * heads * c;

    memset(d_first, 0, 2 * c * sizeof(vec));
    memset(d_last, 0, heads * c * sizeof(vec));
    for (long p = 0; p < map; p += CHUNK) {
        const int some = least(CHUNK, map - p);
        mix_derivative(heads, c, some, d_last, c, d_maps + p, map, last_maps + p, map);
        mix(c, heads, some, d + p, map, w->last + seed * w->last_seed, 1, c, d_maps + p, map, 0);
    }
    for (int block = z->blocks - 1; block >= 0; block--) {
        const vec *here = blocks + block * c * map;
        const real *into = inner + block * 3 * c * c, *out_of = outer + block * 2 * c * c;
        vec *d_inner = call->inner + ((long)item * z->blocks + block) * 3 * c * c;
        vec *d_outer = call->outer + ((long)item * z->blocks + block) * 2 * c * c;
        memset(d_inner, 0, 3 * c * c * sizeof(vec));
        memset(d_outer, 0, 2 * c * c * sizeof(vec));
        for (long p = 0; p < map; p += CHUNK) {
            const int some = least(CHUNK, map - p);
            mix(c, c, some, left + p, map, into, c, 1, here + p, map, 0);
            mix(c, c, some, right + p, map, into + c * c, c, 1, here + p, map, 0);
        }
        for (int i = 0; i < c; i++)
            multiply(n, n, n, products + i * map, n, left + i * map, n, 1, right + i * map, n, 1, 0);
        for (long p = 0; p < map; p += CHUNK) {
            const int some = least(CHUNK, map - p);
            mix(c, c, some, active, CHUNK, into + 2 * c * c, c, 1, here + p, map, 0);
            mix(c, c, some, d_products + p, map, out_of, 1, 2 * c, d + p, map, 0);
            mix(c, c, some, d_active, CHUNK, out_of + c, 1, 2 * c, d + p, map, 0);
            for (int i = 0; i < c; i++)
                for (int q = 0; q < some; q++) {
                    const vec u = active[i * CHUNK + q], s = sigmoid(u), h = u * s;
                    active[i * CHUNK + q] = h;
                    d_entry[i * map + p + q] = d_active[i * CHUNK + q] * (s + h * ((real)1 - s));
                }
            mix_derivative(c, c, some, d_outer, 2 * c, d + p, map, products + p, map);
            mix_derivative(c, c, some, d_outer + c, 2 * c, d + p, map, active, CHUNK);
        }
        for (int i = 0; i < c; i++) {
            const vec *d_product = d_products + i * map;
            multiply(n, n, n, d_mixed + i * map, n, d_product, n, 1, right + i * map, 1, n, 0);
            multiply(n, n, n, d_mixed + (c + i) * map, n, left + i * map, 1, n, d_product, n, 1, 0);
        }
        for (long p = 0; p < map; p += CHUNK) {
            const int some = least(CHUNK, map - p);
            mix_derivative(3 * c, c, some, d_inner, c, d_mixed + p, map, here + p, map);
            mix(c, 3 * c, some, d + p, map, into, 1, c, d_mixed + p, map, 1);
        }
    }
    for (long p = 0; p < map; p += CHUNK)
        mix_derivative(c, 2, least(CHUNK, map - p), d_first, 2, d + p, map, stacked + p, map);
}

/* Derivatives by the trunk's weights, each (S, weights of a seed), from those by the trunk's maps. */
int trunk_backward(
    const Sizes *z, const real *d_maps, const real *kept, const TrunkWeights *weights, real *d_first, real *d_inner,
    real *d_outer, real *d_last)
{
    const long c = z->channels, heads = 2L * z->head_channels + 1, items = z->seeds * groups_of(z);
    const long sizes[] = {2 * c, z->blocks * 3 * c * c, z->blocks * 2 * c * c, heads * c};
    vec *parts = aligned_alloc(64, (items * (sizes[0] + sizes[1] + sizes[2] + sizes[3]) * sizeof(vec) + 63) / 64 * 64);
    if (parts == NULL) return 1;
    TrunkBack call = {z, d_maps, kept, *weights, parts, NULL, NULL, NULL};
    call.inner = call.first + items * sizes[0];
    call.outer = call.inner + items * sizes[1];
    call.last = call.outer + items * sizes[2];
    const size_t scratch = 2 * c * CHUNK + 6 * c * map_of(z);
    const int failed = share_out(z, trunk_back, &call, 3 * trunk_products(z), scratch);
    if (!failed) {
        sum_samples(z, d_first, call.first, sizes[0]);
        sum_samples(z, d_inner, call.inner, sizes[1]);
        sum_samples(z, d_outer, call.outer, sizes[2]);
        sum_samples(z, d_last, call.last, sizes[3]);
    }
    free(parts);
    return failed;
}

