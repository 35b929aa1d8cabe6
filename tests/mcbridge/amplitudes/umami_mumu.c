/* e+ e- -> mu+ mu- in QED behind the UMAMI interface, with switches for the things that can go wrong.
 *
 * |M|^2 = 2 e^4 (t^2 + u^2)/s^2, averaged over spins. Momenta: p[stride*(component*4 + particle) + event].
 * NO_QUERIES: an old library without the functions that list inputs; NO_FREE: not a UMAMI library; GPU: says it runs
 * on a GPU; NEEDS_COLOUR: requires a random number for the colour; STRONG: takes alpha_s and a flavour (index 1: up
 * quarks with their charges and colours), and the factor (1 + alpha_s/pi);
 * SQUARED: the factor alpha_s^2 instead.
 */
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARTICLES = 4, KEYS = 9 };
enum { SUCCESS = 0, ERROR = 1, BAD_INPUT = 3, BAD_OUTPUT = 4, BAD_META = 6, NO_INPUT = 7 };
enum { META_DEVICE = 0, META_PARTICLES = 1, META_DIAGRAMS = 2, META_HELICITIES = 3, META_MASSES = 5 };
enum { IN_MOMENTA = 0, IN_ALPHA_S = 1, IN_FLAVOUR = 2, IN_COLOUR = 3 };

static const double PI = 3.14159265358979323846;

typedef struct {
    double alpha;
    volatile int busy;
} Instance;

int umami_get_meta(int key, void* result) {
    switch (key) {
        case META_DEVICE:
#ifdef GPU
            *(int*)result = 1;
#else
            *(int*)result = 0;
#endif
            return SUCCESS;
        case META_PARTICLES:
            *(int*)result = PARTICLES;
            return SUCCESS;
        case META_DIAGRAMS:
            *(int*)result = 1;
            return SUCCESS;
        case META_HELICITIES:
            *(int*)result = 16;
            return SUCCESS;
        case META_MASSES:
            memset(result, 0, PARTICLES * sizeof(double));
            return SUCCESS;
        default:
            return BAD_META;
    }
}

#ifndef NO_QUERIES
static bool supported[KEYS] = {true};
static bool required[KEYS] = {true};

int umami_supported_inputs(bool const** data, int* count) {
#ifdef STRONG
    supported[IN_ALPHA_S] = supported[IN_FLAVOUR] = true;
#endif
#ifdef NEEDS_COLOUR
    supported[IN_COLOUR] = true;
#endif
    *data = supported;
    *count = KEYS;
    return SUCCESS;
}

int umami_required_inputs(bool const** data, int* count) {
#ifdef NEEDS_COLOUR
    required[IN_COLOUR] = true;
#endif
#ifdef STRONG
    required[IN_ALPHA_S] = true;
#endif
    *data = required;
    *count = KEYS;
    return SUCCESS;
}

int umami_supported_outputs(bool const** data, int* count) {
    static bool outputs[6] = {true};
    *data = outputs;
    *count = 6;
    return SUCCESS;
}
#endif

/* The card holds one number, 1/alpha. Without a card it is 137. */
int umami_initialize(void** handle, char const* card) {
    double inverse = 137.0;
    if (card && card[0]) {
        FILE* file = fopen(card, "r");
        if (!file) return ERROR;
        const int read = fscanf(file, "%lf", &inverse);
        fclose(file);
        if (read != 1) return ERROR;
    }
    Instance* instance = calloc(1, sizeof(Instance));
    if (!instance) return ERROR;
    instance->alpha = 1.0 / inverse;
    *handle = instance;
    return SUCCESS;
}

int umami_set_parameter(void* handle, char const* name, double real, double imaginary) {
    (void)imaginary;
    if (strcmp(name, "alpha")) return BAD_INPUT;
    ((Instance*)handle)->alpha = real;
    return SUCCESS;
}

int umami_matrix_element(void* handle, size_t count, size_t stride, size_t offset, size_t inputs, int const* keys,
                         void const* const* in, size_t outputs, int const* out_keys, void* const* out) {
    Instance* instance = handle;
    double const *p = NULL, *alpha_s = NULL;
    int const* flavour = NULL;
    if (instance->busy) return ERROR; /* two threads share an instance */
    instance->busy = 1;
    for (size_t i = 0; i < inputs; ++i) {
        if (keys[i] == IN_MOMENTA) p = in[i];
        else if (keys[i] == IN_ALPHA_S) alpha_s = in[i];
        else if (keys[i] == IN_FLAVOUR) flavour = in[i];
        else return BAD_INPUT;
    }
    if (!p) return NO_INPUT;
    if (outputs != 1 || out_keys[0] != 0) return BAD_OUTPUT;
    double* result = out[0];
    for (size_t event = offset; event < offset + count; ++event) {
        double s = 0, t = 0;
        for (int component = 0; component < 4; ++component) {
            const double sign = component ? -2.0 : 2.0;
            const double* column = p + stride * (component * PARTICLES) + event;
            s += sign * column[0] * column[stride];
            t -= sign * column[0] * column[2 * stride];
        }
        if (s <= 0) {
            instance->busy = 0;
            return ERROR;
        }
        const double u = -s - t, e2 = 4.0 * PI * instance->alpha;
        double value = 2.0 * e2 * e2 * (t * t + u * u) / (s * s);
        if (flavour && flavour[event] == 1) value *= 3.0 * 4.0 / 9.0;
#ifdef SQUARED
        if (alpha_s) value *= alpha_s[event] * alpha_s[event];
#else
        if (alpha_s) value *= 1.0 + alpha_s[event] / PI;
#endif
        result[event] = value;
    }
    instance->busy = 0;
    return SUCCESS;
}

#ifndef NO_FREE
int umami_free(void* handle) {
    free(handle);
    return SUCCESS;
}
#endif
