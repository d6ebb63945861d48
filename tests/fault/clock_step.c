/* Wall clocks that a test can step.
 *
 * Preloaded into a program, this adds to its wall clock the seconds that the file named at
 * build time holds. The file is mapped as the program begins, so what is forked from it later
 * sees each change too, in whatever sandbox it is. Other clocks run on.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

typedef int (*reader)(clockid_t, struct timespec *);

static const char *step;

__attribute__((constructor)) static void map_step(void)
{
    int file = open(STEP_FILE, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return;
    void *mapped = mmap(NULL, STEP_BYTES, PROT_READ, MAP_SHARED, file, 0);
    if (mapped != MAP_FAILED)
        step = mapped;
    close(file);
}

static reader real_clock(void)
{
    static reader real;
    if (!real)
        real = (reader)dlsym(RTLD_NEXT, "clock_gettime");
    return real;
}

int clock_gettime(clockid_t id, struct timespec *into)
{
    int result = real_clock()(id, into);
    if (step && result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        into->tv_sec += atol(step);
    return result;
}

time_t time(time_t *into)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (into)
        *into = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict into, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    into->tv_sec = now.tv_sec;
    into->tv_usec = now.tv_nsec / 1000;
    return 0;
}
