/* Records what a process writes to the files of one SQLite database, and when it makes that durable.

   Preloaded into the server. POWER_DATABASE is the path of the database, POWER_LOG the file to append to. Every record
   is a head and the bytes written. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct head {
    double at; /* seconds of the monotonic clock */
    int64_t offset;
    int64_t length;
    char what; /* W: bytes written, T: cut at offset, S: made durable */
    char file; /* d: the database, w: its write-ahead log */
    char padding[6];
};

static int journal = -1;

static char file_of(int descriptor)
{
    const char *database = getenv("POWER_DATABASE");
    char link[64], path[4096];
    if (!database)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    size_t known = strlen(database);
    if (strncmp(path, database, known))
        return 0;
    return !path[known] ? 'd' : !strcmp(path + known, "-wal") ? 'w' : 0;
}

static void record(char what, char file, int64_t offset, const void *data, int64_t length)
{
    struct timespec now;
    struct head head = {0};
    if (journal < 0)
        journal = open(getenv("POWER_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    clock_gettime(CLOCK_MONOTONIC, &now);
    head.at = now.tv_sec + now.tv_nsec / 1e9;
    head.what = what;
    head.file = file;
    head.offset = offset;
    head.length = length;
    struct iovec parts[2] = {{&head, sizeof head}, {(void *)data, length}};
    if (writev(journal, parts, 2) != (ssize_t)(sizeof head + length))
        abort();
}

#define REAL(name) ((typeof(&name))dlsym(RTLD_NEXT, #name))

#define RECORD_PWRITE(name, type)                                                     \
    ssize_t name(int descriptor, const void *data, size_t length, type offset)        \
    {                                                                                 \
        ssize_t written = REAL(name)(descriptor, data, length, offset);               \
        char file = written > 0 ? file_of(descriptor) : 0;                            \
        if (file)                                                                     \
            record('W', file, offset, data, written);                                 \
        return written;                                                               \
    }

RECORD_PWRITE(pwrite, off_t)
RECORD_PWRITE(pwrite64, off64_t)

ssize_t write(int descriptor, const void *data, size_t length)
{
    char file = file_of(descriptor);
    off_t offset = file ? lseek(descriptor, 0, SEEK_CUR) : 0;
    ssize_t written = REAL(write)(descriptor, data, length);
    if (file && written > 0)
        record('W', file, offset, data, written);
    return written;
}

#define RECORD_TRUNCATE(name, type)                      \
    int name(int descriptor, type length)                \
    {                                                    \
        int result = REAL(name)(descriptor, length);     \
        char file = result ? 0 : file_of(descriptor);    \
        if (file)                                        \
            record('T', file, length, "", 0);            \
        return result;                                   \
    }

RECORD_TRUNCATE(ftruncate, off_t)
RECORD_TRUNCATE(ftruncate64, off64_t)

#define RECORD_SYNC(name)                             \
    int name(int descriptor)                          \
    {                                                 \
        int result = REAL(name)(descriptor);          \
        char file = result ? 0 : file_of(descriptor); \
        if (file)                                     \
            record('S', file, 0, "", 0);              \
        return result;                                \
    }

RECORD_SYNC(fsync)
RECORD_SYNC(fdatasync)
