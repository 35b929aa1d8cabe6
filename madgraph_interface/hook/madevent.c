/* The functions that the linker puts around MadEvent's. See hook.h. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hook.h"
#include "mcbridge.h"

/* Weak: other programs of a process directory are linked with the same options and have none of these. */
#define WEAK __attribute__((weak))
extern void __real_x_to_f_arg_(int *, int *, int *, int *, int *, double *, double *, double *) WEAK;
extern void __real_ntuple_(double *, double *, double *, int *, int *) WEAK;
extern double __real_dsig_(double *, double *, int *) WEAK;
extern void __real_clear_events_(void) WEAK;
extern void __real_store_events_(double *, int *) WEAK;

#define MOST_EVENTS 200000 /* maxevents of genps.inc */
#define UNIT 27            /* of the file of events */

/* Common blocks of MadEvent (dsample.f of version 3.5). */
extern struct {
    double tmean, trmean, tsigma;
    int dim, events, itm, kn, cur_it, invar, configs;
} sample_common_ WEAK;
extern struct {
    int use_cut; /* 0: the grid stays as it is */
} to_weight_ WEAK;
extern struct {
    double accur; /* positive in a survey, minus the luminosity in a refine */
} to_accuracy_ WEAK;
extern struct {
    int written; /* events after unweighting, when an iteration ends */
} to_eventswritten_ WEAK;
extern struct {
    double twgt; /* a point becomes an event with probability weight / (10 twgt), at most 1; weights as in the sum */
    double maxwgt, kept[MOST_EVENTS]; /* weights of the events over 10 twgt, at least 1 */
    int unit, number, itmin;
} to_unwgt_ WEAK;
extern struct {
    double xmean[99], xsigma[99], xwmax[99], xeff[99], xrmean[99]; /* of the iterations */
} to_iterations_ WEAK;

#define BATCH 128
#define MOST_DIMENSIONS 128
#define MOST_RECORDED 2000000 /* numbers */

static struct hook_channel channel;
static struct hook_count count;
static enum hook_mode mode;
static int started, inside, dimensions, tapped = -1, iteration;
static double point[MOST_DIMENSIONS], norm, weight;
static double mean; /* of the first iteration [pb] */
static clock_t begin;

static mcb_sampler *sampler;
static int uniforms;
static size_t next = BATCH;
static double *draws, *points, *densities;

static double *record; /* (weight, u) of the points of this iteration */
static size_t recorded, record_room;

static void say(const char *sentence) {
    printf(" binnis: %s\n", sentence);
    fflush(stdout);
}

/* Before MadEvent reads its grid: put the one there that the sampler was trained on. */
__attribute__((constructor)) static void prepare(void) {
    if (!&sample_common_ || !__real_x_to_f_arg_) return;
    if (hook_serving()) return;
    hook_find_channel(&channel);
    if (!channel.known || !strcmp(channel.wish, "vegas")) return;
    if (!hook_has_sampler(&channel)) return;
    char grid[HOOK_PATH];
    if (hook_join(grid, channel.folder, "grid") && hook_copy(grid, "ftn25")) {
        mode = HOOK_FLOW;
        hook_one_iteration(&channel);
    }
}

static int open_sampler(int dim) {
    char path[HOOK_PATH], message[512] = "out of memory";
    if (!hook_join(path, channel.folder, "sampler.mcb")) return 0;
    if (mcb_open(path, &sampler, message, sizeof message) != MCB_OK) {
        say(message);
        return 0;
    }
    uniforms = mcb_uniforms(sampler, 0);
    if (mcb_dimension(sampler, 0) != dim) {
        say("the sampler has another number of dimensions than this channel, MadEvent samples as it always does");
        return 0;
    }
    draws = malloc(BATCH * (size_t)uniforms * sizeof *draws);
    points = malloc(BATCH * (size_t)dim * sizeof *points);
    densities = malloc(BATCH * sizeof *densities);
    return draws && points && densities;
}

/* MadEvent keeps at most one point in ten as an event, whatever the weights, and none in a first iteration: its estimate
 * of the mean weight comes too late. The trainer knows the weights. */
static void accept(void) {
    const double events = (double)sample_common_.events * sample_common_.itm;
    if (mode == HOOK_FLOW && channel.acceptance > 0 && events > 0) to_unwgt_.twgt = channel.acceptance / (10 * events);
}

static double of_point(void) { return isfinite(weight) ? weight : 0; }

/* The weight of the point before is known once the next one begins, or the job ends. */
static void close_point(void) {
    if (!inside) return;
    inside = 0;
    const double value = of_point();
    count.last += 1;
    count.evaluations += value != 0;
    count.mean += value;
    count.square += value * value;
    if (mode != HOOK_RECORD) return;
    const size_t size = 1 + (size_t)dimensions;
    if (recorded + size > record_room) {
        if (record_room >= MOST_RECORDED) return;
        record_room = record_room ? 2 * record_room : 4096 * size;
        double *grown = realloc(record, record_room * sizeof *record);
        if (!grown) return;
        record = grown;
    }
    record[recorded] = value;
    memcpy(record + recorded + 1, point, (size_t)dimensions * sizeof *point);
    recorded += size;
}

static void save_record(void) {
    char path[HOOK_PATH], temporary[HOOK_PATH + 16], message[512];
    mcb_recorder *recorder = NULL;
    const double one = 1;
    if (!hook_make_folder(channel.folder) || !hook_join(path, channel.folder, "survey.rec")) return;
    snprintf(temporary, sizeof temporary, "%s.%ld", path, (long)getpid());
    int good = mcb_record_open(temporary, dimensions, &recorder, message, sizeof message) == MCB_OK;
    for (size_t k = 0; good && k < recorded; k += 1 + (size_t)dimensions)
        good = mcb_record(recorder, 0, 1, record + k + 1, record + k, &one, message, sizeof message) == MCB_OK;
    good = mcb_record_close(recorder, message, sizeof message) == MCB_OK && good;
    if (!good || rename(temporary, path) != 0) unlink(temporary);
}

static void at_end(void) {
    static const char *const names[] = {"madevent", "record", "flow", "serve"};
    close_point();
    count.seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
    hook_write_job(&channel, names[mode], &count);
    mcb_close(sampler);
    if (mode == HOOK_RECORD) save_record();
    const int survey = mode == HOOK_RECORD || (mode == HOOK_FLOW && !channel.refine && !strcmp(channel.name, channel.directory));
    if (survey && !getenv("BINNIS_MADEVENT_AGAIN")) hook_survey_done(&channel, &count, dimensions, names[mode]);
}

static void start(int dim, int config) {
    started = 1;
    dimensions = dim;
    begin = clock();
    iteration = sample_common_.cur_it;
    if (hook_serving()) {
        /* MadEvent seeds its generator inside ntuple, and picks subprocesses with it even where points are given. */
        double number, zero = 0, one = 1;
        int none = 0;
        mode = HOOK_SERVE;
        __real_ntuple_(&number, &zero, &one, &none, &config);
    } else if (mode == HOOK_FLOW) {
        if (dim < 1 || dim > MOST_DIMENSIONS || !open_sampler(dim)) mode = HOOK_PASSIVE;
    } else if (channel.known && strcmp(channel.wish, "vegas") && channel.fresh && to_weight_.use_cut == 2 &&
               to_accuracy_.accur > 0 && !strcmp(channel.name, channel.directory) && dim >= 1 && dim <= MOST_DIMENSIONS)
        mode = HOOK_RECORD;
    accept();
    if (mode == HOOK_FLOW) say("points are drawn by the trained sampler, the grid is frozen");
    if (channel.known && mode != HOOK_SERVE) atexit(at_end);
}

/* MadEvent's own random numbers, seeded by its own rules at the first call of the real ntuple. */
static void draw_batch(int config) {
    double zero = 0, one = 1;
    int none = 0;
    char message[512];
    const size_t numbers = BATCH * (size_t)uniforms;
    for (size_t k = 0; k < numbers; ++k) __real_ntuple_(draws + k, &zero, &one, &none, &config);
    if (mcb_sample(sampler, 0, BATCH, draws, points, densities, message, sizeof message) != MCB_OK) {
        say(message);
        exit(1);
    }
    next = 0;
}

void __wrap_x_to_f_arg_(int *dim, int *config, int *least, int *most, int *invar, double *wgt, double *x, double *p) {
    if (!started) start(*dim, *config);
    close_point();
    if (mode >= HOOK_FLOW && to_weight_.use_cut > 0) to_weight_.use_cut = 0;
    if (sample_common_.cur_it != iteration) { /* the grid has changed: these points belong to another density */
        iteration = sample_common_.cur_it;
        count.last = 0;
        count.mean = count.square = 0;
        recorded = 0;
        accept();
    }
    double density = 1;
    if (mode == HOOK_FLOW) {
        if (next == BATCH) draw_batch(*config);
        memcpy(point, points + next * (size_t)dimensions, (size_t)dimensions * sizeof *point);
        density = densities[next++];
    } else if (mode == HOOK_SERVE)
        hook_serve_next(dimensions, point);
    norm = *wgt;
    weight = 0;
    count.points += 1;
    inside = 1;
    tapped = 0;
    __real_x_to_f_arg_(dim, config, least, most, invar, wgt, x, p);
    tapped = -1;
    *wgt /= density;
}

void __wrap_ntuple_(double *x, double *a, double *b, int *coordinate, int *config) {
    const int j = *coordinate;
    if (tapped < 0 || mode == HOOK_PASSIVE || j < 1 || j > dimensions) {
        __real_ntuple_(x, a, b, coordinate, config);
        return;
    }
    if (mode == HOOK_RECORD) {
        __real_ntuple_(x, a, b, coordinate, config);
        point[j - 1] = *b > *a ? (*x - *a) / (*b - *a) : 0;
        return;
    }
    *x = *a + point[j - 1] * (*b - *a);
}

/* The end of an iteration. A job goes on where its first iteration has left too few events, that is, after a large weight.
 * To weigh the iterations by their errors, as MadEvent does, would then give too small a cross section; that of the first
 * iteration, whose number of points was fixed beforehand, has no bias. MadEvent averages over the last three. */
static void iteration_done(void) {
    static double sigma, signed_mean;
    const int done = sample_common_.cur_it - 1;
    if (done == 1) {
        mean = to_iterations_.xmean[0];
        sigma = to_iterations_.xsigma[0];
        signed_mean = to_iterations_.xrmean[0];
    }
    if (done < 2 || done > 99) return;
    const int averaged = done < 3 ? done : 3;
    for (int k = done - averaged; k < done; ++k) {
        to_iterations_.xmean[k] = mean;
        to_iterations_.xrmean[k] = signed_mean;
        to_iterations_.xsigma[k] = sigma * sqrt(averaged);
    }
}

/* A further iteration begins. MadEvent doubles the points and forgets the events it has, since its grid has changed; a
 * frozen sampler keeps them all, and draws the points that are missing. */
void __wrap_clear_events_(void) {
    if (mode != HOOK_FLOW || sample_common_.cur_it < 2 || to_accuracy_.accur >= 0) {
        __real_clear_events_();
        return;
    }
    const double missing = -to_accuracy_.accur * mean / (to_eventswritten_.written > 0 ? to_eventswritten_.written : 1) - 1;
    const double points = (double)count.evaluations;
    double more = HOOK_RESERVE * points * (missing > HOOK_LEAST ? missing : HOOK_LEAST);
    if (more > 2 * points) more = 2 * points;
    if (more < 200) more = 200;
    if (more < sample_common_.events) sample_common_.events = (int)more;
}

/* MadEvent takes as the largest weight of a job what leaves 1% of the job's own cross section above. Where a job has a few
 * thousand events, one point decides; the trainer knows what leaves a share of the whole channel above. Larger weights stay
 * with their events, and MadGraph applies its rule to the sample of all channels at the end. */
void __wrap_store_events_(double *largest, int *scale) {
    const double highest = channel.acceptance > 0 ? channel.highest / channel.acceptance : 0;
    if (mode == HOOK_FLOW && highest >= 1 && to_unwgt_.unit == UNIT)
        for (int k = 0; k < to_unwgt_.number && k < MOST_EVENTS; ++k)
            if (fabs(to_unwgt_.kept[k]) > highest) to_unwgt_.kept[k] = copysign(highest, to_unwgt_.kept[k]);
    __real_store_events_(largest, scale);
}

double __wrap_dsig_(double *p, double *wgt, int *imode) {
    if (*imode == 2 && mode == HOOK_FLOW) iteration_done();
    const double value = __real_dsig_(p, wgt, imode);
    if (!inside || *imode != 0) return value;
    weight = value * *wgt / norm; /* dsig changes wgt where it picks a subprocess */
    if (mode == HOOK_SERVE) hook_serve_weight(of_point());
    return value;
}
