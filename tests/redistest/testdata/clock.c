/*
 * A wall clock that a test sets: loaded before the C library, it adds the
 * milliseconds that stand in the file $REDISTEST_CLOCK (8 bytes, in the
 * machine's order) to what the system says. Clocks that only run forward
 * (CLOCK_MONOTONIC) stay as they are, as they do when a clock is set.
 *
 * libfaketime would do the same, but an allocator that asks for the time
 * while the program is being loaded, as the one in Redis does, hangs it.
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

static volatile const int64_t *ahead;

__attribute__((constructor)) static void map_file(void) {
	const char *path = getenv("REDISTEST_CLOCK");
	int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		_exit(111);
	void *page = mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		_exit(112);
	close(fd);
	ahead = page;
}

int clock_gettime(clockid_t id, struct timespec *now) {
	int result = (int)syscall(SYS_clock_gettime, id, now);
	if (result != 0 || ahead == NULL || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE))
		return result;
	int64_t ms = *ahead;
	now->tv_sec += ms / 1000;
	now->tv_nsec += ms % 1000 * 1000000;
	if (now->tv_nsec < 0) {
		now->tv_nsec += 1000000000;
		now->tv_sec--;
	} else if (now->tv_nsec >= 1000000000) {
		now->tv_nsec -= 1000000000;
		now->tv_sec++;
	}
	return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
	(void)zone;
	struct timespec t;
	int result = clock_gettime(CLOCK_REALTIME, &t);
	now->tv_sec = t.tv_sec;
	now->tv_usec = t.tv_nsec / 1000;
	return result;
}

time_t time(time_t *where) {
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	if (where != NULL)
		*where = t.tv_sec;
	return t.tv_sec;
}
