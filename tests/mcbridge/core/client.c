/* What a generator does with a sampler file: open it, draw points from its own random numbers, record them.
 * Arguments: sampler file, channel, number of points, seed, record file. Prints dimension, channels and every point. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mcbridge.h"

static uint64_t state;

static double uniform(void) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (double)(state >> 11) / 9007199254740992.0;
}

static int fail(const char* what, int code, const char* message) {
    fprintf(stderr, "%s: %d: %s\n", what, code, message);
    return 1;
}

static int expect(const char* what, int code, int wanted, const char* message, const char* word) {
    if (code == wanted && strstr(message, word)) return 0;
    return fail(what, code, message);
}

/* Every mistake gives a code and a sentence. */
static int mistakes(const char* path, mcb_sampler* sampler) {
    char message[256], small[8];
    double one[64] = {0.5};
    mcb_sampler* none = sampler;
    mcb_recorder* recorder = NULL;
    int bad = 0;
    bad += expect("missing file", mcb_open("no/such/file.mcb", &none, message, sizeof message), MCB_ERROR_FILE, message,
                  "no/such/file.mcb");
    if (none) return fail("missing file", 0, "the handle was not set to null");
    bad += expect("null path", mcb_open(NULL, &none, message, sizeof message), MCB_ERROR_ARGUMENT, message, "null");
    bad += expect("null handle", mcb_open(path, NULL, message, sizeof message), MCB_ERROR_ARGUMENT, message, "null");
    bad += expect("null sampler", mcb_sample(NULL, 0, 1, one, one, one, message, sizeof message), MCB_ERROR_ARGUMENT,
                  message, "no such sampler");
    bad += expect("channel", mcb_sample(sampler, 99, 1, one, one, one, message, sizeof message), MCB_ERROR_ARGUMENT,
                  message, "channel");
    bad += expect("negative channel", mcb_density(sampler, -1, 1, one, one, message, sizeof message),
                  MCB_ERROR_ARGUMENT, message, "channel");
    bad += expect("null uniforms", mcb_sample(sampler, 0, 1, NULL, one, one, message, sizeof message),
                  MCB_ERROR_ARGUMENT, message, "null");
    bad += expect("null points", mcb_density(sampler, 0, 1, NULL, one, message, sizeof message), MCB_ERROR_ARGUMENT,
                  message, "null");
    one[0] = 1.5;
    bad += expect("uniform above one", mcb_sample(sampler, 0, 1, one, one, one, message, sizeof message),
                  MCB_ERROR_ARGUMENT, message, "outside [0, 1]");
    one[0] = NAN;
    bad += expect("uniform nan", mcb_sample(sampler, 0, 1, one, one, one, message, sizeof message), MCB_ERROR_ARGUMENT,
                  message, "outside [0, 1]");
    bad += expect("recorder", mcb_record_open("no/such/folder/file", 2, &recorder, message, sizeof message),
                  MCB_ERROR_FILE, message, "no/such/folder/file");
    bad += expect("recorder of no dimension", mcb_record_open("x", 0, &recorder, message, sizeof message),
                  MCB_ERROR_ARGUMENT, message, "dim");
    bad += expect("null recorder", mcb_record(NULL, 0, 1, one, one, one, message, sizeof message), MCB_ERROR_ARGUMENT,
                  message, "null");
    if (mcb_open("no/such/file.mcb", &none, NULL, 0) != MCB_ERROR_FILE) return fail("no room", 0, "another code");
    if (mcb_open("no/such/file.mcb", &none, small, sizeof small) != MCB_ERROR_FILE || strlen(small) >= sizeof small)
        return fail("little room", 0, "the sentence was not cut");
    if (mcb_channels(NULL) != -1 || mcb_dimension(NULL, 0) != -1 || mcb_dimension(sampler, 99) != -1 ||
        mcb_uniforms(sampler, -1) != -1 || mcb_metadata(NULL)[0] != '\0')
        return fail("questions", 0, "null or a wrong channel was not noticed");
    mcb_close(NULL);
    return bad;
}

int main(int argc, char** argv) {
    char message[256];
    mcb_sampler* sampler = NULL;
    mcb_recorder* recorder = NULL;
    if (argc != 6) return 2;
    const int channel = atoi(argv[2]);
    const size_t n = (size_t)atol(argv[3]);
    state = strtoull(argv[4], NULL, 10);
    int code = mcb_open(argv[1], &sampler, message, sizeof message);
    if (code) return fail("open", code, message);
    const int dim = mcb_dimension(sampler, channel), uniforms = mcb_uniforms(sampler, channel);
    printf("%d %d %d %s\n", mcb_version(), mcb_channels(sampler), dim, mcb_metadata(sampler));
    if (dim < 1 || mistakes(argv[1], sampler)) return 1;

    double *r = malloc(n * (size_t)uniforms * sizeof *r), *u = malloc(n * (size_t)dim * sizeof *u);
    double *density = malloc(n * sizeof *density), *again = malloc(n * sizeof *again), *f = malloc(n * sizeof *f);
    if (!r || !u || !density || !again || !f) return 1;
    for (size_t i = 0; i < n * (size_t)uniforms; ++i) r[i] = uniform();
    code = mcb_sample(sampler, channel, n, r, u, density, message, sizeof message);
    if (code) return fail("sample", code, message);
    code = mcb_density(sampler, channel, n, u, again, message, sizeof message);
    if (code) return fail("density", code, message);
    for (size_t k = 0; k < n; ++k) {
        if (!(fabs(again[k] - density[k]) <= 1e-3 * density[k])) return fail("density", (int)k, "differs from sample");
        for (int a = 0; a < dim; ++a) printf("%.17g ", u[k * (size_t)dim + (size_t)a]);
        printf("%.17g\n", density[k]);
        f[k] = (double)k;
    }
    code = mcb_record_open(argv[5], dim, &recorder, message, sizeof message);
    if (code) return fail("record_open", code, message);
    for (size_t half = 0; half < 2 && !code; ++half) {
        const size_t from = half * (n / 2), to = half ? n : n / 2;
        code = mcb_record(recorder, channel, to - from, u + from * (size_t)dim, f + from, density + from, message,
                          sizeof message);
    }
    if (code) return fail("record", code, message);
    code = mcb_record_close(recorder, message, sizeof message);
    if (code) return fail("record_close", code, message);
    mcb_close(sampler);
    free(r), free(u), free(density), free(again), free(f);
    return 0;
}
