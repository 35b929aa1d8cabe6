/* What happens around MadEvent's jobs: the end of the survey, the training, the account of calls. */
#define _POSIX_C_SOURCE 200809L
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hook.h"

void hook_write_job(const struct hook_channel *channel, const char *mode, const struct hook_count *count) {
    char path[HOOK_PATH], line[512];
    if (!channel->known || !hook_join(path, channel->root, "binnis/jobs.txt")) return;
    const int n = snprintf(line, sizeof line, "%s %s %s %s %ld %ld %.6f %ld\n", channel->process, channel->directory,
                           channel->refine ? "refine" : "survey", mode, count->points, count->evaluations, count->seconds,
                           hook_seed(channel));
    const int file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0666);
    if (file < 0) return;
    if (n > 0 && write(file, line, (size_t)n) != n) fputs("binnis: jobs.txt cannot be written\n", stderr);
    close(file);
}

/* The entry `name = value` of binnis/settings. */
static int setting(const struct hook_channel *channel, const char *name, char *value, size_t size) {
    char path[HOOK_PATH], line[HOOK_PATH];
    FILE *file = hook_join(path, channel->root, "binnis/settings") ? fopen(path, "r") : NULL;
    int found = 0;
    while (file && !found && fgets(line, sizeof line, file)) {
        char *equals = strstr(line, " = ");
        if (!equals) continue;
        *equals = '\0';
        equals[3 + strcspn(equals + 3, "\r\n")] = '\0';
        found = strcmp(line, name) == 0 && snprintf(value, size, "%s", equals + 3) < (int)size;
    }
    if (file) fclose(file);
    return found;
}

static void in_child(const struct hook_channel *channel, const char *python, const char *folder) {
    char path[HOOK_PATH], search[2 * HOOK_PATH];
    const char *old = getenv("PYTHONPATH");
    snprintf(search, sizeof search, "%s%s%s", folder, old && *old ? ":" : "", old ? old : "");
    setenv("PYTHONPATH", search, 1);
    const int log = hook_join(path, channel->root, "binnis/train.log") ? open(path, O_WRONLY | O_CREAT | O_APPEND, 0666) : -1;
    const int nothing = open("/dev/null", O_RDONLY);
    if (nothing >= 0) dup2(nothing, 0);
    if (log >= 0) {
        dup2(log, 1);
        dup2(log, 2);
    }
    /* Files of MadEvent, and the pipe to the script that started it, are none of the trainer's business. */
    for (int file = 3; file < 256; ++file) close(file);
    execl(python, python, "-m", "madgraph_interface.train", channel->root, (char *)NULL);
    _exit(127);
}

static void train(const struct hook_channel *channel) {
    char python[HOOK_PATH], folder[HOOK_PATH];
    if (!setting(channel, "python", python, sizeof python) || !setting(channel, "path", folder, sizeof folder)) return;
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) in_child(channel, python, folder);
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fprintf(stderr, "binnis: no sampler was trained (see binnis/train.log); MadEvent samples as it always does\n");
}

static int surveyed(const struct hook_channel *channel, const char *process, const char *name, long seed) {
    char rest[HOOK_PATH], path[HOOK_PATH], line[64];
    const int n = snprintf(rest, sizeof rest, "binnis/%s/G%s/survey.txt", process, name);
    if (n < 0 || n >= (int)sizeof rest || !hook_join(path, channel->root, rest)) return 0;
    return hook_read_line(path, line, sizeof line) && !strncmp(line, "seed ", 5) && strtol(line + 5, NULL, 10) == seed;
}

/* Whether every channel of every subprocess has ended its survey in this launch: gensym lists them in symfact.dat,
 * those with a positive second number are integrated. */
static int everything_surveyed(const struct hook_channel *channel, long seed) {
    char path[HOOK_PATH], rest[HOOK_PATH], process[256], line[256], name[64];
    FILE *list = hook_join(path, channel->root, "SubProcesses/subproc.mg") ? fopen(path, "r") : NULL;
    int all = list != NULL;
    while (all && fgets(line, sizeof line, list)) {
        if (sscanf(line, "%255s", process) != 1) continue;
        const int n = snprintf(rest, sizeof rest, "SubProcesses/%s/symfact.dat", process);
        FILE *channels = n > 0 && n < (int)sizeof rest && hook_join(path, channel->root, rest) ? fopen(path, "r") : NULL;
        long factor;
        all = channels != NULL;
        while (all && fgets(line, sizeof line, channels))
            if (sscanf(line, "%63s %ld", name, &factor) == 2 && factor > 0) all = surveyed(channel, process, name, seed);
        if (channels) fclose(channels);
    }
    if (list) fclose(list);
    return all;
}

void hook_survey_done(const struct hook_channel *channel, const struct hook_count *count, int dim,
                      const char *mode) {
    char path[HOOK_PATH], text[512];
    const long seed = hook_seed(channel);
    snprintf(text, sizeof text, "seed %ld\nmode %s\nfingerprint %016llx\ndim %d\npoints %ld\nevaluations %ld\nlast %ld\nseconds %.6f\n",
             seed, mode, (unsigned long long)channel->fingerprint, dim, count->points, count->evaluations, count->last,
             count->seconds);
    if (!hook_join(path, channel->folder, "survey.txt") || !hook_write(path, text)) {
        fputs("binnis: the survey cannot be recorded, MadEvent samples as it always does\n", stderr);
        return;
    }
    if (everything_surveyed(channel, seed)) train(channel);
}
