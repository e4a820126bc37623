/* Opens and closes PAM sessions again and again in one process, and tells what it still holds.
 *
 *   cycles SERVICE USER COUNT STAGES [report]
 *
 * STAGES is letters: a for the account stage, o for opening a session, c for closing it. With `fork` as fifth argument a
 * child does each round, as host programs do; with `one` all rounds are in one transaction; with
 * `thread` there is a second thread. Prints descriptors and resident memory in KiB after a tenth of the rounds
 * and at the end, the return codes of the last round, and the nanoseconds that a round took. */
#include <dirent.h>
#include <pthread.h>
#include <security/pam_appl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int converse(int count, const struct pam_message **message, struct pam_response **response, void *data)
{
	(void)message, (void)data;
	*response = calloc(count, sizeof **response);
	return *response ? PAM_SUCCESS : PAM_BUF_ERR;
}

/* Kept open from before: a jail has another /proc, or none. */
static DIR *descriptors;
static FILE *memory;

static void *sleeper(void *data)
{
	pause();
	return data;
}

static void tell(const char *when)
{
	long pages = 0, resident = 0;
	int open = 0;
	rewinddir(descriptors);
	while (readdir(descriptors))
		open++;
	rewind(memory);
	fflush(memory);
	if (fscanf(memory, "%ld %ld", &pages, &resident) != 2)
		resident = -1;
	printf("%s descriptors=%d resident=%ld\n", when, open, resident * (sysconf(_SC_PAGESIZE) / 1024));
}

static struct pam_conv conversation = { converse, NULL };

static int go_through(pam_handle_t *handle, const char *stages, int codes[3])
{
	int result = PAM_SUCCESS;
	for (const char *stage = stages; *stage; stage++) {
		if (*stage == 'a')
			codes[0] = result = pam_acct_mgmt(handle, 0);
		else if (*stage == 'o')
			codes[1] = result = pam_open_session(handle, 0);
		else
			codes[2] = pam_close_session(handle, 0);
	}
	return result;
}

static int one(const char *service, const char *user, const char *stages, int codes[3])
{
	pam_handle_t *handle = NULL;
	int result = pam_start(service, user, &conversation, &handle);
	if (result != PAM_SUCCESS)
		return result;
	result = go_through(handle, stages, codes);
	pam_end(handle, result);
	return result;
}

int main(int argc, char **argv)
{
	if (argc < 5)
		return 2;
	int codes[3] = { -1, -1, -1 };
	long count = atol(argv[3]);
	int forks = argc > 5 && !strcmp(argv[5], "fork");
	pam_handle_t *handle = NULL;
	if (argc > 5 && !strcmp(argv[5], "one") && pam_start(argv[1], argv[2], &conversation, &handle) != PAM_SUCCESS)
		return 4;
	struct timespec begun, ended;
	pthread_t thread;
	if (argc > 5 && !strcmp(argv[5], "thread") && pthread_create(&thread, NULL, sleeper, NULL))
		return 5;
	descriptors = opendir("/proc/self/fd");
	memory = fopen("/proc/self/statm", "r");
	if (!descriptors || !memory)
		return 3;
	setvbuf(memory, NULL, _IONBF, 0);
	clock_gettime(CLOCK_MONOTONIC, &begun);
	for (long i = 0; i < count; i++) {
		if (handle) {
			go_through(handle, argv[4], codes);
		} else if (!forks) {
			one(argv[1], argv[2], argv[4], codes);
		} else {
			pid_t child = fork();
			int status = 0;
			if (child == 0)
				_exit(one(argv[1], argv[2], argv[4], codes));
			waitpid(child, &status, 0);
			codes[1] = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
		}
		if (i == count / 10)
			tell("early");
	}
	clock_gettime(CLOCK_MONOTONIC, &ended);
	tell("late");
	printf("codes=%d,%d,%d\n", codes[0], codes[1], codes[2]);
	printf("each=%lld\n", ((ended.tv_sec - begun.tv_sec) * 1000000000LL + ended.tv_nsec - begun.tv_nsec) / count);
	return 0;
}
