/* Measures what it takes to start programs and wait for them: by fork, exec and wait and nothing else.
 *
 *   spawn ROUNDS WARM-UP CONTESTANT…
 *   CONTESTANT: NAME UID:GID PATH ARGV0 [ARG…] ,
 *
 * Contestants take turns within each round, so what disturbs the machine disturbs all of them. A line each, times in
 * nanoseconds, memory in KiB: `NAME median p10 p90 rss private`. rss and private are the highest that the image which
 * does the work had when it executed the next one: taken in a run of its own, traced by root, at the entry of every
 * execve(2); what runs in the jail is not counted. */
#include "probe.h"

#include <signal.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <time.h>

#define MAX_CONTESTANTS 16

struct contestant {
	const char *name;
	struct account account;
	char **command;
	long long *times;
	long rss, private;
};

static struct contestant contestants[MAX_CONTESTANTS];
static int count;

static void parse(char **words)
{
	while (*words) {
		if (count == MAX_CONTESTANTS || !words[1] || !words[2] || !words[3])
			errno = EINVAL, die("usage");
		struct contestant *one = &contestants[count++];
		one->name = words[0];
		one->account = account_of(words[1]);
		one->command = words + 2;
		while (*words && strcmp(*words, ","))
			words++;
		if (*words)
			*words++ = NULL;
	}
}

__attribute__((noreturn)) static void execute(const struct contestant *one)
{
	char *environment[] = { "PATH=/usr/bin:/bin", "HOME=/", "TERM=dumb", NULL };
	become(&one->account);
	execve(one->command[0], one->command + 1, environment);
	die(one->command[0]);
}

static long long now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static long long timed(const struct contestant *one)
{
	int status;
	long long begin = now();
	pid_t child = fork();
	if (child < 0)
		die("fork");
	if (!child)
		execute(one);
	if (waitpid(child, &status, 0) != child)
		die("waitpid");
	long long end = now();
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		fprintf(stderr, "probe: %s ended with status %#x\n", one->name, status);
		_exit(PROBE_BROKEN);
	}
	return end - begin;
}

/* A number of KiB from a file of /proc. */
static long kilobytes(pid_t pid, const char *file, const char *key)
{
	char path[64], line[256];
	long sum = 0, value;
	snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
	FILE *stream = fopen(path, "r");
	if (!stream)
		die(path);
	while (fgets(line, sizeof line, stream))
		if (!strncmp(line, key, strlen(key)) && sscanf(strchr(line, ':') + 1, "%ld", &value) == 1)
			sum += value;
	fclose(stream);
	return sum;
}

static void measure_memory(struct contestant *one)
{
	int status, entries = 0;
	pid_t child = fork();
	if (child < 0)
		die("fork");
	if (!child) {
		/* Root traces by PTRACE_SEIZE from outside, so that the set-uid bit keeps its effect. */
		raise(SIGSTOP);
		execute(one);
	}
	if (waitpid(child, &status, WUNTRACED) != child)
		die("waitpid");
	if (ptrace(PTRACE_SEIZE, child, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL))
		die("ptrace");
	kill(child, SIGCONT);
	ptrace(PTRACE_INTERRUPT, child, 0, 0);
	while (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
		int number = 0;
		struct __ptrace_syscall_info info = { 0 };
		if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
			ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof info, &info);
			/* The first is this program's own. */
			if (info.op == PTRACE_SYSCALL_INFO_ENTRY && info.entry.nr == SYS_execve && entries++) {
				long private = kilobytes(child, "smaps_rollup", "Private_");
				long rss = kilobytes(child, "status", "VmHWM");
				one->private = private > one->private ? private : one->private;
				one->rss = rss > one->rss ? rss : one->rss;
			}
		} else if (!(status >> 16)) {
			number = WSTOPSIG(status);
		}
		ptrace(PTRACE_SYSCALL, child, 0, number);
	}
}

static int by_value(const void *left, const void *right)
{
	long long a = *(const long long *)left, b = *(const long long *)right;
	return (a > b) - (a < b);
}

int main(int argc, char **argv)
{
	if (argc < 7)
		errno = EINVAL, die("usage");
	int rounds = atoi(argv[1]), warm_up = atoi(argv[2]);
	if (rounds < 10)
		errno = EINVAL, die("rounds");
	parse(argv + 3);
	for (int i = 0; i < count; i++) {
		contestants[i].times = calloc(rounds, sizeof *contestants[i].times);
		if (!contestants[i].times)
			die("calloc");
		measure_memory(&contestants[i]);
	}
	for (int round = -warm_up; round < rounds; round++) {
		for (int i = 0; i < count; i++) {
			/* Another one begins each time: none always follows the same neighbour. */
			struct contestant *one = &contestants[(i + round + warm_up) % count];
			long long time = timed(one);
			if (round >= 0)
				one->times[round] = time;
		}
	}
	for (int i = 0; i < count; i++) {
		struct contestant *one = &contestants[i];
		qsort(one->times, rounds, sizeof *one->times, by_value);
		printf("%s %lld %lld %lld %ld %ld\n", one->name, one->times[rounds / 2], one->times[rounds / 10],
		       one->times[rounds * 9 / 10], one->rss, one->private);
	}
	return 0;
}
