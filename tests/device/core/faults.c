/* Has one call of a process fail, once: the Nth of its kind after it was armed. Preloaded; see
 * inject.py. What a process of the process does is not counted. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OPEN, READ, WRITE, FSYNC, RENAME, FORK, THREAD, MMAP, KINDS };

static int armed = -1, error;
static long fails_at;
static atomic_long counted[KINDS];

/* Count from now on; the call number `when` of `kind` fails with `number`. */
void faults_arm(int kind, long when, int number) {
    for (int each = 0; each < KINDS; each++) counted[each] = 0;
    fails_at = when;
    error = number;
    armed = kind;
}

void faults_disarm(void) { armed = -1; }

long faults_counted(int kind) { return counted[kind]; }

static int fails(int kind) {
    if (armed < 0) return 0;
    long now = ++counted[kind];
    if (kind != armed || now != fails_at) return 0;
    errno = error;
    return 1;
}

#define REAL(name) static __typeof__(name) *real; if (!real) real = dlsym(RTLD_NEXT, #name)

#define OPENED(name)                                     \
    int name(const char *path, int flags, ...) {         \
        va_list more; va_start(more, flags);             \
        int mode = va_arg(more, int); va_end(more);      \
        REAL(name);                                      \
        return fails(OPEN) ? -1 : real(path, flags, mode); \
    }
OPENED(open)
OPENED(open64)

int openat(int folder, const char *path, int flags, ...) {
    va_list more; va_start(more, flags);
    int mode = va_arg(more, int); va_end(more);
    REAL(openat);
    return fails(OPEN) ? -1 : real(folder, path, flags, mode);
}

#define CALL(kind, type, failure, name, given, passed) \
    type name given { REAL(name); return fails(kind) ? failure : real passed; }

CALL(READ, ssize_t, -1, read, (int fd, void *data, size_t n), (fd, data, n))
CALL(READ, ssize_t, -1, pread, (int fd, void *data, size_t n, off_t at), (fd, data, n, at))
CALL(READ, ssize_t, -1, pread64, (int fd, void *data, size_t n, off64_t at), (fd, data, n, at))
CALL(WRITE, ssize_t, -1, write, (int fd, const void *data, size_t n), (fd, data, n))
CALL(WRITE, ssize_t, -1, pwrite, (int fd, const void *data, size_t n, off_t at), (fd, data, n, at))
CALL(WRITE, ssize_t, -1, pwrite64, (int fd, const void *data, size_t n, off64_t at),
     (fd, data, n, at))
CALL(FSYNC, int, -1, fsync, (int fd), (fd))
CALL(FSYNC, int, -1, fdatasync, (int fd), (fd))
CALL(RENAME, int, -1, rename, (const char *from, const char *to), (from, to))
CALL(FORK, pid_t, -1, fork, (void), ())
CALL(MMAP, void *, MAP_FAILED, mmap,
     (void *place, size_t n, int how, int flags, int fd, off_t at), (place, n, how, flags, fd, at))
CALL(MMAP, void *, MAP_FAILED, mmap64,
     (void *place, size_t n, int how, int flags, int fd, off64_t at), (place, n, how, flags, fd, at))

/* subprocess starts by vfork, which must not return through here: to its caller it looks the same
 * where fork takes its place. */
pid_t vfork(void) {
    static pid_t (*real)(void);
    if (!real) real = (pid_t (*)(void))dlsym(RTLD_NEXT, "fork");
    return fails(FORK) ? -1 : real();
}

int pthread_create(pthread_t *made, const pthread_attr_t *how, void *(*run)(void *), void *given) {
    REAL(pthread_create);
    return fails(THREAD) ? error : real(made, how, run, given);
}
