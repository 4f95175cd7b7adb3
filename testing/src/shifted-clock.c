/*
 * Preloaded (LD_PRELOAD), shifts the calendar by SHIFTED_CLOCK_SECONDS in a process and its children; monotonic
 * clocks and the times of files stay as they are. For test/at.ts. Not libfaketime, because it shows the true time to
 * signal handlers that interrupt a wait, so that no timeout of PostgreSQL (lock_timeout, deadlock_timeout) ever fires.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long shift;

__attribute__((constructor)) static void read_shift(void) {
  const char *seconds = getenv("SHIFTED_CLOCK_SECONDS");
  if (seconds) shift = atol(seconds);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  static int (*original)(clockid_t, struct timespec *);
  /* Not the system call: the original reads the clock without entering the kernel. */
  if (!original) original = dlsym(RTLD_NEXT, "clock_gettime");
  int result = original(clock, now);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += shift;
  return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  (void)zone;
  struct timespec precise;
  int result = clock_gettime(CLOCK_REALTIME, &precise);
  if (result == 0 && now) *now = (struct timeval){precise.tv_sec, precise.tv_nsec / 1000};
  return result;
}

time_t time(time_t *now) {
  struct timespec precise;
  clock_gettime(CLOCK_REALTIME, &precise);
  if (now) *now = precise.tv_sec;
  return precise.tv_sec;
}
