/* Preloaded into a process to make its file system calls below one directory fail.
 *
 *   PEGCOUNT_SHIM_DIRECTORY  calls on files below it are counted, from 1
 *   PEGCOUNT_SHIM_LOG        a line per call: number, name, file, descriptor's number, errno (0: none)
 *   PEGCOUNT_SHIM_FAIL_AT    number of the call that fails; 0 is none
 *   PEGCOUNT_SHIM_ERRNO      the error that it fails with
 *   PEGCOUNT_SHIM_WHILE      all calls from that number on fail while this file exists
 *   PEGCOUNT_SHIM_NO_SYNC    set: nothing is ever flushed, and callers are told that it was
 *
 * A descriptor's number is new with each open, so that a log tells descriptors apart that had the same
 * number in the process. A failing write of ENOSPC writes half of what it was given before it fails, as
 * a full disk does; one of EIO writes nothing.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define DESCRIPTOR_MAX 65536

static char directory[PATH_MAX];
static size_t directory_length;
static const char *while_file;
static int log_descriptor = -1;
static long fail_at;
static int fail_errno = EIO;
static int no_sync;
static long call_count;
static long open_count;
static int half_was_written; /* The next write tells the error. */
static long number_of[DESCRIPTOR_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* What the environment says; a process that is forked from another has its own say. */
__attribute__((constructor)) void begin_shim(void) {
    const char *value = getenv("PEGCOUNT_SHIM_DIRECTORY");
    if (value == NULL) return;
    snprintf(directory, sizeof directory, "%s", value);
    directory_length = strlen(directory);
    while_file = getenv("PEGCOUNT_SHIM_WHILE");
    no_sync = getenv("PEGCOUNT_SHIM_NO_SYNC") != NULL;
    if ((value = getenv("PEGCOUNT_SHIM_FAIL_AT"))) fail_at = atol(value);
    if ((value = getenv("PEGCOUNT_SHIM_ERRNO"))) fail_errno = atoi(value);
    if ((value = getenv("PEGCOUNT_SHIM_LOG")))
        log_descriptor = syscall(SYS_openat, AT_FDCWD, value, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int is_below(const char *path) {
    return directory_length > 0 && strncmp(path, directory, directory_length) == 0 &&
           (path[directory_length] == '/' || path[directory_length] == 0);
}

/* The file of a descriptor, where it is below the directory. */
static int find_file(int descriptor, char *path) {
    char link[64];
    if (directory_length == 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return is_below(path);
}

/* The full path of a name that an *at call was given, where it is below the directory. */
static int find_name(int at, const char *name, char *path) {
    if (directory_length == 0) return 0;
    if (name[0] == '/') {
        snprintf(path, PATH_MAX, "%s", name);
    } else {
        char base[PATH_MAX];
        char link[64];
        if (at == AT_FDCWD) snprintf(link, sizeof link, "/proc/self/cwd");
        else snprintf(link, sizeof link, "/proc/self/fd/%d", at);
        ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, base, sizeof base - 1);
        if (length < 0) return 0;
        base[length] = 0;
        if (snprintf(path, PATH_MAX, "%s/%s", base, name) >= PATH_MAX) return 0;
    }
    return is_below(path);
}

static void tell(long call, const char *name, const char *path, long number, int error) {
    char line[PATH_MAX + 128];
    if (log_descriptor < 0) return;
    const char *shown = path[directory_length] == '/' ? path + directory_length + 1 : ".";
    int length = snprintf(line, sizeof line, "%ld %s %s %ld %d\n", call, name, shown, number, error);
    if (length > 0) syscall(SYS_write, log_descriptor, line, (size_t)length);
}

static long number(int descriptor) {
    return descriptor >= 0 && descriptor < DESCRIPTOR_MAX ? number_of[descriptor] : 0;
}

static int is_full(void) {
    return while_file == NULL || syscall(SYS_faccessat, AT_FDCWD, while_file, F_OK) == 0;
}

/* Counts a call. Gives whether it must fail. */
static int fails(const char *name, const char *path, int descriptor) {
    pthread_mutex_lock(&lock);
    long call = ++call_count;
    int is_due = while_file ? call >= fail_at : call == fail_at;
    int failing = fail_at > 0 && is_due && is_full();
    if (failing) tell(call, name, path, number(descriptor), fail_errno);
    pthread_mutex_unlock(&lock);
    return failing;
}

/* Notes how a call that was let through ended. */
static void done(const char *name, const char *path, int descriptor, int failed) {
    int error = failed ? errno : 0;
    pthread_mutex_lock(&lock);
    tell(call_count, name, path, number(descriptor), error);
    pthread_mutex_unlock(&lock);
    if (failed) errno = error;
}

static int refuse(void) {
    errno = fail_errno;
    return -1;
}

/* How much of a failing write is written: half where the disk is full, unless the half was written before. */
static size_t half(size_t size) {
    if (fail_errno != ENOSPC || size < 2 || half_was_written) {
        half_was_written = 0;
        return 0;
    }
    half_was_written = 1;
    return size / 2;
}

/* What the next write is to say of the half that was written. */
static int tells_half(const char *name, const char *path, int descriptor) {
    int was = half_was_written;
    half_was_written = 0;
    if (!was || !is_full()) return 0;
    tell(call_count, name, path, number(descriptor), fail_errno);
    return 1;
}

#define OF_FILE(name, descriptor, call)                                  \
    do {                                                                 \
        char path[PATH_MAX];                                             \
        if (!find_file(descriptor, path)) return call;                   \
        if (fails(#name, path, descriptor)) return refuse();             \
        __typeof__(call) result = call;                                  \
        done(#name, path, descriptor, result < 0);                       \
        return result;                                                   \
    } while (0)

#define WRITING(name, descriptor, size, call, shorter)                                \
    do {                                                                              \
        char path[PATH_MAX];                                                          \
        if (!find_file(descriptor, path)) return call;                                \
        if (tells_half(#name, path, descriptor)) return refuse();                     \
        if (fails(#name, path, descriptor)) {                                         \
            size_t part = half(size);                                                 \
            if (part == 0) return refuse();                                           \
            return shorter;                                                           \
        }                                                                             \
        ssize_t result = call;                                                        \
        done(#name, path, descriptor, result < 0);                                    \
        return result;                                                                \
    } while (0)

ssize_t write(int fd, const void *data, size_t size) {
    WRITING(write, fd, size, REAL(write)(fd, data, size), REAL(write)(fd, data, part));
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t place) {
    WRITING(pwrite, fd, size, REAL(pwrite)(fd, data, size, place), REAL(pwrite)(fd, data, part, place));
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t place) {
    WRITING(pwrite, fd, size, REAL(pwrite64)(fd, data, size, place), REAL(pwrite64)(fd, data, part, place));
}

/* Of several pieces, half of the first is written. */
ssize_t writev(int fd, const struct iovec *pieces, int count) {
    WRITING(writev, fd, count > 0 ? pieces[0].iov_len : 0, REAL(writev)(fd, pieces, count),
            REAL(write)(fd, pieces[0].iov_base, part));
}

ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t place) {
    WRITING(pwritev, fd, count > 0 ? pieces[0].iov_len : 0, REAL(pwritev)(fd, pieces, count, place),
            REAL(pwrite)(fd, pieces[0].iov_base, part, place));
}

ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off64_t place) {
    WRITING(pwritev, fd, count > 0 ? pieces[0].iov_len : 0, REAL(pwritev64)(fd, pieces, count, place),
            REAL(pwrite64)(fd, pieces[0].iov_base, part, place));
}

int fsync(int fd) { OF_FILE(fsync, fd, no_sync ? 0 : REAL(fsync)(fd)); }

int fdatasync(int fd) { OF_FILE(fdatasync, fd, no_sync ? 0 : REAL(fdatasync)(fd)); }

int sync_file_range(int fd, off64_t place, off64_t size, unsigned flags) {
    OF_FILE(sync_file_range, fd, no_sync ? 0 : REAL(sync_file_range)(fd, place, size, flags));
}

int syncfs(int fd) { OF_FILE(syncfs, fd, no_sync ? 0 : REAL(syncfs)(fd)); }

int msync(void *start, size_t size, int flags) { return no_sync ? 0 : REAL(msync)(start, size, flags); }

int ftruncate(int fd, off_t size) { OF_FILE(ftruncate, fd, REAL(ftruncate)(fd, size)); }

int ftruncate64(int fd, off64_t size) { OF_FILE(ftruncate, fd, REAL(ftruncate64)(fd, size)); }

int fallocate(int fd, int mode, off_t place, off_t size) {
    OF_FILE(fallocate, fd, REAL(fallocate)(fd, mode, place, size));
}

int fallocate64(int fd, int mode, off64_t place, off64_t size) {
    OF_FILE(fallocate, fd, REAL(fallocate64)(fd, mode, place, size));
}

/* These two give the error as their result. */
int posix_fallocate(int fd, off_t place, off_t size) {
    char path[PATH_MAX];
    if (find_file(fd, path) && fails("posix_fallocate", path, fd)) return fail_errno;
    return REAL(posix_fallocate)(fd, place, size);
}

int posix_fallocate64(int fd, off64_t place, off64_t size) {
    char path[PATH_MAX];
    if (find_file(fd, path) && fails("posix_fallocate", path, fd)) return fail_errno;
    return REAL(posix_fallocate64)(fd, place, size);
}

#define OF_NAME(name, at, given, call)                                   \
    do {                                                                 \
        char path[PATH_MAX];                                             \
        if (!find_name(at, given, path)) return call;                    \
        if (fails(#name, path, -1)) return refuse();                     \
        int result = call;                                               \
        done(#name, path, -1, result < 0);                               \
        return result;                                                   \
    } while (0)

int rename(const char *from, const char *to) { OF_NAME(rename, AT_FDCWD, from, REAL(rename)(from, to)); }

int renameat(int at, const char *from, int to_at, const char *to) {
    OF_NAME(rename, at, from, REAL(renameat)(at, from, to_at, to));
}

int renameat2(int at, const char *from, int to_at, const char *to, unsigned flags) {
    OF_NAME(rename, at, from, REAL(renameat2)(at, from, to_at, to, flags));
}

int mkdir(const char *name, mode_t mode) { OF_NAME(mkdir, AT_FDCWD, name, REAL(mkdir)(name, mode)); }

int mkdirat(int at, const char *name, mode_t mode) { OF_NAME(mkdir, at, name, REAL(mkdirat)(at, name, mode)); }

/* A full disk lets files go. */
static int removal_fails(const char *path) {
    return (while_file == NULL || fail_errno != ENOSPC) && fails("unlink", path, -1);
}

int unlink(const char *name) {
    char path[PATH_MAX];
    if (find_name(AT_FDCWD, name, path) && removal_fails(path)) return refuse();
    return REAL(unlink)(name);
}

int unlinkat(int at, const char *name, int flags) {
    char path[PATH_MAX];
    if (find_name(at, name, path) && removal_fails(path)) return refuse();
    return REAL(unlinkat)(at, name, flags);
}

/* Each descriptor that is opened gets a number of its own; only an open that may make a file counts. */
static int opened(int fd, const char *path) {
    if (fd < 0 || fd >= DESCRIPTOR_MAX) return fd;
    pthread_mutex_lock(&lock);
    number_of[fd] = ++open_count;
    tell(call_count, "open", path, number_of[fd], 0);
    pthread_mutex_unlock(&lock);
    return fd;
}

#define OPENING(at, name, flags, call)                                                  \
    do {                                                                                \
        char path[PATH_MAX];                                                            \
        mode_t mode = 0;                                                                \
        if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE) {                    \
            va_list rest;                                                               \
            va_start(rest, flags);                                                      \
            mode = va_arg(rest, mode_t);                                                \
            va_end(rest);                                                               \
        }                                                                               \
        if (!find_name(at, name, path)) return call;                                    \
        if ((flags & O_CREAT) && fails("create", path, -1)) return refuse();            \
        return opened(call, path);                                                      \
    } while (0)

int open(const char *name, int flags, ...) {
    OPENING(AT_FDCWD, name, flags, syscall(SYS_openat, AT_FDCWD, name, flags, mode));
}

int open64(const char *name, int flags, ...) {
    OPENING(AT_FDCWD, name, flags, syscall(SYS_openat, AT_FDCWD, name, flags, mode));
}

int openat(int at, const char *name, int flags, ...) {
    OPENING(at, name, flags, syscall(SYS_openat, at, name, flags, mode));
}

int openat64(int at, const char *name, int flags, ...) {
    OPENING(at, name, flags, syscall(SYS_openat, at, name, flags, mode));
}

int close(int fd) {
    if (fd >= 0 && fd < DESCRIPTOR_MAX) number_of[fd] = 0;
    return REAL(close)(fd);
}
