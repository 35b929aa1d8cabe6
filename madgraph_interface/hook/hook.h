/* The hook that is linked into MadEvent: what its files share.
 *
 * MadEvent draws every random coordinate of a phase-space point by `ntuple` inside `x_to_f_arg`, and evaluates the point
 * by `dsig`; `clear_events` begins another iteration. The linker's option --wrap puts the functions of madevent.c around
 * these; no source of MadGraph is changed. Without a folder `binnis` in the process directory the hook only passes calls on.
 *
 * Files of a channel, in <process directory>/binnis/<subprocess>/G<channel>/:
 *   survey.txt   written at the end of the survey: what it cost, seed of the launch, fingerprint of the cards
 *   survey.rec   points of its last iteration (format of mcb_record; u in the bins of that iteration's grid)
 *   sampler.mcb  the trained sampler; grid: MadEvent's grid (ftn26) that it was trained on
 *   trained      fingerprint of the cards (hexadecimal), weight from which events are kept [pb], events per point and pb,
 *                weight that no job takes a larger one than as its largest [pb]
 */
#ifndef BINNIS_HOOK_H
#define BINNIS_HOOK_H

#include <stddef.h>
#include <stdint.h>

#define HOOK_PATH 4096
#define HOOK_RESERVE 1.05 /* points of an iteration over those that are expected to give the events; as in channel_training.py */
#define HOOK_LEAST 0.02   /* points of a further iteration over those before, at least */

enum hook_mode {
    HOOK_PASSIVE, /* MadEvent as it is */
    HOOK_RECORD,  /* survey: MadEvent as it is, points recorded */
    HOOK_FLOW,    /* points from the sampler, grid frozen */
    HOOK_SERVE    /* points from the trainer, weights back to it */
};

struct hook_channel {
    int known;                 /* whether the working directory belongs to an enabled process directory */
    int fresh;                 /* the job starts from a flat grid */
    int refine;                /* events are asked for, by a luminosity */
    int calls, most, least;    /* points of the first iteration; number of iterations */
    char root[HOOK_PATH];      /* process directory */
    char folder[HOOK_PATH];    /* <root>/binnis/<subprocess>/G<channel> */
    char process[256];         /* P1_qq_ll */
    char name[64];             /* G1, without the letters of a split job */
    char directory[64];        /* G1a3 */
    char wish[16];             /* flow_sampler of the run card: auto, flow or vegas */
    double luminosity;         /* events that are asked for [1/pb], 0 in a survey */
    double acceptance;         /* weight [pb] above which MadEvent keeps every point as an event */
    double density;            /* events that a point with a weight other than 0 yields, over the cross section [1/pb] */
    double highest;            /* weight [pb] that no job takes a larger one than as its largest */
    uint64_t fingerprint;      /* of the cards that fix the integrand */
};

/* channel.c */
void hook_find_channel(struct hook_channel *channel);
int hook_exists(const char *folder, const char *name);
int hook_read_line(const char *path, char *line, size_t size);
int hook_write(const char *path, const char *text);
int hook_copy(const char *from, const char *to);
int hook_make_folder(const char *path);
int hook_join(char *path, const char *folder, const char *name);
long hook_seed(const struct hook_channel *channel);
/* A frozen grid needs no iterations to adapt it: all points in one. */
void hook_one_iteration(const struct hook_channel *channel);
/* Whether a sampler is there that was trained with the present cards. */
int hook_has_sampler(struct hook_channel *channel);

/* serve.c */
int hook_serving(void);
/* The next point u[dim] that the trainer asks for; ends the process when it wants no more. */
void hook_serve_next(int dim, double *u);
void hook_serve_weight(double weight);

/* jobs.c */
struct hook_count {
    long points, evaluations; /* drawn; with a weight other than 0 */
    double mean, square;      /* sums of the weights of the last iteration and of their squares */
    long last;                /* points of the last iteration */
    double seconds;           /* CPU time from the first point to the end */
};
void hook_survey_done(const struct hook_channel *channel, const struct hook_count *count, int dim,
                      const char *mode);
void hook_write_job(const struct hook_channel *channel, const char *mode, const struct hook_count *count);

#endif
