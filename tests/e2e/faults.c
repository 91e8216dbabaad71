/* Faults between a program and its kernel, for tests: loaded into the real command with LD_PRELOAD.
 *
 * KDL_FAULTS     rules, separated by ';': CALL PART ACTION [SKIP]
 *                CALL    open write rename mkdir sync (fsync, fdatasync and syncfs)
 *                PART    a part of the file's path
 *                ACTION  an errno to fail with, or sleep=SECONDS before the call is made
 *                SKIP    calls that pass before the first that is met
 * KDL_WAITING    a file that takes the path of each call that begins to wait
 * KDL_CLOCK      AFTER SECONDS: from so many seconds after the start on the wall clock is off by SECONDS
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

struct rule {
    char call[16], part[128];
    int error, skip;
    unsigned sleep;
};
static struct rule rules[16];
static int count;
static double clock_after = -1, clock_by;
static struct timespec began;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int real_clock(clockid_t id, struct timespec *now) {
    REAL(int, "clock_gettime", clockid_t, struct timespec *);
    return real(id, now);
}

__attribute__((constructor)) static void prepare(void) {
    char text[2048], action[64], *at = text, *one;
    const char *given = getenv("KDL_FAULTS"), *clocks = getenv("KDL_CLOCK");
    snprintf(text, sizeof text, "%s", given ? given : "");
    while ((one = strsep(&at, ";")) && count < 16) {
        struct rule *rule = &rules[count];
        rule->skip = 0;
        if (sscanf(one, "%15s %127s %63s %d", rule->call, rule->part, action, &rule->skip) < 3) continue;
        if (!strncmp(action, "sleep=", 6)) rule->sleep = (unsigned)atoi(action + 6);
        else rule->error = atoi(action);
        count++;
    }
    if (clocks) sscanf(clocks, "%lf %lf", &clock_after, &clock_by);
    real_clock(CLOCK_MONOTONIC, &began);
}

static void note(const char *path) {
    const char *name = getenv("KDL_WAITING");
    FILE *file = name ? fopen(name, "a") : NULL;
    if (!file) return;
    fprintf(file, "%s\n", path);
    fclose(file);
}

/* Nonzero, with errno set, where the call is to fail. */
static int met(const char *call, const char *path) {
    int error = 0;
    unsigned wait = 0;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < count && !error; i++) {
        if (strcmp(rules[i].call, call) || !strstr(path, rules[i].part)) continue;
        if (rules[i].skip > 0) { rules[i].skip--; continue; }
        error = rules[i].error;
        wait = rules[i].sleep;
    }
    pthread_mutex_unlock(&lock);
    if (wait > 0) {
        note(path);
        sleep(wait);
    }
    if (error) errno = error;
    return error;
}

static const char *path_of(int fd, char *path, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    path[length > 0 ? length : 0] = 0;
    return path;
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        va_list list; va_start(list, flags); mode_t mode = va_arg(list, mode_t); va_end(list); \
        REAL(int, #name, const char *, int, ...); \
        return met("open", path) ? -1 : real(path, flags, mode); \
    }
OPEN(open)
OPEN(open64)

#define WRITE(name, kinds, names, ...) \
    ssize_t name kinds { \
        char path[1024]; \
        REAL(ssize_t, #name, __VA_ARGS__); \
        if (count && met("write", path_of(fd, path, sizeof path))) return -1; \
        return real names; \
    }
WRITE(write, (int fd, const void *data, size_t size), (fd, data, size), int, const void *, size_t)
WRITE(pwrite64, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at), int, const void *, size_t, off_t)
WRITE(pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at), int, const void *, size_t, off_t)
WRITE(writev, (int fd, const struct iovec *parts, int n), (fd, parts, n), int, const struct iovec *, int)
WRITE(pwritev, (int fd, const struct iovec *parts, int n, off_t at), (fd, parts, n, at), int, const struct iovec *, int, off_t)
WRITE(pwritev2, (int fd, const struct iovec *parts, int n, off_t at, int flags), (fd, parts, n, at, flags), int, const struct iovec *, int, off_t, int)
WRITE(pwritev64v2, (int fd, const struct iovec *parts, int n, off_t at, int flags), (fd, parts, n, at, flags), int, const struct iovec *, int, off_t, int)

#define SYNC(name) \
    int name(int fd) { \
        char path[1024]; \
        REAL(int, #name, int); \
        return met("sync", path_of(fd, path, sizeof path)) ? -1 : real(fd); \
    }
SYNC(fsync)
SYNC(fdatasync)
SYNC(syncfs)

int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *);
    return met("rename", to) ? -1 : real(from, to);
}

int mkdir(const char *path, mode_t mode) {
    REAL(int, "mkdir", const char *, mode_t);
    return met("mkdir", path) ? -1 : real(path, mode);
}

int clock_gettime(clockid_t id, struct timespec *now) {
    int failed = real_clock(id, now);
    if (failed || clock_after < 0 || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE)) return failed;
    struct timespec passed;
    real_clock(CLOCK_MONOTONIC, &passed);
    if ((double)(passed.tv_sec - began.tv_sec) + (double)(passed.tv_nsec - began.tv_nsec) / 1e9 >= clock_after)
        now->tv_sec += (time_t)clock_by;
    return failed;
}
