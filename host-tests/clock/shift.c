/* A process's wall clock, shifted or standing still: preloaded into Envoy.
 *
 * HOOKGATE_TEST_CLOCK names a file of two 64-bit numbers: nanoseconds to add,
 * and, unless it is 0, the time at which the clock stands. Both are read with
 * each look. Monotonic clocks, by which timers run, are left alone.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile const int64_t *settings;

__attribute__((constructor)) static void map_settings(void) {
  const char *path = getenv("HOOKGATE_TEST_CLOCK");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) {
    return;
  }
  void *map = mmap(NULL, 16, PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (map != MAP_FAILED) {
    settings = map;
  }
}

int clock_gettime(clockid_t id, struct timespec *now) {
  /* Not through the library, whose function this one stands for. */
  int failed = (int)syscall(SYS_clock_gettime, id, now);
  if (failed || !settings || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE)) {
    return failed;
  }
  int64_t stands_at = settings[1];
  int64_t time = (int64_t)now->tv_sec * 1000000000 + now->tv_nsec;
  time = stands_at ? stands_at : time + settings[0];
  now->tv_sec = time / 1000000000;
  now->tv_nsec = time % 1000000000;
  return 0;
}

int gettimeofday(struct timeval *now, void *zone) {
  struct timespec time;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &time);
  now->tv_sec = time.tv_sec;
  now->tv_usec = time.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *now) {
  struct timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  if (now) {
    *now = time.tv_sec;
  }
  return time.tv_sec;
}
