/* Which channel of which process directory this MadEvent job works on, and its small files. */
#define _POSIX_C_SOURCE 200809L
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hook.h"

int hook_join(char *path, const char *folder, const char *name) {
    const int n = snprintf(path, HOOK_PATH, "%s/%s", folder, name);
    return n > 0 && n < HOOK_PATH;
}

int hook_exists(const char *folder, const char *name) {
    char path[HOOK_PATH];
    return hook_join(path, folder, name) && access(path, R_OK) == 0;
}

int hook_read_line(const char *path, char *line, size_t size) {
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    const int found = fgets(line, (int)size, file) != NULL;
    fclose(file);
    if (found) line[strcspn(line, "\r\n")] = '\0';
    return found;
}

/* Written under another name and renamed: a reader sees the whole file or none. */
static FILE *begin(const char *path, char *temporary) {
    const int n = snprintf(temporary, HOOK_PATH, "%s.%ld", path, (long)getpid());
    return n > 0 && n < HOOK_PATH ? fopen(temporary, "wb") : NULL;
}

static int finish(FILE *file, int good, const char *temporary, const char *path) {
    good = fclose(file) == 0 && good;
    if (good) good = rename(temporary, path) == 0;
    if (!good) unlink(temporary);
    return good;
}

int hook_write(const char *path, const char *text) {
    char temporary[HOOK_PATH];
    FILE *file = begin(path, temporary);
    return file && finish(file, fputs(text, file) >= 0, temporary, path);
}

int hook_copy(const char *from, const char *to) {
    char temporary[HOOK_PATH], block[8192];
    FILE *source = fopen(from, "rb");
    if (!source) return 0;
    FILE *file = begin(to, temporary);
    int good = file != NULL;
    size_t n;
    while (good && (n = fread(block, 1, sizeof block, source)) > 0) good = fwrite(block, 1, n, file) == n;
    good = good && !ferror(source);
    fclose(source);
    return file && finish(file, good, temporary, to);
}

int hook_make_folder(const char *path) {
    char part[HOOK_PATH];
    if (snprintf(part, sizeof part, "%s", path) >= HOOK_PATH) return 0;
    for (char *c = part + 1; *c; ++c) {
        if (*c != '/') continue;
        *c = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST) return 0;
        *c = '/';
    }
    return mkdir(part, 0777) == 0 || errno == EEXIST;
}

/* MadGraph writes a new number into this file at the start of every survey and refine. */
long hook_seed(const struct hook_channel *channel) {
    char path[HOOK_PATH], line[256];
    if (!hook_join(path, channel->root, "SubProcesses/randinit") || !hook_read_line(path, line, sizeof line)) return -1;
    const char *number = strchr(line, '=');
    return number ? strtol(number + 1, NULL, 10) : -1;
}

static uint64_t hashed(uint64_t hash, const char *text) {
    for (; *text; ++text) hash = (hash ^ (unsigned char)*text) * 1099511628211ULL; /* FNV-1a */
    return hash;
}

/* Numbers of a run that do not touch the integrand. */
static int irrelevant(const char *line) {
    static const char *const names[] = {"nevents", "iseed", "flow_", "lhe_version", "event_norm"};
    char low[512];
    size_t i = 0;
    for (; line[i] && i + 1 < sizeof low; ++i) low[i] = (char)tolower((unsigned char)line[i]);
    low[i] = '\0';
    for (size_t k = 0; k < sizeof names / sizeof *names; ++k)
        if (strstr(low, names[k])) return 1;
    return 0;
}

static uint64_t fingerprint(const char *root) {
    static const char *const files[] = {"Source/run_card.inc", "Source/param_card.inc", "Source/maxparticles.inc"};
    uint64_t hash = 14695981039346656037ULL;
    for (size_t k = 0; k < sizeof files / sizeof *files; ++k) {
        char path[HOOK_PATH], line[512];
        FILE *file = hook_join(path, root, files[k]) ? fopen(path, "r") : NULL;
        hash = hashed(hash, files[k]);
        if (!file) continue;
        while (fgets(line, sizeof line, file))
            if (!irrelevant(line)) hash = hashed(hash, line);
        fclose(file);
    }
    return hash;
}

/* The entry `value = flow_sampler ! comment` of the run card. */
static void read_wish(struct hook_channel *channel) {
    char path[HOOK_PATH], line[1024];
    strcpy(channel->wish, "vegas");
    FILE *file = hook_join(path, channel->root, "Cards/run_card.dat") ? fopen(path, "r") : NULL;
    if (!file) return;
    int gridpack = 0;
    while (fgets(line, sizeof line, file)) {
        char value[16], name[64];
        if (sscanf(line, " %15[A-Za-z] = %63[A-Za-z_]", value, name) != 2) continue;
        for (char *c = value; *c; ++c) *c = (char)tolower((unsigned char)*c);
        if (!strcmp(name, "gridpack")) gridpack = value[0] == 't';
        if (!strcmp(name, "flow_sampler") && (!strcmp(value, "auto") || !strcmp(value, "flow")))
            strcpy(channel->wish, value);
    }
    fclose(file);
    if (gridpack) strcpy(channel->wish, "vegas"); /* its grids are frozen elsewhere, without this folder */
}

/* What MadEvent will be told on its standard input, which the scripts of MadGraph redirect from a file. */
static int read_input(char *text, size_t size) {
    const off_t place = lseek(0, 0, SEEK_CUR);
    if (place < 0) return 0;
    const ssize_t n = pread(0, text, size - 1, place);
    if (n < 0) return 0;
    text[n] = '\0';
    return 1;
}

static void read_orders(struct hook_channel *channel) {
    char text[4096];
    double accuracy = 0;
    if (!read_input(text, sizeof text)) return;
    const char *second = strchr(text, '\n');
    if (sscanf(text, "%d %d %d", &channel->calls, &channel->most, &channel->least) != 3) channel->calls = 0;
    if (second && sscanf(second, "%lf", &accuracy) == 1 && accuracy < 0) channel->luminosity = -accuracy;
    channel->refine = channel->luminosity > 0;
}

void hook_one_iteration(const struct hook_channel *channel) {
    char text[4096];
    if (channel->calls < 1 || channel->least < 2 || channel->least > 6 || !read_input(text, sizeof text)) return;
    const char *rest = strchr(text, '\n');
    /* Iterations double: n, 2n, 4n. Where events are wanted, as many points as they take, with a small reserve: what is
     * missing then is drawn in another iteration. */
    const int again = getenv("BINNIS_MADEVENT_AGAIN") != NULL; /* another survey came before */
    double all = (double)channel->calls * (again ? 3 : (1 << channel->least) - 1);
    if (channel->refine && channel->density > 0) all = HOOK_RESERVE * channel->luminosity / channel->density;
    if (all < 200) all = 200;
    FILE *changed = rest ? tmpfile() : NULL;
    if (!changed) return;
    if (fprintf(changed, "%.0f %d 1%s", all < 5e6 ? all : 5e6, channel->most, rest) > 0 && fflush(changed) == 0 &&
        lseek(fileno(changed), 0, SEEK_SET) == 0)
        dup2(fileno(changed), 0);
    fclose(changed);
}

/* Cut the last component off a path and return it. */
static const char *cut(char *path) {
    char *slash = strrchr(path, '/');
    if (!slash || slash == path) return "";
    *slash = '\0';
    return slash + 1;
}

void hook_find_channel(struct hook_channel *channel) {
    char path[HOOK_PATH], rest[HOOK_PATH];
    memset(channel, 0, sizeof *channel);
    strcpy(channel->wish, "vegas");
    if (!getcwd(path, sizeof path)) return;
    const char *directory = cut(path);
    const char *process = cut(path);
    /* G1, G1.2 and split jobs G1a0 are ours; G1_1 belongs to a survey in pieces. */
    size_t digits = directory[0] == 'G' ? 1 + strspn(directory + 1, "0123456789") : 0;
    if (digits < 2) return;
    if (directory[digits] == '.') digits += 1 + strspn(directory + digits + 1, "0123456789");
    if (directory[digits] == '_' || digits >= sizeof channel->name || strlen(directory) >= sizeof channel->directory) return;
    if (process[0] != 'P' || strlen(process) >= sizeof channel->process) return;
    strcpy(channel->directory, directory);
    snprintf(channel->name, sizeof channel->name, "%.*s", (int)digits, directory);
    strcpy(channel->process, process);
    if (strcmp(cut(path), "SubProcesses") != 0) return;
    strcpy(channel->root, path);
    if (!hook_exists(channel->root, "binnis/settings")) return;
    const int n = snprintf(rest, sizeof rest, "binnis/%s/%s", channel->process, channel->name);
    if (n < 0 || n >= (int)sizeof rest || !hook_join(channel->folder, channel->root, rest)) return;
    channel->known = 1;
    channel->fresh = access("ftn25", F_OK) != 0;
    read_orders(channel);
    channel->fingerprint = fingerprint(channel->root);
    read_wish(channel);
}

int hook_has_sampler(struct hook_channel *channel) {
    char path[HOOK_PATH], line[128];
    unsigned long long cards;
    if (!channel->known || !hook_exists(channel->folder, "sampler.mcb") || !hook_exists(channel->folder, "grid")) return 0;
    if (!hook_join(path, channel->folder, "trained") || !hook_read_line(path, line, sizeof line)) return 0;
    return sscanf(line, "%llx %lf %lf %lf", &cards, &channel->acceptance, &channel->density, &channel->highest) == 4 &&
           cards == channel->fingerprint;
}
