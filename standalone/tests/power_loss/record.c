/* Records what a process does to the files of one directory, and when it answers: preloaded into the server by `LD_PRELOAD`,
 * so that the product has no code for it.
 *
 * RECORD_ROOT is the directory, an absolute path without links. RECORD_TRACE is the file that the records are appended to, by
 * one process after the other; trace.rs reads it. A write, with its record, takes place under a lock of the trace: who holds
 * that lock and kills the process leaves no write without its record.
 *
 * What the server does not use today (rename, fallocate, writable maps, other calls for answers) is not recorded. The test finds
 * out if a trace lacks something: it compares the disk rebuilt from the whole trace with the real directory, and looks for
 * the answer to every booking.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* The kinds of trace.rs. */
enum { CREATED = 1, MADE_DIRECTORY, REMOVED, WROTE, RESIZED, SYNCED, ANSWERED };

/* Followed by `length` bytes: a path below the root, what was written, or an answer. `number` is an offset, a size or a position. */
struct record {
    uint64_t kind, inode, number, length;
};

#define DESCRIPTORS 65536
static unsigned char recorded[DESCRIPTORS];
static const char *root;
static size_t root_length;
static int trace = -1;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void fail(const char *what) {
    perror(what);
    abort();
}

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("RECORD_TRACE"), *directory = getenv("RECORD_ROOT");
    if (!path || !directory) return;
    trace = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (trace < 0) fail("the trace");
    root_length = strlen(directory);
    root = directory;
}

/* The path below the root, empty for the root itself; none if it is elsewhere. The shared memory of the WAL's index is left
 * out: it is made anew at every start. */
static const char *below_root(const char *path) {
    if (!root || !path || strncmp(path, root, root_length)) return NULL;
    size_t length = strlen(path);
    if (length == root_length) return path + root_length;
    if (path[root_length] != '/' || !strcmp(path + length - 4, "-shm")) return NULL;
    return path + root_length + 1;
}

static int is_recorded(int fd) {
    if (trace < 0 || fd < 0 || fd >= DESCRIPTORS) return 0;
    return __atomic_load_n(&recorded[fd], __ATOMIC_ACQUIRE);
}

static void lock(void) {
    pthread_mutex_lock(&mutex);
    while (flock(trace, LOCK_EX))
        if (errno != EINTR) fail("the trace's lock");
}

static void unlock(void) {
    int error = errno;
    flock(trace, LOCK_UN);
    pthread_mutex_unlock(&mutex);
    errno = error;
}

static void append(uint64_t kind, uint64_t inode, uint64_t number, const void *bytes, uint64_t length) {
    struct record record = {kind, inode, number, length};
    struct iovec parts[2] = {{&record, sizeof record}, {(void *)bytes, length}};
    long written = syscall(SYS_writev, trace, parts, 2);
    if (written != (long)(sizeof record + length)) fail("a record of the trace");
}

static struct stat status(int fd) {
    struct stat found;
    if (fstat(fd, &found)) fail("a recorded file");
    return found;
}

static int open_recorded(const char *path, int flags, mode_t mode) {
    const char *name = below_root(path);
    if (!name) return syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    lock();
    int is_new = (flags & O_CREAT) && access(path, F_OK);
    int fd = syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    if (fd >= DESCRIPTORS) fail("more descriptors than the recorder knows");
    if (fd >= 0) {
        uint64_t inode = status(fd).st_ino;
        if (is_new) append(CREATED, inode, 0, name, strlen(name));
        else if (flags & O_TRUNC) append(RESIZED, inode, 0, NULL, 0);
        __atomic_store_n(&recorded[fd], 1, __ATOMIC_RELEASE);
    }
    unlock();
    return fd;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & O_CREAT) { \
        va_list rest; \
        va_start(rest, flags); \
        mode = va_arg(rest, mode_t); \
        va_end(rest); \
    }

EXPORT int open(const char *path, int flags, ...) {
    MODE(flags)
    return open_recorded(path, flags, mode);
}

EXPORT int open64(const char *path, int flags, ...) {
    MODE(flags)
    return open_recorded(path, flags | O_LARGEFILE, mode);
}

EXPORT int close(int fd) {
    if (is_recorded(fd)) __atomic_store_n(&recorded[fd], 0, __ATOMIC_RELEASE);
    return syscall(SYS_close, fd);
}

EXPORT ssize_t write(int fd, const void *bytes, size_t count) {
    if (!is_recorded(fd)) return syscall(SYS_write, fd, bytes, count);
    lock();
    ssize_t written = syscall(SYS_write, fd, bytes, count);
    if (written > 0) append(WROTE, status(fd).st_ino, lseek(fd, 0, SEEK_CUR) - written, bytes, written);
    unlock();
    return written;
}

EXPORT ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    if (!is_recorded(fd)) return syscall(SYS_pwrite64, fd, bytes, count, offset);
    lock();
    ssize_t written = syscall(SYS_pwrite64, fd, bytes, count, offset);
    if (written > 0) append(WROTE, status(fd).st_ino, offset, bytes, written);
    unlock();
    return written;
}

EXPORT ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    return pwrite64(fd, bytes, count, offset);
}

EXPORT int ftruncate64(int fd, off64_t size) {
    if (!is_recorded(fd)) return syscall(SYS_ftruncate, fd, size);
    lock();
    int result = syscall(SYS_ftruncate, fd, size);
    if (!result) append(RESIZED, status(fd).st_ino, size, NULL, 0);
    unlock();
    return result;
}

EXPORT int ftruncate(int fd, off_t size) {
    return ftruncate64(fd, size);
}

/* A sync covers what was recorded when it began, and counts once it has returned. */
static int sync_recorded(long call, int fd) {
    if (!is_recorded(fd)) return syscall(call, fd);
    uint64_t began = status(trace).st_size;
    int result = syscall(call, fd);
    if (!result) {
        lock();
        append(SYNCED, status(fd).st_ino, began, NULL, 0);
        unlock();
    }
    return result;
}

/* A successful answer of HTTP is recorded just before it leaves. What is synced while it is on its way comes too late. */
static void record_answer(const struct iovec *parts, int count) {
    static const char success[] = "HTTP/1.1 20";
    char answer[16384];
    size_t length = 0;
    if (trace < 0 || count < 1 || parts[0].iov_len < sizeof success) return;
    if (memcmp(parts[0].iov_base, success, sizeof success - 1)) return;
    for (int i = 0; i < count; i++) {
        if (parts[i].iov_len > sizeof answer - length) return; /* A page. */
        memcpy(answer + length, parts[i].iov_base, parts[i].iov_len);
        length += parts[i].iov_len;
    }
    lock();
    append(ANSWERED, 0, 0, answer, length);
    unlock();
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count) {
    record_answer(parts, count);
    return syscall(SYS_writev, fd, parts, count);
}

EXPORT ssize_t send(int fd, const void *bytes, size_t count, int flags) {
    struct iovec part = {(void *)bytes, count};
    record_answer(&part, 1);
    return syscall(SYS_sendto, fd, bytes, count, flags, NULL, 0);
}

EXPORT int fsync(int fd) {
    return sync_recorded(SYS_fsync, fd);
}

EXPORT int fdatasync(int fd) {
    return sync_recorded(SYS_fdatasync, fd);
}

EXPORT int unlink(const char *path) {
    const char *name = below_root(path);
    if (!name) return syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    lock();
    int result = syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    if (!result) append(REMOVED, 0, 0, name, strlen(name));
    unlock();
    return result;
}

EXPORT int mkdir(const char *path, mode_t mode) {
    const char *name = below_root(path);
    if (!name) return syscall(SYS_mkdirat, AT_FDCWD, path, mode);
    lock();
    int result = syscall(SYS_mkdirat, AT_FDCWD, path, mode);
    struct stat made;
    if (!result && stat(path, &made)) fail(path);
    if (!result) append(MADE_DIRECTORY, made.st_ino, 0, name, strlen(name));
    unlock();
    return result;
}
