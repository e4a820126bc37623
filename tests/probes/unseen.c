/* unseen name|leader|hop: a process that hides from who reads /proc carelessly, until it is killed.
   name: its name is no UTF-8. leader: its first thread has ended, so that the process looks like one that has.
   hop: two dozen processes, of which each is another one every moment; they give up after a minute. */
#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static void hop(void) {
    /* Zombies that nobody has collected yet count as well: no more than this of the machine is taken. */
    struct rlimit most = {400, 400};
    time_t end = time(0) + 60;
    int i;
    setrlimit(RLIMIT_NPROC, &most);
    for (i = 0; i < 24; i++)
        if (fork() == 0) break;
    while (time(0) < end) {
        if (fork() > 0) _exit(0);
        setsid();
    }
    _exit(0);
}

static void *stay(void *nothing) {
    for (;;) pause();
    return nothing;
}

int main(int argc, char **argv) {
    pthread_t thread;
    if (argc != 2) return 2;
    if (strcmp(argv[1], "name") == 0) {
        prctl(PR_SET_NAME, "\xff\xfe)\xff R 1");
        stay(0);
    }
    if (strcmp(argv[1], "hop") == 0) hop();
    if (pthread_create(&thread, 0, stay, 0)) return 3;
    pthread_exit(0);
}
