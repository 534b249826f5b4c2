/* Writes down what a process does to the files below a folder, in order, so that a test can tell
 * what a disk would hold had the power failed at any moment. Preloaded; see test_power.py.
 *
 * A record: a line "OPERATION OFFSET LENGTH PATH\n", then LENGTH bytes. Of a rename they are the
 * new path, of an acknowledgement on standard output its text. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static int trace = -1;
static const char *below;

#define REAL(name) static __typeof__(name) *real; if (!real) real = dlsym(RTLD_NEXT, #name)

static ssize_t put(const void *data, size_t length) {
    REAL(write);
    return real(trace, data, length);
}

static void record(const char *what, long offset, const char *path, const void *data, size_t n) {
    char line[5000];
    if (trace < 0) return;
    int length = snprintf(line, sizeof line, "%s %ld %zu %s\n", what, offset, n, path);
    put(line, length);
    if (n) put(data, n);
}

static int watched(const char *path) { return below && strncmp(path, below, strlen(below)) == 0; }

static int path_of(int fd, char *path) {
    char link[40];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, 4095);
    if (n < 0) return 0;
    path[n] = 0;
    return watched(path);
}

__attribute__((constructor)) static void begin(void) {
    const char *file = getenv("POWER_TRACE");
    below = getenv("POWER_BELOW");
    if (file && below) trace = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

#define OPENED(name)                                                              \
    int name(const char *path, int flags, ...) {                                  \
        va_list more; va_start(more, flags);                                      \
        int mode = va_arg(more, int); va_end(more);                               \
        REAL(name);                                                               \
        pthread_mutex_lock(&lock);                                                \
        int fresh = (flags & O_CREAT) && watched(path) && access(path, F_OK) != 0; \
        int fd = real(path, flags, mode);                                         \
        if (fd >= 0 && fresh) record("create", 0, path, "", 0);                   \
        pthread_mutex_unlock(&lock);                                              \
        return fd;                                                                \
    }
OPENED(open)
OPENED(open64)

ssize_t write(int fd, const void *data, size_t length) {
    REAL(write);
    char path[4096];
    if (fd == trace) return real(fd, data, length);
    pthread_mutex_lock(&lock);
    long offset = lseek(fd, 0, SEEK_CUR);
    ssize_t done = real(fd, data, length);
    if (fd == 1 && done > 0) record("said", 0, "-", data, done);
    else if (done > 0 && path_of(fd, path)) record("write", offset, path, data, done);
    pthread_mutex_unlock(&lock);
    return done;
}

#define PWRITTEN(name, offset_type)                                               \
    ssize_t name(int fd, const void *data, size_t length, offset_type offset) {   \
        REAL(name);                                                               \
        char path[4096];                                                          \
        pthread_mutex_lock(&lock);                                                \
        ssize_t done = real(fd, data, length, offset);                            \
        if (done > 0 && path_of(fd, path)) record("write", offset, path, data, done); \
        pthread_mutex_unlock(&lock);                                              \
        return done;                                                              \
    }
PWRITTEN(pwrite, off_t)
PWRITTEN(pwrite64, off64_t)

#define SYNCED(name)                                                              \
    int name(int fd) {                                                            \
        REAL(name);                                                               \
        char path[4096];                                                          \
        pthread_mutex_lock(&lock);                                                \
        int failed = real(fd);                                                    \
        if (!failed && path_of(fd, path)) record("sync", 0, path, "", 0);         \
        pthread_mutex_unlock(&lock);                                              \
        return failed;                                                            \
    }
SYNCED(fsync)
SYNCED(fdatasync)

#define TRUNCATED(name, length_type)                                              \
    int name(int fd, length_type length) {                                        \
        REAL(name);                                                               \
        char path[4096];                                                          \
        pthread_mutex_lock(&lock);                                                \
        int failed = real(fd, length);                                            \
        if (!failed && path_of(fd, path)) record("truncate", length, path, "", 0); \
        pthread_mutex_unlock(&lock);                                              \
        return failed;                                                            \
    }
TRUNCATED(ftruncate, off_t)
TRUNCATED(ftruncate64, off64_t)

int unlink(const char *path) {
    REAL(unlink);
    pthread_mutex_lock(&lock);
    int failed = real(path);
    if (!failed && watched(path)) record("unlink", 0, path, "", 0);
    pthread_mutex_unlock(&lock);
    return failed;
}

int unlinkat(int folder, const char *name, int flags) {
    REAL(unlinkat);
    char path[4096], whole[8200];
    pthread_mutex_lock(&lock);
    int known = name[0] == '/' || folder == AT_FDCWD ? watched(name) : path_of(folder, path);
    if (name[0] == '/' || folder == AT_FDCWD) snprintf(whole, sizeof whole, "%s", name);
    else snprintf(whole, sizeof whole, "%s/%s", path, name);
    int failed = real(folder, name, flags);
    if (!failed && known) record("unlink", 0, whole, "", 0);
    pthread_mutex_unlock(&lock);
    return failed;
}

int rmdir(const char *path) {
    REAL(rmdir);
    pthread_mutex_lock(&lock);
    int failed = real(path);
    if (!failed && watched(path)) record("unlink", 0, path, "", 0);
    pthread_mutex_unlock(&lock);
    return failed;
}

#define RESERVED(name, offset_type)                                               \
    int name(int fd, offset_type offset, offset_type length) {                    \
        REAL(name);                                                               \
        char path[4096];                                                          \
        struct stat status;                                                       \
        pthread_mutex_lock(&lock);                                                \
        int failed = fstat(fd, &status) || real(fd, offset, length);              \
        if (!failed && offset + length > status.st_size && path_of(fd, path))     \
            record("truncate", offset + length, path, "", 0);                     \
        pthread_mutex_unlock(&lock);                                              \
        return failed;                                                            \
    }
RESERVED(posix_fallocate, off_t)
RESERVED(posix_fallocate64, off64_t)

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    pthread_mutex_lock(&lock);
    int failed = real(path, mode);
    if (!failed && watched(path)) record("mkdir", 0, path, "", 0);
    pthread_mutex_unlock(&lock);
    return failed;
}

int rename(const char *from, const char *to) {
    REAL(rename);
    pthread_mutex_lock(&lock);
    int failed = real(from, to);
    if (!failed && watched(from)) record("rename", 0, from, to, strlen(to));
    pthread_mutex_unlock(&lock);
    return failed;
}
