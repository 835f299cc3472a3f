/* bench_line [SECONDS]: how long a cache line takes from one CPU to another and back again, halved: in which case runs of
 * several workers are. Virtual CPUs move, so the same machine shows 45 ns in one minute (they share a cache) and 200 in
 * another. The first two CPUs that the process may use, medians of short runs. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/apart.h"

enum { PASSES = 2000, SAMPLES_MAX = 4096 };

static struct {
	_Atomic int turn;
} APART line;
static _Atomic bool end;

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* The nth CPU that the process may use, from 0; -1: there are fewer. */
static int cpu_number(const cpu_set_t *all, int n)
{
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, all) && !n--)
			return i;
	return -1;
}

static void pin(int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	pthread_setaffinity_np(pthread_self(), sizeof(one), &one);
}

/* Gives the line back whenever it comes. */
static void *echo(void *cpu)
{
	pin(*(int *)cpu);
	while (!end)
		if (line.turn == 1)
			line.turn = 0;
	return NULL;
}

static double sample(void)
{
	double t0 = now_ns();

	for (int i = 0; i < PASSES; i++) {
		line.turn = 1;
		while (line.turn)
			;
	}
	return (now_ns() - t0) / PASSES / 2;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	static double took[SAMPLES_MAX];
	double until = now_ns() + 1e9 * (argc > 1 ? atof(argv[1]) : 0.2);
	cpu_set_t all;
	pthread_t other;
	size_t n = 0;
	int cpu[2];

	sched_getaffinity(0, sizeof(all), &all);
	cpu[0] = cpu_number(&all, 0);
	cpu[1] = cpu_number(&all, 1);
	if (cpu[1] < 0) {
		printf("one CPU only\n");
		return 0;
	}
	pin(cpu[0]);
	if (pthread_create(&other, NULL, echo, &cpu[1]))
		return 1;
	sample();
	while (n < SAMPLES_MAX && (!n || now_ns() < until))
		took[n++] = sample();
	end = true;
	pthread_join(other, NULL);
	qsort(took, n, sizeof(*took), ascending);
	printf("a cache line from CPU %d to CPU %d: %.0f ns (%.0f to %.0f)\n", cpu[0], cpu[1], took[n / 2], took[0], took[n - 1]);
	return 0;
}
